"""The folder of a batch: which file is what, and rows and numbers written so that what is done stays done.

Every process that works on a folder has files of its own, named by its shard; together they are the batch. Numbers of
an item are appended before the row that says where they lie, so that whatever stops a process leaves at most numbers
without a row, which the next one cuts off. FORMAT.md beside this file says it for other programs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import BaseFileLock

from attention.errors import DamagedRun, InvalidRequest, quoted, shown_path
from attention.locks import take_free_lock
from attention.runs.checks.json_fields import parse_json
from attention.scoring.row_file import RowFile

from .settings import FORMAT, difference
from .tables import OF_READINGS

INDEX, ITEMS, SCORES, ERRORS, OTHERWISE = "batch.json", "items", "scores", "errors", "otherwise"
RUNS, ROWS = "runs", "rows"
NUMBER = np.dtype("<f4")


def batch_folder(folder: str | os.PathLike[str], record: dict[str, Any]) -> Path:
    """A folder for a batch with these settings, made where it is not there.

    Raises InvalidRequest for one with other things in it, and for a batch with other settings: which, and how.
    """
    if not isinstance(folder, str | os.PathLike):
        raise InvalidRequest(f"The folder is of type {type(folder).__name__}; it must be a path.")
    path, where = Path(folder), shown_path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        names = {each.name for each in path.iterdir()}
        if INDEX not in names:
            if any(not name.startswith(".") for name in names):
                raise InvalidRequest(
                    f"{where} is not empty, and holds no batch. Name a folder that does not exist yet."
                )
            _write_once(path / INDEX, record)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"{where} cannot be written: {reason}. Name another folder.") from None
    other = difference(read_index(path), record)
    if other is not None and next(rows_in(path), None) is None:  # nothing was ever made of what was asked first
        write_whole(path / INDEX, _json(record))
    elif other is not None:
        raise InvalidRequest(f"{where} holds a batch with other settings: {other}. Name another folder.")
    return path


def read_index(folder: Path) -> dict[str, Any]:
    """The content of a folder's batch.json. Raises DamagedRun for none, and for that of a later version."""
    where = shown_path(folder)
    try:
        info = parse_json((folder / INDEX).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise DamagedRun(f"{where} holds no batch: it has no {INDEX}.") from None
    except (OSError, ValueError) as error:
        raise DamagedRun(f"{INDEX} in {where} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    version = info.get("format") if isinstance(info, dict) else None
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= FORMAT:
        raise DamagedRun(f"{where} has format {quoted(version)}; this version reads up to {FORMAT}. Update it.")
    if not set(info.get("readings") or ()) <= set(OF_READINGS):
        raise DamagedRun(
            f"{where} has readings {quoted(info['readings'])}; this version knows {', '.join(OF_READINGS)}."
        )
    return info


def is_batch(folder: Path) -> bool:
    """True for a folder that holds a batch, finished or not."""
    return (folder / INDEX).is_file()


class ShardFiles:
    """The files of one process, locked while it writes: an item's numbers, its row, and what was wrong with others."""

    def __init__(self, folder: Path, shard: tuple[int, int] = (1, 1)):
        """Raises InvalidRequest where another process writes them."""
        self.folder, self._own = folder, "" if shard == (1, 1) else f".{shard[0]}-of-{shard[1]}"
        lock = take_free_lock(folder / f".batch-lock{self._own}")
        if lock is None:
            raise InvalidRequest(
                f"Another process works on {shown_path(folder)}. Wait for it, name another folder, or give each a part "
                "of the set (--shard 1/2, --shard 2/2)."
            )
        self._lock: BaseFileLock = lock
        self._items = RowFile(self._path(ITEMS), "a batch")
        self._scores = self._path(SCORES, "f32")
        end = 0
        for row in self._items:
            end = row["numbers"]["at"] + row["numbers"]["bytes"]
        if self._scores.exists() and self._scores.stat().st_size > end:
            os.truncate(self._scores, end)
        for name in (ERRORS, OTHERWISE):  # of this call alone: what failed is tried again
            self._path(name).unlink(missing_ok=True)
        self._errors, self._otherwise = (RowFile(self._path(name), "a batch") for name in (ERRORS, OTHERWISE))

    def close(self) -> None:
        """Let others write."""
        self._lock.release()

    def add(self, row: dict[str, Any], numbers: np.ndarray) -> None:
        """Add an item: its numbers, float32, then its row, each onto the disk itself."""
        content = np.ascontiguousarray(numbers, NUMBER).tobytes()
        with open(self._scores, "ab") as file:
            at = file.tell()
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._items.add(row | {"numbers": {"file": self._scores.name, "at": at, "bytes": len(content)}})

    def add_error(self, row: dict[str, Any]) -> None:
        """Add a line that could not be used, or an item that could not be run."""
        self._errors.add(row)

    def add_otherwise(self, row: dict[str, Any]) -> None:
        """Add an answer that was other in a batch than alone."""
        self._otherwise.add(row)

    def _path(self, name: str, ending: str = "jsonl") -> Path:
        return self.folder / f"{name}{self._own}.{ending}"


def rows_in(folder: Path, name: str = ITEMS) -> Iterator[dict[str, Any]]:
    """The rows of all shards, one at a time: those of one file after those of another, by their names."""
    for path in sorted(folder.glob(f"{name}*.jsonl")):
        yield from RowFile(path, "a batch")


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


def write_whole(path: Path, text: str) -> None:
    """Write a file whole, or leave the one that is there."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _write_once(path: Path, record: dict[str, Any]) -> None:
    """Write a file whole, unless another shard has written it meanwhile."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(_json(record), encoding="utf-8")
    try:
        os.link(unfinished, path)
    except FileExistsError:
        pass
    except OSError:  # no links on this disk
        unfinished.replace(path)
    unfinished.unlink(missing_ok=True)
