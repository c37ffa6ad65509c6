"""The two parts of a change: by a layer's own weights on the base's inputs, and by what enters it."""

import numpy as np
import pytest
import tiny_families
import torch
from made_adapters import changed_adapter, saved_adapter, written_adapter
from peft import PeftModel
from pictures import noise
from transformers import AutoModelForImageTextToText

from adapters.choosing import choose
from adapters.comparing import compare
from attention.capture.extraction import Extraction
from attention.comparisons.comparison import Comparison
from attention.comparisons.other_models import ModelChoice
from attention.errors import NotInRun
from attention.measures.differences import total_variation
from attention.models import loading as models
from attention.models.kept import INFERENCE, free
from attention.request import Request
from attention.runs.partial import PartialRun

PROMPT = "what color is the star?"
SIZE = (96, 64)


def parts_of(model, adapter, folder, measure="tv_row", **fields):
    """Total, direct and inherited change of a comparison with one adapter, by tower: [3, layers, heads, rows]."""
    request = Request(noise(SIZE), PROMPT, str(model), device="cpu", **{"answer": "red star"} | fields)
    with compare(request, choose([str(adapter)], str(model)), folder, parts=True) as found:
        assert found.info["parts"] == ["adapter_1"]
        return {
            tower: np.stack([found.table(measure, tower, part)[0] for part in (None, "direct", "inherited")])
            for tower in found.base.towers()
        }


def linear_of(model, path):
    """The linear modules below a module: {name: (out, in)}."""
    inside = model.get_submodule(path).named_modules()
    return {
        f"{path}.{name}": (module.out_features, module.in_features)
        for name, module in inside
        if isinstance(module, torch.nn.Linear)
    }


def attending(folder):
    """The attention modules of a model in a folder by tower: [(layer, name)], and the model."""
    with INFERENCE:
        loaded = models.load(str(folder), device="cpu")
    names = {id(module): name for name, module in loaded.model.named_modules()}
    found = loaded.family.attention_modules(loaded.model)
    return {tower: [(layer, names[id(each)]) for layer, each in by.items()] for tower, by in found.items()}, loaded


def check_one_layer(parts, tower, at):
    """That an adapter on the layer `at` of a tower changes it directly, and what comes after it by inheritance."""
    total, direct, inherited = parts[tower]
    others = np.arange(len(total)) != at
    assert direct[at].max() > 1e-4
    assert not direct[others].any()
    assert not inherited[: at + 1].any()
    assert np.array_equal(total[at], direct[at], equal_nan=True)
    assert np.array_equal(total[at + 1 :], inherited[at + 1 :], equal_nan=True)


FAMILIES = [
    pytest.param(name, marks=pytest.mark.sample(2) if name in tiny_families.KINDS else pytest.mark.full)
    for name in tiny_families.all_types()
]


@pytest.mark.parametrize("model_type", FAMILIES)
def test_an_adapter_on_one_layer_is_direct_there_alone_and_inherited_after_it(model_type, tmp_path):
    """For an attention layer of each tower of each family, to the bit."""
    folder = tiny_families.write(model_type, tmp_path / "model")
    towers, loaded = attending(folder)
    chosen = [(tower, layers) for tower, layers in towers.items() if layers]
    for tower, layers in chosen:
        at = min(1, len(layers) - 1)
        modules = linear_of(loaded.model, layers[at][1])
        adapter = written_adapter(tmp_path / tower, modules, target_modules=sorted(modules))
        parts = parts_of(folder, adapter, tmp_path / f"of_{tower}")
        check_one_layer(parts, tower, at)
    free()


@pytest.mark.full
def test_keys_that_later_layers_share_are_those_of_the_pass(tmp_path):
    """An adapter on the layer whose keys and values others read changes none of these directly (Gemma 4)."""
    folder = tiny_families.write("gemma4", tmp_path / "model")
    towers, loaded = attending(folder)
    kept = [
        at
        for at, (_, name) in enumerate(towers["language"])
        if not getattr(loaded.model.get_submodule(name), "is_kv_shared_layer", True)
    ]
    assert len(kept) < len(towers["language"])
    for at in kept[-2:]:
        modules = linear_of(loaded.model, towers["language"][at][1])
        adapter = written_adapter(tmp_path / f"adapter_{at}", modules, target_modules=sorted(modules))
        check_one_layer(parts_of(folder, adapter, tmp_path / f"compared_{at}"), "language", at)
    free()


NOTHING = {
    "without a change": ({"target_modules": ["q_proj", "k_proj"]}, lambda key, it: it * 0 if "lora_B" in key else it),
    "behind attention": ({"target_modules": ["gate_proj", "up_proj", "down_proj"]}, None),
}
KINDS = {
    "dora": {"target_modules": ["q_proj", "o_proj"], "use_dora": True},
    "patterns": {"target_modules": ["q_proj", "k_proj"], "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"k_proj": 1}},
    "vision": {"target_modules": ["qkv", "proj"]},
    "norms": {"target_modules": ["v_proj"], "modules_to_save": ["input_layernorm"]},
    "whole projections": {"target_modules": ["v_proj"], "modules_to_save": ["k_proj"]},
}


@pytest.mark.parametrize("which", NOTHING)
def test_what_leaves_queries_and_keys_alone_changes_nothing_directly(which, tiny_folder, tmp_path):
    """An adapter whose B is zero has exactly 0 in every part; one behind the attention has no direct part."""
    config, change = NOTHING[which]
    adapter = saved_adapter(tiny_folder, tmp_path / "adapter", **config)
    if change:
        adapter = changed_adapter(adapter, tmp_path / "changed", change=change)
    parts = parts_of(tiny_folder, adapter, tmp_path / "compared")
    total, direct, inherited = parts["language"]
    assert not direct.any()
    assert np.array_equal(total, inherited)
    assert total.any() == (change is None)


def plain_model(folder, adapter=None):
    """Transformers' own model with eager attention, with PEFT's adapter on it."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    return model if adapter is None else PeftModel.from_pretrained(model, adapter).eval()


def layers_of(model):
    return (model.get_base_model() if isinstance(model, PeftModel) else model).model.language_model.layers


@torch.no_grad()
def entering(model, tensors):
    """Inputs of each language layer in a pass, before its norm: [(hidden states, other arguments)]."""
    given = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, args, kwargs: given.append((args, kwargs)), with_kwargs=True)
        for layer in layers_of(model)
    ]
    model(**tensors, use_cache=False)
    for hook in hooks:
        hook.remove()
    return [(args[0] if args else kwargs.pop("hidden_states"), kwargs) for args, kwargs in given]


@torch.no_grad()
def rows_by_hand(model, at, given):
    """Rows of a layer's own norm and attention on what it is given: float32 [heads, queries, keys]."""
    layer, (hidden, kwargs) = layers_of(model)[at], given
    return layer.self_attn(layer.input_layernorm(hidden), **kwargs)[1][0].numpy()


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.sample(1)) for kind in KINDS])
def test_both_parts_are_those_of_the_plain_models(kind, tiny_folder, tmp_path):
    """Against transformers and PEFT alone: each layer called by hand, with eager attention, on the other's inputs."""
    adapter = saved_adapter(tiny_folder, tmp_path / "adapter", 3, **KINDS[kind])
    parts = parts_of(tiny_folder, adapter, tmp_path / "compared")["language"]
    request = Request(noise(SIZE), PROMPT, tiny_folder, device="cpu", answer="red star")
    with Extraction(request, PartialRun.create(tmp_path / "inputs")) as extraction:
        inputs = extraction.loaded.family.extend(
            extraction.loaded.processor, extraction.prepared.inputs, extraction.answer()
        )
    with Comparison(tmp_path / "compared") as found:
        queries = found.queries()
    base, adapted = plain_model(tiny_folder), plain_model(tiny_folder, adapter)
    ours, theirs = (entering(model, inputs.tensors) for model in (base, adapted))
    for at in range(parts.shape[1]):
        rows = rows_by_hand(base, at, ours[at])
        for part, model, given in ((0, adapted, theirs), (1, adapted, ours), (2, base, theirs)):
            expected = total_variation(rows, rows_by_hand(model, at, given[at]))[:, queries]
            assert np.allclose(parts[part, at], expected, atol=1e-4)  # a sharpened model: what kernels round differs
    assert parts[2].max() > 1e-3
    assert (parts[1].max() > 1e-3) == (kind != "vision")


def test_a_comparison_that_was_not_asked_for_them_has_none(tiny_folder, tmp_path):
    """Whoever asks is told how to; a whole model has none, and its table no numbers."""
    adapter = saved_adapter(tiny_folder, tmp_path / "adapter")
    request = Request(noise(SIZE), PROMPT, tiny_folder, device="cpu", vision=False)
    choices = [*choose([str(adapter)], tiny_folder), ModelChoice(tiny_folder, "bfloat16")]
    with compare(request, choices[:1], tmp_path / "without") as found:
        assert found.parts() == []
        with pytest.raises(NotInRun, match="--parts"):
            found.change("tv_row", 0, part="direct")
    with compare(request, choices, tmp_path / "with", parts=True) as found:
        assert found.parts() == ["adapter_1"]
        assert np.isnan(found.change("tv_row", 1, part="inherited")).all()
        assert not np.isnan(found.change("tv_row", 0, part="direct")).any()
        with pytest.raises(NotInRun, match="no part 'both'"):
            found.change("tv_row", 0, part="both")
