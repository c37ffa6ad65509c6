"""The numbers of an item: tables [layers, heads] by their names, in the order in which they lie in a file.

Owns that order. Of each member come the scores of its row, of those after the base how far it moved, what its readings
say of the whole item, and then, for each place of the item, what lies there and elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from attention.readings.forecast import KIND as FORECAST
from attention.readings.kept_agreement import KIND as AGREEMENT
from attention.readings.lens import KIND as LENS
from attention.readings.relative import KIND as RELATIVE
from attention.scoring.names import BY, MEASURES

SCORES = ("image_mass", "sink_mass", "entropy", "image_entropy", "spatial_entropy")
CHANGES = ("js_row", "js_image")  # bits between the base's row and a member's, which predict an answer's first token
AT_A_PLACE = (*MEASURES, *(f"elsewhere_{name}" for name in BY))
# by the kind of a reading: its tables of an item, and of each place, with what they are
OF_READINGS: dict[str, dict[str, str]] = {
    FORECAST: {
        "silence_zero": "what the answer would lose (-) or gain if the head's output were 0, in nats",
        "silence_mean": "the same if it were its mean over this item's rows",
        "forecast_size": "size of all slopes of the head, without their signs; over the sum of all heads its share",
        "forecast_image": "slope of the answer if the picture's cells were read a little less by everybody, in nats",
    },
    RELATIVE: {"relative_image": "share of the row on the picture over that of the general question's row"},
    LENS: {},  # its words are no tables: `reading_columns` has them
    AGREEMENT: {
        "hidden_rank": "rank correlation of the head's attention with what hiding regions does",
        "painted_rank": "the same with what painting them over does",
    },
}
OF_READINGS_AT_A_PLACE: dict[str, dict[str, str]] = {
    FORECAST: {
        "forecast_region": "what the answer would lose (-) or gain if no other row read the place, in nats",
        "elsewhere_forecast_region": "forecast_region at the place of an earlier item on another picture",
    },
    RELATIVE: {
        "relative_region": "share of the row at the place over that of the general question's row",
        "elsewhere_relative_region": "relative_region at the place of an earlier item on another picture",
    },
}
PLACED = frozenset((*AT_A_PLACE, *(name for names in OF_READINGS_AT_A_PLACE.values() for name in names)))


def of_item(is_compared: bool, readings: Iterable[str] = ()) -> list[str]:
    """Names of a member's tables that are of the item as a whole; `readings` are the kinds that were made of it."""
    own = [*SCORES, *(CHANGES if is_compared else ())]
    return own + [name for kind in readings for name in OF_READINGS[kind]]


def of_place(readings: Iterable[str] = ()) -> list[str]:
    """Names of a member's tables that each place has."""
    return [*AT_A_PLACE, *(name for kind in readings for name in OF_READINGS_AT_A_PLACE.get(kind, ()))]


def names_of(is_compared: bool, n_places: int, readings: Iterable[str] = ()) -> list[str]:
    """Names of a member's tables; those of a place begin with its number."""
    kinds = list(readings)
    at_places = [f"{place}.{name}" for place in range(n_places) for name in of_place(kinds)]
    return of_item(is_compared, kinds) + at_places


def stacked(tables: Mapping[str, np.ndarray], names: list[str], shape: tuple[int, int]) -> np.ndarray:
    """Tables by their names in one array, float32 [tables, layers, heads]; NaN where one has no value."""
    found = np.full((len(names), *shape), np.nan, np.float32)
    for number, name in enumerate(names):
        if name in tables:
            found[number] = tables[name]
    return found
