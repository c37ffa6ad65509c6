"""The tokenizer writes any text, and the scenes' words in one token each."""

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from attention.pocket.tokenizer import build_tokenizer
from attention.pocket.words import COLORS, GERMAN, LABELS, SHAPES, click_answer

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "pocket"


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(FOLDER)


@pytest.mark.parametrize(
    "text",
    [
        "what color is the star?",
        "  two  spaces\n\n\ttab, 3.14 and CRLF\r\n",
        "Grüße, żółć, привет, שלום, नमस्ते",
        "世界 한국어 日本語",
        "👩‍👩‍👧 🏳️‍🌈 \U0001f9d1\U0001f3fd",
        "\x00\x7f\u200b\ufeff\U0010ffff",
        "<think>so</think>",
        "",
    ],
)
def test_any_text_survives(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_words_of_the_scenes_are_single_tokens(tokenizer):
    labels = [label for names in LABELS.values() for label in names]
    for word in [*COLORS, *SHAPES, *labels, *LABELS, *GERMAN.values(), "yes", "no"]:
        assert len(tokenizer.encode(word)) == len(tokenizer.encode(f" {word}")) == 1


def test_a_coordinate_is_written_digit_by_digit_as_in_qwen(tokenizer):
    pieces = [tokenizer.decode([token]) for token in tokenizer.encode(click_answer(120, 45, "Save"))]
    assert "".join(pieces) == '{"point_2d": [120, 45], "label": "Save"}'
    assert pieces[pieces.index(" [") + 1 :][:6] == ["1", "2", "0", ",", " ", "4"]


def test_it_is_the_tokenizer_the_recipe_builds(tokenizer, tmp_path):
    build_tokenizer().save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if name.endswith("json"):
            assert json.loads((tmp_path / name).read_text()) == json.loads((FOLDER / name).read_text())
        else:
            assert (tmp_path / name).read_text() == (FOLDER / name).read_text()


def test_the_template_writes_system_turns_several_images_and_several_turns(tokenizer):
    chat = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "which?"}]},
        {"role": "assistant", "content": "red"},
        {"role": "user", "content": "and now?"},
    ]
    picture = "<|vision_start|><|image_pad|><|vision_end|>"
    written = (
        f"<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\n{picture}{picture}which?<|im_end|>\n"
        "<|im_start|>assistant\nred<|im_end|>\n<|im_start|>user\nand now?<|im_end|>\n"
    )
    assert tokenizer.apply_chat_template(chat, tokenize=False) == written
    with_prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert with_prompt == written + "<|im_start|>assistant\n"


def test_special_tokens_are_marked_as_such_and_thinking_is_not(tokenizer):
    text = "<|im_start|><|vision_start|><|image_pad|><|video_pad|><|vision_end|><think>x</think><|im_end|><|endoftext|>"
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens, skip_special_tokens=True) == "<think>x</think>"
    assert len(tokens) == 10
    assert {"<|im_start|>", "<|im_end|>", "<|image_pad|>"} <= set(tokenizer.all_special_tokens)
