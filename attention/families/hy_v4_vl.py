"""Hy4-VL: each query reads the keys that an indexer chooses, and a learned sink beside them.

```
HYV4VLForConditionalGeneration
  model.language_model.layers.{i}.self_attn   one call a layer, causal, inside the keys that an indexer chose (its own,
                                              or an earlier layer's: indexer_types); each head has its keys
  model.vision_tower.layers.{i}.self_attn     one call for each image, full attention over its patches
```
As Qwen3-VL, but the patches of a picture are row by row in the vision tower too, and a token that stands for no cell
ends each row of tokens. Where two keys score nearly the same, rounding decides which of them an indexer chooses: a pass
with other kernels, as an eager one, may then read another key. `verify` lets it read the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from transformers.models.hy_v4_vl.processing_hy_v4_vl import HYV4VLProcessor

from .cells import lines
from .family import Family
from .qwen3_vl import Qwen3VL
from .towers import language_tower, vision_tower


class HyV4VL(Qwen3VL):
    label = "Hy4-VL"
    coordinates: ClassVar[str | None] = None
    processor_class = HYV4VLProcessor

    def towers(self, config):
        language = replace(language_tower(config.text_config), head_dim=config.text_config.qk_head_dim)
        return {"language": language, "vision": vision_tower(config.vision_config)}

    def _vision_modules(self, model):
        return [layer.self_attn for layer in model.vision_tower.layers]

    def choosing_modules(self, model):
        indexers = [layer.self_attn.indexer for layer in model.model.language_model.layers]
        return [indexer for indexer in indexers if indexer is not None]

    def stream_modules(self, model):
        return [module for layer in model.model.language_model.layers for module in (layer.attn_hc, layer.ffn_hc)]

    def read_out(self, model, layer, given, output):
        language = model.model.language_model
        return language.norm(language.hc_head(output))

    def pictures_of(self, processor, tensors):
        return Family.pictures_of(self, processor, tensors)  # its patches lie in another order than Qwen3-VL's

    def _n_patches(self, image_processor, image, limits):
        rows, cols = super()._n_patches(image_processor, image, limits)
        return rows * cols

    def _shown(self, grids):
        return [cell for index, grid in grids for cell in lines(index, grid)]

    def _patches(self, rows, cols, merge):
        return [(row, col) for row in range(rows) for col in range(cols)]


FAMILY = HyV4VL()
