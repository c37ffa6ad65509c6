"""Columns of what readings say of an item beside its tables: for a summary, and for a data set of the Hub.

Owns the name of each, its words, and where its value stands in a row of items.jsonl.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from attention.readings.agreement import HIDDEN, NAMES, PAINTED

from .measured_readings import RANDOM
from .tables import AGREEMENT, FORECAST, LENS, RELATIVE

Row = Mapping[str, Any]
Place = Mapping[str, Any]
TRIED = {HIDDEN: "hiding", PAINTED: "painting over"}


@dataclass(frozen=True)
class ReadingColumn:
    """A column: `of` gives its value in a row and at one of its places, None where there is none.

    `dtype` is float64, int32 or string. With `by_layer` it is a list, over the layers of the lens; `at_place` says that
    each place has its own.
    """

    name: str
    dtype: str
    words: str
    of: Callable[[Row, Place], Any]
    by_layer: bool = False
    at_place: bool = False


def _of(kind: str, name: str) -> Callable[[Row, Place], Any]:
    return lambda row, place: row["readings"][kind][name]


def _at(name: str) -> Callable[[Row, Place], Any]:
    return lambda row, place: place.get(name)


def _of_map(name: str, truth: str, what: str) -> Callable[[Row, Place], Any]:
    return lambda row, place: row["readings"][AGREEMENT]["maps"][name].get(truth, {}).get(what)


def _agreements() -> Iterable[ReadingColumn]:
    for name, words in NAMES.items():
        for truth in TRIED if name not in (RANDOM, HIDDEN) else [PAINTED] * (name == HIDDEN):
            yield ReadingColumn(
                f"{truth}_rank_{name}", "float64", f"{words}: rank correlation with what {TRIED[truth]} regions does",
                _of_map(name, truth, "rank"),
            )  # fmt: skip
            yield ReadingColumn(
                f"{truth}_hits_{name}", "float64", f"{words}: 1 where it finds the one whose {TRIED[truth]} harms most",
                _of_map(name, truth, "hits"),
            )  # fmt: skip


CELLS = ReadingColumn("place_cells", "int32", "cells that stand for the place", _at("cells"), at_place=True)
COLUMNS: dict[str, tuple[ReadingColumn, ...]] = {
    FORECAST: (
        ReadingColumn(
            "forecast_value", "float64", "log-probability of what is forecast, in nats; near 0 its slopes say little",
            _of(FORECAST, "value"),
        ),
        CELLS,
    ),
    RELATIVE: (),
    LENS: (
        ReadingColumn(
            "lens_word", "string", "likeliest word of the measured row after each layer", _of(LENS, "words"), True
        ),
        ReadingColumn("lens_logprob", "float64", "its log-probability, in nats", _of(LENS, "logprobs"), True),
        ReadingColumn(
            "lens_answer", "float64", "log-probability of the token that follows, where it is one of the five best",
            _of(LENS, "answer"), True,
        ),
        ReadingColumn(
            "lens_place_word", "string", "word that is the likeliest of most cells of the place, after each layer",
            _at("words"), True, True,
        ),
        ReadingColumn("lens_place_share", "float64", "share of these cells", _at("shares"), True, True),
        CELLS,
    ),
    AGREEMENT: tuple(_agreements()),
}  # fmt: skip


def columns_of_readings(kinds: Iterable[str]) -> list[ReadingColumn]:
    """The columns of some kinds, each once."""
    return list({column.name: column for kind in kinds for column in COLUMNS[kind]}.values())


def lens_layers(row: Row) -> list[int]:
    """The layers of columns by layer; none without a lens."""
    layers: list[int] = row.get("readings", {}).get(LENS, {}).get("layers", [])
    return layers
