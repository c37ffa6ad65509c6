"""LightOnOCR: as Mistral 3, with a Qwen3 language tower, and no tokens at the ends of rows.

```
LightOnOcrForConditionalGeneration
  model.language_model.layers.{i}.self_attn                one call a layer, causal, grouped-query
  model.vision_encoder.transformer.layers.{i}.attention    one call a layer over all pictures, as in mistral3.py
```
Its processor fits pictures to patches, not to blocks of them: a last odd row or column of patches is read by the vision
tower alone.
"""

from __future__ import annotations

from transformers.models.lighton_ocr.processing_lighton_ocr import LightOnOcrProcessor

from .family import Family
from .mistral3 import Mistral3


class LightOnOcr(Mistral3):
    label = "LightOnOCR"
    processor_class = LightOnOcrProcessor
    thought_signs = Family.thought_signs
    tower = "vision_encoder"
    fewest_tokens = 1

    def _fit(self, processor, config):
        super()._fit(processor, config)
        processor.unit = processor.image_processor.patch_size["height"]


FAMILY = LightOnOcr()
