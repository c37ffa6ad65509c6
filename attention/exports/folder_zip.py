"""The folder of a run, or of a comparison, as a zip: written, or sent while it is read. Knows paths alone."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from attention.readings.reading import SUFFIX as READINGS
from attention.runs.selection import plain

from .files import Folder, new_file

BLOCK_BYTES = 1 << 20


def packed(folder: Path) -> Path:
    """A folder that was written for this made into a zip beside it, file by file, so that it is never there twice."""
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
                file.unlink()
    shutil.rmtree(folder)
    return path


def write_zip(run: Folder, path: Path) -> Path:
    """Write the folder of a run, or of several, as a zip, and return its path."""
    with new_file(path) as beside, open(beside, "wb") as file:
        for block in zipped(run):
            file.write(block)
    return path


def zipped(run: Folder) -> Iterator[bytes]:
    """The folder as a zip, some bytes at a time: neither memory nor a disk holds a second copy."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # not deflated: numbers hardly shrink
        for path in _run_files(run):
            entry = zipfile.ZipInfo.from_file(path, _zip_name(run, path))
            with archive.open(entry, "w") as target, open(path, "rb") as source:
                while block := source.read(BLOCK_BYTES):
                    target.write(block)
                    yield pipe.take()
    yield pipe.take()


def zipped_bytes(run: Folder) -> int | None:
    """Length of `zipped` in bytes; None where its entries need the longer form of large zips."""
    total = 22
    for path in _run_files(run):
        total += path.stat().st_size + 92 + 2 * len(_zip_name(run, path).encode())
    return total if total < zipfile.ZIP64_LIMIT // 2 else None


def folder_bytes(run: Folder) -> int:
    """Bytes of the folder's files."""
    return sum(path.stat().st_size for path in _run_files(run))


def _run_files(run: Folder) -> list[Path]:
    """The files of a folder. Readings that lie within, those of a comparison's runs, are made again and not packed."""
    files = [path for path in sorted(run.folder.rglob("*")) if path.is_file()]
    return [
        path for path in files if not any(part.endswith(READINGS) for part in path.relative_to(run.folder).parts[:-1])
    ]


def _zip_name(run: Folder, path: Path) -> str:
    return f"{plain(run.folder.name) or 'run'}/{path.relative_to(run.folder).as_posix()}"


class _Pipe(io.RawIOBase):
    """A file for a zip to be written to: bytes come out in the order in which they went in."""

    def __init__(self):
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
