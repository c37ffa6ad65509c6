"""A finished run, or a comparison, as the row of an item and its numbers; and where rows are kept, as a file of them.

Needs no model. Which row is measured, and what at a place, is the business of `attention.scoring.measuring`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from attention.comparisons.comparison import INDEX as OF_COMPARISONS
from attention.comparisons.comparison import Comparison
from attention.errors import NotInRun
from attention.runs.float16 import to_float16
from attention.runs.run import Run
from attention.scoring.measuring import measure_place, of_run, outcome, row_of
from attention.scoring.names import BY

from .items import BatchItem
from .tables import CHANGES, SCORES, names_of, stacked


def measured(folder: Path, item: BatchItem, rows: str, base: str) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Measure what lies in a folder: a record for each member, and all their numbers, float32, one behind another.

    `base` is the name of the member of a plain run. Raises NotInRun where there is no such row, or nothing is shown at
    a place.
    """
    records, parts, begin = [], [], 0
    with ExitStack() as held:
        for name, run, comparison, number in _members(folder, base, held):
            query, until = row_of(run, rows)
            tables, places = _tables(run, item, query, until)
            if comparison is not None and number:
                tables |= _changes(comparison, number - 1, run.picture_tower(), rows, query)
            names = names_of(comparison is not None and number > 0, len(item.places))
            shape = len(run.layers(run.picture_tower())), run.heads(run.picture_tower())
            parts.append(stacked(tables, names, shape))
            records.append(
                {"member": name, **of_run(run), "dtype": run.info["model"]["dtype"], "heads": shape[1],
                 "tokens": len(run.info["tokens"]), "row": query, "until": until, **_answered(run), "places": places,
                 "tables": len(names), "begin": begin}
            )  # fmt: skip
            begin += parts[-1].size
    return records, np.concatenate([part.ravel() for part in parts])


def answer_ids(folder: Path, base: str) -> list[list[int]]:
    """The ids of each member's answer, as it was read."""
    with ExitStack() as held:
        infos = [run.info for _, run, *_ in _members(folder, base, held)]
    return [[token["id"] for token in info["tokens"][info["prompt_tokens"] :]] for info in infos]


def keep_rows(folder: Path, target: Path, rows: str, base: str) -> None:
    """Write the measured rows of each member into one safetensors file, whole or not at all.

    `<member>.attention` is float16 [rows, layers, heads, keys], `<member>.positions` int32 [rows]; the header says of
    each member what its keys are.
    """
    tensors: dict[str, np.ndarray] = {}
    about: dict[str, str] = {}
    with ExitStack() as held:
        for name, run, *_ in _members(folder, base, held):
            tower = run.picture_tower()
            query, until = row_of(run, rows)
            positions = range(query, (query if until is None else until) + 1)
            tensors[f"{name}.attention"] = np.stack([to_float16(run.exact_rows(row, tower)) for row in positions])
            tensors[f"{name}.positions"] = np.array(positions, np.int32)
            info = run.info
            said = {each: info[each] for each in ("model", "adapter", "prompt", "answer", "tokens", "grids")}
            keys = info["towers"][tower]["keys"]
            images = [{side: image[side] for side in ("width", "height")} for image in info["images"]]
            said |= {"tower": tower, "layers": run.layers(tower), "keys": keys, "images": images}
            about[name] = json.dumps(said, ensure_ascii=True)
    target.parent.mkdir(exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    save_file(tensors, unfinished, about)
    unfinished.replace(target)


def _members(folder: Path, base: str, held: ExitStack) -> Iterator[tuple[str, Run, Comparison | None, int]]:
    """Each member's name, its run, the comparison that it is of, and its number there."""
    if not (folder / OF_COMPARISONS).is_file():
        yield base, held.enter_context(Run(folder)), None, 0
        return
    comparison = held.enter_context(Comparison(folder))
    for number, member in enumerate(comparison.info["members"]):
        yield member["folder"], comparison.run(member["folder"]), comparison, number


def _tables(
    run: Run, item: BatchItem, query: int, until: int | None
) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    tower, tables, places = run.picture_tower(), {}, []
    for name in SCORES:
        try:
            tables[name] = run.row_scores(name, query, tower, until)
        except NotInRun:  # of a tower that has no such score
            continue
    is_own = run.info["mode"] == "generate" and not run.info["forced"]
    for number, (place, other) in enumerate(zip(item.places, item.elsewhere, strict=True)):
        found = measure_place(run, place, other, query, until)
        tables |= {f"{number}.{name}": table for name, table in found.tables.items()}
        for name in BY if found.elsewhere else ():
            tables[f"{number}.elsewhere_{name}"] = (found.elsewhere or {})[name]
        places.append(
            {"place": place, "elsewhere": other if found.elsewhere else None, "uniform": found.uniform,
             "central": found.central, "outcome": outcome(run.info, place) if is_own else None}
        )  # fmt: skip
    return tables, places


def _changes(comparison: Comparison, adapter: int, tower: str, rows: str, query: int) -> dict[str, np.ndarray]:
    if comparison.is_side_by_side:
        return {}
    tables = {}
    for name in CHANGES:
        try:
            tables[name] = comparison.change(name, adapter, "mean" if rows == "answer" else query, tower)
        except NotInRun:  # a row that the base does not have
            continue
    return tables


def _answered(run: Run) -> dict[str, Any]:
    """The answer's log-probability in nats, together and of each token; None without an answer."""
    logprobs = run.info.get("logprobs") or []
    return {"logprob": float(np.sum(logprobs)) if logprobs else None, "logprobs": logprobs}
