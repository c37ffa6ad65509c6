"""GLM-4.6V: as GLM-4.1V, with a processor class of its own (see glm4v.py).

```
Glm46VForConditionalGeneration
  model.language_model.layers.{i}.self_attn
  model.visual.blocks.{i}.attn
```
"""

from __future__ import annotations

from transformers.models.glm46v.processing_glm46v import Glm46VProcessor

from .glm4v import Glm4v


class Glm46V(Glm4v):
    label = "GLM-4.6V"
    processor_class = Glm46VProcessor


FAMILY = Glm46V()
