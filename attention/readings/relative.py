"""Relative attention: what a question makes a model read, over what a general one does, cell by cell.

The ratio of two rows of the same picture; the general question's is the row that predicts the first token of its answer
(Zhang et al., "MLLMs know where to look", ICLR 2025, arXiv:2502.17422, where the other question asks for a
description). Sinks and habits of place are in both rows, and drop out. Weights below `FLOOR` count as that, so that a
ratio is always a number: where neither question reads more than it, it is 1. Needs NumPy alone.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property

import numpy as np

from attention.errors import DamagedReading, InvalidRequest, NotInRun, quoted
from attention.runs.pooling import pool_maps, pooled_shape
from attention.runs.run import Run

from .reading import Reading, tensor_file

KIND, FILE = "relative", "rows.safetensors"
GENERAL = "Write a general description of the image."
TOWERS = ("language", "cross")  # in which text reads
FLOOR = 1e-6  # weights below it are noise of float32, or of float16 as rows are stored
OTHER_CELLS = "The two runs are not of the same picture and model, so their cells stand for different places."


def ratio(own: np.ndarray, general: np.ndarray, *, floor: float = FLOOR) -> np.ndarray:
    """Weights over weights, float32, both at least `floor`."""
    return np.maximum(own, np.float32(floor)) / np.maximum(general, np.float32(floor))


def relative_map(
    run: Run, general: Run, layer: int | str, head: int | str, grid: int = 0, tower: str = "language"
) -> np.ndarray:
    """Ratio of the answers' rows of two runs on one picture: float32 [rows, cols]; 1 where both read alike.

    `general` is a run of the same picture and model with a general question. Raises NotInRun where the two do not have
    the same cells.
    """
    if run.info["model"]["id"] != general.info["model"]["id"]:
        raise NotInRun(OTHER_CELLS)
    check_same_cells(run, general)
    own, other = (
        each.reduced_row(layer, head, answering(each), tower, source_of(each, tower))[each.tower_cells(grid, tower)]
        for each in (run, general)
    )
    return ratio(own, other)


def answering(run: Run) -> int:
    """The row that predicts the first token of an answer. Raises NotInRun where it is not known."""
    first = run.info.get("prompt_tokens")
    if first is None:
        raise NotInRun("run.json does not say where the answer begins, so no row is known to predict it.")
    return first - 1


def check_same_cells(run: Run, general: Run) -> None:
    """Raise NotInRun for runs that are not of the same pictures, read as the same cells."""
    if _places(run) != _places(general):
        raise NotInRun(OTHER_CELLS)


def _places(run: Run) -> list[tuple]:
    """Each grid in which text reads a picture: its tower, its picture, its box and its cells."""
    return [
        (tower, grid["image"], tuple(grid["box_px"]), grid["rows"], grid["cols"])
        for tower in towers_of(run)
        for grid in (run.info["grids"][number] for number in run.grids(tower))
    ]


def towers_of(run: Run) -> list[str]:
    """The towers in whose rows text reads pictures. Raises NotInRun for a run without a picture's place."""
    towers = [tower for tower in TOWERS if tower in run.towers() and run.grids(tower)]
    if not towers:
        raise NotInRun("No token of this run stands for a place on a picture, so there is nothing to set it over.")
    return towers


def name_of(prompt: str) -> str:
    """The name of the folder of a general question's rows, the same for the same words."""
    return hashlib.sha256(json.dumps({"kind": KIND, "prompt": prompt}, sort_keys=True).encode()).hexdigest()[:16]


def rows_of(run: Run, tower: str) -> np.ndarray:
    """The row that predicts the answer, on the cells of all grids, row by row: float32 [layers, heads, cells]."""
    query, cells = answering(run), cells_of(run, tower)
    return np.stack([run.row(layer, query, tower, source_of(run, tower))[:, cells] for layer in run.layers(tower)])


def cells_of(run: Run, tower: str) -> np.ndarray:
    """The keys of the cells of a tower's grids, one grid after the other, row by row."""
    return np.concatenate([run.cells(grid).reshape(-1) for grid in run.grids(tower)])


def source_of(run: Run, tower: str) -> str:
    """The source of rows: queries and keys, from which they are exact, unless the run keeps rows alone."""
    return "auto" if "query_tokens" in run.info["towers"][tower] else "factors"


class Relative(Reading):
    """A run's rows over a general question's, read from its folder.

    Values are ratios of rows that were reduced over heads and layers, not reduced ratios. Keys that are no cell of a
    picture have none, and are NaN: the two questions are other words.
    """

    kind = KIND

    def _check(self) -> None:
        if not isinstance(self.info["prompt"], str) or set(self.info["towers"]) != set(towers_of(self.run)):
            raise ValueError("prompt must be a text, and towers are those in which text reads pictures")
        if not isinstance(self.info["proof"], str):
            raise ValueError("proof must be a text")

    @property
    def own_name(self) -> str:
        return name_of(self.prompt)

    def files(self) -> list[str]:
        return [FILE]

    def _check_files(self) -> None:
        self._rows_by_tower  # noqa: B018 - reading them holds them against the run

    @property
    def prompt(self) -> str:
        """The general question."""
        return self.info["prompt"]

    def row(self, layer: int, query: int, tower: str = "language", until: int | None = None) -> np.ndarray:
        """A row of the run over the general one, head by head: float32 [heads, keys]; `until` as in `Run.row`."""
        own, general = self._pair(layer, query, tower, until)
        return self._placed(tower, ratio(own[0], general[0]))

    def rows(self, query: int, tower: str = "language", until: int | None = None) -> list[np.ndarray]:
        """The same in every layer, in the order of `Run.layers`."""
        return list(self._placed(tower, ratio(*self._pair("all", query, tower, until))))

    def reduced_row(
        self, layer: int | str, head: int | str, query: int, tower: str = "language", until: int | None = None
    ) -> np.ndarray:
        """Ratio of two rows after choosing or reducing heads, then layers (`mean` or `max` each): float32 [keys]."""
        pair = self._pair(layer, query, tower, until)
        values = [_reduced(_reduced(each, head, 1, "head"), layer, 0, "layer") for each in pair]
        return self._placed(tower, ratio(*values))

    def mass(self, weights: np.ndarray, query: int, tower: str = "language", until: int | None = None) -> np.ndarray:
        """Mass of a row on some cells over that of the general row, in every layer and head: float32 [layers, heads].

        `weights` [cells] are the part of each cell that counts, of all grids, one after the other and row by row. Of
        less than a cell both are at least that part of `FLOOR`; of none it is NaN.
        """
        counted = float(weights.sum())
        pair = self._pair("all", query, tower, until)
        own, general = ((each.astype(np.float64) @ weights).astype(np.float32) for each in pair)
        return ratio(own, general, floor=FLOOR * min(1.0, counted)) if counted else np.full_like(own, np.nan)

    def map(
        self,
        layer: int | str,
        head: int | str,
        query: int | None = None,
        grid: int = 0,
        tower: str = "language",
        until: int | None = None,
    ) -> np.ndarray:
        """The ratio on one picture: float32 [rows, cols]; by default of the row that predicts the answer."""
        query = answering(self.run) if query is None else query
        return self.reduced_row(layer, head, query, tower, until)[self.run.tower_cells(grid, tower)]

    def atlas(
        self,
        query: int,
        grid: int = 0,
        tower: str = "language",
        until: int | None = None,
        *,
        max_cells: int | None = None,
        is_reduced: bool = False,
    ) -> np.ndarray:
        """Ratios in every layer and head: float32 [layers, heads, cells]; of area means, where cells are many.

        With `is_reduced` the means and maxima over heads lie after these, and the mean over layers after the layers:
        [layers + 1, heads + 2, cells], as ratios of what was reduced.
        """
        cells = self.run.tower_cells(grid, tower)
        begin = sum(self.run.cells(each).size for each in self.run.grids(tower) if each < grid)
        shape = cells.shape if max_cells is None else pooled_shape(cells.shape[0], cells.shape[1], max_cells)
        pair = []
        for each in self._pair("all", query, tower, until):
            maps = each[:, :, begin : begin + cells.size]
            if shape != cells.shape:
                maps = pool_maps(maps.reshape(*maps.shape[:2], *cells.shape), *shape).reshape(*maps.shape[:2], -1)
            pair.append(_with_reduced(maps) if is_reduced else maps)
        return ratio(*pair)

    def check(self, tower: str, source: str = "auto") -> None:
        """Raise NotInRun for a tower that it is not of, or rows of another source than the general ones."""
        if tower not in self.info["towers"]:
            raise NotInRun(f"Text reads no picture in the {quoted(tower)} tower: there is nothing to set it over.")
        if source not in ("auto", source_of(self.run, tower)):
            raise NotInRun(f"Rows of this reading come from {source_of(self.run, tower)}, not {quoted(source)}.")

    def _pair(self, layer: int | str, query: int, tower: str, until: int | None) -> tuple[np.ndarray, np.ndarray]:
        """The run's row and the general one on cells, float32 [layers, heads, cells]: of one layer, or of all."""
        self.check(tower)
        cells, source, general = cells_of(self.run, tower), source_of(self.run, tower), self._rows_by_tower[tower]
        if isinstance(layer, str):
            return np.stack([row[:, cells] for row in self.run.rows(query, tower, source, until)]), general
        self.run.layer_file(layer, tower)  # refuses one that is not there
        place = self.run.layers(tower).index(layer)
        return self.run.row(layer, query, tower, source, until)[None, :, cells], general[place : place + 1]

    def _placed(self, tower: str, values: np.ndarray) -> np.ndarray:
        """Values of cells [..., cells] where their keys are, [..., keys]."""
        keys = np.full((*values.shape[:-1], self.run.keys(tower)), np.nan, np.float32)
        keys[..., cells_of(self.run, tower)] = values
        return keys

    @cached_property
    def _rows_by_tower(self) -> dict[str, np.ndarray]:
        """The general question's rows by tower, float32 [layers, heads, cells]."""
        found = {}
        with tensor_file(self.folder / FILE) as file:
            for tower in self.info["towers"]:
                shape = (len(self.run.layers(tower)), self.run.heads(tower), len(cells_of(self.run, tower)))
                if tower not in file or file.shape(tower) != shape or file.dtype(tower) != "F32":
                    raise DamagedReading(
                        f"{FILE} in {self.folder.name} does not fit its run. Remove it, and ask again."
                    )
                found[tower] = file.read(tower)
        return found


def _reduced(values: np.ndarray, choice: int | str, axis: int, what: str) -> np.ndarray:
    """Values after `mean` or `max` over an axis, or of the one that was chosen on it; a chosen layer is alone there."""
    if choice in ("mean", "max"):
        return getattr(np, str(choice))(values, axis=axis)
    if isinstance(choice, str):
        raise InvalidRequest(f"The {what} is {quoted(choice)}; it must be a number, mean or max.")
    place = 0 if what == "layer" else choice
    if isinstance(place, bool) or not 0 <= place < values.shape[axis]:
        raise NotInRun(f"There is no {what} {quoted(choice)}: this run has {values.shape[axis]}.")
    return np.take(values, place, axis=axis)


def _with_reduced(maps: np.ndarray) -> np.ndarray:
    """Maps [layers, heads, cells] and after them what they are reduced to: heads first, then layers."""
    maps = np.concatenate([maps, maps.mean(axis=1, keepdims=True), maps.max(axis=1, keepdims=True)], axis=1)
    return np.concatenate([maps, maps.mean(axis=0, keepdims=True)])
