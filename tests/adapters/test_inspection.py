"""Adapters that people have are accepted, with what they touch; what PEFT would attach wrongly is refused by name."""

import dataclasses
import json
import random
import warnings
from types import SimpleNamespace

import pytest
import tiny_families
import torch
from made_adapters import (
    PREFIX,
    base_model,
    changed_adapter,
    read_adapter,
    saved_adapter,
    written_adapter,
)
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming, rename_source_key

from adapters import lora_config
from adapters.base_modules import base_of, base_of_model
from adapters.files import AdapterFiles, TensorRecord, read_folder
from adapters.inspection import AdapterLimits, inspect_adapter
from adapters.older_names import LAYOUTS
from attention import families
from attention.errors import AdapterNeedsRenaming, AdapterRefused, AttentionError, UnsupportedModel
from attention.pocket.tokenizer import build_tokenizer

LAYERS = "model.language_model.layers"
Q0 = f"{LAYERS}.0.self_attn.q_proj"
KINDS = {
    "list": {},
    "all-linear": {"target_modules": "all-linear"},
    "pattern": {"target_modules": r".*language_model.*\.(q|k)_proj"},
    "vision": {"target_modules": ["qkv", "attn.proj", "linear_fc1"]},
    "full names": {"target_modules": [Q0, "model.visual.blocks.1.attn.qkv"]},
    "rank and alpha by name": {
        "rank_pattern": {"v_proj": 2, r"layers\.[12]\.self_attn\.q_proj": 6, "q_proj": 3},
        "alpha_pattern": {f"^{LAYERS}.0.*q_proj": 3, "v_proj": 1.5},
    },
    "rank-stabilised": {"use_rslora": True},
    "DoRA": {"use_dora": True, "target_modules": ["q_proj", "qkv", "embed_tokens", "patch_embed.proj"]},
    "excluded names": {"exclude_modules": ["layers.0.self_attn.q_proj"]},
    "excluded pattern": {"exclude_modules": r".*layers\.0\..*"},
    "layers": {"layers_to_transform": [0, 2]},
    "one layer of a list": {"layers_to_transform": 1, "layers_pattern": "layers", "target_modules": ["mlp.up_proj"]},
    "modules to save": {"modules_to_save": ["visual.merger", "embed_tokens"]},
    "norms to save": {"modules_to_save": ["norm"]},
    "bias of B": {"lora_bias": True, "target_modules": ["qkv", "q_proj"]},
    "embedding and head": {"target_modules": ["embed_tokens", "lm_head"]},
    "tied": {"target_modules": ["embed_tokens", "q_proj"], "ensure_weight_tying": True},
    "tied and saved": {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
    "convolution": {"target_modules": ["patch_embed.proj"]},
    "bfloat16": {"dtype": torch.bfloat16},
    "initialised otherwise": {"init_lora_weights": "orthogonal"},
}

WORDS = len(build_tokenizer())  # of the tiny model's vocabulary


@pytest.fixture(scope="module")
def base(tiny_folder):
    return base_of(tiny_folder)


@pytest.fixture(scope="module")
def good(tiny_folder, tmp_path_factory):
    """An adapter of PEFT's on both towers, which the broken ones are copies of."""
    return saved_adapter(tiny_folder, tmp_path_factory.mktemp("good"), target_modules=["q_proj", "qkv"])


def load_with_peft(model_folder, folder):
    """PEFT's own loading of a folder: the model, and what it found missing and unexpected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = PeftModel.from_pretrained(base_model(model_folder), folder, adapter_name="first")
        return model, model.load_adapter(folder, "first")  # once more, for what it says


def check(folder, base, **options):
    return inspect_adapter(read_folder(folder), base, **options)


# What people have


@pytest.mark.sample(12)
@pytest.mark.parametrize("kind", KINDS)
def test_what_peft_saves_is_accepted_and_is_what_peft_loads(kind, tiny_folder, base, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "adapter", **KINDS[kind])
    card = check(folder, base)
    model, result = load_with_peft(tiny_folder, folder)
    assert not result.missing_keys and not result.unexpected_keys and not card.missing
    layers = {name.removeprefix(PREFIX): layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    assert {module.name for module in card.modules} == set(layers)
    for module in card.modules:
        layer = layers[module.name]
        assert (module.rank, module.alpha) == (layer.r["first"], layer.lora_alpha["first"])
        assert module.scaling == pytest.approx(layer.scaling["first"], rel=1e-12)
    replaced = {
        name.removeprefix(PREFIX) for name, module in model.named_modules() if hasattr(module, "original_module")
    }
    assert set(card.replaces) == replaced
    _, tensors = read_adapter(folder)
    assert set(card.keys) | set(card.copies) == set(tensors) and card.unmatched_keys == tuple(card.copies)
    assert card.parameters == sum(tensor.numel() for key, tensor in tensors.items() if key in card.keys)


def test_a_card_says_what_is_touched(tiny_folder, base, tmp_path):
    config = {"target_modules": ["q_proj", "qkv", "merger.linear_fc1"], "rank_pattern": {"qkv": 2}, "use_rslora": True}
    card = check(saved_adapter(tiny_folder, tmp_path / "mine", modules_to_save=["lm_head"], **config), base)
    assert card.towers == {"language": 3, "vision": 2, "connector": 1}
    assert card.layers == {"language": (0, 1, 2), "vision": (0, 1)}
    assert card.parts == {"q_proj": 3, "qkv": 2, "linear_fc1": 1}
    assert (card.rank, card.alpha) == ((2, 4), (8, 8)) and card.scaling == pytest.approx((4, 8 / 2**0.5))
    assert card.replaces == ("lm_head",) and card.keys[f"{PREFIX}lm_head.weight"] == ("lm_head", "replaces.weight")
    assert card.keys[f"{PREFIX}{Q0}.lora_B.weight"] == (Q0, "lora_B")
    assert json.loads(json.dumps(card.to_dict()))["modules"][0]["tower"] in ("language", "vision", "connector")
    words = "\n".join(card.lines())
    for part in (
        "rank 2 to 4",
        "rank-stabilised",
        "language 3 (layers 0-2)",
        "replaces lm_head",
        f"trained on {tiny_folder}",
    ):
        assert part in words


def test_an_adapter_written_by_hand_is_accepted(base, tmp_path):
    folder = written_adapter(tmp_path / "hand", {Q0: (64, 48), f"{LAYERS}.2.self_attn.q_proj": (64, 48)})
    card = check(folder, base)
    assert [module.layer for module in card.modules] == [0, 2]
    assert card.missing == (f"{LAYERS}.1.self_attn.q_proj",)
    assert any(
        f"{LAYERS}.1.self_attn.q_proj" in warning and "stay as in the base" in warning for warning in card.warnings
    )


def test_the_adapters_name_may_stand_in_the_keys(tiny_folder, base, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "plain", use_dora=True, target_modules=["q_proj", "embed_tokens"])
    ends = {".weight": ".default.weight", "_A": "_A.default", "_B": "_B.default", "_vector": "_vector.default.weight"}

    def named(key):
        end = next((end for end in ends if key.endswith(end)), None)
        return key if end is None or "lora_" not in key else key.removesuffix(end) + ends[end]

    infixed = changed_adapter(folder, tmp_path / "named", rename=named)
    one, other = check(folder, base), check(infixed, base)
    assert any(".lora_A.default.weight" in key for key in other.keys)
    assert one.modules == other.modules and {named(key): use for key, use in one.keys.items()} == other.keys


@pytest.mark.parametrize("model_type", tiny_families.of_each_kind())
def test_every_family_says_where_its_modules_are(model_type, tmp_path):
    folder = tiny_families.write(model_type, tmp_path / "model")
    base = base_of(str(folder))
    model = base_model(folder)
    assert dataclasses.replace(base_of_model(base.id, model)) == base
    assert {name for name, _ in model.named_modules()} == set(base.modules) | {""}
    assert set(model.state_dict()) == set(base.tensors)
    adapter = saved_adapter(folder, tmp_path / "adapter", target_modules="all-linear", modules_to_save=["lm_head"])
    card = check(adapter, base)
    _, result = load_with_peft(folder, adapter)
    misplaced = {key for key in result.missing_keys if model_type != "inkling2" or "sconv.weight_proj" not in key}
    assert not misplaced and not card.warnings  # PEFT renames some of its own keys of Inkling 2 as it loads them
    assert len(result.unexpected_keys) == len(result.missing_keys) - len(misplaced)
    towers = families.of_config(model.config).towers(model.config)
    assert {tower: set(layers) for tower, layers in card.layers.items()} == {
        tower: {*shape.layers, *shape.others} for tower, shape in towers.items()
    }
    assert all(module.tower == "connector" for module in card.modules if "merger" in module.name)
    (head,) = (name for name in base.modules if name.endswith("lm_head"))
    assert base.modules[head].tower == base.modules[base.embedding].tower == "language"


def test_names_are_those_without_adapters(tiny_folder, base):
    config = LoraConfig(
        target_modules=["q_proj", "embed_tokens", "patch_embed.proj"], modules_to_save=["visual.merger"]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about tied weights
        wrapped = get_peft_model(base_model(tiny_folder), config)
    assert base_of_model(tiny_folder, wrapped) == base == base_of_model(tiny_folder, wrapped.get_base_model())


def test_a_config_that_no_model_can_be_built_from_is_said_in_words(tmp_path):
    config = {"model_type": "qwen3_vl", "text_config": {"hidden_act": "nonsense"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedModel, match="cannot be built"):
        base_of(str(tmp_path))


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda key: key.replace(PREFIX, f"{PREFIX}_orig_mod."),
        lambda key: key.replace("language_model.", "_fsdp_wrapped_module.language_model."),
        lambda key: key.replace(".self_attn", "._checkpoint_wrapped_module.self_attn").replace(
            "visual", "_orig_mod.visual"
        ),
        lambda key: key.replace(PREFIX, PREFIX * 2),
        lambda key: key.replace(PREFIX, f"{PREFIX}module._orig_mod."),
    ],
)
def test_names_of_a_wrapped_model_are_read_once_that_is_confirmed(wrapped, good, base, tmp_path):
    folder = changed_adapter(good, tmp_path / "wrapped", rename=wrapped)
    with pytest.raises(AdapterNeedsRenaming, match="as a wrapped model does"):
        check(folder, base)
    card, wanted = check(folder, base, rename=True), check(good, base)
    assert card.modules == wanted.modules and card.renames
    assert card.keys == {wrapped(key): use for key, use in wanted.keys.items()}


# Older layouts

OLD_LLAVA = {
    "lm_head": "language_model.lm_head",
    "model.language_model.": "language_model.model.",
    "model.vision_tower.": "vision_tower.vision_model.",
    "model.multi_modal_projector": "multi_modal_projector",
}
OLD_QWEN = {"model.language_model.": "model.", "model.visual.": "visual."}


def as_before(key, names):
    """A key under the names that modules had then."""
    name = key.removeprefix(PREFIX)
    now = next((now for now in names if name.startswith(now)), None)
    return key if now is None else PREFIX + names[now] + name.removeprefix(now)


@pytest.mark.parametrize(
    ("model_type", "names", "words"),
    [
        ("qwen2_vl", OLD_QWEN, "model.layers is now model.language_model.layers"),
        ("qwen2_5_vl", OLD_QWEN, "visual is now model.visual"),
        ("llava", OLD_LLAVA, "vision_tower.vision_model is now model.vision_tower"),
        ("gemma3", {"model.vision_tower.": "model.vision_tower.vision_model."}, "vision_tower.vision_model is now"),
        ("internvl", {**OLD_LLAVA, "model.vision_tower.": "vision_tower."}, "vision_tower is now model.vision_tower"),
    ],
)
def test_an_older_layout_is_read_once_it_is_confirmed(model_type, names, words, tmp_path):
    model = tiny_families.write(model_type, tmp_path / "model")
    base = base_of(str(model))
    targets = r".*(layers|layer|blocks)\.\d+\..*(q_proj|qkv|fc1|gate_proj)"
    now = saved_adapter(model, tmp_path / "now", target_modules=targets, modules_to_save=["lm_head"])
    then = changed_adapter(now, tmp_path / "then", rename=lambda key: as_before(key, names))
    assert set(read_adapter(then)[1]) != set(read_adapter(now)[1])
    with pytest.raises(AdapterNeedsRenaming, match=words) as refusal:
        check(then, base)
    assert "rename=True" in str(refusal.value) and refusal.value.renames
    card, wanted = check(then, base, rename=True), check(now, base)
    assert card.modules == wanted.modules and card.replaces == wanted.replaces and not card.missing
    assert {as_before(key, names): use for key, use in wanted.keys.items()} == card.keys
    assert card.renames == refusal.value.renames and not wanted.renames
    assert check(now, base, rename=True) == wanted


@pytest.mark.parametrize("model_type", LAYOUTS)
def test_older_names_are_those_that_transformers_renames(model_type, tmp_path):
    folder = tiny_families.write(model_type, tmp_path / "model")
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(folder))
    theirs = [rule for rule in get_model_conversion_mapping(model) if isinstance(rule, WeightRenaming)]
    for layout in LAYOUTS[model_type]:
        for name in base_of(str(folder)).tensors:
            then = layout.then(name)
            assert layout.now(then) == name == rename_source_key(then, theirs, [])[0]


# What is refused


def add(key, *shape, dtype=torch.float32):
    return {"add": {f"{PREFIX}{key}": torch.ones(shape, dtype=dtype)}}


def cut(part, *shape):
    """The same adapter, its weights of one kind in another shape."""
    return {"change": lambda key, tensor: torch.ones(shape) if part in key else tensor}


def config(**fields):
    return {"config": fields}


def other_names(key):
    return key.replace("model.language_model.layers", "model.transformer.h")


def more_layers(key):
    return key.replace("layers.2.", "layers.7.")


BROKEN = {
    "another architecture": (
        {"rename": other_names},
        [f"{PREFIX}model.transformer.h.0", "a module there is model.visual", "another kind"],
    ),
    "more layers": ({"rename": more_layers}, ["layers.7.self_attn.q_proj", f"only 3 of {LAYERS}", "more layers"]),
    "another width": (cut("q_proj.lora_A", 4, 64), ["4 x 64", "needs 4 x 48", "another size"]),
    "another height": (cut("q_proj.lora_B", 128, 4), ["128 x 4", "needs 64 x 4"]),
    "A is no matrix": (cut("q_proj.lora_A", 4), ["lora_A.weight is 4, and"]),
    "A is a number": (cut("q_proj.lora_A"), ["do not go together"]),
    "another rank in B": (cut("qkv.lora_B", 96, 3), ["do not go together", "rank 4", "and 3"]),
    "another rank in the config": (config(r=8), ["has rank 4 for", "says 8"]),
    "another rank by name": (config(rank_pattern={"q_proj": 2}), ["has rank 4 for", "says 2"]),
    "another rank by a pattern": (config(rank_pattern={r"layers\.\d\..*": 2}), ["has rank 4 for", "says 2"]),
    "A without B": ({"drop": lambda key: "layers.1" in key and "lora_B" in key}, ["lora_A", "but no lora_B"]),
    "B without A": ({"drop": lambda key: "layers.1" in key and "lora_A" in key}, ["lora_B", "but no lora_A"]),
    "AdaLoRA's weight": (add(f"{Q0}.lora_E", 4, 1), ["none of LoRA's", "lora_E"]),
    "a quantised weight's state": (add(f"{Q0}.lora_A.weight.absmax", 4), ["none of LoRA's", "absmax"]),
    "a magnitude that nobody asked for": (add(f"{Q0}.lora_magnitude_vector", 64), ["does not set use_dora"]),
    "DoRA without magnitudes": (config(use_dora=True), ["no magnitude for that module, for which use_dora asks"]),
    "a bias that nobody asked for": (add(f"{Q0}.lora_B.bias", 64), ["does not set lora_bias"]),
    "no bias that was promised": (config(lora_bias=True), ["no lora_B.bias", "lora_bias asks"]),
    "an embedding's weights on a linear module": (
        {"rename": lambda key: key.replace(".lora_A.weight", ".lora_embedding_A") if "qkv" in key else key},
        ["is of kind linear, which has no lora_embedding_A"],
    ),
    "weights on a norm": (
        {"rename": lambda key: key.replace(Q0, "model.language_model.norm")},
        ["no module that LoRA can be attached to"],
    ),
    "a copy of a weight that is not touched": (
        add("lm_head.base_layer.weight", WORDS, 48),
        ["lm_head.base_layer.weight", "over the base's own weight"],
    ),
    "two adapters in one file": (
        {**add(f"{Q0}.lora_A.one.weight", 4, 48), "rename": lambda key: key.replace("lora_B.", "lora_B.two.")},
        ["several adapters: one, two"],
    ),
    "one place twice": (add(f"{Q0}.lora_A.default.weight", 4, 48), ["two weights for the same place"]),
    "int8": ({"change": lambda key, tensor: tensor.to(torch.int8)}, ["I8", "quantised"]),
    "float8": ({"change": lambda key, tensor: tensor.to(torch.float8_e4m3fn)}, ["F8_E4M3", "quantised"]),
    "empty shards": (cut("q_proj.lora_B", 0), ["empty weight", "ZeRO-3"]),
    "no weights": ({"drop": lambda key: True}, ["no weights at all"]),
    "AdaLoRA": (config(peft_type="ADALORA"), ["peft_type is ADALORA", "Only LORA"]),
    "no peft_type": (config(peft_type=None), ["peft_type is null"]),
    **{
        f"initialised with {start}": (config(init_lora_weights=start), [start, "changes the base's weights"])
        for start in ("pissa", "pissa_niter_16", "PiSSA", "olora", "corda", "lora_ga")
    },
    "initialised with loftq": (config(init_lora_weights="loftq"), ["rounds the base's weights", "the merged folder"]),
    **{
        f"a kind that can be merged, {kind}": (config(peft_type=kind), [f"is {kind}. Only LORA", "merge_and_unload"])
        for kind in ("VERA", "IA3", "LOHA", "LOKR", "OFT", "BOFT", "HRA")
    },
    **{
        f"a kind that cannot, {kind}": (config(peft_type=kind), [f"is {kind}. Only LORA", "cannot merge this kind"])
        for kind in ("PROMPT_TUNING", "P_TUNING", "XLORA")
    },
    "an unknown initialisation": (config(init_lora_weights="nova"), ["unknown init_lora_weights, nova"]),
    "layer_replication": (config(layer_replication=[[0, 2], [1, 3]]), ["layer_replication", "repeats layers"]),
    "megatron": (config(megatron_config={"a": 1}), ["megatron_config"]),
    "aLoRA": (config(alora_invocation_tokens=[1]), ["alora_invocation_tokens", "certain tokens"]),
    "QALoRA": (config(use_qalora=True), ["use_qalora", "quantised"]),
    "KaSA": (config(kasa_config={"beta": 1}), ["kasa_config"]),
    "BD-LoRA": (config(use_bdlora={"nblocks": 2}), ["use_bdlora", "block-diagonal"]),
    "Arrow": (config(arrow_config={"top_k": 2}), ["arrow_config"]),
    "MonteCLoRA": (config(monteclora_config={"num_samples": 2}), ["monteclora_config"]),
    "VeLoRA": (config(velora_config={"scale": 1}), ["velora_config"]),
    "a rank that is none": (config(r="eight"), ["has r eight", "whole number"]),
    "an alpha that is none": (config(lora_alpha=float("nan")), ["lora_alpha NaN"]),
    "an alpha of 0": (config(lora_alpha=0), ["lora_alpha 0"]),
    "a huge alpha": (config(lora_alpha=10**400), ["lora_alpha 1000"]),
    "a bias that is none of PEFT's": (config(bias=None), ["bias null", "lora_only"]),
    "patterns that are null": (config(alpha_pattern=None), ["alpha_pattern null"]),
    "no targets": (config(target_modules=None), ["target_modules null"]),
    "a target that is not in the config": (config(target_modules=["q_proj"]), ["blocks.0.attn.qkv", "does not target"]),
    "an excluded target": (config(exclude_modules=["qkv"]), ["qkv", "does not target"]),
    "a layer that is not in the config": (config(layers_to_transform=[0, 1]), [f"{LAYERS}.2", "does not target"]),
    "layers beside a pattern": (config(target_modules=".*", layers_to_transform=[0]), ["beside a pattern"]),
    "whole parts of the model": (config(target_modules=".*"), ["targets", "has no matrix"]),
    "a norm": (config(target_modules=["q_proj", "qkv", "input_layernorm"]), ["input_layernorm", "has no matrix"]),
    "a pattern that is none": (config(target_modules="(q_proj"), ["no regular expression", "(q_proj"]),
    "a pattern as what to save": (config(modules_to_save=["(a+)+b"]), ["modules_to_save (a+)+b", "without signs"]),
    "a module to save without weights": (config(modules_to_save=["visual.merger"]), ["replaces model.visual.merger"]),
    "what is touched is replaced as well": (config(modules_to_save=["blocks.0"]), ["which it also replaces"]),
    "lora_bias and DoRA": (config(lora_bias=True, use_dora=True), ["which PEFT refuses"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_broken_is_refused_for_its_reason(kind, good, base, tmp_path):
    changes, words = BROKEN[kind]
    folder = changed_adapter(good, tmp_path / "broken", **changes)
    with pytest.raises(AdapterRefused) as refusal:
        check(folder, base)
    assert not isinstance(refusal.value, AdapterNeedsRenaming)
    for word in (str(folder), *words):
        assert word in str(refusal.value)
    assert str(refusal.value).endswith((".", ")"))


@pytest.mark.parametrize(
    ("part", "shape", "words"),
    [
        ("q_proj.lora_magnitude_vector", (48,), "needs 64"),
        ("patch_embed.proj.lora_magnitude_vector", (32,), "needs 1 x 32 x 1 x 1 x 1"),
        ("patch_embed.proj.lora_A", (4, 3 * 2 * 16 * 16), "needs 4 x 3 x 2 x 16 x 16"),
        ("patch_embed.proj.lora_B", (32, 4), "needs 32 x 4 x 1 x 1 x 1"),
        ("lora_embedding_A", (4, 48), f"needs 4 x {WORDS}"),
        ("lora_embedding_B", (WORDS, 4), "needs 48 x 4"),
        ("embed_tokens.lora_magnitude_vector", (WORDS,), "needs 48"),
    ],
)
def test_dora_convolutions_and_embeddings_have_shapes_of_their_own(part, shape, words, tiny_folder, base, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "whole", **KINDS["DoRA"])
    with pytest.raises(AdapterRefused, match=words):
        check(changed_adapter(folder, tmp_path / "cut", **cut(part, *shape)), base)


EXPLOSIVE = r"(\w+\.?)+(\w+\.?)+(\w+\.?)+(\w+\.?)+!"


@pytest.mark.parametrize(
    "fields",
    [{"target_modules": EXPLOSIVE}, {"exclude_modules": EXPLOSIVE}, {"rank_pattern": {EXPLOSIVE: 4}}],
    ids=lambda fields: next(iter(fields)),
)
def test_a_pattern_that_runs_for_ever_is_stopped(fields, good, base, tmp_path):
    folder = changed_adapter(good, tmp_path / "slow", config=fields)
    with pytest.raises(AdapterRefused, match=r"longer than 0\.5 s to match"):
        check(folder, base, limits=AdapterLimits(pattern_seconds=0.5))


def test_a_pattern_of_a_megabyte_is_not_tried(good, base, tmp_path):
    folder = changed_adapter(good, tmp_path / "long", config={"target_modules": "|".join(["q_proj"] * 5000)})
    with pytest.raises(AdapterRefused, match="34,999 characters"):
        check(folder, base)


def test_ones_own_machine_takes_what_it_can_hold_and_a_server_less(good, base, tmp_path, monkeypatch):
    tall = written_adapter(tmp_path / "tall", {Q0: (64, 48)}, rank=600)
    assert check(tall, base).rank == (600, 600)  # PEFT computes it, too
    with pytest.raises(AdapterRefused, match=r"has rank 600 for .* the limit here is 512"):
        check(tall, base, limits=AdapterLimits.hosted())
    large = dataclasses.replace(read_folder(good), size_bytes=5 << 30)
    for free, is_taken in ((6 << 30, True), (3 << 30, False)):
        monkeypatch.setattr("psutil.virtual_memory", lambda free=free: SimpleNamespace(available=free))
        if is_taken:
            assert inspect_adapter(large, base).size_bytes == 5 << 30
        else:
            with pytest.raises(AdapterRefused, match=r"5\.4 GB large, and 3\.2 GB of memory are free"):
                inspect_adapter(large, base)
    with pytest.raises(AdapterRefused, match=r"5\.4 GB large; the limit here is 1\.1 GB"):
        inspect_adapter(large, base, limits=AdapterLimits.hosted())
    # ranks that only a header speaks of cost nothing
    header = {f"{PREFIX}{Q0}.lora_A.weight": TensorRecord("F32", (10**9, 48))}
    header[f"{PREFIX}{Q0}.lora_B.weight"] = TensorRecord("F32", (64, 10**9))
    huge = AdapterFiles("huge", {"peft_type": "LORA", "r": 10**9, "target_modules": ["q_proj"]}, header, 1000)
    with pytest.raises(AdapterRefused, match="rank 1,000,000,000"):
        inspect_adapter(huge, base, limits=AdapterLimits.hosted())


def test_another_vocabulary_is_said_as_such(tiny_folder, base, tmp_path):
    for name, settings in (
        ("target", {"target_modules": ["embed_tokens"]}),
        ("save", {"modules_to_save": ["lm_head"]}),
    ):
        folder = saved_adapter(tiny_folder, tmp_path / name, **settings)
        larger = changed_adapter(
            folder,
            tmp_path / f"{name}-larger",
            change=lambda _, it: torch.ones(800, 48) if it.shape == (WORDS, 48) else it,
        )
        with pytest.raises(AdapterRefused, match=rf"vocabulary of 800 tokens .* has {WORDS}"):
            check(larger, base)


def test_a_head_that_would_be_tied_to_nothing_is_refused(tiny_folder, base, tmp_path):
    tied = saved_adapter(tiny_folder, tmp_path / "tied", target_modules=["embed_tokens"], ensure_weight_tying=True)
    alone = changed_adapter(tied, tmp_path / "alone", drop=lambda key: "lm_head" in key)
    with pytest.raises(AdapterRefused, match=r"ties lm_head to model\.language_model\.embed_tokens"):
        check(alone, base)


def test_an_unheard_of_key_cannot_pass_as_a_module_of_the_same_name(base, good, tmp_path):
    for name in (f"{Q0}.weight.lora_A.weight", "lora_A.weight", f"{Q0}..lora_A.weight", f"{Q0}.lora_A", "lm_head"):
        with pytest.raises(AdapterRefused):
            check(changed_adapter(good, tmp_path / "odd", **add(name, 4, 48)), base)


# What is accepted with a word about it


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nonsense": 1, "other": None}, ["(nonsense)", "no effect"]),
        ({"peft_version": "99.1.0"}, ["written by PEFT 99.1.0"]),
        ({"fan_in_fan_out": True}, ["fan_in_fan_out"]),
        ({"base_model_name_or_path": "Qwen/Qwen3-VL-2B-Instruct"}, ["trained on Qwen/Qwen3-VL-2B-Instruct, not on"]),
        ({"base_model_name_or_path": "/data/models/Qwen2-VL-7B-Instruct"}, ["Qwen2-VL-7B-Instruct, not on"]),
        ({"auto_mapping": {"base_model_class": "LlavaForConditionalGeneration"}}, ["a LlavaForConditionalGeneration"]),
        ({"modules_to_save": ["classifier", "score"]}, ["classifier, score in modules_to_save"]),
        ({"alpha_pattern": {"0.self_attn.q_proj": 4, "q_proj": 16}}, [f"alpha_pattern stand for {Q0}. PEFT sorts"]),
        ({"target_modules": ["q_proj", "qkv", "o_proj"]}, ["targets 3 modules that it has no weights for"]),
    ],
)
def test_what_is_odd_is_warned_of(fields, words, good, base, tmp_path):
    folder = changed_adapter(good, tmp_path / "odd", config=fields)
    model = dataclasses.replace(base, id="Qwen/Qwen3-VL-4B-Instruct")
    card, plain = check(folder, model), check(good, model)
    (said,) = set(card.warnings) - set(plain.warnings)
    assert all(word in said for word in words) and any(said in line for line in card.lines())
    assert [module.name for module in card.modules] == [module.name for module in plain.modules]


@pytest.mark.parametrize(
    "named",
    [
        None,
        "",
        "/home/me/output/checkpoint-500",
        "./merged",
        r"C:\models\Qwen3-VL-4B-Instruct",
        "unsloth/Qwen3-VL-4B-Instruct-unsloth-bnb-4bit",
        "/home/me/.cache/huggingface/hub/models--Qwen--Qwen3-VL-4B-Instruct/snapshots/0123456789abcdef",
    ],
)
def test_a_base_that_may_be_the_same_is_not_warned_of(named, good, base, tmp_path):
    folder = changed_adapter(good, tmp_path / "local", config={"base_model_name_or_path": named})
    assert check(folder, dataclasses.replace(base, id="Qwen/Qwen3-VL-4B-Instruct")).warnings == ()


def test_fields_that_matter_in_training_only_are_passed_over(good, base, tmp_path):
    fields = {"lora_dropout": 0.1, "task_type": "CAUSAL_LM", "revision": "main", "loftq_config": {}, "eva_config": None}
    assert check(changed_adapter(good, tmp_path / "trained", config=fields), base).warnings == ()


def test_what_is_shown_of_a_file_cannot_write_to_the_terminal(good, base, tmp_path):
    odd = "/tmp/\x1b[2Jname\u202e-7B"
    card = check(changed_adapter(good, tmp_path / "odd", config={"base_model_name_or_path": odd}), base)
    assert all(line.isprintable() for line in card.lines())


# For good


def test_every_field_of_pefts_config_has_been_decided():
    fields = {field.name for field in dataclasses.fields(LoraConfig)}
    groups = (lora_config.READ, lora_config.PASSED_OVER, set(lora_config.REFUSED))
    assert set().union(*groups) == fields and sum(map(len, groups)) == len(fields)
    variants = {field.name for field in dataclasses.fields(LoraConfig) if field.metadata.get("is_lora_variant")}
    assert variants - {"use_dora"} <= set(lora_config.REFUSED)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("task_type", "None", "must be null, CAUSAL_LM"),
        ("task_type", ["CAUSAL_LM"], "must be null, CAUSAL_LM"),
        *((name, [None], "must be an object or null") for name in lora_config.RECORDS[:3]),
        *((name, "", "must be an object or null") for name in lora_config.RECORDS),
    ],
)
def test_what_pefts_config_cannot_be_made_of_is_refused_by_its_field(good, base, tmp_path, field, value, words):
    folder = changed_adapter(good, tmp_path / "changed", config={field: value})
    with pytest.raises((TypeError, ValueError)):
        PeftConfig.from_pretrained(folder)
    with pytest.raises(AdapterRefused, match=f"has {field} .*{words}"):
        inspect_adapter(read_folder(folder), base)


def test_parameters_that_the_base_does_not_have_go_with_a_bias_of_b(tiny_folder, base, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "biased", lora_bias=True)
    folder = changed_adapter(folder, tmp_path / "changed", config={"target_parameters": ["experts.gate_up_proj"]})
    assert inspect_adapter(read_folder(folder), base).has_bias


VALUES = (
    *(None, True, False, 0, -1, 1, 3, 2**70, 1.5, float("inf"), "", "q_proj", "all-linear", "[", ".*", "\ud800"),
    *([], [1], [None], ["q_proj"], {}, {"q_proj": 4}, {"[": 4}, {"a": None}, [[]], {"": 1}, ["", "."], "LORA", "none"),
)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_but_a_refusal_comes_of_odd_files(seed, good, base):
    """Fields of the config and records of the header changed at random."""
    chance = random.Random(seed)
    files = read_folder(good)
    names = sorted(lora_config.READ | lora_config.PASSED_OVER | set(lora_config.REFUSED))
    parts = [
        "lora_A",
        "lora_B",
        "lora_embedding_A",
        "weight",
        "bias",
        "base_layer",
        "0",
        "99",
        "",
        Q0,
        "lm_head",
        "a b",
    ]
    accepted = 0
    for _ in range(120):
        config, header = dict(files.config), dict(files.header)
        for _ in range(chance.choice([0, 0, 1, 1, 2])):
            config[chance.choice([*names, "unheard_of"])] = chance.choice(VALUES)
        for _ in range(chance.choice([0, 1, 2])):
            key = chance.choice(list(header)) if header else "x"
            record = header.pop(key, TensorRecord("F32", (1,)))
            words = key.split(".")
            words[chance.randrange(len(words))] = chance.choice(parts)
            shape = tuple(chance.choice([0, 1, 4, 48, 64, 10**12]) for _ in range(chance.randrange(4)))
            header[chance.choice([key, ".".join(words)])] = chance.choice(
                [record, dataclasses.replace(record, shape=shape), TensorRecord(chance.choice(["I8", "BF16"]), (4, 48))]
            )
        try:
            card = inspect_adapter(dataclasses.replace(files, config=config, header=header), base)
        except AttentionError as error:
            assert str(error).startswith(files.id)
        else:
            accepted += 1
            json.dumps(card.to_dict())
            assert all(line.isprintable() for line in card.lines())
    assert accepted
