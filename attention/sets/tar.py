"""Samples of a WebDataset tar as records: members that follow each other under one name, read and never unpacked.

`000.jpg` is the picture of the sample `000`, `000.json` has its fields, `000.txt` its prompt where these have none.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from itertools import groupby
from lzma import LZMAError
from pathlib import Path

from attention.errors import InvalidRequest, quoted, shown_path

from .record import Record, data_url, reason_of, record_of

PICTURES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff")
MAX_MEMBER_BYTES = 64 << 20  # of one that is read
Member = tuple[str, str, bytes | None]  # sample, ending, content; None where it is too large


def tar_records(path: Path, folder: Path, before: str = "") -> Iterator[Record]:
    """The samples of a tar, also of a compressed one, in one way through it. `before` begins each name."""
    try:
        with tarfile.open(path, "r|*") as tar:
            for sample, members in groupby(_members(tar), key=lambda member: member[0]):
                yield _record(f"{before}{sample}", list(members), folder)
    except (OSError, EOFError, ValueError, tarfile.TarError, zlib.error, LZMAError) as error:
        raise InvalidRequest(f"{shown_path(path)} cannot be read as a tar: {reason_of(error)}.") from None


def _members(tar: tarfile.TarFile) -> Iterator[Member]:
    """Members that are files and of an ending that is read; links and devices are passed over."""
    for member in tar:
        tar.members = []  # type: ignore[attr-defined]  # all of them are remembered otherwise
        folders, _, file = member.name.rpartition("/")
        sample, _, ending = file.partition(".")
        ending = ending.lower()
        if not member.isreg() or not sample or ending not in (*PICTURES, "json", "txt"):
            continue
        content = tar.extractfile(member) if member.size <= MAX_MEMBER_BYTES else None
        yield f"{folders}/{sample}".removeprefix("/"), ending, content.read() if content is not None else None


def _record(name: str, members: list[Member], folder: Path) -> Record:
    found = {ending: content for _, ending, content in members}
    large = next((ending for ending, content in found.items() if content is None), None)
    if large is not None:
        return Record(name, None, f"Its {large} has more than {MAX_MEMBER_BYTES >> 20} MB.", folder)
    pictures = [content for ending, content in found.items() if ending in PICTURES and content is not None]
    if len(pictures) > 1:
        endings = ", ".join(ending for ending in found if ending in PICTURES)
        return Record(name, None, f"It has {len(pictures)} pictures ({endings}); one sample has one.", folder)
    record = record_of(found.get("json") or b"{}", name, folder)
    if record.fields is None:
        return record
    fields = {"name": name} | record.fields
    if pictures:
        fields = fields | {"image": data_url(pictures[0])}
    if "txt" in found and fields.get("prompt") is None and fields.get("messages") is None:
        text = found["txt"] or b""
        try:
            fields["prompt"] = text.decode("utf-8").strip()
        except UnicodeDecodeError:
            return Record(name, None, f"Its txt, {quoted(text[:20])}, is not written in UTF-8.", folder)
    return Record(name, fields, None, folder)
