"""Videos that Pillow reads: GIF, WebP, APNG, and pictures of a TIFF one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from itertools import accumulate
from pathlib import Path

from PIL import Image

from attention.errors import InvalidRequest
from attention.limits import Limits
from attention.picture_bytes import count_frames

from .frame_times import frame_times_ms
from .images import formats_for, open_picture, opened
from .opened_video import ONE_FRAME, Opened, Stop, check_duration, check_read, check_size

ANIMATIONS = ("GIF", "WEBP", "TIFF", "PNG")
STILL = ("JPEG", "BMP")


def is_picture(head: bytes) -> bool:
    """True for the beginning of a file that Pillow reads."""
    return head.startswith((b"GIF8", b"\x89PNG", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\xff\xd8", b"BM")) or (
        head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    )


def animation(path: Path, name: str, limits: Limits, ask: Stop) -> Opened:
    """A file of Pillow's with several frames. How long each is shown makes the mean number of them in a second.

    Raises InvalidRequest for a picture, and LimitExceeded.
    """
    with open_picture(path, name, limits.image_pixels, limits.video_bytes) as (file, called):
        assert file is not None
        counted = count_frames(file, called)
        formats = [each for each in (*ANIMATIONS, *STILL) if each in formats_for(limits)]
        with opened(file, called, formats, limits.image_pixels) as image:
            still = int(getattr(image, "default_image", False))  # of an APNG, for whom knows no animations: no frame
            total, size = (getattr(image, "n_frames", 1) if counted is None else counted) - still, image.size
            if total < 2:
                raise InvalidRequest(ONE_FRAME.format(name=name))
            check_size(name, total, *size, limits)
            if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"):
                raise InvalidRequest(f"{name} has frames of mode {image.mode}. Save them with 8 bits a channel.")
    times_ms = (frame_times_ms(path) or [])[still:]
    begins_ms = [0.0, *accumulate(times_ms)]
    fps = total / begins_ms[-1] * 1000 if len(times_ms) == total and begins_ms[-1] else None
    if fps:
        check_duration(name, total / fps, limits)

    def read(places: Sequence[int]) -> list[tuple[Image.Image, float | None]]:
        frames: list[tuple[Image.Image, float | None]] = []
        check_read(name, len(places), *size, limits)
        with open_picture(path, name, limits.image_pixels, limits.video_bytes) as (file, _):
            assert file is not None
            with Image.open(file, formats=ANIMATIONS) as image:
                wanted = set(places)
                for place in range(-still, max(places) + 1):  # a frame is drawn over those before it
                    ask()
                    image.seek(place + still)
                    if place in wanted:
                        frames.append((_on_white(image), begins_ms[place] / 1000 if fps else None))
                    elif image.format == "WEBP":  # which decodes as it loads
                        image.load()
        return frames

    return Opened(name, total, fps, f"pillow {metadata.version('pillow')}", read, size=size)


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    frame = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", frame.size, "white"), frame).convert("RGB")
