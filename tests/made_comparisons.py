"""Comparison folders made by hand, for tests of what shows them: a run of `made_runs`, and copies of it that differ.

What is measured between the runs is measured by `attention.comparisons.comparison`, as for a real comparison.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from made_runs import chat, scene, write_run
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from attention import compare_runs
from attention.comparisons.comparison import BASE, INDEX, TABLES
from attention.comparisons.measuring import compared_rows, measure
from attention.measures import differences
from attention.runs.run import Run


def write_comparison(folder: Path, pictures, shapes, adapters: Sequence[dict], *, words="base", **run) -> Path:
    """Write a finished comparison; `run` goes to `write_run` for the base.

    An adapter is {id, scale, from_layer, size, answer, logprobs, changes, tokens, blind, without}, all but the id
    optional: from `from_layer` on its queries differ by noise of `size`, one head more than the one before it; `tokens`
    replaces the run's (then the answers part where these do). (layer, head) in `blind` are said to read next to nothing
    of the picture, those in `without` have no value of the measures on it.
    """
    answer = "".join(token["text"] for token in run["tokens"] if token["role"] == "answer")
    n_written = sum(token["role"] in ("answer", "thinking") for token in run["tokens"]) + 1
    base_logprobs = run.setdefault("logprobs", [-0.1] * n_written)
    write_run(folder / BASE, pictures, shapes, **run)
    members = [{"folder": BASE, "adapter": None, "answer": answer}]
    for n, adapter in enumerate(adapters, 1):
        name = f"adapter_{n}"
        record = {"id": adapter["id"], "revision": None, "sha256": "0" * 64, "scale": adapter.get("scale", 1.0)}
        shutil.copytree(folder / BASE, folder / name)
        _change(folder / name, adapter, record, adapter.get("logprobs", base_logprobs))
        member = {"folder": name, "adapter": record, "answer": adapter.get("answer", answer)}
        members.append(member | ({"changes": adapter["changes"]} if "changes" in adapter else {}))
    runs = [Run(folder / member["folder"]) for member in members]
    base = runs[0]
    for each, adapter in zip(runs, [{}, *adapters], strict=True):
        _write_image_masses(each, adapter.get("blind", ()))
    texts = [[token["text"] for token in each.info["tokens"]] for each in runs]
    shared = next((i for i, column in enumerate(zip(*texts, strict=False)) if len(set(column)) > 1), len(texts[0]))
    prompt = len(base.info["tokens"]) - n_written
    queries = {tower: compared_rows(base, tower, shared) for tower in base.towers()}
    tables = {}
    for tower, rows in queries.items():
        found = measure(base, runs[1:], tower, rows, lambda _: None)
        for n, adapter in enumerate(adapters):
            for layer, head in adapter.get("without", ()):
                for name in ("js_image", "tv_image", "peak_shift"):
                    found[name][n, base.layers(tower).index(layer), head] = np.nan
        tables |= {f"{tower}.{name}": values for name, values in found.items()}
    tables["logprob"] = np.array([each.info["logprobs"][: shared - prompt] for each in runs], np.float32)
    info = {
        "format": 1, "id": folder.name, "created": "2026-11-21T18:00:00Z", "model": base.info["model"],
        "prompt": "what color is the star?", "answer": answer, "words": words, "members": members,
        "shared_tokens": shared, "answer_rows": [prompt - 1, max(prompt - 1, shared - 2)],
        "measures": {name: {"unit": differences.UNITS[name]} for name in differences.NAMES}, "queries": queries,
        "layers": {tower: base.layers(tower) for tower in queries}, "bytes": 1,
    }  # fmt: skip
    for each in runs:
        each.close()
    save_file(tables, folder / TABLES)
    (folder / INDEX).write_text(json.dumps(info), encoding="utf-8")
    return folder


def write_clicks(folder: Path, shape: tuple[int, int]) -> Path:
    """Write two runs on two pictures whose answers name different places, and set them beside each other."""
    answers = ("510", "300"), ("61", "920")
    runs = []
    for n, (x, y) in enumerate(answers):
        answer = ['{"', "point", "_2d", '":', " [", *x, ",", " ", *y, "]", "}"]
        tokens = [each | {"id": sum(map(ord, each["text"]))} for each in chat([shape], answer=answer)]
        run = write_run(
            folder.with_name(f"{folder.name} {n}"), [scene(640, 400, 2 + n)], [shape], tokens=tokens, smooth=True,
            seed=n, logprobs=[-0.1] * (len(answer) + 1), answer="".join(answer), prompt="click Save",
            prompt_tokens=next(each["index"] for each in tokens if each["role"] == "answer"),
        )  # fmt: skip
        runs.append(run)
    compare_runs(runs, folder, names=["then", "now"]).close()
    return folder


def write_towers(folder: Path, shape: tuple[int, int], answer: Sequence[str] = ("a", " red", " star", ".")) -> Path:
    """Write two runs of the same words by models with other layers and heads, and set them beside each other."""
    runs = []
    for n, sizes in enumerate(({}, {"layers": range(5), "heads": 6, "kv_heads": 3})):
        tokens = chat([shape], answer=answer)
        run = write_run(
            folder.with_name(f"{folder.name} {n}"), [scene(640, 400, 2)], [shape], tokens=tokens, smooth=True, seed=n,
            logprobs=[-0.1 * (i + n + 1) for i in range(len(answer) + 1)], answer="".join(answer), prompt="the star?",
            prompt_tokens=next(each["index"] for each in tokens if each["role"] == "answer"), **sizes,
            boxes=[{"x0": 80, "y0": 60, "x1": 300, "y1": 220, "label": "Save", "image": 0}],
        )  # fmt: skip
        _write_image_masses(Run(run), ())
        runs.append(run)
    compare_runs(runs, folder, names=["small", "big"]).close()
    return folder


def _change(folder: Path, adapter: dict, record: dict, logprobs: list[float]) -> None:
    """Make a copy of the base's run that of an adapter."""
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    info |= {"adapter": record, "logprobs": list(logprobs)}
    if "tokens" in adapter:
        info["tokens"] = adapter["tokens"]
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    rng = np.random.default_rng(len(record["id"]))
    size, first = adapter.get("size", 0.5) * record["scale"], adapter.get("from_layer", 0)
    for layer in info["towers"]["language"]["layers"]:
        if layer["index"] < first or not size:
            continue
        path = folder / layer["file"]
        tensors = load_file(path)
        with safe_open(path, "np") as file:
            about = file.metadata()
        query = tensors["query"]
        amount = size * np.arange(1, len(query) + 1, dtype=np.float32)[:, None, None]
        tensors["query"] = (query + amount * rng.standard_normal(query.shape).astype(np.float32)).astype(query.dtype)
        path.unlink()
        save_file(tensors, path, about)


def _write_image_masses(run: Run, blind: Sequence[tuple[int, int]]) -> None:
    """The score that says how much of the stored rows lies on the picture."""
    cells, _ = run.pictures("language")
    positions = run.stored_positions()
    masses = [
        [run.row(layer, int(q), "language", "factors")[:, cells].sum(1) for q in positions] for layer in run.layers()
    ]
    table = np.array(masses, np.float32).swapaxes(1, 2)
    for layer, head in blind:
        table[run.layers().index(layer), head] = 0.001
    save_file({"language.image_mass": np.ascontiguousarray(table)}, run.folder / "scores.safetensors")
