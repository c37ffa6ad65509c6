"""Maps made smaller by area: every cell of the result is the mean of the part of the map that it covers.

Pure functions on arrays. Knows no run and no picture.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np


def pooled_shape(rows: int, cols: int, max_cells: int) -> tuple[int, int]:
    """The largest shape of about the same proportions with at most `max_cells` cells; never larger than the map."""
    if rows * cols <= max_cells:
        return rows, cols
    shrink = math.sqrt(max_cells / (rows * cols))
    if rows <= cols:
        fewer_rows = max(1, math.floor(rows * shrink))
        return fewer_rows, min(cols, max_cells // fewer_rows)
    fewer_cols = max(1, math.floor(cols * shrink))
    return min(rows, max_cells // fewer_cols), fewer_cols


@lru_cache(maxsize=64)
def area_weights(count: int, fewer: int) -> np.ndarray:
    """Share of each of `fewer` equal parts that every one of `count` equal parts fills: float32 [fewer, count]."""
    starts, stops = np.arange(fewer) * count / fewer, np.arange(1, fewer + 1) * count / fewer
    cells = np.arange(count)
    overlap = np.minimum(stops[:, None], cells + 1) - np.maximum(starts[:, None], cells)
    weights = (np.clip(overlap, 0, None) * fewer / count).astype(np.float32)
    weights.flags.writeable = False  # kept and shared
    return weights


def pool_maps(maps: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Maps [..., rows, cols] as area means, float32 [..., fewer rows, fewer cols]."""
    down = area_weights(maps.shape[-2], rows)
    across = area_weights(maps.shape[-1], cols)
    return down @ maps @ across.T  # map by map: too small to wait for a second thread
