"""A run or a comparison as files for any web server: the viewer, and factors from which it computes every row.

Owns what is published and how it lies there, so that a token's row is few bytes: of each layer the queries by token,
the keys, the stored rows, what keys receive, and the logarithm of every row's denominator, which a column needs. Such a
page asks no other server for anything.
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attention.answers.numbers import Answer
from attention.answers.of_comparison import change, logprobs
from attention.answers.of_run import places
from attention.comparisons.comparison import Comparison
from attention.coordinates import SPACES
from attention.errors import InvalidRequest, NotInRun
from attention.runs.layer_file import LayerFile
from attention.runs.run import Run
from attention.runs.selection import default_query, plain
from attention.viewer_files import file_text, modules_of, styles, template, viewer_files

from .files import new_folder, refuse_inside
from .folder_zip import folder_bytes
from .forecast import check_free
from .html.addresses import change_questions, logprob_questions, text_towers
from .site_readings import readings_words, write_readings
from .site_tensors import write_tensors

ENTRY = "site.js"
INDEX = "site.json"
RUN = "run"  # the folder of the run's files
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'"
)


@dataclass(frozen=True)
class Written:
    """A folder that was written: where, its bytes, and a sentence on what it holds."""

    folder: Path
    n_bytes: int
    holds: str


def write_site(
    found: Run | Comparison,
    path: Path,
    view: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Write a run or a comparison as a site, into a folder that does not exist yet.

    `view` {layer, head, query} is where it opens; `progress(done, total)` counts layers. Raises InvalidRequest for a
    run whose rows a page cannot compute, and LimitExceeded where the disk has not enough room.
    """
    refuse_inside(found, path, found.kind)
    runs = found.runs if isinstance(found, Comparison) else {"": found}
    for run in runs.values():
        _check(run)
    check_free(2 * folder_bytes(found), path)
    total = sum(len(run.layers(tower)) for run in runs.values() for tower in run.towers())
    steps = itertools.count(1)

    def told() -> None:
        if progress is not None:
            progress(next(steps), total)

    with new_folder(path) as beside:
        (beside / RUN).mkdir()
        published = {name: _write_run(run, beside / RUN / name, told) for name, run in runs.items()}
        prepared = _write_prepared(found, beside / RUN) if isinstance(found, Comparison) else None
        if found.kind == "run":
            published[""]["readings"] = write_readings(found, beside / RUN)
        holds = _holds(runs, sum(file.stat().st_size for file in beside.rglob("*") if file.is_file()))
        holds += readings_words(found, published.get("", {}).get("readings"))
        _write_page(found, beside, holds, {"runs": published, "prepared": prepared}, dict(view or {}))
        n_bytes = sum(file.stat().st_size for file in beside.rglob("*") if file.is_file())
    return Written(path, n_bytes, holds)


def _check(run: Run) -> None:
    """Refuse a run of which a page would compute other rows than the app. Raises InvalidRequest."""
    instead = "Write it as one HTML file instead: python -m attention html."
    for name, tower in run.info["towers"].items():
        if "query_tokens" in tower or "key_tokens" in tower:
            raise InvalidRequest(
                f"In the {name} tower some tokens alone are read: no site can show that yet. {instead}"
            )
        for layer in run.layers(name):
            with LayerFile(run.layer_file(layer, name)) as file:
                if "query" not in file or "position_bias" in file or _has_sinks_of_queries(file):
                    raise InvalidRequest(
                        f"Layer {layer} of the {name} tower has more to its scores than queries and keys: no site can "
                        f"show that yet. {instead}"
                    )


def _has_sinks_of_queries(file: LayerFile) -> bool:
    return "sink_logits" in file and math.prod(file.shape("sink_logits")) != file.shape("query")[0]


def _write_layer(run: Run, tower: str, layer: int, folder: Path) -> dict[str, Any]:
    """Write a layer as its page reads it; say where each tensor lies, and by which formula it is read."""
    with LayerFile(run.layer_file(layer, tower)) as file:
        about = file.metadata
        tensors = {name: file.stored(name) for name in ("attention", "key", "segments", "sink_logits") if name in file}
        dtype, query = file.stored("query")
    tensors["query_by_token"] = dtype, np.ascontiguousarray(query.swapaxes(0, 1))
    tensors["log_sum_exp"] = "F64", run.log_sum_exp(layer, tower)
    tensors["received"] = "F32", run.received(layer, tower)
    formula = {"scaling": about["scaling"], "softcap": about.get("softcap") or None, "mask": about["mask"]}
    path = folder / tower / f"layer_{layer:02d}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    words = {
        **{name: str(value) for name, value in formula.items() if value is not None},
        "tower": tower, "layer": str(layer),
        "how_to_read": "query_by_token [queries, heads, head_dim], key [kv_heads, keys, head_dim]; "
        + str(about.get("how_to_read", "")),
    }  # fmt: skip
    return {"path": f"{tower}/{path.name}", "tensors": write_tensors(path, tensors, words), **formula}


def _copied(run: Run, name: str, folder: Path) -> dict[str, Any] | None:
    """Copy a file of tensors, and say where each lies; None where the run has none."""
    if not (run.folder / name).is_file():
        return None
    with LayerFile(run.folder / name) as file:
        tensors = {each: file.stored(each) for each in file.names()}
    return {"path": name, "tensors": write_tensors(folder / name, tensors, {"run": run.info["id"]})}


def _write_run(run: Run, folder: Path, told: Callable[[], None]) -> dict[str, Any]:
    """Write a run: what describes it, its pictures, and its layers. Say where its numbers lie."""
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(run.info), encoding="utf-8")
    for image in run.info["images"]:
        for name in {image["file"], image.get("preview") or image["file"]}:
            if name == Path(name).name and (run.folder / name).is_file():
                shutil.copyfile(run.folder / name, folder / name)
    if run.info.get("named_places") and run.info.get("place_habit"):
        for space in SPACES:
            answer = places(run, {"coordinates": space})
            (folder / f"places_{space}.json").write_text(json.dumps(answer), encoding="utf-8")
    towers = {}
    for tower in run.towers():
        layers = {}
        for layer in run.layers(tower):
            layers[str(layer)] = _write_layer(run, tower, layer, folder)
            told()
        towers[tower] = {"positions": run.stored_positions(tower).tolist() if layers else [], "layers": layers}
    return {"towers": towers, **{name: _copied(run, f"{name}.safetensors", folder) for name in ("masks", "scores")}}


def _write_prepared(comparison: Comparison, folder: Path) -> dict[str, Any]:
    """Write what was measured between the members, each number under the address by which the viewer asks for it."""
    (folder / "comparison.json").write_text(json.dumps(comparison.info), encoding="utf-8")
    rows = [None, *sorted({row for tower in text_towers(comparison.base) for row in comparison.queries(tower)})]
    asked = [] if comparison.is_side_by_side else [each for row in rows for each in change_questions(comparison, row)]
    tensors = {}
    for question in asked:
        with suppress(NotInRun):  # of a tower in which this row was not compared
            tensors[question.key] = _array(change(comparison, dict(question.fields)))
    for question in logprob_questions(comparison):
        tensors[question.key] = _array(logprobs(comparison, dict(question.fields)))
    path = folder / "prepared.safetensors"
    return {"path": path.name, "tensors": write_tensors(path, tensors, {"comparison": comparison.info["id"]})}


def _array(answer: Answer) -> tuple[str, np.ndarray]:
    shape = [int(size) for size in answer.headers["X-Attention-Shape"].split(",")]
    return "F32", np.frombuffer(answer.content, "<f4").reshape(shape)


def _write_page(found: Run | Comparison, folder: Path, holds: str, site: dict[str, Any], view: dict[str, Any]) -> None:
    """Write the page, its modules and styles, and the index of what is published."""
    base = found.base if isinstance(found, Comparison) else found
    title = f"{base.info['model']['id']} · {found.info.get('prompt') or found.kind}"[:200]
    manifest = {
        "id": found.info["id"], "ticket": "", "kind": found.kind, "folder": plain(found.folder.name) or found.kind,
        "view": {"query": default_query(base)} | {name: value for name, value in view.items() if value is not None},
    }  # fmt: skip
    index = {"format": 1, "manifest": manifest, "title": title, "holds": holds, **site}
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    files, modules = viewer_files()[1], dict.fromkeys([*modules_of(f"{found.kind}.js"), *modules_of(ENTRY)])
    for name in modules:
        place = folder / "viewer" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(files[name])
    sheet = f"{file_text('file.css')}\n#viewer {{\n{styles()}\n}}"
    (folder / "page.css").write_text(sheet, encoding="utf-8")
    preload = "\n".join(f'<link rel="modulepreload" href="viewer/{name}">' for name in modules)
    parts = {"policy": POLICY, "preload": preload, "template": template(f"{found.kind}.html")}
    text = file_text("site.html")
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    (folder / "index.html").write_text(text, encoding="utf-8")


def _holds(runs: Mapping[str, Run], n_bytes: int) -> str:
    said = {
        " and ".join(
            f"{len(run.layers(tower))} layers x {run.heads(tower)} heads of the {tower} tower" for tower in run.towers()
        )
        for run in runs.values()
    }
    each = f", for each of {len(runs)} members," if len(runs) > 1 else ""
    return (
        f"This page computes every row and column of {' or '.join(said)}{each} from {n_bytes / 1e6:.1f} MB beside it."
    )
