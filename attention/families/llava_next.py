"""LLaVA-NeXT: a small view of the whole picture, then a fine map of it put together from tiles.

```
LlavaNextForConditionalGeneration
  model.language_model.layers.{i}.self_attn         one call a layer, causal
  model.vision_tower.encoder.layers.{i}.self_attn   one call with a batch of views, full attention over patches
```
The picture is fitted, proportions kept, into one of the `image_grid_pinpoints`, black around it, and cut into tiles
of the tower's size. The tower reads, picture by picture, the whole picture squeezed into one tile, then the tiles row
by row (not the empty ones that even out a batch of pictures). Image tokens are the small view's patches, row by row;
then the patches of all tiles as one map, less whole rows or columns of padding, each row ending in a newline token. A
picture may be so thin that nothing is left of this map, or only its newlines.

Where a tile is no multiple of the patch size (SigLIP: 27 patches of 14 in 384 pixels), the tower does not see its last
pixels. In the one map of all tiles these belong to the tile's last row and column of cells, which are therefore larger;
what the tiles at its end do not see lies outside of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from transformers.image_processing_utils import get_patch_output_size, select_best_resolution
from transformers.image_utils import ChannelDimension
from transformers.models.llava_next.modeling_llava_next import unpad_image
from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor

from attention.errors import LimitExceeded, UnsupportedModel, quoted
from attention.runs.tokens import Grid

from .cells import cells_of, image_roles, lines, placed
from .family import Family, Inputs
from .llava import Llava, Placement, tower_keys


@dataclass(frozen=True)
class Tiling:
    """Cut of a picture. `tiles` (rows, cols) make the canvas, on which the picture has `size` and lies at `corner`.

    The map that the language model gets of them has rows and columns with these edges, on the canvas.
    """

    tiles: tuple[int, int]
    size: tuple[int, int]  # height, width
    corner: tuple[int, int]  # top, left
    row_edges: tuple[float, ...]
    col_edges: tuple[float, ...]


class LlavaNext(Llava):
    label = "LLaVA-NeXT"
    processor_class = LlavaNextProcessor
    unpad_image = staticmethod(unpad_image)

    def _fit(self, processor, config):
        super()._fit(processor, config)
        image_processor = processor.image_processor
        ours, models = ([list(size) for size in of.image_grid_pinpoints] for of in (image_processor, config))
        if ours != models:
            raise UnsupportedModel(
                "config.json and the image processor of this model list different image_grid_pinpoints, so the model "
                "would not understand what the processor gives it. Make them the same."
            )
        size, crop = image_processor.size, image_processor.crop_size
        sides = {size.height or size.shortest_edge, size.width or size.shortest_edge}
        if image_processor.do_center_crop:
            sides |= {crop.height, crop.width}
        if sides != {processor.image_size}:
            raise UnsupportedModel(
                f"The image processor of this model makes tiles of {sorted(sides)} pixels, its vision tower reads "
                f"{processor.image_size}. Make them the same."
            )
        strategy, n_class = processor.vision_feature_select_strategy, processor.num_additional_image_tokens
        if (strategy == "default") != (n_class == 1):
            raise UnsupportedModel(
                f"vision_feature_select_strategy {quoted(strategy)} does not leave the patches alone of a vision tower "
                f"with {n_class} class tokens, so they make no map."
            )

    def pictures_of(self, processor, tensors):
        return Family.pictures_of(self, processor, tensors)  # of tiles, not as LLaVA 1.5

    def prepare(self, processor, messages, images, max_visual_tokens):
        given = images
        if max_visual_tokens is not None:
            given = [self._within(processor, image, max_visual_tokens) for image in images]
        tensors, roles = self._read(processor, messages, given)
        read_as = tensors["image_sizes"].tolist() if images else []
        grids, features, keys, sizes = [], [], [], []
        for i, (image, (height, width)) in enumerate(zip(images, read_as, strict=True)):
            tiling = self._tiling(processor, height, width)
            small, fine, *views = self._grids(processor, i, image, tiling)
            features += cells_of([(len(grids), small)]) + lines(len(grids) + 1, fine)
            grids += [small, fine] if fine.rows and fine.cols else [small]
            for view in views:
                keys += tower_keys(processor, len(grids), view)
                grids.append(view)
            sizes.append(tiling.size[::-1])
        cells = placed(tensors["input_ids"][0].tolist(), processor.image_token_id, features)
        return Inputs(tensors, image_roles(roles, cells), cells, grids, {"vision": keys}, sizes)

    def visual_token_limit(self, processor):
        n = processor.image_size // processor.patch_size

        def largest(rows, cols):
            """The largest map of so many patches, or of less where a picture does not fill it."""
            filled = [*((row + 1, cols) for row in range(rows)), *((rows, col + 1) for col in range(cols))]
            return max(
                processor._get_unpadded_features(height, width, n, n, rows // n, cols // n)[0]
                for height, width in filled
            )

        side, canvases = processor.image_size, processor.image_processor.image_grid_pinpoints
        return n * n + max(largest(height // side * n, width // side * n) for height, width in canvases)

    def own_visual_tokens(self, processor, messages, images):
        return [self._n_cells(processor, image.height, image.width) for image in images]

    def _tiling(self, processor, height: int, width: int) -> Tiling:
        """By the functions of the processor and of the model, so that neither parts from this."""
        side, patch = processor.image_size, processor.patch_size
        n = side // patch
        canvas = select_best_resolution((height, width), processor.image_processor.image_grid_pinpoints)
        size = _fitted(height, width, canvas)
        (top, _), (left, _) = processor.image_processor._get_padding_size(size, canvas)
        tiles = canvas[0] // side, canvas[1] // side
        n_patches, n_lines = processor._get_unpadded_features(height, width, n, n, *tiles)
        n_cols = n_patches // n_lines if n_lines else 0
        across = tiles[1] * n
        every = torch.arange(tiles[0] * n * across).view(1, tiles[0] * n, across)
        kept = self.unpad_image(every, (height, width))[0]
        row_edges = _edges((kept[:, :1] // across).flatten().tolist(), n_lines, side, patch)
        col_edges = _edges((kept[:1] % across).flatten().tolist(), n_cols, side, patch)
        return Tiling(tiles, size, (top, left), row_edges, col_edges)

    def _grids(self, processor, index: int, image: Image.Image, tiling: Tiling) -> list[Grid]:
        """The small view and the fine map, which may be empty, for the language model; all views of the tower."""
        side, (rows, cols) = processor.image_size, tiling.tiles
        n = side // processor.patch_size
        seen = n * processor.patch_size
        small = Placement((image.width / side, image.height / side), (0, 0)).box(0, 0, seen, seen)
        scale_x, scale_y = image.width / tiling.size[1], image.height / tiling.size[0]
        top, left = tiling.corner
        on_picture = Placement((scale_x, scale_y), (-left * scale_x, -top * scale_y)).box
        row_edges = [(y - top) * scale_y for y in tiling.row_edges]
        col_edges = [(x - left) * scale_x for x in tiling.col_edges]
        fine = Grid.between(index, "language", "whole", row_edges, col_edges)
        return [
            Grid(index, "language", "thumbnail" if fine.rows and fine.cols else "whole", small, n, n),
            fine,
            Grid(index, "vision", "thumbnail", small, n, n),
            *(
                Grid(index, "vision", "tile", on_picture(x, y, x + seen, y + seen), n, n)
                for y in range(0, rows * side, side)
                for x in range(0, cols * side, side)
            ),
        ]

    def _n_cells(self, processor, height: int, width: int) -> int:
        tiling = self._tiling(processor, height, width)
        n_fine = (len(tiling.row_edges) - 1) * (len(tiling.col_edges) - 1)
        return (processor.image_size // processor.patch_size) ** 2 + n_fine

    def _within(self, processor, image: Image.Image, max_visual_tokens: int) -> Image.Image:
        """The picture, or as much of its size as is read in so many tokens: the model knows tiles by the size alone."""
        n_cells = self._n_cells(processor, image.height, image.width)
        if n_cells <= max_visual_tokens:
            return image
        canvases = processor.image_processor.image_grid_pinpoints
        sizes = {_fitted(image.height, image.width, canvas) for canvas in canvases}
        smaller = [size for size in sizes if size[0] * size[1] < image.height * image.width]
        found = {size: self._n_cells(processor, *size) for size in smaller}
        fits = [(n, size) for size, n in found.items() if n <= max_visual_tokens]
        if not fits:
            least = min([n_cells, *found.values()])
            raise LimitExceeded(
                f"{self.label} reads a picture of {image.width}x{image.height} pixels in {least:,} tokens at least; "
                f"the limit is {max_visual_tokens:,}. Raise max_visual_tokens or leave it out.",
                least,
            )
        _, (height, width) = max(fits)
        return image.resize((width, height), processor.image_processor.resample)


def _edges(patches: list[int], count: int, side: int, patch: int) -> tuple[float, ...]:
    """Edges on the canvas of `count` rows (or columns) of cells made of these neighbouring rows of patches.

    Patch p of tile t begins at t * side + p * patch. Cells tile the picture, so what a tile leaves unread before the
    next one belongs to its last cells. Where there are fewer cells than patches, each is an equal share of them.
    """
    n = side // patch
    begin = [place // n * side + place % n * patch for place in patches or [0]]
    edges = [*begin, begin[-1] + patch]
    return tuple(np.interp(np.linspace(0, len(begin), count + 1), range(len(edges)), edges).tolist())


def _fitted(height: int, width: int, canvas: tuple[int, int]) -> tuple[int, int]:
    """A picture's size (height, width), proportions kept, on a canvas."""
    return get_patch_output_size(np.broadcast_to(np.uint8(0), (1, height, width)), canvas, ChannelDimension.FIRST)


FAMILY = LlavaNext()
