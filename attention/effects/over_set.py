"""Agreement over a set of inputs: means with their intervals, a random order beside.

Owns the statistics, and the choice of the one head that is judged as "the best": on half of the inputs by what hiding
did there, judged on the other half. One input says little; no map is called an explanation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attention.errors import InvalidRequest
from attention.measures import over_items
from attention.readings.agreement import HIDDEN, NAMES, Agreement, agreement

from .agreeing import Agreeing

BEST = "best_head"
SET_NAMES = {**NAMES, BEST: "attention, the best head (chosen on the other half)"}


@dataclass(frozen=True)
class OnSet:
    """Agreement over a set.

    `rows` {map: {truth: {rank, rank_low, rank_high, hits, hits_low, hits_high, n}}}; `heads` the (index of layer, head)
    that was chosen on each half of the inputs, none where all
    inputs share a picture: then none can be judged elsewhere.
    """

    rows: dict[str, dict[str, dict[str, float]]]
    heads: list[tuple[int, int]]


def over_set(inputs: Sequence[Agreeing], groups: Sequence[Any] | None = None, seed: int = 0) -> OnSet:
    """Means over inputs of how far each map agrees, with 95 % intervals; `groups` are inputs that share a picture.

    Raises InvalidRequest for fewer than two inputs.
    """
    if len(inputs) < 2:
        raise InvalidRequest(f"Agreement over a set needs two inputs at least; {len(inputs)} could be used.")
    names = np.asarray([str(group) for group in groups] if groups is not None else range(len(inputs)))
    tables: list[dict[str, dict[str, Agreement]]] = [each.table() for each in inputs]
    heads = _best_heads(inputs, names, seed)
    half = over_items.first_half(names, seed)
    for each, table, is_first in zip(inputs, tables, half, strict=True):
        if heads:
            layer, head = heads[1 if is_first else 0]
            table[BEST] = {truth: agreement(each.heads[layer, head], values) for truth, values in each.measured.items()}
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for name in SET_NAMES:
        for truth in tables[0].get(name, {}):
            ranks = np.array([table[name][truth].rank for table in tables])
            hits = np.array([float(table[name][truth].hits) for table in tables])
            rank = over_items.mean_interval(ranks, names, seed)
            rate = over_items.rate_interval(hits, names)
            rows.setdefault(name, {})[truth] = {
                "rank": float(rank.mean), "rank_low": float(rank.low), "rank_high": float(rank.high),
                "hits": float(rate.mean), "hits_low": float(rate.low), "hits_high": float(rate.high),
                "n": int(rank.n),
            }  # fmt: skip
    return OnSet(rows, heads)


def _best_heads(inputs: Sequence[Agreeing], groups: np.ndarray, seed: int) -> list[tuple[int, int]]:
    """The head that agrees best with hiding, over the first half of the inputs and over the others."""
    half = over_items.first_half(groups, seed)
    if not half.any():
        return []
    scores = np.stack(
        [[[agreement(head, each.measured[HIDDEN]).rank for head in layer] for layer in each.heads] for each in inputs]
    )
    found = []
    for mask in (half, ~half):
        mean = np.nan_to_num(scores[mask], nan=0.0).mean(axis=0)
        layer, head = divmod(int(mean.argmax()), mean.shape[1])
        found.append((layer, head))
    return found
