"""Inkling: one map in the picture's own proportions and size, in cells of 40 pixels, without attention before the text.

```
InklingForConditionalGeneration
  model.language_model.layers.{i}.self_attn   one call a layer, causal, grouped-query; sliding or full by layer_types; a
                                              bias by distance is added to scores
```
A picture is first made larger or smaller as its processor says (rescale_image_frac). Each square becomes a token by
itself, through layers that attend to nothing. A row ends with one square more than the picture fills where its width is
a multiple of 40: its token stands for no cell. Keys are made with those of the three tokens before, by a short
convolution.
"""

from __future__ import annotations

import math

from transformers.models.inkling.processing_inkling import InklingProcessor

from .inkling2 import Inkling2, Squares, language_tower


class OneMore(Squares):
    """The image processor of Inkling; each square comes twice, as two frames of a video would."""

    image_mean = (0.48145466, 0.4578275, 0.40821073)
    image_std = (0.26862954, 0.26130258, 0.27577711)
    rescale_image_frac: float | None = None
    rescale_image_max_upscaled_long_edge: int | None = 2048
    model_input_names = ("pixel_values",)  # type: ignore[assignment]

    def cut(self, height, width):
        return math.ceil(height / self.size["height"]), width // self.size["width"] + 1

    def read_size(self, width, height):
        if self.rescale_image_frac is None:
            return width, height
        long, most = max(width, height), self.rescale_image_max_upscaled_long_edge
        target = long * self.rescale_image_frac
        ratio = (target if most is None else min(target, max(most, long))) / long
        return math.floor(width * ratio + 0.5), math.floor(height * ratio + 0.5)

    def _preprocess(self, images, *args, **settings):
        made = super()._preprocess(images, *args, **settings)
        made["pixel_values"] = made["pixel_values"][:, None].repeat(1, 2, 1, 1, 1)
        made["num_patches"] = made.pop("image_grid_thw").prod(dim=1)
        return made


class Inkling(Inkling2):
    label = "Inkling"
    processor_class = InklingProcessor
    squares = OneMore
    casts_pixels = False

    def towers(self, config):
        return {"language": language_tower(config.text_config)}

    def read_out(self, model, layer, given, output):
        return None

    def attention_modules(self, model):
        return {"language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)}}

    def _with_patches(self, processor, inputs):
        return inputs


FAMILY = Inkling()
