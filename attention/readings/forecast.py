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

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np

from attention.errors import NotInRun, quoted
from attention.runs.factors import COMPUTED, FACTORS
from attention.runs.run import Run, walks_at_once

from .reading import Reading, check_numbers, readings_folder
from .target import Target

KIND = "forecast"
NEAR_CERTAIN = -0.05  # log-probability of an answer, in nats, from which on its slope says little: 1 - p is below 0.05
FLAT = "The answer is near-certain: a first-order forecast is nearly flat there, and says little."


def open_forecast(run: Run, target: Target, towers: Sequence[str] = ("language",)) -> Forecast:
    """The forecast that was made of a run for this target. Raises DamagedRun where there is none."""
    return Forecast(run, readings_folder(run) / target.name(KIND, towers))


class Forecast(Reading):
    """A forecast of knock-outs, read from its folder. All numbers are in nats of the target."""

    kind = KIND

    @property
    def own_name(self) -> str:
        return self.target.name(KIND, [*self.info["towers"]])

    @property
    def caution(self) -> str:
        """A sentence where the target is so certain that the forecast says little, '' elsewhere."""
        return flat_words(float(self.info["value"])) if self.target.against is None else ""

    def _check(self) -> None:
        super()._check()
        self._check_target()
        check_numbers(self.info, "value")
        if not isinstance(self.info.get("other", ""), str):
            raise ValueError("other must be a text")

    def _shapes(self, tower: str) -> dict[str, tuple[int | None, ...]]:
        heads, queries = self.run.heads(tower), self.run.queries(tower)
        return {
            "value": (None, self.run.keys(tower), None),
            "pull": (heads, queries, None),
            "pull_output": (heads, queries),
        }

    def score_gradient(self, layer: int, query: int, tower: str = "language") -> np.ndarray:
        """dL/ds of one row: float32 [heads, keys], 0 where the mask hides a key; over keys it sums to 0.

        With learned sinks it sums to pull . output x (1 - sum of the row): the rest is the sink's own. Raises NotInRun
        for a layer or a row that is not there.
        """
        self._check_query(query, tower)
        _, rows = next(self.run.dense_chunks(layer, tower, query, query + 1))
        return self.gradient_of(layer, query, rows[:, 0], tower)

    def gradient_of(self, layer: int, query: int, row: np.ndarray, tower: str = "language") -> np.ndarray:
        """The same of a row that is there already, float32 [heads, keys] from the factors: only its pull is read."""
        with self._opened(layer, tower) as file:
            at = (slice(None), slice(query, query + 1))
            pull, own = file.read_slice("pull", at), file.read_slice("pull_output", at)
        seen = _seen(pull, self._values(layer, tower))[:, 0]
        return (row * (seen - own.astype(np.float64))).astype(np.float32)

    def mean_gradient(self, layer: int, first: int, last: int, tower: str = "language") -> np.ndarray:
        """Mean of dL/ds over the rows first to last: float32 [heads, keys]."""
        self._check_query(first, tower)
        self._check_query(last, tower)
        total = sum(gradient.sum(axis=1) for _, gradient, _ in self._chunks(layer, tower, first, last + 1))
        return np.asarray(total / (last + 1 - first), np.float32)

    def column_gradient(self, layer: int, key: int, tower: str = "language", last: int | None = None) -> np.ndarray:
        """dL/ds of every row at one key, or its mean over the keys to `last`: float32 [heads, queries]."""
        if last not in (None, key):
            return self._columns_gradient(layer, range(key, last + 1), tower)
        data, column = self._read(layer, tower), self.run.column(layer, key, tower)
        groups, (heads, n, width) = len(data["value"]), data["pull"].shape
        pull = data["pull"].reshape(groups, heads // groups * n, width).astype(np.float64)
        seen = np.matmul(pull, data["value"][:, key, :, None].astype(np.float64)).reshape(heads, n)
        return (column * (seen - data["pull_output"].astype(np.float64))).astype(np.float32)

    def _columns_gradient(self, layer: int, keys: Sequence[int], tower: str) -> np.ndarray:
        """Mean of dL/ds over some keys, in one walk however many they are: float32 [heads, queries]."""
        data, inside, parts = self._read(layer, tower), self._inside(keys, tower), []
        for start, rows in self.run.dense_chunks(layer, tower):
            stop = start + rows.shape[1]
            there, pulled = _of_keys(rows, data["pull"][:, start:stop], data["value"], inside)
            parts.append(pulled - there * data["pull_output"][:, start:stop])
        return (np.concatenate(parts, axis=1) / len(keys)).astype(np.float32)

    def gradient_times_attention(self, layer: int, query: int, tower: str = "language") -> np.ndarray:
        """A x dL/dA of one row: float32 [heads, keys], signed; over keys it sums to pull . output."""
        self._check_query(query, tower)
        data = self._read(layer, tower)
        _, rows = next(self.run.dense_chunks(layer, tower, query, query + 1))
        return (rows[:, 0] * _seen(data["pull"][:, query : query + 1], data["value"])[:, 0]).astype(np.float32)

    def keys(
        self, layer: int, tower: str = "language", progress: Callable[[int], None] = lambda done: None
    ) -> np.ndarray:
        """Effect of each key being read a little less by everybody: float32 [heads, keys], minus the sum over rows.

        Kept once computed, and shared: not to be written into. `progress` is told of the rows that are done, and may
        raise, which ends it.
        """
        return self._kept_array(COMPUTED, (tower, layer, "keys"), lambda: self._keys(layer, tower, progress))

    def _keys(self, layer: int, tower: str, progress: Callable[[int], None]) -> np.ndarray:
        data = self._read(layer, tower)
        groups, n, width = data["value"].shape
        heads = self.run.heads(tower)
        pulled, own = np.zeros((heads, n, width)), np.zeros((heads, n))  # sums over rows of A pull, and of A pull . o
        for start, rows in self.run.dense_chunks(layer, tower):
            stop = start + rows.shape[1]
            by_key = rows.swapaxes(1, 2)
            pulled += np.matmul(by_key, data["pull"][:, start:stop])
            own += np.matmul(by_key, data["pull_output"][:, start:stop, None])[:, :, 0]
            progress(stop)
        total = np.einsum("grnd,gnd->grn", pulled.reshape(groups, -1, n, width), data["value"].astype(np.float64))
        return (own - total.reshape(heads, n)).astype(np.float32)

    def knock_out(self, keys: Sequence[int], tower: str = "language") -> np.ndarray:
        """Effect of no row outside of these keys reading them, by layer and head: float32 [layers, heads].

        Layers as in `layers`; the sum over all is the forecast of all being hidden at once. A row that sees no
        other key would be left with nothing: its output is then taken as 0. Raises NotInRun for a key that is not
        there, or for no key.
        """
        effects: np.ndarray = self.knock_outs([keys], tower)[0]
        return effects

    def knock_outs(self, regions: Sequence[Sequence[int]], tower: str = "language") -> np.ndarray:
        """The same of several regions, each by itself, in one walk: float32 [regions, layers, heads]."""
        inside = np.stack([self._inside(keys, tower) for keys in regions])
        effects = walks_at_once().map(lambda layer: self._knock_outs(layer, tower, inside), self.layers(tower))
        return np.stack(list(effects), axis=1).astype(np.float32)

    def _knock_outs(self, layer: int, tower: str, inside: np.ndarray) -> np.ndarray:
        """The same of one layer, `inside` bool [regions, keys]: float64 [regions, heads]."""
        run, data = self.run, self._read(layer, tower)
        total = np.zeros((len(inside), run.heads(tower)))
        for start, rows in run.dense_chunks(layer, tower):
            stop = start + rows.shape[1]
            pull, own = data["pull"][:, start:stop], data["pull_output"][:, start:stop].astype(np.float64)
            for i, region in enumerate(inside):
                there, pulled = _of_keys(rows, pull, data["value"], region)
                left = 1 - there
                lost = (pulled - there * own) / np.maximum(left, HALF)
                few = np.flatnonzero((left < HALF).any(axis=0))  # rows: 1 - there would be rounding, or 0
                if len(few):
                    low, high = int(few[0]), int(few[-1]) + 1
                    others = run.rows_without(layer, tower, start + low, start + high, region)[:, few - low]
                    _, kept = _of_keys(others, pull[:, few], data["value"], ~region)
                    lost[:, few] = np.where(left[:, few] < HALF, own[:, few] - kept, lost[:, few])
                if run.queries_are_tokens(tower) == run.keys_are_tokens(tower):  # what is read reads too
                    lost[:, region[start:stop]] = 0
                total[i] -= lost.sum(axis=1)
        return total

    def _values(self, layer: int, tower: str) -> np.ndarray:
        """The values of a layer, float32 [kv_heads, keys, value_dim], kept beside the queries and keys of its run."""
        return self._kept_array(FACTORS, (tower, layer, "value"), lambda: self._read(layer, tower)["value"])

    def _inside(self, keys: Sequence[int], tower: str) -> np.ndarray:
        """These keys as bool [keys]. Raises NotInRun for one that is not there, or for none."""
        n = self.run.keys(tower)
        wrong = [key for key in keys if not _is_place(key, n)]
        if wrong or not len(keys):
            named = quoted(wrong[0]) if wrong else "in an empty region"
            raise NotInRun(f"There is no key {named} in the {tower} tower: it has {n} keys.")
        inside = np.zeros(n, bool)
        inside[list(keys)] = True
        return inside

    def _check_query(self, query: int, tower: str) -> None:
        n = self.run.queries(tower)
        if not _is_place(query, n):
            raise NotInRun(f"There is no row {quoted(query)} in the {tower} tower: it has rows 0 to {n - 1}.")

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


def flat_words(value: float, words: str = FLAT) -> str:
    """A sentence where the target is so probable that its forecast says little; '' elsewhere."""
    return words if value > NEAR_CERTAIN else ""


HALF = 0.5  # of a row's mass: where less is left the rest is computed anew, and not taken from 1


def _is_place(number: object, n: int) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool) and bool(0 <= number < n)


def _of_keys(rows: np.ndarray, pull: np.ndarray, value: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over some keys, bool [keys], of A, and of A (pull . v): float64 [heads, rows] each."""
    keys, (heads, n, _) = np.flatnonzero(which), rows.shape
    there = rows[:, :, keys]
    read = np.matmul(there.reshape(len(value), heads // len(value) * n, len(keys)), value[:, keys]).reshape(
        heads, n, -1
    )
    return there.sum(axis=2, dtype=np.float64), (read * pull).sum(axis=2, dtype=np.float64)


def _seen(pull: np.ndarray, value: np.ndarray) -> np.ndarray:
    """pull[h, i] . value[h // (heads // kv_heads), j]: float64 [heads, rows, keys]."""
    heads, n, width = pull.shape
    grouped = pull.reshape(len(value), heads // len(value) * n, width).astype(np.float64)
    return np.matmul(grouped, value.swapaxes(1, 2).astype(np.float64)).reshape(heads, n, -1)
