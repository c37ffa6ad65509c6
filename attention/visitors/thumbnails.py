"""Small pictures of runs, each made once, in a folder of their own.

Knows where the picture of a run lies. A picture that cannot be read is no thumbnail, and no error.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from functools import lru_cache
from pathlib import Path

from attention.limits import MAX_PIXELS
from attention.stored_pictures import stored

SIZE = (144, 112)  # twice what they are shown at
OF_A_RUN = ("preview_0.jpg", "image_0.png", "base/preview_0.jpg", "base/image_0.png")  # the last two of a comparison


def thumbnail(folder: Path, place: Path | None) -> bytes | None:
    """A run's first picture made small, as JPEG; None for a run without one. It is kept in `place`, where one is given.

    Another picture at the same path is another thumbnail: its time and size are a part of the name.
    """
    path = next((folder / name for name in OF_A_RUN if (folder / name).is_file()), None)
    return None if path is None else small_picture(path, place)


def small_picture(path: Path, place: Path | None) -> bytes | None:
    """A JPEG or PNG made small, in the same way."""
    try:
        status = path.stat()
    except OSError:
        return None
    made_of = f"{path}|{status.st_mtime_ns}|{status.st_size}"
    if place is None:
        return _in_memory(path, made_of)
    kept = place / f"{hashlib.sha256(made_of.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.jpg"
    try:
        return kept.read_bytes()
    except OSError:
        made = _made(path)
        if made is not None:
            _keep(made, kept)
        return made


@lru_cache(maxsize=256)
def _in_memory(path: Path, made_of: str) -> bytes | None:
    return _made(path)


def _made(path: Path) -> bytes | None:
    try:
        small = stored(path, MAX_PIXELS, SIZE)
        made = io.BytesIO()
        small.save(made, "JPEG", quality=80)
        return made.getvalue()
    except Exception:  # noqa: BLE001 - whatever a file from anybody does to Pillow
        return None


def _keep(content: bytes, file: Path) -> None:
    part = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.write_bytes(content)
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)  # it is made again next time
