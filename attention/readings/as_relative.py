"""A run, its numbers those of relative attention: the same rows and maps, each a ratio to a general question's.

Neutral is 1. Only rows have it, and only on the cells of pictures; everything else (tokens, grids, layers, heads) is
the run's own. Numbers that only attention has are refused by name. Needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from attention.errors import NotInRun
from attention.runs.run import Run

from .relative import Relative

OF_ROWS = "Relative attention is a row over another row, so it has no {what}: ask for a row or an atlas of a query."


class RunAsRelative(Run):
    """A run whose rows are ratios to a general question's. Closing it closes nothing: the run is another's."""

    SOURCE = "relative"

    def __init__(self, relative: Relative):
        self.__dict__.update(relative.run.__dict__)  # the same folder, open files and what is kept of them
        self.relative = relative

    def close(self) -> None:
        """Close nothing."""

    def row_source(
        self, layer: int, query: int | None, tower: str = "language", source: str = "auto", until: int | None = None
    ) -> str:
        """Source of a row: the reading. Raises NotInRun for a row, a layer or a tower that it does not have."""
        self.relative.check(tower, source)
        self.relative.run.row_source(layer, self._row(query), tower, "auto", until)
        return self.SOURCE

    def row(
        self, layer: int, query: int | None, tower: str = "language", source: str = "auto", until: int | None = None
    ) -> np.ndarray:
        """A row over the general one, each head by itself: float32 [heads, keys], NaN for what is no cell."""
        return self.relative.row(layer, self._row(query), tower, until)

    def rows(
        self, query: int | None, tower: str = "language", source: str = "auto", until: int | None = None
    ) -> list[np.ndarray]:
        """The same in every layer, in the order of `layers`."""
        return self.relative.rows(self._row(query), tower, until)

    def reduced_row(
        self,
        layer: int | str,
        head: int | str,
        query: int | None,
        tower: str = "language",
        source: str = "auto",
        until: int | None = None,
    ) -> np.ndarray:
        """The ratio of two reduced rows: float32 [keys]."""
        return self.relative.reduced_row(layer, head, self._row(query), tower, until)

    def atlas(
        self,
        query: int | None = None,
        grid: int = 0,
        tower: str = "language",
        key: int | None = None,
        until: int | None = None,
        *,
        max_cells: int | None = None,
    ) -> np.ndarray:
        """Ratios in every layer and head: float32 [layers, heads, cells]; of area means where cells are many."""
        self._no_key(key)
        return self.relative.atlas(self._row(query), grid, tower, until, max_cells=max_cells)

    def reduced_atlas(
        self,
        query: int | None = None,
        grid: int = 0,
        tower: str = "language",
        key: int | None = None,
        until: int | None = None,
        *,
        max_cells: int | None = None,
    ) -> np.ndarray:
        """The same with ratios of means and maxima at the ends: float32 [layers + 1, heads + 2, cells].

        After the heads come the mean and the maximum over them, after the layers the mean.
        """
        self._no_key(key)
        return self.relative.atlas(self._row(query), grid, tower, until, max_cells=max_cells, is_reduced=True)

    def stored_row(self, layer: int, query: int, tower: str = "language") -> np.ndarray:
        raise NotInRun(OF_ROWS.format(what="stored row"))

    def column(self, layer: int, key: int, tower: str = "language", until: int | None = None) -> np.ndarray:
        raise NotInRun(OF_ROWS.format(what="column"))

    def masses(self, query: int, tower: str = "language", until: int | None = None) -> np.ndarray:
        raise NotInRun(OF_ROWS.format(what="mass"))

    def row_scores(
        self, name: str, query: int | None, tower: str = "language", until: int | None = None, key: int | None = None
    ) -> np.ndarray:
        raise NotInRun(OF_ROWS.format(what="score"))

    def score(self, name: str, tower: str = "language") -> np.ndarray:
        raise NotInRun(OF_ROWS.format(what="table of scores"))

    def knock_out(self, region, tower: str = "language") -> np.ndarray:
        raise NotInRun(OF_ROWS.format(what="knock-out"))

    def received(
        self,
        layer: int | str,
        tower: str = "language",
        progress: Callable[[int, int], None] | None = None,
        head: int | str | None = None,
    ) -> np.ndarray:
        raise NotInRun(OF_ROWS.format(what="mean over readers"))

    def dense(self, layer: int, tower: str = "language") -> np.ndarray:
        raise NotInRun(OF_ROWS.format(what="whole layer"))

    def has_learned_sink(self, layer: int | str, tower: str = "language") -> bool:
        """False: what a row lacks to 1 is of attention."""
        return False

    @staticmethod
    def reduced(values: np.ndarray, by: str) -> np.ndarray:
        raise NotInRun(f"A ratio of reduced rows is no {by} of ratios: name a head too, a number, mean or max.")

    @staticmethod
    def _row(query: int | None) -> int:
        if query is None:
            raise NotInRun(OF_ROWS.format(what="sum over all rows"))
        return query

    @staticmethod
    def _no_key(key: int | None) -> None:
        if key is not None:
            raise NotInRun(OF_ROWS.format(what="column"))
