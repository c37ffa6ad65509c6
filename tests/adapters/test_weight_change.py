"""Norms of what an adapter changes, against the changes themselves as PEFT makes them."""

import json
import warnings

import pytest
import tiny_families
import torch
from made_adapters import base_model, changed_adapter, saved_adapter
from peft import PeftModel

from adapters.base_modules import base_of
from adapters.files import read_folder, read_tensors
from adapters.inspection import inspect_adapter
from adapters.weight_change import differing_copies, weight_changes

LANGUAGE = "model.language_model.layers"
LORA = {
    "attention": {"target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"]},
    "mlp": {"target_modules": ["gate_proj", "up_proj", "down_proj"], "r": 8},
    "vision": {"target_modules": ["qkv", "attn.proj", "linear_fc1", "linear_fc2"]},
    "rank-stabilised": {"use_rslora": True, "r": 6},
    "ranks by name": {"rank_pattern": {"v_proj": 2, r"layers\.1\..*q_proj": 7}, "alpha_pattern": {"q_proj": 3}},
    "embedding and head": {"target_modules": ["embed_tokens", "lm_head"]},
    "convolution": {"target_modules": ["patch_embed.proj"]},
    "more than the rank": {"target_modules": ["attn.proj"], "r": 32},
    "negative": {"lora_alpha": -5},
    "bfloat16": {"dtype": torch.bfloat16},
}
DORA = {"use_dora": True, "target_modules": ["q_proj", "qkv", "down_proj", "embed_tokens", "patch_embed.proj"]}


def loaded(model_folder, folder):
    """PEFT's model, and our changes of the same adapter, worked out on a base of its own and on PEFT's model."""
    files = read_folder(folder)
    card, tensors = inspect_adapter(files, base_of(str(model_folder))), read_tensors(files)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = PeftModel.from_pretrained(base_model(model_folder), folder)
    changes = weight_changes(card, tensors, base_model(model_folder))
    assert weight_changes(card, tensors, model) == changes == weight_changes(card, tensors, model.get_base_model())
    return model, {change.name: change for change in changes}


def entropy_rank(matrix):
    values = torch.linalg.svdvals(matrix)
    shares = values / values.sum()
    return torch.exp(-(shares * shares.clamp_min(1e-30).log()).sum()).item()


@pytest.mark.sample(5)
@pytest.mark.parametrize("kind", LORA)
def test_norms_are_those_of_pefts_change(kind, tiny_folder, tmp_path):
    model, changes = loaded(tiny_folder, saved_adapter(tiny_folder, tmp_path / "adapter", **LORA[kind]))
    assert changes
    for name, change in changes.items():
        layer = model.base_model.model.get_submodule(name)
        delta = layer.get_delta_weight("default").detach().double().flatten(1)
        weight = layer.get_base_layer().weight.detach().double()
        assert change.frobenius == pytest.approx(delta.norm().item(), rel=1e-5)
        assert change.spectral == pytest.approx(torch.linalg.matrix_norm(delta, 2).item(), rel=1e-5)
        assert change.relative == pytest.approx((delta.norm() / weight.norm()).item(), rel=1e-5)
        assert change.effective_rank == pytest.approx(entropy_rank(delta), rel=1e-4)
        assert change.dora_frobenius is None and change.magnitude is None and not change.note
        assert change.kind in ("linear", "embedding", "conv") and f"change {change.frobenius:.4g}" in change.line()


def test_heads_are_their_rows_of_the_change(tiny_folder, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "adapter", target_modules=["q_proj", "k_proj", "o_proj", "qkv"])
    model, changes = loaded(tiny_folder, folder)
    for part, heads in (("q_proj", 4), ("k_proj", 2)):
        name = f"{LANGUAGE}.1.self_attn.{part}"
        delta = model.base_model.model.get_submodule(name).get_delta_weight("default").detach()
        expected = delta.reshape(heads, 16, -1).flatten(1).norm(dim=1).tolist()
        assert changes[name].heads == pytest.approx(expected, rel=1e-5)
    assert changes[f"{LANGUAGE}.1.self_attn.o_proj"].heads is None
    assert changes["model.visual.blocks.0.attn.qkv"].heads is None


def test_dora_counts_the_magnitudes_as_well(tiny_folder, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "dora", **DORA)
    model, changes = loaded(tiny_folder, folder)
    plain = dict(base_model(tiny_folder).named_modules())
    deltas = {name: model.base_model.model.get_submodule(name).get_delta_weight("default") for name in changes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about tied weights
        merged = dict(model.merge_and_unload().named_modules())
    assert {change.kind for change in changes.values()} == {"linear", "embedding", "conv"}
    for name, change in changes.items():
        before, after = plain[name].weight.detach(), merged[name].weight.detach()
        sides = (0,) if change.kind == "embedding" else tuple(range(1, before.dim()))
        rows, moved = (torch.linalg.vector_norm(weight, dim=sides) for weight in (before, after))
        assert change.dora_frobenius == pytest.approx((after - before).norm().item(), rel=1e-4)
        assert change.dora_relative == pytest.approx(((after - before).norm() / before.norm()).item(), rel=1e-4)
        assert change.magnitude == pytest.approx(((moved - rows).norm() / rows.norm()).item(), rel=1e-4)
        assert change.frobenius == pytest.approx(deltas[name].norm().item(), rel=1e-5)
        assert "B A is not all" in change.note and "rows' norms moved" in change.line()


def test_replaced_modules_are_compared_with_the_bases(tiny_folder, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "adapter", modules_to_save=["visual.merger", "lm_head"])
    model, changes = loaded(tiny_folder, folder)
    for name, tower in (("model.visual.merger", "connector"), ("lm_head", "language")):
        wrapper = model.base_model.model.get_submodule(name)
        old, new = (
            torch.cat([parameter.detach().flatten() for parameter in module.parameters()])
            for module in (wrapper.original_module, wrapper.modules_to_save["default"])
        )
        change = changes[name]
        assert (change.kind, change.tower, change.spectral) == ("replaced", tower, None)
        assert change.frobenius == pytest.approx((new - old).norm().item(), rel=1e-5)
        assert change.relative == pytest.approx(((new - old).norm() / old.norm()).item(), rel=1e-5)


def test_what_is_not_counted_is_said(tiny_folder, tmp_path):
    _, changes = loaded(tiny_folder, saved_adapter(tiny_folder, tmp_path / "bias", lora_bias=True))
    assert all("bias" in change.note and change.frobenius for change in changes.values())
    folder = saved_adapter(tiny_folder, tmp_path / "elsewhere", modules_to_save=["lm_head"])
    files = read_folder(folder)
    card, model = inspect_adapter(files, base_of(tiny_folder)), base_model(tiny_folder).to("meta")
    *added, replaced = weight_changes(card, read_tensors(files), model)
    assert all(change.relative is None and change.frobenius > 0 and change.note for change in added)
    assert replaced.frobenius is None and replaced.note in replaced.line()


def test_an_adapter_that_changes_nothing_changes_nothing(tiny_folder, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "adapter")
    zero = changed_adapter(folder, tmp_path / "zero", change=lambda key, it: it * 0 if "lora_B" in key else it)
    _, changes = loaded(tiny_folder, zero)
    assert all(c.frobenius == c.relative == c.spectral == c.effective_rank == 0 for c in changes.values())
    json.dumps([change.to_dict() for change in changes.values()])


def test_a_copy_of_other_base_weights_is_noticed(tiny_folder, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "same", target_modules=["embed_tokens", "q_proj"])
    other = changed_adapter(folder, tmp_path / "other", change=lambda key, it: it + (1 if "base_layer" in key else 0))
    for path, differing in ((folder, []), (other, ["model.language_model.embed_tokens"])):
        files = read_folder(path)
        card = inspect_adapter(files, base_of(tiny_folder))
        assert list(card.copies.values()) == ["model.language_model.embed_tokens"]
        assert differing_copies(card, read_tensors(files), base_model(tiny_folder)) == differing


@pytest.mark.sample(3)
@pytest.mark.parametrize("model_type", ["llava", "mllama", "gemma3", "qwen2_5_vl", "internvl"])
def test_other_families_are_measured_alike(model_type, tmp_path):
    folder = tiny_families.write(model_type, tmp_path / "model")
    model, changes = loaded(folder, saved_adapter(folder, tmp_path / "adapter", target_modules="all-linear"))
    for name, change in changes.items():
        delta = model.base_model.model.get_submodule(name).get_delta_weight("default")
        assert change.frobenius == pytest.approx(delta.norm().item(), rel=1e-5)
    assert {"language", "vision"} <= {change.tower for change in changes.values()}
