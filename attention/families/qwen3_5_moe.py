"""Qwen3.5 (and 3.6) with a mixture of experts: another MLP in the language tower, nothing else (see qwen3_5.py).

```
Qwen3_5MoeForConditionalGeneration
  model.language_model.layers.{i}.self_attn
  model.visual.blocks.{i}.attn
```
"""

from __future__ import annotations

from .qwen3_5 import Qwen35


class Qwen35Moe(Qwen35):
    label = "Qwen3.5 MoE"


FAMILY = Qwen35Moe()
