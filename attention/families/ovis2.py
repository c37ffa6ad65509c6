"""Ovis2: a small view of the whole picture, then tiles, whose features are mixtures of a table of visual words.

```
Ovis2ForConditionalGeneration
  model.language_model.layers.{i}.self_attn                       one call a layer, causal, grouped-query
  model.vision_tower.transformer.encoder.layers.{i}.attention     one call a layer, batch = views, full attention
```
hidden_stride x hidden_stride patches make an image token (<IMG_ATOM>). Tiles are cut as for InternVL, or so that they
cover the picture (use_covering_area_grid); tokens that say so stand between them.
"""

from __future__ import annotations

from transformers.models.ovis2.image_processing_pil_ovis2 import get_min_tile_covering_grid, get_optimal_tiled_canvas
from transformers.models.ovis2.processing_ovis2 import Ovis2Processor

from .internvl import InternVL


class Ovis2(InternVL):
    label = "Ovis2"
    coordinates = None
    processor_class = Ovis2Processor
    class_tokens, whole_first = 0, True

    def _tile(self, processor, config):
        return config.vision_config.patch_size, config.vision_config.hidden_stride, processor.image_seq_length

    def attention_modules(self, model):
        tower = model.model.vision_tower.transformer.encoder
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.attention for i, layer in enumerate(tower.layers)},
        }

    def _canvas(self, image_processor, size, tile, least, most):
        if image_processor.use_covering_area_grid:
            return get_min_tile_covering_grid(size, target_patch_size=tile[0], max_image_tiles=most)
        return get_optimal_tiled_canvas(size, tile, least, most)


FAMILY = Ovis2()
