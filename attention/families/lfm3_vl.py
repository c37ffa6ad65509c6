"""LFM3-VL: a picture as Qwen3-VL reads it; in both towers most layers are convolutions.

```
Lfm3VlForConditionalGeneration
  model.language_model.layers.{i}.self_attn    in layers of kind full_attention or sliding_attention: one call, causal,
                                               grouped-query; a gate on each head's output, which rows do not see
  model.language_model.layers.{i}.conv         in the others (conv): short convolutions, nothing that could be kept
  model.vision_tower.layers.{i}.self_attn      one call for each image, full attention over its patches, grouped-query
  model.vision_tower.layers.{i}.conv           in the others: convolutions over the grid of patches
```
"""

from __future__ import annotations

from transformers.models.lfm3_vl.processing_lfm3_vl import Lfm3VlProcessor

from .qwen3_vl import Qwen3VL
from .towers import language_tower


class Lfm3VL(Qwen3VL):
    label = "LFM3-VL"
    coordinates = None
    casts_pixels = False
    processor_class = Lfm3VlProcessor

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": language_tower(config.vision_config)}

    def attention_modules(self, model):
        lists = {"language": model.model.language_model.layers, "vision": model.model.vision_tower.layers}
        shapes = self.towers(model.config)
        return {name: {i: layers[i].self_attn for i in shapes[name].layers} for name, layers in lists.items()}


FAMILY = Lfm3VL()
