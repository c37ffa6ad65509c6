"""Answers made of a lens and of relative attention: small, by layer, and refused where a reading has no such thing."""

import base64
import json
import shutil
import zlib

import numpy as np
import pytest

from attention.answers.of_run import RUN_ANSWERS
from attention.answers.query import BadQuery
from attention.capture.general_rows import read_relative
from attention.capture.lens import read_lens
from attention.environment import EXAMPLES, POCKET
from attention.errors import NotInRun
from attention.exports.html.fill import fill
from attention.kinds.kept import kept_readings
from attention.models import loading as models
from attention.runs.run import open_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs") / "shapes"
    shutil.copytree(EXAMPLES / "shapes", place)
    with open_run(place) as run:
        loaded = models.load(str(POCKET), "cpu")
        read_lens(run, model=loaded)
        read_relative(run, model=loaded)
        yield run


def named(run, kind):
    return next(each for each in kept_readings(run)["readings"] if each["kind"] == kind)


def numbers(run, path, **asked):
    answer = RUN_ANSWERS[path](run, {name: str(value) for name, value in asked.items()})
    shape = [int(each) for each in answer.headers["X-Attention-Shape"].split(",")]
    assert answer.headers["X-Attention-Dtype"] == "float32" and answer.headers["X-Attention-Source"] == "relative"
    return np.frombuffer(answer.content, "<f4").reshape(shape)


def test_words_come_layer_by_layer(run):
    lens = named(run, "lens")
    assert lens["caution"] == "" and lens["layers"] == run.layers()
    sent = json.loads(RUN_ANSWERS["words"](run, {"reading": lens["name"], "layer": "3"}).content)
    first = run.info["prompt_tokens"] - 1
    last = json.loads(RUN_ANSWERS["words"](run, {"reading": lens["name"], "layer": str(lens["layers"][-1])}).content)
    assert last["texts"][last["words"][first][0]] == run.info["tokens"][first + 1]["text"]
    assert len(sent["words"]) == len(run.info["tokens"]) and len(sent["logprobs"][0]) == 5
    for asked, words in (
        ({"reading": lens["name"], "layer": "99"}, "no layer 99"), ({"reading": "x", "layer": "1"}, "no reading 'x'"),
        ({"reading": named(run, "relative")["name"], "layer": "1"}, "has no words"),
    ):  # fmt: skip
        with pytest.raises(NotInRun, match=words):
            RUN_ANSWERS["words"](run, asked)
    with pytest.raises(BadQuery, match="Give reading"):
        RUN_ANSWERS["words"](run, {"layer": "1"})


def test_a_file_of_its_own_holds_the_words_of_a_lens_that_was_asked_for(run):
    held = fill(run, 10_000_000, only_words=True)
    index = json.loads(zlib.decompress(base64.b64decode(held.held.index())))
    layers = {key for key in index["answers"] if key.startswith("words?")}
    assert held.has_words and layers == {f"words?layer={layer}&reading=lens" for layer in run.layers()}
    with open_run(EXAMPLES / "shapes") as bare:
        assert not fill(bare, 10_000_000, only_words=True).has_words


def test_rows_and_atlases_of_relative_attention_are_ratios(run):
    reading = named(run, "relative")
    asked = {"reading": reading["name"], "query": run.info["prompt_tokens"] - 1}
    rows, cols = run.cells(0).shape
    layers, heads = len(run.layers()), run.heads()
    row = numbers(run, "row", layer=3, head="mean", **asked)
    assert row.shape == (1, run.keys()) and numbers(run, "row", layer=3, **asked).shape == (heads, run.keys())
    whole = numbers(run, "atlas", grid=0, reduced=1, **asked)
    assert numbers(run, "atlas", grid=0, **asked).shape == (layers, heads, rows, cols)
    assert whole.shape == (layers + 1, heads + 2, rows, cols)
    assert np.array_equal(whole[run.layers().index(3), heads].reshape(-1), row[0, run.cells(0).reshape(-1)])
    with pytest.raises(NotInRun, match="no mean of ratios"):
        RUN_ANSWERS["row"](run, {"layer": "mean", **{name: str(value) for name, value in asked.items()}})
    with pytest.raises(BadQuery, match="relative attention alone"):
        RUN_ANSWERS["atlas"](run, {"query": "3", "reduced": "1"})
    with pytest.raises(NotInRun, match="is a row over another row"):
        RUN_ANSWERS["masses"](run, {name: str(value) for name, value in asked.items()})
