"""Videos for which a decoder is needed: PyAV where it is installed, else torchcodec."""

from __future__ import annotations

import re
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
# how MP4 and Matroska begin: torchcodec lets FFmpeg guess among all that it knows
SELF_CONTAINED = re.compile(rb"....ftyp|\x1a\x45\xdf\xa3", re.DOTALL)


def decoded(path: Path, name: str, limits: Limits, ask: Stop) -> Opened:
    """A file for a decoder. Frames are as they are stored: turned ones are not turned back, as PyAV has them.

    Raises InvalidRequest for what is no video, or where there is no decoder, and LimitExceeded.
    """
    if (av := _loaded("av")) is not None:
        return _by_pyav(av, path, name, limits, ask)
    if (torchcodec := _loaded("torchcodec.decoders")) is not None:
        return _by_torchcodec(torchcodec, path, name, limits, ask)
    raise InvalidRequest(
        f"{name} needs a decoder for videos, and neither PyAV nor torchcodec can be loaded here. Install PyAV (pip "
        "install av), or give a GIF, or frames of it as pictures."
    )


def _loaded(module: str) -> Any:
    try:
        return import_module(module)
    except (ImportError, OSError, RuntimeError):  # torchcodec without FFmpeg's libraries raises all of these
        return None


def _by_pyav(av: Any, path: Path, name: str, limits: Limits, ask: Stop) -> Opened:
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


def _by_torchcodec(torchcodec: Any, path: Path, name: str, limits: Limits, ask: Stop) -> Opened:
    """The same by torchcodec, which goes to the frames that are asked for."""

    @contextmanager
    def decoder():
        with path.open("rb") as file:
            if not SELF_CONTAINED.match(file.read(12)):
                raise InvalidRequest(
                    f"{name} is neither an MP4 nor a WebM or Matroska file, the ones that torchcodec is given. "
                    "Install PyAV (pip install av), or give a GIF, or frames of it as pictures."
                )
            file.seek(0)
            with _in_words(name):
                yield torchcodec.VideoDecoder(file, dimension_order="NHWC", seek_mode="exact")

    with decoder() as found:
        about = found.metadata
    total, width, height, fps = about.num_frames or 0, about.width, about.height, about.average_fps
    if total < 1:
        raise InvalidRequest(NO_FRAME.format(name=name))
    if about.rotation:
        raise InvalidRequest(
            f"{name} is to be turned by {about.rotation:g} degrees, as torchcodec does and PyAV does not. Install PyAV "
            "(pip install av), or save it turned."
        )
    check_size(name, total, width, height, limits)
    if fps:
        check_duration(name, total / fps, limits)

    def read(places: Sequence[int]) -> list[tuple[Image.Image, float | None]]:
        check_read(name, len(places), width, height, limits)
        frames: list[tuple[Image.Image, float | None]] = []
        with decoder() as found:
            for place in places:
                ask()
                frame = found.get_frame_at(int(place))
                check_size(name, total, frame.data.shape[1], frame.data.shape[0], limits)
                shown_at = frame.pts_seconds - (found.metadata.begin_stream_seconds or 0)
                frames.append((Image.fromarray(frame.data.numpy()), shown_at))
        return frames

    return Opened(name, total, fps, f"torchcodec {import_module('torchcodec').__version__}", read)


@contextmanager
def _container(av: Any, path: Path, name: str):
    """The container of a file and its first video stream. What FFmpeg cannot read is said."""
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "pipe"}
    with _in_words(name), path.open("rb") as file, av.open(file, container_options=options) as container:
        if not container.streams.video:
            raise InvalidRequest(f"{name} holds no video.")
        yield container, container.streams.video[0]


@contextmanager
def _in_words(name: str):
    try:
        yield
    except (AttentionError, Fewer):
        raise
    except (OSError, ValueError, LookupError, RuntimeError) as error:  # FFmpeg's are of these, too
        why = getattr(error, "strerror", None) or shortened(re.sub(r".*\.cpp:\d+, ", "", str(error)), 200)
        raise InvalidRequest(
            f"{name} is not a video that is read here ({why}). Give an MP4, WebM or GIF, or frames as pictures."
        ) from None
