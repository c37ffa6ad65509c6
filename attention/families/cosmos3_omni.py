"""Cosmos 3: as Qwen3-VL, of which it is made (see qwen3_vl.py).

```
Cosmos3OmniForConditionalGeneration
  model.language_model.layers.{i}.self_attn
  model.visual.blocks.{i}.attn
```
"""

from __future__ import annotations

from .qwen3_vl import Qwen3VL


class Cosmos3Omni(Qwen3VL):
    label = "Cosmos 3"


FAMILY = Cosmos3Omni()
