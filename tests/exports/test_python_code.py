"""The code that the page gives to be pasted runs as it stands, and reads what is on the disk."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from made_readings import write_forecast
from made_runs import chat, scene, write_run
from programs import run_in_node
from starlette.applications import Starlette

from attention import Target, open_run, read_region, region_scores
from attention.readings.forecast import open_forecast
from attention.serving.responses import PREFIX
from attention.serving.routes import routes

ROOT = Path(__file__).parents[2]
ODD = 'it\'s "a" {run}\\ 火🦊 $x'  # a folder's name on Linux may hold any of these

pytestmark = pytest.mark.node

ROW = {"tower": "language", "direction": "reads", "query": 30, "until": None, "layer": 2, "head": 1, "grid": 0}
VIEWS = {
    "row": (ROW, lambda run: run.map(2, 1, 30)),
    "own grid": (ROW | {"grid": 1, "query": 60}, lambda run: run.map(2, 1, 60, 1)),
    "reductions": (ROW | {"layer": "mean", "head": "max"}, lambda run: run.map("mean", "max", 30)),
    "span": (ROW | {"until": 33}, lambda run: run.map(2, 1, 30, until=33)),
    "column": (ROW | {"direction": "read by", "query": 5}, lambda run: run.column(2, 5)[1][run.cells(0)]),
    "columns": (
        ROW | {"direction": "read by", "query": 5, "until": 8, "layer": "max", "head": "mean"},
        lambda run: run.reduced_column("max", "mean", 5, until=8)[run.cells(0)],
    ),
    "patch": (ROW | {"tower": "vision", "layer": 0, "grid": 2}, lambda run: run.map(0, 1, 30, 2, "vision")),
    "received": (
        ROW | {"tower": "vision", "direction": "received", "layer": 0, "grid": 3},
        lambda run: run.received(0, "vision")[1][run.cells(3)],
    ),
    "received by any layer": (
        ROW | {"tower": "vision", "direction": "received", "layer": "max", "head": "mean", "grid": 2},
        lambda run: run.received(0, "vision").mean(axis=0)[run.cells(2)],
    ),
    "row of text": (ROW | {"grid": None}, lambda run: run.reduced_row(2, 1, 30)),
    "column of text": (ROW | {"grid": None, "direction": "read by"}, lambda run: run.reduced_column(2, 1, 30)),
}


EFFECTS = {
    "all rows": ({"direction": "received"}, lambda of: of.keys(2)[1]),
    "one row": ({}, lambda of: -of.score_gradient(2, 30)[1]),
    "rows": ({"until": 33}, lambda of: -sum(of.score_gradient(2, query)[1] for query in range(30, 34))),
    "one key": ({"direction": "read by", "query": 5}, lambda of: -of.column_gradient(2, 5)[1]),
    "all heads": (
        {"direction": "received", "layer": "mean", "head": "mean"},
        lambda of: sum(of.keys(layer).sum(axis=0) for layer in of.layers()),
    ),
    "the largest": (
        {"layer": "mean", "head": "max"},
        lambda of: sum(largest(-of.score_gradient(n, 30)) for n in (0, 2, 3)),
    ),
    "text": (
        {"grid": None, "layer": "max", "head": "mean"},
        lambda of: largest(np.stack([-of.score_gradient(n, 30).sum(axis=0) for n in (0, 2, 3)])),
    ),
}


def largest(values):
    """Return what is farthest from 0 over the first axis."""
    return np.where(values.max(axis=0) >= -values.min(axis=0), values.max(axis=0), values.min(axis=0))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / (ODD if os.name == "posix" else "run")
    pictures = [scene(63, 42), scene(40, 80)]
    write_run(folder, pictures, [(4, 6), (8, 4)], layers=(0, 2, 3), vision=True, tokens=chat([(4, 6), (8, 4)]))
    write_forecast(folder)
    with open_run(folder) as run:
        yield run


@pytest.fixture(scope="module")
def address(run):
    """A server of the run's routes, and nothing else."""
    config = uvicorn.Config(Starlette(routes=routes({"ticket": run}.__getitem__)), port=0, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    limit = time.monotonic() + 120
    while not server.started:
        assert time.monotonic() < limit
        threading.Event().wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}{PREFIX}/ticket"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def codes(run, address):
    """The code of each view, with the folder and without, as node writes it."""
    return written({name: view for name, (view, _) in VIEWS.items()}, run, address)


def written(views, run, address):
    """The code of each of some views, with the run's folder and without."""
    script = f"""
        import {{ pythonCode }} from '{(ROOT / "assets" / "viewer" / "numbers" / "python_code.js").as_uri()}';
        const views = {json.dumps(views)}, folder = {json.dumps(str(run.folder))}, address = {json.dumps(address)};
        console.log(JSON.stringify(Object.fromEntries(Object.entries(views).map(([name, view]) =>
            [name, {{ folder: pythonCode(view, {{ folder, address }}), address: pythonCode(view, {{ address }}) }}]))));
    """
    return json.loads(run_in_node(script))


@pytest.mark.parametrize("where", ["folder", "address"])
@pytest.mark.parametrize("name", VIEWS)
def test_the_code_gives_the_values_of_the_view(run, codes, capsys, name, where):
    code, (view, wanted) = codes[name][where], VIEWS[name]
    assert ("attention import" in code) == (where == "folder")
    held = {}
    exec(compile(code, "pasted", "exec"), held)
    name = {"reads": "row", "read by": "column"}.get(view["direction"]) if view["grid"] is None else "map"
    expected = wanted(run)
    assert held[name].shape == expected.shape and np.allclose(held[name], expected, rtol=1e-6, atol=1e-9)
    if where == "folder":
        assert np.array_equal(held[name], expected)
        held["run"].close()
    peak = np.unravel_index(expected.argmax(), expected.shape)
    said = capsys.readouterr().out
    assert said.startswith(f"{expected.max():.4g} ")
    assert f"row {peak[0]}, col {peak[1]}" in said if len(peak) == 2 else f"position {peak[0]}" in said


@pytest.fixture(scope="module")
def forecast(run):
    return open_forecast(run, Target.of(run))


@pytest.fixture(scope="module")
def effect_codes(run, forecast, address):
    """The code of each view of the forecast, likewise."""
    shown = {
        "kind": "forecast",
        "name": forecast.folder.name,
        "tokens": forecast.info["target"]["tokens"],
        "towers": ["language"],
    }
    views = {name: ROW | view | {"effect": shown} for name, (view, _) in EFFECTS.items()}
    return written(views, run, address)


@pytest.mark.parametrize("where", ["folder", "address"])
@pytest.mark.parametrize("name", EFFECTS)
def test_the_code_gives_the_effects_of_the_view(run, forecast, effect_codes, capsys, name, where):
    held = {}
    exec(compile(effect_codes[name][where], "pasted", "exec"), held)
    view, wanted = EFFECTS[name]
    expected = wanted(forecast) if "grid" in view else wanted(forecast)[run.cells(0)]
    found = held["effects" if "grid" in view else "map"]
    assert found.shape == expected.shape and np.allclose(found, expected, rtol=1e-5, atol=1e-9)
    peak = np.unravel_index(np.abs(expected).argmax(), expected.shape)
    assert capsys.readouterr().out.startswith(f"{expected[peak]:+.4g} ")
    if where == "folder":
        held["run"].close()


@pytest.mark.parametrize("where", ["folder", "address"])
def test_the_code_runs_in_a_python_of_its_own(codes, where, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    script = tmp_path / "pasted.py"
    script.write_text(codes["row"][where], encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0 and "on the cell at row" in done.stdout, done.stderr


@pytest.mark.parametrize("where", ["folder", "address"])
@pytest.mark.parametrize("place", [[3, 4.5, 33, 30], [50, 10]])
@pytest.mark.parametrize("more", [{}, {"layer": "mean", "head": "mean"}, {"until": 33}])
def test_the_code_measures_the_place(run, address, capsys, where, place, more):
    view = ROW | more | {"region": {"image": 0, "label": "<b>x</b>", "place": place}}
    given = json.dumps({"address": address} | ({"folder": str(run.folder)} if where == "folder" else {}))
    module = (ROOT / "assets" / "viewer" / "numbers" / "python_code.js").as_uri()
    script = f"import {{ pythonCode }} from '{module}'; console.log(pythonCode({json.dumps(view)}, {given}));"
    held = {}
    code = run_in_node(script)
    exec(compile(code, "pasted", "exec"), held)
    if where == "folder":
        held["run"].close()
    scores = region_scores(run, read_region(run, place), view["query"], until=view["until"])
    table = scores.tables["region_share"]
    share = table[run.layers().index(2), 1] if "layer" not in more else np.nanmax(table)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == f"{share:.4g} of what is read of pictures lies in the place, {scores.uniform:.4g} by chance"
    assert "<b>" not in code
