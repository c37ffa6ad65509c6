"""Idefics2: a resampler makes 64 tokens of a picture's patches, each of which may read the whole picture.

```
Idefics2ForConditionalGeneration
  model.text_model.layers.{i}.self_attn                       one call a layer, causal, grouped-query
  model.connector.perceiver_resampler.layers.{i}.self_attn    one call a layer with a batch entry for each view: its
                                                              tokens read its patches, and after them each other
  model.vision_model.encoder.layers.{i}.self_attn             one call a layer with a batch entry for each view
```
Views are resized each by itself, in their proportions, and padded below and to the right to the largest of them; a mask
hides padding, which lies between the patches. Where pictures are split there are four quarters, row by row, and the
whole after them. A token of a picture has no place: the tower `resampler` has what it reads of the patches.
"""

from __future__ import annotations

import re

from transformers import BatchFeature
from transformers.models.idefics2.configuration_idefics2 import Idefics2Config
from transformers.models.idefics2.processing_idefics2 import Idefics2Processor

from attention.errors import LimitExceeded
from attention.runs.tokens import Grid, spans

from .family import Family, Inputs, image_only
from .towers import TowerShape, language_tower, vision_tower


class Processor(image_only(Idefics2Processor)):  # type: ignore[misc]
    """Also says where in the text it writes the tokens of pictures, which the stock one does not."""

    def __call__(self, images=None, text=None, text_kwargs=None, images_kwargs=None, **_):
        sides = {**(images_kwargs or {})}
        n_views = 5 if sides.get("do_image_splitting", self.image_processor.do_image_splitting) else 1
        (rendered,), around, begin = text, self.fake_image_token, 0
        written, replaced = "", []
        for found in re.finditer(f"(?:{re.escape(self.image_token)})+", rendered):
            written += rendered[begin : found.start()]
            count = n_views * len(found[0]) // len(self.image_token)
            tokens = around + count * (self.image_token * self.image_seq_len + around)
            is_attached = re.match(r"[^\s<]", rendered[found.end() :])
            new = tokens + " " * bool(is_attached)
            replaced.append({"span": found.span(), "new_span": (len(written), len(written) + len(new))})
            written, begin = written + new, found.end()
        batch = self.tokenizer([written + rendered[begin:]], return_tensors="pt", **(text_kwargs or {}))
        pixels = self.image_processor([images], return_tensors="pt", **sides) if images else {}
        return BatchFeature({**batch, **pixels, "text_replacement_offsets": [replaced]})


class Idefics2(Family):
    label = "Idefics2"

    processor_class = Processor

    def load_processor(self, path):
        processor = Processor.from_pretrained(path)
        self._fit(processor, Idefics2Config.from_pretrained(path))
        return processor

    def _fit(self, processor, config):
        processor.patch_size = config.vision_config.patch_size

    def towers(self, config):
        made = config.perceiver_config
        layers = tuple(range(made.resampler_depth))
        resampler = TowerShape(layers, made.resampler_n_heads, made.num_key_value_heads, made.resampler_head_dim)
        return {
            "language": language_tower(config.text_config),
            "resampler": resampler,
            "vision": vision_tower(config.vision_config),
        }

    def attention_modules(self, model):
        inner = model.model
        lists = {
            "language": inner.text_model.layers,
            "resampler": inner.connector.perceiver_resampler.layers,
            "vision": inner.vision_model.encoder.layers,
        }
        return {tower: {i: layer.self_attn for i, layer in enumerate(layers)} for tower, layers in lists.items()}

    def prepare(self, processor, messages, images, max_visual_tokens):
        least, options = processor.image_seq_len, {}
        if images and max_visual_tokens is not None and max_visual_tokens < self.visual_token_limit(processor):
            if max_visual_tokens < least:
                raise LimitExceeded(
                    f"{self.label} reads a picture in {least} tokens at least; max_visual_tokens is "
                    f"{max_visual_tokens}. Allow {least} or more.",
                    least,
                )
            options = {"do_image_splitting": False}
        tensors, roles = self._read(processor, messages, images, **options)
        inputs = Inputs(tensors, roles, [None] * len(roles), keys={"resampler": [], "vision": []})
        if not images:
            return inputs
        return self._placed(processor, inputs, images)

    def _placed(self, processor, inputs: Inputs, images) -> Inputs:
        """The same inputs, with the grids of all views, the patches of their towers, and the tokens made of them."""
        shown, patch = inputs.tensors["pixel_attention_mask"][0], processor.patch_size
        padded = tuple(side // patch for side in shown.shape[-2:])
        per_image, n_tokens = len(shown) // len(images), processor.image_seq_len
        for tower, more in (("resampler", n_tokens), ("vision", 0)):
            for view, mask in enumerate(shown):
                image, part = divmod(view, per_image)
                height, width = int(mask[:, 0].sum()), int(mask[0].sum())
                box = _views(images[image], per_image)[part]
                rows, cols = height // patch, width // patch
                x1 = box[0] + (box[2] - box[0]) * cols * patch / width
                y1 = box[1] + (box[3] - box[1]) * rows * patch / height
                kind = "whole" if per_image == 1 else "thumbnail" if part == per_image - 1 else "tile"
                index = len(inputs.grids)
                inputs.grids.append(Grid(image, tower, kind, (box[0], box[1], x1, y1), rows, cols))
                inputs.keys[tower] += [
                    (index, row, col) if row < rows and col < cols else None
                    for row in range(padded[0])
                    for col in range(padded[1])
                ] + [None] * more
                if part == per_image - 1 and tower == "vision":
                    inputs.read_sizes.append((width, height))
        tokens = [i for i, token in enumerate(inputs.ids) if token == processor.image_token_id]
        inputs.query_tokens["resampler"] = [(first, last) for first, last in spans(tokens)]
        inputs.token_images.update({token: at // (n_tokens * per_image) for at, token in enumerate(tokens)})
        inputs.roles[:] = ["image" if i in inputs.token_images else role for i, role in enumerate(inputs.roles)]
        return inputs

    def visual_token_limit(self, processor):
        return processor.image_seq_len * (5 if processor.image_processor.do_image_splitting else 1)

    def own_visual_tokens(self, processor, messages, images):
        return [self.visual_token_limit(processor)] * len(images)


def _views(image, count: int) -> list[tuple[int, int, int, int]]:
    """The parts of a picture that are read, (x0, y0, x1, y1): its quarters and the whole, or the whole alone."""
    width, height = image.size
    x, y = width // 2, height // 2
    quarters = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)] if count > 1 else []
    return [*quarters, (0, 0, width, height)]


FAMILY = Idefics2()
