"""Insertion and deletion curves: the answer's probability as regions go, or come, in the order of each map.

Owns the orders and the area under a curve. Regions that a map expects most of go first, or last; what is hidden in all
is the same set for several maps, and is measured once. Insertion is the second read backwards: the regions that are
still there are those that the map puts first (Petsiuk et al. 2018, arXiv:1806.07421).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from attention.capture.tried import Trials
from attention.readings.agreement import HIDDEN, PAINTED, Block
from attention.readings.trial import Hide

MOST_STEPS = 16  # of a curve: of more regions several go at a time
DELETION, INSERTION = "deletion", "insertion"


@dataclass(frozen=True)
class Curves:
    """Curves of one input by one way to take regions away, in the target's own units.

    `first` and `last` {map: float64 [steps + 1]}: the target as regions go, those first that the map names first, or
    those that it names last; from nothing taken away to everything. `is_difference`: the target is a difference of two
    logits, else a log-probability.
    """

    first: dict[str, np.ndarray]
    last: dict[str, np.ndarray]
    is_difference: bool = False

    def curve(self, name: str, kind: str) -> np.ndarray:
        """The answer's probability [steps + 1] of a map: falling as regions go, or rising as they come back."""
        return self._probability(self.first[name] if kind == DELETION else self.last[name][::-1])

    def area(self, name: str, kind: str) -> float:
        """The area under a curve, from 0 to 1: small is good of deletion, large of insertion."""
        curve = self.curve(name, kind)
        return float(sum((one + other) / 2 for one, other in pairwise(curve)) / (len(curve) - 1))

    def _probability(self, values: np.ndarray) -> np.ndarray:
        """Of the answer, or of the one token where there are only the two."""
        if not self.is_difference:
            return np.asarray(np.exp(np.minimum(values, 0)), np.float64)
        return np.asarray(np.exp(-np.logaddexp(0, -values)), np.float64)


def n_trials(n_regions: int, n_maps: int) -> int:
    """Most trials that curves of so many maps take: what is taken away last is the same for all."""
    return 2 * n_maps * (min(n_regions, MOST_STEPS) - 1) + 1


def measure_curves(
    ready: Trials,
    blocks: Sequence[Block],
    maps: Mapping[str, np.ndarray],
    by: str,
    tower: str = "language",
    on_done: Callable[[int, int], None] | None = None,
) -> Curves:
    """Measure the curves of every map, by hiding regions from all outside of them, or by painting them over.

    `maps` {name: harm expected of each region, [regions]}. Raises what `Trials.without` and `Trials.painted` raise.
    """
    orders = {(name, way): _sets(harm, way) for name, harm in maps.items() for way in (DELETION, INSERTION)}
    every = list(dict.fromkeys(each for sets in orders.values() for each in sets))
    parts = [[blocks[i] for i in sorted(each)] for each in every]
    if by == HIDDEN:
        keys = [tuple(sorted(key for block in part for key in block.keys)) for part in parts]
        tried = ready.without([Hide(each, tower=tower) for each in keys], on_done)
    else:
        assert by == PAINTED, by
        tried = ready.painted_together([[block.region for block in part] for part in parts], on_done=on_done)
    values = dict(zip(every, tried.values.tolist(), strict=True))
    found = {place: np.array([tried.value, *(values[each] for each in sets)]) for place, sets in orders.items()}
    return Curves(
        {name: found[name, DELETION] for name in maps},
        {name: found[name, INSERTION] for name in maps},
        ready.target.against is not None,
    )


def _sets(harm: np.ndarray, way: str) -> list[frozenset[int]]:
    """Regions that are taken away after each step, the most harmful first for deletion, the least for insertion."""
    order = np.argsort(harm, kind="stable")
    steps = np.array_split(order if way == DELETION else order[::-1], min(len(order), MOST_STEPS))
    taken: set[int] = set()
    found = []
    for step in steps:
        taken |= set(step.tolist())
        found.append(frozenset(taken))
    return found


def curves_record(curves: Curves) -> dict[str, Any]:
    """Curves as plain data."""
    ways = {"first": curves.first, "last": curves.last}
    return {way: {name: each.tolist() for name, each in found.items()} for way, found in ways.items()} | {
        "is_difference": curves.is_difference
    }


def read_curves(record: dict[str, Any]) -> Curves:
    """Curves of plain data."""
    first, last = ({name: np.array(each) for name, each in record[way].items()} for way in ("first", "last"))
    return Curves(first, last, record["is_difference"])
