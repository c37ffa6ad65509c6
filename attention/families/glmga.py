"""GLM-GA: as GLM-4.6V, of which it is made (see glm4v.py).

```
Glm46VForConditionalGeneration
  model.language_model.layers.{i}.self_attn
  model.visual.blocks.{i}.attn
```
"""

from __future__ import annotations

from attention.errors import UnsupportedModel

from .glm46v import Glm46V


class Glmga(Glm46V):
    label = "GLM-GA"

    def load_processor(self, path):
        processor = super().load_processor(path)
        factor = processor.image_processor.patch_expand_factor
        if factor != 1:
            raise UnsupportedModel(
                f"This model's pictures are resized to larger blocks (patch_expand_factor {factor}), which "
                "transformers' image processor for Pillow does not do."
            )
        return processor


FAMILY = Glmga()
