"""Inkling: one map in the picture's own proportions and size, in cells of 40 pixels, without attention before the text.

```
InklingForConditionalGeneration
  model.language_model.layers.{i}.self_attn   one call a layer, causal, grouped-query; sliding or full by layer_types; a
                                              bias by distance is added to scores
```
Each square becomes a token by itself, through layers that attend to nothing. A row ends with one square more than the
picture fills where its width is a multiple of 40: its token stands for no cell. Keys are made with those of the three
tokens before, by a short convolution.
"""

from __future__ import annotations

from transformers.models.inkling.processing_inkling import InklingProcessor

from attention.errors import UnsupportedModel

from .inkling2 import Inkling2, Squares, language_tower


class OneMore(Squares):
    """The image processor of Inkling; each square comes twice, as two frames of a video would."""

    image_mean = (0.48145466, 0.4578275, 0.40821073)
    image_std = (0.26862954, 0.26130258, 0.27577711)
    rescale_image_frac: float | None = None

    def across(self, width, side):
        return width // side + 1

    def _preprocess(self, images, *args, **settings):
        if self.rescale_image_frac not in (None, 1):
            raise UnsupportedModel("Inkling pictures are not read with rescale_image_frac here. Remove it.")
        made = super()._preprocess(images, *args, **settings)
        made["pixel_values"] = made["pixel_values"][:, None].repeat(1, 2, 1, 1, 1)
        made["num_patches"] = made["image_grid_thw"].prod(dim=1)
        return made


class Cut(InklingProcessor):
    """Also returns how each picture was cut."""

    unused_input_names = ("num_patches",)


class Inkling(Inkling2):
    label = "Inkling"
    processor_class = Cut
    squares = OneMore
    casts_pixels = False

    def towers(self, config):
        return {"language": language_tower(config.text_config)}

    def attention_modules(self, model):
        return {"language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)}}

    def _with_patches(self, processor, inputs):
        inputs.tensors.pop("image_grid_thw", None)
        return inputs


FAMILY = Inkling()
