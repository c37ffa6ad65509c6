"""Columns of a data set of items: the name of each, its feature as `datasets` writes it, and a sentence on it.

Owns which columns a batch has, and what an item has in each. Needs no package: features are plain objects, of which
`writing` makes the types of Parquet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from attention.batches.batch import BASE, Batch
from attention.batches.reading_columns import ReadingColumn, columns_of_readings
from attention.batches.summary import words_of
from attention.batches.tables import OF_READINGS, OF_READINGS_AT_A_PLACE, PLACED
from attention.scoring.names import OUTCOMES, ROWS

Feature = dict[str, Any]  # as `datasets` writes it into the metadata of a Parquet file
Rows = Mapping[str, dict[str, Any]]  # an item's row of each member
Pictures = Mapping[str, Any]  # by the column

IMAGE: Feature = {"_type": "Image"}
STRING: Feature = {"dtype": "string", "_type": "Value"}
TABLES = {
    "image_mass": "share of the measured row on the picture",
    "sink_mass": "share of it on attention sinks",
    "entropy": "entropy of it, in bits",
    "image_entropy": "entropy of its part on the picture, in bits",
    "spatial_entropy": "scatter of the high part of its map, in bits",
    "js_row": "Jensen-Shannon divergence from the base's row, in bits",
    "js_image": "the same on the picture alone, in bits",
    "region_mass": "share of the row at the place",
    "region_share": "of what is read of the picture, the share at the place",
    "region_lift": "the same over even attention",
    "region_peak": "1 where the cell that is read most is one of the place's",
    "region_touch": "1 where the middle half of that cell touches the place",
    "region_rank": "place of its best cell among all, 1 for the one that is read most",
    "region_iou": "intersection over union of the place and of as many cells that are read most",
    "elsewhere_region_share": "region_share at the place of an earlier item on another picture",
    "elsewhere_region_peak": "region_peak there",
    "elsewhere_region_touch": "region_touch there",
    **{
        name: words
        for tables in (OF_READINGS, OF_READINGS_AT_A_PLACE)
        for each in tables.values()
        for name, words in each.items()
    },
}


@dataclass(frozen=True)
class Column:
    """A column: its `feature`, and `words` that say of what it is."""

    name: str
    feature: Feature
    words: str


def value(dtype: str) -> Feature:
    return {"dtype": dtype, "_type": "Value"}


def listed(feature: Feature, length: int | None = None) -> Feature:
    """A list of values, of a fixed length where one is given."""
    return {"feature": feature, **({} if length is None else {"length": length}), "_type": "List"}


def items_of(batch: Batch) -> Iterator[Rows]:
    """Every item with its row of each member that has one, in the order of the set."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for member in batch.members:
        for row in batch.rows(member):
            found.setdefault(row["id"], {})[member] = row
    yield from sorted(found.values(), key=lambda rows: first_of(rows)["number"])


def first_of(rows: Rows) -> dict[str, Any]:
    """The row of an item's first member: what holds for all of them is in each."""
    return next(iter(rows.values()))


def named(member: str, name: str) -> str:
    """The name of a member's column: the base's has no name before it."""
    return name if member == BASE else f"{member}_{name}"


def columns_of(batch: Batch, drawn: str) -> list[Column]:
    """The columns of a batch, those of its members one behind another; `drawn` says what an overlay shows."""
    rows = list(chain.from_iterable(batch.rows(member) for member in batch.members))
    columns = [
        Column("id", STRING, "SHA-256 of what was asked, and how, shortened; a kept run lies at `runs/ID`"),
        Column("name", STRING, "name of the item in its set"),
        Column("number", value("int64"), "its place in the set, from 0"),
        Column("image", IMAGE, "the picture, upright, without what its file said beside it; null where it is gone"),
    ]
    if any(len(row["pictures"]) > 1 for row in rows):
        columns.append(Column("other_images", listed(IMAGE), "the pictures after the first; null where one is gone"))
    columns.append(Column("prompt", STRING, "what was asked; of a chat the last words of its user"))
    if any(row["messages"] for row in rows):
        columns.append(Column("messages", STRING, "the whole chat, as JSON"))
    if any(row["places"] for row in rows):
        columns.append(
            Column("places", listed(listed(value("float64"))), "places to look at: (x0, y0, x1, y1) or (x, y), pixels")
        )
    for member in batch.members:
        columns += _of_member(batch, member, drawn)
    return columns


def _of_member(batch: Batch, member: str, drawn: str) -> list[Column]:
    layers, heads = batch.shape(member)
    table = listed(listed(value("float32"), heads), layers)
    measured = batch.info["rows"]
    found = [
        Column("answer", STRING, "what was answered, or was given to be read"),
        Column("forced", value("bool"), "true where the answer was given"),
        Column("logprob", value("float64"), "log-probability of the answer, in nats"),
        Column("logprobs", listed(value("float64")), "that of each of its tokens"),
        Column("tokens", value("int32"), "number of tokens of prompt and answer"),
        Column("row", value("int32"), f"the measured row: {ROWS.get(measured, measured)}"),
        Column("until", value("int32"), "the last of the rows whose mean was measured; null for one row"),
        Column("overlay", IMAGE, drawn),
        Column("kept", STRING, "what was kept of it, beside this file; null where nothing was"),
    ]
    names = batch.names(member) if layers else []
    if any(name in PLACED for name in names):
        found += [
            Column("outcome", listed(STRING), f"what the answer names, at each place: {', '.join(OUTCOMES)}"),
            Column("uniform", listed(value("float64")), "region_share of even attention, for each place"),
            Column("central", listed(value("float64")), "that of a row which reads the middle, for each place"),
        ]
    for name in names:
        at_a_place = name in PLACED
        words = f"{TABLES[name]}; {'[places]' if at_a_place else ''}[{layers} layers][{heads} heads]"
        found.append(Column(name, listed(table) if at_a_place else table, words))
    has_places = any(row["places"] for row in batch.rows(member))
    for column in columns_of_readings(batch.readings if layers else ()):
        if has_places or not column.at_place:
            found.append(Column(column.name, _feature(column), column.words))
    return [Column(named(member, column.name), column.feature, column.words) for column in found]


def _feature(column: ReadingColumn) -> Feature:
    """The feature of a column of readings: a value, or a list over the lens's layers; a list of these over places."""
    own = value(column.dtype)
    own = listed(own) if column.by_layer else own
    return listed(own) if column.at_place else own


def values_of(batch: Batch, rows: Rows, pictures: Pictures, kept: bool) -> dict[str, Any]:
    """An item's value in each column that it has one in: texts, numbers, lists, and `pictures` by their columns."""
    first = first_of(rows)
    found: dict[str, Any] = {
        "id": first["id"], "name": first["name"], "number": first["number"], "prompt": words_of(first),
        "messages": json.dumps(first["messages"], ensure_ascii=False) if first["messages"] else None,
        "places": [each["place"] for each in first["places"]], **pictures,
    }  # fmt: skip
    for member, row in rows.items():
        found |= {named(member, name): each for name, each in _values(batch, row, kept).items()}
    return found


def _values(batch: Batch, row: dict[str, Any], kept: bool) -> dict[str, Any]:
    places, tables = row["places"], batch.tables_of(row)
    found = {name: row[name] for name in ("answer", "forced", "logprob", "logprobs", "tokens", "row", "until")}
    found |= {name: [place[name] for place in places] for name in ("outcome", "uniform", "central")}
    found["kept"] = row["kept"] if kept else None
    shape = batch.shape(row["member"])
    for name in batch.names(row["member"]):
        if name in PLACED:
            own = [tables[f"{place}.{name}"] for place in range(len(places))]
            found[name] = [_list(table, shape) for table in own]
        else:
            found[name] = _list(tables[name], shape)
    for column in columns_of_readings(batch.readings):
        found[column.name] = [column.of(row, place) for place in places] if column.at_place else column.of(row, {})
    return found


def _list(table: np.ndarray, shape: tuple[int, int]) -> list[list[float]]:
    """A table as lists; NaN in all of it where it is of another shape than the others."""
    return (table if table.shape == shape else np.full(shape, np.nan, np.float32)).tolist()
