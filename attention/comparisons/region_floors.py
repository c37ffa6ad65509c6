"""Noise floors of what lies in a region: how far each measure of it moves in the base by itself.

Of a comparison that keeps the floors' rows they are known of every measure, in each of the answer's rows and over them.
One that keeps their means alone, as those of earlier versions do, knows mass, share and lift over the answer's rows.
Needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from attention.errors import NotInRun, quoted
from attention.limits import MAX_TABLE_VALUES
from attention.measures import regions
from attention.runs.layer_file import LayerFile
from attention.runs.regions import Region, RegionCells, region_cells

from .comparison import TABLES as TABLES_FILE
from .comparison import Comparison
from .floors import floor_kinds, floor_places, mean_of_floors, measured_floors, multiples
from .measuring import THREADS, range_of
from .regions import TABLES, measured_together, region_change, rows_on_region
from .tables_beside import CELLS, ON_CELLS, floor_table

OF_MEANS = ("region_mass", "region_share", "region_lift")  # that a mean over rows can be taken of cell by cell


def known_measures(comparison: Comparison, query: int | str = "mean", tower: str = "language") -> tuple[str, ...]:
    """The measures of a region of which noise floors are known, in a row or as a mean; none without floors."""
    if not measured_floors(comparison):
        return ()
    if tower in comparison.info.get("floor_regions", []):
        return regions.NAMES if query == "mean" or query in comparison.rows_of_change("mean", tower) else ()
    return OF_MEANS if query == "mean" else ()


def region_floor(
    comparison: Comparison,
    kind: str,
    region: Region,
    measure: str,
    query: int | str = "mean",
    tower: str = "language",
) -> np.ndarray:
    """Movement of a measure of `attention.measures.regions.NAMES` by itself: float32 [layers, heads], 0 and more.

    Of one of the answer's rows or of their mean, as `region_change`; NaN where it is not known. Raises NotInRun.
    """
    comparison.require_heads()
    places = floor_places(comparison, kind)
    if measure not in regions.NAMES:
        raise NotInRun(f"There is no measure {quoted(measure)} of a region; there is {', '.join(regions.NAMES)}.")
    rows = comparison.rows_of_change(query, tower)
    _check_known(comparison, measure, query, tower)
    if tower not in comparison.info.get("floor_regions", []):
        return _of_means(comparison, places, region, measure, tower)
    answering = comparison.rows_of_change("mean", tower)
    chosen = [answering.index(row) for row in rows]
    moved = []
    for place in places:
        together = [] if tower == "vision" else measured_floors(comparison)[place].get("together", [])
        spans = [
            next(((group[0], group[1]) for group in together if row in range_of(group)), (row, row)) for row in rows
        ]
        before = rows_on_region(comparison.base, region, measure, spans, tower)
        moved.append(_on_region(comparison, place, region, measure, tower)[..., chosen] - before)
    return mean_of_floors(np.stack(moved))


def region_times_floor(
    comparison: Comparison,
    kind: str,
    region: Region,
    measure: str,
    adapter: int,
    query: int | str = "mean",
    tower: str = "language",
) -> np.ndarray:
    """A change of `region_change` as a multiple of a floor, as `Comparison.times_floor`: float32 [layers, heads]."""
    change = region_change(comparison, region, measure, adapter, query, tower)
    return multiples(change, region_floor(comparison, kind, region, measure, query, tower))


def region_floors(
    comparison: Comparison, region: Region, query: int | str = "mean", tower: str = "language"
) -> dict[str, dict[str, np.ndarray]]:
    """Every floor that is known of a region: {kind: {measure: float32 [layers, heads]}}."""
    known = known_measures(comparison, query, tower)
    return {
        kind: {name: region_floor(comparison, kind, region, name, query, tower) for name in known}
        for kind in (floor_kinds(comparison) if known else ())
    }


def _check_known(comparison: Comparison, measure: str, query: int | str, tower: str) -> None:
    if measure in known_measures(comparison, query, tower):
        return
    if tower in comparison.info.get("floor_regions", []):
        raise NotInRun(f"Of a region noise floors are known of the answer's rows, and {quoted(query)} is none of them.")
    raise NotInRun(
        f"Of a region noise floors are known of {', '.join(OF_MEANS)}, as means over the answer's rows, and not of "
        f"{quoted(measure)}{'' if query == 'mean' else f' in row {quoted(query)}'}: the comparison does not keep the "
        f"floors' rows in the {tower} tower. Those of up to {MAX_TABLE_VALUES:,} numbers are kept: compare anew, with "
        "fewer visual tokens or a shorter answer."
    )


def _on_region(comparison: Comparison, place: int, region: Region, measure: str, tower: str) -> np.ndarray:
    """A measure of the rows of one floor's run: float32 [layers, heads, answer's rows]."""
    names, cells = measured_together(measure), region_cells(comparison.base, region, tower)
    key = (str(comparison.folder), comparison.info["id"], tower, place, region.place, region.image, names)

    def measured() -> np.ndarray:
        with LayerFile(comparison.folder / TABLES_FILE) as file:  # not kept: a large one is a quarter of a gigabyte
            rows = file.read_slice(floor_table(ON_CELLS, tower), (place,))
        with ThreadPoolExecutor(THREADS) as pool:
            return np.stack(list(pool.map(lambda layer: _of_layer(layer, cells, names), rows)), axis=1)

    return TABLES.get(key, measured)[names.index(measure)]


def _of_layer(rows: np.ndarray, cells: RegionCells, names: Sequence[str]) -> np.ndarray:
    """Measures of rows on cells [heads, rows, cells]: float32 [measures, heads, rows]; NaN of a row that is."""
    found = regions.of_cells(rows, cells.shared, cells.areas, cells.own, names)
    return np.stack([found[name] for name in names])


def _of_means(comparison: Comparison, places: Sequence[int], region: Region, measure: str, tower: str) -> np.ndarray:
    cells = region_cells(comparison.base, region, tower)
    table = CELLS[0] if measure == "region_mass" else CELLS[1]
    moved = comparison.read_table(floor_table(table, tower))[list(places)] @ (cells.shared / cells.areas)
    if measure == "region_lift":
        moved = moved / regions.uniform_share(cells.shared, cells.areas)
    return mean_of_floors(moved[..., None])
