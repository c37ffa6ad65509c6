"""A region of a picture of a run: a box or a point that somebody names, or a place that the answer names.

Owns which cells a region shares its area with; what a row puts there is measured by `attention.measures.regions`. Needs
NumPy alone. Regions are in pixels of the picture as the processor received it, as points and boxes in run.json are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from attention.errors import NotInRun, quoted
from attention.measures import regions

from .run import Run
from .tokens import cell_edges


@dataclass(frozen=True)
class Region:
    """A box (x0, y0, x1, y1) or a point (x, y) on one picture; a point is the cell that it lies in."""

    place: tuple[float, ...]
    image: int = 0
    label: str = ""

    def __str__(self) -> str:
        kind = "point" if len(self.place) == 2 else "box"
        return self.label or f"{kind} {', '.join(f'{side:g}' for side in self.place)}"


@dataclass(frozen=True)
class RegionCells:
    """The cells of all pictures of a tower, grid behind grid, and what of each is a region's.

    `keys` are theirs; `shared` and `areas` [cells] in square pixels, `own` [cells] says which stand for the region,
    `middles` [cells, 2] are parts of their picture's width and height.
    """

    keys: slice | np.ndarray
    shared: np.ndarray
    areas: np.ndarray
    own: np.ndarray
    middles: np.ndarray

    def measures(self, rows: np.ndarray, names: Sequence[str] = regions.NAMES) -> dict[str, np.ndarray]:
        """Measures of `attention.measures.regions` of rows [..., keys], by their names: float32 [...] each."""
        return regions.of_cells(rows[..., self.keys], self.shared, self.areas, self.own, names)

    @property
    def uniform(self) -> float:
        """Share of a row that reads every cell of every picture alike."""
        return regions.uniform_share(self.shared, self.areas)

    @property
    def central(self) -> float:
        """Share of a row that reads the middle of every picture."""
        return regions.central_share(self.middles, self.shared, self.areas)


@dataclass(frozen=True)
class RegionScores:
    """Measures of one row on a region, in every layer and head, and what chance would give.

    `tables` has float32 [layers, heads] for each of `attention.measures.regions.NAMES`; `uniform` and `central` are the
    shares of a row that reads every cell alike, and of one that reads the middle.
    """

    region: Region
    query: int
    layers: list[int]
    tables: dict[str, np.ndarray]
    uniform: float
    central: float

    def best(self, measure: str = "region_share", n: int = 10) -> list[tuple[int, int]]:
        """The heads with the most, or the lowest rank, first: [(layer, head)]; heads without a value are left out."""
        table = self.tables[measure]
        order = np.argsort(table if measure == "region_rank" else -table, axis=None, kind="stable")
        places = [divmod(int(i), table.shape[1]) for i in order if not np.isnan(table.flat[i])]
        return [(self.layers[layer], head) for layer, head in places[:n]]

    def of_head(self, layer: int, head: int) -> dict[str, float]:
        """One head's measures, and beside them the share of random other heads: mean, spread, how many."""
        i = self.layers.index(layer)
        mean, spread, count = regions.of_random_heads(self.tables["region_share"], i, head)
        measures = {name: float(table[i, head]) for name, table in self.tables.items()}
        return measures | {"random_mean": mean, "random_spread": spread, "random_heads": count}


def read_region(run: Run, place: Sequence[float], image: int = 0, label: str = "") -> Region:
    """A box or a point that must lie on a picture of the run. Raises NotInRun with what is wrong, and its value."""
    pictures = run.info["images"]
    if isinstance(place, str) or not hasattr(place, "__len__"):
        raise NotInRun(f"A region is a box of four numbers (x0, y0, x1, y1) or a point of two, not {quoted(place)}.")
    said = f"[{', '.join(quoted(side) for side in place)}]"
    if not pictures:
        raise NotInRun("A region lies on a picture, and this run has none.")
    if isinstance(image, bool) or not isinstance(image, Integral) or not 0 <= image < len(pictures):
        raise NotInRun(f"There is no image {quoted(image)} in this run: it has {len(pictures)}, counted from 0.")
    width, height = pictures[image]["width"], pictures[image]["height"]
    if len(place) not in (2, 4):
        raise NotInRun(f"A region is a box of four numbers (x0, y0, x1, y1) or a point of two (x, y), not {said}.")
    if not all(isinstance(side, Real) and not isinstance(side, bool) and math.isfinite(side) for side in place):
        raise NotInRun(f"A region's sides are finite numbers, in pixels of the picture, not {said}.")
    if len(place) == 4 and not (place[0] < place[2] and place[1] < place[3]):
        raise NotInRun(f"The box {said} has no area: x0 must be less than x1, and y0 less than y1.")
    if not all(0 <= side <= (height if i % 2 else width) for i, side in enumerate(place)):
        raise NotInRun(f"The region {said} leaves its picture, which is {width}x{height} pixels.")
    return Region(tuple(map(float, place)), int(image), label)


def answer_regions(run: Run, places: Mapping[str, Any] | None = None) -> list[Region]:
    """The places that the answer names, on the pictures that it names: boxes first, then points.

    `places` has the `boxes` and `points` of `attention.run_places`, where the answer's numbers were read anew; by
    default they are as the run has them. One whose numbers can be read in two ways (`ambiguous`) is left out: it may
    lie elsewhere.
    """
    named = run.info if places is None else places
    boxes = [(box, ("x0", "y0", "x1", "y1")) for box in named.get("boxes") or ()]
    points = [(point, ("x", "y")) for point in named.get("points") or ()]
    return [
        Region(tuple(float(place[side]) for side in sides), place["image"], place.get("label") or "")
        for place, sides in [*boxes, *points]
        if not place.get("ambiguous")
    ]


def region_scores(
    run: Run, region: Region, query: int, tower: str = "language", until: int | None = None
) -> RegionScores:
    """Measure what the row of a query (or the mean of the rows to `until`) puts on a region, in every layer and head.

    Shares, ranks and chance are among the cells of all pictures: tiles, and the whole beside them. Raises NotInRun
    where the region's picture has none in this tower, or where the model was shown nothing of the region.
    """
    rows = run.exact_rows(query, tower, until)
    cells = region_cells(run, region, tower)
    tables = cells.measures(rows)
    return RegionScores(region, query, run.layers(tower), tables, cells.uniform, cells.central)


def region_cells(run: Run, region: Region, tower: str = "language") -> RegionCells:
    """Find the cells that a region shares its area with. Raises NotInRun as `region_scores` does."""
    grids = [run.info["grids"][grid] for grid in run.grids(tower)]
    if not any(is_on(grid, region) for grid in grids):
        raise NotInRun(f"Image {region.image} has no cells in this run's {tower} tower: nothing of it is read there.")
    parts = [_part(grid, region, run.info["images"][grid["image"]]) for grid in grids]
    shared, areas, own, middles = (np.concatenate(side) for side in zip(*parts, strict=True))
    if not shared.any():
        raise NotInRun(f"The region ({region}) lies on no cell of its picture: the model was not shown that part.")
    return RegionCells(run.pictures(tower)[0], shared, areas, own, middles)


def region_touches(
    run: Run, region: Region, query: int, tower: str = "language", until: int | None = None
) -> np.ndarray:
    """Hits: heads whose highest cell touches a region with its middle half, float32 [layers, heads] of 1 and 0.

    That is how the card of the bundled model counts; a point is touched by the cell that it lies in. NaN where nothing
    of the pictures is read. Raises NotInRun.
    """
    rows = run.exact_rows(query, tower, until)[..., run.pictures(tower)[0]]
    grids = [run.info["grids"][grid] for grid in run.grids(tower)]
    on = np.concatenate([_touched(grid, region) for grid in grids]) if grids else np.zeros(0, bool)
    if not len(on):
        raise NotInRun(f"This run's {tower} tower reads no picture.")
    hits: np.ndarray = np.where(rows.sum(axis=-1) > 0, on[rows.argmax(axis=-1)], np.nan).astype(np.float32)
    return hits


def is_on(grid: dict[str, Any], region: Region) -> bool:
    """True for a grid whose cells were made from the region's picture, one of several frames or alone."""
    return region.image in (grid.get("images") or [grid["image"]])


def _touched(grid: dict[str, Any], region: Region) -> np.ndarray:
    cells = _cell_boxes(grid)
    if not is_on(grid, region):
        return np.zeros(len(cells), bool)
    return regions.touched(cells, region.place) if len(region.place) == 4 else _shared(cells, region) > 0


def _part(grid: dict[str, Any], region: Region, picture: dict[str, Any]) -> tuple[np.ndarray, ...]:
    """A grid's cells: area shared with the region, area, whether they stand for it, and their middles in the picture.

    Middles are [cells, 2], parts of the picture's width and height.
    """
    cells = _cell_boxes(grid)
    areas = regions.areas_of(cells)
    shared = _shared(cells, region) if is_on(grid, region) else np.zeros(len(cells))
    middles = (cells[:, :2] + cells[:, 2:]) / 2 / (picture["width"], picture["height"])
    return shared, areas, regions.belongs(shared, areas), middles


def _cell_boxes(grid: dict[str, Any]) -> np.ndarray:
    """The boxes of a grid's cells, row by row: float64 [cells, 4] as (x0, y0, x1, y1)."""
    rows, cols = (np.asarray(edges, np.float64) for edges in cell_edges(grid))
    y0, x0 = (side.reshape(-1) for side in np.meshgrid(rows[:-1], cols[:-1], indexing="ij"))
    y1, x1 = (side.reshape(-1) for side in np.meshgrid(rows[1:], cols[1:], indexing="ij"))
    return np.stack([x0, y0, x1, y1], axis=1)


def _shared(cells: np.ndarray, region: Region) -> np.ndarray:
    """The area of each cell that is the region's; of a point the whole cell that it lies in."""
    if len(region.place) == 4:
        return regions.shared_areas(cells, region.place)
    x, y = region.place
    # on a border: the cell right of it and below; on the picture's own end the last one
    within = (cells[:, 0] <= x) & (cells[:, 1] <= y) & (x <= cells[:, 2]) & (y <= cells[:, 3])
    last = np.flatnonzero(within)[-1:]
    shared = np.zeros(len(cells))
    shared[last] = regions.areas_of(cells)[last]
    return shared
