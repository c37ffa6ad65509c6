"""Llama 4 where it is unlike other families: its canvas, and chunks of the sequence that do not read each other."""

import ast
import copy
import importlib.util
import math
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import tiny_families
import torch
from pictures import noise
from tiny_families.llama4 import CHUNK, TILE_PX
from transformers.image_utils import SizeDict
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from attention import Request, extract
from attention.errors import LimitExceeded, UnsupportedModel
from attention.models import kept
from attention.models import loading as models


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    yield models.load(str(tiny_families.write("llama4", tmp_path_factory.mktemp("llama4") / "model")), "cpu")
    kept.free()


def chat(n):
    return [{"role": "user", "content": [*[{"type": "image"}] * n, {"type": "text", "text": "what is it?"}]}]


def stock_functions():
    """The stock file needs torchvision to be imported: its functions of numbers are taken from its source."""
    source = Path(importlib.util.find_spec("transformers.models.llama4").origin).parent / "image_processing_llama4.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    names = {"get_factors", "find_supported_resolutions", "get_best_fit", "get_max_res_without_distortion"}
    tree.body = [part for part in tree.body if isinstance(part, ast.FunctionDef) and part.name in names]
    stock = {"torch": torch, "math": math, "defaultdict": defaultdict, "lru_cache": lru_cache, "SizeDict": SizeDict}
    exec(compile(tree, "stock", "exec"), stock)
    return stock


def test_a_picture_lies_on_the_canvas_that_the_stock_processor_takes(loaded, monkeypatch):
    stock, ours = stock_functions(), loaded.processor.image_processor
    rng = np.random.default_rng(0)
    for largest in (False, True):
        monkeypatch.setattr(ours, "resize_to_max_canvas", largest)
        for most in (1, 5, 16):
            resolutions = torch.tensor(stock["find_supported_resolutions"](most, SizeDict(TILE_PX, TILE_PX)))
            for height, width in [(48, 48), (1, 900), (96, 48), *rng.integers(1, 400, (60, 2)).tolist()]:
                canvas = stock["get_best_fit"]((height, width), resolutions, largest).tolist()
                room = canvas if largest else [min(max(n, TILE_PX), c) for n, c in zip((height, width), canvas)]  # noqa: B905
                read = stock["get_max_res_without_distortion"]((height, width), room)
                expected = [side // TILE_PX for side in canvas], [max(side, 1) for side in read]
                found = ours.layout(height, width, most)
                assert [list(each) for each in found] == list(expected), (height, width, most)


def test_a_picture_as_large_as_its_canvas_is_read_as_it_is(loaded):
    """Tile by tile, in the number format in which the stock processor computes; then the whole, made smaller."""
    picture = noise((3 * TILE_PX, 2 * TILE_PX))
    inputs = loaded.family.prepare(loaded.processor, chat(1), [picture], None)
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).to(torch.bfloat16) * (1 / 255)
    pixels = ((pixels - 0.5) / 0.5).float()
    values = inputs.tensors["pixel_values"]
    assert values.shape == (7, 3, TILE_PX, TILE_PX) and inputs.read_sizes == [(3 * TILE_PX, 2 * TILE_PX)]
    for index in range(6):
        down, across = divmod(index, 3)
        tile = pixels[:, down * TILE_PX : (down + 1) * TILE_PX, across * TILE_PX : (across + 1) * TILE_PX]
        assert torch.equal(values[index], tile)
    assert [(grid.kind, grid.rows, grid.cols) for grid in inputs.grids if grid.tower == "language"] == [
        ("whole", 6, 9),
        ("thumbnail", 3, 3),
    ]


def test_tokens_are_bounded_by_tiles(loaded):
    picture = noise((3 * TILE_PX, 2 * TILE_PX))
    counts = []
    for limit in (None, 62, 35, 9):  # of six tiles, or as many as fit, and the view of the whole
        inputs = loaded.family.prepare(loaded.processor, chat(1), [picture], limit)
        counts.append(sum(cell is not None for cell in inputs.cells))
    assert counts == [63, 45, 27, 9]
    with pytest.raises(LimitExceeded, match="in 9 tokens at least"):
        loaded.family.prepare(loaded.processor, chat(1), [picture], 8)


def test_tiles_that_are_no_squares_of_the_vision_tower_are_refused(loaded):
    oblong = copy.copy(loaded.processor)
    size = {"height": TILE_PX, "width": 2 * TILE_PX}
    oblong.image_processor = type(oblong.image_processor)(**oblong.image_processor.to_dict() | {"size": size})
    with pytest.raises(UnsupportedModel, match=f"tiles of {2 * TILE_PX}x{TILE_PX} pixels, and its vision tower reads"):
        loaded.family.fitted(oblong, loaded.model.config)


def test_chunks_do_not_read_each_other_and_the_layer_that_has_none_reads_everything(loaded, tmp_path):
    with extract(Request([noise((200, 90))], "what is it?", answer="red"), tmp_path / "run", model=loaded) as run:
        q, k = np.indices((run.keys(), run.keys()))
        in_order = k <= q
        for layer in run.layers():
            expected = in_order if layer == 3 else in_order & (q // CHUNK == k // CHUNK)
            seen = (run.dense(layer) > 0).any(axis=0)
            assert run.keys() > 2 * CHUNK and not (seen & ~expected).any() and seen[expected].mean() > 0.9


def test_a_model_in_half_precision_reads_its_pixels_so(tmp_path, loaded):
    half = models.load(loaded.path, "cpu", "bfloat16")
    with extract(
        Request([noise((200, 90))], "what?", mode="generate", max_new_tokens=2), tmp_path / "run", half
    ) as run:
        assert run.info["model"]["dtype"] == "bfloat16" and run.info["prompt_tokens"] < run.keys()


def test_an_image_processor_of_transformers_is_read_with_its_settings(loaded):
    """Its own class needs torchvision: any other class with the same settings stands for it."""
    stock = copy.copy(loaded.processor)
    stock.image_processor = GotOcr2ImageProcessorPil(**stock.image_processor.to_dict() | {"max_patches": 5})
    processor = loaded.family.fitted(stock, loaded.model.config)
    assert type(stock.image_processor) is GotOcr2ImageProcessorPil, "the caller's own stays as it is"
    picture = noise((3 * TILE_PX, 2 * TILE_PX))
    inputs = loaded.family.prepare(processor, chat(1), [picture], None)
    again = loaded.family.prepare(loaded.processor, chat(1), [picture], 45)
    assert inputs.cells == again.cells and torch.equal(inputs.tensors["pixel_values"], again.tensors["pixel_values"])
