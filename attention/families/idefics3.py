"""Idefics3 (and the first SmolVLM): pictures cut into tiles, and a small view of the whole after them.

```
Idefics3ForConditionalGeneration
  model.text_model.layers.{i}.self_attn              one call a layer, causal, grouped-query
  model.vision_model.encoder.layers.{i}.self_attn    one call a layer, batch = tiles, full attention, no class token
```
The picture is stretched to rows x cols square tiles; the vision tower reads them row by row, then the whole picture as
one more tile. A picture of a single tile has no second view. An image token stands for scale_factor x scale_factor
patches of a tile, row by row. In the text a tag (`<row_1_col_2>`, `<global-img>`) stands before each tile, and a line
break after each row of tiles.
"""

from __future__ import annotations

from transformers import AutoConfig
from transformers.models.idefics3.image_processing_pil_idefics3 import MAX_IMAGE_SIZE
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor

from attention.errors import LimitExceeded
from attention.runs.tokens import Grid

from .cells import image_roles, placed, tile_cells, tile_edges
from .family import Family, Inputs, image_only
from .towers import language_tower, vision_tower


class ReturnsTiles:
    """Also returns `tiles`, the rows and cols that each picture was cut into (0, 0: not cut); the stock drops them."""

    def _process_images(self, images, **kwargs):
        inputs, replacements = super()._process_images(images, **kwargs)
        inputs["tiles"] = [list(tiles) for tiles in zip(inputs["rows"][0], inputs["cols"][0], strict=True)]
        return inputs, replacements


class TilesProcessor(ReturnsTiles, Idefics3Processor):
    pass


class Idefics3(Family):
    label = "Idefics3"

    processor_class = TilesProcessor

    def load_processor(self, path):
        processor = image_only(self.processor_class).from_pretrained(path)
        self._fit(processor, AutoConfig.from_pretrained(path))
        return processor

    def _fit(self, processor, config):
        processor.patch_size, processor.scale_factor = config.vision_config.patch_size, config.scale_factor

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.text_model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(model.model.vision_model.encoder.layers)},
        }

    def prepare(self, processor, messages, images, max_visual_tokens):
        options = {}
        if images and max_visual_tokens is not None:
            options = self._size_limit(processor, images, max_visual_tokens)
        tensors, roles = self._read(processor, messages, images, **options)
        tiles = [(max(rows, 1), max(cols, 1)) for rows, cols in tensors.pop("tiles").tolist()] if images else []
        return tiled(
            tensors, roles, processor.image_token_id, images, tiles, processor.patch_size, processor.scale_factor
        )

    def visual_token_limit(self, processor):
        return self._tokens(processor, 1, 1)  # of all proportions a square is cut into the most tiles

    def own_visual_tokens(self, processor, messages, images):
        return [self._tokens(processor, *image.size) for image in images]

    def _tokens(self, processor, width, height, **options) -> int:
        """Number of tokens of a picture of this size."""
        tiles, _, _ = processor.image_processor.get_number_of_image_patches(height, width, options)
        return max(tiles, 1) * processor.image_seq_len  # it says 0 for a picture that is not cut

    def _size_limit(self, processor, images, max_visual_tokens) -> dict:
        """Options for the most tiles along the longer side that keep every image within so many tokens."""
        if max_visual_tokens >= self.visual_token_limit(processor):
            return {}
        least = processor.image_seq_len
        if max_visual_tokens < least:
            raise LimitExceeded(
                f"{self.label} reads a picture in {least} tokens at least, those of one tile; max_visual_tokens is "
                f"{max_visual_tokens}. Allow {least} or more.",
                least,
            )
        tile = processor.image_processor.max_image_size["longest_edge"]
        most = min(processor.image_processor.size["longest_edge"], MAX_IMAGE_SIZE) // tile
        for n_tiles in range(most, 1, -1):  # along the longer side
            size = {"longest_edge": n_tiles * tile}
            if all(self._tokens(processor, *image.size, size=size) <= max_visual_tokens for image in images):
                return {"do_resize": True, "size": size}
        return {"do_image_splitting": False}


def tiled(tensors, roles, image_token_id, images, tiles, patch, merge, class_tokens=0, whole_first=False) -> Inputs:
    """Inputs of pictures that were cut into (rows, cols) `tiles`.

    Where there are several, the whole comes after them (`whole_first`: before them).

    `pixel_values` are as large as a tile. All tiles of a picture are one grid. A token stands for merge x merge
    patches; in the vision tower each tile has `class_tokens` before its patches.
    """
    sides = tensors["pixel_values"].shape[-2:] if images else (0, 0)  # height, width of a tile
    grids: list = []
    order: dict[str, list] = {"language": [], "vision": []}
    for tower, cell in (("language", patch * merge), ("vision", patch)):
        size = (sides[0] // cell, sides[1] // cell)
        for image, cut in zip(range(len(images)), tiles, strict=True):
            for kind, (down, across) in _views(cut, whole_first):
                height, width = images[image].height / down, images[image].width / across  # of a tile on the picture
                rows = tile_edges(down, sides[0], size[0], cell, height / sides[0])
                cols = tile_edges(across, sides[1], size[1], cell, width / sides[1])
                order[tower] += tile_cells(len(grids), (down, across), size)
                grids.append(Grid.between(image, tower, kind, rows, cols))
    cells = placed(
        tensors["input_ids"][0].tolist(), image_token_id, [cell for tile in order["language"] for cell in tile]
    )
    keys = [key for tile in order["vision"] for key in [*[None] * class_tokens, *tile]]
    read = [(across * sides[1], down * sides[0]) for down, across in tiles]
    return Inputs(tensors, image_roles(roles, cells), cells, grids, {"vision": keys}, read)


def _views(tiles: tuple[int, int], whole_first: bool) -> list[tuple[str, tuple[int, int]]]:
    """Views of a picture of so many tiles, in order: (kind, its tiles)."""
    views = [("whole", tiles), *([("thumbnail", (1, 1))] if tiles[0] * tiles[1] > 1 else [])]
    return views[::-1] if whole_first else views


FAMILY = Idefics3()
