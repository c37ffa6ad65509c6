"""Hunyuan-VL and HunyuanOCR: one map in the picture's own proportions, with tokens before, after and at ends of rows.

```
HunYuanVLForConditionalGeneration
  model.language_model.layers.{i}.self_attn      one call a layer, causal, grouped-query
  model.vision_tower.layers.{i}.self_attn        one call for each image, full attention over its patches, row by row
```
An image token stands for merge_size x merge_size patches, row by row. The first and last of a picture's tokens, and the
one that ends each row, look like the others and stand for no cell.
"""

from __future__ import annotations

from dataclasses import replace

from transformers.models.hunyuan_vl.processing_hunyuan_vl import HunYuanVLProcessor

from .cells import lines
from .paddleocr_vl import PaddleOcrVL
from .towers import language_tower, vision_tower


class HunyuanVL(PaddleOcrVL):
    label = "Hunyuan-VL"
    processor_class = HunYuanVLProcessor

    def towers(self, config):
        vision = vision_tower(config.vision_config)
        kv_heads = config.vision_config.num_key_value_heads
        return {"language": language_tower(config.text_config), "vision": replace(vision, kv_heads=kv_heads)}

    def _vision_modules(self, model):
        return [layer.self_attn for layer in model.vision_tower.layers]

    def _n_patches(self, image_processor, image, limits):
        rows, cols = super()._n_patches(image_processor, image, limits)
        return rows * cols

    def _shown(self, grids):
        return [cell for index, grid in grids for cell in (None, *lines(index, grid), None)]


FAMILY = HunyuanVL()
