"""A file of rows, one JSON line each, to which rows are added one by one: what is written stays, whatever happens.

Owns the safety of that: a row is on the disk itself before the next is made, and what a stopped process left half
written, the last line, is dropped by whoever adds the next. Every row has a `key`; what it means its owner knows.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attention.errors import DamagedRun, shown_path
from attention.runs.checks.json_fields import parse_json

BACK = 1 << 16  # bytes that are read at once, from the end on, to find where the last line begins


def key_of(*parts: Any) -> str:
    """A name for content: the same for the same parts, in any process."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:32]


class RowFile:
    """The rows of one file, of which one process at a time may add some."""

    def __init__(self, path: Path, of: str = "scores"):
        """`of` says in messages of what it has the rows."""
        self.path, self._of = path, of
        self._is_whole = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The finished rows, as they were written, one at a time: a large set does not fit into memory."""
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    row = parse_json(line)
                    hash(row["key"])
                except (ValueError, TypeError, KeyError):
                    raise DamagedRun(
                        f"Line {number} of {shown_path(self.path)} is no row of {self._of}. Remove that line, or name "
                        "another folder."
                    ) from None
                yield row

    def add(self, row: dict[str, Any]) -> None:
        """Write a row, onto the disk itself: what is done stays done."""
        line = json.dumps(row, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
        if not self._is_whole:
            drop_half_line(self.path)
            self._is_whole = True
        with open(self.path, "ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def drop_half_line(path: Path) -> None:
    """Cut off what follows a file's last line break, if anything does."""
    if not path.exists():
        return
    with open(path, "r+b") as file:
        end = start = file.seek(0, os.SEEK_END)
        while start > 0:
            start = max(0, start - BACK)
            file.seek(start)
            at = file.read(min(BACK, end - start)).rfind(b"\n")
            if at >= 0:
                file.truncate(start + at + 1)
                return
        file.truncate(0)
