"""Granite Docling: pages cut into square tiles, and a small view of the whole after them.

```
GraniteDoclingForConditionalGeneration
  model.text_model.layers.{i}.self_attn              one call a layer, causal, grouped-query
  model.vision_model.encoder.layers.{i}.self_attn    one call a layer, batch = tiles, full attention over patches
```
A page is stretched to the rows x cols tiles nearest to its proportions, read row by row. A token stands for
scale_factor x scale_factor patches, row by row inside a tile; on the fine route (`fine_route`) for a quarter of them.
"""

from __future__ import annotations

from transformers.models.granite_docling.processing_granite_docling import GraniteDoclingProcessor

from .internvl import InternVL


class GraniteDocling(InternVL):
    label = "Granite Docling"
    coordinates = None
    processor_class = GraniteDoclingProcessor
    class_tokens = 0

    def _tile(self, processor, config):
        vision, is_fine = config.vision_config, processor.image_processor.fine_route
        merge = vision.scale_factor // 2 if is_fine else vision.scale_factor
        return vision.patch_size, merge, processor.image_seq_len * (4 if is_fine else 1)

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.text_model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(model.model.vision_model.encoder.layers)},
        }

    def visual_token_limit(self, processor):
        settings = self._settings(processor)
        most = max(settings["max_patches"], processor.image_processor.dense_max_patches)
        return (most + 1 if settings["crop_to_patches"] and most > 1 else 1) * processor.tile_tokens

    def _tiles(self, processor, settings, image):
        return processor.image_processor.get_tile_grid(image.height, image.width, settings)

    def _fewer_tiles(self, processor, settings, images, max_visual_tokens):
        if all(self._tokens(processor, settings, image) <= max_visual_tokens for image in images):
            return settings
        no_denser = {**settings, "dense_max_patches": 0}
        return super()._fewer_tiles(processor, no_denser, images, max_visual_tokens)


FAMILY = GraniteDocling()
