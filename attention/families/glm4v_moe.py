"""GLM-4.5V: as GLM-4.1V, with a mixture of experts in the language tower (see glm4v.py).

```
Glm4vMoeForConditionalGeneration
  model.language_model.layers.{i}.self_attn
  model.visual.blocks.{i}.attn
```
"""

from __future__ import annotations

from .glm4v import Glm4v


class Glm4vMoe(Glm4v):
    label = "GLM-4.5V"


FAMILY = Glm4vMoe()
