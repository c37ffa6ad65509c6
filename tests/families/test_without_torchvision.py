"""Code of families that stands for transformers' own, which needs torchvision: held against that module's source."""

import ast
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import transformers

from attention.families import cohere2_vision, mistral3

MODELS = Path(transformers.__file__).parent / "models"


def taken(file: str, *names: str) -> dict:
    """Functions of a module of transformers, or of a class in it, from its source: it cannot be imported."""
    tree = ast.parse((MODELS / file).read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in names]
    assert {node.name for node in found} == set(names)
    known = {"np": np, "lru_cache": lru_cache}
    exec(compile(ast.Module(found, []), file, "exec", dont_inherit=True), known)
    return known


def test_the_tiles_of_command_a_vision_are_those_of_its_stock_processor():
    names = ("get_all_supported_aspect_ratios", "get_optimal_tiled_canvas")
    stock = taken("cohere2_vision/image_processing_cohere2_vision.py", *names)["get_optimal_tiled_canvas"]
    rng = np.random.default_rng(0)
    for size in [(512, 512), (1, 4000), *map(tuple, rng.integers(20, 3000, (200, 2)).tolist())]:
        for most in (1, 4, 12):
            assert cohere2_vision.canvas(size, 512, most) == tuple(stock(size, (512, 512), 1, most)), (size, most)


def test_pixtrals_tokens_are_those_of_its_stock_processor():
    stock = taken("pixtral/processing_pixtral.py", "replace_image_token")["replace_image_token"]
    signs = ["[IMG]", "[IMG_BREAK]", "[IMG_END]"]
    theirs = SimpleNamespace(
        patch_size=14, spatial_merge_size=2, image_token=signs[0], image_break_token=signs[1], image_end_token=signs[2]
    )
    ours = SimpleNamespace(cell=28, signs=signs)
    for size in ((28, 28), (28, 280), (56, 28), (84, 140)):
        inputs = {"image_sizes": [(56, 56), size]}
        written = mistral3.PixtralProcessor.replace_image_token(ours, inputs, 1)
        assert written == stock(theirs, inputs, 1) and written.count("[IMG]") == size[0] * size[1] // 28**2
