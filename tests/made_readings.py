"""Readings made by hand beside run folders made by hand: random values and pulls. The numbers mean nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from made_runs import scene, write_run
from safetensors.numpy import save_file

from attention.readings.agreement import HIDDEN, NAMES, PAINTED, picture_blocks
from attention.readings.forecast import KIND, Forecast
from attention.readings.kept_agreement import FILE, KeptAgreement, agreement_name
from attention.readings.lens import FILE as LENS_FILE
from attention.readings.lens import KIND as LENS
from attention.readings.lens import Lens
from attention.readings.reading import FORMAT, INDEX, layer_file, readings_beside, readings_folder
from attention.readings.relative import FILE as RELATIVE_FILE
from attention.readings.relative import FLOOR, GENERAL, Relative, cells_of, name_of, towers_of
from attention.readings.relative import KIND as RELATIVE
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


def write_lens(run: Run, seed: int = 0) -> Lens:
    """Write a lens of three words a token after each layer, as `read_lens` lays it out."""
    rng, place = np.random.default_rng(seed), readings_folder(run) / LENS
    place.mkdir(parents=True)
    shape, texts = (len(run.layers()), len(run.info["tokens"]), 3), ["red", " star", "bytes E2 98"]
    logprobs = -np.sort(rng.random(shape, np.float32), axis=-1)
    save_file({"ids": rng.integers(0, 3, shape, np.int32), "logprobs": logprobs}, place / LENS_FILE)
    more = {"layers": run.layers(), "texts": {str(i): text for i, text in enumerate(texts)}, "unspelled": [2]}
    (place / INDEX).write_text(json.dumps(_index(run, LENS) | {"target": None, "towers": {}} | more))
    return Lens(run, place)


def write_relative(run: Run, seed: int = 0) -> Relative:
    """Write rows of a general question at random, as `read_relative` lays them out."""
    rng, place = np.random.default_rng(seed), readings_folder(run) / name_of(GENERAL)
    place.mkdir(parents=True)
    shapes = {tower: (len(run.layers(tower)), run.heads(tower), len(cells_of(run, tower))) for tower in towers_of(run)}
    save_file({tower: rng.random(shape, np.float32) / 9 for tower, shape in shapes.items()}, place / RELATIVE_FILE)
    towers = {tower: {"cells": shape[-1]} for tower, shape in shapes.items()}
    more = {"prompt": GENERAL, "floor": FLOOR, "proof": "shared", "target": None, "towers": towers}
    (place / INDEX).write_text(json.dumps(_index(run, RELATIVE) | more))
    return Relative(run, place)


def _index(run: Run, kind: str) -> dict:
    """Fields that every kind's index has."""
    created = "2026-01-01T00:00:00+00:00"
    return {"format": FORMAT, "kind": kind, "run": run.info["id"], "created": created, "bytes": 1, "seconds": 0.5}


def write_with_four(folder: Path) -> Run:
    """Write a run with a forecast, an agreement, a lens and relative attention beside it, and return it open."""
    write_run(folder, [scene(60, 40)], [(2, 3)], prompt="what?", answer="red.", layers=(0, 1))
    run = write_forecast(folder).run
    for write in (write_agreement, write_lens, write_relative):
        write(run)
    return run
