"""Qianfan-OCR: as InternVL, with its own vision tower of the same shape, and a Qwen3 language tower.

```
QianfanOCRForConditionalGeneration
  model.language_model.layers.{i}.self_attn        one call a layer, causal, grouped-query
  model.vision_tower.layers.{i}.attention          one call a layer, batch = tiles, full, class token first
```
"""

from __future__ import annotations

from transformers.models.qianfan_ocr.processing_qianfan_ocr import QianfanOCRProcessor

from .internvl import InternVL


class QianfanOcr(InternVL):
    label = "Qianfan-OCR"
    processor_class = QianfanOCRProcessor

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.attention for i, layer in enumerate(model.model.vision_tower.layers)},
        }


FAMILY = QianfanOcr()
