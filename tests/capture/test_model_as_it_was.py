"""A caller's own model, however it is loaded and wrapped: the same rows, and the model as it was before the call."""

import os
import random

import numpy as np
import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from PIL import Image
from transformers import AttentionInterface, AutoConfig, AutoModelForImageTextToText, LlamaConfig, LlamaForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from attention import Request, extract
from attention.capture.recorder import Capture
from attention.errors import CaptureError, InvalidRequest, NotInRun, UnsupportedModel
from attention.models.hook import ATTENTION, attention_function

PICTURE = Image.effect_noise((96, 64), 90).convert("RGB")
CHAT = [
    {
        "role": "user",
        "content": [{"type": "image", "image": PICTURE}, {"type": "text", "text": "what color is the star?"}],
    }
]
LORA = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)


def own(folder, **options):
    """A model in training, a gradient on it, and sampling asked of it."""
    model = AutoModelForImageTextToText.from_pretrained(folder, **{"dtype": torch.float32, **options}).train()
    weight = next(weight for weight in model.parameters() if weight.requires_grad)
    weight.grad = torch.ones_like(weight)
    model.generation_config.do_sample, model.generation_config.temperature = True, 0.7
    return model


def state(model):
    """State that a call must leave alone."""
    configs = {id(module.config): module.config for module in model.modules() if hasattr(module, "config")}
    return {
        "functions": [getattr(config, "_attn_implementation", None) for config in configs.values()],
        "hooks": [(len(module._forward_hooks), len(module._forward_pre_hooks)) for module in model.modules()],
        "attributes": [{name: id(value) for name, value in module.__dict__.items()} for module in model.modules()],
        "training": [module.training for module in model.modules()],
        "weights": [(name, weight.sum().item(), weight.requires_grad) for name, weight in model.named_parameters()],
        "gradients": [None if weight.grad is None else weight.grad.sum().item() for weight in model.parameters()],
        "generation": model.generation_config.to_dict(),
        "random": (torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()),
    }


def rows(run):
    return [run.dense(layer, tower) for tower in run.towers() for layer in run.layers(tower)]


def notes(run):
    return " ".join(run.info["notes"])


@pytest.fixture(scope="module")
def due(tiny_folder, tmp_path_factory):
    """Rows of the model as it is loaded by its path."""
    with extract(
        Request(messages=CHAT, model=tiny_folder, answer="red", device="cpu"), tmp_path_factory.mktemp("due")
    ) as run:
        return rows(run)


@pytest.mark.parametrize("way", ["eager", "sdpa", "flash_attention_2", "flex_attention"])
def test_a_model_of_any_attention_is_read_and_found_as_it_was(tiny_folder, due, way):
    model = own(tiny_folder, attn_implementation="eager")
    for module in model.modules():  # as one is that was loaded so; the others' packages are not here
        if hasattr(module, "config") and hasattr(module.config, "_attn_implementation"):
            module.config._attn_implementation = way
    before = state(model)
    with extract(CHAT, model=model, answer="red") as run:
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(rows(run), due, strict=True))
        assert "attention" not in notes(run), "in float32 there is nothing to say"
    assert state(model) == before


def test_a_model_is_found_as_it_was_after_generating_and_after_an_error(tiny_folder, monkeypatch):
    model = own(tiny_folder, attn_implementation="eager")
    model.generation_config.num_beams = 2
    model.generation_config.return_dict_in_generate = model.config.output_attentions = True
    before = state(model)
    with extract(CHAT, model=model, mode="generate", max_new_tokens=3) as run:
        assert len(run.tokens) > run.info["prompt_tokens"]
    assert state(model) == before

    def fail(*_):
        raise RuntimeError("on the way")

    monkeypatch.setattr(Capture, "_keep", fail)
    with pytest.raises(RuntimeError, match="on the way"):
        extract(CHAT, model=model, answer="red")
    assert state(model) == before


def test_a_part_of_a_config_that_no_module_holds_is_found_as_it_was(tiny_folder):
    model = torch.nn.Module()
    model.config = AutoConfig.from_pretrained(tiny_folder)
    parts = model.config, model.config.text_config, model.config.vision_config
    ways = ["sdpa", "eager", "flash_attention_2"]
    for part, way in zip(parts, ways, strict=True):
        part._attn_implementation = way
    with attention_function(model, ATTENTION):
        assert model.config._attn_implementation == ATTENTION
    assert [part._attn_implementation for part in parts] == ways


def test_half_precision_says_how_far_flash_attention_is_off(tiny_folder):
    model = own(tiny_folder, dtype=torch.bfloat16)
    for module in model.modules():
        if hasattr(module, "config") and hasattr(module.config, "_attn_implementation"):
            module.config._attn_implementation = "flash_attention_2"
    with extract(CHAT, model=model, answer="red") as run:
        assert run.info["model"]["dtype"] == "bfloat16"
        assert "loaded with flash_attention_2 attention and read with PyTorch's SDPA" in notes(run)
        assert "roundings to bfloat16, each one part in 256." in notes(run)


def test_flash_attention_differs_by_no_more_than_is_said():
    """Its arithmetic by hand: weights rounded to bfloat16 before they meet the values, sums in float32."""
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 4, 64, 16).to(torch.bfloat16) for _ in range(3))
    weights = (query.float() @ key.float().transpose(2, 3) / 4).softmax(-1)
    exact = weights @ value.float()
    flash = (weights.to(torch.bfloat16).float() @ value.float()).to(torch.bfloat16).float()
    sdpa = torch.nn.functional.scaled_dot_product_attention(query, key, value, scale=0.25).float()
    bound = 2 * value.float().abs().max() / 256  # two roundings: of the weights, and of the output
    assert (flash - exact).abs().max() <= bound and (sdpa - exact).abs().max() <= bound


def test_an_attention_function_that_is_not_known_is_refused(tiny_folder):
    AttentionInterface.register("half_of_it", sdpa_attention_forward)
    model = own(tiny_folder, attn_implementation="half_of_it")
    before = state(model)
    with pytest.raises(CaptureError, match="runs 'half_of_it' attention, which is not known here"):
        extract(CHAT, model=model)
    assert state(model) == before


def test_adapters_are_read_as_they_are_on_off_and_merged(tiny_folder, due):
    torch.manual_seed(0)
    model = get_peft_model(own(tiny_folder), LORA)
    before = state(model)
    with extract(CHAT, model=model, answer="red") as run:
        adapted = rows(run)
        assert "read with these on: default" in notes(run)
    assert state(model) == before
    with model.disable_adapter(), extract(CHAT, model=model, answer="red") as run:
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(rows(run), due, strict=True))
        assert "PEFT" not in notes(run)
    with extract(CHAT, model=model.merge_and_unload(), answer="red") as run:
        merged = rows(run)
    assert max(np.abs(mine - theirs).max() for mine, theirs in zip(merged, adapted, strict=True)) < 1e-3
    assert max(np.abs(mine - theirs).max() for mine, theirs in zip(adapted, due, strict=True)) > 1e-2


@pytest.mark.parametrize("way", ["model", "in place", "part", "forward"])
def test_a_compiled_model_is_read_as_it_is_written(tiny_folder, due, way):
    model = own(tiny_folder)
    given = model
    if way == "model":
        given = torch.compile(model)
    elif way == "in place":
        model.compile()
    elif way == "part":
        model.model.language_model = torch.compile(model.model.language_model)
    else:
        model.forward = torch.compile(model.forward)
    before = state(model)
    with extract(CHAT, model=given, answer="red") as run:
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(rows(run), due, strict=True))
    assert state(model) == before


def test_a_model_placed_by_a_device_map_is_read(tiny_folder, due):
    model = AutoModelForImageTextToText.from_pretrained(tiny_folder, device_map={"": "cpu"}, dtype=torch.float32)
    with extract(CHAT, model=model, answer="red") as run:
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(rows(run), due, strict=True))


def test_models_that_cannot_be_read_are_refused_by_name(tiny_folder):
    with pytest.raises(UnsupportedModel, match="Prompt and prefix tuning put tokens of their own"):
        tuned = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2, token_dim=48)
        extract(CHAT, model=get_peft_model(own(tiny_folder), tuned))
    sizes = {
        "vocab_size": 8,
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
    }
    packed = own(tiny_folder)
    packed.model.language_model.norm = type("Linear", (torch.nn.Module,), {"weight": lambda _: None})()  # as its layers
    with pytest.raises(UnsupportedModel, match=r"quantised by torch.ao.quantization, .* with torchao, quanto or"):
        extract(CHAT, model=packed)
    with pytest.raises(UnsupportedModel, match=r"Model type 'llama' is not supported; supported: .*qwen3_vl"):
        extract(CHAT, model=LlamaForCausalLM(LlamaConfig(**sizes)))
    with pytest.raises(InvalidRequest, match="A processor was given without a model"):
        extract(CHAT, processor=5)


def test_a_temporary_folder_goes_with_its_run(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def there():
        return list((tmp_path / "temporary").iterdir())

    model = own(tiny_folder)
    run = extract(CHAT, model=model, answer="red")
    (place,) = there()
    assert run.folder.parent == place and run.find("red")
    kept = run.keep(tmp_path / "kept")
    assert rows(kept)[0].shape == rows(run)[0].shape and kept.folder == tmp_path / "kept"
    with pytest.raises(InvalidRequest, match="is not empty"):
        run.keep(tmp_path / "kept")
    del run
    assert not there() and (tmp_path / "kept" / "run.json").exists()
    with extract(CHAT, model=model, answer="red") as run:
        pass
    assert not there()
    with pytest.raises(NotInRun, match="was closed, and its temporary folder went with it"):
        run.row(0, 0)
    with pytest.raises(InvalidRequest, match="The answer contains"):
        extract(CHAT, model=model, answer="red <|image_pad|>")
    assert not there()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is none on Windows")
def test_a_forked_worker_leaves_the_run_to_its_parent(tiny_folder):
    run = extract(CHAT, model=own(tiny_folder), answer="red")
    worker = os.fork()
    if worker == 0:  # as a worker of a data loader, where it is let go of
        run._remove()
        os._exit(0)
    assert os.waitpid(worker, 0)[1] == 0
    assert run.folder.is_dir() and run.dense(0).size
    run.close()
    assert not run.folder.exists()
