"""Command A Vision: as Aya Vision, with its own rule for tiles, and a token for a line break after each.

```
Cohere2VisionForConditionalGeneration
  model.language_model.layers.{i}.self_attn           one call a layer, causal, sliding or full by layer_types
  model.vision_tower.encoder.layers.{i}.self_attn     one call a layer, batch = tiles, full attention
```
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from transformers.image_utils import SizeDict
from transformers.models.cohere2_vision.processing_cohere2_vision import Cohere2VisionProcessor
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from .aya_vision import AyaVision
from .family import image_only


class ImageProcessor(GotOcr2ImageProcessorPil):
    """The stock image processor, which needs torchvision, with Pillow."""

    size: ClassVar = {"height": 512, "width": 512}
    crop_to_patches = True
    patch_size = 16  # tokens along a side of a tile, whatever its name says

    def crop_image_to_patches(self, image, min_patches, max_patches, use_thumbnail=True, patch_size=None, **options):
        side = patch_size.height
        cols, rows = canvas(image.shape[-2:], side, max_patches)
        whole = self.resize(image, SizeDict(height=rows * side, width=cols * side), **options)
        tiles = [
            whole[..., top : top + side, left : left + side]
            for top in range(0, rows * side, side)
            for left in range(0, cols * side, side)
        ]
        return [*tiles, *([self.resize(image, patch_size, **options)] if use_thumbnail and len(tiles) > 1 else [])]


def canvas(size: tuple[int, int], side: int, most: int) -> tuple[int, int]:
    """Cols and rows of the tiles for a picture (height, width): the least enlarging, or else the least reducing.

    By get_optimal_tiled_canvas of transformers' cohere2_vision, whose module cannot be imported without torchvision.
    """
    grids = [(cols, rows) for cols in range(1, most + 1) for rows in range(1, most + 1) if cols * rows <= most]
    grids.sort(key=lambda grid: grid[0] * grid[1])
    scale = np.min(np.array(grids) * side / np.array([size[1], size[0]]), axis=1)
    return grids[np.argmax(scale) if np.all(scale < 1) else np.argmin(np.where(scale < 1, np.inf, scale))]


class Cohere2Vision(AyaVision):
    label = "Command A Vision"
    processor_class = Cohere2VisionProcessor

    def load_processor(self, path):
        return self._loaded(image_only(self.processor_class, ImageProcessor), path)

    def _tile(self, processor, config):
        tokens = processor.patch_size**2  # as the processor writes them
        return config.vision_config.patch_size, config.downsample_factor, tokens

    def _canvas(self, image_processor, size, tile, least, most):
        return canvas(size, tile[0], most)


FAMILY = Cohere2Vision()
