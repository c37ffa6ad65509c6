"""Towers that only some tokens of a run read or are read in: an encoder's own, a decoder's, those between two towers.

Owns the way between a token's place in the sequence and its place among a layer's queries or keys. A layer's file holds
those tokens alone; what is read of a run has a place for every token.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

Span = tuple[int, int]  # [first, the one after the last)


def count(spans: Sequence[Sequence[int]]) -> int:
    """Number of tokens in spans."""
    return sum(last - first for first, last in spans)


def places(spans: Sequence[Sequence[int]]) -> np.ndarray:
    """The tokens of ascending spans, int64."""
    return np.concatenate([np.arange(first, last) for first, last in spans]) if spans else np.empty(0, np.int64)


class TokensOf:
    """The tokens that a tower's queries and keys are, by its record in run.json; None stands for all, or for no token.

    `queries` and `keys` int64, ascending.
    """

    def __init__(self, tower: dict[str, Any], n_tokens: int):
        self.queries, self.keys = (
            places(tower[name]) if name in tower else None for name in ("query_tokens", "key_tokens")
        )
        self._n_tokens = n_tokens

    @cached_property
    def are_all(self) -> bool:
        """True where a layer's file has its queries and keys as the run has them."""
        return self.queries is None and self.keys is None

    def query(self, token: int) -> int | None:
        """The place of a token among the queries; None where it is none."""
        return _place(self.queries, token)

    def key(self, token: int) -> int | None:
        """The place of a token among the keys; None where it is none."""
        return _place(self.keys, token)

    def queries_in(self, first: int, stop: int) -> tuple[int, int]:
        """The places [first, stop) among the queries of those that are tokens in [first, stop)."""
        if self.queries is None:
            return first, stop
        start, end = np.searchsorted(self.queries, (first, stop))
        return int(start), int(end)

    def of_keys(self, values: np.ndarray) -> np.ndarray:
        """Values [..., keys of the file] with a place for every key of the run, 0 for those that no query sees."""
        return values if self.keys is None else _spread(values, self.keys, self._n_tokens, values.ndim - 1)

    def of_queries(self, values: np.ndarray, axis: int, first: int = 0, stop: int | None = None) -> np.ndarray:
        """Values of the queries in [first, stop) with a place for every token there, 0 for those that read nothing."""
        if self.queries is None:
            return values
        stop = self._n_tokens if stop is None else stop
        start, end = self.queries_in(first, stop)
        return _spread(values, self.queries[start:end] - first, stop - first, axis)


def _place(tokens: np.ndarray | None, token: int) -> int | None:
    if tokens is None:
        return token
    at = int(np.searchsorted(tokens, token))
    return at if at < len(tokens) and tokens[at] == token else None


def _spread(values: np.ndarray, at: np.ndarray, n: int, axis: int) -> np.ndarray:
    result = np.zeros((*values.shape[:axis], n, *values.shape[axis + 1 :]), values.dtype)
    np.moveaxis(result, axis, 0)[at] = np.moveaxis(values, axis, 0)
    return result
