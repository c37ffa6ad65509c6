"""PaddleOCR-VL: as Qwen2-VL, with patches row by row in the vision tower.

```
PaddleOCRVLForConditionalGeneration
  model.language_model.layers.{i}.self_attn                   one call a layer, causal, grouped-query
  model.visual.vision_model.encoder.layers.{i}.self_attn      one call for each image, full attention over its patches
```
"""

from __future__ import annotations

from transformers.models.paddleocr_vl.processing_paddleocr_vl import PaddleOCRVLProcessor

from .family import Family
from .qwen3_vl import Qwen3VL
from .towers import language_tower, vision_tower


class PaddleOcrVL(Qwen3VL):
    label = "PaddleOCR-VL"
    coordinates = None
    processor_class = PaddleOCRVLProcessor
    takes_entry_sizes = False

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def _vision_modules(self, model):
        return [layer.self_attn for layer in model.visual.vision_model.encoder.layers]

    def pictures_of(self, processor, tensors):
        return Family.pictures_of(self, processor, tensors)  # its patches lie in another order than Qwen3-VL's

    def _patches(self, rows, cols, merge):
        return [(row, col) for row in range(rows) for col in range(cols)]


FAMILY = PaddleOcrVL()
