"""Pictures of a request, decoded in processes of their own: what these are asked, and what comes back.

Knows no format: `images` does, which these processes run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from PIL import Image

from attention import raw_pictures
from attention.decoder_pool import Decoders, check_asking
from attention.errors import shortened
from attention.image_entries import is_data_url
from attention.limits import LARGE_PIXELS
from attention.picture_memory import BYTES_A_PIXEL, MEMORY

Decoded = tuple[Image.Image, list[str]]  # as RGB, and what was changed in it


def decoded(
    decoders: Decoders,
    named: Sequence[tuple[Any, str]],
    settings: dict[str, Any],
    judge: Callable[[list[tuple[int, int]]], None],
) -> list[Decoded]:
    """Pictures of files or data: URLs, each with what a message calls it where it has no name of its own.

    `settings` are those of `images.open_image`. None is decoded before `judge` has let their sizes pass and there is
    room for them together: until then it waits. Raises what `open_image` raises, and what `Decoders.run` does.
    """

    def run(
        work: str, source: str | os.PathLike, name: str, receive: Callable[[dict, IO[bytes]], Any], n_pixels: int = 0
    ) -> Any:
        is_data = isinstance(source, str) and is_data_url(source)
        task = {"work": work, "source": str(source), "name": name, **settings}
        return decoders.run(task, name if is_data else shortened(Path(source).name), receive, n_pixels > LARGE_PIXELS)

    sizes = [run("size", source, name, lambda head, _: tuple(head["size"])) for source, name in named]
    judge(sizes)
    together = sum(width * height for width, height in sizes) * BYTES_A_PIXEL
    pictures = []
    with MEMORY.taken(together, check_asking) as held:
        for (source, name), (width, height) in zip(named, sizes, strict=True):
            pictures.append(run("open", source, name, _received, width * height))
            held.until_gone(pictures[-1][0])
    return pictures


def _received(head: dict[str, Any], pipe: IO[bytes]) -> Decoded:
    return raw_pictures.read(tuple(head["size"]), pipe), head["notes"]
