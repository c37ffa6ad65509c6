"""JSON lines, or one JSON list, as records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attention.errors import InvalidRequest, shown_path
from attention.runs.checks.json_fields import parse_json

from .record import Record, reason_of, record_of

MARK = b"\xef\xbb\xbf"  # some editors begin with a byte order mark
LOOKED_AT = 4096  # bytes in which a list begins


def json_records(path: Path, folder: Path, before: str = "") -> Iterator[Record]:
    """The records of a file, one line at a time; a list is read whole. `before` begins each name."""
    try:
        if _begins_as_list(path):
            try:
                values = parse_json(path.read_bytes().removeprefix(MARK))
                for number, value in enumerate(values, 1):
                    yield record_of(value, f"{before}entry {number}", folder)
                return
            except ValueError:  # a line that begins like a list
                pass
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                content = (line.removeprefix(MARK) if number == 1 else line).removesuffix(b"\n")
                if content.strip():
                    yield record_of(content, f"{before}line {number}", folder)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise InvalidRequest(f"{shown_path(path)} cannot be read: {reason_of(error)}.") from None


def count_json(path: Path) -> int | None:
    """The number of lines that say something; None for a list, which is not read for that."""
    try:
        if _begins_as_list(path):
            return None
        with open(path, "rb") as file:
            return sum(bool(line.strip()) for line in file)
    except (OSError, ValueError):
        return None  # said by who reads it


def _begins_as_list(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(LOOKED_AT).removeprefix(MARK).lstrip()[:1] == b"["
