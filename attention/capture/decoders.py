"""Videos for which a decoder is needed, which PyAV is, where it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image

from attention.errors import AttentionError, InvalidRequest, shortened
from attention.limits import Limits

from .opened_video import NO_FRAME, Fewer, Opened, Stop, check_duration, check_read, check_size

# what FFmpeg may take a file for: no playlist, which would name other files
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,ogg,asf,flv"


def decoded(path: Path, name: str, limits: Limits, ask: Stop) -> Opened:
    """A file that PyAV decodes. Frames are as they are stored: turned ones are not turned back, as in transformers.

    Raises InvalidRequest for what is no video, or where there is no decoder, and LimitExceeded.
    """
    try:
        av = import_module("av")
    except ImportError:
        raise InvalidRequest(
            f"{name} needs a decoder for videos, and none is installed. Install PyAV (pip install av), or give a GIF, "
            "or frames of it as pictures."
        ) from None
    with _container(av, path, name) as (_, stream):
        width, height, rate = stream.codec_context.width, stream.codec_context.height, stream.average_rate
        total, fps = stream.frames, float(rate) if rate else None
    if total < 1:  # WebM does not say
        total = 0
        with _container(av, path, name) as (container, stream):
            for packet in container.demux(stream):
                ask()
                total += packet.size > 0
    if total < 1:
        raise InvalidRequest(NO_FRAME.format(name=name))
    check_size(name, total, width, height, limits)
    if fps:
        check_duration(name, total / fps, limits)

    def read(places: Sequence[int]) -> list[tuple[Image.Image, float | None]]:
        wanted, last, found = set(places), max(places), {}
        with _container(av, path, name) as (container, stream):
            place, start = -1, None
            check_read(name, len(wanted), width, height, limits)
            for place, frame in enumerate(container.decode(stream)):
                ask()
                start = frame.time if start is None else start
                check_size(name, place + 1, frame.width, frame.height, limits)  # which may change within a file
                if place in wanted:
                    shown_at = None if frame.time is None else frame.time - start
                    found[place] = Image.fromarray(frame.to_ndarray(format="rgb24")), shown_at
                if place == last:
                    break
            else:
                raise Fewer(place + 1)
        return [found[place] for place in places]

    return Opened(name, total, fps, f"pyav {av.__version__}", read)


@contextmanager
def _container(av: Any, path: Path, name: str):
    """The container of a file and its first video stream. What FFmpeg cannot read is said."""
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "pipe"}
    try:
        with path.open("rb") as file, av.open(file, container_options=options) as container:
            if not container.streams.video:
                raise InvalidRequest(f"{name} holds no video.")
            yield container, container.streams.video[0]
    except (AttentionError, Fewer):
        raise
    except (OSError, ValueError, LookupError, RuntimeError) as error:  # FFmpeg's are of these, too
        why = getattr(error, "strerror", None) or shortened(str(error), 200)
        raise InvalidRequest(
            f"{name} is not a video that is read here ({why}). Give an MP4, WebM or GIF, or frames as pictures."
        ) from None
