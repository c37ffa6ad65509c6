"""Florence-2: an encoder reads the picture and the question, a decoder writes the answer.

```
Florence2ForConditionalGeneration
  model.language_model.encoder.layers.{i}.self_attn      one call a layer, full attention over picture and question
  model.language_model.decoder.layers.{i}.self_attn      one call a layer, causal, over what is answered
  model.language_model.decoder.layers.{i}.encoder_attn   one call a layer: the answer reads all that the encoder read
```
A picture is stretched to a square, of which a token stands for one cell of 32 x 32 pixels, row by row; before them
stands one token for the mean of all. Convolutions with overlap make the cells: each lies around the middle of its
pixels, half a cell before that of an even division. Then comes one prompt, or the sentence that the processor has for a
task (`<CAPTION>`).
An answer begins as in training: with `</s>` and `<s>`. Locations (`<loc_12>`) are words of it.

The vision tower (DaViT) is left out: its stages have windows of places in other numbers and heads, and between them
attention of channels to channels, which is of no place.
"""

from __future__ import annotations

from transformers import ProcessorMixin
from transformers.models.florence2.configuration_florence2 import Florence2Config
from transformers.models.florence2.processing_florence2 import Florence2Processor

from attention.errors import InvalidRequest
from attention.runs.tokens import Grid

from .cells import cells_of, convolved_edges, image_roles, placed
from .family import Family, coloured, encoded, image_only
from .llava import one_size
from .towers import TowerShape


class Processor(image_only(Florence2Processor)):  # type: ignore[misc]
    """The stock one, which lays out what it reads, as a template would: the places of its words are then known."""

    def apply_chat_template(self, conversation, *args, **options):
        if self.chat_template:
            return super().apply_chat_template(conversation, *args, **options)
        entries = [entry for message in conversation for entry in message["content"]]
        if [message["role"] for message in conversation] != ["user"]:
            raise InvalidRequest(
                "Florence-2 reads a picture and one prompt, and no conversation. Give one user message."
            )
        if [entry["type"] for entry in entries].count("image") != 1:
            raise InvalidRequest("Florence-2 reads one picture with its prompt. Give one.")
        words = self._construct_prompts("".join(entry["text"] for entry in entries if entry["type"] == "text"))[0]
        return f"{self.image_token}{self.tokenizer.bos_token}{words}{self.tokenizer.eos_token}"

    def prepare_inputs_layout(self, images=None, text=None, **options):
        return ProcessorMixin.prepare_inputs_layout(self, images=images, text=text, **options)


class Florence2(Family):
    label = "Florence-2"
    reads_text_alone = False
    most_images = 1

    processor_class = Processor

    def load_processor(self, path):
        processor = Processor.from_pretrained(path)
        self._fit(processor, Florence2Config.from_pretrained(path))
        return processor

    def _fit(self, processor, config):
        processor.answer_start = [config.text_config.decoder_start_token_id, processor.tokenizer.bos_token_id]
        vision = config.vision_config
        processor.convolutions = list(zip(vision.patch_size, vision.patch_stride, vision.patch_padding, strict=True))

    def towers(self, config):
        text = config.text_config
        encoder, decoder = (
            TowerShape(tuple(range(layers)), heads, heads, text.d_model // heads)
            for layers, heads in (
                (text.encoder_layers, text.encoder_attention_heads),
                (text.decoder_layers, text.decoder_attention_heads),
            )
        )
        return {"language": decoder, "encoder": encoder, "cross": decoder}

    def attention_modules(self, model):
        encoder, decoder = model.model.language_model.encoder, model.model.language_model.decoder
        return {
            "language": {i: layer.self_attn for i, layer in enumerate(decoder.layers)},
            "encoder": {i: layer.self_attn for i, layer in enumerate(encoder.layers)},
            "cross": {i: layer.encoder_attn for i, layer in enumerate(decoder.layers)},
        }

    def mixing(self, model):
        spatial, channel = _blocks(model)
        return [*(block.window_attn for block in spatial), *(block.channel_attn for block in channel)]

    def unread_modules(self, model):
        return [convolution for part in _blocks(model) for block in part for convolution in (block.conv1, block.conv2)]

    def prepare(self, processor, messages, images, max_visual_tokens):
        tensors, roles = self._read(processor, messages, images)
        (image,), (height, width) = images, tensors["pixel_values"].shape[-2:]
        rows = convolved_edges(height, processor.convolutions, image.height / height)
        cols = convolved_edges(width, processor.convolutions, image.width / width)
        grid = Grid.between(0, "encoder", "whole", rows, cols)
        if max_visual_tokens is not None and grid.rows * grid.cols > max_visual_tokens:
            raise one_size(self.label, grid.rows * grid.cols, max_visual_tokens)
        cells = placed(tensors["input_ids"][0].tolist(), processor.image_token_id, [None, *cells_of([(0, grid)])])
        return encoded(tensors, image_roles(roles, cells), cells, processor.answer_start, [grid], [(width, height)])

    def pictures_of(self, processor, tensors):
        return [coloured(processor.image_processor, values) for values in tensors["pixel_values"]]

    def visual_token_limit(self, processor):
        return processor.num_image_tokens

    def reserved_texts(self, processor):
        return [processor.tokenizer.convert_ids_to_tokens(token) for token in self.control_tokens(processor.tokenizer)]

    def control_tokens(self, tokenizer):
        named = ("bos", "eos", "pad", "unk", "mask", "image")
        return {token for name in named if (token := getattr(tokenizer, f"{name}_token_id", None)) is not None}

    def text(self, tokenizer, answer_ids):
        control = self.control_tokens(tokenizer)
        return tokenizer.decode([token for token in answer_ids if token not in control])


def _blocks(model) -> tuple[list, list]:
    """The blocks of the vision tower with attention of places, and those with attention of channels."""
    blocks = [block for stage in model.model.vision_tower.blocks for block in stage]
    return [block.spatial_block for block in blocks], [block.channel_block for block in blocks]


FAMILY = Florence2()
