"""Open a video that a person gave, and take the frames of it that the model's processor reads.

Owns the forms of a video (frames, a folder of them, a run, an animation, a file for a decoder) and how many frames are
read.
Knows no processor.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from attention.decoder_pool import in_use
from attention.errors import InvalidRequest, LimitExceeded, quoted, shortened, shown_path
from attention.families.family import Family
from attention.families.videos import Video
from attention.image_entries import is_data_url
from attention.limits import Limits
from attention.request import Request
from attention.runs.checks.run import check_run
from attention.runs.run import Run
from attention.video_entries import TYPE, Source

from .animations import animation, is_picture
from .decoders import decoded
from .handed_over import are_videos_there, taken_videos
from .images import open_named
from .opened_video import NO_FRAME, ONE_FRAME, Fewer, Opened, Stop, check_read, now_and_then, too_many
from .videos_elsewhere import video_elsewhere

ASSUMED_FPS = 2.0  # where neither the video nor the model's files say how many frames a second there are


@dataclass(frozen=True)
class Sampled:
    """A video as the model's processor will receive it, what run.json says of it, and notes on how it is read."""

    video: Video
    record: dict[str, Any]
    notes: list[str]


def check_videos(request: Request, limits: Limits, stop: Stop | None = None) -> None:
    """Look at what the videos of a request are. Raises InvalidRequest or LimitExceeded; decodes nothing."""
    if are_videos_there():  # looked at where they come from
        return
    for source, name in _named(request):
        open_video(source, limits, name, stop)


def sampled_videos(
    request: Request, family: Family, processor: Any, limits: Limits, stop: Stop | None = None
) -> list[Sampled]:
    """The videos of a request, as many frames of each as the model's processor reads.

    `stop` is called several times a second meanwhile, and may raise. Raises InvalidRequest where one cannot be read, or
    where the model reads none, and LimitExceeded.
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
        opened = open_video(source, limits, name, stop)
        found.append(_sampled(opened, entry, request, family, processor, limits, before))
    return found


def open_video(source: Source, limits: Limits, name: str = "the video", stop: Stop | None = None) -> Opened:
    """Open a source, and count its frames. Raises InvalidRequest for what is no video, or LimitExceeded.

    No frame is decoded. `stop` is called several times a second while they are counted or read, and may raise.
    """
    ask = now_and_then(stop)
    if isinstance(source, tuple):
        return _of_frames(source, limits, name, ask)
    if not isinstance(source, str | os.PathLike) or not str(source) or is_data_url(source):
        raise InvalidRequest(
            f"{name[0].upper()}{name[1:]} is {quoted(source)}; give a file, a folder of frames, or a list of frames."
        )
    path = Path(source)
    try:
        if (path / "run.json").is_file():
            return _of_run(Run(path), limits, ask)
        if path.is_dir():
            files = sorted((each for each in path.iterdir() if each.is_file() and each.name[0] != "."), key=_in_order)
            return _of_frames(tuple(files), limits, f"the folder {shortened(path.name)}", ask)
        if not path.is_file():
            raise InvalidRequest(f"There is no file {shown_path(path)}.")
        size, name = path.stat().st_size, shortened(path.name)
        if size == 0:
            raise InvalidRequest(f"{name} is empty (0 bytes). Give an MP4, WebM or GIF, or frames as pictures.")
        with path.open("rb") as file:
            head = file.read(12)
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"{shown_path(path)} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from None
    if size > limits.video_bytes:
        raise LimitExceeded(
            f"{name} has {size / 1e6:,.0f} MB; the limit of a video is {limits.video_bytes / 1e6:,.0f} MB. Cut it, or "
            "give frames of it."
        )
    pool = in_use()
    if pool is not None and (is_picture(head) or find_spec("av")):  # the other decoder needs PyTorch
        return video_elsewhere(pool, path, name, limits)
    return animation(path, name, limits, ask) if is_picture(head) else decoded(path, name, limits, ask)


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

    chosen = places(most) if opened.kept is None else list(opened.kept)
    if opened.kept is not None and (asked_fps or asked_most):
        notes.append(f"All {len(chosen):,} frames of {opened.name} are read, whatever fps and max_frames say.")
    count = before + len(chosen)
    if count > limits.frames:  # before one of them is decoded
        raise LimitExceeded(
            f"{count:,} frames of videos would be read; the limit is {limits.frames:,}. Lower max_frames "
            "(--max-frames) or fps (--fps)."
        )
    try:
        read = opened.read(chosen)
    except Fewer as fewer:
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
    if opened.kept is None and len(chosen) < len(places(opened.total)):
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


# Forms of a video


def _named(request: Request) -> list[tuple[Source, str]]:
    several = len(request.videos) > 1
    return [(source, f"video {i}" if several else "the video") for i, source in enumerate(request.videos, 1)]


def _in_order(path: Path) -> list:
    """Key by which frame_2 comes before frame_10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)]


def _of_frames(sources: tuple, limits: Limits, name: str, ask: Stop) -> Opened:
    if len(sources) < 2:
        what = "1 frame, which is a picture: give it as one (--image)" if sources else "no frames: give two at least"
        raise InvalidRequest(f"{name[0].upper()}{name[1:]} has {what}.")
    if len(sources) > limits.video_frames:
        raise too_many(name, len(sources), limits)

    def read(places: Sequence[int]) -> list[tuple[Image.Image, float | None]]:
        named = [(sources[place], f"frame {place + 1} of {name}") for place in places]
        if in_use() is not None:
            within = replace(limits, pixels_together=limits.frames_pixels)
            return [(image, None) for image, _ in open_named(named, within)]
        frames: list[tuple[Image.Image, float | None]] = []
        for source, called in named:
            ask()
            ((image, _),) = open_named([(source, called)], limits)
            check_read(name, len(places), *image.size, limits)
            frames.append((image, None))
        return frames

    return Opened(name, len(sources), None, "frames", read, is_frames=True)


def _of_run(run: Run, limits: Limits, ask: Stop) -> Opened:
    """The video that a run was of, in the frames that it read: with them a chat about it goes on."""
    check_run(run)  # its folder was within reach of other programs
    if len(run.info.get("videos") or ()) != 1:
        raise InvalidRequest(
            f"The run {shortened(run.folder.name)} is not of one video: it has {len(run.info.get('videos') or ())}. "
            "Give the videos themselves."
        )
    (record,) = run.info["videos"]
    frames = [picture for picture in run.info["images"] if picture.get("video") == 0]
    kept = tuple(round(frame["time_s"] * record["fps"]) for frame in frames)
    files = tuple(run.folder / frame["file"] for frame in frames)
    opened = _of_frames(files, limits.of_kept_pictures(), "the video of that run", ask)
    return replace(
        opened,
        total=record["frames"],
        fps=record["fps"],
        decoder=record["decoder"],
        read=lambda places: opened.read([kept.index(place) for place in places]),
        is_frames=False,
        kept=kept,
    )
