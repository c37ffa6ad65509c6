"""HyperCLOVA X Vision 2: the vision tower of Qwen2.5-VL, and a language tower of its own.

```
HyperCLOVAXVisionV2ForConditionalGeneration
  model.language_model.layers.{i}.self_attn    one call a layer, causal, grouped-query
  model.vision_model.blocks.{i}.attn           one call for each window or image, as in qwen2_5_vl.py
```
"""

from __future__ import annotations

from transformers.models.hyperclovax_vision_v2.processing_hyperclovax_vision_v2 import HyperCLOVAXVisionV2Processor

from .qwen2_5_vl import Qwen25VL


class HyperClovaXVision2(Qwen25VL):
    label = "HyperCLOVA X Vision 2"
    coordinates = None
    processor_class = HyperCLOVAXVisionV2Processor

    def _vision_modules(self, model):
        return [block.attn for block in model.vision_model.blocks]


FAMILY = HyperClovaXVision2()
