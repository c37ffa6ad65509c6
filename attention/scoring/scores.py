"""Finished scores, in their folder: scores.json, and as tables scores.csv and differences.csv, beside items.jsonl.

Owns that layout, and which row of items.jsonl belongs to which item and model. Needs NumPy alone.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from attention.errors import DamagedRun, NotInRun, quoted, shown_path
from attention.runs.checks.json_fields import parse_json

from .item_rows import NAME, ItemRows
from .names import BY, MEASURES
from .summary import Measured, differences, estimated, number_of, summary

FORMAT = 1
INDEX, TABLE, DIFFERENCES = "scores.json", "scores.csv", "differences.csv"


def open_scores(folder: str | os.PathLike[str]) -> Scores:
    """Open a folder of finished scores. Raises DamagedRun when it is none, or was written by a later version."""
    return Scores(Path(folder), read_index(folder), ItemRows(Path(folder)))


def read_index(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a folder's scores.json. Raises DamagedRun as `open_scores`."""
    where = shown_path(folder)
    try:
        info = parse_json((Path(folder) / INDEX).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise DamagedRun(f"{where} holds no finished scores: it has no {INDEX}.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DamagedRun(f"{INDEX} in {where} cannot be read: {reason}.") from None
    version = info.get("format") if isinstance(info, dict) else None
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= FORMAT:
        raise DamagedRun(f"{where} has format {quoted(version)}; this version reads up to {FORMAT}. Update it.")
    return info


class Rows(Protocol):
    """Rows of items, by their keys."""

    def get(self, key: str) -> dict[str, Any] | None: ...


class Scores:
    """Scores of models over a set. `info` is the content of scores.json, `folder` where it lies.

    Models are named as in `info["models"]`: `base`, `adapter_1` and so on.
    """

    def __init__(self, folder: Path, info: dict[str, Any], rows: Rows):
        self.folder, self.info = folder, info
        self._rows = rows

    @property
    def groups(self) -> np.ndarray:
        """The picture of each item, [items]: items of one picture are not independent."""
        return pictures(self.info)

    def rows(self, model: str = "base") -> list[dict[str, Any]]:
        """The rows of items.jsonl of a model, one for each item; one with `error` was not scored."""
        names = [each["member"] for each in self.info["models"]]
        if model not in names:
            raise NotInRun(f"There is no model {quoted(model)} in these scores; there is {', '.join(names)}.")
        found = [self._rows.get(item["keys"][model]) for item in self.info["items"]]
        lost = [item["name"] for item, row in zip(self.info["items"], found, strict=True) if row is None]
        if lost:
            raise DamagedRun(f"{NAME} has lost the row of {quoted(lost[0])} of {model}. Score the set again.")
        return [row for row in found if row is not None]

    def measured(self, model: str = "base") -> Measured:
        """All that was measured of a model, as arrays over the items."""
        return _measured(self.rows(model))

    def table(self, measure: str = "region_share", model: str = "base") -> np.ndarray:
        """A measure of every head on every item: float64 [items, layers, heads], NaN where it was not scored."""
        if measure not in MEASURES:
            raise NotInRun(f"There is no measure {quoted(measure)}; there is {', '.join(MEASURES)}.")
        return self.measured(model).tables[measure]


def pictures(info: dict[str, Any]) -> np.ndarray:
    """The picture of each item of scores.json, [items]; one that could not be used is its own."""
    return np.array([item["picture"] or f"bad {number}" for number, item in enumerate(info["items"])])


def write_scores(
    folder: Path,
    settings: dict[str, Any],
    models: Sequence[dict[str, Any]],
    items: Sequence[dict[str, Any]],
    rows: Rows,
) -> Scores:
    """Work out what comes of the rows, write it into the folder, and return it; all as `worked_out` takes it."""
    scores, measured = worked_out(folder, settings, models, items, rows)
    info, groups, seed = scores.info, scores.groups, settings["seed"]
    _write(folder / INDEX, json.dumps(info, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
    _write_table(folder / TABLE, _head_lines(info, measured, groups, seed))
    _write_table(folder / DIFFERENCES, _difference_lines(info))
    return scores


def worked_out(
    folder: Path,
    settings: dict[str, Any],
    models: Sequence[dict[str, Any]],
    items: Sequence[dict[str, Any]],
    rows: Rows,
) -> tuple[Scores, dict[str, Measured]]:
    """Work out what comes of rows, and write nothing; return it with what was measured of each model.

    `settings` are those of the set, `models` [{member, name, adapter}] the base first, `items` [{name, picture, keys}],
    keys by member.
    """
    info: dict[str, Any] = {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **settings,
        "models": [dict(model) for model in models],
        "pairs": [],
        "items": list(items),
    }
    scores = Scores(folder, info, rows)
    groups, by, seed = scores.groups, settings["by"], settings["seed"]
    measured: dict[str, Measured] = {}
    for model in info["models"]:
        own = scores.rows(model["member"])
        first = next((row for row in own if "error" not in row), None)
        model["scored"] = sum("error" not in row for row in own)
        model["bad"] = len(own) - model["scored"]
        if first is None:
            model["why_not"] = "No item was scored."
            continue
        measured[model["member"]] = found = _measured(own)
        model.update(
            {name: first[name] for name in ("model_id", "revision", "tower", "layers")}, n_heads=found.shape[1]
        )
        model.update(summary(found, groups, by, seed))
    base, *others = [model["member"] for model in info["models"]]
    for other in others:
        if base in measured and other in measured:
            pair = differences(measured[base], measured[other], groups, by, seed)
        else:
            pair = {"n": 0, "why_not": "No item was scored by both."}
        info["pairs"].append({"left": base, "right": other, **pair})
    info["bad"] = _bad(info["models"], scores)
    return scores, measured


def _measured(rows: Sequence[dict[str, Any]]) -> Measured:
    good = [row for row in rows if "error" not in row]
    layers = good[0]["layers"] if good else []
    shape = (len(layers), len(good[0]["measures"][MEASURES[0]][0]) if good else 0)
    nothing = np.full(shape, np.nan)

    def stacked(part: str, name: str) -> np.ndarray:
        tables = [(row.get(part) or {}).get(name) for row in rows]
        return np.stack([nothing if table is None else np.array(table, np.float64) for table in tables])

    return Measured(
        layers,
        {name: stacked("measures", name) for name in MEASURES},
        {name: stacked("elsewhere", name) for name in BY},
        np.array([row.get("uniform", np.nan) for row in rows], np.float64),
        np.array([row.get("central", np.nan) for row in rows], np.float64),
        [row.get("outcome") for row in rows],
        np.array(["error" not in row for row in rows], bool),
    )


def _bad(models: Sequence[dict[str, Any]], scores: Scores) -> list[dict[str, Any]]:
    """Items that were not scored, each with its reason once for all models that have the same."""
    found: dict[tuple[str, str], list[str]] = {}
    for model in models:
        for item, row in zip(scores.info["items"], scores.rows(model["member"]), strict=True):
            if "error" in row:
                found.setdefault((item["name"], row["error"]), []).append(model["member"])
    return [{"name": name, "reason": reason, "models": members} for (name, reason), members in found.items()]


def _head_lines(info: dict[str, Any], measured: dict[str, Measured], groups: np.ndarray, seed: int) -> list[list[Any]]:
    """A line for each model and head: its means over all items with their intervals."""
    lines: list[list[Any]] = [
        ["model", "layer", "head", "n", *(f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high"))]
    ]
    for model in info["models"]:
        found = measured.get(model["member"])
        if found is None:
            continue
        means = {name: estimated(name, found.tables[name], groups, seed) for name in MEASURES}
        for i, layer in enumerate(found.layers):
            for head in range(found.shape[1]):
                cells = [
                    number_of(getattr(means[name], side)[i, head])
                    for name in MEASURES
                    for side in ("mean", "low", "high")
                ]
                lines.append([model["name"], layer, head, int(means[MEASURES[0]].n[i, head]), *cells])
    return lines


def _difference_lines(info: dict[str, Any]) -> list[list[Any]]:
    """A line for each pair's heads that moved most."""
    names = {model["member"]: model["name"] for model in info["models"]}
    fields = ("layer", "head", "measure", "mean", "low", "high", "n", "p")
    lines: list[list[Any]] = [["left", "right", *fields]]
    for pair in info["pairs"]:
        ends = [names[pair["left"]], names[pair["right"]]]
        lines += [[*ends, *(head[field] for field in fields)] for head in pair.get("top") or ()]
    return lines


def _write_table(path: Path, lines: Sequence[Sequence[Any]]) -> None:
    unfinished = path.with_name(f"{path.name}.partial")
    with open(unfinished, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
    unfinished.replace(path)


def _write(path: Path, text: str) -> None:
    """Write a file whole, or leave the one that is there."""
    unfinished = path.with_name(f"{path.name}.partial")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
