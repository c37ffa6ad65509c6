"""Learned sink logits, in InternVL with gpt-oss's text: rows sum to less than 1, and the output knows of it."""

import html
import shutil
from io import BytesIO

import numpy as np
import pytest
import tiny_families.internvl
from eager_answers import answered, check_answer
from pictures import noise
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from attention import Request, compare_runs, extract, open_run
from attention.capture.knock_out_forecast import forecast_knock_outs
from attention.comparisons.figure import write_comparison_figure
from attention.comparisons.maps import compared_maps
from attention.comparisons.measuring import of_layer
from attention.drawing.look import Look
from attention.drawing.number_text import format_percent
from attention.drawing.run_words import learned_sink_sentence, learned_sink_words
from attention.limits import Limits
from attention.models import kept
from attention.runs.checks.run import check_run
from attention.runs.schema import RUN
from attention.runs.selection import select
from attention.verify.checks import verify


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt_oss") / "model"
    tiny_families.internvl.write(folder, tiny_families.internvl.GPT_OSS)
    yield folder
    kept.free()


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    with answered(folder, tmp_path_factory.mktemp("run") / "run", 6) as run:
        yield run


@pytest.mark.full
def test_every_check_of_the_promises_passes(folder):
    checks = {check.name: check for check in verify(str(folder), device="cpu")}
    assert all(check.passed is not False for check in checks.values()), checks
    assert checks["logits = an eager model's, of the largest"].passed


def by_definition(run, layer):
    """The scores of a layer, float64 [heads, queries, keys], -inf where a key is hidden; and its sinks [heads]."""
    data = load_file(run.layer_file(layer))
    query, key = data["query"].astype(np.float64), data["key"].astype(np.float64).repeat(2, axis=0)
    scores = np.einsum("hqd,hkd->hqk", query, key) * 12**-0.5
    q, k = np.indices(scores.shape[1:])
    scores[:, (k > q) | ((q - k >= 24) & (layer != 1))] = -np.inf
    return scores, data["sink_logits"].astype(np.float64)


def test_rows_that_read_little_but_a_region_are_forecast_by_all_that_is_left_of_them(run):
    """Without pictures a row right after them has its sink and specks: their ratio counts, however small they are."""
    forecast, cells = forecast_knock_outs(run), run.pictures("language")[0]
    keys, expected = np.arange(run.keys())[cells], []
    for layer in run.layers():
        scores, sinks = by_definition(run, layer)
        kept = {name: each.astype(np.float64) for name, each in forecast._read(layer, "language").items()}
        outputs = []
        for hidden in ([], keys):
            scores[:, :, hidden] = -np.inf
            weights = np.exp(scores - sinks[:, None, None])
            outputs.append(weights / (weights.sum(axis=-1, keepdims=True) + 1) @ kept["value"].repeat(2, axis=0))
        change = (kept["pull"] * (outputs[1] - outputs[0])).sum(axis=-1)
        change[:, keys] = 0
        expected.append(change.sum(axis=-1))
    found = forecast.knock_out(keys.tolist())
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max() > 0


def test_rows_are_those_of_the_definition_and_lack_what_is_on_the_sink(run):
    for layer in run.layers():
        scores, sinks = by_definition(run, layer)
        weights = np.exp(scores - sinks[:, None, None])  # against the sink's own, which is then 1
        rows = weights / (weights.sum(axis=-1, keepdims=True) + 1)
        assert np.abs(run.dense(layer) - rows).max() < 5e-6
        assert np.abs(run.column(layer, 3) - rows[:, :, 3]).max() < 5e-6
        stored = run.stored_row(layer, run.keys() - 1).astype(np.float64)
        assert np.abs(stored - rows[:, -1]).max() < 5e-4
        lacks = 1 - rows.sum(axis=-1)
        assert lacks.max() > 0.9 and lacks.min() < 0.1, "sinks take much of some rows and little of others"
    assert run.has_learned_sink(0) and run.has_learned_sink("mean") and not run.has_learned_sink(0, "vision")


def test_it_answers_as_an_eager_model_does(folder, run):
    check_answer(run, folder)


def test_the_run_says_so_and_is_read_as_any(run, tmp_path):
    check_run(run)
    assert RUN.validate_python(run.info) == run.info
    layers = {name: tower["layers"] for name, tower in run.info["towers"].items()}
    assert all(layer["learned_sink"] for layer in layers["language"])
    assert not any("learned_sink" in layer for layer in layers["vision"])


def test_what_is_on_a_learned_sink_is_said_below_a_map(run):
    for layer in (0, "mean"):
        selection = select(run, layer=layer, head="mean")
        values = run.reduced_row(layer, "mean", selection.query)
        (sentence,) = learned_sink_words([(selection, values)])
        assert sentence == f"{format_percent(1 - values.sum())} of the row is on a learned sink, which is no token."
    assert learned_sink_words([(select(run, "vision", layer=0, head=0, query=0), np.zeros(3))]) == []


def test_a_comparison_counts_what_moved_to_a_learned_sink(run, tmp_path):
    """By definition: the sink is one outcome more of each row's distribution."""
    shutil.copytree(run.folder, tmp_path / "other")
    for layer in run.layers():
        path = tmp_path / "other" / "language" / f"layer_{layer:02d}.safetensors"
        with safe_open(path, "np") as file:
            metadata = file.metadata()
        tensors = load_file(path)
        save_file(tensors | {"sink_logits": tensors["sink_logits"] + np.float32(1)}, path, metadata)
    with open_run(tmp_path / "other") as other:
        found = of_layer(run, other, "language", 1, range(run.keys()))
        p, q = (each.dense(1).astype(np.float64) for each in (run, other))
    p, q = (np.concatenate([each, np.maximum(1 - each.sum(axis=-1, keepdims=True), 0)], axis=-1) for each in (p, q))
    assert np.allclose(found["tv_row"], np.abs(p - q).sum(axis=-1) / 2, atol=1e-6) and found["tv_row"].max() > 0.1
    assert np.allclose(found["d_entropy"], entropy(q) - entropy(p), atol=1e-4)


def test_a_figure_of_two_says_what_the_table_says_also_of_rows_that_read_words_of_their_own(folder, tmp_path):
    """Attention on words of one answer alone is not said to be on the sink."""
    asked = [Request([noise((200, 90))], "what?", str(folder), answer=text, device="cpu") for text in ("a re", "xy re")]
    runs = [extract(each, tmp_path / str(n), limits=Limits(rows_bytes=0)) for n, each in enumerate(asked)]
    with compare_runs(runs, tmp_path / "both", names=["one", "other"]) as both:
        (group, *_) = (each for each in both.aligned("run_1") if each["base"][0] >= both.shared())
        found = []
        for query in (both.shared() - 1, group["base"][0]):
            for place, layer in enumerate(both.base.layers()):
                for head in range(both.base.heads()):
                    maps = compared_maps(both, query=query, layer=layer, head=head)
                    table = both.change("js_row", 0, query)[place, head]
                    assert maps.divergences()[0] == pytest.approx(table, abs=2e-6), (query, layer, head)
                    own = [row[both.shared() :].sum() for row in maps.rows]
                    found.append((max(own), maps))
        most, maps = max(found, key=lambda each: each[0])
        assert most > 0.01, "it reads words of its own"
        write_comparison_figure(maps, Look(), file := BytesIO(), "svg")
        lacks = [max(0.0, 1 - row.sum(dtype=np.float64)) for row in maps.rows]
        assert learned_sink_sentence(lacks) in html.unescape(file.getvalue().decode())


def entropy(rows):
    return -(rows * np.log2(np.maximum(rows, 1e-300))).sum(axis=-1)
