"""Attention rows of one layer in float32, from the queries and keys that the model's own attention was given.

Owns the softmax that run files are made of, and the look for numbers that are none. Knows no hook, no plan and no file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from attention.errors import NotFinite
from attention.models.scores import Scores

from .blocks import Mask

CHUNK_BYTES = 8 << 20  # float32 rows computed at a time; what is counted on them takes some ten times as much


class ExactRows:
    """Rows of one layer, recomputed in float32 from the tensors that the model's own attention was given."""

    def __init__(self, query: torch.Tensor, key: torch.Tensor, scores: Scores, mask: Mask):
        self.query, self.key, self.scores = query, key, scores
        self.device = query.device
        self._is_causal, self._allowed = mask.name == "causal", mask.allowed
        self._segments = None if mask.segments is None else mask.segments.to(self.device)
        self._key32: torch.Tensor | None = None

    def chunks(self, positions: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Rows of `positions` (int64, ascending), some at a time: (positions, float32 [heads, rows, keys])."""
        step = max(1, CHUNK_BYTES // (4 * self.query.shape[0] * self.key.shape[1]))
        for chunk in positions.split(step) if len(positions) else ():
            yield chunk, self._softmax(chunk)

    def received(self) -> torch.Tensor:
        """The mean over queries of every row: float32 [heads, keys]."""
        heads, n_queries, _ = self.query.shape
        total = torch.zeros(heads, self.key.shape[1], device=self.device)
        for _, rows in self.chunks(torch.arange(n_queries)):
            total += rows.sum(dim=1)
        return total / n_queries

    def _softmax(self, positions):
        if self._key32 is None:
            self._key32 = self.key.float()
        heads, _, head_dim = self.query.shape
        n_kv, n, _ = self.key.shape
        on_device = positions.to(self.device)
        # a contiguous range is the common case, and a view of it costs nothing
        start, stop = int(positions[0]), int(positions[-1]) + 1
        part = self.query[:, start:stop] if stop - start == len(positions) else self.query[:, on_device]
        part = part.float().reshape(n_kv, heads // n_kv * len(positions), head_dim)
        first, last = self._reach(start, stop)
        key = self._key32[:, first:last]
        rows = torch.matmul(part, key.transpose(1, 2)).view(heads, len(positions), last - first)
        rows = self.scores.finished(rows)
        seen = torch.arange(first, last, device=self.device)
        if self._is_causal and len(positions) > 1:
            rows.masked_fill_(seen[None] > on_device[:, None], float("-inf"))
        elif self._segments is not None:
            own, others = (torch.bucketize(keys, self._segments, right=True) for keys in (on_device, seen))
            rows.masked_fill_(others[None] != own[:, None], float("-inf"))
        elif self._allowed is not None:
            rows.masked_fill_(~self._allowed[on_device], float("-inf"))
        rows = self.scores.softmax(rows)
        if self._allowed is not None:
            rows.nan_to_num_(0.0)  # a row that sees no key, as padding, reads nothing
        return rows if last - first == n else torch.nn.functional.pad(rows, (first, n - last))

    def _reach(self, start: int, stop: int) -> tuple[int, int]:
        """The keys outside of which no row of [start, stop) reads."""
        if self._is_causal:
            return 0, stop
        if self._segments is not None:
            ends = self._segments.tolist()
            first, last = bisect_right(ends, start), bisect_right(ends, stop - 1)
            return (ends[first - 1] if first else 0), ends[last]
        return 0, self.key.shape[1]


@dataclass(frozen=True)
class FiniteCheck:
    """The look at a layer's tensors, on the host, for numbers that are none.

    Padding does not count: queries that see no key, and keys that no other query sees, by `allowed` bool [queries,
    keys].
    """

    where: str
    allowed: torch.Tensor | None

    def __call__(self, tensors: dict[str, torch.Tensor]) -> None:
        """Raise NotFinite for query [heads, queries, head_dim], key [kv_heads, keys, head_dim] or rows of these."""
        query, key = tensors["query"], tensors["key"]
        largest = _largest(query) * _largest(key) * query.shape[-1]  # of a score, at most; NaN where one of them is
        if largest < torch.finfo(torch.float32).max:
            return
        if not (query.isfinite().all() and key.isfinite().all()):
            odd_queries, odd_keys = (~each.isfinite().all(dim=-1).all(dim=0) for each in (query, key))
            if self.allowed is None:
                raise not_finite(self.where, query.dtype)
            allowed = self.allowed.cpu()
            if (odd_queries & allowed.any(dim=1)).any() or (allowed & odd_keys)[~odd_queries].any():
                raise not_finite(self.where, query.dtype)
        for name in ("attention", "received"):  # products of finite numbers may still be too large
            if name in tensors and tensors[name].isnan().any():
                raise not_finite(self.where, query.dtype)


def _largest(tensor: torch.Tensor) -> float:
    """The largest absolute value, in one pass that makes no copy; NaN where there is one."""
    if not tensor.numel():
        return 0.0
    low, high = torch.aminmax(tensor)
    return float(torch.maximum(-low, high))


def not_finite(where: str, dtype: torch.dtype) -> NotFinite:
    """The error for a place in a model that computes NaN or infinity in this dtype."""
    advice = {
        torch.float16: "float16 ends at 65,504: try dtype bfloat16 or float32.",
        torch.bfloat16: "Try dtype float32.",
    }.get(dtype, "Training may have diverged, or a file is damaged.")
    return NotFinite(
        f"{where} computes numbers that are not finite (NaN or infinity) in {str(dtype).removeprefix('torch.')}, "
        f"so there is no attention to show. {advice}"
    )
