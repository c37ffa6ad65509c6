"""Aya Vision: as InternVL, with Cohere's conversations, and a SigLIP tower without a class token.

```
AyaVisionForConditionalGeneration
  model.language_model.layers.{i}.self_attn           one call a layer, causal, sliding or full by layer_types
  model.vision_tower.encoder.layers.{i}.self_attn     one call a layer, batch = tiles, full attention
```
downsample_factor x downsample_factor patches make an image token. In the text TILE_1, TILE_2 stand before the tiles,
and TILE_GLOBAL before the whole picture, which comes last.
"""

from __future__ import annotations

from transformers.models.aya_vision.processing_aya_vision import AyaVisionProcessor

from .internvl import InternVL


class AyaVision(InternVL):
    label = "Aya Vision"
    coordinates = None
    processor_class = AyaVisionProcessor
    class_tokens = 0

    def _tile(self, processor, config):
        tokens = (processor.img_size // processor.patch_size) ** 2  # as the processor writes them
        return config.vision_config.patch_size, config.downsample_factor, tokens

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(model.model.vision_tower.encoder.layers)},
        }


FAMILY = AyaVision()
