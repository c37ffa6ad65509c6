"""Readings that are there: listed, found by name, and described. Nothing that a name says becomes a path."""

from __future__ import annotations

import re
from typing import Any

from attention.errors import DamagedReading, DamagedRun, NotInRun, quoted
from attention.readings.reading import INDEX, Reading, index_of, readings_folders
from attention.runs.run import Run

from .table import KINDS

HOW = "on the page, by /reading, or python -m attention reading RUN KIND"
NAME = re.compile(r"[0-9a-z]{1,40}")  # of a finished one; what is being made has another


def names_of(run: Run) -> list[str]:
    """The names of a run's finished readings, in no order."""
    found: dict[str, None] = {}
    for folder in readings_folders(run):
        try:
            places = [place for place in folder.iterdir() if NAME.fullmatch(place.name)]
        except OSError:  # there are none
            continue
        found |= dict.fromkeys(place.name for place in places if (place / INDEX).is_file())
    return list(found)


def find_reading(run: Run, name: Any) -> Reading:
    """Open a reading of a run by its name, or by its kind: then the one that nothing else was asked of than the run.

    Raises NotInRun where it has none of that name, DamagedReading for a bad one.
    """
    names = names_of(run)
    if name not in names and isinstance(name, str) and name in KINDS:
        row = KINDS[name]
        named = row.name_of(run, row.read(run, {}))
        if named not in names:
            raise NotInRun(f"This run has no {name} yet: ask for it first ({HOW}).")
        name = named
    if name not in names:
        raise NotInRun(f"This run has no reading {quoted(name)}: it may have gone. Ask for it again.")
    for folder in readings_folders(run):
        if (folder / name / INDEX).is_file():
            kind = index_of(folder / name).get("kind")
            if not isinstance(kind, str) or kind not in KINDS:
                raise DamagedReading(f"{name} is a reading of kind {quoted(kind)}, which this version does not know.")
            return KINDS[kind].reader(run, folder / name)
    raise NotInRun(f"This run has no reading {quoted(name)} any more. Ask for it again.")


def run_as_read(run: Run, name: str | Reading | None) -> Run:
    """The run with the numbers of one of its readings, or of that of a name or a kind; itself for None.

    Of a forecast rows, columns and maps are effects in nats, and a row that is None is all of them together. Raises
    NotInRun where there is none, or none that has rows.
    """
    if name is None:
        return run
    reading = name if isinstance(name, Reading) else find_reading(run, name)
    rows = KINDS[reading.kind].rows
    if rows is None:
        have = ", ".join(kind.name for kind in KINDS.values() if kind.rows is not None)
        named = quoted(reading.folder.name)
        raise NotInRun(f"{named} is a reading of kind {reading.kind}, which has no rows or maps; {have} has.")
    return rows(reading)


def kept_readings(run: Run) -> dict[str, list]:
    """Describe what there is: {readings: newest first, unread: a sentence for each that cannot be read}."""
    readings, unread = [], []
    for name in names_of(run):
        try:
            readings.append(reading_record(find_reading(run, name)))
        except NotInRun:  # it has just gone
            continue
        except DamagedRun as error:
            unread.append(str(error))
    return {"readings": sorted(readings, key=lambda each: each["created"], reverse=True), "unread": unread}


def readable(run: Run) -> list[Reading]:
    """The finished readings of a run whose files fit it, by their names."""
    found = []
    for name in sorted(names_of(run)):
        try:
            reading = find_reading(run, name)
            reading.check_whole()
        except (NotInRun, DamagedRun):
            continue
        found.append(reading)
    return found


def reading_record(reading: Reading) -> dict[str, Any]:
    """Describe a reading for programs: name, kind, target, towers, created, bytes, seconds, and what its kind has."""
    info = reading.info
    return {
        "name": reading.folder.name, "kind": reading.kind, "target": info.get("target"),
        "towers": list(info.get("towers") or ()), "created": str(info.get("created", "")),
        "bytes": info.get("bytes", 0), "seconds": info.get("seconds"), **KINDS[reading.kind].describe(reading),
    }  # fmt: skip


def content_of(reading: Reading) -> dict[str, Any]:
    """All that a small reading has, or the index of a larger one."""
    return KINDS[reading.kind].content(reading)
