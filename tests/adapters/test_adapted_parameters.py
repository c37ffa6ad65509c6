"""LoRA on experts' parameters, and rows of an embedding: what PEFT computes, and the base again afterwards."""

import pytest
import tiny_families
import torch
from made_adapters import PREFIX, base_model, changed_adapter, read_adapter, saved_adapter, written_adapter
from peft import PeftModel
from peft.tuners.lora.layer import ParamWrapper

from adapters.attach import adapted, adapters_of
from adapters.base_modules import base_of, plain_modules, plain_tensors
from adapters.choosing import AdapterChoice
from adapters.files import read_folder
from adapters.inspection import inspect_adapter
from adapters.weight_change import weight_changes
from attention.errors import AdapterRefused

EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
KINDS = {
    "experts": {"target_parameters": EXPERTS},
    "one of two": {"target_parameters": EXPERTS[1:], "target_modules": ["q_proj"]},
    "by rank": {"target_parameters": EXPERTS, "rank_pattern": {"gate_up_proj": 2}, "alpha_pattern": {"down_proj": 3}},
    "by pattern": {
        "target_parameters": EXPERTS,
        "rank_pattern": {r".*\.gate_up_proj": 8},
        "alpha_pattern": {r".*\.down_proj": 3},
    },
    "of one layer": {"target_parameters": ["layers.1.mlp.experts.gate_up_proj"], "use_rslora": True},
    "rows": {"trainable_token_indices": [3, 40, 7]},
    "rows by name": {"trainable_token_indices": {"embed_tokens": [5, 2]}},
}


@pytest.fixture(scope="module")
def base_folder(tmp_path_factory):
    return str(tiny_families.write("qwen3_vl_moe", tmp_path_factory.mktemp("moe") / "model"))


@torch.no_grad()
def logits(model, inputs):
    return model(**inputs, use_cache=False).logits


def state(model):
    return {
        f"{path}.{name}": tensor.clone()
        for path, module in plain_modules(model)
        for name, tensor in plain_tensors(module)
    }


def saved(folder, place, kind):
    """An adapter of PEFT's; rows that it trains are moved, as `saved_adapter` moves LoRA's weights."""
    adapter = saved_adapter(folder, place.with_name(f"{place.name} of PEFT"), **KINDS[kind])
    return changed_adapter(
        adapter, place, change=lambda key, tensor: tensor + 0.5 if "trainable_tokens" in key else tensor
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_does_what_peft_does_and_leaves_no_trace(kind, base_folder, loaded, inputs, tmp_path):
    adapter = saved(base_folder, tmp_path / "adapter", kind)
    oracle = PeftModel.from_pretrained(base_model(base_folder), adapter).eval()
    if "target_parameters" in KINDS[kind]:
        assert any(isinstance(module, ParamWrapper) for module in oracle.modules())
    expected, before, said = logits(oracle, inputs), state(loaded.model), logits(loaded.model, inputs)
    found = {}
    for scale in (0, 0.5, 1):
        with adapted(AdapterChoice(read_folder(adapter), scale))(loaded):
            found[scale] = logits(loaded.model, inputs)
    assert torch.equal(found[0], said)
    assert torch.allclose(found[1], expected, atol=1e-5) and not torch.allclose(found[1], said, atol=1e-3)
    assert ("rows" in kind) == torch.equal(found[0.5], found[1]) or "target_modules" not in KINDS[kind]
    after = state(loaded.model)
    assert before.keys() == after.keys() and all(torch.equal(after[name], before[name]) for name in before)
    assert torch.equal(logits(loaded.model, inputs), said)


def test_an_error_while_an_expert_computes_leaves_the_base(base_folder, loaded, inputs, tmp_path, monkeypatch):
    adapter = saved(base_folder, tmp_path / "adapter", "experts")
    before = state(loaded.model)
    experts = loaded.model.model.language_model.layers[1].mlp.experts
    monkeypatch.setattr(type(experts), "forward", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), adapted(AdapterChoice(read_folder(adapter)))(loaded):
        logits(loaded.model, inputs)
    after = state(loaded.model)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_several_with_other_parameters_are_on_one_base(base_folder, loaded, inputs, tmp_path):
    said, found = logits(loaded.model, inputs), {}
    for kind in ("experts", "of one layer", "rows"):
        choice = AdapterChoice(read_folder(saved(base_folder, tmp_path / kind, kind)))
        with adapted(choice)(loaded):
            found[kind] = logits(loaded.model, inputs)
        with adapted(choice)(loaded):
            assert torch.equal(logits(loaded.model, inputs), found[kind])
    assert torch.equal(logits(loaded.model, inputs), said)
    for name in adapters_of(loaded).names():
        adapters_of(loaded).detach(name)
    assert torch.equal(logits(loaded.model, inputs), said) and set(state(loaded.model)) == set(
        loaded.model.state_dict()
    )


def test_how_far_parameters_and_rows_move_is_measured(base_folder, loaded, tmp_path):
    own = dict(loaded.model.named_parameters())
    for kind in ("by rank", "rows"):
        adapter = saved(base_folder, tmp_path / kind, kind)
        files = read_folder(adapter)
        oracle = PeftModel.from_pretrained(base_model(base_folder), adapter).merge_and_unload()
        changes = weight_changes(inspect_adapter(files, base_of(base_folder)), read_adapter(adapter)[1], loaded.model)
        moved = [each for each in changes if each.kind in ("parameter", "rows")]
        assert len(moved) == (6 if kind == "by rank" else 1)
        merged = dict(oracle.named_parameters())
        for each in moved:
            name = each.name if each.kind == "parameter" else f"{each.name}.weight"
            assert each.frobenius == pytest.approx((merged[name] - own[name]).norm().item(), rel=1e-4)


def test_what_is_no_linear_module_any_more_is_refused_with_the_way_out(base_folder, tmp_path):
    layer = "model.language_model.layers.0.mlp"
    for name, shape, words in (
        (f"{layer}.gate", (4, 48), "router.* transformers 5"),
        (f"{layer}.experts.1.up_proj", (32, 48), "each expert.* transformers 5"),
    ):
        with pytest.raises(AdapterRefused, match=words) as refusal:
            inspect_adapter(read_folder(written_adapter(tmp_path / name, {name: shape})), base_of(base_folder))
        assert name in str(refusal.value) and "merge_and_unload" in str(refusal.value)


def test_what_does_not_fit_is_refused(base_folder, tmp_path):
    good, rows = saved(base_folder, tmp_path / "good", "experts"), saved(base_folder, tmp_path / "rows", "rows")
    experts = "model.language_model.layers.0.mlp.experts"
    for source, changes, words in (
        (
            good,
            {"config": {"rank_pattern": {"gate_up_proj": 2}}},
            "has rank 4 for .*experts.gate_up_proj, but its config says 2",
        ),
        (good, {"config": {"target_parameters": EXPERTS[:1]}}, "matrices for parameters of .* targets gate_up_proj"),
        (good, {"drop": lambda key: f"{experts}.lora_A" in key}, "3 matrices for parameters"),
        (good, {"change": lambda key, each: each[:8, :8] if "experts" in key else each}, "another size"),
        (good, {"config": {"use_dora": True}}, "target_parameters together with DoRA"),
        (rows, {"config": {"trainable_token_indices": [3, 40]}}, "is 3 x 48, and"),
        (rows, {"config": {"trainable_token_indices": [3, 3, 40]}}, "different tokens"),
        (rows, {"config": {"trainable_token_indices": [3, 4, 10_000]}}, "trained the token 10,000"),
        (rows, {"config": {"trainable_token_indices": None}}, "names no tokens"),
        (rows, {"drop": lambda key: "trainable_tokens" in key}, "rows of .*embed_tokens were trained .* has none"),
        (
            rows,
            {
                "drop": lambda key: "trainable_tokens" in key,
                "config": {"trainable_token_indices": {"embed_tokens": [3]}},
            },
            "rows of embed_tokens were trained .* has none",
        ),
        (
            rows,
            {"add": {f"{PREFIX}model.language_model.embed_tokens.weight": torch.ones(270, 48)}},
            "two weights|besides",
        ),
    ):
        with pytest.raises(AdapterRefused, match=words):
            inspect_adapter(read_folder(changed_adapter(source, tmp_path / "broken", **changes)), base_of(base_folder))
