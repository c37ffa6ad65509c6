"""A run's readings on its site: what its page computes forecasts and relative attention from, and the words of a lens.

Owns what of a reading is published and how it lies there. Of a forecast each layer has the values, and by query the
pull and what comes off it, from which the effects of any row and column follow; those that are looked at first, of the
rows that predict the answer and of all rows together, lie there whole.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from attention.comparisons.comparison import Comparison
from attention.kinds.kept import names_of, readable, reading_record
from attention.readings.forecast import Forecast
from attention.readings.lens import Lens
from attention.readings.reading import Reading
from attention.readings.relative import Relative
from attention.runs.layer_file import LayerFile
from attention.runs.run import Run

from .site_tensors import write_tensors

FOLDER = "readings"
WHOLE_ROWS = 32  # that predict the answer, at most: each is a row of every head
LACKS = "Other readings, trials, and numbers of a marked place are not on it: the app has them, where the run is open."
NAMES = {"forecast": "the forecast", "relative": "relative attention", "lens": "the words of the lens"}


def write_readings(run: Run, folder: Path) -> dict[str, Any]:
    """Write the readings of a run that its page shows; say which there are, and where the numbers of each lie.

    {records: as the list of readings has them, effects, general}: the last two by the readings' names.
    """
    records, effects, general = [], dict[str, Any](), dict[str, Any]()
    for reading in _shown(run):
        name, place = reading.folder.name, folder / FOLDER / reading.folder.name
        place.mkdir(parents=True)
        if isinstance(reading, Forecast):
            effects[name] = {tower: _write_effects(reading, tower, folder) for tower in reading.info["towers"]}
        elif isinstance(reading, Relative):
            general[name] = _written(folder, "general", _general(reading), reading)
        elif isinstance(reading, Lens):
            for layer in reading.layers_read:
                words = json.dumps(reading.of_layer(layer), ensure_ascii=False, separators=(",", ":"))
                (place / f"words_{layer}.json").write_text(words, encoding="utf-8")
        records.append(reading_record(reading))
    records.sort(key=lambda each: each["created"], reverse=True)
    return {"records": records, "effects": effects, "general": general}


def readings_words(found: Run | Comparison, published: dict[str, Any] | None) -> str:
    """Sentences on readings, after what a page says of attention: which it has, and what is not on it."""
    if isinstance(found, Comparison):
        has_some = any(map(names_of, found.runs.values()))
        return " Forecasts and other readings of its runs are not on it." if has_some else ""
    records = published["records"] if published else []
    kinds = [words for kind, words in NAMES.items() if any(each["kind"] == kind for each in records)]
    has = f" Beside attention it has {' and '.join(filter(None, [', '.join(kinds[:-1]), kinds[-1]]))}." if kinds else ""
    return f"{has} {LACKS}"


def _shown(run: Run) -> list[Reading]:
    """The readings that a page shows."""
    return [reading for reading in readable(run) if isinstance(reading, Forecast | Relative | Lens)]


def _write_effects(forecast: Forecast, tower: str, folder: Path) -> dict[str, Any]:
    """Write what a tower's effects are computed from, layer by layer, and what silencing each head does."""
    rows = _first_rows(forecast.run, tower)
    layers = {str(layer): _write_layer(forecast, layer, tower, rows, folder) for layer in forecast.layers(tower)}
    scores = {f"silence_{by}": ("F32", forecast.silenced(by, tower)) for by in ("zero", "mean")}
    return {"positions": rows, "layers": layers, "scores": _written(folder, tower, scores, forecast)}


def _first_rows(run: Run, tower: str) -> list[int]:
    """The rows that predict the answer, where tokens have rows: these are looked at first."""
    first, n = run.info.get("prompt_tokens"), run.queries(tower)
    if not first or not run.queries_are_tokens(tower):
        return []
    return list(range(first - 1, min(n - 1, first - 1 + WHOLE_ROWS)))


def _write_layer(forecast: Forecast, layer: int, tower: str, rows: list[int], folder: Path) -> dict[str, Any]:
    run = forecast.run
    with LayerFile(forecast.layer_path(layer, tower)) as file:
        tensors = {"value": file.stored("value")}
        for name in ("pull", "pull_output"):
            dtype, values = file.stored(name)
            tensors[f"{name}_by_token"] = dtype, np.ascontiguousarray(values.swapaxes(0, 1))
    effect = [0 - forecast.score_gradient(layer, row, tower) for row in rows]
    shape = len(rows), run.heads(tower), run.keys(tower)
    tensors["effect"] = "F32", np.stack(effect) if effect else np.empty(shape, np.float32)
    tensors["all_rows"] = "F32", forecast.keys(layer, tower)
    return _written(folder, f"{tower}/layer_{layer:02d}", tensors, forecast)


def _general(relative: Relative) -> dict[str, tuple[str, np.ndarray]]:
    """The rows of the general question by tower, as they are kept."""
    with LayerFile(relative.folder / relative.files()[0]) as file:
        return {tower: file.stored(tower) for tower in relative.info["towers"]}


def _written(folder: Path, name: str, tensors: dict[str, tuple[str, np.ndarray]], reading: Reading) -> dict[str, Any]:
    """Write a file of tensors, and say where it lies, from the run's files on, and where they do."""
    path = folder / FOLDER / reading.folder.name / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    about = {"run": reading.run.info["id"], "reading": reading.folder.name, "kind": reading.kind}
    return {"path": path.relative_to(folder).as_posix(), "tensors": write_tensors(path, tensors, about)}
