"""Gemma 4 without a vision tower: the language model reads patches of a picture as they are.

```
Gemma4UnifiedForConditionalGeneration
  model.language_model.layers.{i}.self_attn   as Gemma 4's, but where the config says that a picture's tokens read each
                                              other both ways, all layers do so, across any window
```
A token is one patch, as large as pooling_kernel_size x pooling_kernel_size of Gemma 4's.
"""

from __future__ import annotations

from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil
from transformers.models.gemma4_unified.processing_gemma4_unified import Gemma4UnifiedProcessor

from .family import image_only
from .gemma4 import Gemma4, language_tower


class LargePatches(Gemma4ImageProcessorPil):
    """Gemma 4's, with larger patches and none to merge, which is the same; the stock processor needs torchvision."""

    def _preprocess(self, images, *, patch_size, pooling_kernel_size, **settings):
        return super()._preprocess(
            images, patch_size=patch_size * pooling_kernel_size, pooling_kernel_size=1, **settings
        )


class Gemma4Unified(Gemma4):
    label = "Gemma 4 Unified"

    def load_processor(self, path):
        return image_only(Gemma4UnifiedProcessor, LargePatches).from_pretrained(path)

    def towers(self, config):
        return {"language": language_tower(config.text_config)}

    def attention_modules(self, model):
        return {"language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)}}

    def places_in_a_cell(self, pooling):
        return {"language": 1}


FAMILY = Gemma4Unified()
