"""Gemma 3: every view of a picture is a square of tokens, which read each other both ways.

```
Gemma3ForConditionalGeneration
  model.vision_tower.encoder.layers.{i}.self_attn   one call a layer with a batch entry for each view, full attention
  model.multi_modal_projector                       averages kernel_size x kernel_size patches into one token
  model.language_model.layers.{i}.self_attn         one call a layer, grouped-query; sliding or full by layer_types,
                                                    causal except inside one view's tokens (token_type_ids 1)
```
A view is the whole picture stretched to a square. With pan & scan, crops of a long picture are views after it. The
stock processor crops only where a call asks for it, whatever preprocessor_config.json says, and so does this. Each view
stands in the text between <start_of_image> and <end_of_image>, its tokens row by row; patches are row by row as well.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from transformers.models.gemma3.configuration_gemma3 import Gemma3Config
from transformers.models.gemma3.modeling_gemma3 import Gemma3MultiModalProjector
from transformers.models.gemma3.processing_gemma3 import Gemma3Processor

from attention.coordinates import THOUSANDTHS
from attention.errors import LimitExceeded
from attention.runs.tokens import Grid

from .cells import cells_of, image_roles, placed
from .family import Family, Inputs, coloured, image_only
from .towers import language_tower, vision_tower

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 on the picture, in its pixels


class Gemma3(Family):
    label = "Gemma 3"
    coordinates: ClassVar[str | None] = THOUSANDTHS
    takes_pan_and_scan = True
    y_first_keys = frozenset({"box_2d", "point"})

    processor_class = Gemma3Processor

    def load_processor(self, path):
        processor = image_only(self.processor_class).from_pretrained(path)
        self._fit(processor, Gemma3Config.from_pretrained(path))
        return processor

    def _fit(self, processor, config):
        with torch.device("meta"):
            processor.pooling = Gemma3MultiModalProjector(config).kernel_size  # as the model itself works it out
        processor.patch_size = config.vision_config.patch_size

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(model.model.vision_tower.encoder.layers)},
        }

    def prepare(self, processor, messages, images, max_visual_tokens):
        if images and max_visual_tokens is not None and max_visual_tokens < processor.image_seq_length:
            raise LimitExceeded(
                f"This model reads every picture as {processor.image_seq_length} tokens and cannot read it in "
                f"{max_visual_tokens}. Raise max_visual_tokens to {processor.image_seq_length}.",
                processor.image_seq_length,
            )
        options = _pan_and_scan(processor, max_visual_tokens) if _asks_for_crops(messages) and images else {}
        tensors, roles = self._read(processor, messages, images, **options)
        views = [_views(processor.image_processor, image, options) for image in images]
        side = tensors["pixel_values"].shape[-1] if images else 0  # of a view as read, in pixels
        patch = processor.patch_size
        grids = [
            _grid(i, tower, kind, box, side, cell)
            for tower, cell in (("language", patch * processor.pooling), ("vision", patch))
            for i, boxes in enumerate(views)
            for kind, box in zip(_kinds(len(boxes)), boxes, strict=True)
        ]
        shown, patches = (
            cells_of((i, grid) for i, grid in enumerate(grids) if grid.tower == tower)
            for tower in ("language", "vision")
        )
        cells = placed(tensors["input_ids"][0].tolist(), self.image_token(processor), shown)
        sizes = [tuple(side * n for n in _finest(boxes)) for boxes in views]
        return Inputs(tensors, image_roles(roles, cells), cells, grids, {"vision": patches}, sizes)

    def pictures_of(self, processor, tensors):
        """Each view as a picture of its own: crops of a picture (pan & scan) stand in the text as it does."""
        return [coloured(processor.image_processor, values) for values in tensors["pixel_values"]]

    def image_token(self, processor) -> int:
        """The id of a picture's tokens; the stock processor has that of its placeholder by this name."""
        return processor.tokenizer.image_token_id

    def visual_token_limit(self, processor):
        return processor.image_seq_length

    def own_visual_tokens(self, processor, messages, images):
        options = _pan_and_scan(processor, None) if _asks_for_crops(messages) else {}
        views = [_views(processor.image_processor, image, options) for image in images]
        return [len(boxes) * processor.image_seq_length for boxes in views]


def _asks_for_crops(messages: list[dict]) -> bool:
    return any(entry.get("pan_and_scan") for message in messages for entry in message["content"])


def _pan_and_scan(processor, max_visual_tokens: int | None) -> dict:
    """The options that make the processor crop, so that each picture stays within so many tokens; {} for no crop.

    As the folder's image processor says, and where it says nothing, as the stock processor does.
    """
    said = {name: getattr(processor.image_processor, name, None) for name in processor.images_kwargs}
    options = {
        name: default if said[name] is None else said[name]
        for name, default in processor.images_kwargs.items()
        if name.startswith("pan_and_scan")
    }
    if max_visual_tokens is not None:
        crops = min(options["pan_and_scan_max_num_crops"], max_visual_tokens // processor.image_seq_length - 1)
        if crops < 2:
            return {}  # one crop is the picture once more
        options["pan_and_scan_max_num_crops"] = crops
    return {"do_pan_and_scan": True, **options}


def _views(image_processor, image, options: dict) -> list[Box]:
    """The places of a picture's views: itself, then its crops as the processor cuts them."""
    whole = (0, 0, *image.size)
    if not options:
        return [whole]
    settings = {name: value for name, value in options.items() if name != "do_pan_and_scan"}
    shape = (1, image.height, image.width)
    across = image_processor.pan_and_scan(np.broadcast_to(np.arange(image.width), shape), **settings)
    down = image_processor.pan_and_scan(np.broadcast_to(np.arange(image.height)[:, None], shape), **settings)
    return [whole] + [
        tuple(map(float, (x[0, 0, 0], y[0, 0, 0], x[0, -1, -1] + 1, y[0, -1, -1] + 1)))
        for x, y in zip(across, down, strict=True)
    ]


def _kinds(n_views: int) -> list[str]:
    return ["whole"] if n_views == 1 else ["thumbnail"] + ["tile"] * (n_views - 1)


def _grid(image: int, tower: str, kind: str, box: Box, side: int, cell: int) -> Grid:
    """A view of side x side pixels as cells of so many; what is left beside whole ones, no cell reads."""
    x0, y0, x1, y1 = box
    n = side // cell
    covered = n * cell / side
    return Grid(image, tower, kind, (x0, y0, x0 + (x1 - x0) * covered, y0 + (y1 - y0) * covered), n, n)


def _finest(boxes: list[Box]) -> tuple[int, int]:
    """The number of views side by side, and of those below each other, where the picture is read most closely."""
    finest = boxes[1:] or boxes
    return len({box[0] for box in finest}), len({box[1] for box in finest})


FAMILY = Gemma3()
