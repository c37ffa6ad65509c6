"""An item's finished runs as its row and its numbers; and where rows are kept, as a file of them.

Needs no model. Which row is measured, and what at a place, is the business of `attention.scoring.measuring`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from attention.comparisons.measuring import of_layer
from attention.comparisons.writing import common_length
from attention.errors import NotInRun
from attention.runs.float16 import to_float16
from attention.runs.run import Run
from attention.scoring.measuring import measure_place, of_run, outcome, row_of
from attention.scoring.names import BY

from .items import BatchItem
from .measured_readings import kept_of_readings, measured_readings
from .readings import Asked, open_readings
from .tables import CHANGES, SCORES, names_of, stacked

Runs = Sequence[tuple[str, Path]]  # members by their names, and the folders of their runs


def measured(runs: Runs, item: BatchItem, rows: str, readings: Asked) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Measure an item's runs, the base's first: a record for each, and all their numbers, one behind another.

    `readings` were made of each run. Numbers are float32. Raises NotInRun where there is no such row, or nothing is
    shown at a place.
    """
    records, parts, begin = [], [], 0
    with opened(runs) as found:
        base = found[0][1]
        for name, run in found:
            query, until = row_of(run, rows)
            tables, places = _tables(run, item, query, until)
            is_compared = run is not base
            if is_compared:
                tables |= _changes(base, run)
            read = measured_readings(run, item, open_readings(run, readings), query, until)
            tables |= read.tables
            places = [place | more for place, more in zip(places, read.places, strict=True)]
            names, tower = names_of(is_compared, len(item.places), readings), run.picture_tower()
            shape = len(run.layers(tower)), run.heads(tower)
            parts.append(stacked(tables, names, shape))
            records.append(
                {"member": name, **of_run(run), "dtype": run.info["model"]["dtype"], "heads": shape[1],
                 "tokens": len(run.info["tokens"]), "row": query, "until": until, **_answered(run), "places": places,
                 **({"readings": read.fields} if readings else {}), "tables": len(names), "begin": begin}
            )  # fmt: skip
            begin += parts[-1].size
    return records, np.concatenate([part.ravel() for part in parts])


def answer_ids(runs: Runs) -> list[list[int]]:
    """The ids of each member's answer, as it was read."""
    with opened(runs) as found:
        return [_ids(run)[run.info["prompt_tokens"] :] for _, run in found]


def keep_rows(runs: Runs, target: Path, rows: str, readings: Asked) -> None:
    """Write the measured rows of each member into one safetensors file, whole or not at all.

    `<member>.attention` is float16 [rows, layers, heads, keys], `<member>.positions` int32 [rows]; the header says of
    each member what its keys are. What its `readings` say of these rows lies beside.
    """
    tensors: dict[str, np.ndarray] = {}
    about: dict[str, str] = {}
    with opened(runs) as each_run:
        for name, run in each_run:
            tower = run.picture_tower()
            query, until = row_of(run, rows)
            positions = range(query, (query if until is None else until) + 1)
            tensors[f"{name}.attention"] = np.stack([to_float16(run.exact_rows(row, tower)) for row in positions])
            tensors[f"{name}.positions"] = np.array(positions, np.int32)
            info = run.info
            said = {each: info[each] for each in ("model", "adapter", "prompt", "answer", "tokens", "grids")}
            images = [{side: image[side] for side in ("width", "height")} for image in info["images"]]
            said |= {"tower": tower, "layers": run.layers(tower), "keys": info["towers"][tower]["keys"]}
            found = kept_of_readings(open_readings(run, readings), positions)
            tensors |= {f"{name}.{each}": np.ascontiguousarray(values) for each, values in found.tensors.items()}
            said |= {"images": images} | found.said
            about[name] = json.dumps(said, ensure_ascii=True)
    target.parent.mkdir(exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    save_file(tensors, unfinished, about)
    unfinished.replace(target)


@contextmanager
def opened(runs: Runs) -> Iterator[list[tuple[str, Run]]]:
    """Runs with the names of their members, for the time of a `with`."""
    with ExitStack() as held:
        yield [(name, held.enter_context(Run(folder))) for name, folder in runs]


def _ids(run: Run) -> list[int]:
    return [token["id"] for token in run.info["tokens"]]


def _tables(
    run: Run, item: BatchItem, query: int, until: int | None
) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    tower, tables, places = run.picture_tower(), {}, []
    for name in SCORES:
        try:
            # as a span: from queries and keys also where a run has stored the row, so that what is kept changes nothing
            tables[name] = run.row_scores(name, query, tower, query if until is None else until)
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


def _changes(base: Run, run: Run) -> dict[str, np.ndarray]:
    """Changes of the row that predicts the answer's first token, which all members have: bits from the base's."""
    tower, first = run.picture_tower(), run.info["prompt_tokens"] - 1
    shared = common_length([_ids(base), _ids(run)])
    found = [of_layer(base, run, tower, layer, [first], shared) for layer in run.layers(tower)]
    return {name: np.stack([layer[name][:, 0] for layer in found]) for name in CHANGES}


def _answered(run: Run) -> dict[str, Any]:
    """The answer's log-probability in nats, together and of each token; None without an answer."""
    logprobs = run.info.get("logprobs") or []
    return {"logprob": float(np.sum(logprobs)) if logprobs else None, "logprobs": logprobs}
