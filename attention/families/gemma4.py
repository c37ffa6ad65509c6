"""Gemma 4: a picture in its own proportions, in as many patches as the budget of tokens holds.

```
Gemma4ForConditionalGeneration
  model.vision_tower.encoder.layers.{i}.self_attn   one call a layer, batch = pictures, each padded to the budget; full
                                                    attention, the padding hidden
  model.language_model.layers.{i}.self_attn         one call a layer, grouped-query; sliding or full by layer_types,
                                                    with heads of another size where full; causal, but sliding layers
                                                    read a picture's tokens both ways where the config says so
```
The last num_kv_shared_layers read the keys of an earlier layer, which are theirs too: each layer keeps those that it
read. A token stands for pooling_kernel_size x pooling_kernel_size patches, row by row; so are patches. In the text a
picture stands between <|image> and <image|>.
"""

from __future__ import annotations

from transformers.models.gemma4.image_processing_pil_gemma4 import _SUPPORTED_SOFT_TOKENS as BUDGETS
from transformers.models.gemma4.image_processing_pil_gemma4 import get_aspect_ratio_preserving_size
from transformers.models.gemma4.processing_gemma4 import Gemma4Processor

from attention.coordinates import THOUSANDTHS
from attention.errors import LimitExceeded
from attention.runs.tokens import Grid

from .cells import cells_of, image_roles, placed
from .family import Family, Inputs, image_only
from .towers import TowerShape


class Gemma4(Family):
    label = "Gemma 4"
    coordinates = THOUSANDTHS
    y_first_keys = frozenset({"box_2d", "point"})
    thought_signs = ("<|channel>", "<channel|>")

    def load_processor(self, path):
        return image_only(Gemma4Processor).from_pretrained(path)

    def towers(self, config):
        vision = config.vision_config
        return {
            "language": language_tower(config.text_config),
            "vision": TowerShape(
                tuple(range(vision.num_hidden_layers)),
                vision.num_attention_heads,
                vision.num_key_value_heads,
                vision.head_dim,
            ),
        }

    def attention_modules(self, model):
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)},
            "vision": {i: layer.self_attn for i, layer in enumerate(model.model.vision_tower.encoder.layers)},
        }

    def prepare(self, processor, messages, images, max_visual_tokens):
        options = {}
        if images and max_visual_tokens is not None:
            options = {"max_soft_tokens": self._budget(processor, images, max_visual_tokens)}
        tensors, roles = self._read(processor, messages, images, **options)
        # places across and down of each picture, without padding
        places = [tuple(each.amax(0).add(1).tolist()) for each in tensors.get("image_position_ids", ())]
        settings = processor.image_processor
        in_a_cell = self.places_in_a_cell(settings.pooling_kernel_size)
        place_px = settings.pooling_kernel_size * settings.patch_size // in_a_cell["language"]
        grids = [
            Grid(i, tower, "whole", (0, 0, *image.size), down // side, across // side)
            for tower, side in in_a_cell.items()
            for i, (image, (across, down)) in enumerate(zip(images, places, strict=True))
        ]
        keys = {
            tower: cells_of((i, grid) for i, grid in enumerate(grids) if grid.tower == tower) for tower in in_a_cell
        }
        cells = placed(tensors["input_ids"][0].tolist(), processor.image_token_id, keys.pop("language"))
        sizes = [(across * place_px, down * place_px) for across, down in places]
        lengths = {tower: [across * down for across, down in places] for tower in keys if images}
        return Inputs(tensors, image_roles(roles, cells), cells, grids, dict(keys), sizes, lengths)

    def places_in_a_cell(self, pooling: int) -> dict[str, int]:
        """Places of image_position_ids along the side of a cell of each tower."""
        return {"language": pooling, "vision": 1}

    def visual_token_limit(self, processor):
        return processor.image_processor.max_soft_tokens

    def own_visual_tokens(self, processor, messages, images):
        return [_tokens(processor, image, self.visual_token_limit(processor)) for image in images]

    def _budget(self, processor, images, max_visual_tokens: int) -> int:
        """The largest budget of those that the model knows with which no picture has more tokens than are allowed."""
        own = self.visual_token_limit(processor)
        most = {
            budget: max(_tokens(processor, image, budget) for image in images) for budget in BUDGETS if budget <= own
        }
        fitting = [budget for budget, tokens in most.items() if tokens <= max_visual_tokens]
        if not fitting:
            least = min(most.values())
            raise LimitExceeded(
                f"{self.label} reads a picture like these in {least} tokens at least; max_visual_tokens is "
                f"{max_visual_tokens}. Raise it to {least}.",
                least,
            )
        return max(fitting)


def language_tower(text) -> TowerShape:
    """The language tower by its config, which has sizes of heads for each layer."""
    sizes = {
        i: (text.per_layer_config[i].num_key_value_heads, text.per_layer_config[i].head_dim)
        for i in range(text.num_hidden_layers)
    }
    usual = sizes[text.layer_types.index("sliding_attention")] if "sliding_attention" in text.layer_types else sizes[0]
    others = {i: size for i, size in sizes.items() if size != usual}
    return TowerShape(tuple(sizes), text.num_attention_heads, *usual, sizes=others)


def _tokens(processor, image, budget: int) -> int:
    """The number of tokens of a picture in a budget, as the processor counts them."""
    settings = processor.image_processor
    pooling, patch = settings.pooling_kernel_size, settings.patch_size
    height, width = get_aspect_ratio_preserving_size(image.height, image.width, patch, budget * pooling**2, pooling)
    return (height // (patch * pooling)) * (width // (patch * pooling))


FAMILY = Gemma4()
