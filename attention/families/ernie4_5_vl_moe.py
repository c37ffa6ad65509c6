"""ERNIE 4.5 VL: as Qwen2-VL, with experts of its own for a picture's tokens.

```
Ernie4_5_VLMoeForConditionalGeneration
  model.language_model.layers.{i}.self_attn    one call a layer, causal, grouped-query
  model.vision_tower.blocks.{i}.attn           one call for each image, full attention over its patches
```
Tokens and patches are in the order that qwen3_vl.py describes. What transformers calls a resampler joins the patches of
one token, and of a video those of two frames.
"""

from __future__ import annotations

from transformers.models.ernie4_5_vl_moe.processing_ernie4_5_vl_moe import Ernie4_5_VLMoeProcessor

from .qwen3_vl import Qwen3VL


class Ernie45VL(Qwen3VL):
    label = "ERNIE 4.5 VL"
    processor_class = Ernie4_5_VLMoeProcessor
    per_token = Qwen3VL.per_token | {"moe_mm_token_type_ids": 0}

    def _vision_modules(self, model):
        return [block.attn for block in model.vision_tower.blocks]


FAMILY = Ernie45VL()
