"""Every field of a kept index, turned into something else: refused by its name, or everything that reads it works."""

import copy
import json
import random

import pytest
from made_comparisons import write_comparison
from made_runs import chat, scene, write_run
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention.errors import AttentionError
from attention.exports.export import export, heatmap_png
from attention.folders import check
from attention.page.explore import inputs_of
from attention.page.manifests import comparison_manifest, manifest
from attention.page.sentences import describe_comparison, describe_run
from attention.runs.run import Run
from attention.serving.responses import PREFIX
from attention.serving.routes import routes
from attention.visitors.service import Service
from attention.visitors.store import RunCache

pytestmark = pytest.mark.slow

GONE = object()
DEEP = [0]
for _ in range(40):
    DEEP = [DEEP]
OTHER_VALUES = (
    GONE, None, True, -1, 0, 3, 0.5, 9_999_999, -9_999_999, 1e300, 10**18, 10**400, "", "text", "half \ud800",
    "long" * 200_000, [], [None], {}, {"a": None}, DEEP, "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59",
    "2026-01-01T00:00:00",
)  # fmt: skip
MORE = {
    "prompt": "what color is the star?", "answer": "red.", "device": "cpu", "notes": ["made by hand"], "bytes": 12,
    "timings_ms": {"capture": 3.5}, "versions": {"torch": "2"}, "logprobs": [-0.5], "prompt_tokens": 3,
    "max_new_tokens": 8, "max_visual_tokens": None, "peak_memory_bytes": 5,
    "messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what?"}]}],
    "points": [{"image": 0, "x": 3, "y": 4, "label": "star", "ambiguous": "0 to 1 assumed"}],
    "unplaced": [{"x": 3, "y": 4, "why": "none is named", "on": [{"image": 0, "x": 3, "y": 4, "label": "star"}]}],
    "boxes": [{"image": 0, "x0": 1, "y0": 1, "x1": 9, "y1": 9, "label": None}],
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run and a comparison of two adapters, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("foreign")
    shapes, pictures = [(2, 3)], [scene(60, 40)]
    write_run(folder / "run", pictures, shapes, tokens=chat(shapes), layers=(0, 1), vision=True, **MORE)
    index = folder / "run" / "run.json"
    info = json.loads(index.read_text(encoding="utf-8"))
    info["groups"]["vision"] = [{"name": "image 1", "spans": [[0, 6]]}]
    info["sinks"] = {"language": {"0": [3]}}
    index.write_text(json.dumps(info), encoding="utf-8")
    changes = [{"part": "q_proj", "tower": "language", "layer": 0, "relative": 0.1, "heads": [0.1] * 4}]
    adapters = [{"id": "me/one", "changes": changes}, {"id": "me/two", "scale": 0.5}]
    write_comparison(folder / "comparison", pictures, shapes, adapters, tokens=chat(shapes), layers=(0, 1),
                     **MORE | {"logprobs": [-0.5] * 3})  # fmt: skip
    return folder


def paths(value, path=()):
    """Every field, and the first of every list, by its keys."""
    keys = value if isinstance(value, dict) else range(min(1, len(value))) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from paths(value[key], (*path, key))


def changed(info, path, value):
    """A copy with another value, or none, at one place."""
    info = copy.deepcopy(info)
    owner = info
    for key in path[:-1]:
        owner = owner[key]
    if value is GONE:
        del owner[path[-1]]
    else:
        owner[path[-1]] = value
    return info


def read_everything(cache, ticket, tmp_path):
    """All that page, routes and endpoints ask of what lies behind a ticket."""
    service = Service(cache, dict, is_hosted=False)
    service.open_kept(ticket)
    found = cache.run(ticket)
    client = TestClient(Starlette(routes=routes(cache.run)), raise_server_exceptions=False)
    if isinstance(found, Run):
        manifest(service, ticket), describe_run(found), inputs_of(found)
        asked = [
            "run.json", "row?layer=0&query=3", "row?layer=mean&query=3", "column?layer=0&key=2", "atlas?query=3",
            "masses?query=3", "scores?name=image_mass", "scores?name=image_mass&query=3", "export?format=csv&layer=0",
            "export?format=png&caption=1&places=1", "export?format=zip", "image/0",
        ]  # fmt: skip
        heatmap_png(found, "language", "mean", "mean", 3, 0, tmp_path / "heatmap.png")
    else:
        comparison_manifest(service, ticket), describe_comparison(found)
        asked = [
            "comparison.json", "change?measure=js_image", "changes.csv", "logprobs", "export?format=png",
            "base/row?layer=0&query=3", "adapter_1/run.json", "export?format=zip",
        ]  # fmt: skip
    for path in asked:
        answer = client.get(f"{PREFIX}/{ticket}/{path}")
        assert answer.status_code == 200, (path, answer.text)
        if path.endswith(".json"):
            answer.json()
    with (tmp_path / "kept.zip").open("wb") as file:
        file.write(answer.content)
    export(found, "csv", tmp_path / "kept.csv")


def check_every_change(folder, index, info, sample, tmp_path):
    """Try the changes in one folder of a library that holds a sound one too; return how many were refused and read."""
    cache = RunCache(folder.parent, library=True, sweep_every=None)
    refused, read = 0, 0
    for path, value in sample:
        where = f"{'.'.join(map(str, path))} = {str(value)[:40]}"
        (folder / index).write_text(json.dumps(changed(info, path, value)), encoding="utf-8")
        rows = cache.listing()
        assert len(rows) == 2, where
        assert all(len(row["error"] or "") < 400 for row in rows), where
        ticket = next(row["ticket"] for row in rows if cache.folder(row["ticket"]) == folder)
        cache._entries[ticket].run = None
        try:
            found = cache.run(ticket)
            check(found)
        except AttentionError as error:
            named = [str(key) for key in path if isinstance(key, str)]
            words = str(error)
            assert len(words) < 400 and words.isprintable(), where
            assert any(name.rstrip("s") in words for name in (*named, "format", "grid", "key", "logprob")), (
                where, words,
            )  # fmt: skip
            refused += 1
            continue
        try:
            read_everything(cache, ticket, tmp_path)
        except Exception as error:
            raise AssertionError(where) from error
        read += 1
    cache.close()
    return refused, read


@pytest.mark.parametrize("kind", ["run", "comparison"])
def test_a_changed_field_is_refused_by_name_or_everything_can_be_read(place, tmp_path, kind):
    index = f"{kind}.json"
    folder = place / kind
    info = json.loads((folder / index).read_text(encoding="utf-8"))
    every = [(path, value) for path in paths(info) for value in OTHER_VALUES]
    sample = random.Random(12).sample(every, 50)
    try:
        refused, read = check_every_change(folder, index, info, sample, tmp_path)
    finally:
        (folder / index).write_text(json.dumps(info), encoding="utf-8")
    assert refused > 20 and read > 2


def test_names_that_stand_twice_count_as_their_last_on_both_sides(place):
    text = (place / "run" / "run.json").read_text(encoding="utf-8")
    assert json.loads(text[:-1] + ', "prompt": "again"}')["prompt"] == "again"
