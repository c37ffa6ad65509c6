"""Readings of a finished run as the numbers of an item: tables, fields of its row, and what is kept with its rows.

Owns what of each kind is such a number. They are those of `attention.readings`, as they are: the place of an item is
the cells at least half of which it covers, where a reading is of whole cells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from attention.readings.agreement import keys_of
from attention.readings.as_forecast import RunAsForecast
from attention.readings.forecast import Forecast
from attention.readings.kept_agreement import KeptAgreement
from attention.readings.lens import Lens
from attention.readings.relative import Relative
from attention.runs.regions import Region, region_cells
from attention.runs.run import Run
from attention.scoring.checked import Place

from .items import BatchItem
from .tables import AGREEMENT, FORECAST, LENS, RELATIVE

RANDOM = "random"  # a map that is drawn, and says nothing of an item


@dataclass
class MeasuredReadings:
    """Numbers of an item's readings: `tables` by their names, `fields` by the kind, and of each place its own."""

    tables: dict[str, np.ndarray] = field(default_factory=dict)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class KeptOfReadings:
    """Readings of rows that are kept without their run: `tensors` by their names, and what the header says of them."""

    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)


def measured_readings(
    run: Run, item: BatchItem, readings: Mapping[str, Any], query: int, until: int | None
) -> MeasuredReadings:
    """Measure the readings of a run, by their kinds, at the item's places; `query` to `until` are its measured row."""
    found = MeasuredReadings(places=[{} for _ in item.places])
    if FORECAST in readings:
        _forecast(found, item, readings[FORECAST])
    if RELATIVE in readings:
        _relative(found, item, readings[RELATIVE], query, until)
    if LENS in readings:
        _lens(found, item, readings[LENS], query)
    if AGREEMENT in readings:
        _agreement(found, readings[AGREEMENT])
    for kind, reading in readings.items():
        found.fields[kind] = {"name": reading.folder.name, **found.fields.get(kind, {})}
    return found


def kept_of_readings(readings: Mapping[str, Any], queries: Sequence[int]) -> KeptOfReadings:
    """Whatever readings say of some rows of their run, to be kept beside these.

    `forecast` float32 [rows, layers, heads, keys] of each row and `forecast_all` [layers, heads, keys] of all rows
    together, `relative` as `forecast`, and `lens_ids` int32 and `lens_logprobs` [layers, tokens, words].
    """
    found = KeptOfReadings()
    if FORECAST in readings:
        effects = RunAsForecast(readings[FORECAST])
        tower = effects.picture_tower()
        found.tensors["forecast"] = np.stack([effects.exact_rows(query, tower) for query in queries])
        found.tensors["forecast_all"] = effects.exact_rows(None, tower)
    if RELATIVE in readings:
        relative = readings[RELATIVE]
        tower = relative.run.picture_tower()
        found.tensors["relative"] = np.stack([np.stack(relative.rows(query, tower)) for query in queries])
    if LENS in readings:
        found.tensors["lens_ids"], found.tensors["lens_logprobs"] = readings[LENS].tables
        found.said[LENS] = {name: readings[LENS].info[name] for name in ("layers", "texts", "unspelled")}
    if AGREEMENT in readings:
        found.said[AGREEMENT] = {name: readings[AGREEMENT].info[name] for name in ("regions", "measured", "maps")}
    return found


def _places(item: BatchItem, name: str) -> dict[str, Place]:
    """Places of an item and those elsewhere that are set beside them, by the names of their tables."""
    found = {f"{number}.{name}": place for number, place in enumerate(item.places)}
    others = {f"{number}.elsewhere_{name}": other for number, other in enumerate(item.elsewhere)}
    return found | {key: other for key, other in others.items() if other is not None}


def _forecast(found: MeasuredReadings, item: BatchItem, forecast: Forecast) -> None:
    effects = RunAsForecast(forecast)
    tower = effects.picture_tower()
    found.tables |= {
        "silence_zero": forecast.silenced("zero", tower), "silence_mean": forecast.silenced("mean", tower),
        "forecast_size": effects.row_scores("size", None, tower),
        "forecast_image": effects.row_scores("image_mass", None, tower),
    }  # fmt: skip
    found.fields[FORECAST] = {"tokens": forecast.info["target"]["tokens"], "value": forecast.info["value"]}
    regions = {name: keys_of(effects, Region(place), tower) for name, place in _places(item, "forecast_region").items()}
    for number, own in enumerate(found.places):
        own["cells"] = len(regions[f"{number}.forecast_region"])
    regions = {name: keys for name, keys in regions.items() if keys}
    if regions:
        found.tables |= dict(zip(regions, forecast.knock_outs([*regions.values()], tower), strict=True))


def _relative(found: MeasuredReadings, item: BatchItem, relative: Relative, query: int, until: int | None) -> None:
    run = relative.run
    tower = run.picture_tower()
    found.fields[RELATIVE] = {"prompt": relative.prompt, "proof": relative.info["proof"]}
    n_cells = sum(run.cells(grid).size for grid in run.grids(tower))
    found.tables["relative_image"] = relative.mass(np.ones(n_cells), query, tower, until)
    for name, place in _places(item, "relative_region").items():
        cells = region_cells(run, Region(place), tower)
        found.tables[name] = relative.mass(cells.shared / cells.areas, query, tower, until)


def _lens(found: MeasuredReadings, item: BatchItem, lens: Lens, query: int) -> None:
    run = lens.run
    tower, tokens, (ids, logprobs) = run.picture_tower(), run.info["tokens"], lens.tables
    said = tokens[query + 1]["id"] if query + 1 < len(tokens) else None
    answer = np.where(ids[:, query] == said, logprobs[:, query], -np.inf).max(axis=1)
    found.fields[LENS] = {
        "layers": lens.layers_read, "words": _texts(lens, ids[:, query, 0]), "logprobs": logprobs[:, query, 0].tolist(),
        "answer": [value if np.isfinite(value) else None for value in answer.tolist()],
    }  # fmt: skip
    for place, own in zip(item.places, found.places, strict=True):
        keys = list(keys_of(run, Region(place), tower)) if run.keys_are_tokens(tower) else []
        own.setdefault("cells", len(keys))  # a forecast's place may have cells that are no tokens
        most = [Counter(layer.tolist()).most_common(1)[0] for layer in ids[:, keys, 0]] if keys else []
        own["words"] = _texts(lens, [word for word, _ in most])
        own["shares"] = [count / len(keys) for _, count in most]


def _texts(lens: Lens, ids: Sequence[int] | np.ndarray) -> list[str]:
    return [lens.info["texts"][str(int(each))] for each in ids]


def _agreement(found: MeasuredReadings, agreement: KeptAgreement) -> None:
    run = agreement.run
    tower = run.picture_tower()
    ranks = [[agreement.of_head(layer, head) for head in range(run.heads(tower))] for layer in run.layers(tower)]
    for truth in agreement.measured:
        own = [[each[truth].rank for each in layer] for layer in ranks]
        found.tables[f"{truth}_rank"] = np.array(own, np.float32)
    maps = {
        name: {
            truth: {"rank": None if np.isnan(each.rank) else each.rank, "hits": each.hits}
            for truth, each in row.items()
        }
        for name, row in agreement.table().items()
        if name != RANDOM
    }
    regions = len(agreement.info["regions"])
    found.fields[AGREEMENT] = {"value": agreement.info["value"], "regions": regions, "maps": maps}
