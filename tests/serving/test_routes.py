"""The component's value and the HTTP routes: what they send is what the run says, and nothing else gets out."""

from __future__ import annotations

import json
import re
import shutil
import threading

import numpy as np
import pytest
from made_places import LIES, write_clicked
from made_runs import chat, scene, write_run
from safetensors.numpy import load, load_file
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention import run_places
from attention.answers.numbers import position_ranges
from attention.errors import DamagedRun
from attention.page.viewer import AttentionViewer, ComparisonViewer
from attention.runs.pooling import area_weights, pool_maps, pooled_shape
from attention.runs.run import open_run
from attention.serving.responses import PREFIX
from attention.serving.routes import routes
from attention.viewer_files import BUNDLE, bundle, file_text, viewer_files

TICKET = f"{PREFIX}/ticket"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    pictures = [scene(63, 42), scene(40, 80)]
    folder = write_run(
        tmp_path_factory.mktemp("runs") / "run", pictures, [(4, 6), (8, 4)], layers=(0, 2, 3), vision=True
    )
    with open_run(folder) as run:
        yield run


@pytest.fixture(scope="module")
def client(run):
    with TestClient(Starlette(routes=routes({"ticket": run}.__getitem__)), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Wait for what keys receive, however slow the machine is; `patience(0)`: wait for nothing."""

    def wait(seconds):
        monkeypatch.setattr("attention.serving.received.ANSWER_WAIT_S", seconds)

    wait(60)
    return wait


def get(client, path, status=200):
    response = client.get(f"{TICKET}/{path}")
    assert response.status_code == status, response.text
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    return response


def numbers(response):
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert (
        response.headers["Cache-Control"].startswith("private, max-age=")
        and "immutable" in response.headers["Cache-Control"]
    )
    shape = [int(n) for n in response.headers["X-Attention-Shape"].split(",")]
    return np.frombuffer(response.content, response.headers["X-Attention-Dtype"]).reshape(shape)


def test_a_stored_row_is_sent_as_it_lies_on_disk(client, run):
    query = int(run.stored_positions()[0])
    response = get(client, f"row?layer=2&query={query}")
    file = load_file(run.layer_file(2))
    assert response.headers["X-Attention-Source"] == "stored" and response.headers["X-Attention-Dtype"] == "float16"
    assert response.content == file["attention"][0].tobytes()


@pytest.mark.parametrize("query", ["factors", "any"])
def test_other_rows_are_float32_from_the_factors(client, run, query):
    position, source = (int(run.stored_positions()[0]), "&source=factors") if query == "factors" else (9, "")
    response = get(client, f"row?layer=3&query={position}{source}")
    assert response.headers["X-Attention-Source"] == "factors"
    values = numbers(response)
    assert values.dtype == np.float32 and np.array_equal(values, run.row(3, position, source="factors"))
    assert np.allclose(values.sum(1), 1, atol=1e-6) and not values[:, position + 1 :].any()


@pytest.mark.parametrize("layer", ["mean", "max", 2])
@pytest.mark.parametrize("head", ["mean", "max", 1])
def test_reduced_rows_are_those_of_the_run_heads_first(client, run, layer, head):
    for query in (9, int(run.stored_positions()[1])):
        values = numbers(get(client, f"row?layer={layer}&head={head}&query={query}"))
        assert np.array_equal(values, run.reduced_row(layer, head, query)[None])
        if layer != 2 and head == 1:
            assert np.array_equal(numbers(get(client, f"row?layer={layer}&query={query}"))[1], values[0])


def test_columns_masses_scores(client, run):
    assert np.array_equal(numbers(get(client, "column?layer=2&key=5")), run.column(2, 5))
    assert np.array_equal(numbers(get(client, "masses?query=70")), run.masses(70))
    assert np.array_equal(numbers(get(client, "scores?name=image_mass")), run.score("image_mass"))


def test_spans_are_those_of_the_run(client, run):
    first = int(run.stored_positions()[0])
    for query, until, source in ((first, first + 1, "stored"), (first - 1, first + 1, "factors"), (5, 9, "factors")):
        for path, values in {
            f"row?layer=2&query={query}&until={until}": run.row(2, query, until=until),
            f"row?layer=max&query={query}&until={until}": np.max(run.rows(query, until=until), axis=0),
            f"row?layer=mean&head=max&query={query}&until={until}": run.reduced_row("mean", "max", query, until=until)[
                None
            ],
            f"atlas?query={query}&until={until}": run.atlas(query, until=until).reshape(3, 4, 4, 6),
        }.items():
            response = get(client, path)
            assert np.array_equal(numbers(response), values) and numbers(response).dtype == values.dtype
            assert response.headers["X-Attention-Source"] == source
        exact = numbers(get(client, f"row?layer=2&query={query}&until={until}&source=factors"))
        assert np.array_equal(exact, run.row(2, query, source="factors", until=until)) and exact.dtype == np.float32
        masses = numbers(get(client, f"masses?query={query}&until={until}"))
        assert np.array_equal(masses, run.masses(query, until=until))
    assert np.array_equal(numbers(get(client, "column?layer=2&key=5&until=7")), run.column(2, 5, until=7))
    reduced = numbers(get(client, "column?layer=max&head=mean&key=5&until=7"))
    assert np.array_equal(reduced, run.reduced_column("max", "mean", 5, until=7)[None])
    atlas = numbers(get(client, "atlas?key=5&until=7"))
    assert np.array_equal(atlas.reshape(3, 4, -1), run.atlas(key=5, until=7))


def test_a_span_of_one_is_answered_as_that_position(client, run):
    first = int(run.stored_positions()[0])
    for path in (f"row?layer=2&query={first}", "row?layer=2&query=9", "column?layer=2&key=9", "masses?query=9"):
        at = path.rpartition("=")[2]
        assert get(client, f"{path}&until={at}").content == get(client, path).content


def test_the_table_of_a_score_names_the_positions_of_its_rows(client, run):
    positions = run.stored_positions()
    whole = get(client, "scores?name=image_mass")
    assert whole.headers["X-Attention-Positions"] == f"{positions[0]}-{positions[-1]}"
    assert np.array_equal(numbers(whole), run.score("image_mass"))
    for layer, head in ((2, 1), ("mean", "max"), ("max", 3), (3, "mean")):
        line = get(client, f"scores?name=image_mass&layer={layer}&head={head}")
        assert line.headers["X-Attention-Positions"] == whole.headers["X-Attention-Positions"]
        table = run.score("image_mass")
        heads = table[:, head] if isinstance(head, int) else getattr(np, head)(table, axis=1)
        rows = heads[run.layers().index(layer)] if isinstance(layer, int) else getattr(np, layer)(heads, axis=0)
        assert np.array_equal(numbers(line), rows) and len(rows) == len(positions)


@pytest.mark.parametrize(
    "positions, text",
    [([], ""), ([4], "4"), ([69, 70, 71], "69-71"), ([*range(13), 40], "0-12,40"), ([1, 3, 4, 9], "1,3-4,9")],
)
def test_positions_are_said_as_ranges(positions, text):
    assert position_ranges(np.array(positions, np.int32)) == text


def test_the_scores_of_any_row(client, run):
    for name in ("image_mass", "sink_mass", "sink_share", "entropy", "image_entropy", "spatial_entropy", "peak"):
        for place in ("query=70", "query=9", "query=66&until=70", "tower=vision&query=3"):
            asked = dict(part.split("=") for part in place.split("&"))
            tower = asked.pop("tower", "language")
            values = numbers(get(client, f"scores?name={name}&{place}"))
            expected = run.row_scores(name, tower=tower, **{key: int(value) for key, value in asked.items()})
            assert np.array_equal(values, expected) and values.dtype == np.float32
            assert values.shape == (len(run.layers(tower)), run.heads(tower))
    values = numbers(get(client, "scores?name=value&query=70&key=5"))
    assert np.array_equal(values, [run.row(layer, 70, source="factors")[:, 5] for layer in run.layers()])


def test_the_atlas_has_every_layer_and_head(client, run):
    query = int(run.stored_positions()[0])
    maps = numbers(get(client, f"atlas?query={query}&grid=1"))
    assert maps.dtype == np.float16 and maps.shape == (3, 4, 8, 4)
    assert np.array_equal(maps.reshape(3, 4, -1), run.atlas(query, 1))
    assert np.array_equal(maps[2, 1], run.map(3, 1, query, 1).astype(np.float16))
    assert np.array_equal(numbers(get(client, "atlas?key=5")).reshape(3, 4, -1), run.atlas(key=5))


def test_large_maps_are_pooled_by_area(client, run):
    response = get(client, "atlas?query=70&grid=0&max_cells=6")
    pooled, whole = numbers(response).astype(np.float64), run.atlas(70).reshape(3, 4, 4, 6).astype(np.float64)
    assert pooled.shape == (3, 4, 2, 3)
    assert np.allclose(pooled, whole.reshape(3, 4, 2, 2, 3, 2).mean((3, 5)), rtol=2e-3, atol=1e-7)
    assert numbers(get(client, "atlas?query=70&grid=0&max_cells=24")).shape == (3, 4, 4, 6)


@pytest.mark.parametrize(
    "rows, cols, limit", [(14, 21, 100), (1, 500, 30), (500, 1, 30), (32, 32, 1000), (3, 3, 1), (2, 90, 7)]
)
def test_pooling_keeps_the_mean_and_the_limit(rows, cols, limit):
    small = pooled_shape(rows, cols, limit)
    assert 1 <= small[0] <= rows and 1 <= small[1] <= cols and small[0] * small[1] <= limit
    maps = np.random.default_rng(0).random((2, rows, cols), np.float32)
    pooled = pool_maps(maps, *small)
    assert pooled.shape == (2, *small) and np.allclose(pooled.mean((1, 2)), maps.mean((1, 2)), rtol=1e-5)
    assert np.allclose(area_weights(rows, small[0]).sum(0), small[0] / rows, rtol=1e-5)


def test_the_vision_tower_has_the_same_routes(client, run):
    assert np.array_equal(numbers(get(client, "row?tower=vision&layer=0&query=3")), run.row(0, 3, "vision"))
    assert numbers(get(client, "atlas?tower=vision&query=3&grid=3")).shape == (1, 4, 8, 4)


def test_what_keys_receive_is_computed_once_and_followed_meanwhile(run, patience):
    is_told, begin, asked = threading.Event(), threading.Event(), []

    class Slow:
        kind, info, queries, layers, layer_file = run.kind, run.info, run.queries, run.layers, run.layer_file

        def received(self, layer, tower, progress, head):
            asked.append(layer)
            progress(3, 9)
            is_told.set()
            begin.wait(60)
            return run.received(layer, tower, head=head)

    with TestClient(Starlette(routes=routes({"ticket": Slow()}.__getitem__))) as client:
        patience(0)
        first = get(client, "received?tower=vision&layer=0", 202)
        assert first.json()["total"] > 0 and first.headers["Cache-Control"] == "no-store"
        assert is_told.wait(60)
        assert get(client, "received?tower=vision&layer=0", 202).json() == {"done": 3, "total": 9}
        patience(60)
        begin.set()
        answer = get(client, "received?tower=vision&layer=0")
        assert len(asked) == 1 and np.array_equal(numbers(answer), run.received(0, "vision"))


@pytest.mark.parametrize("layer", ["mean", "max", 2])
@pytest.mark.parametrize("head", ["mean", "max", 1, None])
def test_what_keys_receive_over_heads_and_layers(client, run, layer, head):
    each = [run.received(index) for index in (run.layers() if layer != 2 else [2])]
    if head is not None:
        each = [values[1] if head == 1 else getattr(np, head)(values, axis=0) for values in each]
    expected = getattr(np, layer)(np.stack(each), axis=0) if layer != 2 else each[0]
    path = f"received?layer={layer}" + (f"&head={head}" if head is not None else "")
    assert np.array_equal(numbers(get(client, path)), expected if head is None else expected[None])


def test_a_failure_while_keys_are_looked_through_is_told_and_tried_again(run):
    class Broken:
        kind, info, queries, layers, layer_file = run.kind, run.info, run.queries, run.layers, run.layer_file

        def received(self, layer, tower, progress, head):
            if not asked:
                asked.append(layer)
                raise DamagedRun("layer_00 of this run is cut off.")
            return run.received(layer, tower, progress, head)

    asked: list[int] = []
    broken = Broken()
    with TestClient(Starlette(routes=routes({"ticket": broken}.__getitem__))) as client:
        assert get(client, "received?layer=0", 500).json() == {"error": "layer_00 of this run is cut off."}
        assert np.array_equal(numbers(get(client, "received?layer=0")), run.received(0))


def test_a_layer_as_its_file_and_dense(client, run):
    response = get(client, "layer/language/2")
    assert (
        response.content == run.layer_file(2).read_bytes() and "attachment" in response.headers["Content-Disposition"]
    )
    dense = load(get(client, "layer/language/2?dense=1").content)["attention"]
    assert dense.dtype == np.float16 and np.array_equal(dense, run.dense(2).astype(np.float16))


def test_the_index_and_the_pictures(client, run):
    response = get(client, "run.json")
    assert response.json() == run.info and response.headers["Cache-Control"] == "no-store"
    assert get(client, "image/1").content == (run.folder / "image_1.png").read_bytes()
    preview = get(client, "preview/0")
    assert (
        preview.content == (run.folder / "preview_0.jpg").read_bytes()
        and preview.headers["Content-Type"] == "image/jpeg"
    )


@pytest.mark.parametrize(
    "path, status",
    [
        ("row?layer=1&query=70", 404),
        ("row?layer=-1&query=70", 404),
        ("row?layer=99&query=70", 404),
        ("row?layer=0&query=999999", 404),
        ("row?layer=0&query=-1", 404),
        ("row?layer=0&query=3&source=stored", 404),
        ("row?layer=0&query=3&tower=cross", 404),
        ("row?layer=0&query=70&head=9", 404),
        ("row?layer=mean&query=999", 404),
        ("column?layer=0&key=999", 404),
        ("column?layer=0&key=9&until=8", 404),
        ("row?layer=0&query=9&until=8", 404),
        ("row?layer=0&query=9&until=999", 404),
        ("row?layer=0&query=9&until=70&source=stored", 404),
        ("row?layer=0&query=9&until=end", 400),
        ("masses?query=999", 404),
        ("atlas?query=70&grid=9", 404),
        ("atlas?query=70&grid=2", 404),
        ("atlas?tower=vision&query=3&grid=0", 404),
        ("scores?name=../x", 404),
        ("received?layer=9", 404),
        ("received?layer=0&head=9", 404),
        ("received?layer=median", 400),
        ("scores?name=beauty&query=3", 404),
        ("scores?name=entropy&query=999", 404),
        ("scores?name=entropy&query=9&until=8", 404),
        ("scores?name=value&query=9", 400),
        ("scores?name=value&query=9&key=999", 404),
        ("scores?name=image_mass&layer=2", 400),
        ("scores?name=image_mass&layer=1&head=0", 404),
        ("scores?name=image_mass&layer=2&head=9", 404),
        ("layer/language/9", 404),
        ("layer/..%2f..%2fetc/0", 404),
        ("image/9", 404),
        ("image/-1", 404),
        ("image/x", 404),
        ("nothing", 404),
        ("", 404),
        ("row", 400),
        ("row?layer=one&query=70", 400),
        ("row?layer=1e3&query=70", 400),
        ("row?layer=0", 400),
        ("row?layer=0&query=70&source=guess", 400),
        ("row?layer=0&query=70&head=all", 400),
        ("atlas", 400),
        ("atlas?query=1&key=1", 400),
        ("atlas?query=1&max_cells=0", 400),
        ("atlas?query=99999999999999999999", 400),
        ("scores", 400),
        ("layer/language/0?dense=yes", 400),
        ("row?layer=%EF%BC%91&query=1", 400),
        ("row?layer=0&query=%00", 400),
    ],
)
def test_what_is_not_there_is_refused_in_one_sentence(client, path, status):
    response = get(client, path, status)
    assert list(response.json()) == ["error"] and response.headers["Cache-Control"] == "no-store"
    assert response.json()["error"].endswith(".") and "Traceback" not in response.text and "/tmp" not in response.text


@pytest.mark.parametrize("ticket", ["wrong", "..", "%2e%2e%2f", "ticket%00"])
def test_an_unknown_ticket_says_that_the_run_is_gone(client, ticket):
    response = client.get(f"{PREFIX}/{ticket}/row?layer=0&query=70")
    assert response.status_code == 404
    if ticket == "wrong":
        assert response.json()["expired"] and "expired" in response.json()["error"]


def test_a_fault_of_ours_is_logged_and_not_shown(run, caplog):
    def broken(ticket):
        raise ZeroDivisionError("secret detail of " + ticket)

    with TestClient(Starlette(routes=routes(broken))) as client:
        response = client.get(f"{TICKET}/row?layer=0&query=70")
    assert response.status_code == 500 and "secret" not in response.text and "log" in response.json()["error"]
    assert "secret detail" in caplog.text


def test_a_damaged_run_says_what_is_damaged(tmp_path):
    folder = write_run(tmp_path / "run", [scene(20, 20)], [(2, 2)])
    file = folder / "language" / "layer_00.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    with open_run(folder) as run, TestClient(Starlette(routes=routes({"t": run}.__getitem__))) as client:
        with pytest.raises(DamagedRun):
            run.row(0, 3)
        response = client.get(f"{PREFIX}/t/row?layer=0&query=3")
        assert response.status_code == 500 and "damaged" in response.json()["error"]
        assert client.get(f"{PREFIX}/t/row?layer=1&query=3").status_code == 200


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "secret.txt", "sub/secret.png"])
def test_a_picture_name_from_somebody_elses_run_does_not_leave_its_folder(tmp_path, name):
    folder = write_run(tmp_path / "run", [scene(20, 20)], [(2, 2)])
    (tmp_path / "secret.png").write_text("secret")
    (folder / "secret.txt").write_text("secret")
    (folder / "sub").mkdir()
    (folder / "sub" / "secret.png").write_text("secret")
    info = json.loads((folder / "run.json").read_text())
    info["images"][0].update(file=name, preview=name)
    (folder / "run.json").write_text(json.dumps(info))
    with open_run(folder) as run, TestClient(Starlette(routes=routes({"t": run}.__getitem__))) as client:
        for which in ("image", "preview"):
            response = client.get(f"{PREFIX}/t/{which}/0")
            assert response.status_code == 404 and "secret" not in response.text


def test_a_run_can_be_deleted_while_it_is_open(tmp_path):
    folder = write_run(tmp_path / "run", [scene(20, 20)], [(2, 2)])
    with open_run(folder) as run, TestClient(Starlette(routes=routes({"t": run}.__getitem__))) as client:
        assert client.get(f"{PREFIX}/t/row?layer=0&query=3").status_code == 200
    shutil.rmtree(folder)


def test_modules_come_under_the_hash_of_their_content(client):
    digest, files = viewer_files()
    response = client.get(f"{PREFIX}/assets/{digest}/run.js")
    assert response.content == files["run.js"] and response.headers["Content-Type"].startswith("text/javascript")
    assert "max-age=31536000" in response.headers["Cache-Control"]
    for address in (f"{digest}/viewer.py", f"{digest}/..%2f..%2frun.py", f"0000/{'run.js'}", f"{digest}/"):
        assert client.get(f"{PREFIX}/assets/{address}").status_code == 404


def test_a_page_fetches_its_modules_as_one_in_which_each_keeps_its_places(client):
    digest, files = viewer_files()
    answer = client.get(f"{PREFIX}/assets/{digest}/{BUNDLE}")
    whole, places = bundle()
    assert answer.text == whole and answer.headers["Content-Type"].startswith("text/javascript")
    assert BUNDLE not in files and {"run.js", "comparison.js", "views/picture/gestures.js"} < set(places)
    assert not re.search(r"^import\b", whole, re.MULTILINE) and whole.count("\nexport ") == 1
    for name, first in places.items():
        text = file_text(name)
        for before, now in zip(text.split("\n"), whole[first : first + len(text)].split("\n"), strict=True):
            is_blanked = not now.strip() and before.lstrip().startswith(("/**", "*"))
            assert now == before or is_blanked or before.startswith(("import ", "export ")), (name, before, now)
            assert len(now) == len(before)
        assert whole[first + len(text) :].startswith("\nreturn {")
    for component in (AttentionViewer(), ComparisonViewer()):
        assert f"/assets/{digest}/" in component.js_on_load and f"'{BUNDLE}'" in component.js_on_load


def test_the_template_holds_nothing_that_gradio_evaluates():
    for viewer in (AttentionViewer(), ComparisonViewer()):
        for text in (viewer.html_template, viewer.css_template):
            assert "{{" not in text and "${" not in text and "`" not in text


def test_the_value_is_a_small_manifest():
    manifest = {"id": "a", "ticket": "b" * 24, "kind": "run", "view": {"layer": 3, "head": "mean", "query": 7}}
    viewer = AttentionViewer(manifest)
    assert viewer.postprocess(manifest) == viewer.preprocess(manifest) == manifest and viewer.postprocess(None) is None
    with pytest.raises(AssertionError):
        viewer.postprocess({**manifest, "values": list(range(1000))})


def test_runs_made_by_hand_are_read_as_they_were_made(run):
    tokens = chat([(4, 6), (8, 4)])
    assert [t["text"] for t in run.info["tokens"]] == [t["text"] for t in tokens]
    for layer in run.layers():
        rows = run.dense(layer)
        assert np.allclose(
            rows[:, run.stored_positions()], load_file(run.layer_file(layer))["attention"].swapaxes(0, 1), atol=5e-4
        )


# Places of the answer


@pytest.fixture(scope="module")
def clicked(tmp_path_factory):
    root = tmp_path_factory.mktemp("places")
    found = {
        "new": open_run(write_clicked(root / "new")),
        "old": open_run(write_clicked(root / "old", place_habit=None)),
    }
    app = Starlette(routes=routes(found.__getitem__))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield found["new"], lambda path: client.get(f"{PREFIX}/{path}")
    for run in found.values():
        run.close()


@pytest.mark.parametrize("space", ["auto", *LIES])
def test_places_are_read_anew_as_python_reads_them(clicked, space):
    run, ask = clicked
    answer = ask(f"new/places?coordinates={space}")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    found = run_places(run, space)
    assert answer.json() == {"coordinates": space, **found.fields(), "notes": found.notes}
    lies = LIES["0-1000" if space == "auto" else space]
    assert [(point["x"], point["y"]) for point in answer.json()["points"]] == ([lies] if lies else [])


def test_places_are_refused_in_words(clicked):
    _, ask = clicked
    for path, status, words in (
        ("new/places?coordinates=pixels", 400, "coordinates is 'pixels'; it must be one of auto, 0-1, 0-1000, read"),
        ("old/places?coordinates=read", 404, "made by an older version"),
        ("none/places?coordinates=read", 404, "not here any more"),
    ):
        answer = ask(path)
        assert answer.status_code == status and words in answer.json()["error"]
