"""Rows of a data set of the Hub as records, streamed, with the package `datasets` where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attention.errors import InvalidRequest, quoted, shortened

from .record import Record, RecordSet, not_installed, plain


def hub_records(name: str, split: str = "train", config: str | None = None) -> RecordSet:
    """The rows of a split, pictures as their bytes. Raises InvalidRequest with the reason of the package."""
    try:
        import datasets
    except ImportError:
        raise not_installed("datasets", "A data set of the Hub", "a file") from None
    try:
        rows = datasets.load_dataset(name, config, split=split, streaming=True).decode(False)
        total = rows.info.splits[split].num_examples if rows.info.splits and split in rows.info.splits else None
    except Exception as error:  # noqa: BLE001 - errors of many packages, each with words of its own
        raise _failed(name, error) from None
    return RecordSet(_records(rows, name), total or None)


def _records(rows: Any, name: str) -> Iterator[Record]:
    found = iter(rows)
    number = 0
    while True:
        number += 1
        try:
            row = next(found)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - the network's, and the package's own
            raise _failed(name, error) from None
        yield Record(f"row {number}", plain(row), None, Path())


def _failed(name: str, error: Exception) -> InvalidRequest:
    said = shortened(str(error) or type(error).__name__, 300).removesuffix(".")
    return InvalidRequest(f"The data set {quoted(name)} cannot be read: {said}.")
