"""LLaVA 1.5: one square view of each picture, one token for each of its patches.

```
LlavaForConditionalGeneration
  model.language_model.layers.{i}.self_attn         one call a layer, causal
  model.vision_tower.encoder.layers.{i}.self_attn   one call with a batch of pictures, full attention over patches
```
(Pixtral 12B is a LLaVA with another tower: mistral3.py reads it.)

The vision tower is CLIP, whose sequence begins with a class token, or SigLIP, which has none. The features of
`vision_feature_layer` become image tokens, row by row; the `default` strategy drops the first of them, which is CLIP's
class token, and `full` keeps it. Layers after the feature layer (one in the published models) run as well, and are
kept, though nothing reads what they give.

What the tower sees is a crop from the middle of the picture (its shortest edge resized), the picture on a square of one
colour, or the picture squeezed into a square: whatever the image processor's settings say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from transformers import AutoConfig
from transformers.models.llava.processing_llava import LlavaProcessor

from attention.errors import InvalidRequest, LimitExceeded, UnsupportedModel, quoted
from attention.limits import MAX_CANVAS_PIXELS
from attention.runs.tokens import Grid

from .cells import Cell, cells_of, image_roles, placed
from .family import Family, Inputs, coloured, image_only
from .mistral3 import Pixtral
from .towers import language_tower, vision_tower

CLASS_TOKENS = {"clip_vision_model": 1, "siglip_vision_model": 0}


@dataclass(frozen=True)
class Placement:
    """Place on the picture of the pixels that a vision tower reads: picture = pixel * scale + shift."""

    scale: tuple[float, float]  # x, y
    shift: tuple[float, float]

    def box(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        """A box of such pixels in pixels of the picture."""
        (scale_x, scale_y), (shift_x, shift_y) = self.scale, self.shift
        return x0 * scale_x + shift_x, y0 * scale_y + shift_y, x1 * scale_x + shift_x, y1 * scale_y + shift_y

    def read_size(self, box: tuple[float, float, float, float], picture_size: tuple[int, int]) -> tuple[int, int]:
        """The pixels in which the part of the picture inside a box is read."""
        (x0, y0, x1, y1), (width, height), (scale_x, scale_y) = box, picture_size, self.scale
        return (
            max(1, round((min(x1, width) - max(x0, 0)) / scale_x)),
            max(1, round((min(y1, height) - max(y0, 0)) / scale_y)),
        )


class Llava(Family):
    label = "LLaVA"
    processor_class = LlavaProcessor

    def of(self, config):
        is_pixtral = config.model_type == "llava" and config.vision_config.model_type == "pixtral"
        return PIXTRAL if is_pixtral else self

    def load_processor(self, path):
        config = AutoConfig.from_pretrained(path, local_files_only=True)
        processor = image_only(self.processor_class).from_pretrained(path)
        self._fit(processor, config)
        return processor

    def _fit(self, processor, config) -> None:
        """Give a processor what the model goes by: older repositories leave it to the caller.

        Raises UnsupportedModel when both do not go together.
        """
        processor.num_additional_image_tokens = _class_tokens(config)
        processor.patch_size = config.vision_config.patch_size
        processor.image_size = config.vision_config.image_size
        said, strategy = processor.vision_feature_select_strategy, self._strategy(config)
        if said not in (None, strategy):
            raise UnsupportedModel(
                f"processor_config.json has vision_feature_select_strategy {quoted(said)}, and config.json has "
                f"{quoted(strategy)}. Take both from the model's own repository."
            )
        processor.vision_feature_select_strategy = strategy

    def _strategy(self, config) -> str:
        """The strategy by which a tower's features become tokens."""
        return config.vision_feature_select_strategy

    def towers(self, config):
        _class_tokens(config)
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def attention_modules(self, model):
        tower = model.model.vision_tower.encoder
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(tower.layers)},
        }

    def prepare(self, processor, messages, images, max_visual_tokens):
        placements = [self.placement(processor.image_processor, image) for image in images]
        tensors, roles = self._read(processor, messages, images)
        rows, cols = (side // processor.patch_size for side in tensors["pixel_values"].shape[-2:]) if images else (0, 0)
        if max_visual_tokens is not None and rows * cols > max_visual_tokens:
            raise one_size(self.label, rows * cols, max_visual_tokens)
        boxes = [found.box(0, 0, cols * processor.patch_size, rows * processor.patch_size) for found in placements]
        grids = [
            *(Grid(i, "language", "whole", box, rows, cols) for i, box in enumerate(boxes)),
            *(Grid(i, "vision", "whole", box, rows, cols) for i, box in enumerate(boxes)),
        ]
        features = [
            cell for i in range(len(images)) for cell in self._features(processor, tower_keys(processor, i, grids[i]))
        ]
        keys = [key for i in range(len(images), len(grids)) for key in tower_keys(processor, i, grids[i])]
        cells = placed(tensors["input_ids"][0].tolist(), processor.image_token_id, features)
        sizes = [found.read_size(box, image.size) for found, box, image in zip(placements, boxes, images, strict=True)]
        return Inputs(tensors, image_roles(roles, cells), cells, grids, {"vision": keys}, sizes)

    def placement(self, image_processor, image: Image.Image) -> Placement:
        """Place on a picture of what the vision tower sees, by the settings with which its processor reads pictures.

        Raises InvalidRequest for one that would become too large on the way.
        """
        width, height = image.size
        left = top = 0
        size = (height, width)
        if self._is_squared(image_processor):
            left, top, size = square(image)
        resized = size
        if image_processor.do_resize:
            short, long = sorted(size)
            edge = image_processor.size.shortest_edge
            if edge and not image_processor.size.longest_edge:
                _refuse_canvas(image, edge * edge * long // short)
            blank = np.zeros((1, *size), np.uint8)
            resized = image_processor.resize(blank, image_processor.size, Image.Resampling.NEAREST).shape[-2:]
        scale_x, scale_y = size[1] / resized[1], size[0] / resized[0]
        crop_left = crop_top = 0
        if image_processor.do_center_crop:  # negative where the crop is larger: it is filled up around the picture
            crop_left = (resized[1] - image_processor.crop_size.width) // 2
            crop_top = (resized[0] - image_processor.crop_size.height) // 2
        return Placement((scale_x, scale_y), (crop_left * scale_x - left, crop_top * scale_y - top))

    def _is_squared(self, image_processor) -> bool:
        """True where a picture is put on a square before it is resized."""
        # (The other processors' do_pad evens out a batch after the crop, which leaves nothing to be evened out.)
        return image_processor.do_pad and hasattr(image_processor, "pad_to_square")

    def pictures_of(self, processor, tensors):
        return [coloured(processor.image_processor, values) for values in tensors["pixel_values"]]

    def visual_token_limit(self, processor):
        return (processor.image_size // processor.patch_size) ** 2

    @staticmethod
    def _features(processor, keys: list[Cell | None]) -> list[Cell | None]:
        """Part of one picture's sequence in the vision tower that becomes tokens."""
        return keys[1:] if processor.vision_feature_select_strategy == "default" else keys


def square(image: Image.Image) -> tuple[int, int, tuple[int, int]]:
    """Padding by which a processor puts a picture in the middle of a square: (left, top, the square's sides).

    Raises InvalidRequest when that square is too large.
    """
    side = max(image.size)
    _refuse_canvas(image, side * side)
    return (side - image.width) // 2, (side - image.height) // 2, (side, side)


def tower_keys(processor, index: int, grid: Grid) -> list[Cell | None]:
    """One picture's or tile's sequence in the vision tower, of which `grid` is the map at `index`."""
    return [None] * processor.num_additional_image_tokens + cells_of([(index, grid)])


def one_size(label: str, n_tokens: int, max_visual_tokens: int) -> LimitExceeded:
    """The refusal of a limit by a model that reads pictures in one size."""
    return LimitExceeded(
        f"{label} reads every picture in {n_tokens:,} tokens here and cannot do with {max_visual_tokens:,}. "
        "Raise max_visual_tokens or leave it out.",
        n_tokens,
    )


def _refuse_canvas(image: Image.Image, pixels: int) -> None:
    if pixels > MAX_CANVAS_PIXELS:
        raise InvalidRequest(
            f"A picture of {image.width}x{image.height} pixels would become one of {pixels / 1e6:,.0f} million in this "
            f"model's processor; the limit is {MAX_CANVAS_PIXELS / 1e6:,.0f} million. Crop it to less unequal sides."
        )


def _class_tokens(config) -> int:
    """Number of tokens before the patches. Raises UnsupportedModel for a vision tower that is not known."""
    name = config.vision_config.model_type
    if name not in CLASS_TOKENS:
        raise UnsupportedModel(
            f"This {config.model_type} model has a vision tower of type {quoted(name)}; supported: "
            f"{', '.join(CLASS_TOKENS)}."
        )
    return CLASS_TOKENS[name]


FAMILY, PIXTRAL = Llava(), Pixtral()
