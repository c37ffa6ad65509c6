"""Mistral 3 (Mistral Small 3.1 and later): one map in the picture's own proportions, each row ending in a break token.

```
Mistral3ForConditionalGeneration
  model.language_model.layers.{i}.self_attn                one call a layer, causal, grouped-query
  model.vision_tower.transformer.layers.{i}.attention      one call a layer over all pictures, one after the other;
                                                           a mask keeps each to its own patches
```
The tower is Pixtral, which reads patches row by row. An image token stands for spatial_merge_size x spatial_merge_size
of them, row by row; after each row stands [IMG_BREAK], after the last one [IMG_END].
"""

from __future__ import annotations

from bisect import bisect_left

from transformers import AutoConfig, ProcessorMixin
from transformers.models.pixtral.image_processing_pil_pixtral import get_resize_output_image_size

from attention.errors import InvalidRequest, LimitExceeded, UnsupportedModel
from attention.runs.tokens import Grid

from .cells import cells_of, image_roles, placed
from .family import Family, Inputs, image_only
from .towers import language_tower, vision_tower

SIGNS = {"token": "[IMG]", "break_token": "[IMG_BREAK]", "end_token": "[IMG_END]"}  # the stock processor's


class PixtralProcessor(ProcessorMixin):
    """The stock processor of this name, whose module cannot be imported without torchvision."""

    def __init__(self, image_processor=None, tokenizer=None, chat_template=None, **signs):
        super().__init__(image_processor, tokenizer, chat_template=chat_template)
        self.signs = [signs.get(f"image_{name}", sign) for name, sign in SIGNS.items()]
        self.image_token = self.signs[0]
        self.image_token_ids = tokenizer.convert_tokens_to_ids(self.signs)
        self.image_token_id = self.image_token_ids[0]

    def _process_images(self, images, **options):
        return super()._process_images(images, **{**options, "patch_size": self.cell})

    def replace_image_token(self, image_inputs: dict, image_idx: int, **_) -> str:
        rows, cols = (int(side) // self.cell for side in image_inputs["image_sizes"][image_idx])
        image, ends, end = self.signs
        return (image * cols + ends) * (rows - 1) + image * cols + end


class Mistral3(Family):
    label = "Mistral 3"
    processor_class: type[ProcessorMixin] = PixtralProcessor
    thought_signs = ("[THINK]", "[/THINK]")
    tower = "vision_tower"
    fewest_tokens = 2  # of all pictures: transformers' Mistral3Model takes a token that is alone for the batch

    def load_processor(self, path):
        processor = image_only(self.processor_class).from_pretrained(path)
        self._fit(processor, AutoConfig.from_pretrained(path, local_files_only=True))
        return processor

    def _fit(self, processor, config) -> None:
        """Give a processor what this family reads of it: sides in pixels of a patch, a token, and what pictures fit."""
        processor.patch = config.vision_config.patch_size
        processor.cell = processor.unit = processor.patch * getattr(config, "spatial_merge_size", 1)
        settings = processor.image_processor
        if not settings.do_resize or settings.do_center_crop or not settings.size.longest_edge:
            raise UnsupportedModel(
                "The image processor of this model does not fit pictures to a longest edge (do_resize, size, "
                "do_center_crop in preprocessor_config.json). Take its files from the model's own repository."
            )

    def towers(self, config):
        return {"language": language_tower(config.text_config), "vision": vision_tower(config.vision_config)}

    def attention_modules(self, model):
        tower = getattr(model.model, self.tower)
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.attention for i, layer in enumerate(tower.transformer.layers)},
        }

    def prepare(self, processor, messages, images, max_visual_tokens):
        options = {}
        if images:
            edge = processor.image_processor.size.longest_edge
            if max_visual_tokens is not None:
                edge = self._edge(processor, images, max_visual_tokens)
                options["size"] = {"longest_edge": edge}
            self._check_counts(images, self._counts(processor, images, edge))
        tensors, roles = self._read(processor, messages, images, **options)
        sizes = tensors["image_sizes"].tolist() if images else []
        grids = [
            _grid(i, tower, image, height, width, cell)
            for tower, cell in (("language", processor.cell), ("vision", processor.patch))
            for i, (image, (height, width)) in enumerate(zip(images, sizes, strict=True))
        ]
        shown, keys = (
            cells_of((i, grid) for i, grid in enumerate(grids) if grid.tower == tower)
            for tower in ("language", "vision")
        )
        cells = placed(tensors["input_ids"][0].tolist(), processor.image_token_id, shown)
        read = [(width, height) for height, width in sizes]
        return Inputs(tensors, image_roles(roles, cells), cells, grids, {"vision": keys}, read)

    def visual_token_limit(self, processor):
        edge, unit = processor.image_processor.size.longest_edge, processor.unit
        return (-(-edge // unit) * unit // processor.cell) ** 2

    def own_visual_tokens(self, processor, messages, images):
        return self._counts(processor, images, processor.image_processor.size.longest_edge)

    def _counts(self, processor, images, edge: int) -> list[int]:
        """Numbers of cells of pictures that are fitted to a longest edge."""
        sizes = [
            get_resize_output_image_size(image, (edge, edge), (processor.unit, processor.unit)) for image in images
        ]
        return [(height // processor.cell) * (width // processor.cell) for height, width in sizes]

    def _check_counts(self, images, counts: list[int]) -> None:
        """Raise InvalidRequest where a picture has no cell, or all of them too few."""
        thin = next((image for image, count in zip(images, counts, strict=True) if not count), None)
        if thin is not None:
            raise InvalidRequest(
                f"A picture of {thin.width}x{thin.height} pixels is too thin for {self.label}: no token would stand "
                "for it. Crop it to less unequal sides."
            )
        if sum(counts) < self.fewest_tokens:
            raise InvalidRequest(
                f"A picture of {images[0].width}x{images[0].height} pixels is one token of {self.label}, with which "
                "transformers' code of this model fails. Enlarge it."
            )

    def _edge(self, processor, images, max_visual_tokens: int) -> int:
        """The longest edge with which each picture stays within so many tokens."""
        own = processor.image_processor.size.longest_edge

        def oversteps(edge: int) -> bool:
            return max(self._counts(processor, images, edge)) > max_visual_tokens

        def is_read(edge: int) -> bool:
            counts = self._counts(processor, images, edge)
            return min(counts) > 0 and sum(counts) >= self.fewest_tokens

        edges = range(1, own + 1)
        largest = bisect_left(edges, True, key=oversteps)  # the last that does not
        smallest = bisect_left(edges, True, key=is_read) + 1
        if largest < smallest <= own:
            least = max(self._counts(processor, images, smallest))
            raise LimitExceeded(
                f"{self.label} reads these pictures in {least:,} tokens at least; the limit is {max_visual_tokens:,}.",
                least,
            )
        return largest or own


def _grid(index: int, tower: str, image, height: int, width: int, cell: int) -> Grid:
    """The cells of a picture that is read in so many pixels; what is left beside whole ones, no cell reads."""
    rows, cols = height // cell, width // cell
    box = (0, 0, image.width * cols * cell / width, image.height * rows * cell / height)
    return Grid(index, tower, "whole", box, rows, cols)


class Pixtral(Mistral3):
    """Pixtral 12B: the same tower in a LLaVA model, an image token for each patch."""

    label = "Pixtral"
    fewest_tokens = 1


FAMILY = Mistral3()
