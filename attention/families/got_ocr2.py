"""GOT-OCR 2: a square view of each page, or tiles of it and a small view of the whole, without a map of its own tower.

```
GotOcr2ForConditionalGeneration
  model.language_model.layers.{i}.self_attn   one call a layer, causal
  model.vision_tower.layers.{i}.attn          attention of its own over patches, with a bias by row and column
```
Convolutions of stride 2 make a token of every fourth patch across and down, and of those around it. A patch belongs to
the token in whose sum it is most: a cell ends in the middle between two of these patches. The published folder has no
chat template; then what its processor writes around "OCR: " stands around the prompt.
"""

from __future__ import annotations

from dataclasses import replace

from transformers import ProcessorMixin
from transformers.models.got_ocr2.processing_got_ocr2 import GotOcr2Processor

from attention.errors import InvalidRequest
from attention.runs.tokens import Grid

from .internvl import InternVL
from .towers import OWN_BIAS, UnreadTower, language_tower

PATCHES = 4  # along the side of a token


class Processor(GotOcr2Processor):
    """The stock one, with its own conversation as a template."""

    def apply_chat_template(self, conversation, *args, **options):
        if self.chat_template:
            return super().apply_chat_template(conversation, *args, **options)
        begin, end = self.message_start_token, self.message_end_token
        text = "" if conversation[0]["role"] == "system" else f"{begin}{self.system_query}{end}"
        for message in conversation:
            entries = message["content"]
            pictures = self.image_token * sum(entry["type"] == "image" for entry in entries)
            shown = f"{self.img_start_token}{pictures}{self.img_end_token}\n" if pictures else ""
            words = "".join(entry["text"] for entry in entries if entry["type"] == "text")
            text += f"{begin}{message['role']}\n{shown}{words}{end}"
        return f"{text}{begin}assistant\n"

    def prepare_inputs_layout(self, images=None, text=None, **options):
        if images is None:
            raise InvalidRequest("GOT-OCR 2 reads a page with its prompt. Give one.")
        return ProcessorMixin.prepare_inputs_layout(self, images=images, text=text)


class GotOcr2(InternVL):
    label = "GOT-OCR 2"
    coordinates = None
    processor_class = Processor
    casts_pixels = False
    reads_text_alone = False
    class_tokens = 0

    def _tile(self, processor, config):
        vision = config.vision_config
        processor.num_image_tokens = (vision.image_size // vision.patch_size // PATCHES) ** 2
        return vision.patch_size, PATCHES, processor.num_image_tokens

    def towers(self, config):
        return {"language": language_tower(config.text_config)}

    def unread_towers(self, config):
        vision = config.vision_config
        return {"vision": UnreadTower(vision.num_hidden_layers, vision.num_attention_heads, OWN_BIAS)}

    def attention_modules(self, model):
        return {"language": {i: layer.self_attn for i, layer in enumerate(model.model.language_model.layers)}}

    def unread_modules(self, model):
        return [layer.attn for layer in model.model.vision_tower.layers]

    def prepare(self, processor, messages, images, max_visual_tokens):
        inputs = super().prepare(processor, messages, images, max_visual_tokens).without("vision")
        side = int(processor.tile_tokens**0.5)
        return replace(inputs, grids=[_around_patches(grid, side) for grid in inputs.grids])


def _around_patches(grid: Grid, side: int) -> Grid:
    """A grid of tiles of `side` x `side` cells, each cell around the first of its patches."""
    (x0, y0, x1, y1), ends = grid.box_px, [0.0, *(cell - 1.5 / PATCHES for cell in range(1, side))]

    def edges(first: float, last: float, cells: int) -> list[float]:
        step = (last - first) / cells
        return [first + (tile * side + end) * step for tile in range(cells // side) for end in ends] + [last]

    return Grid.between(grid.image, grid.tower, grid.kind, edges(y0, y1, grid.rows), edges(x0, x1, grid.cols))


FAMILY = GotOcr2()
