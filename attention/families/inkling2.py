"""Inkling 2: one map in the picture's own proportions and size, in cells of 40 pixels; scores have a bias by position.

```
Inkling2ForConditionalGeneration
  model.language_model.layers.{i}.self_attn   one call a layer, causal, grouped-query; sliding or full by layer_types; a
                                              bias by distance is added to scores, and each query has a sink of its own
  model.vision_tower.layers.{i}.self_attn     one call for each image, full attention over a class token and its patches
```
An image token stands for spatial_merge_size x spatial_merge_size patches, row by row; the patches of a token are
neighbours. Pictures are not resized; what the last row and column lack is padding. transformers cuts them with
torchvision alone: `Squares` does it with NumPy, by the same rules. A picture that would have more tokens than are
allowed is made smaller before.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from transformers import AutoConfig
from transformers.image_processing_backends import PilBackend
from transformers.image_processing_utils import BatchFeature
from transformers.models.inkling2.processing_inkling2 import Inkling2Processor

from attention.errors import UnsupportedModel
from attention.limits import MAX_PIXELS
from attention.runs.tokens import Grid

from .cells import Cell, cells_of, image_roles, placed
from .family import Family, Inputs, image_only
from .towers import TowerShape, vision_tower


class Squares(PilBackend):
    """The image processor, with the settings and defaults of transformers' own."""

    do_rescale, rescale_factor, do_normalize = True, 1 / 255, True
    image_mean = image_std = (0.5, 0.5, 0.5)
    size = {"height": 40, "width": 40}  # noqa: RUF012 - as transformers has it
    model_input_names = ("pixel_values", "image_grid_thw")

    def cut(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of squares into which a picture of this size is cut."""
        return math.ceil(height / self.size["height"]), math.ceil(width / self.size["width"])

    def read_size(self, width: int, height: int) -> tuple[int, int]:
        """The size, width and height, in which a picture is cut."""
        return width, height

    def _preprocess(
        self, images, size, do_rescale, rescale_factor, do_normalize, image_mean, image_std, return_tensors, **_
    ):
        squares, cut = [], []
        for image in images:
            channels, height, width = image.shape
            rows, cols = self.cut(height, width)
            padded = np.full((channels, rows * size.height, cols * size.width), -1.0, np.float32)
            padded[:, :height, :width] = image
            padded = self.rescale(padded, rescale_factor) if do_rescale else padded
            padded = self.normalize(padded, image_mean, image_std) if do_normalize else padded
            parts = padded.reshape(channels, rows, size.height, cols, size.width).transpose(1, 3, 2, 4, 0)
            squares.append(torch.from_numpy(np.ascontiguousarray(parts.reshape(rows * cols, *parts.shape[2:]))))
            cut.append([1, rows, cols])
        data = {"pixel_values": torch.cat(squares), "image_grid_thw": torch.tensor(cut)}
        return BatchFeature(data, tensor_type=return_tensors)


class Inkling2(Family):
    label = "Inkling 2"
    processor_class = Inkling2Processor
    squares: type[Squares] = Squares

    def load_processor(self, path):
        processor = image_only(self.processor_class, self.squares).from_pretrained(path)
        self._fit(processor, AutoConfig.from_pretrained(path))
        return processor

    def _fit(self, processor, config):
        processor.merge_size = getattr(config.vision_config, "spatial_merge_size", 1)
        if not isinstance(processor.image_processor, self.squares):
            processor.image_processor = self.squares.from_dict(processor.image_processor.to_dict())

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(model.model.vision_tower.layers)},
        }

    def read_out(self, model, layer, given, output):
        (before, blocks, *_), language = given, model.model.language_model
        if layer.is_block_boundary:
            blocks = torch.cat([blocks, before.unsqueeze(-2)], dim=-2)
        return language.norm(language.final_input(blocks, output)[0])

    def prepare(self, processor, messages, images, max_visual_tokens):
        settings = processor.image_processor
        read = [self._within(settings, image, max_visual_tokens) for image in images]
        tensors, roles = self._read(processor, messages, read)
        side, order, grids = settings.size["height"], [], []
        for i, image in enumerate(read):
            rows, cols = settings.cut(image.height, image.width)
            scale = images[i].width / image.width, images[i].height / image.height
            shown = math.ceil(image.width / side)
            box = (0, 0, shown * side * scale[0], rows * side * scale[1])
            grids.append(Grid(i, "language", "whole", box, rows, shown))
            order += [(i, row, col) if col < shown else None for row in range(rows) for col in range(cols)]
        cells = placed(tensors["input_ids"][0].tolist(), processor.image_token_id, order)
        inputs = Inputs(tensors, image_roles(roles, cells), cells, grids, read_sizes=[image.size for image in read])
        return self._with_patches(processor, inputs)

    def _with_patches(self, processor, inputs: Inputs) -> Inputs:
        """The same inputs with what the vision tower reads of each picture: a class token, then patches."""
        merge, n = processor.merge_size, len(inputs.grids)
        seen = [replace(grid, tower="vision", rows=grid.rows * merge, cols=grid.cols * merge) for grid in inputs.grids]
        keys: list[Cell | None] = []
        for index, grid in enumerate(inputs.grids):
            blocks = cells_of([(n + index, grid)])
            inside = [(down, across) for down in range(merge) for across in range(merge)]
            keys.append(None)
            keys += [(i, row * merge + down, col * merge + across) for i, row, col in blocks for down, across in inside]
        return replace(inputs, grids=[*inputs.grids, *seen], keys={"vision": keys})

    def visual_token_limit(self, processor):
        return MAX_PIXELS // processor.image_processor.size["height"] ** 2

    def own_visual_tokens(self, processor, messages, images):
        settings = processor.image_processor
        return [self._tokens(settings, *settings.read_size(*image.size)) for image in images]

    def _tokens(self, settings, width: int, height: int) -> int:
        """Number of tokens of a picture that stand for a cell of it."""
        side = settings.size["height"]
        return math.ceil(width / side) * math.ceil(height / side)

    def _within(self, settings, image: Image.Image, most: int | None) -> Image.Image:
        """A picture as it is cut, or as large as so many tokens allow, in its proportions."""
        width, height = own = settings.read_size(*image.size)
        scale = 1.0
        while most is not None and self._tokens(settings, width, height) > most:
            scale *= 0.98
            width, height = (max(1, int(side * scale)) for side in own)
        return image if (width, height) == image.size else image.resize((width, height), Image.Resampling.LANCZOS)


def language_tower(text) -> TowerShape:
    """The language tower by its config, which has other sizes of heads for layers with a sliding window."""
    sliding = text.swa_num_attention_heads, text.swa_num_key_value_heads, text.swa_head_dim
    full = text.num_attention_heads, text.num_key_value_heads, text.head_dim
    if sliding[0] != full[0]:
        raise UnsupportedModel(
            f"Layers of this model have {sliding[0]} heads where they read a window, and {full[0]} where they read "
            "everything; here all layers of a tower have as many."
        )
    others = {i: full[1:] for i, kind in enumerate(text.layer_types) if kind == "hybrid"}
    return TowerShape(tuple(range(text.num_hidden_layers)), *sliding, sizes=others, has_bias=True)


FAMILY = Inkling2()
