"""Qwen3-VL: ChatML conversations, one token for each 2x2 block of 16-px patches.

```
Qwen3VLForConditionalGeneration
  model.language_model.layers.{i}.self_attn    one call a layer, causal, grouped-query
  model.visual.blocks.{i}.attn                 one call for each image, full attention over its patches
```
An image token stands for merge_size x merge_size patches; tokens are row by row over the grid of blocks. In the vision
tower the patches of a block are neighbours in the sequence: block by block, and row by row inside a block.
"""

from __future__ import annotations

from typing import ClassVar

from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor

from attention.coordinates import THOUSANDTHS
from attention.runs.tokens import Grid

from .family import (
    Cell,
    Family,
    Inputs,
    TowerShape,
    cells_of,
    coloured,
    image_only,
    image_roles,
    language_tower,
    placed,
)


class Qwen3VL(Family):
    label = "Qwen3-VL"
    coordinates: ClassVar[str | None] = THOUSANDTHS
    processor_class = Qwen3VLProcessor
    takes_entry_sizes = True
    ends_rows = False  # whether an image token that stands for no cell ends each row of a picture's tokens

    def load_processor(self, path):
        return image_only(self.processor_class).from_pretrained(path)

    def towers(self, config):
        vision = config.vision_config
        return {
            "language": language_tower(config.text_config),
            "vision": TowerShape(
                tuple(range(vision.depth)), vision.num_heads, vision.num_heads, vision.hidden_size // vision.num_heads
            ),
        }

    def attention_modules(self, model):
        layers = model.model.language_model.layers
        return {
            "language": {i: layers[i].self_attn for i in language_tower(model.config.text_config).layers},
            "vision": {i: block.attn for i, block in enumerate(model.model.visual.blocks)},
        }

    def prepare(self, processor, messages, images, max_visual_tokens):
        options, given = {}, images
        entries = [entry for message in messages for entry in message["content"] if entry["type"] == "image"]
        if any(set(entry) - {"type"} for entry in entries):
            given, options["size"] = self._resized(processor.image_processor, images, entries, max_visual_tokens)
        elif images and max_visual_tokens is not None:
            options["size"] = self._size_limit(processor.image_processor, images, max_visual_tokens)
        tensors, roles = self._read(processor, messages, given, **options)
        patch, merge = processor.image_processor.patch_size, processor.image_processor.merge_size
        read = [tuple(thw[1:]) for thw in tensors["image_grid_thw"].tolist()] if images else []  # rows, cols of patches
        boxes = [(0, 0, *image.size) for image in images]
        grids = [
            *(
                Grid(i, "language", "whole", boxes[i], rows // merge, cols // merge)
                for i, (rows, cols) in enumerate(read)
            ),
            *(Grid(i, "vision", "whole", boxes[i], rows, cols) for i, (rows, cols) in enumerate(read)),
        ]
        towers = [list(enumerate(grids))[: len(images)], list(enumerate(grids))[len(images) :]]
        tokens = [cell for each in towers[0] for cell in self._tokens(each)]
        cells = placed(tensors["input_ids"][0].tolist(), processor.image_token_id, tokens)
        keys = [(index, *place) for index, grid in towers[1] for place in self._patches(grid.rows, grid.cols, merge)]
        sizes = [(cols * patch, rows * patch) for rows, cols in read]
        return Inputs(tensors, image_roles(roles, cells), cells, grids, {"vision": keys}, sizes)

    def pictures_of(self, processor, tensors):
        reading = processor.image_processor
        patch, merge, frames = reading.patch_size, reading.merge_size, reading.temporal_patch_size
        pictures, start = [], 0
        for _, rows, cols in tensors["image_grid_thw"].tolist():
            patches = tensors["pixel_values"][
                start : start + rows * cols
            ]  # block by block; a picture is all its frames
            start += rows * cols
            patches = patches.reshape(rows // merge, cols // merge, merge, merge, 3, frames, patch, patch)[
                :, :, :, :, :, 0
            ]
            pixels = patches.permute(4, 0, 2, 5, 1, 3, 6).reshape(3, rows * patch, cols * patch)
            pictures.append(coloured(reading, pixels))
        return pictures

    def visual_token_limit(self, processor):
        image_processor = processor.image_processor
        return image_processor.size["longest_edge"] // (image_processor.patch_size * image_processor.merge_size) ** 2

    def own_visual_tokens(self, processor, messages, images):
        image_processor = processor.image_processor
        patches = [self._patch_count(image_processor, image, {}) for image in images]
        return [count // image_processor.merge_size**2 for count in patches]

    def _resized(self, image_processor, images, entries, max_visual_tokens) -> tuple[list[Image.Image], dict[str, int]]:
        """The pictures as the processor resizes each by the limits of its entry, and limits that leave them so.

        The processor takes one pair of limits for all pictures of a call.
        """
        factor, resized = image_processor.patch_size * image_processor.merge_size, []
        for image, entry in zip(images, entries, strict=True):
            limits = image_processor.size
            if max_visual_tokens is not None and not set(entry) - {"type"}:
                limits = self._size_limit(image_processor, [image], max_visual_tokens)
            least, most = limits["shortest_edge"], limits["longest_edge"]
            least, most = entry.get("min_pixels", least), entry.get("max_pixels", most)
            height, width = smart_resize(image.height, image.width, factor, least, most)
            resized.append(image.resize((width, height), image_processor.resample))
        areas = [image.width * image.height for image in resized]
        return resized, {"shortest_edge": min(areas), "longest_edge": max(areas)}

    def _size_limit(self, image_processor, images, max_visual_tokens) -> dict[str, int]:
        """Limits in pixels that keep every one of these images within so many tokens.

        The processor rounds up from its lower limit, and gives thin pictures one cell across at least: both may
        overstep the upper limit.
        """
        patches = max_visual_tokens * image_processor.merge_size**2
        largest = patches * image_processor.patch_size**2
        smallest = min(image_processor.size["shortest_edge"], largest)

        def oversteps(**limits: int) -> bool:
            limits = limits or {"min_pixels": smallest, "max_pixels": largest}
            return any(self._patch_count(image_processor, image, limits) > patches for image in images)

        least, most = image_processor.size["shortest_edge"], image_processor.size["longest_edge"]
        if largest <= most and not oversteps(min_pixels=least, max_pixels=most):
            return {"shortest_edge": least, "longest_edge": most}  # a smaller one would round to fewer
        while smallest > 1 and oversteps():
            smallest //= 2
        while oversteps():
            largest = largest * 9 // 10
        return {"shortest_edge": smallest, "longest_edge": largest}

    def _patch_count(self, image_processor, image, limits: dict[str, int]) -> int:
        """The number of patches of a picture within limits, min_pixels and max_pixels."""
        return image_processor.get_number_of_image_patches(image.height, image.width, limits)

    def _tokens(self, indexed: tuple[int, Grid]) -> list[Cell | None]:
        """The cells of a grid (index, grid) in the order of its image tokens."""
        cells: list[Cell | None] = [*cells_of([indexed])]
        if not self.ends_rows:
            return cells
        cols = indexed[1].cols
        return [cell for start in range(0, len(cells), cols) for cell in (*cells[start : start + cols], None)]

    def _patches(self, rows: int, cols: int, merge: int) -> list[tuple[int, int]]:
        """The patches of a picture in the order in which the vision tower has them: block by block."""
        return [
            (row, col)
            for block_row in range(0, rows, merge)
            for block_col in range(0, cols, merge)
            for row in range(block_row, block_row + merge)
            for col in range(block_col, block_col + merge)
        ]


FAMILY = Qwen3VL()
