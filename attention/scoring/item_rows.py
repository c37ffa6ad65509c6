"""The rows of scores: items.jsonl, one line for each item and model, written as each is done.

Owns that file: what is in it stays, also where the work is interrupted or another set is scored into the same folder.
A row's `key` says of what content it is made; the last row of a key is the one that counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attention.errors import InvalidRequest, shown_path

from .row_file import RowFile

NAME = "items.jsonl"


class ItemRows:
    """The rows of a folder, by key."""

    def __init__(self, folder: Path):
        self._file = RowFile(folder / NAME)
        self._rows: dict[str, dict[str, Any]] = {row["key"]: row for row in self._file}

    def get(self, key: str) -> dict[str, Any] | None:
        """The row of a key, or None."""
        return self._rows.get(key)

    def add(self, row: dict[str, Any]) -> None:
        """Write a row, onto the disk itself: what is done stays done."""
        self._file.add(row)
        self._rows[row["key"]] = row


def rows_of(folder: Path) -> Iterator[dict[str, Any]]:
    """The finished rows of a folder, as they were written, one at a time: a large set does not fit into memory."""
    return iter(RowFile(folder / NAME))


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
