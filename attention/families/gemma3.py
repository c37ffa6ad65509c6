"""Gemma 3: every picture is a square of tokens, which read each other both ways.

```
Gemma3ForConditionalGeneration
  model.vision_tower.encoder.layers.{i}.self_attn   one call a layer with a batch entry for each picture, full attention
  model.multi_modal_projector                       averages kernel_size x kernel_size patches into one token
  model.language_model.layers.{i}.self_attn         one call a layer, grouped-query; sliding or full by layer_types,
                                                    causal except inside one picture's tokens (token_type_ids 1)
```
A picture is stretched to a square. It stands in the text between <start_of_image> and <end_of_image>, its tokens row by
row; patches are row by row as well. Pan & scan, which adds crops of long pictures, the stock processor does only where
a call asks for it, whatever preprocessor_config.json says; nor is it asked for here.
"""

from __future__ import annotations

import torch
from transformers.models.gemma3.configuration_gemma3 import Gemma3Config
from transformers.models.gemma3.modeling_gemma3 import Gemma3MultiModalProjector
from transformers.models.gemma3.processing_gemma3 import Gemma3Processor

from attention.errors import LimitExceeded
from attention.tokens import Grid

from .family import Family, Inputs, TowerShape, cells_of, image_only, image_roles, placed


class Gemma3(Family):
    label = "Gemma 3"
    y_first_keys = frozenset({"box_2d", "point"})

    def load_processor(self, path):
        processor = image_only(Gemma3Processor).from_pretrained(path)
        config = Gemma3Config.from_pretrained(path)
        with torch.device("meta"):
            processor.pooling = Gemma3MultiModalProjector(config).kernel_size  # as the model itself works it out
        processor.patch_size = config.vision_config.patch_size
        return processor

    def towers(self, config):
        text, vision = config.text_config, config.vision_config
        return {
            "language": TowerShape(
                tuple(range(text.num_hidden_layers)), text.num_attention_heads, text.num_key_value_heads, text.head_dim
            ),
            "vision": TowerShape(
                tuple(range(vision.num_hidden_layers)),
                vision.num_attention_heads,
                vision.num_attention_heads,
                vision.hidden_size // vision.num_attention_heads,
            ),
        }

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(model.model.vision_tower.encoder.layers)},
        }

    def prepare(self, processor, messages, images, max_visual_tokens):
        if images and max_visual_tokens is not None and max_visual_tokens < processor.image_seq_length:
            raise LimitExceeded(
                f"This model reads every picture as {processor.image_seq_length} tokens and cannot read it in "
                f"{max_visual_tokens}. Raise max_visual_tokens to {processor.image_seq_length}.",
                processor.image_seq_length,
            )
        tensors, roles = self._read(processor, messages, images)
        side = tensors["pixel_values"].shape[-1] if images else 0  # of a picture as read, in pixels
        patch = processor.patch_size
        grids = [
            _grid(i, tower, image.size, side, cell)
            for tower, cell in (("language", patch * processor.pooling), ("vision", patch))
            for i, image in enumerate(images)
        ]
        shown, patches = (
            cells_of((i, grid) for i, grid in enumerate(grids) if grid.tower == tower)
            for tower in ("language", "vision")
        )
        cells = placed(tensors["input_ids"][0].tolist(), processor.tokenizer.image_token_id, shown)
        sizes = [(side, side)] * len(images)
        return Inputs(tensors, image_roles(roles, cells), cells, grids, {"vision": patches}, sizes)

    def visual_token_limit(self, processor):
        return processor.image_seq_length

    def named_sides(self, read_size):
        return 1000, 1000


def _grid(image: int, tower: str, size: tuple[int, int], side: int, cell: int) -> Grid:
    """A picture read as side x side pixels, in cells of so many; what is left beside whole ones, no cell reads."""
    width, height = size
    n = side // cell
    covered = n * cell / side
    return Grid(image, tower, "whole", (0, 0, width * covered, height * covered), n, n)


FAMILY = Gemma3()
