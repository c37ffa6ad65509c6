"""Llama 3.2 Vision: text reads pictures by cross-attention, so no token of the sequence stands for a cell.

```
MllamaForConditionalGeneration
  model.vision_model.transformer.layers.{i}.self_attn         one call a layer with a batch entry for each picture, over
  model.vision_model.global_transformer.layers.{i}.self_attn  all its tiles at once; numbered on from the first stack
  model.language_model.layers.{i}.self_attn                   one call a layer, causal, grouped-query
  model.language_model.layers.{i}.cross_attn                  at cross_attention_layers; left out for text alone
```
A picture is laid at the top left of a canvas of equal square tiles, which make one grid, and stands in the text as one
<|image|>. The vision tower is always given max_image_tiles tiles a picture, the missing ones empty: each a class token,
its patches row by row, and padding to a multiple of 8. Its mask only keeps padding from reading padding, so real
patches read all of it. Cross-attention has the same without the padding of tiles, picture after picture, and a mask of
its own: text reads the real tiles of the picture before it.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from transformers.models.mllama.configuration_mllama import MllamaConfig
from transformers.models.mllama.image_processing_pil_mllama import (
    get_all_supported_aspect_ratios,
    get_image_size_fit_to_canvas,
)
from transformers.models.mllama.processing_mllama import MllamaProcessor

from attention.runs.tokens import Grid

from .cells import Cell, tile_cells, tile_edges
from .family import Family, Inputs, image_only
from .towers import TowerShape

MULTIPLE = 8  # MllamaVisionModel.forward pads each tile's patches to a multiple of this


class Processor(image_only(MllamaProcessor)):
    """The published template writes a system message as it is given, so it must be a text, not a list of parts."""

    def apply_chat_template(self, conversation, *args, **options):
        conversation = [
            {**message, "content": "".join(part.get("text", "") for part in message["content"])}
            if message["role"] == "system"
            else message
            for message in conversation
        ]
        return super().apply_chat_template(conversation, *args, **options)


class Mllama(Family):
    label = "Llama 3.2 Vision"
    expands_placeholders = False  # <|image|> stays as it is

    processor_class = Processor

    def load_processor(self, path):
        processor = Processor.from_pretrained(path)
        self._fit(processor, MllamaConfig.from_pretrained(path))
        return processor

    def _fit(self, processor, config):
        processor.patch_size = config.vision_config.patch_size

    def towers(self, config):
        text, vision = config.text_config, config.vision_config
        crossing = set(text.cross_attention_layers)
        layers = range(text.num_hidden_layers)
        language = TowerShape(
            tuple(i for i in layers if i not in crossing),
            text.num_attention_heads,
            text.num_key_value_heads,
            text.hidden_size // text.num_attention_heads,
        )
        return {
            "language": language,
            "cross": replace(language, layers=tuple(i for i in layers if i in crossing)),
            "vision": TowerShape(
                tuple(range(vision.num_hidden_layers + vision.num_global_layers)),
                vision.attention_heads,
                vision.attention_heads,
                vision.hidden_size // vision.attention_heads,
            ),
        }

    def attention_modules(self, model):
        layers = list(enumerate(model.model.language_model.layers))
        vision = model.model.vision_model
        stacked = [*vision.transformer.layers, *vision.global_transformer.layers]
        return {
            "language": {i: layer.self_attn for i, layer in layers if hasattr(layer, "self_attn")},
            "cross": {i: layer.cross_attn for i, layer in layers if hasattr(layer, "cross_attn")},
            "vision": {i: layer.self_attn for i, layer in enumerate(stacked)},
        }

    def prepare(self, processor, messages, images, max_visual_tokens):
        """A picture is one token, whatever `max_visual_tokens`; its tiles the model's weights do not let us bound."""
        tensors, roles = self._read(processor, messages, images)
        cells = [None] * len(roles)
        if not images:
            return Inputs(tensors, roles, cells, keys={"cross": [], "vision": []})
        n_tiles, side = tensors["pixel_values"].shape[2], tensors["pixel_values"].shape[-1]
        ratios = get_all_supported_aspect_ratios(n_tiles)
        canvases = [ratios[index - 1] for index in tensors["aspect_ratio_ids"][0].tolist()]
        sizes = [_read_size(image, canvas, side) for image, canvas in zip(images, canvases, strict=True)]
        grids, keys = [], {"cross": [], "vision": []}
        patch = processor.patch_size
        n = side // patch
        for tower, multiple in (("cross", 1), ("vision", MULTIPLE)):
            for i, image in enumerate(images):
                down, across = canvases[i]
                scale_x, scale_y = (given / read for given, read in zip(image.size, sizes[i], strict=True))
                keys[tower] += _keys(tile_cells(len(grids), (down, across), (n, n)), n_tiles, multiple)
                rows, cols = tile_edges(down, side, n, patch, scale_y), tile_edges(across, side, n, patch, scale_x)
                grids.append(Grid.between(i, tower, "whole", rows, cols))
        return Inputs(tensors, roles, cells, grids, keys, sizes)

    def visual_token_limit(self, processor):
        return 1

    def extend(self, processor, inputs, answer_ids):
        extended = super().extend(processor, inputs, answer_ids)
        mask = extended.tensors.get("cross_attention_mask")
        if mask is not None:
            more = mask[:, -1:].expand(-1, len(answer_ids), -1, -1)  # as generate does
            extended.tensors["cross_attention_mask"] = torch.cat([mask, more], dim=1)
        return extended


def _read_size(image, canvas: tuple[int, int], side: int) -> tuple[int, int]:
    """The (width, height) to which the processor resizes a picture for a canvas of (rows, cols) tiles."""
    rows, cols = canvas
    height, width = get_image_size_fit_to_canvas(image.height, image.width, rows * side, cols * side, side)
    return int(width), int(height)


def _keys(tiles: list[list[Cell]], n_tiles: int, multiple: int) -> list[Cell | None]:
    """A picture's keys: of each tile a class token, its patches and padding; what of n_tiles is missing is padding."""
    keys = []
    for cells in tiles:
        keys += [None, *cells]
        keys += [None] * (-len(keys) % multiple)
    return keys + [None] * (len(keys) // len(tiles) * (n_tiles - len(tiles)))


FAMILY = Mllama()
