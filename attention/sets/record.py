"""One record of a data set: named fields, or the reason why it has none; and pictures that lie in it as bytes.

Knows no file's form, and not what the fields mean.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attention.errors import InvalidRequest, quoted
from attention.runs.checks.json_fields import parse_json


@dataclass(frozen=True)
class Record:
    """A record as it was read. `name` says where it stands; paths in its `fields` begin at `folder`.

    `fields` is None for one that could not be read, and `reason` then says why.
    """

    name: str
    fields: dict[str, Any] | None
    reason: str | None = None
    folder: Path = Path()


class RecordSet:
    """Records in their order, read one at a time as they are asked for; `total` is their number where it is known."""

    def __init__(self, records: Iterable[Record], total: int | None = None):
        self._records, self.total = records, total

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)


def record_of(content: Any, name: str, folder: Path) -> Record:
    """The record that JSON has, as bytes or as its value; one with a reason where that is no object."""
    try:
        fields = parse_json(content) if isinstance(content, bytes) else content
    except UnicodeDecodeError:
        return Record(name, None, "It is not written in UTF-8.", folder)
    except ValueError as error:
        return Record(name, None, f"It is not JSON: {error}.", folder)
    if not isinstance(fields, dict):
        return Record(name, None, f"It is {quoted(fields)}; it must be an object.", folder)
    return Record(name, fields, None, folder)


def data_url(content: bytes) -> str:
    """A picture's file as a data: URL; what it is, its own first bytes say."""
    return f"data:;base64,{base64.b64encode(content).decode('ascii')}"


def plain(value: Any) -> Any:
    """A value of a column, pictures in it as data: URLs or paths: columns have them as bytes, or as {bytes, path}."""
    if isinstance(value, bytes):
        return data_url(value)
    if isinstance(value, dict):
        if set(value) == {"bytes", "path"} and (value["bytes"] or value["path"]):
            return data_url(value["bytes"]) if value["bytes"] else value["path"]
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def reason_of(error: Exception) -> str:
    """The system's reason of an error, or its own words."""
    return str(getattr(error, "strerror", None) or error)


def not_installed(package: str, what: str, otherwise: str) -> InvalidRequest:
    """The error for a file whose reader is an optional package."""
    return InvalidRequest(
        f"{what} is read with {package}, which is not installed: pip install {package}. Or give {otherwise}."
    )
