"""VipLLaVA: as LLaVA 1.5; its image tokens are made of several layers of the vision tower.

```
VipLlavaForConditionalGeneration
  model.language_model.layers.{i}.self_attn         one call a layer, causal
  model.vision_tower.encoder.layers.{i}.self_attn   one call with a batch of pictures, full attention over patches
```
The class token is dropped; the config names no strategy.
"""

from __future__ import annotations

from .llava import Llava


class VipLlava(Llava):
    label = "VipLLaVA"

    def _strategy(self, config):
        return "default"


FAMILY = VipLlava()
