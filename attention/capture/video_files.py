"""A video that a person gave, opened: how many frames it has, and those that are asked for.

Owns the forms of a video: frames, a folder of them, an animation, a file for a decoder. Animations are read by Pillow,
other files by PyAV where it is installed. Knows no model, and not which frames are read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib import import_module, metadata
from pathlib import Path
from typing import IO, Any

from PIL import Image

from attention import raw_pictures
from attention.decoders import Decoders, check_asking, in_use
from attention.errors import AttentionError, InvalidRequest, LimitExceeded, quoted, shortened, shown_path
from attention.image_entries import is_data_url
from attention.limits import VIDEO_CPU_SECONDS, Limits
from attention.picture_bytes import count_frames
from attention.picture_memory import BYTES_A_PIXEL, MEMORY
from attention.video_entries import Source

from .images import formats_for, open_named, open_picture, opened

# what FFmpeg may take a file for: no playlist, which would name other files
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,ogg,asf,flv"
ANIMATIONS = ("GIF", "WEBP", "TIFF", "PNG")
STILL = ("JPEG", "BMP")

ONE_FRAME = "{name} has 1 frame: that is a picture. Give it as one (--image)."
NO_FRAME = "{name} holds no frame that can be decoded. It may be damaged."


@dataclass(frozen=True)
class Opened:
    """A video of which the frames are counted, and not read yet.

    `fps` is None where it does not say, `size` (width and height) where frames may differ; `read` gives the frames at
    these places, each with the second at which it is shown, None where nothing says it (`times` has them of all where
    they are known before); `decoder` is what reads them.
    """

    name: str
    total: int
    fps: float | None
    decoder: str
    read: Callable[[Sequence[int]], list[tuple[Image.Image, float | None]]]
    is_frames: bool = False
    size: tuple[int, int] | None = None
    times: list[float] | None = None


class FewerFrames(Exception):
    """A file has fewer frames than it says: `args[0]`."""


def open_video(source: Source, limits: Limits, name: str = "the video", with_times: bool = True) -> Opened:
    """Open a source, and count its frames. Raises InvalidRequest for what is no video, or LimitExceeded.

    Without `with_times` no frame is decoded, and how long an animation lasts is left open.
    """
    if isinstance(source, tuple):
        return _of_frames(source, limits, name)
    if not isinstance(source, str | os.PathLike) or not str(source) or is_data_url(source):
        raise InvalidRequest(
            f"{name[0].upper()}{name[1:]} is {quoted(source)}; give a file, a folder of frames, or a list of frames."
        )
    path = Path(source)
    try:
        if path.is_dir():
            files = sorted((each for each in path.iterdir() if each.is_file() and each.name[0] != "."), key=_in_order)
            return _of_frames(tuple(files), limits, f"the folder {shortened(path.name)}")
        if not path.is_file():
            raise InvalidRequest(f"There is no file {shown_path(path)}.")
        size, name = path.stat().st_size, shortened(path.name)
        if size == 0:
            raise InvalidRequest(f"{name} is empty (0 bytes). Give an MP4, WebM or GIF, or frames as pictures.")
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"{shown_path(path)} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from None
    if size > limits.video_bytes:
        raise LimitExceeded(
            f"{name} has {size / 1e6:,.0f} MB; the limit of a video is {limits.video_bytes / 1e6:,.0f} MB. Cut it, or "
            "give frames of it."
        )
    decoders = in_use()
    if decoders is not None:
        return _elsewhere(decoders, path, limits, name, with_times)
    return open_video_here(path, limits, name, with_times)


def open_video_here(path: Path, limits: Limits, name: str, with_times: bool = True) -> Opened:
    """The video of a file, decoded in this process."""
    with path.open("rb") as file:
        head = file.read(12)
    return _animation(path, name, limits, with_times) if _is_picture(head) else _decoded(path, name, limits)


def _elsewhere(decoders: Decoders, path: Path, limits: Limits, name: str, with_times: bool) -> Opened:
    """The same, decoded in a process of its own."""
    task = {"source": str(path), "name": name, "limits": asdict(limits)}

    def run(receive: Callable[[dict, IO[bytes]], Any], **more: Any) -> Any:
        return decoders.run({**task, **more}, name, receive, True, VIDEO_CPU_SECONDS, "Cut it, or make it smaller.")

    found = run(lambda head, _: head["video"], work="video", with_times=with_times)
    size = tuple(found.pop("size"))

    def received(head: dict, pipe: IO[bytes]) -> list[tuple[Image.Image, float | None]]:
        if "fewer" in head:
            raise FewerFrames(head["fewer"])
        return [(raw_pictures.read(tuple(each["size"]), pipe), each["time"]) for each in head["frames"]]

    times = found["times"]

    def read(places: Sequence[int]) -> list[tuple[Image.Image, float | None]]:
        with MEMORY.taken(len(places) * size[0] * size[1] * BYTES_A_PIXEL, check_asking) as held:
            frames = run(received, work="frames", places=list(places))
            for frame, _ in frames:
                held.until_gone(frame)
        if times is not None:
            return [(frame, times[place]) for (frame, _), place in zip(frames, places, strict=True)]
        return frames

    return Opened(**found, read=read, size=size)


def _in_order(path: Path) -> list:
    """Key by which frame_2 comes before frame_10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)]


def _of_frames(sources: tuple, limits: Limits, name: str) -> Opened:
    if len(sources) < 2:
        what = "1 frame, which is a picture: give it as one (--image)" if sources else "no frames: give two at least"
        raise InvalidRequest(f"{name[0].upper()}{name[1:]} has {what}.")
    if len(sources) > limits.video_frames:
        raise _too_many(name, len(sources), limits)

    def read(places: Sequence[int]) -> list[tuple[Image.Image, float | None]]:
        named = [(sources[place], f"frame {place + 1} of {name}") for place in places]
        within = replace(limits, pixels_together=limits.frame_pixels)
        return [(image, None) for image, _ in open_named(named, within)]

    return Opened(name, len(sources), None, "frames", read, is_frames=True)


def _is_picture(head: bytes) -> bool:
    """True for the beginning of a file that Pillow reads."""
    return head.startswith((b"GIF8", b"\x89PNG", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\xff\xd8", b"BM")) or (
        head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    )


def _animation(path: Path, name: str, limits: Limits, with_times: bool) -> Opened:
    """A file of Pillow's with several frames. How long each is shown makes the mean number of them in a second."""
    with open_picture(path, name, limits.image_pixels, limits.video_bytes) as (file, called):
        assert file is not None
        count_frames(file, called)
        formats = [each for each in (*ANIMATIONS, *STILL) if each in formats_for(limits)]
        with opened(file, called, formats, limits.image_pixels) as image:
            total, (width, height) = getattr(image, "n_frames", 1), image.size
            if total < 2:
                raise InvalidRequest(ONE_FRAME.format(name=name))
            _check_size(name, total, width, height, limits)
            if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"):
                raise InvalidRequest(f"{name} has frames of mode {image.mode}. Save them with 8 bits a channel.")
            ends_ms = [0.0]
            for frame in range(total if with_times else 0):
                image.seek(frame)
                if image.format == "WEBP":  # which says it of a decoded frame alone
                    image.load()
                ends_ms.append(ends_ms[-1] + (image.info.get("duration", 0) or 0))
    fps = total / ends_ms[-1] * 1000 if ends_ms[-1] else None
    if fps:
        _check_duration(name, total / fps, limits)
    times = [each / 1000 for each in ends_ms] if fps else None

    def read(places: Sequence[int]) -> list[tuple[Image.Image, float | None]]:
        frames: list[tuple[Image.Image, float | None]] = []
        with open_picture(path, name, limits.image_pixels, limits.video_bytes) as (file, _):
            assert file is not None
            with Image.open(file, formats=ANIMATIONS) as image:
                for place in places:
                    image.seek(place)
                    frames.append((_on_white(image), times[place] if times else None))
        return frames

    return Opened(name, total, fps, f"pillow {metadata.version('pillow')}", read, size=(width, height), times=times)


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    frame = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", frame.size, "white"), frame).convert("RGB")


def _decoded(path: Path, name: str, limits: Limits) -> Opened:
    """A file that PyAV decodes. Frames are as they are stored: turned ones are not turned back, as in transformers."""
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
        with _container(av, path, name) as (container, stream):
            total = sum(packet.size > 0 for packet in container.demux(stream))
    if total < 1:
        raise InvalidRequest(NO_FRAME.format(name=name))
    _check_size(name, total, width, height, limits)
    if fps:
        _check_duration(name, total / fps, limits)

    def read(places: Sequence[int]) -> list[tuple[Image.Image, float | None]]:
        wanted, last, found = set(places), max(places), {}
        with _container(av, path, name) as (container, stream):
            place, start = -1, None
            for place, frame in enumerate(container.decode(stream)):
                start = frame.time if start is None else start
                _check_size(name, place + 1, frame.width, frame.height, limits)  # which may change within a file
                if place in wanted:
                    shown_at = None if frame.time is None else frame.time - start
                    found[place] = Image.fromarray(frame.to_ndarray(format="rgb24")), shown_at
                if place == last:
                    break
            else:
                raise FewerFrames(place + 1)
        return [found[place] for place in places]

    return Opened(name, total, fps, f"pyav {av.__version__}", read, size=(width, height))


@contextmanager
def _container(av: Any, path: Path, name: str):
    """The container of a file and its first video stream. What FFmpeg cannot read is said."""
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "pipe"}
    try:
        with path.open("rb") as file, av.open(file, container_options=options) as container:
            if not container.streams.video:
                raise InvalidRequest(f"{name} holds no video.")
            yield container, container.streams.video[0]
    except (AttentionError, FewerFrames):
        raise
    except (OSError, ValueError, LookupError, RuntimeError) as error:  # FFmpeg's are of these, too
        why = getattr(error, "strerror", None) or shortened(str(error), 200)
        raise InvalidRequest(
            f"{name} is not a video that is read here ({why}). Give an MP4, WebM or GIF, or frames as pictures."
        ) from None


def _check_size(name: str, total: int, width: int, height: int, limits: Limits) -> None:
    if total > limits.video_frames:
        raise _too_many(name, total, limits)
    if width * height > limits.image_pixels:
        raise LimitExceeded(f"{name} has frames of {width}x{height} pixels; the limit is {limits.image_pixels:,}.")
    if total * width * height > limits.video_pixels:
        raise LimitExceeded(
            f"{name} has {total:,} frames of {width}x{height} pixels, {total * width * height / 1e9:,.1f} thousand "
            f"million in all; the limit is {limits.video_pixels / 1e9:,.1f}. Cut it, or make it smaller."
        )


def _too_many(name: str, total: int, limits: Limits) -> LimitExceeded:
    return LimitExceeded(f"{name} has {total:,} frames; the limit is {limits.video_frames:,}. Cut it.")


def _check_duration(name: str, seconds: float, limits: Limits) -> None:
    if seconds > limits.video_seconds:
        raise LimitExceeded(f"{name} lasts {seconds:,.0f} seconds; the limit is {limits.video_seconds:,.0f}. Cut it.")
