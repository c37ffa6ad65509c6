"""Towers of several kinds of layer: what has no softmax attention is listed, refused by name, and else left out."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tiny_families
import torch
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from transformers import Qwen3_5Config, Qwen3_5MoeConfig

from attention import Request, extract, open_run
from attention.capture.forecast import estimate, forecast
from attention.commands import main as command_line
from attention.comparisons.finished import compare_runs
from attention.errors import NotInRun, UnsupportedModel
from attention.exports.export import export
from attention.families import find
from attention.families.towers import TowerShape, language_tower
from attention.limits import Limits
from attention.models import loading as models
from attention.models.config import describe, read_config
from attention.models.kept import free
from attention.runs.checks.run import check_run
from attention.serving.routes import PREFIX, routes
from attention.words import tower_words

WITH, WITHOUT = [2, 5], [0, 1, 3, 4]
WHY = "Layer 0 of this run's language tower has linear attention, which makes no map. Layers with maps: 2, 5."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("hybrid")
    model = tiny_families.write("qwen3_5", place / "model")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8))
    request = Request((picture,), "what is it?", str(model), answer="red", device="cpu", vision=True)
    extract(request, place / "run").close()
    free()
    return place / "run"


@pytest.fixture
def run(folder):
    with open_run(folder) as run:
        yield run


def test_they_are_listed_by_kind_and_have_no_file(run, folder):
    check_run(run)
    layers = run.info["towers"]["language"]["layers"]
    assert [layer["index"] for layer in layers] == [0, 1, 2, 3, 4, 5]
    assert [layer["index"] for layer in layers if layer["kind"] == "linear" and layer["file"] is None] == WITHOUT
    assert sorted(file.name for file in (folder / "language").iterdir()) == [
        f"layer_{layer:02}.safetensors" for layer in WITH
    ]
    assert run.layers() == WITH and run.other_layers() == dict.fromkeys(WITHOUT, "linear attention")
    assert run.other_layers("vision") == {}
    assert tower_words(run.info["towers"]["language"]) == "2 layers x 4 heads (4 with linear attention: no map)"


ASKED = {
    "row": lambda run: run.row(0, 5),
    "stored row": lambda run: run.stored_row(0, 5),
    "column": lambda run: run.column(0, 5),
    "map": lambda run: run.map(0, 1, 5),
    "dense": lambda run: run.dense(0),
    "received": lambda run: run.received(0),
    "score": lambda run: run.reduced_score("entropy", 0, "mean"),
    "file": lambda run: run.layer_file(np.int64(0)),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_python_refuses_them_with_the_reason(run, ask):
    with pytest.raises(NotInRun) as refused:
        ask(run)
    assert str(refused.value) == WHY


@pytest.mark.parametrize("format", ["dense", "npz", "csv", "png", "svg", "card", "html"])
def test_exports_and_the_command_line_refuse_them_with_the_reason(run, tmp_path, format, capsys):  # noqa: A002
    with pytest.raises(NotInRun, match=r"Layer 0 .* linear attention"):
        export(run, format, tmp_path / "out", layer=0)
    assert command_line.main(["export", str(run.folder), "--format", format, "--layer=0", f"--output={tmp_path / 'o'}"])
    assert WHY in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "path", ["row?layer=0&query=5", "column?layer=0&key=5", "received?layer=0", "layer/language/0"]
)
def test_routes_refuse_them_with_the_reason(run, path):
    with TestClient(Starlette(routes=routes({"ticket": run}.__getitem__))) as client:
        response = client.get(f"{PREFIX}/ticket/{path}")
    assert response.status_code == 404 and response.json()["error"] == WHY


def test_what_is_made_of_all_layers_is_made_of_those_with_maps(run, tmp_path):
    heads, keys = run.heads(), run.keys()
    rows = np.stack([run.row(layer, 5) for layer in WITH])
    assert len(run.rows(5)) == len(run.atlas(5)) == len(run.masses(5)) == len(run.score("entropy")) == 2
    np.testing.assert_allclose(run.reduced_row("mean", "mean", 5), rows.mean(axis=(0, 1)), atol=1e-6)
    assert run.row_scores("entropy", 5).shape == (2, heads) and rows.shape == (2, heads, keys)
    assert sorted(file.name for file in export(run, "dense", tmp_path / "dense").iterdir()) == [
        "layer_02.safetensors",
        "layer_05.safetensors",
    ]
    meta = json.loads((export(run, "bin", tmp_path / "bin") / "meta.json").read_text())
    assert meta["num_layers"] == 2 and meta["model_layers"] == WITH, "its files are counted from 0"
    assert export(run, "html", tmp_path / "whole.html", layers="0-5").exists(), "a range passes over them"
    with pytest.raises(NotInRun, match=r"Layer 3 .* has linear attention"):
        export(run, "html", tmp_path / "one.html", layers="2,3")
    with compare_runs([run.folder, run.folder], tmp_path / "both", ["a", "b"]) as both:
        assert both.info["layers"]["language"] == WITH and both.change("js_row", 0).shape == (2, heads)


def qwen3_5(layers, hidden, heads, kv_heads, **more):
    """Sizes of a language tower as a config.json of the Hub has them."""
    return {
        "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "head_dim": 256, "full_attention_interval": 4,
        "layer_types": ["full_attention" if i % 4 == 3 else "linear_attention" for i in range(layers)],
        "linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_key_head_dim": 128,
        "linear_value_head_dim": 128, "max_position_embeddings": 262144, "vocab_size": 248320,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000000, "partial_rotary_factor": 0.25,
                            "mrope_interleaved": True, "mrope_section": [11, 11, 10]},
        **more,
    }  # fmt: skip


VISION = {"depth": 27, "hidden_size": 1152, "num_heads": 16, "intermediate_size": 4304}
EXPERTS = {"num_experts": 256, "num_experts_per_tok": 8, "moe_intermediate_size": 512}
PUBLISHED = {
    "Qwen3.5-27B, Qwen3.6-27B": (
        Qwen3_5Config, qwen3_5(64, 5120, 24, 4, intermediate_size=17408, linear_num_value_heads=48), 64, 24, 4,
    ),
    "Qwen3.5-9B": (Qwen3_5Config, qwen3_5(32, 4096, 16, 4, intermediate_size=12288), 32, 16, 4),
    "Qwen3.5-35B-A3B, Qwen3.6-35B-A3B": (Qwen3_5MoeConfig, qwen3_5(40, 2048, 16, 2, **EXPERTS), 40, 16, 2),
}  # fmt: skip


@pytest.mark.parametrize("config, text, layers, heads, kv_heads", PUBLISHED.values(), ids=PUBLISHED)
def test_layers_of_published_models_are_read_from_the_config_alone(tmp_path, config, text, layers, heads, kv_heads):
    config(text_config=text, vision_config=VISION).save_pretrained(tmp_path)
    tower = describe(str(tmp_path))["towers"]["language"]
    assert tower["layer_indices"] == list(range(3, layers, 4)) and tower["convolution_layers"] == []
    assert sorted([*tower["layer_indices"], *tower["linear_layers"]]) == list(range(layers))
    assert (tower["heads"], tower["kv_heads"], tower["head_dim"]) == (heads, kv_heads, 256)


def test_a_forecast_counts_the_layers_with_maps_alone(run, folder):
    picture = Image.open(folder / "image_0.png")
    request = Request((picture,), "what is it?", str(folder.parent / "model"), answer="red", device="cpu", vision=True)
    expected = forecast(request)
    assert expected.tokens == run.keys() and run.info["bytes"] == pytest.approx(expected.bytes_on_disk, rel=0.1)
    config, text, layers, heads, kv_heads = PUBLISHED["Qwen3.5-27B, Qwen3.6-27B"]
    large = config(text_config=text, vision_config=VISION)
    asked = replace(request, vision=False)
    n, limits = expected.tokens, Limits(rows_bytes=0)
    needed = estimate(asked, find("qwen3_5"), large, expected.prepared, "", "cpu", limits, "bfloat16").bytes_on_disk
    assert needed == layers // 4 * (heads + kv_heads) * n * 256 * 2


def test_a_kind_of_layer_that_is_not_known_is_refused_by_name():
    text = Qwen3_5Config().text_config
    text.layer_types[1] = "mamba"
    with pytest.raises(UnsupportedModel, match=r"'mamba' among them: .* full_attention, .* linear_attention, conv"):
        language_tower(text)
    text.layer_types = ["full_attention", "conv", "linear_attention"]
    text.num_hidden_layers = 3
    kinds = {1: "convolution", 2: "linear"}
    assert language_tower(text) == TowerShape((0,), text.num_attention_heads, text.num_key_value_heads, 256, kinds)
    text.num_hidden_layers = 4
    with pytest.raises(UnsupportedModel, match="3 of 4"):
        language_tower(text)


def test_a_gate_acts_after_attention_so_that_rows_do_not_see_it(folder):
    loaded = models.load(str(folder.parent / "model"), "cpu")
    try:
        attention = loaded.model.model.language_model.layers[2].self_attn
        gates = attention.q_proj.weight.view(loaded.model.config.text_config.num_attention_heads, 2, 32, -1)[:, 1]
        with torch.no_grad():
            gates.zero_()
        request = Request((Image.open(folder / "image_0.png"),), "what is it?", answer="red", device="cpu")
        with extract(request, folder.parent / "gated", model=loaded) as run, open_run(folder) as before:
            assert np.array_equal(run.dense(2), before.dense(2)), "its own rows"
            assert not np.array_equal(run.dense(5), before.dense(5)), "what it gives on is another"
    finally:
        free()


def test_keys_that_an_indexer_leaves_out_are_not_read(tmp_path):
    """Each layer selects for itself, at most as many keys as its budget and those of a block that is not complete."""
    model = tiny_families.write("qwen4_exp", tmp_path / "model")
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (96, 128, 3), dtype=np.uint8))
    try:
        with extract(
            Request((picture,), "what is it?", str(model), answer="red", device="cpu"), tmp_path / "run"
        ) as run:
            text = read_config(str(model))[0].text_config
            read = {layer: (run.dense(layer) > 0).any(axis=0) for layer in run.layers()}
            most = text.indexer_budget + text.indexer_compress_ratio - 1
            for rows in read.values():
                assert rows.sum(axis=1).max() <= most < run.keys() and not np.triu(rows, 1).any()
            assert not np.array_equal(*read.values())
    finally:
        free()
