"""A run that comes as a zip, from whoever made it: unpacked where it is sound, refused in words where it is not.

Owns what is accepted of a zip: names, sizes, ways of packing. What is accepted of a run it asks `run_check`. Knows
neither models nor Gradio nor where runs are kept.

Only the files that run.json names are unpacked. What else lies in the zip is left there: file managers add files of
their own, and a later version may. A name that leads out of the folder is refused wherever it stands: nobody writes one
by accident.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import DamagedRun, InvalidRequest, LimitExceeded
from .partial import PartialRun
from .run import FORMAT
from .run_check import MASKS, SCORES, check_files, check_index, named_files, parse_json, shown

INDEX = "run.json"
MAX_ENTRIES = 2_000  # of a zip: a run has one for each layer of each tower, two for each image, and a few
MAX_CONTENTS_BYTES = 1 << 20  # the zip's own list of its entries
MAX_RATIO, RATIO_FROM_BYTES = 200, 64 << 20  # what a zip grows by; small ones may, as all-zero masks do
MAX_INDEX_BYTES = 16 << 20  # run.json: a hundred bytes for each token, thirty for each key of other towers
BLOCK_BYTES = 1 << 20

# what zipfile and zlib raise on broken bytes, beside what they document
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError,
    OverflowError, OSError,
)  # fmt: skip


def unpack_run(zip_path: str | os.PathLike, folder: str | os.PathLike, limit_bytes: int) -> Path:
    """Unpack a run's zip, as `export_run` writes it, into a new folder, and return that.

    The zip holds the run's files at its top or in a folder there. The run appears whole and checked, as by `check_run`,
    or not at all; at most `limit_bytes` are written, counted as they are unpacked.

    Raises InvalidRequest for what is no zip, is encrypted or has names that lead elsewhere, and for a folder that
    cannot be written; LimitExceeded, with numbers, for what is too large; DamagedRun for what is no run or is broken.
    """
    zip_path = Path(zip_path)
    with _opened(zip_path) as archive:
        entries = _run_entries(_files(archive, zip_path.name), zip_path.name)
        info = _index(archive, entries[INDEX], zip_path.name, limit_bytes)
        wanted = [INDEX, *named_files(info), *(name for name in (MASKS, SCORES) if name in entries)]
        for name in wanted:
            if name not in entries:
                raise DamagedRun(f"{zip_path.name} is not a whole run: it lacks {name}, which its run.json names.")
        _check_sizes(zip_path, sum(entries[name].file_size for name in wanted), limit_bytes)
        partial = PartialRun.create(folder)
        try:
            for name in wanted[1:]:
                _unpack(archive, entries[name], partial.folder / name, zip_path.name)
            check_files(partial.folder, info)
            return partial.commit(info)
        except OSError as error:
            partial.discard()
            reason = error.strerror or error
            raise InvalidRequest(f"The run in {zip_path.name} cannot be written: {reason}. Make room for it.") from None
        except BaseException:
            partial.discard()
            raise


# The zip


class _Source(io.BufferedReader):
    """A file whose reads are bounded: a zip's list of contents is read in one piece, as long as the zip says."""

    def read(self, size: int | None = -1) -> bytes:
        asked = MAX_CONTENTS_BYTES + 1 if size is None or size < 0 else size
        if asked > MAX_CONTENTS_BYTES + 1 or len(data := super().read(asked)) > MAX_CONTENTS_BYTES:
            raise zipfile.BadZipFile(f"its list of contents is larger than {MAX_CONTENTS_BYTES:,} bytes")
        return data


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        source = _Source(io.FileIO(path))
    except OSError as error:
        raise InvalidRequest(f"{path.name} cannot be read: {error.strerror or error}.") from None
    with source:
        try:
            begins_as_one, ends_as_one = source.peek(2)[:2] == b"PK", zipfile.is_zipfile(source)
            if begins_as_one and not ends_as_one:
                raise zipfile.BadZipFile("it is cut off")
            if not ends_as_one:
                raise InvalidRequest(f"{path.name} is no zip file. Give one that export wrote, with the format zip.")
            archive = zipfile.ZipFile(source)
        except _BROKEN as error:
            raise DamagedRun(f"{path.name} is damaged: {error}.") from None
        with archive:
            yield archive


def _files(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The zip's files by name, once none of its names can mean another place or another file."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise LimitExceeded(f"{name} has {len(entries):,} entries; a run has at most {MAX_ENTRIES:,}.")
    seen: dict[str, str] = {}
    for entry in entries:
        path = entry.orig_filename
        if entry.flag_bits & 0x41:
            raise InvalidRequest(f"{name} is encrypted. Give a zip without a password.")
        if not _stays_inside(path):
            raise InvalidRequest(f"{name} was refused: its entry {shown(path)} could lie outside of the run's folder.")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InvalidRequest(f"{name} was refused: its entry {shown(path)} is a link, not a file.")
        same = unicodedata.normalize("NFC", path.removesuffix("/")).casefold()  # as some file systems see it
        if same in seen:
            raise InvalidRequest(
                f"{name} was refused: its entries {shown(seen[same])} and {shown(path)} are one file on some systems."
            )
        seen[same] = path
    return {entry.filename: entry for entry in entries if not entry.is_dir()}


def _stays_inside(path: str) -> bool:
    """Whether a zip's name means a place in the zip's own folder, on every system."""
    parts = path.removesuffix("/").split("/")
    return not re.search(r"[\\:\x00-\x1f\x7f]", path) and not any(part in ("", ".", "..") for part in parts)


def _run_entries(files: dict[str, zipfile.ZipInfo], name: str) -> dict[str, zipfile.ZipInfo]:
    """The run's files by their names in its folder, which is the zip's top or a folder there."""
    folders = [path.removesuffix(INDEX) for path in files if re.fullmatch(rf"([^/]+/)?{re.escape(INDEX)}", path)]
    if not folders:
        raise DamagedRun(f"{name} holds no run: there is no run.json at its top, nor in a folder there.")
    if len(folders) > 1 and "" not in folders:
        raise InvalidRequest(f"{name} holds {len(folders)} runs: {shown(', '.join(folders))}. Give one of them alone.")
    folder = min(folders, key=len)
    return {path.removeprefix(folder): entry for path, entry in files.items() if path.startswith(folder)}


def _index(archive, entry: zipfile.ZipInfo, name: str, limit_bytes: int) -> dict:
    """The content of run.json, checked."""
    limit = min(MAX_INDEX_BYTES, limit_bytes)
    if entry.file_size > limit:
        raise LimitExceeded(f"run.json in {name} has {_megabytes(entry.file_size)}; the limit is {_megabytes(limit)}.")
    try:
        info = parse_json(b"".join(_blocks(archive, entry, name)))
    except ValueError as error:
        raise DamagedRun(f"run.json in {name} cannot be read: {error}.") from None
    version = info.get("format") if isinstance(info, dict) else None
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise DamagedRun(f"run.json in {name} has format {shown(version)}; runs have a number from 1 on.")
    if version > FORMAT:
        raise DamagedRun(f"The run in {name} has format {version}; this version reads up to {FORMAT}. Update it.")
    check_index(info)
    return info


def _check_sizes(zip_path: Path, size: int, limit_bytes: int) -> None:
    """Whether what the zip says it unpacks to is welcome. No entry unpacks to more than it says."""
    if size > limit_bytes:
        raise LimitExceeded(
            f"The run in {zip_path.name} has {_megabytes(size)}; the limit is {_megabytes(limit_bytes)}."
        )
    packed = max(1, zip_path.stat().st_size)
    if size > RATIO_FROM_BYTES and size > MAX_RATIO * packed:
        raise LimitExceeded(
            f"{zip_path.name} unpacks to {size // packed:,} times its size; no run does to more than {MAX_RATIO}."
        )


def _unpack(archive, entry: zipfile.ZipInfo, path: Path, name: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with open(path, "xb") as file:
        for block in _blocks(archive, entry, name):
            file.write(block)


def _blocks(archive, entry: zipfile.ZipInfo, name: str) -> Iterator[bytes]:
    """An entry's content, some at a time; never more than it says it has."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidRequest(f"{name} is packed by method {entry.compress_type}. Pack it by deflate, or not at all.")
    count = 0
    try:
        with archive.open(entry) as source:
            while block := source.read(BLOCK_BYTES):
                count += len(block)
                if count > entry.file_size:
                    break
                yield block
        if count != entry.file_size:
            raise zipfile.BadZipFile(f"it says {entry.file_size:,} bytes and has {'more' if block else f'{count:,}'}")
    except _BROKEN as error:
        raise DamagedRun(f"{shown(entry.filename)} in {name} is damaged: {error or 'it is cut off'}.") from None


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
