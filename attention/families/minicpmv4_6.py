"""MiniCPM-V 4.6: a small view of the whole, and of a large picture slices of it, in patches that are merged on the way.

```
MiniCPMV4_6ForConditionalGeneration
  model.language_model.layers.{i}.self_attn         in layers of kind full_attention: one call, causal, grouped-query
  model.language_model.layers.{i}.linear_attn       in the others (linear_attention): nothing that could be kept
  model.vision_tower.encoder.layers.{i}.self_attn   one call for each view, full attention over its patches
```
After layer insert_layer_id of the vision tower 2 x 2 patches become one (but not with downsample_mode 4x): the layers
before have keys of their own, four of each later one, and no map. Of these 2 x 2 become a token, row by row. A slice
stands in the text behind the small view, row by row of slices.
"""

from __future__ import annotations

import math
from dataclasses import replace

from transformers import AutoConfig
from transformers.models.minicpmv4_6.processing_minicpmv4_6 import MiniCPMV4_6Processor

from attention.errors import LimitExceeded, UnsupportedModel
from attention.runs.tokens import Grid

from .cells import image_roles, placed, tile_cells
from .family import Family, Inputs, image_only
from .towers import language_tower, vision_tower

Views = list[tuple[tuple[int, int], tuple[int, int]]]  # of a picture: (rows, cols) of tiles, (height, width) of each


class ImagesOnly:
    """A processor of this family that asks its image processor what it would ask its video processor."""

    def __init__(self, image_processor=None, video_processor=None, tokenizer=None, chat_template=None, **more):
        super().__init__(image_processor, video_processor or image_processor, tokenizer, chat_template, **more)

    def check_argument_for_proper_class(self, argument_name, argument):
        return (
            None
            if argument_name == "video_processor"
            else super().check_argument_for_proper_class(argument_name, argument)
        )


class Processor(ImagesOnly, MiniCPMV4_6Processor):
    pass


class MiniCPMV46(Family):
    label = "MiniCPM-V 4.6"
    processor_class = Processor

    def load_processor(self, path):
        processor = image_only(self.processor_class).from_pretrained(path)
        self._fit(processor, AutoConfig.from_pretrained(path))
        return processor

    def _fit(self, processor, config):
        settings = processor.image_processor
        if config.merger_times != 1 or settings.downsample_mode != config.downsample_mode or not settings.do_resize:
            raise UnsupportedModel(
                "Patches of this model are merged otherwise than its processor counts them (merger_times, "
                "downsample_mode, do_resize). Take its files from the model's own repository."
            )
        processor.merges_early = config.downsample_mode != "4x" and config.vision_config.insert_layer_id >= 0

    def towers(self, config):
        vision = vision_tower(config.vision_config)
        first = config.vision_config.insert_layer_id + 1 if config.downsample_mode != "4x" else 0
        before = dict.fromkeys(vision.layers[:first], "unmerged")
        return {
            "language": language_tower(config.text_config),
            "vision": replace(vision, layers=vision.layers[first:], others=before),
        }

    def attention_modules(self, model):
        layers, tower = model.model.language_model.layers, model.model.vision_tower.encoder.layers
        shapes = self.towers(model.config)
        return {
            "language": {i: layers[i].self_attn for i in shapes["language"].layers},
            "vision": {i: tower[i].self_attn for i in shapes["vision"].layers},
        }

    def prepare(self, processor, messages, images, max_visual_tokens):
        settings, options = processor.image_processor, {}
        if images and max_visual_tokens is not None:
            options = self._fewer_slices(settings, images, max_visual_tokens)
        tensors, roles = self._read(processor, messages, images, **options)
        views = [self._views(settings, image, **options) for image in images]
        patch = settings.patch_size
        seen = patch * (2 if processor.merges_early else 1)
        grids: list[Grid] = []
        order: dict[str, list] = {"language": [], "vision": []}
        for tower, cell in (("language", 2 * seen), ("vision", seen)):
            for index, (image, parts) in enumerate(zip(images, views, strict=True)):
                for number, (tiles, (height, width)) in enumerate(parts):
                    size = height // cell, width // cell
                    order[tower] += [each for tile in tile_cells(len(grids), tiles, size) for each in tile]
                    kind = "thumbnail" if number < len(parts) - 1 else "whole"
                    box = (0, 0, *image.size)
                    grids.append(Grid(index, tower, kind, box, tiles[0] * size[0], tiles[1] * size[1]))
        cells = placed(tensors["input_ids"][0].tolist(), processor.image_token_id, order["language"])
        sizes = [(tiles[1] * width, tiles[0] * height) for *_, (tiles, (height, width)) in views]
        return Inputs(tensors, image_roles(roles, cells), cells, grids, {"vision": order["vision"]}, sizes)

    def visual_token_limit(self, processor):
        settings = processor.image_processor
        slices = settings.max_slice_nums if settings.slice_mode and settings.max_slice_nums > 1 else 0
        return (slices + 1) * (settings.scale_resolution // settings.patch_size // self._merged(settings)) ** 2

    def own_visual_tokens(self, processor, messages, images):
        return [self._tokens(processor.image_processor, image) for image in images]

    @staticmethod
    def _merged(settings) -> int:
        """Patches along the side of a token."""
        return 2 if settings.downsample_mode == "4x" else 4

    def _views(self, settings, image, max_slice_nums: int | None = None) -> Views:
        """The small view of a picture, and where it is cut its slices."""
        most, size = max_slice_nums or settings.max_slice_nums, (image.height, image.width)
        how = settings.scale_resolution, settings.patch_size, settings.downsample_mode
        cut = settings.get_sliced_grid(size, most, settings.scale_resolution) if settings.slice_mode else None
        views: Views = [((1, 1), settings.find_best_resize(size, *how, allow_upscale=cut is None))]
        if cut is not None:
            height, width = settings.get_refine_size(size, cut, *how, allow_upscale=True)
            views.append(((cut[0], cut[1]), (height // cut[0], width // cut[1])))
        return views

    def _tokens(self, settings, image, **options) -> int:
        """Number of tokens of a picture that stand for a cell of it."""
        pixels = (settings.patch_size * self._merged(settings)) ** 2
        return sum(
            math.prod(tiles) * math.prod(view) // pixels for tiles, view in self._views(settings, image, **options)
        )

    def _fewer_slices(self, settings, images, max_visual_tokens) -> dict[str, int]:
        """Options for the most slices that keep every image within so many tokens."""
        for most in range(settings.max_slice_nums, 0, -1):
            if all(self._tokens(settings, image, max_slice_nums=most) <= max_visual_tokens for image in images):
                return {"max_slice_nums": most}
        least = max(self._tokens(settings, image, max_slice_nums=1) for image in images)
        raise LimitExceeded(
            f"{self.label} reads these pictures in {least} tokens at least; max_visual_tokens is {max_visual_tokens}. "
            f"Allow {least} or more.",
            least,
        )


FAMILY = MiniCPMV46()
