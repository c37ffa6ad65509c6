"""A zip that anybody may have made, read with distrust: its names, its sizes, its ways of packing.

Owns what is accepted of a zip, and how a folder comes out of one: whole or not at all. A name that leads out of the
folder is refused wherever it stands: nobody writes one by accident. Knows no run; what the folder is called in messages
it is told.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attention.errors import DamagedRun, InvalidRequest, LimitExceeded, quoted, shortened
from attention.limits import (
    MAX_INDEX_BYTES,
    MAX_ZIP_CONTENTS_BYTES,
    MAX_ZIP_ENTRIES,
    MAX_ZIP_RATIO,
    ZIP_RATIO_FROM_BYTES,
)
from attention.runs.partial import PartialRun

from .json_fields import parse_json

BLOCK_BYTES = 1 << 20

Entries = dict[str, zipfile.ZipInfo]  # by their names in the folder that is unpacked

# what zipfile and zlib raise on broken bytes, beside what they document
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError,
    OverflowError, OSError,
)  # fmt: skip


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[ForeignZip]:
    """Open a zip, and look over its list of contents.

    Raises InvalidRequest for what is no zip, is encrypted or has names that lead elsewhere, LimitExceeded for too many
    of them, DamagedRun for what is broken.
    """
    path = Path(path)
    name = shortened(path.name)
    try:
        source = _Source(io.FileIO(path))
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise InvalidRequest(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    with source:
        try:
            begins_as_one, ends_as_one = source.peek(2)[:2] == b"PK", zipfile.is_zipfile(source)
            if begins_as_one and not ends_as_one:
                raise zipfile.BadZipFile("it is cut off")
            if not ends_as_one:
                raise InvalidRequest(f"{name} is no zip file. Give one that export wrote, with the format zip.")
            archive = zipfile.ZipFile(source)
        except _BROKEN as error:
            raise DamagedRun(f"{name} is damaged: {error}.") from None
        with archive:
            yield ForeignZip(archive, path)


class ForeignZip:
    """An open zip; none of its names can mean another place or another file. `name` is the zip's own."""

    def __init__(self, archive: zipfile.ZipFile, path: Path):
        self.name, self._archive, self._path = shortened(path.name), archive, path
        self._files = _files(archive, self.name)

    def places(self, index: str) -> list[str]:
        """Places of files of this name: [""] at the top, else the folders there, as "folder/"."""
        found = [
            path.removesuffix(index) for path in self._files if re.fullmatch(rf"([^/]+/)?{re.escape(index)}", path)
        ]
        return [""] if "" in found else found

    def folder_of(self, index: str, what: str) -> Entries:
        """The files of the one folder that has this index; `what` is what it then is, as "run".

        Raises DamagedRun where there is none, InvalidRequest where there are several.
        """
        folders = self.places(index)
        if not folders:
            raise DamagedRun(f"{self.name} holds no {what}: there is no {index} at its top, nor in a folder there.")
        if len(folders) > 1:
            raise InvalidRequest(
                f"{self.name} holds {len(folders)} {what}s: {quoted(', '.join(folders))}. Give one of them alone."
            )
        return {
            path.removeprefix(folders[0]): entry for path, entry in self._files.items() if path.startswith(folders[0])
        }

    def beside(self, index: str, suffix: str) -> Entries:
        """The files of the folder beside the one that has this index, of its name and a suffix.

        There are none beside one whose files lie at the top.
        """
        (place,) = self.places(index)
        start = f"{place.removesuffix('/')}{suffix}/"
        files = self._files.items() if place else ()
        return {path.removeprefix(start): entry for path, entry in files if path.startswith(start)}

    def read_index(self, entries: Entries, index: str, what: str, newest: int, limit_bytes: int) -> dict[str, Any]:
        """The content of a JSON file that has a `format`, from 1 to `newest`; nothing else of it is looked at.

        Raises DamagedRun, LimitExceeded.
        """
        if index not in entries:
            raise DamagedRun(f"{self.name} is not a whole {what}: it lacks {index}.")
        entry, limit = entries[index], min(MAX_INDEX_BYTES, limit_bytes)
        if entry.file_size > limit:
            raise LimitExceeded(
                f"{index} in {self.name} has {_megabytes(entry.file_size)}; the limit is {_megabytes(limit)}."
            )
        try:
            info = parse_json(b"".join(self._blocks(entry)))
        except ValueError as error:
            raise DamagedRun(f"{index} in {self.name} cannot be read: {error}.") from None
        version = info.get("format") if isinstance(info, dict) else None
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise DamagedRun(f"{index} in {self.name} has format {quoted(version)}; {what}s have a number from 1 on.")
        if version > newest:
            raise DamagedRun(
                f"The {what} in {self.name} has format {quoted(version)}; this version reads up to {newest}. Update it."
            )
        return info

    @contextmanager
    def unpacked(
        self,
        entries: Entries,
        indexes: Sequence[str],
        files: Sequence[str],
        what: str,
        folder: Path,
        limit_bytes: int,
        readings: Sequence[str] = (),
    ) -> Iterator[PartialRun]:
        """Unpack `files` beside `folder`, for the caller to check and to commit; leaving by an error removes them.

        `readings` are files too, without which it would be whole. `indexes` are not unpacked, as the caller writes what
        it read of them; they count, as the whole has `limit_bytes` at most. Raises DamagedRun for a file that is
        missing or broken, LimitExceeded, with numbers, for what is too large, InvalidRequest for a folder that cannot
        be written.
        """
        for name in files:
            if name not in entries:
                raise DamagedRun(f"{self.name} is not a whole {what}: it lacks {name}, which its {indexes[0]} names.")
        own, more = (sum(entries[name].file_size for name in names) for names in ((*indexes, *files), readings))
        if own <= limit_bytes < own + more:
            raise LimitExceeded(
                f"The {what} in {self.name} has {_megabytes(own)} and its readings {_megabytes(more)}; the limit is "
                f"{_megabytes(limit_bytes)} together. Write the zip without readings."
            )
        self._check_sizes(own + more, what, limit_bytes)
        partial = PartialRun.create(folder)
        try:
            for name in (*files, *readings):
                self._unpack(entries[name], partial.folder / name)
            yield partial
        except OSError as error:
            partial.discard()
            reason = error.strerror or error
            raise InvalidRequest(f"The {what} in {self.name} cannot be written: {reason}. Make room for it.") from None
        except BaseException:
            partial.discard()
            raise

    def _check_sizes(self, size: int, what: str, limit_bytes: int) -> None:
        """Check that what the zip says it unpacks to is welcome. No entry unpacks to more than it says."""
        if size > limit_bytes:
            raise LimitExceeded(
                f"The {what} in {self.name} has {_megabytes(size)}; the limit is {_megabytes(limit_bytes)}."
            )
        packed = max(1, self._path.stat().st_size)
        if size > ZIP_RATIO_FROM_BYTES and size > MAX_ZIP_RATIO * packed:
            raise LimitExceeded(
                f"{self.name} unpacks to {size // packed:,} times its size; no {what} does to more than "
                f"{MAX_ZIP_RATIO}."
            )

    def _unpack(self, entry: zipfile.ZipInfo, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as file:
            for block in self._blocks(entry):
                file.write(block)

    def _blocks(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        """An entry's content, some at a time; never more than it says it has."""
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InvalidRequest(
                f"{self.name} is packed by method {entry.compress_type}. Pack it by deflate, or not at all."
            )
        count = 0
        try:
            with self._archive.open(entry) as source:
                while block := source.read(BLOCK_BYTES):
                    count += len(block)
                    if count > entry.file_size:
                        break
                    yield block
            if count != entry.file_size:
                has = "more" if block else f"{count:,}"
                raise zipfile.BadZipFile(f"it says {entry.file_size:,} bytes and has {has}")
        except _BROKEN as error:
            reason = shortened(str(error), 200) or "it is cut off"  # zipfile may repeat a name of 64 kB
            raise DamagedRun(f"{quoted(entry.filename)} in {self.name} is damaged: {reason}.") from None


class _Source(io.BufferedReader):
    """A file whose reads are bounded: a zip's list of contents is read in one piece, as long as the zip says."""

    def read(self, size: int | None = -1) -> bytes:
        asked = MAX_ZIP_CONTENTS_BYTES + 1 if size is None or size < 0 else size
        if asked > MAX_ZIP_CONTENTS_BYTES + 1 or len(data := super().read(asked)) > MAX_ZIP_CONTENTS_BYTES:
            raise zipfile.BadZipFile(f"its list of contents is larger than {MAX_ZIP_CONTENTS_BYTES:,} bytes")
        return data


def _files(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The zip's files by name, once none of its names can mean another place or another file."""
    entries = archive.infolist()
    if len(entries) > MAX_ZIP_ENTRIES:
        raise LimitExceeded(f"{name} has {len(entries):,} entries; the limit is {MAX_ZIP_ENTRIES:,}.")
    seen: dict[str, str] = {}
    for entry in entries:
        path = entry.orig_filename
        if entry.flag_bits & 0x41:
            raise InvalidRequest(f"{name} is encrypted. Give a zip without a password.")
        if not _stays_inside(path):
            raise InvalidRequest(f"{name} was refused: its entry {quoted(path)} could lie outside of the run's folder.")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InvalidRequest(f"{name} was refused: its entry {quoted(path)} is a link, not a file.")
        same = unicodedata.normalize("NFC", path.removesuffix("/")).casefold()  # as some file systems see it
        if same in seen:
            raise InvalidRequest(
                f"{name} was refused: its entries {quoted(seen[same])} and {quoted(path)} are one file on some systems."
            )
        seen[same] = path
    return {entry.filename: entry for entry in entries if not entry.is_dir()}


def _stays_inside(path: str) -> bool:
    """True if a zip's name means a place in the zip's own folder, on every system."""
    parts = path.removesuffix("/").split("/")
    return not re.search(r"[\\:\x00-\x1f\x7f]", path) and not any(part in ("", ".", "..") for part in parts)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
