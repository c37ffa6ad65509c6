"""A video that is opened: its frames are counted and within the limits, and none is decoded yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from attention.errors import LimitExceeded
from attention.limits import Limits

Stop = Callable[[], None]  # called while frames are counted and decoded, several times a second; raises to end it

ONE_FRAME = "{name} has 1 frame: that is a picture. Give it as one (--image)."
NO_FRAME = "{name} holds no frame that can be decoded. It may be damaged."
STOP_SECONDS = 0.1  # between two questions whether to stop


@dataclass(frozen=True)
class Opened:
    """A video of which the frames are counted, and not read yet.

    `fps` is None where it does not say; `read` gives the frames at these places, each with the second at which it is
    shown, None where nothing says it; `decoder` is what reads them. Of a run's video the frames that were `kept` are
    there, and no others.
    """

    name: str
    total: int
    fps: float | None
    decoder: str
    read: Callable[[Sequence[int]], list[tuple[Image.Image, float | None]]]
    is_frames: bool = False
    kept: tuple[int, ...] | None = None


class Fewer(Exception):
    """A file has fewer frames than it says: `args[0]`."""


def now_and_then(stop: Stop | None) -> Stop:
    """The same, to be called at every frame: most of the calls do nothing."""
    asked = 0.0

    def ask() -> None:
        nonlocal asked
        if stop is not None and (now := time.monotonic()) - asked > STOP_SECONDS:
            asked = now
            stop()

    return ask


def check_size(name: str, total: int, width: int, height: int, limits: Limits) -> None:
    """Raise LimitExceeded for a video of so many frames of this size."""
    if total > limits.video_frames:
        raise too_many(name, total, limits)
    if width * height > limits.image_pixels:
        raise LimitExceeded(f"{name} has frames of {width}x{height} pixels; the limit is {limits.image_pixels:,}.")
    if total * width * height > limits.video_pixels:
        raise LimitExceeded(
            f"{name} has {total:,} frames of {width}x{height} pixels, {total * width * height / 1e9:,.1f} thousand "
            f"million in all; the limit is {limits.video_pixels / 1e9:,.1f}. Cut it, or make it smaller."
        )


def too_many(name: str, total: int, limits: Limits) -> LimitExceeded:
    """The refusal of a video of so many frames."""
    return LimitExceeded(f"{name} has {total:,} frames; the limit is {limits.video_frames:,}. Cut it.")


def check_duration(name: str, seconds: float, limits: Limits) -> None:
    """Raise LimitExceeded for one that lasts so long."""
    if seconds > limits.video_seconds:
        raise LimitExceeded(f"{name} lasts {seconds:,.0f} seconds; the limit is {limits.video_seconds:,.0f}. Cut it.")


def check_read(name: str, count: int, width: int, height: int, limits: Limits) -> None:
    """Raise LimitExceeded where so many frames of this size would be held in memory together."""
    if count * width * height > limits.frames_pixels:
        raise LimitExceeded(
            f"{count:,} frames of {width}x{height} pixels would be read of {name}, {count * width * height / 1e6:,.0f} "
            f"million in all; the limit is {limits.frames_pixels / 1e6:,.0f} million. Make the video smaller, or lower "
            "max_frames (--max-frames) or fps (--fps)."
        )
