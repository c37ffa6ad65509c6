"""Readings that came with a run from somebody else, in its zip: which entries are of them, and what is kept of these.

A reading of a kind or a version that is not known here is left out, as anything else in a zip is; one that is known and
does not fit its run is refused. What is accepted of a reading is the business of `attention.readings`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from attention.errors import DamagedRun, LimitExceeded
from attention.limits import MAX_BROUGHT_READINGS, MAX_INDEX_BYTES
from attention.readings.reading import FORMAT, INDEX, SUFFIX, index_of
from attention.runs.run import Run

from .table import KINDS

FILE = re.compile(r"([0-9a-z]{1,40})/(reading\.json|([a-z]+/)?\w{1,60}\.safetensors)", re.ASCII)


class Sized(Protocol):
    """An entry of a zip."""

    file_size: int


def files_of_readings(names: Mapping[str, Sized], place: str) -> list[str]:
    """The names below a place of readings, as "base.readings/", that may be files of one. Raises LimitExceeded."""
    found = [(name, FILE.fullmatch(name.removeprefix(place))) for name in names if name.startswith(place)]
    indexes = [name for name, match in found if match and match[2] == INDEX]
    finished = {name.removesuffix(INDEX) for name in indexes}
    whose = place.removesuffix(f"{SUFFIX}/") or "the run"
    if len(indexes) > MAX_BROUGHT_READINGS:
        raise LimitExceeded(
            f"There are {len(indexes):,} readings beside {whose}; the limit is {MAX_BROUGHT_READINGS:,}. "
            "Take some of them out."
        )
    size = sum(names[name].file_size for name in indexes)
    if size > MAX_INDEX_BYTES:  # a list of readings reads them all
        raise LimitExceeded(
            f"The files {INDEX} of the readings beside {whose} have {size / 1e6:,.1f} MB together; the limit is "
            f"{MAX_INDEX_BYTES / 1e6:,.1f} MB. Take some of these readings out."
        )
    return [name for name, match in found if match and f"{place}{match[1]}/" in finished]


def check_readings(run: Run, folder: Path) -> None:
    """Look at all readings in a folder as at a stranger's, and leave there what is one of this run.

    Raises DamagedRun, with the name of the reading, for one that is broken or of another run.
    """
    for place in sorted(folder.iterdir()) if folder.is_dir() else []:
        info = index_of(place)
        kind, version = info.get("kind"), info.get("format")
        is_later = isinstance(version, int) and version > FORMAT
        if is_later or not isinstance(kind, str) or kind not in KINDS:
            shutil.rmtree(place)
            continue
        try:
            reading = KINDS[kind].reader(run, place)
            reading.check_whole()
        except DamagedRun as error:
            raise DamagedRun(f"The {kind} {place.name} beside this run: {error}") from None
        known = {INDEX, *reading.files()}
        for file in [file for file in place.rglob("*") if file.is_file()]:
            if file.relative_to(place).as_posix() not in known:
                file.unlink()
