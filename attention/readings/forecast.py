"""Forecast of knock-outs: the first order of what the target would lose if tokens could not be read.

Of each layer are kept the values v, the gradient of the target L to each head's output before its projection (`pull`),
and pull . output. With the attention A of the run, the gradient to the score of query i and key j in head h is

    dL/ds[h, i, j] = A[h, i, j] (pull[h, i] . v[g, j] - pull[h, i] . output[h, i]),    g = h // (heads // kv_heads)

(the softmax's derivative; attribution patching takes the same first order, Syed et al. 2023, arXiv:2310.10348). If no
row outside of a region R could read R, the rest of a row would be as 1 / (1 - m) of itself, m the row's mass on R, and
its output would change by that; its first order in L is

    - sum over j in R of dL/ds[h, i, j] / (1 - m[h, i])

Signed: negative where the target would become less probable. Never an explanation: effects of several layers are summed
as if none changed the others. Needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from attention.errors import NotInRun, quoted
from attention.runs.run import Run

from .reading import Reading, readings_folder
from .target import Target

KIND = "forecast"


def open_forecast(run: Run, target: Target, towers: Sequence[str] = ("language",)) -> Forecast:
    """The forecast that was made of a run for this target. Raises DamagedRun where there is none."""
    return Forecast(run, readings_folder(run) / target.name(KIND, towers))


class Forecast(Reading):
    """A forecast of knock-outs, read from its folder. All numbers are in nats of the target."""

    kind = KIND

    @property
    def target(self) -> Target:
        return Target(tuple(self.info["target"]["tokens"]), self.info["target"]["against"])

    def score_gradient(self, layer: int, query: int, tower: str = "language") -> np.ndarray:
        """dL/ds of one row: float32 [heads, keys], 0 where the mask hides a key; over keys it sums to 0.

        With learned sinks it sums to pull . output x (1 - sum of the row): the rest is the sink's own.
        """
        _, gradient, _ = next(self._chunks(layer, tower, query, query + 1))
        return gradient[:, 0].astype(np.float32)

    def gradient_times_attention(self, layer: int, query: int, tower: str = "language") -> np.ndarray:
        """A x dL/dA of one row: float32 [heads, keys], signed; over keys it sums to pull . output."""
        data = self._read(layer, tower)
        _, rows = next(self.run.dense_chunks(layer, tower, query, query + 1))
        return (rows[:, 0] * _seen(data["pull"][:, query : query + 1], data["value"])[:, 0]).astype(np.float32)

    def keys(self, layer: int, tower: str = "language") -> np.ndarray:
        """Effect of each key being read a little less by everybody: float32 [heads, keys], minus the sum over rows."""
        total = np.zeros((self.run.heads(tower), self.run.keys(tower)))
        for _, gradient, _ in self._chunks(layer, tower):
            total -= gradient.sum(axis=1)
        return total.astype(np.float32)

    def knock_out(self, keys: Sequence[int], tower: str = "language") -> np.ndarray:
        """Effect of no row outside of these keys reading them, by layer and head: float32 [layers, heads].

        Layers as in `layers`; the sum over all is the forecast of all being hidden at once. A row all of whose mass
        lies on them would be left with nothing: its output is then taken as 0. Raises NotInRun for a key that is not
        there, or for no key.
        """
        n = self.run.keys(tower)
        wrong = [key for key in keys if not 0 <= key < n]
        if wrong or not len(keys):
            named = quoted(wrong[0]) if wrong else "in an empty region"
            raise NotInRun(f"There is no key {named} in the {tower} tower: it has {n} keys.")
        inside = np.zeros(n, bool)
        inside[list(keys)] = True
        are_queries = self.run.queries(tower) == n
        effects = []
        for layer in self.layers(tower):
            total = np.zeros(self.run.heads(tower))
            pull_output = self._read(layer, tower)["pull_output"]
            for start, gradient, rows in self._chunks(layer, tower):
                left = 1 - rows[:, :, inside].sum(axis=2, dtype=np.float64)
                outside = rows[:, :, ~inside].sum(axis=2, dtype=np.float64)
                is_empty = (outside == 0) & (left < EMPTY)
                lost = gradient[:, :, inside].sum(axis=2) / np.where(is_empty, 1, left)
                lost = np.where(is_empty, pull_output[:, start : start + rows.shape[1]], lost)
                if are_queries:
                    lost[:, inside[start : start + rows.shape[1]]] = 0
                total -= lost.sum(axis=1)
            effects.append(total)
        return np.stack(effects).astype(np.float32)

    def silenced(self, by: Literal["zero", "mean"] = "zero", tower: str = "language") -> np.ndarray:
        """Effect of each head's output being 0, or its mean over the run's rows: float32 [layers, heads]."""
        if by not in ("zero", "mean"):
            raise NotInRun(f"A head is silenced by zero or by its mean, not by {quoted(by)}.")
        effects = []
        for layer in self.layers(tower):
            data = self._read(layer, tower)
            effect = -data["pull_output"].sum(axis=1, dtype=np.float64)
            if by == "mean":
                mean = self._mean_output(layer, tower, data["value"])
                effect += (data["pull"].sum(axis=1, dtype=np.float64) * mean).sum(axis=-1)
            effects.append(effect)
        return np.stack(effects).astype(np.float32)

    def _mean_output(self, layer: int, tower: str, value: np.ndarray) -> np.ndarray:
        """A head's output, mean over its rows: float64 [heads, value_dim]."""
        heads, n = self.run.heads(tower), self.run.queries(tower)
        mass = np.zeros((heads, self.run.keys(tower)))
        for _, rows in self.run.dense_chunks(layer, tower):
            mass += rows.sum(axis=1, dtype=np.float64)
        by_group = (mass / n).reshape(len(value), heads // len(value), -1)
        return np.matmul(by_group, value.astype(np.float64)).reshape(heads, -1)

    def _chunks(
        self, layer: int, tower: str, first: int = 0, last: int | None = None
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Some rows at a time: the first of them, dL/ds float64 [heads, rows, keys], and the attention float32."""
        data = self._read(layer, tower)
        for start, rows in self.run.dense_chunks(layer, tower, first, last):
            stop = start + rows.shape[1]
            seen = _seen(data["pull"][:, start:stop], data["value"])
            yield start, rows * (seen - data["pull_output"][:, start:stop, None].astype(np.float64)), rows


EMPTY = 1e-6  # of a row's mass: less than float32 can tell from none


def _seen(pull: np.ndarray, value: np.ndarray) -> np.ndarray:
    """pull[h, i] . value[h // (heads // kv_heads), j]: float64 [heads, rows, keys]."""
    heads, n, width = pull.shape
    grouped = pull.reshape(len(value), heads // len(value) * n, width).astype(np.float64)
    return np.matmul(grouped, value.swapaxes(1, 2).astype(np.float64)).reshape(heads, n, -1)
