"""Cosmos 3 Edge: as Qwen3-VL, with a SigLIP-like vision tower.

```
Cosmos3EdgeForConditionalGeneration
  model.language_model.layers.{i}.self_attn           one call a layer, causal, grouped-query
  model.visual.encoder.layers.{i}.self_attn     one call for each image, full attention over its patches
```
"""

from __future__ import annotations

from transformers.models.cosmos3_edge.processing_cosmos3_edge import Cosmos3EdgeProcessor

from .glm4v import Glm4v
from .towers import language_tower, vision_tower


class Processor(Cosmos3EdgeProcessor):
    """The stock processor, which returns what the model's positions are made of only where it is asked to."""

    return_mm_token_type_ids = True


class Cosmos3Edge(Glm4v):
    label = "Cosmos 3 Edge"
    processor_class = Processor

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def _vision_modules(self, model):
        return [layer.self_attn for layer in model.visual.encoder.layers]

    def _pixels(self, patches, frames, patch):
        return patches.reshape(-1, patch, patch, 3, frames)[..., 0].movedim(-1, 1)


FAMILY = Cosmos3Edge()
