"""Whatever is given too long, in whichever place, the message that refuses it can be read at a glance."""

import argparse
import dataclasses
from pathlib import Path

import pytest
from made_runs import chat, scene, write_run
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention.commands.main import build_parser, main
from attention.errors import AttentionError
from attention.exports.wanted import NAMES
from attention.request import Request
from attention.runs.run import open_run
from attention.serving.responses import PREFIX
from attention.serving.routes import routes

LONG = "long " * 1_000
ROOT = Path(__file__).parent.parent
VALUES = (LONG, [LONG], {LONG: LONG}, 10**3_000, LONG.encode())
ROUTES = {
    "row": ("layer", "head", "query", "tower", "until", "source"),
    "column": ("layer", "head", "key", "tower", "until"),
    "atlas": ("query", "key", "grid", "tower", "until", "max_cells"),
    "masses": ("query", "tower", "until"),
    "scores": ("name", "tower", "query", "layer", "head", "key"),
    "export": ("format", *NAMES),
}
SOUND = {"layer": "0", "head": "0", "query": "3", "key": "3", "name": "image_mass", "format": "csv"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "made"
    return write_run(folder, [scene(60, 40)], [(2, 3)], tokens=chat([(2, 3)]), prompt="what?", answer="red.")


def readable(words):
    return 10 < len(words) < 400 and words.isprintable()


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Request) if field.name != "images"])
def test_of_a_request(field):
    for value in VALUES:
        try:
            Request(**{"prompt": "what?", field: value}).validate()
        except AttentionError as error:
            assert readable(str(error)), str(error)[:500]


@pytest.mark.parametrize("route", ROUTES)
def test_of_a_route(made, route):
    with open_run(made) as run:
        client = TestClient(Starlette(routes=routes({"t": run}.__getitem__)))
        for name in (*ROUTES[route], LONG):
            answer = client.get(f"{PREFIX}/t/{route}", params=SOUND | {name: LONG})
            if answer.status_code != 200:
                assert answer.status_code in (400, 404) and readable(answer.json()["error"]), (name, answer.text[:500])
        assert readable(client.get(f"{PREFIX}/{LONG}/run.json").json()["error"])


def commands():
    """Every flag of the commands that end before a model is loaded."""
    (subparsers,) = (action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    for command in ("export", "extract", "compare"):
        for action in subparsers.choices[command]._actions:
            if action.nargs != 0 and action.dest not in ("help", "image"):
                yield command, action.option_strings[:1], action.dest


@pytest.mark.parametrize("command, flag, dest", list(commands()))
def test_of_the_command_line(made, tmp_path, capsys, command, flag, dest):
    sound = {
        "export": {"run": made, "--format": "csv", "--output": tmp_path / "a"},
        "extract": {"--image": tmp_path / "none.png", "--prompt": "what?", "--output-dir": tmp_path / "a"},
    }  # fmt: skip
    sound["compare"] = sound["extract"] | {"--adapter": "me/lora"}
    given = sound[command] | {(flag or ["run"])[0]: LONG}
    arguments = [str(part) for name, value in given.items() for part in ([value] if name == "run" else [name, value])]
    try:
        code = main([command, *arguments])
    except SystemExit as exit_:
        code = exit_.code
    said = capsys.readouterr().err.splitlines()
    assert code == 0 or (readable(said[-1]) and "Internal error" not in said[-1]), said[-1][:500]


def test_of_a_path(tmp_path):
    from attention.capture.extraction import read_messages
    from attention.comparisons.comparison import open_comparison
    from attention.folders import unpack_run
    from attention.runs.partial import PartialRun

    for path in (LONG, "x" * 5_000, "/" + "d/" * 3_000, "no\0file"):
        for work in (
            open_run, open_comparison, PartialRun.create, lambda file: read_messages(file, []),
            lambda file: unpack_run(file, tmp_path / "new", 1),
        ):  # fmt: skip
            with pytest.raises(AttentionError) as caught:
                work(path)
            assert readable(str(caught.value)), str(caught.value)[:500]
