"""Attention rows of layers in float32, from the queries and keys that the model's own attention was given.

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
DEVICE_CHUNK_BYTES = 64 << 20  # the same where it is the number of calls that takes time


def chunk_bytes(device: torch.device) -> int:
    """Bytes of float32 rows that are computed at a time on a device."""
    return CHUNK_BYTES if device.type == "cpu" else DEVICE_CHUNK_BYTES


class ExactRows:
    """Rows of some layers of one shape, recomputed in float32 from the tensors that the model's attention was given.

    `queries` [heads, queries, head_dim] and `keys` [kv_heads, keys, head_dim] one each a layer, all on one device.
    """

    def __init__(self, queries: list[torch.Tensor], keys: list[torch.Tensor], scores: Scores, mask: Mask):
        self.queries, self.keys, self.scores = queries, keys, scores
        self.device = queries[0].device
        self._is_causal = mask.name == "causal"
        self._allowed = None if mask.allowed is None else mask.allowed.to(self.device)
        self._ends = None if mask.segments is None else mask.segments.tolist()
        self._segments = None if mask.segments is None else mask.segments.to(self.device)
        self._keys32: torch.Tensor | None = None

    def chunks(self, positions: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Rows of `positions` (int64, ascending), some at a time: (positions, float32 [layers, heads, rows, keys])."""
        values = len(self.queries) * self.queries[0].shape[0] * self.keys[0].shape[1]
        step = max(1, chunk_bytes(self.device) // (4 * values))
        for chunk in positions.split(step) if len(positions) else ():
            yield chunk, self._softmax(chunk)

    def received(self) -> torch.Tensor:
        """The mean over queries of every row: float32 [layers, heads, keys]."""
        heads, n_queries, _ = self.queries[0].shape
        total = torch.zeros(len(self.queries), heads, self.keys[0].shape[1], device=self.device)
        for _, rows in self.chunks(torch.arange(n_queries)):
            total += rows.sum(dim=-2)
        return total / n_queries

    def let_go(self) -> None:
        """Let go of the float32 keys, until rows are asked for again."""
        self._keys32 = None

    def _softmax(self, positions):
        if self._keys32 is None:
            self._keys32 = _stacked(self.keys).float()
        heads, _, head_dim = self.queries[0].shape
        n_layers, n_kv, n, _ = self._keys32.shape
        on_device = positions.to(self.device)
        # a contiguous range is the common case, and a view of it costs nothing
        start, stop = int(positions[0]), int(positions[-1]) + 1
        is_range = stop - start == len(positions)
        part = _stacked([query[:, start:stop] if is_range else query[:, on_device] for query in self.queries])
        part = part.float().reshape(n_layers, n_kv, heads // n_kv * len(positions), head_dim)
        first, last = self._reach(start, stop)
        key = self._keys32[:, :, first:last]
        rows = torch.matmul(part, key.transpose(-1, -2)).view(n_layers, heads, len(positions), last - first)
        formula = self.scores.of_queries(slice(start, stop) if is_range else on_device)
        rows = formula.finished(rows, slice(first, last))
        seen = torch.arange(first, last, device=self.device)
        if self._is_causal and len(positions) > 1:
            rows.masked_fill_(seen[None] > on_device[:, None], float("-inf"))
        elif self._segments is not None:
            own, others = (torch.bucketize(keys, self._segments, right=True) for keys in (on_device, seen))
            rows.masked_fill_(others[None] != own[:, None], float("-inf"))
        elif self._allowed is not None:
            rows.masked_fill_(~self._allowed[on_device], float("-inf"))
        rows = formula.softmax(rows)
        if self._allowed is not None:
            rows.nan_to_num_(0.0)  # a row that sees no key, as padding, reads nothing
        return rows if last - first == n else torch.nn.functional.pad(rows, (first, n - last))

    def _reach(self, start: int, stop: int) -> tuple[int, int]:
        """The keys outside of which no row of [start, stop) reads."""
        if self._is_causal:
            return 0, stop
        if self._ends is not None:
            first, last = bisect_right(self._ends, start), bisect_right(self._ends, stop - 1)
            return (self._ends[first - 1] if first else 0), self._ends[last]
        return 0, self.keys[0].shape[1]


def _stacked(layers: list[torch.Tensor]) -> torch.Tensor:
    """Tensors of layers as one, the layers first; of a single layer without a copy."""
    return layers[0][None] if len(layers) == 1 else torch.stack(layers)


@dataclass(frozen=True)
class FiniteCheck:
    """The look at a layer's tensors, on the host, for numbers that are none.

    Padding does not count: queries that see no key, and keys that no other query sees, by `allowed` bool [queries,
    keys].
    """

    where: str
    allowed: torch.Tensor | None

    def __call__(self, tensors: dict[str, torch.Tensor]) -> None:
        """Raise NotFinite for query [heads, queries, head_dim], key [kv_heads, keys, head_dim] or rows of these.

        Also for `sink_logits` [heads] or [heads, queries], of which -inf is a head without a sink, and for
        `position_bias` [heads, queries, keys].
        """
        query, key = tensors["query"], tensors["key"]
        if "sink_logits" in tensors and not (tensors["sink_logits"] < float("inf")).all():
            raise not_finite(self.where, query.dtype)
        if "position_bias" in tensors and not tensors["position_bias"].isfinite().all():
            raise not_finite(self.where, query.dtype)
        largest = _largest(query) * _largest(key) * query.shape[-1]  # of a score, at most; NaN where one of them is
        if largest < torch.finfo(torch.float32).max:
            return
        if not (query.isfinite().all() and key.isfinite().all()):
            odd_queries, odd_keys = (~each.isfinite().all(dim=-1).all(dim=0) for each in (query, key))
            if self.allowed is None:
                raise not_finite(self.where, query.dtype)
            if (odd_queries & self.allowed.any(dim=1)).any() or (self.allowed & odd_keys)[~odd_queries].any():
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
