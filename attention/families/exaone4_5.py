"""EXAONE 4.5: as Qwen2.5-VL, with fewer keys than queries in the vision tower too.

```
Exaone4_5_ForConditionalGeneration
  model.language_model.layers.{i}.self_attn    one call a layer, sliding or full by layer_types, grouped-query
  model.visual.blocks.{i}.attn                 one call for each window or image, grouped-query
```
"""

from __future__ import annotations

from dataclasses import replace

from transformers.models.exaone4_5.processing_exaone4_5 import Exaone4_5_Processor

from .qwen2_5_vl import Qwen25VL


class Exaone45(Qwen25VL):
    label = "EXAONE 4.5"
    coordinates = None
    processor_class = Exaone4_5_Processor

    def towers(self, config):
        towers = super().towers(config)
        return towers | {"vision": replace(towers["vision"], kv_heads=config.vision_config.num_key_value_heads)}


FAMILY = Exaone45()
