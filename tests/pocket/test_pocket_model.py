"""The shipped model answers right, and heads of it look at what was asked about."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Qwen3VLForConditionalGeneration

from attention.pocket.evaluate import ASKED_BY, LOOKING
from attention.pocket.held_out import SETS, held_out
from attention.pocket.looks import ASKED
from attention.pocket.measures import is_clicked, measure, without_heads
from attention.pocket.reading import Pocket
from attention.pocket.words import KINDS

ASSETS = Path(__file__).resolve().parents[2] / "assets"
FOLDER, EXAMPLES = ASSETS / "pocket", ASSETS / "examples"
SEED = 31_337  # neither the training's nor the card's


@pytest.fixture(scope="module")
def pocket():
    return Pocket.load(FOLDER)


@pytest.fixture(scope="module")
def figures():
    return json.loads((FOLDER / "grounding.json").read_text())


def test_the_folder_is_what_a_hub_repository_of_the_family_holds():
    names = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert names == {
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "grounding.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "video_preprocessor_config.json",
    }
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) <= 10_000_000
    assert json.loads((FOLDER / "config.json").read_text())["model_type"] == "qwen3_vl"
    preprocessor = json.loads((FOLDER / "preprocessor_config.json").read_text())
    assert preprocessor["image_processor_type"] == "Qwen2VLImageProcessorFast"
    assert json.loads((FOLDER / "video_preprocessor_config.json").read_text())["video_processor_type"]


def test_weights_load_whole_into_the_stock_class(pocket):
    model, loading = Qwen3VLForConditionalGeneration.from_pretrained(
        FOLDER, dtype=torch.float32, output_loading_info=True
    )
    assert not any(loading[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    config = model.config
    for token, written in (
        (config.image_token_id, "<|image_pad|>"),
        (config.video_token_id, "<|video_pad|>"),
        (config.vision_start_token_id, "<|vision_start|>"),
        (config.vision_end_token_id, "<|vision_end|>"),
        (config.text_config.eos_token_id, "<|im_end|>"),
    ):
        assert pocket.tokenizer.convert_tokens_to_ids(written) == token
    assert config.text_config.vocab_size == len(pocket.tokenizer)


@pytest.mark.sample(4)
@pytest.mark.slow
@pytest.mark.parametrize("count", [8, pytest.param(40, marks=pytest.mark.full)])
@pytest.mark.parametrize("name", SETS)
def test_it_does_on_other_pictures_what_its_card_says(pocket, figures, name, count):
    """Answers and looks, on pictures that neither the training nor the card has seen."""
    right, looks = measure(pocket, held_out(name, count, SEED))
    assert len(right) == count
    # few prompts: a rate within three standard deviations of the low end of the card's interval
    expected = figures["answers"][name]["low"]
    assert np.mean(right) >= expected - 3 * np.sqrt(expected * (1 - expected) / count)
    if name in LOOKING:
        head = figures["heads"][name]
        hit = np.mean([look.on[head["layer"], head["head"]] == ASKED for look in looks])
        assert hit >= head["low"] - 3 * np.sqrt(head["low"] * (1 - head["low"]) / count)


@pytest.mark.slow
def test_the_untrained_model_looks_at_nothing_in_particular(pocket):
    _, looks = measure(pocket.untrained(0), held_out("colour", 20, SEED), looks_only=True)
    assert np.mean([look.on == ASKED for look in looks], axis=0).max() <= 0.6


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.full)])
def test_what_is_read_in_one_pass_is_what_is_generated(pocket, count):
    """Every answer by generate, against the one pass in which it was given."""
    for name in SETS:
        for case in held_out(name, count, SEED + 1):
            question = case.question
            reading = pocket.read(case.images, question.text, question.answer)
            said = pocket.answer(case.images, question.text)
            assert reading.is_right == (said == question.answer)
            for (rows, cols), span in zip(reading.grids, reading.spans, strict=True):
                assert span.stop - span.start == rows * cols
            assert np.allclose(reading.attention.sum(axis=-1), 1, atol=1e-5)


def test_a_click_counts_inside_the_box_only(pocket):
    case = next(held_out("click", 1, SEED))
    assert is_clicked(case.question.answer, case)
    assert not is_clicked('{"point_2d": [1, 1], "label": "Save"}', case)
    assert not is_clicked("red", case)


def test_without_its_head_an_answer_is_lost_and_afterwards_everything_is_as_before(pocket, figures):
    case = next(held_out("colour", 1, SEED))
    arguments = (case.images, case.question.text, case.question.answer)
    before = pocket.read(*arguments).attention
    everything = [(layer, head) for layer in range(before.shape[0]) for head in range(before.shape[1])]
    with without_heads(pocket, everything):
        without = pocket.read(*arguments)
    assert not np.array_equal(without.attention, before) and not without.is_right
    assert np.array_equal(pocket.read(*arguments).attention, before)


def test_figures_of_the_card_are_those_of_the_file(figures):
    card = (FOLDER / "README.md").read_text()
    assert set(figures["answers"]) == set(SETS) and set(figures["heads"]) == set(LOOKING)
    assert set(ASKED_BY) == set(figures["asked_by"]) <= set(figures["heads"])
    for name, values in figures["answers"].items():
        assert re.search(rf"^\| {re.escape(name)} \| {values['n']} \| {values['rate']:.3f} ", card, re.MULTILINE), name
    for name, head in figures["heads"].items():
        row = rf"^\| {re.escape(name)} \| {head['looks']} \| layer {head['layer']}, head {head['head']} \| "
        assert re.search(row + f"{head['hit']:.3f} ", card, re.MULTILINE), name
    for name, rates in figures["causes"]["rates"].items():
        assert f"| {name} | " + " | ".join("" if rate is None else f"{rate:.3f}" for rate in rates) + " |" in card


def test_a_question_of_every_kind_is_recognised(figures):
    for kind in KINDS:
        if kind == "count":
            continue
        for case in held_out(kind, 12, SEED):
            text = case.question.text.lower()
            found = next(name for name, words in ASKED_BY.items() if any(word in text for word in words))
            assert found == kind, text


@pytest.mark.parametrize("size", [(5000, 100), (40, 900), (16, 16), (1920, 1080), (257, 256)])
def test_pictures_of_any_proportions_are_read_at_about_81_cells(pocket, size):
    picture = Image.new("RGB", size, "white")
    inputs = pocket.inputs((picture,), "what color is the star?")
    assert 60 <= int(inputs["image_grid_thw"].prod()) // 4 <= 100
    assert "unfinished" not in pocket.answer((picture,), "what color is the star?")  # whatever it says of nothing
