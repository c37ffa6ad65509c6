"""GLM-4.1V: as Qwen3-VL, with 14-px patches, and what an answer says at last between control tokens.

```
Glm4vForConditionalGeneration
  model.language_model.layers.{i}.self_attn    one call a layer, causal, grouped-query
  model.visual.blocks.{i}.attn                 one call for each image, full attention over its patches
```
Tokens and patches are in the order that qwen3_vl.py describes. The processor compares a picture's pixels with its
limits as if it were temporal_patch_size frames.
"""

from __future__ import annotations

from transformers.models.glm4v.processing_glm4v import Glm4vProcessor

from .qwen3_vl import Qwen3VL


class Glm4v(Qwen3VL):
    label = "GLM-4.1V"
    processor_class = Glm4vProcessor
    takes_entry_sizes = False

    def _frames(self, image_processor):
        return image_processor.temporal_patch_size


FAMILY = Glm4v()
