"""Measures of what a row of attention puts on a region of a picture, and what chance would put there.

Pure functions on arrays of cells, float32 or float64; everything is computed in float64. A region is given by the area
that each cell shares with it. Knows neither runs nor how a region was named.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NAMES = ("region_mass", "region_share", "region_lift", "region_peak", "region_rank", "region_iou")
SPREAD = 0.25  # of the width and of the height: the centre prior's standard deviation
RANDOM_HEADS = 20


def shared_areas(cells: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """Area that each cell shares with a box, in square pixels: [cells, 4] as (x0, y0, x1, y1) -> float64 [cells]."""
    cells, (x0, y0, x1, y1) = np.asarray(cells, np.float64), box
    across = np.minimum(cells[:, 2], x1) - np.maximum(cells[:, 0], x0)
    down = np.minimum(cells[:, 3], y1) - np.maximum(cells[:, 1], y0)
    areas: np.ndarray = np.clip(across, 0, None) * np.clip(down, 0, None)
    return areas


def areas_of(cells: np.ndarray) -> np.ndarray:
    """Area of each cell in square pixels: [cells, 4] -> float64 [cells]."""
    cells = np.asarray(cells, np.float64)
    areas: np.ndarray = (cells[:, 2] - cells[:, 0]) * (cells[:, 3] - cells[:, 1])
    return areas


def belongs(shared: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Cells of one grid that stand for the region: bool [cells].

    Those of which it covers half, or that hold half of it; where there are none, those that share most with it. None
    where the grid does not show it.
    """
    found: np.ndarray = (shared > 0) & (shared >= 0.5 * np.minimum(areas, shared.sum()))
    return found if found.any() else (shared > 0) & (shared == shared.max())


def touched(cells: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """Cells whose middle half, across and down, touches a box: [cells, 4] as (x0, y0, x1, y1) -> bool [cells].

    A peak there is a hit by the card of the bundled model, also where the box holds too little of the cell to own it.
    """
    cells, (x0, y0, x1, y1) = np.asarray(cells, np.float64), box
    width, height = (cells[:, 2] - cells[:, 0]) / 4, (cells[:, 3] - cells[:, 1]) / 4
    across = (cells[:, 2] - width > x0) & (cells[:, 0] + width < x1)
    down = (cells[:, 3] - height > y0) & (cells[:, 1] + height < y1)
    found: np.ndarray = across & down
    return found


def of_cells(
    values: np.ndarray, shared: np.ndarray, areas: np.ndarray, own: np.ndarray, names: Sequence[str] = NAMES
) -> dict[str, np.ndarray]:
    """Measures by their names of maps [..., cells] of all pictures, grid behind grid: float32 [...] each.

    `shared` and `areas` are in square pixels [cells], `own` is what `belongs` says of each grid. A cell that is covered
    in part counts for that part. `region_mass` is the mass in the region; `region_share` its share of the mass on
    pictures; `region_lift` that share as a multiple of `uniform_share`; `region_peak` 1 where the highest cell is one
    of the region's, else 0; `region_rank` the place of the region's best cell among all, 1 for the highest;
    `region_iou` the intersection over union, by area, of the region and as many of the highest cells as are nearest to
    it in area. NaN where nothing of the pictures is read.
    """
    values = np.asarray(values, np.float64)
    mass, on_region = values.sum(axis=-1), values @ (shared / areas)
    best = np.where(own, values, -np.inf).max(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(mass > 0, on_region / mass, np.nan)
    nothing = np.where(mass > 0, 0, np.nan)
    made = {
        "region_mass": lambda: on_region,
        "region_share": lambda: share,
        "region_lift": lambda: share / uniform_share(shared, areas),
        "region_peak": lambda: (best >= values.max(axis=-1)) + nothing,
        "region_rank": lambda: 1 + (values > best[..., None]).sum(axis=-1) + nothing,
        "region_iou": lambda: _iou_of_highest(values, shared, areas) + nothing,
    }
    return {name: made[name]().astype(np.float32) for name in names}


def _iou_of_highest(values: np.ndarray, shared: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Intersection over union of the region and of the highest cells, whose area is nearest to its own: [...]."""
    region = shared.sum()
    order = np.argsort(-values, axis=-1, kind="stable")
    area = np.cumsum(areas[order], axis=-1)
    count = np.abs(area - region).argmin(axis=-1)[..., None]
    area = np.take_along_axis(area, count, axis=-1)[..., 0]
    common = np.take_along_axis(np.cumsum(shared[order], axis=-1), count, axis=-1)[..., 0]
    iou: np.ndarray = common / (area + region - common)
    return iou


def uniform_share(shared: np.ndarray, areas: np.ndarray) -> float:
    """Share of a row that reads every cell of every picture alike."""
    return float((shared / areas).mean())


def central_share(middles: np.ndarray, shared: np.ndarray, areas: np.ndarray) -> float:
    """Share of a row that reads the middle of every picture: a Gaussian on each, taken at the middle of each cell.

    `middles` [cells, 2] are x and y as parts of their picture's width and height, 0 to 1; a quarter is the standard
    deviation.
    """
    prior = np.exp(-(((np.asarray(middles, np.float64) - 0.5) / SPREAD) ** 2).sum(axis=1) / 2)
    return float(prior @ (shared / areas) / prior.sum())


def of_random_heads(table: np.ndarray, layer: int, head: int, seed: int = 0) -> tuple[float, float, int]:
    """Mean and standard deviation of a measure over random other heads, and how many: of [layers, heads].

    Twenty, or all others where there are fewer; heads without a value are left out.
    """
    others = np.delete(np.asarray(table, np.float64).ravel(), layer * table.shape[1] + head)
    others = others[~np.isnan(others)]
    chosen = np.random.default_rng(seed).permutation(len(others))[:RANDOM_HEADS]
    if not len(chosen):
        return float("nan"), float("nan"), 0
    return float(others[chosen].mean()), float(others[chosen].std()), len(chosen)
