"""No weight is drawn at random in silence: what a checkpoint lacks refuses it by name, what it has besides is said."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_families
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from attention import Request, extract
from attention.capture.forecast import forecast
from attention.commands.main import main
from attention.environment import POCKET
from attention.errors import AttentionError, ModelUnavailable, UnsupportedModel
from attention.models import loading as models
from attention.models.config import describe
from attention.models.kept import free
from attention.verify.checks import verify

Q_PROJ = "model.language_model.layers.3.self_attn.q_proj.weight"
GERMAN = str(POCKET / "adapters" / "german")
PICTURE, PROMPT = "assets/examples/shapes.png", "what color is the star?"


@pytest.fixture(autouse=True)
def _no_model_stays():
    yield
    free()


@pytest.fixture
def pocket_with(tmp_path) -> Callable:
    """Write a copy of the bundled model whose weights are what a function makes of the good ones; return its path."""

    def write(change=lambda weights: weights, **config) -> str:
        folder = tmp_path / "model"
        shutil.copytree(POCKET, folder, ignore=shutil.ignore_patterns("adapters"))
        save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors", {"format": "pt"})
        if config:
            record = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps(record | config))
        return str(folder)

    return write


def ask(folder) -> Request:
    return Request(PICTURE, PROMPT, folder, device="cpu")


def without(*parts):
    return lambda weights: {name: w for name, w in weights.items() if not any(part in name for part in parts)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without(Q_PROJ), f"1 weight that .* random: {Q_PROJ}"),
        (without(".language_model.layers.4."), r"11 weights that .* and 8 more"),
        (without("visual.blocks.1.attn.qkv.bias"), "visual.blocks.1.attn.qkv.bias"),
        (without("visual.merger.linear_fc1.weight"), "visual.merger.linear_fc1.weight"),
        (without("embed_tokens"), "embed_tokens"),
        (lambda weights: {f"module.{name}": w for name, w in weights.items()}, r"prefix 'module\.'"),
        (
            lambda weights: {
                f"base_model.model.{name.replace('q_proj.', 'q_proj.base_layer.')}": w for name, w in weights.items()
            },
            r"prefix 'base_model\.model\.' \(a PEFT",
        ),
        (lambda weights: {f"_orig_mod.{name}": w for name, w in weights.items()}, r"prefix '_orig_mod\.'"),
        (lambda weights: {name.replace("q_proj", "q_proj.base_layer"): w for name, w in weights.items()}, "An adapter"),
        (
            lambda weights: {**weights, Q_PROJ: weights[Q_PROJ][:-8].clone()},
            f"1 weight .* another shape .*{Q_PROJ} for one: .* in the file",
        ),
    ],
)
def test_weights_that_would_be_random_refuse_the_model_by_name(pocket_with, change, words):
    with pytest.raises(ModelUnavailable, match=words):
        models.load(pocket_with(change), "cpu")


def test_neither_a_run_nor_a_check_is_made_of_an_incomplete_model(pocket_with, tmp_path, capsys):
    folder = pocket_with(without(Q_PROJ))
    with pytest.raises(ModelUnavailable, match=Q_PROJ):
        extract(Request(PICTURE, PROMPT, folder), tmp_path / "run")
    with pytest.raises(ModelUnavailable, match=Q_PROJ):
        verify(folder)
    flags = ["--image", PICTURE, "--prompt", PROMPT, "--model", folder, "--output-dir", str(tmp_path / "run")]
    for command in (["extract", *flags], ["verify", "--model", folder], ["compare", *flags, "--adapter", GERMAN]):
        assert main(command) != 0
        assert Q_PROJ in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_weights_without_a_place_are_left_out_and_said(pocket_with, tmp_path, capsys):
    folder = pocket_with(lambda weights: {**weights, "v_head.summary.weight": torch.ones(1, 96)})
    flags = ["--image", PICTURE, "--prompt", PROMPT, "--model", folder, "--output-dir", str(tmp_path / "run")]
    assert main(["extract", *flags]) == 0
    assert "v_head.summary.weight" in capsys.readouterr().err
    (note,) = json.loads((tmp_path / "run" / "run.json").read_text())["notes"]
    assert note == (
        "1 weight of the model's files has no place in this architecture and was left out: v_head.summary.weight."
    )


@pytest.mark.parametrize("model_type", tiny_families.of_each_kind())
def test_in_every_family_both_towers_must_be_whole_and_what_is_tied_may_be_missing(model_type, tmp_path):
    folder = tiny_families.write(model_type, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    vision = [name for name in weights if "vis" in name and "att" in name]
    language = [name for name in weights if any(part in name for part in ("down_proj", "feed_forward.w2", ".w2"))]
    for lost in (*vision[:1], language[-1]):  # Gemma 4 Unified has no vision tower
        save_file(without(lost)(weights), folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(ModelUnavailable, match=r"1 weight that .* would be random"):
            models.load(str(folder), "cpu")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert models.load(str(folder), "cpu", "bfloat16").notes == ()


def sharded(folder):
    """Write the weights of a folder as two files with an index."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {name: f"model-{1 + i % 2:05}-of-00002.safetensors" for i, name in enumerate(weights)}
    for file in set(places.values()):
        save_file({name: weights[name] for name in places if places[name] == file}, folder / file, {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def test_a_shard_that_is_another_is_named(pocket_with, tmp_path):
    folder = pocket_with()
    sharded(tmp_path / "model")
    first, second = sorted((tmp_path / "model").glob("model-*.safetensors"))
    shutil.copyfile(first, second)
    with pytest.raises(
        ModelUnavailable, match=f"would be random: .*{second.name} lacks weights that .*index.json says"
    ):
        models.load(folder, "cpu")


@pytest.mark.parametrize("damage", ["gone", "empty", "cut"])
def test_a_shard_that_is_not_whole_is_named_before_anything_is_loaded(pocket_with, tmp_path, damage):
    folder = pocket_with()
    sharded(tmp_path / "model")
    assert models.load(folder, "cpu").notes == ()
    free()
    shard = tmp_path / "model" / "model-00002-of-00002.safetensors"
    content = shard.read_bytes()
    shard.unlink()
    if damage != "gone":
        shard.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(ModelUnavailable, match=rf"{shard.name}.*Download or copy"):
        forecast(Request(PICTURE, PROMPT, folder))


def write_text(name, text="{}"):
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (write_text("adapter_config.json"), "holds an adapter"),
        (write_text("pytorch_model.bin"), r"a pickle \(pytorch_model.bin\)"),
        (write_text("trainer_state.json"), "a training checkpoint"),
        (lambda folder: (folder / "global_step500").mkdir(), "a training checkpoint"),
        (write_text("model-Q4_K_M.gguf"), "GGUF"),
        (write_text("model-00001-of-00002.safetensors"), r"neither .* it has model-00001-of-00002\.safetensors"),
        (write_text("model.safetensors", "version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
        (lambda folder: None, "no safetensors weights"),
        (write_text("model.safetensors.index.json"), "no safetensors weights"),
    ],
)
def test_a_folder_without_a_models_weights_is_called_what_it_is(pocket_with, tmp_path, change, words):
    folder = pocket_with()
    (tmp_path / "model" / "model.safetensors").unlink()
    change(tmp_path / "model")
    with pytest.raises(ModelUnavailable, match=words):
        models.load(folder, "cpu")


QUANTISED = [
    ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
    ({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}, "gptqmodel"),
    ({"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False}, "optimum"),
    ({"quant_method": "compressed-tensors", "config_groups": {}}, "compressed"),
    ({"quant_method": "somebody's own"}, "somebody's own"),
]


@pytest.mark.parametrize(("quantisation", "package"), QUANTISED)
def test_a_quantised_base_names_what_it_needs_before_a_weight_is_loaded(pocket_with, tmp_path, quantisation, package):
    pocket_with(quantization_config=quantisation)
    folder = (tmp_path / "model").rename(tmp_path / "Qwen3-VL-2B-Instruct-bnb-4bit")
    words = rf"is quantised \(.*{package}.*not quantised, Qwen3-VL-2B-Instruct for one"
    with pytest.raises(ModelUnavailable, match=words):
        forecast(Request(PICTURE, PROMPT, str(folder)))
    with pytest.raises(ModelUnavailable, match=words):
        models.load(str(folder), "cpu")


def in_8_bits(dtype, scale):
    """Layers' weights in 8 bits as numbers times a scale, which lies beside them under a name of its own."""

    def change(weights):
        packed = dict(weights)
        for name, weight in weights.items():
            if ".language_model.layers." in name and name.endswith("proj.weight"):
                step = weight.abs().max() / 100
                packed[name] = (weight / step).round().to(dtype)
                packed[f"{name.removesuffix('weight')}{scale}"] = step.reshape(1, 1).float()
        return packed

    return change


FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": ["lm_head", "visual"]}
SCALES = "weight_scale_inv"


@pytest.mark.parametrize("lost", [f"layers.3.self_attn.q_proj.{SCALES}", SCALES], ids=["one scale", "all scales"])
def test_a_quantised_weight_without_its_scale_is_refused_by_name(pocket_with, lost):
    """transformers reads the bare numbers in silence."""
    packed = in_8_bits(torch.float8_e4m3fn, SCALES)
    folder = pocket_with(lambda weights: without(lost)(packed(weights)), quantization_config=FP8)
    words = rf"without the scales .*: model\.language_model\.layers\.{'3' if lost != SCALES else '0'}\."
    with pytest.raises(ModelUnavailable, match=words):
        forecast(Request(PICTURE, PROMPT, folder))
    with pytest.raises(ModelUnavailable, match=words):
        models.load(folder, "cpu")


def test_a_quantised_model_that_is_whole_gives_what_plain_transformers_does(pocket_with):
    folder = pocket_with(in_8_bits(torch.float8_e4m3fn, SCALES), quantization_config=FP8)
    plain = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).state_dict()
    ours = models.load(folder, "cpu").model.state_dict()
    assert all(torch.equal(ours[name], weight) for name, weight in plain.items())


@pytest.mark.parametrize(("dtype", "scale"), [(torch.float8_e4m3fn, SCALES), (torch.int8, "SCB")])
def test_quantised_weights_whose_config_does_not_say_so_are_refused(pocket_with, dtype, scale):
    folder = pocket_with(in_8_bits(dtype, scale))
    with pytest.raises(ModelUnavailable, match=rf"with {scale} beside it.* no quantization_config"):
        models.load(folder, "cpu")


def test_weights_that_are_only_stored_in_8_bits_are_numbers_and_run(pocket_with):
    def cast(weights):
        return {name: w.to(torch.float8_e4m3fn) if w.dim() > 1 else w for name, w in weights.items()}

    folder = pocket_with(cast)
    assert models.load(folder, "cpu").notes == ()


def test_a_file_that_is_not_loaded_may_be_broken(pocket_with, tmp_path):
    folder = pocket_with()
    (tmp_path / "model" / "another.safetensors").write_bytes(b"cut")
    assert models.load(folder, "cpu").notes == ()


def test_a_field_of_the_config_that_transformers_does_not_name_is_named(pocket_with, tmp_path):
    folder = pocket_with(dtype=7)
    with pytest.raises(ModelUnavailable, match="has dtype 7"):
        forecast(Request(PICTURE, PROMPT, folder))
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["text_config"]["model_type"] = {"a": 1}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailable, match=r"text_config\.model_type \{'a': 1\}, which must be a text"):
        models.load(folder, "cpu")


def with_field(folder, field, value):
    """Set a field of a folder's config.json, by its name with its part's."""
    file = Path(folder) / "config.json"
    config = json.loads(file.read_text())
    part, _, name = field.rpartition(".")
    (config[part] if part else config)[name] = value
    file.write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("text_config.num_hidden_layers", value) for value in (10**9, 10**12, 0, -1)),
        *(("text_config.hidden_size", value) for value in (10**9, -1)),
        *(("text_config.vocab_size", value) for value in (10**12, -1)),
        *((f"text_config.num_{kind}_heads", value) for kind in ("attention", "key_value") for value in (0, -1, 10**9)),
        ("text_config.intermediate_size", 10**9),
        ("vision_config.depth", 10**9),
        ("vision_config.num_heads", 0),
        ("vision_config.num_position_embeddings", -3),
    ],
)
@pytest.mark.parametrize("read", [describe, models.load, lambda folder: forecast(ask(folder))])
def test_an_absurd_number_of_the_config_is_refused_by_its_field(pocket_with, field, value, read):
    folder = with_field(pocket_with(), field, value)
    with pytest.raises(ModelUnavailable, match=f"{field} {value}, which must be from [01] to "):
        read(folder)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("text_config.num_hidden_layers", 900, r"num_hidden_layers 900, and its files have weights of 5 layers"),
        ("vision_config.depth", 1000, r"vision_config\.depth 1,000, and its files have weights of 5 layers"),
        ("text_config.hidden_size", 10**6, r"embed_tokens\.weight for one would be 740 x 1000000"),
        ("vision_config.patch_size", 10**4, r"patch_embed\.proj\.weight for one would be .* 10000 x 10000"),
    ],
)
def test_a_config_of_a_far_larger_model_is_refused_before_it_is_built(pocket_with, monkeypatch, field, value, words):
    folder = with_field(pocket_with(), field, value)
    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", lambda *_, **__: pytest.fail("built"))
    with pytest.raises(ModelUnavailable, match=words):
        models.load(folder, "cpu")


@pytest.mark.parametrize("model_type", tiny_families.of_each_kind())
def test_in_every_family_a_config_of_fewer_layers_than_the_weights_is_refused(model_type, tmp_path):
    folder = tiny_families.write(model_type, tmp_path / "model")
    good = json.loads((folder / "config.json").read_text())
    for part in ("text_config", "vision_config"):
        config = json.loads(json.dumps(good))
        name = "num_hidden_layers" if "num_hidden_layers" in config[part] else "depth"
        if name not in config[part]:
            assert model_type in ("gemma4_unified", "inkling_mm_model"), "which have no vision tower that attends"
            continue
        count = config[part][name] = config[part][name] - 1
        of_layers = {name: kinds[:-1] for name, kinds in config[part].items() if name.endswith("_types")}
        config[part].update({name: kinds for name, kinds in of_layers.items() if len(kinds) == count})
        (folder / "config.json").write_text(json.dumps(config))
        words = rf"are {count} layers .*{part}\.{name}.*have {count + 1}: .* cut off"
        if (model_type, part) == ("gemma4", "text_config"):
            words = "another shape .*embed_tokens_per_layer"  # which is as wide as the model is deep
        with pytest.raises(ModelUnavailable, match=words):
            models.load(str(folder), "cpu")


def test_a_list_of_which_the_config_leaves_no_layer_is_cut_off_too(tmp_path):
    folder = with_field(tiny_families.write("janus", tmp_path / "model"), "vision_config.depth", 1)
    with pytest.raises(
        ModelUnavailable, match=r"model\.aligner\.hidden_layers are 0 layers, and its files have 1: .* cut"
    ):
        models.load(str(folder), "cpu")


@pytest.mark.parametrize(
    ("name", "further"),
    [
        ("mtp.layers.0.mlp.down_proj.weight", None),
        ("model.language_model.layers.5.eh_proj.weight", 1),
        ("visual_aligner.layers.7.weight", None),
    ],
)
def test_layers_that_predict_further_tokens_are_only_left_out(pocket_with, name, further):
    folder = pocket_with(lambda weights: {**weights, name: torch.ones(2, 2)})
    with_field(folder, "text_config.num_nextn_predict_layers", further)
    (note,) = models.load(folder, "cpu").notes
    assert name in note
    free()
    if further:
        with_field(folder, "text_config.num_nextn_predict_layers", 0)
        with pytest.raises(ModelUnavailable, match="cut off"):
            models.load(folder, "cpu")


@pytest.mark.parametrize(
    ("file", "words"), [("tokenizer.json", "no tokenizer"), ("preprocessor_config.json", "no preprocessor_config.json")]
)
def test_a_missing_file_of_the_processor_is_named(pocket_with, tmp_path, file, words):
    folder = pocket_with()
    (tmp_path / "model" / file).unlink()
    with pytest.raises(ModelUnavailable, match=words):
        forecast(Request((), PROMPT, folder))


def test_a_family_that_does_not_fit_is_said_as_such(tmp_path):
    folder = tiny_families.write("qwen2_5_vl", tmp_path / "model")
    with pytest.raises(UnsupportedModel, match=r"is a Qwen2\.5-VL model .*'qwen3-vl' does not fit"):
        models.load(str(folder), "cpu", model_type="qwen3-vl")
    config = json.loads((folder / "config.json").read_text())
    del config["vision_config"]
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))
    with pytest.raises(AttentionError, match="does not describe a Qwen3-VL model"):
        models.load(str(folder), "cpu", model_type="qwen3-vl")
