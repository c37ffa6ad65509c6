"""GLM-OCR: as GLM-4.1V with the processor of GLM-4.6V, and norms on queries and keys (see glm4v.py).

```
GlmOcrForConditionalGeneration
  model.language_model.layers.{i}.self_attn
  model.visual.blocks.{i}.attn
```
"""

from __future__ import annotations

from .glm46v import Glm46V


class GlmOcr(Glm46V):
    label = "GLM-OCR"


FAMILY = GlmOcr()
