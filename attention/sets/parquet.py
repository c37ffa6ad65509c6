"""Rows of Parquet files as records, with pyarrow where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attention.errors import InvalidRequest, shown_path

from .record import Record, not_installed, plain, reason_of

ROWS = 64  # that are in memory at once: rows may hold pictures


def parquet_records(path: Path, folder: Path, before: str = "") -> Iterator[Record]:
    """The rows of a file, some at a time. `before` begins each name."""
    number = 0
    pyarrow, opened = _opened(path)
    try:
        with opened as file:
            for batch in file.iter_batches(ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield Record(f"{before}row {number}", plain(row), None, folder)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from None


def count_parquet(path: Path) -> int:
    """The number of rows, from the file's end alone."""
    _, opened = _opened(path)
    with opened as file:
        return int(file.metadata.num_rows)


def _opened(path: Path) -> tuple[Any, Any]:
    """The package, and the file opened by it."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise not_installed("pyarrow", "Parquet", "JSON lines") from None
    try:
        return pyarrow, parquet.ParquetFile(path)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InvalidRequest:
    return InvalidRequest(f"{shown_path(path)} cannot be read: {reason_of(error)}.")
