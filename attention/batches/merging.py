"""Batches of the same settings, made apart, as one folder: what shards on machines without a common disk have written.

Owns what is copied. Runs and rows that were kept are linked where the disk allows it; the other folders stay as they
are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from attention.errors import DamagedRun, shown_path
from attention.readings.reading import readings_beside

from .batch import Batch
from .folder import ERRORS, OTHERWISE, ShardFiles, batch_folder, read_index, rows_in
from .summary import write_summaries


def merge_batches(folders: Sequence[str | os.PathLike[str]], target: str | os.PathLike[str]) -> Batch:
    """Take over into `target` every item that it does not have yet, and return it; no model is run.

    Errors of items that another folder has are left out. Raises InvalidRequest for batches of other settings, and
    DamagedRun for a folder that is none.
    """
    record = read_index(Path(folders[0]))
    path = batch_folder(target, record)
    with closing(ShardFiles(path)) as files:
        known = {row["key"] for row in rows_in(path)}
        for source in map(Path, folders):
            batch_folder(source, record)  # refuses another
            batch = Batch(source)
            for row in rows_in(source):
                if row["key"] in known:
                    continue
                known.add(row["key"])
                if row["kept"] is not None:
                    _link(source / row["kept"], path / row["kept"])
                    beside = readings_beside(source / row["kept"])
                    if beside.is_dir():
                        _link(beside, readings_beside(path / row["kept"]))
                files.add({name: value for name, value in row.items() if name != "numbers"}, batch.numbers_of(row))
        for source in map(Path, folders):
            for row in rows_in(source, ERRORS):
                if row["key"] not in known:
                    files.add_error(row)
            for row in rows_in(source, OTHERWISE):
                files.add_otherwise(row)
    merged = Batch(path)
    write_summaries(merged)
    return merged


def _link(source: Path, target: Path) -> None:
    """The same file or folder in another place."""
    if not source.exists():
        raise DamagedRun(f"{shown_path(source)} is gone, which its batch says was kept.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not source.is_dir():
        target.unlink(missing_ok=True)
        _link_file(str(source), str(target))
        return
    shutil.rmtree(target, ignore_errors=True)  # left by a process that was stopped
    shutil.copytree(source, target, copy_function=_link_file)


def _link_file(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
