"""A bias by position is kept beside queries and keys: rows are exact with it, and the answer knows of it."""

import math
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_families
import tiny_families.inkling2
from eager_answers import answered, check_answer
from pictures import noise
from safetensors import safe_open

from attention import Request
from attention.capture.forecast import estimate, forecast
from attention.families import find
from attention.families.inkling2 import Squares
from attention.families.inkling_mm_model import OneMore
from attention.limits import Limits
from attention.models import kept
from attention.models.config import read_config
from attention.runs.checks.run import check_run
from attention.runs.schema import RUN

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["inkling2", pytest.param("inkling_mm_model", marks=pytest.mark.full)])
def folder(request, tmp_path_factory):
    yield tiny_families.write(request.param, tmp_path_factory.mktemp("inkling") / "model")
    kept.free()


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    with answered(folder, tmp_path_factory.mktemp("run") / "run") as run:
        yield run


def test_it_answers_as_an_eager_model_does(folder, run):
    """With its cache, in which keys and convolutions of the past are."""
    check_answer(run, folder)


def test_rows_and_columns_are_those_of_the_definition(run):
    for layer in run.layers():
        with safe_open(run.layer_file(layer), "np") as file:
            query, key, bias = (file.get_tensor(n).astype(np.float64) for n in ("query", "key", "position_bias"))
            has_sinks = "sink_logits" in file.keys()  # noqa: SIM118 - it is no mapping
            sinks = file.get_tensor("sink_logits").astype(np.float64)[:, :, None] if has_sinks else -np.inf
            scaling, how = float(file.metadata()["scaling"]), file.metadata()["how_to_read"]
        scores = np.einsum("hqd,hkd->hqk", query, key.repeat(len(query) // len(key), axis=0)) * scaling
        without = softmax(scores, sinks, window(layer))
        rows = softmax(scores + bias, sinks, window(layer))
        assert "position_bias[h, t, j]" in how and np.abs(rows - without).max() > 0.1, "it is at work"
        assert np.abs(run.dense(layer) - rows).max() < 2e-5
        assert np.abs(run.column(layer, 7) - rows[:, :, 7]).max() < 2e-5
        assert np.abs(run.row(layer, run.keys() - 1) - rows[:, -1]).max() < 3e-4


def window(layer):
    text = tiny_families.inkling2.TEXT
    return text["sliding_window_size"] if text["layer_types"][layer] == "hybrid_sliding" else None


def softmax(scores, sinks, n_keys):
    q, k = np.indices(scores.shape[1:])
    hidden = (k > q) if n_keys is None else (k > q) | (q - k >= n_keys)
    scores = np.where(hidden, -np.inf, scores)
    peak = np.maximum(scores.max(axis=-1, keepdims=True), sinks)
    weights = np.exp(scores - peak)
    return weights / (weights.sum(axis=-1, keepdims=True) + np.exp(sinks - peak))


def test_the_run_says_so_and_is_read_by_whoever_reads_the_format(run, capsys, monkeypatch):
    check_run(run)
    assert RUN.validate_python(run.info) == run.info and run.info["format"] == 2
    assert all(layer["position_bias"] for layer in run.info["towers"]["language"]["layers"])
    page = (ROOT / "attention" / "runs" / "FORMAT.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    reader = run.folder.parent / "reader.py"
    reader.write_text(code, encoding="utf-8")
    for layer, token in ((0, 3), (1, run.keys() - 2)):
        monkeypatch.setattr(sys, "argv", ["reader", str(run.folder), str(layer), "2", str(token)])
        runpy.run_path(str(reader))
        said = [float(line.split()[0]) for line in capsys.readouterr().out.splitlines()]
        assert np.allclose(said, np.sort(run.row(layer, token, source="factors")[2])[:-6:-1], atol=6e-5)


def test_a_forecast_counts_it(folder, run):
    request = Request([noise((200, 90))], "what is it?", str(folder), answer=run.info["answer"], device="cpu")
    expected = forecast(request)
    config, _ = read_config(str(folder))
    n = expected.tokens
    family = find(config.model_type)
    shapes = family.towers(config)
    plain = replace(shapes["language"], has_bias=False)

    class Plain(type(family)):
        def towers(self, config):
            return {**shapes, "language": plain}

    less = estimate(request, Plain(), config, expected.prepared, str(folder), "cpu", Limits(), "float32").bytes_on_disk
    assert expected.bytes_on_disk - less == 3 * 4 * n * n * 4
    assert expected.bytes_on_disk == pytest.approx(run.info["bytes"], rel=0.1)


@pytest.mark.parametrize("squares, size, cut", [(Squares, (80, 45), (2, 2)), (OneMore, (80, 45), (2, 3))])
def test_squares_are_cut_and_padded_as_the_stock_processors_cut_them(squares, size, cut):
    picture = noise(size)
    settings = squares()
    made = settings([picture], return_tensors="pt")
    assert settings.cut(picture.height, picture.width) == cut and len(made["pixel_values"]) == math.prod(cut)
    values = made["pixel_values"].numpy()
    values = values if values.ndim == 4 else values[:, 1]
    mean, std = np.array(settings.image_mean), np.array(settings.image_std)
    whole = (np.pad(np.asarray(picture, float), ((0, 35), (0, 40), (0, 0)), constant_values=-1) / 255 - mean) / std
    for index, square in enumerate(values):
        row, col = divmod(index, cut[1])
        assert np.abs(square - whole[40 * row : 40 * row + 40, 40 * col : 40 * col + 40]).max() < 1e-5


@pytest.mark.parametrize(
    "given, size, read",
    [({}, (301, 90), (301, 90)), ({"rescale_image_frac": 2.0}, (300, 100), (600, 200)),
     ({"rescale_image_frac": 2.0}, (3000, 100), (3000, 100)), ({"rescale_image_frac": 0.5}, (301, 100), (151, 50))],
)  # fmt: skip
def test_a_picture_is_first_made_as_large_as_its_processor_says(given, size, read):
    """Up to an edge of 2,048 pixels, but never smaller for that; halves are rounded up."""
    assert OneMore(**given).read_size(*size) == read
