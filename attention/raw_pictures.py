"""A picture's RGB as plain bytes, row by row: into a pipe or a file, and out of it again.

No decoder reads them, so they may cross to where no stranger's file is decoded. Goes band by band: memory is that of
the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from PIL import Image

BAND_PIXELS = 1 << 20


def bands(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Boxes (left, top, right, bottom) of whole rows that cover a picture of this size from top to bottom."""
    width, height = size
    rows = max(1, BAND_PIXELS // width)
    for top in range(0, height, rows):
        yield 0, top, width, min(top + rows, height)


def write(picture: Image.Image, file: IO[bytes]) -> None:
    """Write an RGB picture: 3 bytes a pixel, from its upper left corner on."""
    for box in bands(picture.size):
        file.write(picture.crop(box).tobytes())


def read(size: tuple[int, int], file: IO[bytes]) -> Image.Image:
    """The RGB picture of (width, height) that comes next. Raises EOFError where the file ends before."""
    picture = Image.new("RGB", size)
    for left, top, right, bottom in bands(size):
        n_bytes = 3 * (right - left) * (bottom - top)
        part = file.read(n_bytes)
        if len(part) < n_bytes:
            raise EOFError(f"{len(part):,} of {n_bytes:,} bytes")
        picture.paste(Image.frombytes("RGB", (right - left, bottom - top), part), (left, top))
    return picture
