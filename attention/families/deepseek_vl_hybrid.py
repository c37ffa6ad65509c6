"""DeepSeek-VL 7B: as DeepSeek-VL, with a second tower that reads each picture finely and has no map.

```
DeepseekVLHybridForConditionalGeneration
  model.language_model.layers.{i}.self_attn            one call a layer, causal
  model.vision_model.encoder.layers.{i}.self_attn      one call with a batch of pictures, full attention over patches
  model.high_res_vision_model.layers.{i}.attn          attention of its own, with a bias by row and column
```
A picture is put on a square for the fine tower, and that square is resized for the other. A token is a patch of the
coarse tower beside what the fine one has around the same place.
"""

from __future__ import annotations

import copy

from transformers.models.deepseek_vl_hybrid.processing_deepseek_vl_hybrid import DeepseekVLHybridProcessor

from .deepseek_vl import DeepseekVL
from .family import coloured
from .llava import Placement
from .towers import OWN_BIAS, UnreadTower


class DeepseekVLHybrid(DeepseekVL):
    label = "DeepSeek-VL Hybrid"
    processor_class = DeepseekVLHybridProcessor
    casts_pixels = False
    built_with_sdpa = ("high_res_vision_config",)

    def unread_towers(self, config):
        fine = config.high_res_vision_config
        return {"high_res_vision": UnreadTower(fine.num_hidden_layers, fine.num_attention_heads, OWN_BIAS)}

    def unread_modules(self, model):
        return [layer.attn for layer in model.model.high_res_vision_model.vision_encoder.layers]

    def pictures_of(self, processor, tensors):
        fine = copy.copy(processor.image_processor)
        fine.image_mean, fine.image_std = fine.high_res_image_mean, fine.high_res_image_std
        return [coloured(fine, values) for values in tensors["high_res_pixel_values"]]

    def placement(self, image_processor, image):
        side, coarse = image_processor.high_res_size["height"], image_processor.size["height"]
        fine = self._on_square(image, side, image_processor.min_size)
        scale_x, scale_y = fine.scale
        return Placement((scale_x * side / coarse, scale_y * side / coarse), fine.shift)


FAMILY = DeepseekVLHybrid()
