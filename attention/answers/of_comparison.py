"""Answers about a comparison: how far heads moved, how probable each token was.

Knows comparisons by the methods of `Comparison`.
"""

from __future__ import annotations

from attention.comparisons.floors import floor_logprob
from attention.comparisons.region_floors import region_floor
from attention.comparisons.regions import region_change
from attention.errors import NotInRun, quoted
from attention.measures import regions
from attention.runs.regions import read_region

from .numbers import Answer, numbers
from .query import BadQuery, Query, read_number, read_place, read_tower


def change(comparison, asked: Query) -> Answer:
    """Change of each head by a `measure` under an `adapter` (from 0): float32 [layers, heads].

    Of the row of position `query`, or without it (or with `query=mean`) as a mean over the answer's rows. Measures of
    `measures.regions` are of a `box` (x0,y0,x1,y1) or a `point` (x,y) on an `image`, in its pixels; of all others a
    `part` may be asked for, `direct` or `inherited`. With a `floor` (zero, dtype or paraphrase) it is that of the base
    by itself, whatever the adapter.
    """
    name = asked.get("measure")
    if not name:
        raise BadQuery("Give measure=..., what is compared.")
    is_mean = asked.get("query", "mean") == "mean"
    query = "mean" if is_mean else read_number(asked, "query")
    adapter, tower = read_number(asked, "adapter", 0), read_tower(asked)
    floor, part = asked.get("floor"), asked.get("part")
    if name in regions.NAMES:
        region = read_region(comparison.base, *read_place(asked))
        if floor:
            return numbers(region_floor(comparison, floor, region, name, query, tower), "factors")
        if part:
            raise NotInRun(f"What lies in a region is not told apart: leave part={quoted(part)} out.")
        return numbers(region_change(comparison, region, name, adapter, query, tower), "factors")
    if floor:
        return numbers(comparison.floor(floor, name, query, tower), "factors")
    return numbers(comparison.change(name, adapter, query, tower, part), "factors")


def logprobs(comparison, asked: Query) -> Answer:
    """The log-probability of each shared token of the answer, by each member: float32 [members, tokens].

    With a `floor` how far that of the base moves by itself: float32 [tokens].
    """
    if floor := asked.get("floor"):
        return numbers(floor_logprob(comparison, floor), "factors")
    return numbers(comparison.logprobs(), "factors")


COMPARISON_ANSWERS = {"change": change, "logprobs": logprobs}
