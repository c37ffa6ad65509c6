"""Cells of a run's pictures, each hidden from all others or painted over: what the answer's probability loses by it.

    <run>.readings/<name>/cells.safetensors   hidden.0, mean.0, blur.0: float64 [rows, cols] of blocks of grid 0

Owns which cells are tried together, in which order, and what is known of them so far: a map may have been stopped, and
what was not measured is NaN. Needs NumPy alone; what fills it is in `attention.effects.cells`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from attention.errors import DamagedReading, InvalidRequest, LimitExceeded, NotInRun, quoted
from attention.limits import DEFAULT_KNOCK_OUTS, MAX_KNOCK_OUTS
from attention.runs.regions import Region
from attention.runs.run import Run
from attention.runs.tokens import cell_edges

from .agreement import tower_of_pictures
from .reading import Reading, tensor_file
from .target import Target
from .trial import Hide

KIND, FILE = "cells", "cells.safetensors"
HIDDEN = "hidden"
MEASURES = (HIDDEN, "mean", "blur")  # hidden from all others, or painted over in one of two ways


@dataclass(frozen=True)
class BlockGrid:
    """A grid of cells in blocks: `rows` x `cols` of them, each of up to `block` (rows, cols) cells."""

    grid: int
    rows: int
    cols: int
    block: tuple[int, int]

    def cells_of(self, row: int, col: int) -> tuple[slice, slice]:
        """The rows and columns of the grid that a block has."""
        down, right = self.block
        return slice(row * down, (row + 1) * down), slice(col * right, (col + 1) * right)


@dataclass(frozen=True)
class CellsAsked:
    """A map over cells that is asked for: the target, the cells of a block, and rows from which alone each is hidden.

    `rows` are tokens, or None: then no row outside of a block reads it.
    """

    target: Target
    block: tuple[int, int]
    rows: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        run: Run,
        target: Target | None = None,
        block: Sequence[int] | int | None = None,
        rows: Sequence[int] | None = None,
    ) -> CellsAsked:
        """Read what is asked of a run; without `block` as few cells as make 256 trials at most.

        Raises NotInRun for a run whose pictures have no place, InvalidRequest for a block or a row that it does not
        have, LimitExceeded for too many trials.
        """
        target = target or Target.of(run)
        sides = _default_block(run) if block is None else _block(run, block)
        if (n := sum(each.rows * each.cols for each in block_grids(run, sides))) > MAX_KNOCK_OUTS:
            least = next(side for side in range(2, n) if _n_blocks(run, (side, side)) <= MAX_KNOCK_OUTS)
            raise LimitExceeded(
                f"Blocks of {sides[0]} x {sides[1]} cells are {n:,} trials, a pass of the model each; the limit is "
                f"{MAX_KNOCK_OUTS:,}. Blocks of {least} x {least} cells fit."
            )
        own = None
        if rows is not None:
            tower = tower_of_pictures(run)
            Hide((0,), tuple(rows), tower=tower).check(run)
            if not rows:
                raise InvalidRequest("No row was named. Name one, or leave rows out for all of them.")
            own = tuple(sorted(set(rows)))
        return cls(target, sides, own)

    def name(self) -> str:
        """The name of the reading's folder, the same for the same question."""
        asked = {"kind": KIND, "block": self.block, "rows": self.rows, **self.target.to_dict()}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


class Cells(Reading):
    """Changes of the target when blocks of cells are hidden or painted over, as far as they were measured."""

    kind = KIND

    def _check(self) -> None:
        info = self.info
        rows = None if info["rows"] is None else list(info["rows"])
        self._check_target()
        self.asked = CellsAsked.of(self.run, Target.of(self.run, **info["target"]), info["block"], rows)
        if info["towers"] or not isinstance(info["paths"], str):
            raise ValueError("it has no layers, and paths is a sentence")

    @property
    def own_name(self) -> str:
        return self.asked.name()

    def files(self) -> list[str]:
        return [FILE]

    def _check_files(self) -> None:
        self._tensors  # noqa: B018 - reading them holds them against the run

    @cached_property
    def _tensors(self) -> dict[str, np.ndarray]:
        shapes = tensor_shapes(self.run, self.asked.block)
        with tensor_file(self.folder / FILE) as file:
            if any(name not in file or file.shape(name) != shape for name, shape in shapes.items()):
                raise DamagedReading(f"{FILE} in {self.folder.name} does not fit its run. Remove it, and ask again.")
            found = {name: file.read(name) for name in shapes}
        are_known = np.isfinite(found["value"]).all() and np.isfinite(found["seconds"]).all()
        if not are_known or any(each.dtype != np.float64 or np.isinf(each).any() for each in found.values()):
            raise DamagedReading(f"{FILE} in {self.folder.name} has numbers that were not measured. Remove it.")
        return found

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """A copy of what its file has: see `tensor_shapes`."""
        return {name: each.copy() for name, each in self._tensors.items()}

    @property
    def value(self) -> float:
        """The target with nothing changed."""
        return float(self._tensors["value"][0])

    def changes(self, grid: int, measure: str = HIDDEN) -> np.ndarray:
        """Change of the target by each block of a grid, float64 [rows, cols]: NaN where it was not measured.

        Negative where the target became less probable. Raises NotInRun for a grid or a measure that it does not have.
        """
        name = f"{measure}.{grid}"
        if name not in self._tensors:
            grids = ", ".join(str(each.grid) for each in block_grids(self.run, self.asked.block))
            raise NotInRun(
                f"There is no {quoted(measure)} of grid {quoted(grid)}: grids {grids}, each {', '.join(MEASURES)}."
            )
        return self._tensors[name].copy()

    def measured(self, measure: str = HIDDEN) -> int:
        """Number of blocks that were measured, of `total`."""
        own = [each for name, each in self._tensors.items() if name.startswith(f"{measure}.")]
        return int(sum(np.isfinite(each).sum() for each in own))

    @property
    def total(self) -> int:
        return _n_blocks(self.run, self.asked.block)

    def to_dict(self) -> dict[str, Any]:
        """Describe the map for programs: for each grid its blocks, and for each measure [rows][cols] nats or None."""
        measures = [name for name in MEASURES if self.measured(name)]
        return {
            "target": self.info["target"], "rows": self.info["rows"], "block": list(self.asked.block),
            "value": self.value, "seconds": float(self._tensors["seconds"][0]), "paths": self.info["paths"],
            "total": self.total, "measured": {name: self.measured(name) for name in measures},
            "grids": [
                {"grid": each.grid, "rows": each.rows, "cols": each.cols}
                | {name: _plain(self._tensors[f"{name}.{each.grid}"]) for name in measures}
                for each in block_grids(self.run, self.asked.block)
            ],
        }  # fmt: skip


def block_grids(run: Run, block: tuple[int, int]) -> list[BlockGrid]:
    """The grids of a run's pictures in blocks of so many rows and columns of cells; the last ones may be smaller."""
    found = []
    for number in run.grids(tower_of_pictures(run)):
        rows, cols = run.cells(number).shape
        if rows * cols:
            found.append(BlockGrid(number, -(-rows // block[0]), -(-cols // block[1]), block))
    if not found:
        raise NotInRun("No token of this run stands for a place on a picture, so no cell can be tried.")
    return found


def tensor_shapes(run: Run, block: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """The tensors of a map's file, float64: each measure of each grid, the target's `value`, `seconds` that it took."""
    grids = block_grids(run, block)
    own = {f"{measure}.{each.grid}": (each.rows, each.cols) for each in grids for measure in MEASURES}
    return {**own, "value": (1,), "seconds": (1,)}


def spread(grids: Sequence[BlockGrid]) -> list[tuple[BlockGrid, int, int]]:
    """Every block (grid, row, col), those that lie far apart first: a part of the order is a coarse map of it all."""
    places = []
    for each in grids:
        own = sorted(((row, col) for row, col in np.ndindex(each.rows, each.cols)), key=lambda place: _reversed(*place))
        places += [(rank / len(own), each.grid, each, row, col) for rank, (row, col) in enumerate(own)]
    return [(each, row, col) for _, _, each, row, col in sorted(places, key=lambda place: place[:2])]


def keys_of_block(run: Run, each: BlockGrid, row: int, col: int) -> tuple[int, ...]:
    """The keys of a block's cells."""
    return tuple(sorted({int(key) for key in run.cells(each.grid)[each.cells_of(row, col)].reshape(-1)}))


def region_of_block(run: Run, each: BlockGrid, row: int, col: int) -> Region:
    """The box that a block covers on its picture, in its pixels."""
    grid = run.info["grids"][each.grid]
    ys, xs = cell_edges(grid)
    down, right = each.cells_of(row, col)
    y1, x1 = ys[min(down.stop, grid["rows"])], xs[min(right.stop, grid["cols"])]
    return Region((xs[right.start], ys[down.start], x1, y1), grid["image"])


def _reversed(row: int, col: int, bits: int = 16) -> int:
    """The bits of a row and a column, the lowest first: small for places that are multiples of large powers of two."""
    found = 0
    for bit in range(bits):
        found = (found << 2) | (row >> bit & 1) << 1 | (col >> bit & 1)
    return found


def _n_blocks(run: Run, block: tuple[int, int]) -> int:
    return sum(each.rows * each.cols for each in block_grids(run, block))


def _default_block(run: Run) -> tuple[int, int]:
    """The smallest square of cells of which 256 at most cover all pictures, or the largest where none do."""
    largest = max(max(run.cells(each.grid).shape) for each in block_grids(run, (1, 1)))
    sides = (side for side in range(1, largest + 1) if _n_blocks(run, (side, side)) <= DEFAULT_KNOCK_OUTS)
    side = next(sides, largest)
    return side, side


def _block(run: Run, given: Any) -> tuple[int, int]:
    """The rows and columns of a block, one number for both."""
    sides = [given, given] if isinstance(given, int | np.integer) else list(given)
    shapes = [run.cells(each.grid).shape for each in block_grids(run, (1, 1))]
    most = max(shape[0] for shape in shapes), max(shape[1] for shape in shapes)
    is_whole = all(isinstance(side, int | np.integer) and not isinstance(side, bool) for side in sides)
    if len(sides) != 2 or not is_whole or not all(1 <= side <= end for side, end in zip(sides, most, strict=True)):
        raise InvalidRequest(
            f"A block is {quoted(given)}; it must be rows and columns of cells, from 1 x 1 to {most[0]} x {most[1]}."
        )
    return int(sides[0]), int(sides[1])


def _plain(values: np.ndarray) -> list[list[float | None]]:
    """Values for JSON, which has no NaN."""
    return [[None if np.isnan(value) else float(value) for value in row] for row in values]
