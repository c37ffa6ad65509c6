"""The folder of a run, or of a comparison, with its readings as a zip: written, or sent while it is read."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attention.comparisons.comparison import Comparison
from attention.errors import LimitExceeded
from attention.folders import runs_of
from attention.kinds.kept import readable
from attention.limits import MAX_ZIP_ENTRIES
from attention.readings.reading import INDEX
from attention.readings.reading import SUFFIX as READINGS
from attention.runs.run import Run
from attention.runs.selection import plain

from .files import new_file

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


@dataclass(frozen=True)
class Packed:
    """A file that goes into a zip: where it lies, its name there, its bytes as the zip was begun."""

    path: Path
    name: str
    n_bytes: int


def packed_files(found: Run | Comparison, readings: bool = True) -> list[Packed]:
    """The files of a run or a comparison, and of its finished readings, as they lie in a zip.

    A run's readings lie beside its folder there. Those that cannot be read are none. Raises LimitExceeded for more
    files than a zip of a run may have.
    """
    top = plain(found.folder.name) or "run"
    names = {f"{top}/{path.relative_to(found.folder).as_posix()}": path for path in _own_files(found.folder)}
    own = len(names)
    for run, member in runs_of(found) if readings else ():
        place = f"{top}{READINGS}" if member is None else f"{top}/{member}{READINGS}"
        for reading in readable(run):
            for file in (INDEX, *reading.files()):
                names[f"{place}/{reading.folder.name}/{file}"] = reading.folder / file
    if len(names) > MAX_ZIP_ENTRIES:
        raise LimitExceeded(
            f"This zip would have {len(names):,} files, {len(names) - own:,} of them of readings; the limit is "
            f"{MAX_ZIP_ENTRIES:,}. Write it without readings."
        )
    return [Packed(path, name, path.stat().st_size) for name, path in names.items()]


def write_zip(found: Run | Comparison, path: Path, readings: bool = True) -> Path:
    """Write the folder of a run, or of several, as a zip, and return its path."""
    files = packed_files(found, readings)
    with new_file(path) as beside, open(beside, "wb") as file:
        for block in zipped(files):
            file.write(block)
    return path


def zipped(files: list[Packed]) -> Iterator[bytes]:
    """The files as a zip, some bytes at a time: neither memory nor a disk holds a second copy."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # not deflated: numbers hardly shrink
        for each in files:
            entry = zipfile.ZipInfo.from_file(each.path, each.name)
            with archive.open(entry, "w") as target, open(each.path, "rb") as source:
                while block := source.read(BLOCK_BYTES):
                    target.write(block)
                    yield pipe.take()
    yield pipe.take()


def zipped_bytes(files: list[Packed]) -> int | None:
    """Length of `zipped` in bytes; None where its entries need the longer form of large zips."""
    total = 22 + sum(each.n_bytes + 92 + 2 * len(each.name.encode()) for each in files)
    return total if total < zipfile.ZIP64_LIMIT // 2 else None


def folder_bytes(found: Run | Comparison, readings: bool = True) -> int:
    """Bytes of the files of `packed_files`."""
    return sum(each.n_bytes for each in packed_files(found, readings))


def _own_files(folder: Path) -> list[Path]:
    """The files of a folder without readings that lie within, those of a comparison's runs."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in files if not any(part.endswith(READINGS) for part in path.relative_to(folder).parts[:-1])]


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
