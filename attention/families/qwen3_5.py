"""Qwen3.5 (and 3.6, 3.8): a picture as Qwen3-VL reads it; most language layers are gated delta nets, without softmax.

```
Qwen3_5ForConditionalGeneration
  model.language_model.layers.{i}.self_attn    in layers of kind full_attention: one call, causal, grouped-query, rotary
                                               on a part of each head; a gate on what comes out, which rows do not see
  model.language_model.layers.{i}.linear_attn  in the others (linear_attention): nothing that could be kept
  model.visual.blocks.{i}.attn                 one call for each image, full attention over its patches
```
"""

from __future__ import annotations

from .qwen3_vl import Qwen3VL


class Qwen35(Qwen3VL):
    label = "Qwen3.5"


FAMILY = Qwen35()
