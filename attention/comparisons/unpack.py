"""A comparison that comes as a zip, from whoever made it: unpacked where it is sound, refused in words where it is not.

What is accepted of a zip is the business of `attention.runs.checks.zip_file`, what is accepted of a comparison that of
`check`. Knows neither models nor Gradio nor where comparisons are kept. Only the files that comparison.json
and its members' run.json name are unpacked, and readings of these.
"""

from __future__ import annotations

import os
from pathlib import Path

from attention.errors import LimitExceeded
from attention.kinds.brought import check_readings, files_of_readings
from attention.limits import MAX_INDEXES_BYTES
from attention.readings.reading import SUFFIX as READINGS
from attention.runs.checks.run import check_files
from attention.runs.checks.unpack import INDEX as RUN_INDEX
from attention.runs.checks.unpack import read_run_index, run_files
from attention.runs.checks.zip_file import Entries, opened
from attention.runs.partial import write_index
from attention.runs.run import Run

from .check import check_index, check_members, check_tables, naming
from .comparison import FORMAT, INDEX, TABLES, member_folders


def unpack_comparison(zip_path: str | os.PathLike[str], folder: str | os.PathLike[str], limit_bytes: int) -> Path:
    """Unpack a comparison's zip, as `export_comparison` writes it, into a new folder, and return that.

    The zip holds the comparison's files at its top or in a folder there; only those that its indexes name are unpacked.
    The comparison appears whole and checked, as by `check_comparison`, or not at all; at most `limit_bytes` are
    written, counted as they are unpacked.

    Raises InvalidRequest for what is no zip, is encrypted or has names that lead elsewhere, and for a folder that
    cannot be written; LimitExceeded, with numbers, for what is too large; DamagedRun for what is no comparison or is
    broken.
    """
    with opened(zip_path) as source:
        entries = source.folder_of(INDEX, "comparison")
        info = source.read_index(entries, INDEX, "comparison", FORMAT, limit_bytes)
        check_index(info)
        names = member_folders(info)
        indexes = [f"{name}/{RUN_INDEX}" for name in names]
        _check_together(source.name, entries, indexes)
        runs, files, readings = {}, [TABLES], list[str]()
        for name in names:
            with naming(name):
                runs[name] = read_run_index(source, entries, limit_bytes, f"{name}/")
            files += run_files(runs[name], entries, f"{name}/")
            readings += files_of_readings(entries, f"{name}{READINGS}/")
        check_members(info, runs)
        with source.unpacked(
            entries, [INDEX, *indexes], files, "comparison", Path(folder), limit_bytes, readings
        ) as partial:
            for name, run in runs.items():
                with naming(name):
                    check_files(partial.folder / name, run)
                    write_index(partial.folder / name / RUN_INDEX, run)
                    with Run(partial.folder / name) as member:
                        check_readings(member, partial.folder / f"{name}{READINGS}")
            check_tables(partial.folder, info, runs[names[0]])
            return partial.commit(info, INDEX)


def _check_together(name: str, entries: Entries, indexes: list[str]) -> None:
    size = sum(entries[index].file_size for index in indexes if index in entries)
    if size > MAX_INDEXES_BYTES:
        raise LimitExceeded(
            f"The run.json files in {name} have {size / 1e6:,.1f} MB together; the limit is "
            f"{MAX_INDEXES_BYTES / 1e6:,.1f} MB."
        )
