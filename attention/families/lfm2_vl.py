"""LFM2-VL: pictures whole, or cut into tiles with a small view of the whole after them; some layers are convolutions.

```
Lfm2VlForConditionalGeneration
  model.language_model.layers.{i}.self_attn      in layers of kind full_attention: one call, causal, grouped-query
  model.language_model.layers.{i}.conv           in the others (conv): short convolutions, nothing that could be kept
  model.vision_tower.encoder.layers.{i}.self_attn  one call a layer, batch = views, full attention over the patches of
                                                 each, behind which padding stands that no patch reads
```
A picture that is too large for one view is stretched to rows x cols square tiles, read row by row; then the whole is
one more view, of its own proportions. A picture that fits is that view alone. A token stands for downsample_factor x
downsample_factor patches, row by row. In the text a tag stands before each tile (`<|img_row_1_col_2|>`) and before the
small view (`<|img_thumbnail|>`).

transformers makes these views with torchvision alone: `Views` makes them with Pillow, by the same rules.
"""

from __future__ import annotations

import math

import torch
from transformers.image_processing_backends import PilBackend
from transformers.image_processing_utils import BatchFeature
from transformers.image_utils import PILImageResampling, SizeDict
from transformers.models.lfm2_vl.processing_lfm2_vl import Lfm2VlProcessor
from transformers.models.siglip2.image_processing_pil_siglip2 import convert_image_to_patches, pad_along_first_dim
from transformers.processing_utils import ImagesKwargs

from attention.errors import InvalidRequest, LimitExceeded
from attention.runs.tokens import Grid

from .cells import image_roles, placed, tile_cells
from .family import Family, Inputs, image_only
from .towers import language_tower, vision_tower


class ViewSettings(ImagesKwargs, total=False):  # type: ignore[call-arg]  # a TypedDict, which transformers hides
    downsample_factor: int
    do_image_splitting: bool
    min_tiles: int
    max_tiles: int
    use_thumbnail: bool
    min_image_tokens: int
    max_image_tokens: int
    encoder_patch_size: int
    tile_size: int
    max_pixels_tolerance: float
    return_row_col_info: bool


class Views(PilBackend):
    """The image processor, with the settings and defaults of transformers' own."""

    valid_kwargs = ViewSettings
    downsample_factor, encoder_patch_size, tile_size = 2, 16, 512
    do_image_splitting, min_tiles, max_tiles, use_thumbnail = True, 2, 10, True
    min_image_tokens, max_image_tokens, max_pixels_tolerance = 64, 256, 2.0
    do_resize, size, resample = True, {"height": 512, "width": 512}, PILImageResampling.BILINEAR
    do_rescale, rescale_factor, do_normalize = True, 1 / 255, True
    image_mean = image_std = (0.5, 0.5, 0.5)
    return_row_col_info = False
    model_input_names = ("pixel_values", "pixel_attention_mask", "spatial_shapes")

    def layout(self, height: int, width: int, **options) -> tuple[tuple[int, int], tuple[int, int]]:
        """The (rows, cols) of tiles that a picture is cut into, and the (height, width) of the view of all of it."""
        given = {name: options.get(name, getattr(self, name)) for name in ViewSettings.__annotations__}
        cell = given["encoder_patch_size"] * given["downsample_factor"]
        least, most = (given[name] * cell**2 for name in ("min_image_tokens", "max_image_tokens"))
        high, wide = (round(side / cell) * cell for side in (height, width))
        patch = given["encoder_patch_size"]
        is_large = max(patch, high) * max(patch, wide) > most * given["max_pixels_tolerance"]
        view = max(cell, high), max(cell, wide)
        if view[0] * view[1] > most:
            shrink = math.sqrt(height * width / most)
            view = tuple(max(cell, math.floor(side / shrink / cell) * cell) for side in (height, width))
        elif view[0] * view[1] < least:
            grow = math.sqrt(least / (height * width))
            view = tuple(math.ceil(side * grow / cell) * cell for side in (height, width))
        fewest, most_tiles = given["min_tiles"], given["max_tiles"]
        if not is_large or not given["do_image_splitting"] or fewest == most_tiles == 1:
            return (1, 1), view
        cuts = [(down, across) for across in range(1, most_tiles + 1) for down in range(1, most_tiles // across + 1)]
        cuts = sorted((cut for cut in cuts if math.prod(cut) >= fewest), key=math.prod)
        nearest = min(abs(width / height - across / down) for down, across in cuts)
        near = [cut for cut in cuts if abs(width / height - cut[1] / cut[0]) == nearest]
        # of equally good ones the largest that the picture fills by half
        filled = [cut for cut in near[1:] if height * width > 0.5 * given["tile_size"] ** 2 * math.prod(cut)]
        return [near[0], *filled][-1], view

    def _preprocess(self, images, resample, rescale_factor, image_mean, image_std, return_tensors, **given):
        layouts = [self.layout(*image.shape[-2:], **given) for image in images]
        patch, side = given["encoder_patch_size"], given["tile_size"]
        most = given["max_image_tokens"] * given["downsample_factor"] ** 2
        most = max(most, (side // patch) ** 2 if given["do_image_splitting"] else 0)
        views = []
        for image, ((down, across), whole) in zip(images, layouts, strict=True):
            if (down, across) != (1, 1):
                large = self.resize(image, SizeDict(height=down * side, width=across * side), resample)
                tiles = large.reshape(-1, down, side, across, side).transpose(1, 3, 0, 2, 4)
                views += list(tiles.reshape(down * across, -1, side, side))
            if (down, across) == (1, 1) or given["use_thumbnail"]:
                views.append(self.resize(image, SizeDict(height=whole[0], width=whole[1]), resample))
        values, masks, shapes = [], [], []
        for pixels in views:
            scaled = self.rescale(pixels, rescale_factor) if given["do_rescale"] else pixels
            view = self.normalize(scaled, image_mean, image_std) if given["do_normalize"] else scaled
            padded, mask = pad_along_first_dim(convert_image_to_patches(view, patch), most)
            values.append(torch.from_numpy(padded))
            masks.append(torch.from_numpy(mask))
            shapes.append([view.shape[-2] // patch, view.shape[-1] // patch])
        if any(len(value) != len(values[0]) for value in values):
            raise InvalidRequest(
                f"One of these pictures is so long and thin that its view takes more than {most} patches, which the "
                "model's processor cannot put beside others. Crop it, or give it alone without tiles."
            )
        data = {
            "pixel_values": torch.stack(values),
            "pixel_attention_mask": torch.stack(masks),
            "spatial_shapes": shapes,
        }
        if given["return_row_col_info"]:
            (rows, cols), sizes = zip(*(cut for cut, _ in layouts), strict=True), [list(view) for _, view in layouts]
            data |= {"image_rows": list(rows), "image_cols": list(cols), "image_sizes": sizes}
        return BatchFeature(data, tensor_type=return_tensors)


class ViewsProcessor(Lfm2VlProcessor):
    """Also returns how each picture was cut; the stock drops that."""

    unused_input_names = ("token_type_ids",)


class Lfm2VL(Family):
    label = "LFM2-VL"
    processor_class = ViewsProcessor

    def load_processor(self, path):
        return image_only(ViewsProcessor, Views).from_pretrained(path)

    def _fit(self, processor, config):
        if not isinstance(processor.image_processor, Views):
            processor.image_processor = Views.from_dict(processor.image_processor.to_dict())

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def attention_modules(self, model):
        layers, tower = model.model.language_model.layers, model.model.vision_tower
        return {
            "language": {i: layers[i].self_attn for i in language_tower(model.config.text_config).layers},
            "vision": {i: layer.self_attn for i, layer in enumerate(tower.encoder.layers)},
        }

    def prepare(self, processor, messages, images, max_visual_tokens):
        settings = processor.image_processor
        options = {}
        if images and max_visual_tokens is not None:
            options = self._size_limit(settings, images, max_visual_tokens)
        tensors, roles = self._read(processor, messages, images, **options)
        cut = [tensors.pop(name).tolist() if images else [] for name in ("image_rows", "image_cols", "image_sizes")]
        patch, side = settings.encoder_patch_size, settings.tile_size
        grids: list = []
        order: dict[str, list] = {"language": [], "vision": []}
        sizes, lengths = [], []
        for index, (down, across, view) in enumerate(zip(*cut, strict=True)):
            views = [((down, across), (side, side))] if down * across > 1 else []
            views += [((1, 1), view)] if not views or settings.use_thumbnail else []
            sizes.append((across * side, down * side) if down * across > 1 else (view[1], view[0]))
            for tower, pixels in (("language", patch * settings.downsample_factor), ("vision", patch)):
                for number, (tiles, (height, width)) in enumerate(views):
                    size = height // pixels, width // pixels
                    cells = tile_cells(len(grids), tiles, size)
                    if tower == "vision":
                        lengths += [len(tile) for tile in cells]  # behind them is padding
                    order[tower] += [cell for tile in cells for cell in tile]
                    kind = "thumbnail" if number else "whole"
                    rows, cols = tiles[0] * size[0], tiles[1] * size[1]
                    grids.append(Grid(index, tower, kind, (0, 0, *images[index].size), rows, cols))
        cells = placed(tensors["input_ids"][0].tolist(), processor.image_token_id, order["language"])
        keys, padded = {"vision": order["vision"]}, {"vision": lengths} if images else {}
        return Inputs(tensors, image_roles(roles, cells), cells, grids, keys, sizes, padded)

    def visual_token_limit(self, processor):
        settings = processor.image_processor
        tiles = settings.max_tiles if settings.do_image_splitting and settings.max_tiles > 1 else 0
        whole = settings.max_image_tokens if not tiles or settings.use_thumbnail else 0
        return max(tiles * self._per_tile(settings) + whole, settings.max_image_tokens)

    def own_visual_tokens(self, processor, messages, images):
        return [self._tokens(processor.image_processor, image) for image in images]

    @staticmethod
    def _per_tile(settings) -> int:
        return (settings.tile_size // (settings.encoder_patch_size * settings.downsample_factor)) ** 2

    def _tokens(self, settings, image, **options) -> int:
        """Number of tokens of a picture."""
        (down, across), view = settings.layout(image.height, image.width, **options)
        whole = math.prod(view) // (settings.encoder_patch_size * settings.downsample_factor) ** 2
        if down * across == 1:
            return whole
        return down * across * self._per_tile(settings) + (whole if settings.use_thumbnail else 0)

    def _size_limit(self, settings, images, max_visual_tokens) -> dict:
        """Options for the most tiles, or else the largest views, that keep every image within so many tokens."""

        def fits(**options) -> bool:
            return all(self._tokens(settings, image, **options) <= max_visual_tokens for image in images)

        if fits():
            return {}
        for most in range(settings.max_tiles - 1, settings.min_tiles - 1, -1):
            if fits(max_tiles=most):
                return {"max_tiles": most}
        for most in range(min(max_visual_tokens, settings.max_image_tokens), 0, -1):
            least = min(most, settings.min_image_tokens)
            options = {"do_image_splitting": False, "max_image_tokens": most, "min_image_tokens": least}
            if fits(**options):
                return options
        needed = max(self._tokens(settings, image, **options) for image in images)
        raise LimitExceeded(
            f"{self.label} reads these pictures in {needed} tokens at least; max_visual_tokens is {max_visual_tokens}. "
            f"Allow {needed} or more.",
            needed,
        )


FAMILY = Lfm2VL()
