"""A model folder whose files contradict each other is refused in words that name them."""

import json
import shutil

import pytest
import tiny_families
import torch
from PIL import Image

from attention import Request, extract, forecast
from attention.capture import extraction
from attention.errors import ModelUnavailable, UnsupportedModel
from attention.models.kept import free

PICTURE = Image.effect_noise((200, 136), 80).convert("RGB")


def ask(folder, **fields):
    return Request((PICTURE,), "what color is the star?", str(folder), device="cpu", mode="generate", **fields)


@pytest.fixture
def changed(tiny_folder, tmp_path):
    """A copy of the tiny model with a file whose fields are set otherwise."""

    def change(file, **fields):
        folder = tmp_path / "changed"
        shutil.copytree(tiny_folder, folder)
        content = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**content, **fields}))
        return folder

    return change


@pytest.fixture(autouse=True)
def let_go():
    yield
    free()


@pytest.mark.parametrize("make", [forecast, extract])
def test_a_config_that_looks_for_other_image_tokens_than_the_tokenizer_writes_is_refused(changed, tmp_path, make):
    folder = changed("config.json", image_token_id=3)
    with pytest.raises(UnsupportedModel, match=r"as token \d+, and config.json has image_token_id 3"):
        make(ask(folder), *([tmp_path / "run"] if make is extract else []))
    assert not (tmp_path / "run").exists()


def test_a_processor_that_cuts_pictures_otherwise_than_it_counts_is_refused(tmp_path):
    folder = tiny_families.write("gemma3", tmp_path / "model")
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "size": {"height": 64, "width": 63}}))
    with pytest.raises(UnsupportedModel, match=r"image tokens for pictures that it cuts into .*preprocessor_config"):
        extract(ask(folder), tmp_path / "run")


@pytest.mark.parametrize("answer", [None, "red"])
def test_what_the_models_own_code_raises_is_said_as_its_own(tmp_path, answer):
    folder = tiny_families.write("llava", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["vision_feature_layer"] = 99
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailable, match=r"own code fails on this input \(IndexError.*config\.json"):
        extract(ask(folder, answer=answer), tmp_path / "run")


def test_a_generation_config_that_generate_cannot_use_is_said(changed, tmp_path):
    folder = changed("generation_config.json", output_hidden_states="yes", num_beams="two")
    with pytest.raises(ModelUnavailable, match="generation_config"):
        extract(ask(folder), tmp_path / "run")
    extract(ask(folder, answer="red"), tmp_path / "forced").close()


def test_a_fault_of_the_capture_is_not_said_to_be_the_models(tiny_folder, tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("ours")

    monkeypatch.setattr(extraction.Capture, "_keep", fail)
    with pytest.raises(ValueError, match="ours"):
        extract(ask(tiny_folder, answer="red"), tmp_path / "run")


def test_a_lack_of_memory_does_not_run_the_model_a_second_time(tiny_folder, tmp_path, monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(extraction.Capture, "_keep", fail)
    monkeypatch.setattr(extraction.Extraction, "_check_runs", lambda *_: pytest.fail("run again"))
    with pytest.raises(extraction.OutOfMemory):
        extract(ask(tiny_folder, answer="red"), tmp_path / "run")


@pytest.mark.parametrize("file", ["tokenizer.json", "preprocessor_config.json", "tokenizer_config.json"])
def test_a_file_of_the_processor_that_is_no_json_is_named(changed, file):
    folder = changed("config.json")
    (folder / file).write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ModelUnavailable, match=f"its file {file} is not JSON"):
        forecast(ask(folder))


@pytest.mark.parametrize(
    ("model_type", "break_it", "words"),
    [
        ("idefics3", lambda folder: set_field(folder, image_mean=[0.5, 0.5]), "mean must have 3 elements"),
        (
            "smolvlm",
            lambda folder: (folder / "chat_template.jinja").write_text("version https://git-lfs"),
            "number of <image> tokens",
        ),
    ],
)
def test_a_processor_that_refuses_every_picture_is_said_to_be_at_fault(tmp_path, model_type, break_it, words):
    folder = tiny_families.write(model_type, tmp_path / "model")
    break_it(folder)
    with pytest.raises(ModelUnavailable, match=f"refuses every picture: .*{words}.*preprocessor_config.*chat_template"):
        forecast(ask(folder))


@pytest.mark.parametrize("field", ["merge_size", "patch_size"])
def test_a_size_of_nothing_in_a_processors_settings_is_said_to_be_its_own(changed, field):
    folder = changed("config.json")
    set_field(folder, **{field: 0})
    with pytest.raises(ModelUnavailable, match=r"cannot work with its settings \(.*preprocessor_config\.json"):
        forecast(ask(folder))


def set_field(folder, **fields):
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def test_a_processor_without_the_settings_of_its_pictures_names_their_file(tmp_path):
    folder = tiny_families.write("llava_onevision", tmp_path / "model")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelUnavailable, match=r"there is no preprocessor_config\.json"):
        forecast(ask(folder))


@pytest.mark.parametrize("template", [["{{ messages }}"], 3, {"default": ["{{ messages }}"]}])
def test_a_chat_template_that_is_no_text_is_refused_by_name(tmp_path, template):
    folder = tiny_families.write("qwen2_vl", tmp_path / "model")
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    with pytest.raises(ModelUnavailable, match="chat_template"):
        forecast(ask(folder))


def test_a_processor_that_leaves_other_patches_out_than_the_model_is_refused(tmp_path):
    folder = tiny_families.write("llava_next", tmp_path / "model")
    file = folder / "processor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "vision_feature_select_strategy": "full"}))
    with pytest.raises(UnsupportedModel, match=r"processor_config\.json has vision_feature_select_strategy 'full'"):
        forecast(ask(folder))


@pytest.mark.parametrize("heads", [0, -1])
def test_a_config_of_no_heads_is_refused_in_words(tmp_path, heads):
    folder = tiny_families.write("llava_next", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["num_attention_heads"] = heads
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises((ModelUnavailable, UnsupportedModel), match=r"config\.json"):
        forecast(ask(folder))
        extract(ask(folder), tmp_path / "run")
