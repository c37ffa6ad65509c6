"""LLaVA-NeXT-Video: its pictures are read as those of LLaVA-NeXT.

```
LlavaNextVideoForConditionalGeneration
  model.language_model.layers.{i}.self_attn         one call a layer, causal
  model.vision_tower.encoder.layers.{i}.self_attn   one call with a batch of views, full attention over patches
```
"""

from __future__ import annotations

from transformers.models.llava_next_video.processing_llava_next_video import LlavaNextVideoProcessor

from .llava_next import LlavaNext


class LlavaNextVideo(LlavaNext):
    label = "LLaVA-NeXT-Video"
    processor_class = LlavaNextVideoProcessor


FAMILY = LlavaNextVideo()
