"""Gemma 4 where it is unlike other families: budgets of tokens, padding, masks by layer, keys that layers share."""

import ast
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import tiny_families
import torch
from pictures import noise
from safetensors.numpy import load_file
from tiny_families.gemma4 import LAYERS

from attention import Request, extract
from attention.capture.forecast import forecast
from attention.capture.recorder import Capture, TowerPlan
from attention.errors import CaptureError, LimitExceeded
from attention.limits import Limits
from attention.models import kept
from attention.models import loading as models


@pytest.fixture(scope="module", params=["gemma4", "gemma4_unified"])
def folder(request, tmp_path_factory):
    yield tiny_families.write(request.param, tmp_path_factory.mktemp(request.param) / "model")
    kept.free()


def asked(folder, *pictures, **fields):
    return Request(pictures, "what is it?", str(folder), device="cpu", **fields)


def chat(n):
    return [{"role": "user", "content": [*[{"type": "image"}] * n, {"type": "text", "text": "what is it?"}]}]


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    request = asked(folder, noise((300, 120)), noise((90, 200)), answer="red", vision=True)
    with extract(request, tmp_path_factory.mktemp("run") / "run") as run:
        yield run


def test_layers_read_in_order_within_their_window_and_those_that_do_see_a_picture_both_ways(run):
    """Gemma 4 itself does so in sliding layers, within the window; without a vision tower all layers do, beyond it."""
    n, window = run.keys(), 24
    is_unified = run.info["model"]["family"] == "Gemma 4 Unified"
    role = np.array([token["role"] == "image" for token in run.info["tokens"]])
    starts = np.cumsum(role & ~np.roll(role, 1))
    q, k = np.indices((n, n))
    same_picture = role[q] & role[k] & (starts[q] == starts[k])
    for layer, kind in enumerate(LAYERS):
        order = (k <= q) & (q - k < (window if kind == "sliding" else n))
        inside = ((q - k < window) & (kind == "sliding") & same_picture) if not is_unified else same_picture
        seen, expected = (run.dense(layer) > 0).any(axis=0), order | inside
        assert not (seen & ~expected).any() and seen[expected].mean() > 0.9, layer


def test_layers_have_sizes_of_their_own_and_share_keys(run, folder):
    layers = run.info["towers"]["language"]["layers"]
    sizes = {"sliding": (2, 8), "full": (1, 16)}
    assert [(layer["kv_heads"], layer["head_dim"]) for layer in layers] == [sizes[kind] for kind in LAYERS]
    keys = [load_file(run.layer_file(layer))["key"] for layer in range(len(LAYERS))]
    assert np.array_equal(keys[3], keys[2])
    assert np.array_equal(keys[4], keys[1]) and np.array_equal(keys[5], keys[1])
    cost = forecast(asked(folder, noise((300, 120)), noise((90, 200)), answer="red", vision=True), Limits())
    files = [load_file(run.layer_file(layer, tower)) for tower in run.towers() for layer in run.layers(tower)]
    kept_bytes = sum(file[name].nbytes for file in files for name in ("query", "key", "attention") if name in file)
    assert cost.bytes_on_disk == kept_bytes


def test_padding_of_the_vision_tower_is_no_key(run):
    patches = [grid["rows"] * grid["cols"] for grid in run.info["grids"] if grid["tower"] == "vision"]
    if not patches:
        assert set(run.towers()) == {"language"}
        return
    assert run.keys("vision") == run.queries("vision") == sum(patches) < 2 * 630
    assert None not in run.info["towers"]["vision"]["keys"]
    for layer in run.layers("vision"):
        rows = run.dense(layer, "vision")
        assert np.abs(rows[:, : patches[0], : patches[0]].sum(axis=-1) - 1).max() < 1e-5
        assert not rows[:, : patches[0], patches[0] :].any() and not rows[:, patches[0] :, : patches[0]].any()


def test_padding_that_is_read_is_refused(tmp_path):
    module = torch.nn.Identity()
    module.is_causal = False
    query, key = torch.randn(1, 2, 6, 8), torch.randn(1, 2, 6, 8)
    mask = torch.ones(1, 1, 6, 6, dtype=torch.bool)
    mask[..., 5] = False  # of two keys of padding one
    for given in (mask, None):
        plan = TowerPlan({0: ("attn", module)}, 4, has_blocks=True, lengths=[4])
        with pytest.raises(CaptureError, match="reads the padding"), Capture(tmp_path, {"vision": plan}) as capture:
            capture.take(module, query, key, key, given, {})


def test_a_picture_has_the_largest_budget_that_keeps_it_within_what_is_asked(folder):
    loaded = models.load(str(folder), "cpu")
    processor, family = loaded.processor, loaded.family
    own = processor.image_processor.max_soft_tokens
    processor.image_processor.max_soft_tokens = 280
    try:
        pictures = [noise((300, 120)), noise((90, 200))]
        counts = {}
        for limit, budget in ((None, 280), (280, 280), (140, 140), (139, 140), (99, 70)):
            inputs = family.prepare(processor, chat(2), pictures, limit)
            options = {"max_soft_tokens": budget}
            text = processor.apply_chat_template(chat(2), add_generation_prompt=True, tokenize=False)
            stock = processor(
                text=[text],
                images=pictures,
                return_tensors="pt",
                text_kwargs={"add_special_tokens": False},
                images_kwargs=options,
            )
            counts[budget] = [sum(cell is not None and cell[0] == i for cell in inputs.cells) for i in (0, 1)]
            assert inputs.ids == stock["input_ids"][0].tolist()
            assert torch.equal(inputs.tensors["pixel_values"], stock["pixel_values"])
        assert max(counts[280]) > 140 > max(counts[140]) > 70 > max(counts[70])
        with pytest.raises(LimitExceeded, match=rf"in {max(counts[70])} tokens at least"):
            family.prepare(processor, chat(2), pictures, 20)
    finally:
        processor.image_processor.max_soft_tokens = own


def test_a_token_without_a_vision_tower_is_the_patch_that_the_stock_processor_would_merge(tmp_path):
    """The stock file needs torchvision to be imported: its two functions of tensors are taken from its source."""
    source = Path(importlib.util.find_spec("transformers.models.gemma4_unified").origin).parent
    tree = ast.parse((source / "image_processing_gemma4_unified.py").read_text(encoding="utf-8"))
    names = {"convert_image_to_patches", "patches_merge"}
    tree.body = [part for part in tree.body if isinstance(part, ast.FunctionDef) and part.name in names]
    stock = {"torch": torch, "math": math}
    exec(compile(tree, "stock", "exec"), stock)
    loaded = models.load(str(tiny_families.write("gemma4_unified", tmp_path / "model")), "cpu")
    side = loaded.processor.image_processor.patch_size
    width, height = 10 * 3 * side, 7 * 3 * side
    picture = noise((width, height))  # as large as its budget: nothing is resized
    inputs = loaded.family.prepare(loaded.processor, chat(1), [picture], None)
    pixels = torch.from_numpy(np.asarray(picture, np.float64) / 255).permute(2, 0, 1).float()
    patches = stock["convert_image_to_patches"](pixels, side)
    places = torch.stack(torch.meshgrid(torch.arange(30), torch.arange(21), indexing="xy"), dim=-1).reshape(-1, 2)
    merged, where = stock["patches_merge"](patches[None], places[None], 70)
    assert torch.allclose(inputs.tensors["pixel_values"][0], merged[0], atol=1e-6)
    assert torch.equal(inputs.tensors["image_position_ids"][0], where[0])
    kept.free()


def test_a_small_model_that_reads_pictures_in_order_is_causal_everywhere(tmp_path, folder):
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] |= {"use_bidirectional_attention": None, "sliding_window": 512}
    before = (folder / "config.json").read_text()
    (folder / "config.json").write_text(json.dumps(config))
    try:
        with extract(asked(folder, noise((300, 120))), tmp_path / "run") as run:
            assert not (run.folder / "masks.safetensors").exists()
            assert all(not np.triu(run.dense(layer).max(axis=0), 1).any() for layer in run.layers())
    finally:
        (folder / "config.json").write_text(before)
        kept.free()


def test_a_thought_is_told_from_an_answer(folder):
    loaded = models.load(str(folder), "cpu")
    tokenizer = loaded.processor.tokenizer
    inputs = loaded.family.prepare(loaded.processor, chat(0), [], None)
    said = tokenizer("<|channel>thought\nhm<channel|>red", add_special_tokens=False)["input_ids"]
    roles = loaded.family.extend(loaded.processor, inputs, said).roles[len(inputs.ids) :]
    assert roles == ["special", *["thinking"] * len("thought\nhm"), "special", *["answer"] * 3]
