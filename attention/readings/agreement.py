"""Agreement of maps with what knock-outs do: how far what was read, or forecast, orders regions as trying it does.

Owns the regions that are tried and the two numbers that are said of each map: the rank correlation over regions, and
whether the most harmful region is found. Needs NumPy alone; what was tried comes from `attention.capture.tried`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from attention.errors import NotInRun
from attention.runs.regions import Region, region_cells
from attention.runs.run import Run
from attention.runs.tokens import cell_edges

SIDES = 4  # regions of a picture along each side
HIDDEN, PAINTED = "hidden", "painted"
NAMES = {
    "random": "a random order",
    "mean": "attention, mean of all heads",
    "last": "attention, last layer",
    "gradient": "gradient x attention, rows that predict the answer",
    "gradient_relu": "the same, positive parts alone",
    "forecast": "forecast of knock-outs",
    HIDDEN: "hiding it",
}
DRAWS = 2_000  # random orders, from which chance is told


@dataclass(frozen=True)
class Block:
    """A part of a picture: its box in pixels, and the keys that stand for it."""

    region: Region
    keys: tuple[int, ...]


@dataclass(frozen=True)
class Agreement:
    """Agreement of one map with one truth over the regions of one input.

    `rank` is Spearman's correlation, NaN where either is the same everywhere; `hits` is true where both name the same
    region as the most harmful.
    """

    rank: float
    hits: bool


def tower_of_pictures(run: Run) -> str:
    """The tower in whose rows text reads pictures. Raises NotInRun for a run without a picture's place."""
    for tower in ("cross", "language"):
        if tower in run.towers() and run.grids(tower):
            return tower
    raise NotInRun("No token of this run stands for a place on a picture, so no region can be tried.")


def picture_blocks(run: Run, sides: int = SIDES) -> list[Block]:
    """Each picture in sides x sides regions; a cell belongs to the one in which its middle lies.

    Where a picture is one grid, a region ends where its cells end. Regions without a cell are left out.
    """
    tower, blocks = tower_of_pictures(run), []
    for image, picture in enumerate(run.info["images"]):
        size = np.array([picture["width"], picture["height"]]) / sides
        parts: dict[tuple[int, int], list[int]] = {}
        grids = [grid for grid in run.grids(tower) if run.info["grids"][grid]["image"] == image]
        for number in grids:
            cells = run.cells(number)
            ys, xs = (np.array(edges) for edges in cell_edges(run.info["grids"][number]))
            cols, rows = (
                ((edges[1:] + edges[:-1]) / 2 // side).astype(int) for edges, side in zip((xs, ys), size, strict=True)
            )
            for (row, col), key in np.ndenumerate(cells):
                place = min(int(rows[row]), sides - 1), min(int(cols[col]), sides - 1)
                parts.setdefault(place, []).append(int(key))
        for (row, col), keys in sorted(parts.items()):
            own = tuple(sorted(keys))
            box = box_of(run, own, image, tower)
            if len(grids) > 1:
                box = tuple(
                    float(side) for side in (col * size[0], row * size[1], (col + 1) * size[0], (row + 1) * size[1])
                )
            blocks.append(Block(Region(box, image), own))
    return blocks


def keys_of(run: Run, region: Region, tower: str) -> tuple[int, ...]:
    """The keys of cells that stand for a region: those at least half of which it covers. None where it covers none."""
    try:
        cells = region_cells(run, region, tower)
    except NotInRun:
        return ()
    keys = cells.keys if isinstance(cells.keys, np.ndarray) else np.arange(cells.keys.start, cells.keys.stop)
    inside = cells.own if len(region.place) == 2 else cells.shared >= cells.areas / 2
    return tuple(int(key) for key in keys[inside])


def box_of(run: Run, keys: tuple[int, ...], image: int, tower: str) -> tuple[float, ...]:
    """The smallest box of a picture, in its pixels, that holds all cells of these keys."""
    sides = []
    for number, grid in enumerate(run.info["grids"]):
        if grid["tower"] != tower or grid["image"] != image:
            continue
        ys, xs = cell_edges(grid)
        rows, cols = np.nonzero(np.isin(run.cells(number), list(keys)))
        if len(rows):
            sides.append((xs[cols.min()], ys[rows.min()], xs[cols.max() + 1], ys[rows.max() + 1]))
    lows, highs = np.array(sides)[:, :2].min(axis=0), np.array(sides)[:, 2:].max(axis=0)
    return tuple(float(side) for side in (*lows, *highs))


def agreement(expected: np.ndarray, measured: np.ndarray) -> Agreement:
    """Agreement of the harm that a map expects of each region with that measured, [regions] each, negative is harm."""
    lowest = np.flatnonzero(expected == expected.min())  # several name no region
    return Agreement(spearman(expected, measured), lowest.tolist() == [int(measured.argmin())])


def agreements(maps: Mapping[str, np.ndarray], measured: Mapping[str, np.ndarray]) -> dict[str, dict[str, Agreement]]:
    """Agreement of each map with each truth: {map: {truth: Agreement}}; hiding is judged as a map of painting."""
    table = {
        name: {truth: agreement(values, found) for truth, found in measured.items()} for name, values in maps.items()
    }
    if len(measured) == 2:
        table[HIDDEN] = {PAINTED: agreement(measured[HIDDEN], measured[PAINTED])}
    return table


def rank_by_chance(measured: np.ndarray, seed: int = 0) -> float:
    """The rank correlation that a random order of these regions stays below in 19 of 20 cases, whatever its sign.

    NaN where all were measured alike.
    """
    return _rank_by_chance(tuple(_ranks(np.asarray(measured, np.float64)).tolist()), seed)


@lru_cache(256)
def _rank_by_chance(ranks: tuple[float, ...], seed: int) -> float:
    """The same of ranks, kept: it is drawn at random many times, and asked for with each list of readings."""
    draw, order = np.random.default_rng(seed), np.arange(len(ranks), dtype=np.float64)
    measured = np.array(ranks)
    return float(np.quantile([abs(spearman(draw.permutation(order), measured)) for _ in range(DRAWS)], 0.95))


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation, equal values sharing their mean rank; NaN where one is the same everywhere."""
    ranks = [_ranks(np.asarray(values, np.float64)) for values in (one, other)]
    spread = [rank - rank.mean() for rank in ranks]
    norm = np.sqrt((spread[0] ** 2).sum() * (spread[1] ** 2).sum())
    return float((spread[0] * spread[1]).sum() / norm) if norm > 0 else float("nan")


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, equal values at the mean of theirs: float64."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(counts) - counts
    return np.asarray((first + (counts - 1) / 2)[where], np.float64)


def read_maps(run: Run, blocks: list[Block], queries: list[int]) -> dict[str, np.ndarray]:
    """Maps of what was read, as harm expected of each region: minus its mass, mean over the rows of `queries`.

    `mean` of all layers and heads, `last` of the last layer's heads; [regions] each.
    """
    tower = tower_of_pictures(run)
    rows = np.stack([run.exact_rows(query, tower) for query in queries]).mean(axis=0)
    layers = {"mean": rows.mean(axis=(0, 1)), "last": rows[-1].mean(axis=0)}
    return {name: -np.array([row[list(block.keys)].sum() for block in blocks]) for name, row in layers.items()}


def head_maps(run: Run, blocks: list[Block], queries: list[int]) -> np.ndarray:
    """The same of every head: float64 [layers, heads, regions], minus the mass."""
    tower = tower_of_pictures(run)
    rows = np.stack([run.exact_rows(query, tower) for query in queries]).mean(axis=0, dtype=np.float64)
    masses: np.ndarray = -np.stack([rows[:, :, list(block.keys)].sum(axis=-1) for block in blocks], axis=-1)
    return masses
