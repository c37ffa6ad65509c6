"""A finished folder by what it is: one run, or a comparison of several.

The only place that asks which of the two a folder or a zip holds; what is opened says so itself (`kind`).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from .comparisons.check import check_comparison
from .comparisons.comparison import INDEX as COMPARISON_INDEX
from .comparisons.comparison import Comparison, open_comparison
from .comparisons.unpack import unpack_comparison
from .errors import DamagedRun, InvalidRequest, NotInRun, quoted, shown_path
from .kinds.brought import check_readings, files_of_readings
from .readings.reading import SUFFIX as READINGS
from .readings.reading import readings_beside
from .runs.checks.run import check_files, check_run
from .runs.checks.unpack import INDEX as RUN_INDEX
from .runs.checks.unpack import read_run_index, run_files
from .runs.checks.zip_file import opened
from .runs.partial import PartialRun, write_index
from .runs.run import Run, open_run

WITHIN = f"{READINGS}/"  # where a zip's readings wait in the run's folder, until they are moved beside it
INDEXES = {Run.kind: RUN_INDEX, Comparison.kind: COMPARISON_INDEX}  # the file that a finished folder of each kind has


def kind_of(folder: Path) -> str | None:
    """`run`, `comparison`, or None for a folder that is neither, or that cannot be looked into."""
    try:
        return next((kind for kind, name in INDEXES.items() if (folder / name).is_file()), None)
    except OSError:
        return None


def open_folder(folder: str | os.PathLike) -> Run | Comparison:
    """Open a finished run or comparison; closed by `close` or as a context. Raises DamagedRun for anything else."""
    return open_comparison(folder) if kind_of(Path(folder)) == Comparison.kind else open_run(folder)


def runs_of(found: Run | Comparison, member: str | None = None) -> list[tuple[Run, str | None]]:
    """The runs of a finished folder, or the named one, each with the name that it has there: None of a run by itself.

    Raises NotInRun for a member that there is not.
    """
    if found.kind == "run":
        if member is not None:
            raise NotInRun(f"This is one run, and has no member {quoted(member)}: leave it out.")
        return [(found, None)]
    return [(found.run(name), name) for name in ([member] if member is not None else found.runs)]


def check(found: Run | Comparison) -> None:
    """Look at everything that reading it relies on. Raises what `check_run` and `check_comparison` raise."""
    if found.kind == "comparison":
        check_comparison(found)
    else:
        check_run(found)


def unpack(zip_path: str | os.PathLike, folder: str | os.PathLike, limit_bytes: int) -> Path:
    """Unpack a run's zip or a comparison's, by which of the two it holds, into a new folder, and return that.

    Raises what `unpack_run` and `unpack_comparison` raise.
    """
    with opened(zip_path) as source:
        runs, comparisons = source.places(RUN_INDEX), source.places(COMPARISON_INDEX)
        name = source.name
    if not runs and not comparisons:
        raise DamagedRun(
            f"{name} holds no run and no comparison: there is neither {RUN_INDEX} nor {COMPARISON_INDEX} at its top, "
            "nor in a folder there."
        )
    alone = [place for place in runs if place not in comparisons]
    if "" in alone or not comparisons:  # what lies at the top is what is meant
        return unpack_run(zip_path, folder, limit_bytes)
    if alone and "" not in comparisons:  # one at the top has its own runs in folders
        raise InvalidRequest(f"{name} holds a comparison and a run beside it. Give one of them alone.")
    return unpack_comparison(zip_path, folder, limit_bytes)


def unpack_run(zip_path: str | os.PathLike[str], folder: str | os.PathLike[str], limit_bytes: int) -> Path:
    """Unpack a run's zip, as `export_run` writes it, into a new folder, and its readings beside; return the folder.

    The zip holds the run's files at its top or in a folder there; in this case `<folder>.readings` beside it are its
    readings. The run appears whole and checked, as by `check_run`, or not at all; at most `limit_bytes` are written,
    counted as they are unpacked.

    Raises InvalidRequest for what is no zip, is encrypted or has names that lead elsewhere, and for a folder that
    cannot be written; LimitExceeded, with numbers, for what is too large; DamagedRun for what is no run or is broken.
    """
    with opened(zip_path) as source:
        entries = source.folder_of(RUN_INDEX, "run")
        info = read_run_index(source, entries, limit_bytes)
        beside = source.beside(RUN_INDEX, READINGS)
        own = files_of_readings(beside, "")
        entries = entries | {WITHIN + name: beside[name] for name in own}
        files = run_files(info, entries)
        readings = readings_beside(Path(folder))
        if own and readings.exists():
            raise InvalidRequest(f"{shown_path(readings)} exists: it has readings of another run. Name another folder.")
        within = [WITHIN + name for name in own]
        with source.unpacked(entries, [RUN_INDEX], files, "run", Path(folder), limit_bytes, within) as partial:
            check_files(partial.folder, info)
            if own:
                write_index(partial.folder / RUN_INDEX, info)
                with Run(partial.folder) as run:
                    check_readings(run, partial.folder / WITHIN)
            return _committed(partial, info, readings)


def _committed(partial: PartialRun, info: dict[str, Any], readings: Path) -> Path:
    """Commit a run, its readings first: who finds the run finds them."""
    within = partial.folder / WITHIN
    if not within.is_dir():
        return partial.commit(info)
    within.replace(readings)
    try:
        return partial.commit(info)
    except BaseException:
        shutil.rmtree(readings, ignore_errors=True)
        raise
