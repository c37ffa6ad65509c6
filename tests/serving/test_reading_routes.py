"""The routes with a reading: the same addresses, signed numbers to the bit, and nothing that a name could reach."""

import json
import shutil
import threading

import numpy as np
import pytest
from safetensors.numpy import load
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention.capture.knock_out_forecast import forecast_knock_outs
from attention.capture.lens import read_lens
from attention.environment import EXAMPLES
from attention.folders import open_folder
from attention.models.kept import free
from attention.readings.forecast import Forecast
from attention.readings.reading import INDEX, readings_folder
from attention.runs.factors import COMPUTED
from attention.runs.pooling import pool_maps, pooled_shape
from attention.runs.run import open_run
from attention.serving.few import Few
from attention.serving.received import GONE_S, NobodyAsks, _Walk
from attention.serving.responses import PREFIX
from attention.serving.routes import routes

BOX = "200,80,400,200"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with open_run(shutil.copytree(EXAMPLES / "shapes", tmp_path_factory.mktemp("read") / "run")) as run:
        yield run
    free()


@pytest.fixture(scope="module")
def forecast(run):
    return forecast_knock_outs(run)


@pytest.fixture(scope="module")
def lens(run):
    return read_lens(run)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    with open_run(shutil.copytree(EXAMPLES / "window", tmp_path_factory.mktemp("other") / "run")) as run:
        yield run


@pytest.fixture(scope="module")
def client(run, other):
    resolve = {"one": run, "two": other}.__getitem__
    with TestClient(Starlette(routes=routes(resolve)), raise_server_exceptions=False) as client:
        yield client


def get(client, path, status=200, ticket="one"):
    response = client.get(f"{PREFIX}/{ticket}/{path}")
    assert response.status_code == status, response.text
    return response


def numbers(client, path):
    response = get(client, path)
    assert response.headers["X-Attention-Dtype"] == "float32" and response.headers["X-Attention-Source"] == "forecast"
    assert "immutable" in response.headers["Cache-Control"]
    shape = [int(n) for n in response.headers["X-Attention-Shape"].split(",")]
    return np.frombuffer(response.content, np.float32).reshape(shape)


def test_rows_columns_and_maps_are_the_forecasts_to_the_bit(client, run, forecast):
    name, layers, query = forecast.folder.name, run.layers(), run.info["prompt_tokens"] - 1
    row = numbers(client, f"row?layer=3&query={query}&reading={name}")
    assert np.array_equal(row, 0 - forecast.score_gradient(3, query)) and (row < 0).any() and (row > 0).any()
    assert np.abs(row.sum(axis=1)).max() <= 1e-6 * np.abs(row).sum(axis=1).max()
    every = np.stack([0 - forecast.score_gradient(layer, query) for layer in layers])
    grid = run.info["grids"][0]
    shape = (grid["rows"], grid["cols"])
    cells = run.cells(0).reshape(-1)
    atlas = numbers(client, f"atlas?query={query}&reading={name}")
    assert np.array_equal(atlas.reshape(*every.shape[:2], -1), every[:, :, cells])
    all_rows = np.stack([forecast.keys(layer) for layer in layers])
    assert np.array_equal(numbers(client, f"row?layer=2&reading={name}"), all_rows[2])
    whole = numbers(client, f"atlas?reading={name}")
    assert np.array_equal(whole.reshape(*all_rows.shape[:2], -1), all_rows[:, :, cells])
    small = numbers(client, f"atlas?reading={name}&max_cells=12")
    assert np.array_equal(small, pool_maps(whole, *pooled_shape(*shape, 12)))
    assert np.array_equal(numbers(client, f"row?layer=mean&head=mean&reading={name}")[0], all_rows.mean(1).mean(0))
    farthest = numbers(client, f"row?layer=3&head=max&query={query}&reading={name}")[0]
    assert np.array_equal(np.abs(farthest), np.abs(row).max(axis=0)) and (farthest < 0).any()
    span = numbers(client, f"row?layer=3&query={query - 2}&until={query}&reading={name}")
    rows = [0 - forecast.score_gradient(3, each) for each in range(query - 2, query + 1)]
    assert np.allclose(span, np.mean(rows, axis=0), rtol=0, atol=1e-7 * np.abs(rows).max())
    key = int(cells[5])
    column = numbers(client, f"column?layer=3&key={key}&reading={name}")
    by_rows = np.stack([forecast.score_gradient(3, each)[:, key] for each in range(run.queries())], axis=1)
    assert np.allclose(column, -by_rows, rtol=0, atol=1e-6 * np.abs(by_rows).max())
    assert np.allclose(column.sum(axis=1), all_rows[3][:, key], rtol=0, atol=1e-6 * np.abs(by_rows).sum())
    span = numbers(client, f"column?layer=3&key={key - 3}&until={key + 3}&reading={name}")
    of_keys = [forecast.column_gradient(3, each) for each in range(key - 3, key + 4)]
    assert np.allclose(span, -np.mean(of_keys, axis=0), rtol=0, atol=1e-6 * np.abs(of_keys).max())
    read = numbers(client, f"atlas?key={key}&reading={name}")
    assert np.array_equal(read[3].reshape(len(column), -1), column[:, cells])


def test_masses_scores_and_regions_are_sums_of_effects(client, run, forecast):
    name, query = forecast.folder.name, run.info["prompt_tokens"] - 1
    every = np.stack([0 - forecast.score_gradient(layer, query) for layer in run.layers()])
    groups = [group["name"] for group in run.info["groups"]["language"]]
    masses = numbers(client, f"masses?query={query}&reading={name}")
    image = every[:, :, run.pictures("language")[0]].sum(axis=-1)
    at = next(i for i, group in enumerate(groups) if group.startswith("image"))
    assert np.allclose(masses[:, :, at], image, rtol=1e-5, atol=1e-9)
    assert np.array_equal(numbers(client, f"scores?name=image_mass&query={query}&reading={name}"), image)
    assert np.array_equal(numbers(client, f"scores?name=value&query={query}&key=9&reading={name}"), every[:, :, 9])
    assert (numbers(client, f"scores?name=size&reading={name}") >= 0).all()
    silent = numbers(client, f"scores?name=silence_zero&reading={name}")
    assert np.array_equal(silent, forecast.silenced("zero"))
    region = numbers(client, f"region?box={BOX}&reading={name}")
    assert region.shape == (*silent.shape, 1)
    assert np.array_equal(numbers(client, f"scores?name=knock_out&box={BOX}&reading={name}"), region[:, :, 0])
    assert numbers(client, f"masses?reading={name}").shape == masses.shape


def test_what_is_there_is_listed_fresh_and_its_files_are_sent(client, run, forecast, lens):
    response = get(client, "readings.json")
    assert response.headers["Cache-Control"] == "no-store"
    listed = response.json()["readings"]
    assert [each["kind"] for each in listed] == ["lens", "forecast"] and not response.json()["unread"]
    assert set(listed[1]) >= {"name", "kind", "target", "towers", "created", "bytes", "value"}
    assert get(client, "readings.json", ticket="two").json() == {"readings": [], "unread": []}
    assert get(client, f"reading/{lens.folder.name}").json()["layers"] == lens.layers_read
    file = load(get(client, f"reading/{forecast.folder.name}/language/3").content)
    assert file["pull"].shape[:2] == (run.heads(), run.queries())
    broken = readings_folder(run) / ("0" * 16)
    broken.mkdir()
    (broken / INDEX).write_text(json.dumps({"kind": "forecast", "format": 1, "run": "another"}))
    assert "another run" in get(client, "readings.json").json()["unread"][0]
    get(client, f"row?layer=0&query=3&reading={broken.name}", 422)
    shutil.rmtree(broken)


def test_what_is_not_there_is_refused_in_words(client, run, forecast, lens):
    name = forecast.folder.name
    for path, words in {
        "row?layer=0&query=3&reading=..": "no reading '..'",
        f"row?layer=0&query=3&reading=../{run.folder.name}.readings/{name}": "no reading",
        f"row?layer=0&query=3&reading={name.upper()}": "no reading",
        "row?layer=0&query=3&reading=": "no reading ''",
        f"row?layer=99&query=3&reading={name}": "no layer 99",
        f"row?layer=0&query=99999&reading={name}": "There is no query 99999",
        f"row?layer=0&until=3&reading={name}": "leave until out",
        f"row?layer=0&query=3&source=stored&reading={name}": "auto or factors",
        f"row?layer=0&query=0&tower=vision&reading={name}": "has no tower 'vision'",
        f"atlas?query=3&reading={lens.folder.name}": "kind lens, which has no rows",
        f"scores?name=entropy&query=3&reading={name}": "has no score 'entropy'",
        f"received?layer=0&reading={name}": "Nothing is received",
        f"reading/{name}/language/99": "no layer 99",
        f"reading/{name}/vision/0": "has no tower",
        f"reading/{'1' * 16}": "no reading",
    }.items():  # fmt: skip
        response = get(client, path, 404)
        assert words in response.json()["error"], path
    assert "no reading" in get(client, f"row?layer=0&query=3&reading={name}", 404, ticket="two").json()["error"]
    assert get(client, "row?layer=0", 400) and get(client, "atlas?grid=0", 400)
    assert get(client, f"region?box=0,0,1,1&reading={name}", 404)
    get(client, "reading/..%2f..%2frun.json", 404)
    get(client, f"base/row?layer=0&query=3&reading={name}", 404)


def test_rows_do_not_wait_behind_walks_through_whole_layers_and_those_are_few(client, run, forecast, monkeypatch):
    few, name, query = Few(1, 1, 0.01, "Try again in a moment."), forecast.folder.name, run.info["prompt_tokens"] - 1
    monkeypatch.setattr("attention.serving.routes.WALKS", few)
    walks = (f"region?box={BOX}", "row?layer=mean", "atlas?key=9", "masses?", f"row?layer=1&query={query}&until=20")
    with few.place():
        for walk in walks:
            refused = get(client, f"{walk}&reading={name}", 503)
            assert "Try again in a moment" in refused.json()["error"], walk
        numbers(client, f"row?layer=1&query={query}&reading={name}")
        get(client, f"row?layer=1&query={query}")
    numbers(client, f"{walks[0]}&reading={name}")


def test_of_a_comparison_each_member_has_readings_of_its_own(tmp_path):
    with open_folder(shutil.copytree(EXAMPLES / "compared", tmp_path / "both")) as both:
        forecast = forecast_knock_outs(both.base)
        with TestClient(Starlette(routes=routes({"both": both}.__getitem__))) as client:
            row = client.get(f"{PREFIX}/both/base/row?layer=1&reading={forecast.folder.name}")
            assert np.array_equal(np.frombuffer(row.content, np.float32), forecast.keys(1).reshape(-1))
            assert len(get(client, "base/readings.json", ticket="both").json()["readings"]) == 1
            assert not get(client, "adapter_1/readings.json", ticket="both").json()["readings"]
            get(client, f"adapter_1/row?layer=1&reading={forecast.folder.name}", 404, "both")
            assert "several runs" in get(client, "readings.json", 404, "both").json()["error"]


def test_effects_over_all_rows_say_how_far_they_are_to_whoever_prefers_that(client, run, forecast, monkeypatch):
    going_on, keys = threading.Event(), Forecast._keys

    def held(self, layer, tower, progress):
        progress(2)
        going_on.wait(60)
        return keys(self, layer, tower, progress)

    def walked(path):
        """The answer once it is there: all that come before say how far it is."""
        while (answer := client.get(f"{PREFIX}/one/{path}", headers={"Prefer": "respond-async"})).status_code == 202:
            told.append(answer.json())
        return answer.content

    monkeypatch.setattr(Forecast, "_keys", held)
    COMPUTED.forget(run.owner)
    told, n, layers = [], run.queries(), run.layers()
    of = f"reading={forecast.folder.name}"
    first = client.get(f"{PREFIX}/one/row?layer=3&{of}", headers={"Prefer": "respond-async"})
    assert first.status_code == 202 and first.json()["total"] == n and first.json()["done"] in (0, 2)
    going_on.set()
    assert walked(f"row?layer=3&{of}") == get(client, f"row?layer=3&{of}").content
    assert walked(f"atlas?grid=0&{of}") == get(client, f"atlas?grid=0&{of}").content
    assert all(each["total"] in (n, n * len(layers)) and each["done"] <= each["total"] for each in told)
    for path in (f"row?layer=99&{of}", f"row?layer=mean&tower=vision&{of}"):
        assert client.get(f"{PREFIX}/one/{path}", headers={"Prefer": "respond-async"}).status_code == 404


def test_a_walk_that_nobody_asks_for_ends_and_begins_anew():
    walk = _Walk(9)
    walk.tell(3, 9)
    walk.asked -= GONE_S + 1
    with pytest.raises(NobodyAsks):
        walk.tell(4, 9)
    assert (walk.done, walk.total) == (4, 9)
