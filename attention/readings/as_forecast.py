"""A run, its numbers those of a forecast of knock-outs: the same rows, columns and maps, each an effect.

What stands for a row's attention to a key is the effect of that row reading it a little less, -dL/ds, in nats of the
target: negative where the answer would lose. Where no row is named it is the sum over all rows. Everything else
(tokens, grids, layers, heads) is the run's own. Numbers that only attention has are refused by name. Needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from attention.errors import NotInRun, quoted
from attention.runs.pooling import pool_maps, pooled_shape
from attention.runs.regions import Region
from attention.runs.run import Run, layers_at_once, walks_at_once

from .agreement import keys_of
from .forecast import KIND, Forecast

SCORES = ("image_mass", "sink_mass", "size", "value")  # of a row, or of all rows together
OF_HEADS = {"silence_zero": "zero", "silence_mean": "mean"}  # of no row: a head's output instead


class RunAsForecast(Run):
    """A run whose rows are effects that a forecast expects. Closing it closes nothing: the run is another's.

    `max` over heads or layers is the effect that is farthest from 0, with its sign.
    """

    SOURCE, is_signed = "forecast", True

    def __init__(self, forecast: Forecast):
        self.__dict__.update(forecast.run.__dict__)  # the same folder, open files and what is kept of them
        self.forecast = forecast

    def close(self) -> None:
        """Close nothing."""

    def reading_settings(self) -> dict[str, Any]:
        """The reading, its target, and the unit."""
        target = self.forecast.target.to_dict()
        return {"reading": self.forecast.folder.name, "kind": KIND, "target": target["tokens"], "unit": "nats"} | (
            {} if target["against"] is None else {"against": target["against"]}
        )

    # Rows and columns

    def row_source(
        self, layer: int, query: int | None, tower: str = "language", source: str = "auto", until: int | None = None
    ) -> str:
        """Source of a row: the forecast. Raises NotInRun for a row, a layer or a tower that it does not have."""
        if source not in ("auto", "factors", self.SOURCE):
            raise NotInRun(f"A forecast is computed, so its source is auto or factors, not {quoted(source)}.")
        self.forecast.layer_path(layer, tower)
        if query is not None:
            self._last_query(query, until, tower)
        elif until is not None:
            raise NotInRun("Without a query the effect is that of all rows: leave until out.")
        return self.SOURCE

    def exact_source(self, layer: int, tower: str = "language") -> str:
        return "factors"

    def row(
        self, layer: int, query: int | None, tower: str = "language", source: str = "auto", until: int | None = None
    ) -> np.ndarray:
        """Effect of a row reading each key a little less: float32 [heads, keys]; of a span the mean of its rows'.

        Without a row of all of them reading it less: the sum.
        """
        self.row_source(layer, query, tower, source, until)
        if query is None:
            return self.forecast.keys(layer, tower)
        if until is None or until == query:
            return 0 - self.forecast.score_gradient(layer, query, tower)
        return 0 - self.forecast.mean_gradient(layer, query, until, tower)

    def rows(
        self, query: int | None, tower: str = "language", source: str = "auto", until: int | None = None
    ) -> list[np.ndarray]:
        """The same in every layer, in the order of `layers`."""
        layers, one = self.layers(tower), until in (None, query)
        for layer in layers:
            self.row_source(layer, query, tower, source, until)
        if query is None:  # each is a walk over a whole layer
            return list(walks_at_once().map(lambda layer: self.row(layer, None, tower), layers))
        if not one:
            return [self.row(layer, query, tower, source, until) for layer in layers]
        attention = self.forecast.run.exact_rows(query, tower)
        at = self.forecast.run.layers(tower)

        def effect(layer: int) -> np.ndarray:
            return 0 - self.forecast.gradient_of(layer, query, attention[at.index(layer)], tower)

        return list(layers_at_once().map(effect, layers))

    def exact_rows(self, query: int | None, tower: str = "language", until: int | None = None) -> np.ndarray:
        return np.stack(self.rows(query, tower, until=until))

    def stored_row(self, layer: int, query: int, tower: str = "language") -> np.ndarray:
        raise NotInRun("Rows of a forecast are computed and not stored.")

    def column(self, layer: int, key: int, tower: str = "language", until: int | None = None) -> np.ndarray:
        """Effect of each row reading one key a little less: float32 [heads, queries]; of a span of keys the mean."""
        self.forecast.layer_path(layer, tower)
        return 0 - self.forecast.column_gradient(layer, key, tower, self._last_key(key, until, tower))

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
        """Maps of every layer and head: float32 [layers, heads, cells], of a row, of a key, or of all rows.

        Slopes of a certain answer are below float16. Maps of more than `max_cells` cells come as area means.
        """
        if query is not None and key is not None:
            raise NotInRun("An atlas is of one query or of one key: name one of the two.")
        cells = self.tower_cells(grid, tower)
        if key is not None and not self.cells_read(tower):
            raise NotInRun(f"Cells of the {tower} tower are read, and read nothing: ask for an atlas of a query.")
        values = self.rows(query, tower, until=until) if key is None else self.columns(key, tower, until)
        maps = np.stack([each[:, cells.reshape(-1)] for each in values])
        n_rows, n_cols = cells.shape
        shape = (n_rows, n_cols) if max_cells is None else pooled_shape(n_rows, n_cols, max_cells)
        if shape == cells.shape:
            return maps
        pooled = pool_maps(maps.reshape(-1, *cells.shape), *shape)
        return pooled.reshape(*maps.shape[:2], -1)

    # Numbers made of rows

    def row_scores(
        self,
        name: str,
        query: int | None,
        tower: str = "language",
        until: int | None = None,
        key: int | None = None,
    ) -> np.ndarray:
        """One number of a row, or without a row of all, in every layer and head: float32 [layers, heads].

        `image_mass` and `sink_mass` are the sums over cells and over sinks, `size` the sum of all effects without their
        signs, `value` the effect at `key`. Of no row are `silence_zero` and `silence_mean`: a head's output being 0, or
        its mean over this run.
        """
        if name in OF_HEADS:
            if query is not None:
                raise NotInRun(f"{name} is of a head as a whole, and of no row: leave query out.")
            return self.forecast.silenced("zero" if name == "silence_zero" else "mean", tower)
        if name not in SCORES:
            has = ", ".join((*SCORES, *OF_HEADS))
            raise NotInRun(f"A forecast has no score {quoted(name)}; it has {has}.")
        rows = self.exact_rows(query, tower, until)
        if name == "value":
            if key is None:
                raise NotInRun("The score 'value' is the effect at one key: name the key.")
            self._last_key(key, None, tower)
            return rows[:, :, key].copy()
        if name == "size":
            return np.abs(rows).sum(axis=-1)
        if name == "image_mass":
            return rows[:, :, self.pictures(tower)[0]].sum(axis=-1)
        pairs = zip(self.layers(tower), rows, strict=True)
        return np.stack([row[:, self.sinks(layer, tower)].sum(axis=-1) for layer, row in pairs])

    def knock_out(self, region: Region, tower: str = "language") -> np.ndarray:
        """Effect of no row outside of a region reading the cells that stand for it: float32 [layers, heads].

        Raises NotInRun where it covers half of no cell.
        """
        keys = keys_of(self, region, tower)
        if not keys:
            raise NotInRun(f"The region ({region}) covers half of no cell: no token stands for it. Mark a larger one.")
        return self.forecast.knock_out(keys, tower)

    def received(
        self,
        layer: int | str,
        tower: str = "language",
        progress: Callable[[int, int], None] | None = None,
        head: int | str | None = None,
    ) -> np.ndarray:
        raise NotInRun("Nothing is received in a forecast: leave query and key out for the effect of all rows.")

    def score(self, name: str, tower: str = "language") -> np.ndarray:
        raise NotInRun("A forecast has no table of scores: name the row, or leave it out for all rows together.")

    def dense(self, layer: int, tower: str = "language") -> np.ndarray:
        raise NotInRun("A forecast is read row by row: its whole layers are in the reading's files.")

    def has_learned_sink(self, layer: int | str, tower: str = "language") -> bool:
        """False: what a row lacks to 1 is of attention."""
        return False

    @staticmethod
    def reduced(values: np.ndarray, by: str) -> np.ndarray:
        """Mean over the first axis, or (`max`) what is farthest from 0, with its sign."""
        if by == "mean":
            mean: np.ndarray = values.mean(axis=0)
            return mean
        high, low = values.max(axis=0), values.min(axis=0)
        farthest: np.ndarray = np.where(high >= -low, high, low)
        return farthest
