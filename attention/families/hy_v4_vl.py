"""Hy4-VL: each query reads the keys that an indexer chooses, and a learned sink beside them.

```
HYV4VLForConditionalGeneration
  model.language_model.layers.{i}.self_attn   one call a layer, causal, inside the keys that an indexer chose (its own,
                                              or an earlier layer's: indexer_types); each head has its keys
  model.vision_tower.layers.{i}.self_attn     one call for each image, full attention over its patches
```
As Qwen3-VL, but the patches of a picture are row by row in the vision tower too, and a token that stands for no cell
ends each row of tokens.
"""

from __future__ import annotations

from typing import ClassVar

from transformers.models.hy_v4_vl.processing_hy_v4_vl import HYV4VLProcessor

from .family import Family, TowerShape
from .qwen3_vl import Qwen3VL


class HyV4VL(Qwen3VL):
    label = "Hy4-VL"
    coordinates: ClassVar[str | None] = None
    processor_class = HYV4VLProcessor
    ends_rows = True

    def towers(self, config):
        text, vision = config.text_config, config.vision_config
        heads = vision.num_attention_heads
        return {
            "language": TowerShape(
                tuple(range(text.num_hidden_layers)),
                text.num_attention_heads,
                text.num_key_value_heads,
                text.qk_head_dim,
            ),
            "vision": TowerShape(tuple(range(vision.num_hidden_layers)), heads, heads, vision.hidden_size // heads),
        }

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(model.model.vision_tower.layers)},
        }

    def pictures_of(self, processor, tensors):
        return Family.pictures_of(self, processor, tensors)  # its patches lie in another order than Qwen3-VL's

    def _patch_count(self, image_processor, image, limits):
        rows, cols = image_processor.get_number_of_image_patches(image.height, image.width, limits)
        return rows * cols

    def _patches(self, rows, cols, merge):
        return [(row, col) for row in range(rows) for col in range(cols)]


FAMILY = HyV4VL()
