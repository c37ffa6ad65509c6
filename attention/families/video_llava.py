"""Video-LLaVA: as LLaVA 1.5, with a tower for pictures and one for videos, which are not read here.

```
VideoLlavaForConditionalGeneration
  model.language_model.layers.{i}.self_attn         one call a layer, causal
  model.image_tower.encoder.layers.{i}.self_attn    one call with a batch of pictures, full attention, class token first
```
"""

from __future__ import annotations

from transformers import AutoConfig
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.video_llava.processing_video_llava import VideoLlavaProcessor

from .family import image_only
from .llava import Llava


class VideoLlava(Llava):
    label = "Video-LLaVA"
    processor_class = VideoLlavaProcessor

    def load_processor(self, path):
        processor = image_only(self.processor_class, CLIPImageProcessorPil).from_pretrained(path)
        self._fit(processor, AutoConfig.from_pretrained(path, local_files_only=True))
        return processor

    def _fit(self, processor, config):
        """As LLaVA, with CLIP's image processor: Video-LLaVA's does the same by the same settings."""
        super()._fit(processor, config)
        if not isinstance(processor.image_processor, CLIPImageProcessorPil):
            processor.image_processor = CLIPImageProcessorPil.from_dict(processor.image_processor.to_dict())

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(model.model.image_tower.encoder.layers)},
        }


FAMILY = VideoLlava()
