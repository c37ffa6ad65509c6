"""A cell covers exactly the pixels that its token was made from: painted into the picture, found in `pixel_values`."""

import itertools
import random

import numpy as np
import pytest
from PIL import Image
from tiny import qwen3_vl_folder

from attention import Request
from attention.capture.images import open_pictures
from attention.capture.inputs import prepare as prepare_request
from attention.limits import Limits
from attention.models.config import read_config
from attention.runs.tokens import cell_box

GREY, MERGE, PATCH = (128, 128, 128), 2, 16


@pytest.fixture(scope="module")
def family_and_processor(tmp_path_factory):
    """A processor with limits that half of the sizes below exceed on either side: 64 to 256 tokens an image."""
    folder = qwen3_vl_folder(tmp_path_factory.mktemp("geometry"))
    _, family = read_config(str(folder))
    processor = family.load_processor(str(folder))
    processor.image_processor.size = {"shortest_edge": 64 * 32 * 32, "longest_edge": 256 * 32 * 32}
    return family, processor


def prepare(family_and_processor, images, visual_tokens=None):
    family, processor = family_and_processor
    request = Request(images=tuple(images), prompt="what color is the star?", max_visual_tokens=visual_tokens)
    return prepare_request(request, open_pictures(request, Limits()), family, processor, Limits()).inputs


def changed_tokens(before, after, tower):
    """The key of a tower that changed most, by this test's own reading of pixel_values [patches, values].

    The processor writes patches block by block: the four of a merged token are neighbours, and tokens follow in raster
    order.
    """
    change = (after.tensors["pixel_values"] - before.tensors["pixel_values"]).abs().sum(dim=-1)
    if tower == "language":
        change = change.reshape(-1, MERGE * MERGE).sum(dim=-1)
    return int(change.argmax())


def painted(image, grid, row, col):
    """The picture with one cell painted, inset by a quarter on every side."""
    x0, y0, x1, y1 = cell_box(grid.to_dict(), row, col)
    box = (x0 + (x1 - x0) / 4, y0 + (y1 - y0) / 4, x1 - (x1 - x0) / 4, y1 - (y1 - y0) / 4)
    box = tuple(round(edge) for edge in box)
    result = image.copy()
    result.paste((255, 255, 255), (box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1)))
    return result


def keys_of(inputs, tower):
    """The keys of a tower that stand for a cell, in the order in which pixel_values holds them."""
    return [cell for cell in (inputs.cells if tower == "language" else inputs.keys[tower]) if cell is not None]


def random_sizes(count):
    rng = random.Random(0)
    sizes = []
    while len(sizes) < count:
        width, height = rng.randint(64, 1500), rng.randint(64, 1500)
        if width != height and max(width, height) / min(width, height) < 12:
            sizes.append((width, height))
    return sizes


@pytest.mark.slow
@pytest.mark.parametrize("count", [40, pytest.param(200, marks=pytest.mark.full)])
def test_painted_cells_are_found_in_pixel_values_for_random_sizes(family_and_processor, count):
    rng = random.Random(1)
    limited = set()
    for width, height in random_sizes(count):
        image = Image.new("RGB", (width, height), GREY)
        before = prepare(family_and_processor, [image])
        read_width, read_height = before.read_sizes[0]
        limited.add(
            (read_width * read_height > width * height * 1.2) - (read_width * read_height < width * height / 1.2)
        )
        for grid_index, grid in enumerate(before.grids):
            row, col = rng.randrange(grid.rows), rng.randrange(grid.cols)
            after = prepare(family_and_processor, [painted(image, grid, row, col)])
            found = keys_of(after, grid.tower)[changed_tokens(before, after, grid.tower)]
            assert found == (grid_index, row, col), (width, height, grid.tower)
    assert limited == {-1, 0, 1}, "pictures read larger, as they are, and smaller"


@pytest.mark.parametrize("size", [(65, 333), (640, 360), (1400, 90), (401, 399)])
def test_every_cell_of_a_picture_is_where_it_says(family_and_processor, size):
    image = Image.new("RGB", size, GREY)
    before = prepare(family_and_processor, [image], visual_tokens=64)
    grid = before.grids[0]
    for row, col in itertools.product(range(grid.rows), range(grid.cols)):
        after = prepare(family_and_processor, [painted(image, grid, row, col)], visual_tokens=64)
        assert keys_of(after, "language")[changed_tokens(before, after, "language")] == (0, row, col)


def test_every_patch_of_the_vision_tower_is_where_it_says(family_and_processor):
    image = Image.new("RGB", (300, 170), GREY)
    before = prepare(family_and_processor, [image], visual_tokens=40)
    grid = before.grids[1]
    assert (grid.rows, grid.cols) == (before.grids[0].rows * MERGE, before.grids[0].cols * MERGE)
    for row, col in itertools.product(range(grid.rows), range(grid.cols)):
        after = prepare(family_and_processor, [painted(image, grid, row, col)], visual_tokens=40)
        assert keys_of(after, "vision")[changed_tokens(before, after, "vision")] == (1, row, col)


def test_cells_of_two_pictures_are_told_apart(family_and_processor):
    images = [Image.new("RGB", (500, 260), GREY), Image.new("RGB", (190, 700), GREY)]
    before = prepare(family_and_processor, images)
    assert [(grid.image, grid.tower) for grid in before.grids] == [
        (0, "language"), (1, "language"), (0, "vision"), (1, "vision"),
    ]  # fmt: skip
    rng = random.Random(2)
    for grid_index, grid in enumerate(before.grids):
        for _ in range(6):
            row, col = rng.randrange(grid.rows), rng.randrange(grid.cols)
            pictures = list(images)
            pictures[grid.image] = painted(pictures[grid.image], grid, row, col)
            after = prepare(family_and_processor, pictures)
            assert keys_of(after, grid.tower)[changed_tokens(before, after, grid.tower)] == (grid_index, row, col)


# How an upright picture must be stored so that its EXIF orientation turns it upright again.
STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip


@pytest.mark.parametrize("orientation", STORED_AS)
def test_exif_rotation_is_applied_before_anything_else(family_and_processor, tmp_path, orientation):
    upright = Image.new("RGB", (420, 200), GREY)
    before = prepare(family_and_processor, [upright])
    grid, row, col = before.grids[0], 1, before.grids[0].cols - 3
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    painted(upright, grid, row, col).transpose(STORED_AS[orientation]).save(path, exif=exif)
    after = prepare(family_and_processor, [path])
    assert after.grids == before.grids
    assert keys_of(after, "language")[changed_tokens(before, after, "language")] == (0, row, col)


def test_the_boxes_of_a_grid_tile_its_picture(family_and_processor):
    for width, height in random_sizes(20):
        for grid in prepare(family_and_processor, [Image.new("RGB", (width, height), GREY)]).grids:
            record = grid.to_dict()
            boxes = np.array([[cell_box(record, row, col) for col in range(grid.cols)] for row in range(grid.rows)])
            assert np.allclose(boxes[:, 1:, 0], boxes[:, :-1, 2]) and np.allclose(boxes[1:, :, 1], boxes[:-1, :, 3])
            assert np.allclose(boxes[:, 0, 0], 0) and np.allclose(boxes[:, -1, 2], width)
            assert np.allclose(boxes[0, :, 1], 0) and np.allclose(boxes[-1, :, 3], height)


def test_every_image_token_is_in_exactly_one_cell(family_and_processor):
    _, processor = family_and_processor
    inputs = prepare(family_and_processor, [Image.new("RGB", (333, 140)), Image.new("RGB", (90, 640))])
    cells = keys_of(inputs, "language")
    assert len(cells) == len(set(cells)) == inputs.ids.count(processor.image_token_id)
    assert len(cells) == sum(grid.rows * grid.cols for grid in inputs.grids if grid.tower == "language")
    patches = keys_of(inputs, "vision")
    assert len(patches) == len(set(patches)) == len(inputs.tensors["pixel_values"])


@pytest.mark.parametrize("limit", [4, 16, 64, 65, 200, 1000])
def test_the_limit_of_visual_tokens_is_kept_for_every_size(family_and_processor, limit):
    for size in [(200, 136), (64, 64), (1000, 120), (90, 1400), (1500, 1499), (333, 222)]:
        inputs = prepare(family_and_processor, [Image.new("RGB", size, GREY)], visual_tokens=limit)
        assert 1 <= len(keys_of(inputs, "language")) <= limit, size
