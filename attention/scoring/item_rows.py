"""The rows of scores: items.jsonl, one line for each item and model, written as each is done.

Owns that file: what is in it stays, also where the work is interrupted or another set is scored into the same folder.
A row's `key` says of what content it is made; the last row of a key is the one that counts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attention.errors import DamagedRun, InvalidRequest, shown_path
from attention.runs.checks.json_fields import parse_json

NAME = "items.jsonl"


def key_of(*parts: Any) -> str:
    """A name for content: the same for the same parts, in any process."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:32]


class ItemRows:
    """The rows of a folder, by key. What a stopped process left half written, the last line, is dropped."""

    def __init__(self, folder: Path):
        self._path = folder / NAME
        self._rows: dict[str, dict[str, Any]] = {}
        self._half_written: int | None = None  # from where on
        for row, end in _lines(self._path):
            if row is None:
                self._half_written = end
            else:
                self._rows[row["key"]] = row

    def get(self, key: str) -> dict[str, Any] | None:
        """The row of a key, or None."""
        return self._rows.get(key)

    def add(self, row: dict[str, Any]) -> None:
        """Write a row, onto the disk itself: what is done stays done."""
        line = json.dumps(row, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
        if self._half_written is not None:
            os.truncate(self._path, self._half_written)
            self._half_written = None
        with open(self._path, "ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._rows[row["key"]] = row


def rows_of(folder: Path) -> Iterator[dict[str, Any]]:
    """The finished rows of a folder, as they were written, one at a time: a large set does not fit into memory."""
    return (row for row, _ in _lines(folder / NAME) if row is not None)


def _lines(path: Path) -> Iterator[tuple[dict[str, Any] | None, int]]:
    """Rows and where each line begins; None for a last line that was left half written."""
    if not path.exists():
        return
    begin = 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                yield None, begin
                return
            try:
                row = parse_json(line)
                hash(row["key"])
            except (ValueError, TypeError, KeyError):
                raise DamagedRun(
                    f"Line {number} of {shown_path(path)} is no row of scores. Remove that line, or name another "
                    "folder."
                ) from None
            yield row, begin
            begin += len(line)


def scores_folder(folder: str | os.PathLike[str]) -> Path:
    """A folder for scores, made where it is not there; one with other things in it is refused."""
    if not isinstance(folder, str | os.PathLike):
        raise InvalidRequest(f"The folder is of type {type(folder).__name__}; it must be a path.")
    path, where = Path(folder), shown_path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        has = {entry.name for entry in path.iterdir()}
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"{where} cannot be written: {reason}. Name another folder.") from None
    if has and NAME not in has:
        raise InvalidRequest(f"{where} is not empty, and holds no scores. Name a folder that does not exist yet.")
    return path
