"""A stranger's video, opened and decoded in a process of its own: what that is asked, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from PIL import Image

from attention import raw_pictures
from attention.decoder_pool import Decoders, check_asking
from attention.limits import VIDEO_CPU_SECONDS, Limits
from attention.picture_memory import BYTES_A_PIXEL, MEMORY

from .opened_video import Fewer, Opened, check_read

Frames = list[tuple[Image.Image, float | None]]


def video_elsewhere(pool: Decoders, path: Path, name: str, limits: Limits) -> Opened:
    """The video of a file, as `animations` and `decoders` open it. Raises what they do, and `Decoders.run`."""
    task = {"source": str(path), "name": name, "limits": asdict(limits)}

    def run(work: str, receive: Callable[[dict, IO[bytes]], Any], **more: Any) -> Any:
        advice = "Cut it, or make it smaller."
        return pool.run({"work": work, **task, **more}, name, receive, True, VIDEO_CPU_SECONDS, advice)

    said = run("video", lambda head, _: head["video"])
    width, height = size = tuple(said.pop("size"))

    def received(head: dict, pipe: IO[bytes]) -> Frames | int:
        if "fewer" in head:
            return head["fewer"]
        return [(raw_pictures.read(tuple(each["size"]), pipe), each["time"]) for each in head["frames"]]

    def read(places: Sequence[int]) -> Frames:
        check_read(name, len(places), width, height, limits)
        with MEMORY.taken(len(places) * width * height * BYTES_A_PIXEL, check_asking) as held:
            frames = run("frames", received, places=list(places))
            if isinstance(frames, int):
                raise Fewer(frames)
            for frame, _ in frames:
                held.until_gone(frame)
        return frames

    return Opened(**said, read=read, size=size)
