"""Pictures that do not come out even in blocks of patches, or make few of them, and thoughts of Mistral's models."""

import copy

import pytest
import tiny_families
from PIL import Image

from attention.capture.inputs import prepare
from attention.errors import InvalidRequest, LimitExceeded
from attention.limits import Limits
from attention.models.config import processor_of, read_config
from attention.request import Request


def written(model_type, tmp_path_factory):
    folder = str(tiny_families.write(model_type, tmp_path_factory.mktemp(model_type) / "model"))
    _, family = read_config(folder)
    return family, processor_of(folder, family)


@pytest.fixture(scope="module")
def lighton(tmp_path_factory):
    return written("lighton_ocr", tmp_path_factory)


@pytest.fixture(scope="module")
def mistral(tmp_path_factory):
    return written("mistral3", tmp_path_factory)


def prepared(model, *sizes, **fields):
    pictures = [Image.new("RGB", size) for size in sizes]
    request = Request(tuple(pictures), "what is it?", **fields)
    return prepare(request, [(picture, []) for picture in pictures], *model, Limits()).inputs


def test_an_odd_row_of_patches_is_read_by_the_vision_tower_alone(lighton):
    inputs = prepared(lighton, (140, 98))  # 10 x 7 patches of 14 pixels, blocks of 2 x 2
    language, vision = inputs.grids
    assert (language.rows, language.cols, language.box_px) == (3, 5, (0, 0, 140, 84))
    assert (vision.rows, vision.cols, vision.box_px) == (7, 10, (0, 0, 140, 98))
    assert sum(cell is not None for cell in inputs.cells) == 15 and len(inputs.keys["vision"]) == 70


def test_a_picture_of_which_no_token_would_stand_is_refused_by_its_size(lighton):
    with pytest.raises(InvalidRequest, match=r"1000x37 pixels is too thin for LightOnOCR"):
        prepared(lighton, (1000, 37))


def test_a_picture_that_shrinks_to_nothing_is_refused_by_its_size(mistral):
    with pytest.raises(InvalidRequest, match=r"697x3 pixels is too thin for Mistral 3"):
        prepared(mistral, (697, 3))


def test_a_limit_with_which_no_token_would_stand_for_a_picture_says_how_many_are_needed(lighton):
    with pytest.raises(LimitExceeded, match="in 5 tokens at least; the limit is 4") as refused:
        prepared(lighton, (80, 800), max_visual_tokens=4)
    inputs = prepared(lighton, (80, 800), max_visual_tokens=refused.value.least)
    assert sum(cell is not None for cell in inputs.cells) == 5


def test_one_token_alone_is_refused_where_transformers_cannot_read_it(mistral, lighton):
    with pytest.raises(InvalidRequest, match=r"20x20 pixels is one token of Mistral 3.*Enlarge it"):
        prepared(mistral, (20, 20))
    for model, sizes in ((mistral, [(20, 20), (20, 20)]), (lighton, [(20, 20)])):
        assert len(prepared(model, *sizes).grids) == 2 * len(sizes)


def test_a_thought_of_mistrals_models_is_no_answer(mistral):
    family, processor = mistral
    processor = copy.deepcopy(processor)
    processor.tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]"]})
    answer = processor.tokenizer.convert_tokens_to_ids(["[THINK]", "h", "m", "[/THINK]", "r"])
    roles = family.extend(processor, prepared(mistral, (60, 60)), answer).roles[-5:]
    assert roles == ["special", "thinking", "thinking", "special", "answer"]
