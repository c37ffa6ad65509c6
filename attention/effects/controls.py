"""Controls: random regions and heads to set beside those that are tried, as large and as much read.

Owns the draw. A region's control has as many cells in the same arrangement, elsewhere on the same picture, and a mass
within 20 % of its own; where a picture has too few such places, the nearest are taken and the gap is said. Needs NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from attention.readings.agreement import tower_of_pictures
from attention.runs.run import Run

N_CONTROLS = 20
MOST_SETS = 5_000  # of heads that are looked at
ALIKE = 0.2  # by which a control's mass may differ, of the mass


@dataclass(frozen=True)
class Controls:
    """Other regions: their `keys`, and by how much the mass of the worst of them differs, of the region's own."""

    keys: list[tuple[int, ...]]
    gap: float

    @property
    def are_alike(self) -> bool:
        return self.gap <= ALIKE


def control_regions(
    run: Run, keys: tuple[int, ...], queries: list[int], n: int = N_CONTROLS, seed: int = 0
) -> Controls:
    """Places of the same arrangement of cells that share none with it, those of most nearly its mass.

    The mass is that of the mean of all heads and layers over the rows `queries`.
    """
    tower = tower_of_pictures(run)
    row = np.mean([run.exact_rows(query, tower).mean(axis=(0, 1)) for query in queries], axis=0)
    own, mass = set(keys), float(row[list(keys)].sum())
    places = [place for place in _places(run, keys, tower) if not own & set(place)]
    np.random.default_rng(seed).shuffle(places)
    masses = np.array([row[list(place)].sum() for place in places])
    gaps = np.abs(masses - mass) / max(mass, 1e-12)
    alike = np.flatnonzero(gaps <= ALIKE)[:n]  # a random choice of them: they were shuffled
    chosen = alike if len(alike) == min(n, len(places)) else np.argsort(gaps, kind="stable")[:n]
    return Controls([places[i] for i in chosen], float(gaps[chosen].max(initial=0.0)))


def _places(run: Run, keys: tuple[int, ...], tower: str) -> list[tuple[int, ...]]:
    """Every shift of an arrangement of cells that stays on its grids."""
    wanted, shifts = set(keys), list[list[tuple[int, ...]]]()
    for number, grid in enumerate(run.info["grids"]):
        if grid["tower"] != tower:
            continue
        cells = run.cells(number)
        rows, cols = np.nonzero(np.isin(cells, list(wanted)))
        if not len(rows):
            continue
        own: list[tuple[int, ...]] = []
        for down in range(-int(rows.min()), cells.shape[0] - int(rows.max())):
            across = range(-int(cols.min()), cells.shape[1] - int(cols.max()))
            own += [tuple(int(key) for key in cells[rows + down, cols + right]) for right in across]
        shifts.append(own)
    if len(shifts) == 1:
        return shifts[0]
    return []  # on several grids (tiles and the whole) one shift is not one place


def control_heads(
    masses: np.ndarray, chosen: Sequence[tuple[int, int]], n: int = N_CONTROLS, seed: int = 0
) -> tuple[list[list[tuple[int, int]]], float]:
    """Sets of as many other heads, (index of layer, head), that together read most nearly as much of pictures.

    `masses` [layers, heads] of what each reads. A random choice of those whose mass differs by 20 % at most, else the
    nearest; with them by how much the worst differs, of the chosen heads' own. No set where there are too few others.
    """
    others = [(layer, head) for layer, head in np.ndindex(*masses.shape) if (layer, head) not in set(chosen)]
    drawn = np.random.default_rng(seed)
    if comb(len(others), len(chosen)) <= MOST_SETS:
        sets = [list(each) for each in combinations(others, len(chosen))]
        drawn.shuffle(sets)
    else:
        picked = (tuple(sorted(drawn.permutation(len(others))[: len(chosen)].tolist())) for _ in range(MOST_SETS))
        sets = [[others[i] for i in each] for each in dict.fromkeys(picked)]
    if not sets:
        return [], 0.0
    own = sum(float(masses[place]) for place in chosen)
    totals = np.array([sum(float(masses[place]) for place in each) for each in sets])
    gaps = np.abs(totals - own) / max(own, 1e-12)
    alike = np.flatnonzero(gaps <= ALIKE)[:n]  # a random choice of them: they were shuffled
    best = alike if len(alike) == min(n, len(sets)) else np.argsort(gaps, kind="stable")[:n]
    return [sets[i] for i in best], float(gaps[best].max())
