"""Pictures that do not come out even in blocks of patches, as LightOnOCR's processor leaves them."""

import pytest
import tiny_families
from PIL import Image

from attention.capture.inputs import prepare
from attention.errors import InvalidRequest
from attention.limits import Limits
from attention.models.config import processor_of, read_config
from attention.request import Request


@pytest.fixture(scope="module")
def lighton(tmp_path_factory):
    folder = str(tiny_families.write("lighton_ocr", tmp_path_factory.mktemp("lighton_ocr") / "model"))
    _, family = read_config(folder)
    return family, processor_of(folder, family)


def prepared(lighton, size):
    picture = Image.new("RGB", size)
    return prepare(Request((picture,), "what is it?"), [(picture, [])], *lighton, Limits()).inputs


def test_an_odd_row_of_patches_is_read_by_the_vision_tower_alone(lighton):
    inputs = prepared(lighton, (140, 98))  # 10 x 7 patches of 14 pixels, blocks of 2 x 2
    language, vision = inputs.grids
    assert (language.rows, language.cols, language.box_px) == (3, 5, (0, 0, 140, 84))
    assert (vision.rows, vision.cols, vision.box_px) == (7, 10, (0, 0, 140, 98))
    assert sum(cell is not None for cell in inputs.cells) == 15 and len(inputs.keys["vision"]) == 70


def test_a_picture_of_which_no_token_would_stand_is_refused_by_its_size(lighton):
    with pytest.raises(InvalidRequest, match=r"1000x37 pixels is too thin for LightOnOCR"):
        prepared(lighton, (1000, 37))
