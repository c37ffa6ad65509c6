"""A run that comes as a zip, from whoever made it: unpacked where it is sound, refused in words where it is not.

What is accepted of a zip is the business of `zip_file`, what is accepted of a run that of `run`. Knows neither
models nor Gradio nor where runs are kept.

Only the files that run.json names are unpacked. What else lies in the zip is left there: file managers add files of
their own, and a later version may.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from attention.runs.run import FORMAT

from .run import MASKS, SCORES, check_files, check_index, named_files
from .zip_file import Entries, ForeignZip, opened

INDEX = "run.json"


def unpack_run(zip_path: str | os.PathLike[str], folder: str | os.PathLike[str], limit_bytes: int) -> Path:
    """Unpack a run's zip, as `export_run` writes it, into a new folder, and return that.

    The zip holds the run's files at its top or in a folder there. The run appears whole and checked, as by `check_run`,
    or not at all; at most `limit_bytes` are written, counted as they are unpacked.

    Raises InvalidRequest for what is no zip, is encrypted or has names that lead elsewhere, and for a folder that
    cannot be written; LimitExceeded, with numbers, for what is too large; DamagedRun for what is no run or is broken.
    """
    with opened(zip_path) as source:
        entries = source.folder_of(INDEX, "run")
        info = read_run_index(source, entries, limit_bytes)
        with source.unpacked(entries, [INDEX], run_files(info, entries), "run", Path(folder), limit_bytes) as partial:
            check_files(partial.folder, info)
            return partial.commit(info)


def read_run_index(source: ForeignZip, entries: Entries, limit_bytes: int, member: str = "") -> dict[str, Any]:
    """The checked content of run.json, or of that of a member of several runs, as "base/"."""
    info = source.read_index(entries, f"{member}{INDEX}", "run", FORMAT, limit_bytes)
    check_index(info)
    return info


def run_files(info: dict[str, Any], entries: Entries, member: str = "") -> list[str]:
    """The files that belong to a run beside its checked run.json: those that it names, and tables that may be there."""
    tables = [name for name in (MASKS, SCORES) if f"{member}{name}" in entries]
    return [f"{member}{name}" for name in (*named_files(info), *tables)]
