"""Opened pictures of a request on their way into the process that runs the model, as on ZeroGPU.

They cross as plain pixels in files: where a device is held nothing of a stranger's is decoded any more.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from PIL import Image

from attention import raw_pictures

Pictures = list[tuple[Image.Image, list[str]]]
Record = dict[str, Any]  # {file, size, notes}, as plain data

_TAKEN_OVER: ContextVar[dict[str, Record] | None] = ContextVar("pictures that were handed over", default=None)


@contextmanager
def handed_over(pictures: Pictures, folder: Path) -> Iterator[list[Record]]:
    """Lay opened pictures into a folder for the time of the `with`; the records say how another process finds them."""
    folder.mkdir(mode=0o700)
    try:
        records = []
        for i, (picture, notes) in enumerate(pictures):
            path = folder / f"{i}.rgb"
            with path.open("wb") as file:
                raw_pictures.write(picture, file)
            records.append({"file": str(path), "size": picture.size, "notes": notes})
        yield records
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def taken_over(sources: Sequence[str], records: Sequence[Record]) -> Iterator[None]:
    """Take, in the `with`, the pictures of these sources from where the records say."""
    before = _TAKEN_OVER.set({str(source): record for source, record in zip(sources, records, strict=True)})
    try:
        yield
    finally:
        _TAKEN_OVER.reset(before)


def taken(sources: Sequence[Any]) -> Pictures | None:
    """The opened pictures of sources, where all of them were handed over."""
    there = _TAKEN_OVER.get()
    if not there or not all(isinstance(each, str | os.PathLike) and str(each) in there for each in sources):
        return None
    pictures = []
    for source in sources:
        record = there[str(source)]
        with open(record["file"], "rb") as file:
            pictures.append((raw_pictures.read(tuple(record["size"]), file), list(record["notes"])))
    return pictures
