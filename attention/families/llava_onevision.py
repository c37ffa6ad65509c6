"""LLaVA-OneVision: as LLaVA-NeXT; fine maps that are too large are scaled down, and several pictures are not tiled.

```
LlavaOnevisionForConditionalGeneration
  model.language_model.layers.{i}.self_attn         one call a layer, causal, grouped-query
  model.vision_tower.encoder.layers.{i}.self_attn   one call with a batch of views, full attention over patches
```
The tower is SigLIP: no class token. A picture that is alone in its conversation is read as in LLaVA-NeXT; where the
fine map has many more patches than the tiles of `vision_aspect_ratio` (anyres_max_9: nine), the model interpolates its
features to about that many: a cell is then a mean over the patches around its place, and its edges are interpolated
from theirs. Several pictures in one conversation are each put on a square of one colour and read in one view: its
patches row by row, then one newline.
"""

from __future__ import annotations

from transformers.models.llava_onevision.modeling_llava_onevision import unpad_image
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor

from .llava import Llava
from .llava_next import LlavaNext


class LlavaOnevision(LlavaNext):
    label = "LLaVA-OneVision"
    processor_class = LlavaOnevisionProcessor
    unpad_image = staticmethod(unpad_image)

    def _fit(self, processor, config):
        super()._fit(processor, config)
        processor.num_image_tokens = (processor.image_size // processor.patch_size) ** 2
        processor.vision_aspect_ratio = config.vision_aspect_ratio

    def prepare(self, processor, messages, images, max_visual_tokens):
        prepare = Llava.prepare if len(images) > 1 else LlavaNext.prepare
        return prepare(self, processor, messages, images, max_visual_tokens)

    def own_visual_tokens(self, processor, messages, images):
        return None if len(images) > 1 else super().own_visual_tokens(processor, messages, images)

    def _read(self, processor, messages, images, **options):
        """The images go as those of one conversation: the processor tiles each of a plain list."""
        return super()._read(processor, messages, [images] if images else [], **options)

    @staticmethod
    def _features(processor, keys):
        return [*Llava._features(processor, keys), None]


FAMILY = LlavaOnevision()
