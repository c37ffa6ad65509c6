"""Qwen2.5-VL: as Qwen3-VL, with 14-px patches that are sorted by window before the vision tower's first layer.

```
Qwen2_5_VLForConditionalGeneration
  model.language_model.layers.{i}.self_attn    one call a layer, causal (above max_window_layers sliding), grouped-query
  model.visual.blocks.{i}.attn                 one call for each window of window_size pixels, or each image
                                               (pair of frames) in the layers of fullatt_block_indexes; patches in the
                                               same order
```
An image token stands for merge_size x merge_size patches; tokens are row by row over the grid of blocks. In the vision
tower the blocks are sorted window by window (row by row, those at the right and lower edges smaller), row by row inside
a window; the patches of a block stay neighbours. What leaves the tower is put back into the order of the tokens.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from transformers import AutoConfig
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.vision_utils import get_vision_window_index

from attention.coordinates import READ

from .qwen2_vl import Qwen2VLVideoProcessor
from .qwen3_vl import Qwen3VL


class Qwen25VL(Qwen3VL):
    label = "Qwen2.5-VL"
    coordinates: ClassVar[str | None] = READ
    processor_class = Qwen2_5_VLProcessor
    takes_videos = True
    video_processor_class = Qwen2VLVideoProcessor
    limits_whole_videos = False

    def load_processor(self, path):
        processor = super().load_processor(path)
        self._fit(processor, AutoConfig.from_pretrained(path))
        return processor

    def _fit(self, processor, config):
        processor.vision_config = config.vision_config

    def prepare(self, processor, messages, images, max_visual_tokens, videos=()):
        inputs = super().prepare(processor, messages, images, max_visual_tokens, videos)
        if images or videos:
            vision = processor.vision_config
            read = [inputs.tensors[name] for name in ("image_grid_thw", "video_grid_thw") if name in inputs.tensors]
            blocks, _ = get_vision_window_index(
                torch.cat(read), vision.spatial_merge_size, vision.window_size, vision.patch_size
            )
            keys, n = inputs.keys["vision"], vision.spatial_merge_size**2
            inputs.keys["vision"] = [key for block in blocks.tolist() for key in keys[block * n : (block + 1) * n]]
        return inputs


FAMILY = Qwen25VL()
