"""An answer that is given: read as its tokens stand, and said where these spell another text."""

import pytest
import tiny_families
from PIL import Image
from tokenizers import normalizers

from attention import Request, extract
from attention.models import loading as models
from attention.models.kept import free

PICTURE = Image.effect_noise((200, 136), 80).convert("RGB")


@pytest.fixture(scope="module")
def pocket():
    yield models.load("pocket", "cpu")
    free()


def read(pocket, tmp_path, answer):
    with extract(Request(PICTURE, "what is it?", answer=answer, vision=False), tmp_path / "run", pocket) as run:
        return run.info


LONG = '{"bbox_2d": [1, 2, 3, 4], "label": "日本 \\"a\\"\t🦊"}\n' * 30


@pytest.mark.sample(4)
@pytest.mark.parametrize("answer", ["red", "  two  spaces ", "a\nb\n", "red<|im_end|>", '"quoted"', LONG], ids=repr)
def test_an_answer_is_read_as_it_stands(pocket, tmp_path, answer):
    info = read(pocket, tmp_path, answer)
    spelled = "".join(token["text"] for token in info["tokens"][info["prompt_tokens"] :])
    assert (spelled, info["forced"], info["mode"]) == (answer, True, "generate")
    assert not any("answer that was given" in note for note in info["notes"])


def test_a_control_token_of_an_answer_is_one(pocket, tmp_path):
    info = read(pocket, tmp_path, "red<|im_end|>")
    assert [token["role"] for token in info["tokens"][info["prompt_tokens"] :]] == ["answer", "special"]
    assert info["answer"] == "red"


def test_signs_that_the_tokenizer_composes_are_said(pocket, tmp_path):
    info = read(pocket, tmp_path, "cafe\u0301")
    assert any("Unicode normalisation" in note for note in info["notes"])


def test_another_text_than_was_given_is_said_with_both(pocket, tmp_path):
    backend = pocket.processor.tokenizer.backend_tokenizer
    before = backend.normalizer
    backend.normalizer = normalizers.Lowercase()
    try:
        info = read(pocket, tmp_path, "a RED star")
    finally:
        backend.normalizer = before
    assert info["notes"] == [
        "The answer that was given is not read as it stands: after 2 characters it goes on with 'RED star', and its "
        "tokens with 'red star'."
    ]


def test_an_answer_that_a_template_makes_a_thought_is_said_to_be_one(tmp_path):
    """Qwen3.5's template opens a thought, which a served answer comes without."""
    try:
        loaded = models.load(str(tiny_families.write("qwen3_5", tmp_path / "model")), "cpu")
        places = '[{"bbox_2d": [100, 50, 300, 200], "label": "star"}]'
        thought, said = (
            read(loaded, tmp_path / name, f"{end}{places}") for name, end in (("a", ""), ("b", "</think>\n\n"))
        )
    finally:
        free()
    assert [("read as a thought" in " ".join(info["notes"]), len(info["boxes"])) for info in (thought, said)] == [
        (True, 0), (False, 1),
    ]  # fmt: skip
