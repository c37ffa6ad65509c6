"""VideoLLaMA 3: as Qwen2-VL, with a SigLIP-like tower; its processor says how many patches make a token.

```
VideoLlama3ForConditionalGeneration
  model.language_model.layers.{i}.self_attn            one call a layer, causal, grouped-query
  model.vision_model.encoder.layers.{i}.self_attn      one call for each image, full attention over its patches
```
"""

from __future__ import annotations

from transformers.models.video_llama_3.processing_video_llama_3 import VideoLlama3Processor

from .qwen3_vl import Qwen3VL
from .towers import language_tower, vision_tower


class VideoLlama3(Qwen3VL):
    label = "VideoLLaMA 3"
    coordinates = None
    processor_class = VideoLlama3Processor
    takes_entry_sizes = False

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def _vision_modules(self, model):
        return [layer.self_attn for layer in model.vision_model.encoder.layers]


FAMILY = VideoLlama3()
