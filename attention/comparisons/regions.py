"""Regions of a picture in a comparison: the measures of every member, and by how much they changed.

Owns which rows are set against each other; each row is measured as for a single run. Every number is from queries and
keys of both, kept in memory while it is looked at, and never written into the folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from attention.errors import NotInRun, quoted
from attention.measures import regions
from attention.runs.array_cache import ArrayCache
from attention.runs.regions import Region, region_cells
from attention.runs.run import Run

from .comparison import BASE, Comparison, mean_of_known
from .measuring import AT_ONCE, THREADS, ranges

TABLES = ArrayCache(64 * 2**20)
OVERLAP = "region_iou"


def region_table(
    comparison: Comparison,
    member: str,
    region: Region,
    measure: str,
    query: int | str = "mean",
    tower: str = "language",
    beside: str | None = None,
) -> np.ndarray:
    """A measure of `attention.measures.regions.NAMES` of a member's rows: float32 [layers, heads, rows].

    `query` is a row of the base's, or `mean`: the rows over which `Comparison.change` takes the mean. Of rows beyond
    those in common it is that of the rows that stand for them, NaN where there is none; of the base's own, those that
    stand for rows of the member `beside`. Layers and heads are the member's own. Not to be written into. Raises
    NotInRun.
    """
    if measure not in regions.NAMES:
        raise NotInRun(f"There is no measure {quoted(measure)} of a region; there is {', '.join(regions.NAMES)}.")
    run, rows = comparison.run(member), comparison.rows_of_change(query, tower)
    spans = [comparison.span_of(member, row, tower, beside) for row in rows]
    return rows_on_region(run, region, measure, spans, tower)


def rows_on_region(
    run: Run, region: Region, measure: str, spans: Sequence[tuple[int, int] | None], tower: str = "language"
) -> np.ndarray:
    """A measure of some rows of a run: float32 [layers, heads, rows]. Not to be written into.

    Of several rows from a first to a last it is of their mean; NaN for None.
    """
    names = measured_together(measure)
    name = (str(run.folder), run.info["id"], tower, *spans, region.place, region.image, names)
    return TABLES.get(name, lambda: _measured(run, region, spans, tower, names))[names.index(measure)]


def measured_together(measure: str) -> tuple[str, ...]:
    """The measures that are made with one: the overlap, which sorts every row, takes as long as many of the others."""
    return tuple(name for name in regions.NAMES if (name == OVERLAP) == (measure == OVERLAP))


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
    Raises NotInRun, also of members side by side.
    """
    comparison.require_heads()
    other = comparison.member_of(adapter)
    if query != "mean" and comparison.span_of(other, comparison.rows_of_change(query, tower)[0], tower) is None:
        comparison.group_of(other, int(query))  # says so
    before, after = (region_table(comparison, member, region, measure, query, tower, other) for member in (BASE, other))
    return mean_of_known(after - before)


def _measured(
    run: Run, region: Region, spans: Sequence[tuple[int, int] | None], tower: str, names: tuple[str, ...]
) -> np.ndarray:
    """Measures of some rows of each layer, a bounded number at a time: float32 [measures, layers, heads, rows].

    Of several rows from a first to a last they are of their mean; NaN for None.
    """
    cells = region_cells(run, region, tower)
    alone = [(at, span[0]) for at, span in enumerate(spans) if span and span[0] == span[1]]
    several = [(at, span) for at, span in enumerate(spans) if span and span[0] != span[1]]

    def of_layer(layer: int) -> np.ndarray:
        table = np.full((len(names), run.heads(tower), len(spans)), np.nan, np.float32)
        places = iter(at for at, _ in alone)
        for first, last in ranges([row for _, row in alone], AT_ONCE):
            for _, chunk in run.dense_chunks(layer, tower, first, last):
                found = cells.measures(chunk, names)
                table[:, :, [next(places) for _ in range(chunk.shape[1])]] = np.stack([found[name] for name in names])
        for at, (first, last) in several:
            rows = np.concatenate([rows for _, rows in run.dense_chunks(layer, tower, first, last + 1)], axis=1)
            found = cells.measures(rows.mean(axis=1, dtype=np.float64), names)
            table[:, :, at] = np.stack([found[name] for name in names])
        return table

    with ThreadPoolExecutor(THREADS) as pool:
        return np.stack(list(pool.map(of_layer, run.layers(tower))), axis=1)
