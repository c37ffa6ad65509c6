"""Rows and columns of one layer, from its queries and keys.

Owns the formula: a row is the softmax, in float32, of scaling x query . key over the keys that the mask shows, capped
and biased where the layer does so, with its learned sink logits where it has them. Knows one layer's file and its mask,
no run.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from .array_cache import ArrayCache
from .float16 import to_float32
from .layer_file import LayerFile
from .masks import Mask

COLUMNS_AT_ONCE = 16  # computed for one that is asked for
CHUNK_BYTES = 32 << 20  # scores computed at a time when a whole layer is asked for

FACTORS = ArrayCache(1 << 30)  # queries and keys in float32, of all runs of a process
COMPUTED = ArrayCache(256 << 20)  # log-sum-exps and what keys receive: small, and each a walk over a whole layer


class Layer:
    """One layer that keeps its queries and keys. `name` is a tuple by which its arrays are kept in memory."""

    def __init__(self, file: LayerFile, mask: Mask, name: tuple[Any, ...]):
        self._file = file
        self._mask = mask
        self._name = name
        self.heads, self.n_queries, _ = file.shape("query")
        self.n_keys = file.shape("key")[1]

    def rows(self, start: int, stop: int, without: np.ndarray | None = None) -> np.ndarray:
        """Rows [start, stop): float32 [heads, rows, keys]. A row that sees no key is 0 everywhere.

        The largest score of a row is taken off before the exponential. `without` bool [keys] are hidden too.
        """
        queries = to_wide(self._file.read_slice("query", (slice(None), slice(start, stop))))
        scores, first = self._scores(queries, start, stop)
        if without is not None:
            scores[:, :, without[first : first + scores.shape[2]]] = -np.inf
        _, total = self._exponentials(scores, start, stop)
        total[total == 0] = 1
        last = first + scores.shape[2]
        result = np.empty((*scores.shape[:2], self.n_keys), np.float32)
        result[:, :, :first] = result[:, :, last:] = 0
        np.divide(scores, total, out=result[:, :, first:last])
        return result

    def columns(self, start: int, stop: int) -> np.ndarray:
        """Columns of the keys [start, stop): float32 [heads, queries, keys], each value of its query's own row."""
        queries, keys = self._queries(), self._keys()
        heads, n, head_dim = queries.shape
        # with neighbours, because a product with one key alone is summed in another order than the rows were
        first = max(0, min(start, keys.shape[2] - COLUMNS_AT_ONCE))
        block = np.ascontiguousarray(keys[:, :, first : max(stop, first + COLUMNS_AT_ONCE)])
        scores = np.matmul(queries.reshape(len(keys), heads // len(keys) * n, head_dim), block)
        scores = np.ascontiguousarray(scores.reshape(heads, n, -1)[:, :, start - first : stop - first])
        scores = self._finished(scores)
        if "position_bias" in self._file:
            for low, high in chunks(heads, n, self.n_keys):
                scores[:, low:high] += self._bias(low, high)[:, :, start:stop]
        scores = scores - self.log_sum_exp()[:, :, None]
        readers = np.stack([self._mask.readers(key, n) for key in range(start, stop)], axis=1)
        scores[:, ~readers] = -np.inf
        return np.exp(scores.astype(np.float32))

    def _scores(self, queries: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, int]:
        """Scores of rows [start, stop), float32 [heads, rows, some keys], and the first of those keys.

        No row of these sees a key outside; a key inside that a row does not see has -inf.
        """
        heads, rows, head_dim = queries.shape
        first, last = self._mask.reach(start, stop, self.n_keys)
        keys = self._keys()[:, :, first:last]
        group = heads // len(keys)
        if rows == 1:  # as vector times matrix, which is twice as fast here as a product of thin matrices
            scores = np.matmul(queries.reshape(len(keys), group, 1, head_dim), keys[:, None])
        else:
            scores = np.matmul(queries.reshape(len(keys), group * rows, head_dim), keys)
        scores = self._finished(scores.reshape(heads, rows, last - first))
        if "position_bias" in self._file:
            scores += self._bias(start, stop)[:, :, first:last]
        hidden = self._mask.hidden(start, stop, first, last)
        if hidden is not None:
            at = hidden.shape[1]
            scores[:, :, -at:] += np.where(hidden, np.float32(-np.inf), np.float32(0))
        return scores, first

    def _bias(self, start: int, stop: int) -> np.ndarray:
        """Numbers that the layer added to the scores of rows [start, stop): float32 [heads, rows, keys]."""
        return to_wide(self._file.read_slice("position_bias", (slice(None), slice(start, stop))))

    def _finished(self, scores: np.ndarray) -> np.ndarray:
        """Scaled, and capped where the layer does so, in place. After the product, as models do: the same rounding."""
        scores *= scores.dtype.type(self._file.metadata["scaling"])
        softcap = self._file.metadata.get("softcap")
        if softcap:
            scores /= scores.dtype.type(softcap)
            np.tanh(scores, out=scores)
            scores *= scores.dtype.type(softcap)
        return scores

    def _exponentials(self, scores: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Replace scores of rows [start, stop) by exp(score - peak); return the peaks and the sums over keys.

        Both are [heads, rows, 1].
        """
        peak = scores.max(axis=-1, keepdims=True, initial=-np.inf)
        sink = self._sink_logits
        sink = sink if sink is None or sink.shape[1] == 1 else sink[:, start:stop]
        if sink is not None:
            peak = np.maximum(peak, sink)
        peak[~np.isfinite(peak)] = 0
        np.subtract(scores, peak, out=scores)
        np.exp(scores, out=scores)
        total = scores.sum(axis=-1, keepdims=True)
        if sink is not None:
            total += np.exp(sink - peak)
        return peak, total

    def log_sum_exp(self) -> np.ndarray:
        """The logarithm of every row's denominator, float64 [heads, queries]; +inf for a row that sees no key.

        In float32 its rounding alone would be larger than the error of a row.
        """

        def compute() -> np.ndarray:
            queries = self._queries()
            result = np.empty((self.heads, self.n_queries), np.float64)
            for start, stop in chunks(self.heads, self.n_queries, self.n_keys):
                scores, _ = self._scores(queries[:, start:stop], start, stop)
                peak, total = self._exponentials(scores, start, stop)
                with np.errstate(divide="ignore"):
                    logarithm = peak + np.log(total.astype(np.float64))
                result[:, start:stop] = np.where(total > 0, logarithm, np.inf)[:, :, 0]
            return result

        return COMPUTED.get((*self._name, "log-sum-exp"), compute)

    @cached_property
    def _sink_logits(self) -> np.ndarray | None:
        """Logits that take part in a row's sum and are no key: float32 [heads, 1, 1], or [heads, queries, 1]."""
        if "sink_logits" not in self._file:
            return None
        return self._file.read("sink_logits").astype(np.float32).reshape(self.heads, -1, 1)

    def _queries(self) -> np.ndarray:
        """All queries in float32, [heads, queries, head_dim]."""
        return FACTORS.get((*self._name, "query"), lambda: to_wide(self._file.read("query")))

    def _keys(self) -> np.ndarray:
        """All keys in float32, [kv_heads, head_dim, keys]: contiguous as rows sum them, which memory reads fastest."""

        def read() -> np.ndarray:
            return np.ascontiguousarray(to_wide(self._file.read("key")).transpose(0, 2, 1))

        return FACTORS.get((*self._name, "key"), read)


def chunks(heads: int, last: int, keys: int, first: int = 0) -> Iterator[tuple[int, int]]:
    """The rows [first, last) of a layer in order, as many at a time as fit CHUNK_BYTES in float32: (start, stop)."""
    step = max(1, CHUNK_BYTES // (4 * heads * keys))
    return ((start, min(last, start + step)) for start in range(first, last, step))


def to_wide(factor: np.ndarray) -> np.ndarray:
    """Queries or keys in float32, as they are where they are already."""
    return to_float32(factor) if factor.dtype == np.float16 else factor.astype(np.float32, copy=False)
