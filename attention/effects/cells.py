"""A map over cells, measured: each block of cells hidden from all others, many in a batch, or painted over one by one.

Owns the order, what is kept after each batch, and how long the rest will take. A map that is stopped keeps what it has;
asked for again, it goes on from there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attention.capture.called_with import with_processor
from attention.capture.extraction import Adapted
from attention.capture.kept_reading import commit_reading, kept_beside
from attention.capture.layer_writer import save_tensors
from attention.capture.tried import Paint, Trials, trials
from attention.errors import InvalidRequest
from attention.limits import Limits
from attention.readings.agreement import tower_of_pictures
from attention.readings.cells import (
    FILE,
    HIDDEN,
    KIND,
    BlockGrid,
    Cells,
    CellsAsked,
    block_grids,
    keys_of_block,
    region_of_block,
    spread,
    tensor_shapes,
)
from attention.readings.reading import INDEX, place_of
from attention.readings.trial import Hide
from attention.runs.partial import PartialRun
from attention.runs.run import Run

from .beside_controls import open_paths

FIRST, AT_ONCE = 8, 16  # trials of a batch: the first is there soon, and says how long the others take
Place = tuple[BlockGrid, int, int]
OnFound = Callable[[Cells, float | None], None]


def measure_cells(
    run: Run,
    asked: CellsAsked | None = None,
    *,
    paint: Paint | None = None,
    model=None,
    processor=None,
    limits: Limits | None = None,
    partial: PartialRun | None = None,
    adapted: Adapted | None = None,
    on_found: OnFound | None = None,
) -> Cells:
    """Hide every cell of a run's pictures by itself, or block by block, and keep what the target loses by each.

    Hidden from every row outside of it, or from the rows that are asked; with `paint` each is painted over as well, and
    its picture read again. The result is kept beside the run after each batch, and found there: what was measured
    before is not measured again. `on_found` is told of (what is known so far, seconds that the rest will take, None
    where that is not known yet).

    Raises what `CellsAsked.of` and `trials` raise, and InvalidRequest where frames of a video are to be painted.
    """
    asked = asked or CellsAsked.of(run)
    if paint is not None and run.info.get("videos"):
        raise InvalidRequest("Frames of a video are not painted over. Hide the cells alone.")
    growing = _Growing(run, asked, place_of(run, asked.name()), partial)
    measures = [HIDDEN] if paint is None else [HIDDEN, paint]
    left = {measure: growing.missing(measure) for measure in measures}
    if not any(left.values()):
        return Cells(run, growing.place)
    given = with_processor(model, processor) if processor is not None else model
    total = sum(map(len, left.values()))
    clock, done = _Clock(), 0
    with trials(run, asked.target, model=given, limits=limits, partial=partial, adapted=adapted) as ready:
        for measure, part in _batches(left, min(AT_ONCE, ready.at_once)):
            began = time.perf_counter()
            value, changes = _changes(ready, run, asked, measure, part)
            seconds = time.perf_counter() - began
            found = growing.keep(measure, part, changes, value, seconds)
            clock.count(measure, len(part), seconds)
            done += len(part)
            if partial is not None:
                partial.report("try", done, total)
            if on_found is not None:
                on_found(found, clock.left({each: len(growing.missing(each)) for each in measures}))
    return Cells(run, growing.place)


def _batches(left: dict[str, list[Place]], at_once: int) -> Iterator[tuple[str, list[Place]]]:
    """The places that are left, in batches: first a few of each measure, then all others. Painted ones go alone."""
    step = {measure: at_once if measure == HIDDEN else 1 for measure in left}
    first = {measure: min(FIRST, step[measure]) for measure in left}
    yield from ((measure, places[: first[measure]]) for measure, places in left.items() if places)
    for measure, places in left.items():
        for start in range(first[measure], len(places), step[measure]):
            yield measure, places[start : start + step[measure]]


def _changes(
    ready: Trials, run: Run, asked: CellsAsked, measure: str, part: Sequence[Place]
) -> tuple[float, np.ndarray]:
    if measure == HIDDEN:
        tower = tower_of_pictures(run)
        tried = ready.without([Hide(keys_of_block(run, *each), asked.rows, tower=tower) for each in part], _quietly)
    else:
        by: Any = measure
        tried = ready.painted([region_of_block(run, *each) for each in part], by, _quietly)
    return tried.value, tried.changes


def _quietly(done: int, total: int) -> None:
    """Tell nobody: of a batch as a part of the map is told elsewhere."""


@dataclass
class _Clock:
    """Rates of the measures so far."""

    seconds: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, measure: str, n: int, seconds: float) -> None:
        self.seconds[measure] = self.seconds.get(measure, 0.0) + seconds
        self.counts[measure] = self.counts.get(measure, 0) + n

    def left(self, left: dict[str, int]) -> float | None:
        """Seconds that so many trials of each measure will take; None where one of them was not timed yet."""
        if any(n and measure not in self.counts for measure, n in left.items()):
            return None
        return sum(n * self.seconds[measure] / self.counts[measure] for measure, n in left.items() if n)


class _Growing:
    """The folder of a map that grows: its index is written once, its numbers after every batch.

    Whoever else measures the same map at the same time loses nothing: what lies there is taken over before each write.
    """

    def __init__(self, run: Run, asked: CellsAsked, place: Path, job: PartialRun | None):
        self.place, self._run, self._asked, self._job = place, run, asked, job
        self._tensors = {name: np.full(shape, np.nan) for name, shape in tensor_shapes(run, asked.block).items()}
        self._tensors["seconds"][:] = 0
        if (place / INDEX).is_file():
            self._tensors = Cells(run, place).tensors

    def missing(self, measure: str) -> list[Place]:
        """The places that were not measured, in the order in which they are to be."""
        order = spread(block_grids(self._run, self._asked.block))
        return [(each, row, col) for each, row, col in order if np.isnan(self._of(measure, each)[row, col])]

    def keep(self, measure: str, part: Sequence[Place], changes: np.ndarray, value: float, seconds: float) -> Cells:
        """Keep what was measured of some places; return all that is known."""
        for (each, row, col), change in zip(part, changes, strict=True):
            self._of(measure, each)[row, col] = change
        self._tensors["value"][:] = value
        self._tensors["seconds"] += seconds
        if not (self.place / INDEX).is_file():
            kept_beside(self.place, self._begin, self._job)
        for name, other in Cells(self._run, self.place).tensors.items():
            own = self._tensors[name]
            own[np.isnan(own)] = other[np.isnan(own)]
        beside = self.place / f"{FILE}.{os.getpid()}"
        self._write(beside)
        beside.replace(self.place / FILE)
        return Cells(self._run, self.place)

    def _begin(self, partial: PartialRun) -> Path:
        self._write(partial.folder / FILE)
        fields = {
            "target": self._asked.target.to_dict(), "rows": None if self._asked.rows is None else [*self._asked.rows],
            "block": [*self._asked.block], "paths": open_paths(self._run), "towers": {},
        }  # fmt: skip
        return commit_reading(partial, self._run, KIND, time.perf_counter(), fields)

    def _write(self, path: Path) -> None:
        save_tensors({name: torch.from_numpy(each) for name, each in self._tensors.items()}, path)

    def _of(self, measure: str, each: BlockGrid) -> np.ndarray:
        return self._tensors[f"{measure}.{each.grid}"]
