"""Opened pictures and frames of a request on their way into the process that runs the model, as on ZeroGPU.

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
Records = dict[str, Any]  # {pictures: [{file, size, notes}], videos: [{file, size, indices, ...}]}, as plain data

_TAKEN_OVER: ContextVar[Records | None] = ContextVar("what was handed over", default=None)


@contextmanager
def handed_over(pictures: Pictures, videos: Sequence[Any], folder: Path) -> Iterator[Records]:
    """Lay opened pictures and sampled videos into a folder for the time of the `with`.

    The records say how another process finds them, with `taken_over`.
    """
    folder.mkdir(mode=0o700)
    try:
        records: Records = {"pictures": [], "videos": []}
        for i, (picture, notes) in enumerate(pictures):
            path = _written([picture], folder / f"picture_{i}.rgb")
            records["pictures"].append({"file": path, "size": picture.size, "notes": notes})
        for i, sampled in enumerate(videos):
            video = sampled.video
            path = _written(video.frames, folder / f"video_{i}.rgb")
            said = {"indices": [*video.indices], "total": video.total, "fps": video.fps}
            said |= {"record": sampled.record, "notes": sampled.notes}
            records["videos"].append({"file": path, "size": video.size, **said})
        yield records
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def taken_over(sources: Sequence[str], records: Records) -> Iterator[None]:
    """Take, in the `with`, the pictures of these sources, and all videos, from where the records say."""
    pictures = {str(source): record for source, record in zip(sources, records["pictures"], strict=True)}
    before = _TAKEN_OVER.set({"pictures": pictures, "videos": records["videos"]})
    try:
        yield
    finally:
        _TAKEN_OVER.reset(before)


def taken(sources: Sequence[Any]) -> Pictures | None:
    """The opened pictures of sources, where all of them were handed over."""
    there = (_TAKEN_OVER.get() or {}).get("pictures", {})
    if not sources or not all(isinstance(each, str | os.PathLike) and str(each) in there for each in sources):
        return None
    records = [there[str(source)] for source in sources]
    return [(_read(record, 1)[0], [*record["notes"]]) for record in records]


def are_videos_there() -> bool:
    """True where sampled videos were handed over; nothing is read."""
    return bool((_TAKEN_OVER.get() or {}).get("videos"))


def taken_videos() -> list[dict[str, Any]] | None:
    """The sampled videos that were handed over, {frames, indices, total, fps, record, notes}; None where none were."""
    if not are_videos_there():
        return None
    videos = (_TAKEN_OVER.get() or {})["videos"]
    names = ("indices", "total", "fps", "record", "notes")
    return [{"frames": _read(video, len(video["indices"]))} | {name: video[name] for name in names} for video in videos]


def _written(pictures: Sequence[Image.Image], path: Path) -> str:
    with path.open("wb") as file:
        for picture in pictures:
            raw_pictures.write(picture, file)
    return str(path)


def _read(record: dict[str, Any], count: int) -> list[Image.Image]:
    with open(record["file"], "rb") as file:
        return [raw_pictures.read(tuple(record["size"]), file) for _ in range(count)]
