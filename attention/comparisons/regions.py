"""Regions of a picture in a comparison: the measures of every member, and by how much they changed.

Owns which rows are set against each other; each row is measured as for a single run. Every number is from queries and
keys of both, kept in memory while it is looked at, and never written into the folder.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from attention.errors import NotInRun, quoted
from attention.measures import regions
from attention.runs.array_cache import ArrayCache
from attention.runs.regions import Region, region_cells
from attention.runs.run import Run

from .comparison import AT_ONCE, BASE, THREADS, Comparison, mean_of_known, ranges

TABLES = ArrayCache(64 * 2**20)
OVERLAP = "region_iou"


def region_table(
    comparison: Comparison,
    member: str,
    region: Region,
    measure: str,
    query: int | str = "mean",
    tower: str = "language",
) -> np.ndarray:
    """A measure of `attention.measures.regions.NAMES` of a member's rows: float32 [layers, heads, rows].

    `query` is a row that all have in common, or `mean`: the rows over which `Comparison.change` takes the mean. Not to
    be written into. Raises NotInRun.
    """
    if measure not in regions.NAMES:
        raise NotInRun(f"There is no measure {quoted(measure)} of a region; there is {', '.join(regions.NAMES)}.")
    run, rows = comparison.run(member), comparison.rows_of_change(query, tower)
    place = region.place, region.image
    # the overlap sorts every row, which takes many times as long as all the others
    names = tuple(name for name in regions.NAMES if (name == OVERLAP) == (measure == OVERLAP))
    name = (str(run.folder), run.info["id"], tower, *rows[:1], len(rows), *place, names)
    return TABLES.get(name, lambda: _measured(run, region, rows, tower, names))[names.index(measure)]


def region_change(
    comparison: Comparison,
    region: Region,
    measure: str,
    adapter: int,
    query: int | str = "mean",
    tower: str = "language",
) -> np.ndarray:
    """Change of a measure of `attention.measures.regions.NAMES`, an adapter's less the base's: float32 [layers, heads].

    Of one row, or as a mean over rows (see `region_table`). NaN where one of the two reads nothing of the pictures; a
    mean is over the rows that have a value. A lower rank is a better one: there what is below 0 has come nearer.
    """
    members = BASE, comparison.member_of(adapter)
    before, after = (region_table(comparison, member, region, measure, query, tower) for member in members)
    return mean_of_known(after - before)


def _measured(run: Run, region: Region, rows: list[int], tower: str, names: tuple[str, ...]) -> np.ndarray:
    """Measures of some rows of each layer, a bounded number at a time: float32 [measures, layers, heads, rows]."""
    cells = region_cells(run, region, tower)

    def of_layer(layer: int) -> np.ndarray:
        parts = []
        for first, last in ranges(rows, AT_ONCE):
            for _, chunk in run.dense_chunks(layer, tower, first, last):
                found = cells.measures(chunk, names)
                parts.append(np.stack([found[name] for name in names]))
        return np.concatenate(parts, axis=-1)

    with ThreadPoolExecutor(THREADS) as pool:
        return np.stack(list(pool.map(of_layer, run.layers(tower))), axis=1)
