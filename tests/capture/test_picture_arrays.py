"""Pictures as arrays: the same pixels as the picture that they came from, and what is no picture by its numbers."""

import numpy as np
import pytest
import torch
from PIL import Image

from attention import Request
from attention.errors import InvalidRequest
from attention.picture_arrays import picture_of_array

PICTURE = Image.effect_noise((6, 5), 90).convert("RGB")
ROWS = np.asarray(PICTURE)  # [5, 6, 3]
FIRST = np.moveaxis(ROWS, 2, 0).copy()  # [3, 5, 6]


@pytest.mark.parametrize(
    "array",
    [
        ROWS, FIRST, ROWS[:, ::1], torch.from_numpy(FIRST), torch.from_numpy(ROWS.copy()), ROWS / 255,
        torch.from_numpy(FIRST).float() / 255, (torch.from_numpy(FIRST).double() / 255).requires_grad_(),
    ],
)  # fmt: skip
def test_an_array_is_the_picture_that_it_came_from(array):
    (image,) = Request(images=array, prompt="what is it?").images
    assert image.size == (6, 5) and np.array_equal(np.asarray(image), ROWS)
    (entry,) = Request(messages=[{"role": "user", "content": [{"type": "image", "image": array}]}]).images
    assert np.array_equal(np.asarray(entry), ROWS)


def test_of_three_rows_a_tensor_has_channels_first_and_an_array_last():
    square = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    assert np.array_equal(np.asarray(picture_of_array(square, "it")), square)
    turned = np.asarray(picture_of_array(torch.from_numpy(square), "it"))
    assert np.array_equal(turned, np.moveaxis(square, 0, 2))


def test_grey_transparent_and_half_precision_arrays():
    assert picture_of_array(ROWS[:, :, 0], "it").mode == "L" == picture_of_array(FIRST[:1], "it").mode
    assert picture_of_array(np.dstack([ROWS, ROWS[:, :, 0]]), "it").mode == "RGBA"
    half = picture_of_array(torch.ones(3, 4, 5, dtype=torch.bfloat16), "it")
    assert half.getextrema() == ((255, 255),) * 3


@pytest.mark.parametrize(
    "array, words",
    [
        (np.zeros((2, 3, 4, 5), np.uint8), "Image 1 is an array of 2 x 3 x 4 x 5; .* Give several pictures as a list"),
        (np.zeros((7, 8, 9), np.uint8), "of 7 x 8 x 9"),
        (np.zeros((0, 4, 3), np.uint8), "of 0 x 4 x 3"),
        (ROWS.astype(np.int16), "of int16; a picture's colours are uint8"),
        ((ROWS / 255 - 0.5) / 0.5, r"of float64 from -1 to \S+; .* before it was normalised"),
        (np.full((4, 5), np.nan), "from nan to nan"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_numbers(array, words):
    with pytest.raises(InvalidRequest, match=words):
        Request(images=[array], prompt="what is it?")
    with pytest.raises(InvalidRequest, match="Message 1 has an image entry that is an array"):
        Request(messages=[{"role": "user", "content": [{"type": "image", "image": array}]}])
