"""Readings made by hand beside run folders made by hand: random values and pulls. The numbers mean nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from attention.readings.agreement import HIDDEN, NAMES, PAINTED, picture_blocks
from attention.readings.forecast import KIND, Forecast
from attention.readings.kept_agreement import FILE, KeptAgreement, agreement_name
from attention.readings.reading import FORMAT, INDEX, layer_file, readings_beside, readings_folder
from attention.readings.target import Target
from attention.runs.run import Run, open_run


def write_forecast(folder: Path, tokens: Sequence[int] | None = None, seed: int = 0, width: int = 4) -> Forecast:
    """Write a forecast of a run's language tower, as `forecast_knock_outs` lays it out; its sums are right.

    The run's index says from now on where its answer begins.
    """
    info = json.loads((folder / "run.json").read_text())
    first = next(token["index"] for token in info["tokens"] if token["role"] == "answer")
    (folder / "run.json").write_text(json.dumps(info | {"prompt_tokens": first}))
    run, tower, rng = open_run(folder), "language", np.random.default_rng(seed)
    target = Target.of(run, tokens)
    place = readings_beside(folder) / target.name(KIND, [tower])
    (place / tower).mkdir(parents=True)
    records = []
    for layer in run.layers(tower):
        value = rng.standard_normal((kv_heads(run, layer), run.keys(tower), width)).astype(np.float32)
        pull = rng.standard_normal((run.heads(tower), run.queries(tower), width)).astype(np.float32) / 100
        output = np.matmul(run.dense(layer, tower), value.repeat(run.heads(tower) // len(value), axis=0))
        own = (pull * output).sum(axis=-1, dtype=np.float64).astype(np.float32)
        save_file({"value": value, "pull": pull, "pull_output": own}, place / layer_file(tower, layer))
        records.append({"index": layer, "file": layer_file(tower, layer)})
    index = {
        "format": FORMAT, "kind": KIND, "run": run.info["id"], "created": "2026-01-01T00:00:00+00:00", "bytes": 1,
        "target": target.to_dict(), "value": -1.5, "difference": 0.0, "towers": {tower: {"layers": records}},
    }  # fmt: skip
    (place / INDEX).write_text(json.dumps(index))
    return Forecast(run, place)


def kv_heads(run: Run, layer: int) -> int:
    """The number of heads of keys that a layer has."""
    return len(run.factor("key", layer))


def write_agreement(run: Run, sides: int = 2, seed: int = 0) -> KeptAgreement:
    """Write an agreement of maps with what hiding and painting does, as `keep_agreement` lays it out: at random."""
    target, rng, blocks = Target.of(run), np.random.default_rng(seed), picture_blocks(run, sides)
    place = readings_folder(run) / agreement_name(target, sides)
    place.mkdir(parents=True)
    shape = len(run.layers()), run.heads(), len(blocks)
    save_file({"maps": -rng.random(shape).astype(np.float32)}, place / FILE)
    index = {
        "format": FORMAT, "kind": "agreement", "run": run.info["id"], "created": "2026-01-01T00:00:00+00:00",
        "bytes": 1, "target": target.to_dict(), "value": -0.01, "sides": sides, "towers": {},
        "regions": [
            {"image": each.region.image, "box": list(each.region.place), "keys": list(each.keys)} for each in blocks
        ],
        "measured": {truth: rng.standard_normal(len(blocks)).tolist() for truth in (HIDDEN, PAINTED)},
        "maps": {name: rng.standard_normal(len(blocks)).tolist() for name in NAMES if name != HIDDEN},
        "paths": "", "caution": "It is nearly flat.", "note": "",
    }  # fmt: skip
    (place / INDEX).write_text(json.dumps(index))
    return KeptAgreement(run, place)
