"""Pictures of a run's folder, decoded: the PNG that the processor received, and the JPEG of its preview.

They are a stranger's where the run came as a zip: on a server they are decoded in a process of its own, as all pictures
are. Knows nothing of runs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

from PIL import Image

from attention import raw_pictures
from attention.decoder_pool import in_use
from attention.limits import PICTURES_WAIT_S
from attention.picture_bytes import count_frames
from attention.picture_memory import BYTES_A_PIXEL, MEMORY


def look_over(path: Path, kind: str, most: tuple[int, int]) -> tuple[tuple[int, int], str]:
    """The size and Pillow's mode of a picture of this kind (`PNG`, `JPEG`), decoded once to see that it can be.

    One that is larger than `most` is not decoded. Raises LimitExceeded for one that takes too much, and whatever Pillow
    raises for a broken one.
    """
    decoders = in_use()
    if decoders is None:
        return look_over_here(path, kind, most)
    task = _task("look over", path, {"kind": kind, "most": most})
    size = decoders.run(task, path.name, lambda head, _: (head["size"], head["mode"]))
    return tuple(size[0]), size[1]


def stored(path: Path, most_pixels: int, within: tuple[int, int] | None = None) -> Image.Image:
    """A picture of a run as RGB; made to fit `within` a width and height, where these are given.

    On a server it waits for room in memory, for it and what is drawn on a copy of it, and raises LimitExceeded where
    none comes. Raises OSError or SyntaxError for one that cannot be read, ValueError for one that has more pixels.
    """
    decoders = in_use()
    if decoders is None:
        return stored_here(path, most_pixels, within)
    n_pixels = most_pixels if within is None else within[0] * within[1]
    with MEMORY.taken(2 * n_pixels * BYTES_A_PIXEL, most_seconds=PICTURES_WAIT_S) as held:
        picture = decoders.run(
            _task("stored", path, {"most_pixels": most_pixels, "within": within}), path.name, _received
        )
        held.until_gone(picture, held.n_bytes)
    return picture


def look_over_here(source: str | os.PathLike, kind: str, most: tuple[int, int]) -> tuple[tuple[int, int], str]:
    """The same in this process."""
    count_frames(source, Path(source).name)
    with Image.open(source, formats=(kind,)) as picture:
        if picture.width <= most[0] and picture.height <= most[1]:
            picture.load()
        return picture.size, picture.mode


def stored_here(source: str | os.PathLike, most_pixels: int, within: tuple[int, int] | None = None) -> Image.Image:
    """The same in this process."""
    count_frames(source, Path(source).name)
    with Image.open(source, formats=("PNG", "JPEG")) as picture:
        if picture.width * picture.height > most_pixels:
            raise ValueError(f"it has {picture.width}x{picture.height} pixels, more than {most_pixels:,}")
        if within is not None:
            picture.draft("RGB", within)  # a JPEG is decoded no larger than it is needed
        small = picture.convert("RGB")
    if within is not None:
        small.thumbnail(within)
    return small


def _task(work: str, path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    return {"work": work, "source": str(path), **settings}


def _received(head: dict[str, Any], pipe: IO[bytes]) -> Image.Image:
    return raw_pictures.read(tuple(head["size"]), pipe)
