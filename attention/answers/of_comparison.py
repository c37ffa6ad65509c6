"""Answers about a comparison: how far heads moved, how probable each token was.

Knows comparisons by the methods of `Comparison`.
"""

from __future__ import annotations

from .numbers import Answer, numbers
from .query import BadQuery, Query, read_number, read_tower


def change(comparison, asked: Query) -> Answer:
    """Change of each head by a `measure` under an `adapter` (from 0): float32 [layers, heads].

    Of the row of position `query`, or without it (or with `query=mean`) as a mean over the answer's rows.
    """
    name = asked.get("measure")
    if not name:
        raise BadQuery("Give measure=..., what is compared.")
    is_mean = asked.get("query", "mean") == "mean"
    query = "mean" if is_mean else read_number(asked, "query")
    return numbers(comparison.change(name, read_number(asked, "adapter", 0), query, read_tower(asked)), "factors")


def logprobs(comparison, _: Query) -> Answer:
    """The log-probability of each shared token of the answer, by each member: float32 [members, tokens]."""
    return numbers(comparison.logprobs(), "factors")


COMPARISON_ANSWERS = {"change": change, "logprobs": logprobs}
