"""Llama 4: pictures on a canvas of square tiles, and a small view of the whole after them.

```
Llama4ForConditionalGeneration
  vision_model.model.layers.{i}.self_attn     one call a layer, batch = tiles, full attention, a class token at the end
  language_model.model.layers.{i}.self_attn   one call a layer, causal, grouped-query; by layer_types over everything or
                                              inside chunks of attention_chunk_size; some without rotary embedding
```
A picture keeps its proportions and lies at the top left of the canvas; one that needs several tiles is read once more,
stretched to one. A token stands for 1 / pixel_shuffle_ratio patches along each side of a tile, row by row.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from transformers import BatchFeature
from transformers.image_processing_backends import PilBackend
from transformers.image_utils import PILImageResampling, SizeDict
from transformers.modeling_outputs import MoeCausalLMOutputWithPast
from transformers.models.llama4.configuration_llama4 import Llama4Config
from transformers.models.llama4.processing_llama4 import Llama4Processor
from transformers.processing_utils import ImagesKwargs

from attention.errors import LimitExceeded, UnsupportedModel
from attention.runs.tokens import Grid

from .cells import cells_of, image_roles, placed, tile_cells, tile_edges
from .family import Family, Inputs, image_only
from .towers import language_tower, vision_tower

if not hasattr(MoeCausalLMOutputWithPast, "image_outputs"):
    # Llama 4 of transformers 5.24 asks its text model's output for them, which has none: every call would fail.
    MoeCausalLMOutputWithPast.image_outputs = None

Layout = tuple[tuple[int, int], tuple[int, int]]  # tiles (down, across), and (height, width) of the picture on them


class Settings(ImagesKwargs, total=False):  # type: ignore[call-arg] # a TypedDict
    """Settings of Llama 4's image processor that others do not have."""

    max_patches: int
    resize_to_max_canvas: bool


class Tiles(PilBackend):
    """The stock image processor's steps in Pillow and torch; the stock one needs torchvision."""

    valid_kwargs = Settings
    resample = PILImageResampling.BILINEAR
    image_mean = image_std = (0.5, 0.5, 0.5)
    size = {"height": 336, "width": 336}  # noqa: RUF012 - as a stock processor says it
    do_resize = do_rescale = do_normalize = do_convert_rgb = True
    max_patches = 16
    resize_to_max_canvas = False

    def layout(self, height: int, width: int, max_patches: int | None = None) -> Layout:
        """The canvas on which a picture has the largest size, of those the smallest, and its size there."""
        side = self.size["height"]
        most = max_patches or self.max_patches
        canvases = [(rows, n // rows) for n in range(most, 0, -1) for rows in range(1, n + 1) if n % rows == 0]
        across, down = np.float32(width), np.float32(height)  # the stock one counts in float32
        scales = [min(np.float32(cols * side) / across, np.float32(rows * side) / down) for rows, cols in canvases]
        larger = [scale for scale in scales if scale >= 1]
        best = max(scales) if not larger else max(larger) if self.resize_to_max_canvas else min(larger)
        tiles = min((canvas for canvas, scale in zip(canvases, scales, strict=True) if scale == best), key=math.prod)
        room = [count * side for count in tiles]
        if not self.resize_to_max_canvas:  # a picture smaller than a tile grows to one, and no further
            room = [min(max(given, side), whole) for given, whole in zip((height, width), room, strict=True)]
        if room[1] / width < room[0] / height:
            read = min(math.floor(height * (room[1] / width)), room[0]), room[1]
        else:
            read = room[0], min(math.floor(width * (room[0] / height)), room[1])
        return tiles, (max(read[0], 1), max(read[1], 1))

    def _preprocess(self, images, *, size, resample, max_patches, return_tensors, **settings):
        views, layouts = [], []
        side = size.height
        for image in images:
            (down, across), (height, width) = self.layout(*image.shape[-2:], max_patches)
            layouts.append([down, across])
            canvas = np.zeros((3, down * side, across * side), image.dtype)
            canvas[:, :height, :width] = self.resize(image, SizeDict(height=height, width=width), resample)
            tiles = canvas.reshape(3, down, side, across, side).transpose(1, 3, 0, 2, 4).reshape(-1, 3, side, side)
            views.append(self._normal(tiles, **settings))
            if len(tiles) > 1:
                views.append(self._normal(self.resize(image, size, resample)[None], **settings))
        data = {"pixel_values": torch.cat(views), "aspect_ratios": layouts}
        return BatchFeature(data, tensor_type=return_tensors)

    @staticmethod
    def _normal(pixels, do_rescale, rescale_factor, do_normalize, image_mean, image_std, **_) -> torch.Tensor:
        """Pixels [tiles, channels, height, width] as the model reads them: computed in bfloat16 where both are done."""
        values = torch.from_numpy(pixels).to(torch.bfloat16 if do_rescale and do_normalize else torch.float32)
        if do_rescale:
            values = values * rescale_factor
        if do_normalize:
            mean, std = (torch.tensor(each, dtype=values.dtype)[:, None, None] for each in (image_mean, image_std))
            values = (values - mean) / std
        return values.float()


class Llama4(Family):
    label = "Llama 4"
    casts_pixels = False

    def load_processor(self, path):
        processor = image_only(Llama4Processor, Tiles).from_pretrained(path)
        self._fit(processor, Llama4Config.from_pretrained(path))
        return processor

    def _fit(self, processor, config):
        if not isinstance(processor.image_processor, Tiles):  # a caller's own, as transformers makes it
            processor.image_processor = Tiles.from_dict(processor.image_processor.to_dict())
        vision, size = config.vision_config, processor.image_processor.size
        if (size["height"], size["width"]) != (vision.image_size, vision.image_size):
            raise UnsupportedModel(
                f"The image processor of this model cuts pictures into tiles of {size['width']}x{size['height']} "
                f"pixels, and its vision tower reads {vision.image_size}x{vision.image_size}. Take "
                "preprocessor_config.json from the model's own repository."
            )
        processor.patch_size, processor.merged = vision.patch_size, round(1 / vision.pixel_shuffle_ratio)

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.language_model.model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(model.vision_model.model.layers)},
        }

    def prepare(self, processor, messages, images, max_visual_tokens):
        most = None
        if images and max_visual_tokens is not None:
            most = self._most_tiles(processor, images, max_visual_tokens)
        tensors, roles = self._read(processor, messages, images, **({"max_patches": most} if most else {}))
        side = processor.image_processor.size["height"]
        layouts = [processor.image_processor.layout(image.height, image.width, most) for image in images]
        grids: list[Grid] = []
        order: dict[str, list] = {"language": [], "vision": []}
        for tower, cell in (("language", processor.patch_size * processor.merged), ("vision", processor.patch_size)):
            n = side // cell
            for i, (image, (tiles, read)) in enumerate(zip(images, layouts, strict=True)):
                scales = image.height / read[0], image.width / read[1]
                edges = (tile_edges(*each) for each in zip(tiles, [side] * 2, [n] * 2, [cell] * 2, scales, strict=True))
                order[tower] += tile_cells(len(grids), tiles, (n, n))
                grids.append(Grid.between(i, tower, "whole", *edges))
                if math.prod(tiles) > 1:
                    covered = n * cell / side  # of the picture by whole patches
                    box = (0, 0, image.width * covered, image.height * covered)
                    grids.append(Grid(i, tower, "thumbnail", box, n, n))
                    order[tower].append(cells_of([(len(grids) - 1, grids[-1])]))
        shown = [cell for tile in order["language"] for cell in tile]
        patch_token = processor.tokenizer.convert_tokens_to_ids(processor.img_patch_token)
        cells = placed(tensors["input_ids"][0].tolist(), patch_token, shown)
        keys = [key for tile in order["vision"] for key in (*tile, None)]
        sizes = [(width, height) for _, (height, width) in layouts]
        return Inputs(tensors, image_roles(roles, cells), cells, grids, {"vision": keys}, sizes)

    def visual_token_limit(self, processor):
        return _tokens(processor, processor.image_processor.max_patches)

    def own_visual_tokens(self, processor, messages, images):
        return [self._tokens_of(processor, image) for image in images]

    def _tokens_of(self, processor, image, most: int | None = None) -> int:
        return _tokens(processor, math.prod(processor.image_processor.layout(image.height, image.width, most)[0]))

    def _most_tiles(self, processor, images, max_visual_tokens: int) -> int:
        """The most tiles with which every picture stays within so many tokens."""
        for most in range(processor.image_processor.max_patches, 0, -1):
            if all(self._tokens_of(processor, image, most) <= max_visual_tokens for image in images):
                return most
        least = _tokens(processor, 1)
        raise LimitExceeded(
            f"{self.label} reads a picture in {least} tokens at least, those of one tile; max_visual_tokens is "
            f"{max_visual_tokens}. Allow {least} or more.",
            least,
        )


def _tokens(processor, tiles: int) -> int:
    """The number of tokens of so many tiles, and of the view of the whole where there are several."""
    of_one = (processor.image_processor.size["height"] // processor.patch_size // processor.merged) ** 2
    return of_one * (tiles + (tiles > 1))


FAMILY = Llama4()
