"""The frames of a request's videos that the model's processor reads.

Owns how many are read, and which. What a video is, `video_files` knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from attention.errors import InvalidRequest, LimitExceeded
from attention.families.family import Family
from attention.families.videos import Video
from attention.limits import Limits
from attention.request import Request
from attention.video_entries import TYPE, Source

from .handed_over import taken_videos
from .video_files import NO_FRAME, ONE_FRAME, FewerFrames, Opened, open_video

ASSUMED_FPS = 2.0  # where neither the video nor the model's files say how many frames a second there are


@dataclass(frozen=True)
class Sampled:
    """A video as the model's processor will receive it, what run.json says of it, and notes on how it is read."""

    video: Video
    record: dict[str, Any]
    notes: list[str]


def check_videos(request: Request, limits: Limits) -> None:
    """Look at what the videos of a request are. Raises InvalidRequest or LimitExceeded; decodes nothing."""
    if taken_videos() is not None:  # looked at where they come from
        return
    for source, name in _named(request):
        open_video(source, limits, name, with_times=False)


def sampled_videos(request: Request, family: Family, processor: Any, limits: Limits) -> list[Sampled]:
    """The videos of a request, as many frames of each as the model's processor reads.

    Raises InvalidRequest where one cannot be read, or where the model reads none, and LimitExceeded.
    """
    if not request.videos:
        return []
    if not family.takes_videos or getattr(processor, "video_processor", None) is None:
        why = (
            "its folder has no settings for them (video_preprocessor_config.json)" if family.takes_videos
            else "this version does not read them for it"
        )  # fmt: skip
        raise InvalidRequest(
            f"{family.label} is asked about a video, and {why}. Give frames of it as pictures (--image), or another "
            "model, as Qwen3-VL."
        )
    there = taken_videos()
    if there is not None:
        return [
            Sampled(Video(each["frames"], each["indices"], each["total"], each["fps"]), each["record"], each["notes"])
            for each in there
        ]
    entries = [entry for message in request.conversation() for entry in message["content"] if entry["type"] == TYPE]
    found: list[Sampled] = []
    for (source, name), entry in zip(_named(request), entries, strict=True):
        before = sum(len(each.video.frames) for each in found)
        found.append(_sampled(open_video(source, limits, name), entry, request, family, processor, limits, before))
    return found


# The frames that are read


def _sampled(
    opened: Opened, entry: dict, request: Request, family: Family, processor: Any, limits: Limits, before: int
) -> Sampled:
    """One video; `before` frames are read of others."""
    own_fps, own_most = family.sampling(processor)
    asked_fps, asked_most = entry.get("fps", request.fps), entry.get("max_frames", request.max_frames)
    own_most = own_most or limits.frames
    most = asked_most or min(own_most, limits.default_frames or own_most)
    notes = []
    if opened.is_frames or opened.fps is None:
        fps = asked_fps or own_fps or ASSUMED_FPS
        if asked_fps is None:
            notes.append(
                f"Nothing says how many frames of {opened.name} there are in a second; they are read as {fps:g}. Give "
                "fps (--fps) where that is wrong."
            )
        opened = replace(opened, fps=float(fps))
        wanted = None
    else:
        wanted = asked_fps or own_fps or ASSUMED_FPS

    def places(most: int) -> list[int]:
        assert opened.fps is not None
        if wanted is not None:
            return family.sample(processor, opened.total, opened.fps, wanted, most)
        return np.linspace(0, opened.total - 1, min(opened.total, most)).round().astype(int).tolist()

    chosen = places(most)
    count = before + len(chosen)
    if count > limits.frames:  # before one of them is decoded
        raise LimitExceeded(
            f"{count:,} frames of videos would be read; the limit is {limits.frames:,}. Lower max_frames "
            "(--max-frames) or fps (--fps)."
        )
    if opened.size is not None and len(chosen) * opened.size[0] * opened.size[1] > limits.frame_pixels:
        raise LimitExceeded(
            f"{len(chosen):,} frames of {opened.size[0]}x{opened.size[1]} pixels would be read of {opened.name}; the "
            f"limit is {limits.frame_pixels / 1e6:,.0f} million pixels. Lower max_frames (--max-frames) or fps (--fps)."
        )
    try:
        read = opened.read(chosen)
    except FewerFrames as fewer:
        notes.append(f"{opened.name} says that it has {opened.total:,} frames, and has {fewer.args[0]:,}.")
        opened = replace(opened, total=fewer.args[0])
        if not opened.total:
            raise InvalidRequest(NO_FRAME.format(name=opened.name)) from None
        chosen = places(most)
        read = opened.read(chosen)
    if opened.total < 2:
        raise InvalidRequest(ONE_FRAME.format(name=opened.name))
    assert opened.fps is not None
    if len(chosen) < 2:
        raise InvalidRequest(
            f"1 of the {opened.total:,} frames of {opened.name} would be read: {opened.total / opened.fps:.3g} seconds "
            f"at {wanted:g} a second. Raise fps (--fps)."
        )
    frames = [frame for frame, _ in read]
    _check_one_size(frames, opened.name)
    notes += _uneven(opened, chosen, [time for _, time in read])
    if len(chosen) < len(places(opened.total)):
        notes.append(
            f"{len(chosen):,} of the {opened.total:,} frames of {opened.name} are read, "
            f"{len(chosen) / opened.total * opened.fps:.2g} a second. More are read with max_frames (--max-frames)."
        )
    width, height = frames[0].size
    record = {
        "decoder": opened.decoder, "frames": opened.total, "read": len(chosen), "fps": opened.fps,
        "duration_s": opened.total / opened.fps, "width": width, "height": height,
    }  # fmt: skip
    return Sampled(Video(frames, chosen, opened.total, opened.fps), record, notes)


def _uneven(opened: Opened, chosen: list[int], times: list[float | None]) -> list[str]:
    """A note on frames that do not follow each other evenly: processors count as if they did."""
    assert opened.fps is not None
    off = max(
        (abs(time - place / opened.fps) for place, time in zip(chosen, times, strict=True) if time is not None),
        default=0,
    )
    if off <= 1 / opened.fps:
        return []
    return [
        f"Frames of {opened.name} do not follow each other evenly. The model's processor counts them as if they did, "
        f"{opened.fps:.3g} a second: the times given here are up to {off:.2g} seconds off."
    ]


def _check_one_size(frames: list[Image.Image], name: str) -> None:
    other = next((i for i, frame in enumerate(frames) if frame.size != frames[0].size), None)
    if other is not None:
        one, two = ("{}x{}".format(*frame.size) for frame in (frames[0], frames[other]))
        raise InvalidRequest(
            f"Frames of {name} have different sizes: the first is {one}, number {other + 1} is {two}. Make them alike."
        )


def _named(request: Request) -> list[tuple[Source, str]]:
    several = len(request.videos) > 1
    return [(source, f"video {i}" if several else "the video") for i, source in enumerate(request.videos, 1)]
