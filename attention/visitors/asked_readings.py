"""A reading as a visitor asks for it: of a run, of a member of a comparison, or of all of them.

Owns what is read of the fields before a model is loaded, what is there already, and that nobody makes a reading that
another is making. What a kind takes and makes is the business of `attention.kinds`.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attention.folders import runs_of
from attention.kinds.kind import Asked, Kind
from attention.kinds.making import found_reading
from attention.kinds.table import kind_of
from attention.readings.reading import readings_folder
from attention.runs.run import Run

LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class OfRun:
    """One reading that is asked for: of which run, and of which member where it is one of several."""

    kind: Kind
    run: Run
    member: str | None
    asked: Asked

    @property
    def place(self) -> Path:
        """The folder that it has, or will have where it is made."""
        return readings_folder(self.run) / self.kind.name_of(self.run, self.asked)

    def found(self) -> dict[str, Any] | None:
        """Return its record, where all of it is there already."""
        return found_reading(self.run, self.kind, self.asked)


def read_asked(found: Any, given: dict[str, Any]) -> list[OfRun]:
    """Read what was given: {reading, member, ...fields of its kind}; of a comparison without `member` of each of them.

    Raises InvalidRequest or NotInRun for what is wrong with it, or cannot be had of this run.
    """
    kind = kind_of(given.get("reading"))
    runs = runs_of(found, given.get("member") or None)
    return [OfRun(kind, run, name, kind.read(run, given)) for run, name in runs]


def record_of(parts: list[OfRun], records: list[dict[str, Any]]) -> dict[str, Any]:
    """The record of what was asked: one, or {kind, members: {member: record}}."""
    if len(parts) == 1:
        return records[0]
    members = {part.member: each for part, each in zip(parts, records, strict=True)}
    return {"kind": parts[0].kind.name, "members": members}


class Answered:
    """An answer that needs no job, with a job's face: what was asked for is there already."""

    is_done = True

    def __init__(self, record: dict[str, Any]):
        self._record = record

    async def follow(self) -> AsyncIterator[dict]:
        """Yield nothing."""
        nothing: list[dict] = []
        for progress in nothing:
            yield progress

    def told(self) -> None:
        return None

    def cancel(self) -> None:
        """Do nothing: it is done."""

    def result(self) -> dict[str, Any]:
        return self._record


class OneAtATime:
    """Places at which something is being made: whoever comes second waits, and finds it there."""

    def __init__(self) -> None:
        self._mutex, self._places = threading.Lock(), set[Path]()

    @contextmanager
    def at(self, place: Path, check: Callable[[], None]) -> Iterator[None]:
        """Hold a place; `check` is called while another has it, and may raise."""
        while not self._take(place):
            check()
            threading.Event().wait(LOOK_SECONDS)
        try:
            yield
        finally:
            with self._mutex:
                self._places.discard(place)

    def _take(self, place: Path) -> bool:
        with self._mutex:
            is_free = place not in self._places
            self._places.add(place)
            return is_free
