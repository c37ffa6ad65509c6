"""PaliGemma, whose text is Gemma's, and PaliGemma 2, whose text is Gemma 2's with capped scores.

```
PaliGemmaForConditionalGeneration
  model.vision_tower.encoder.layers.{i}.self_attn   one call a layer with a batch entry for each picture, full attention
  model.language_model.layers.{i}.self_attn         one call a layer, grouped-query; pictures and prompt read each other
                                                    both ways, an answer reads in order (token_type_ids 1); sliding or
                                                    full by layer_types in PaliGemma 2
```
A picture is stretched to a square, of which a token stands for one patch, row by row. There is no chat: all pictures'
tokens, the first token of a sequence, one prompt and a line break are what the model reads, and the processor wants a
picture.
"""

from __future__ import annotations

from typing import ClassVar

from transformers import ProcessorMixin
from transformers.models.paligemma.configuration_paligemma import PaliGemmaConfig
from transformers.models.paligemma.processing_paligemma import PaliGemmaProcessor

from attention.errors import InvalidRequest

from .family import image_only
from .gemma3 import Gemma3


class Processor(image_only(PaliGemmaProcessor)):  # type: ignore[misc]
    """The stock one, which lays out what it reads, as a template would: the places of its words are then known."""

    def apply_chat_template(self, conversation, *args, **options):
        if self.chat_template:
            return super().apply_chat_template(conversation, *args, **options)
        entries = [entry for message in conversation for entry in message["content"]]
        if [message["role"] for message in conversation] != ["user"]:
            raise InvalidRequest("PaliGemma reads pictures and one prompt, and no conversation. Give one user message.")
        pictures = self.image_token * sum(entry["type"] == "image" for entry in entries)
        if not pictures:
            raise InvalidRequest("PaliGemma reads a picture with its prompt. Give one.")
        words = "".join(entry["text"] for entry in entries if entry["type"] == "text")
        return f"{pictures}{self.tokenizer.bos_token}{words}\n"

    def prepare_inputs_layout(self, images=None, text=None, **options):
        return ProcessorMixin.prepare_inputs_layout(self, images=images, text=text, **options)


class PaliGemma(Gemma3):
    label = "PaliGemma"
    coordinates: ClassVar[str | None] = None  # locations are tokens of their own
    takes_pan_and_scan = False
    y_first_keys = frozenset()
    reads_text_alone = False
    per_token = Gemma3.per_token | {"token_type_ids": 1}

    processor_class = Processor

    def load_processor(self, path):
        processor = Processor.from_pretrained(path)
        self._fit(processor, PaliGemmaConfig.from_pretrained(path))
        return processor

    def _fit(self, processor, config):
        processor.patch_size, processor.pooling = config.vision_config.patch_size, 1

    def image_token(self, processor):
        return processor.image_token_id

    def _read(self, processor, messages, images, **options):
        tensors, roles = super()._read(processor, messages, images, **options)
        tensors.pop("labels", None)  # for a training
        return tensors, roles


FAMILY = PaliGemma()
