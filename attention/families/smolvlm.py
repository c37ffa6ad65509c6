"""SmolVLM2: as Idefics3, with a processor that also reads films.

```
SmolVLMForConditionalGeneration
  model.text_model.layers.{i}.self_attn              one call a layer, causal, grouped-query
  model.vision_model.encoder.layers.{i}.self_attn    one call a layer, batch = tiles, full attention, no class token
```
Its own processor class insists on a video processor and on num2words, both for films alone. Pictures are read in the
same way by the class of Idefics3, with this model's own files.
"""

from __future__ import annotations

from .idefics3 import Idefics3


class SmolVLM(Idefics3):
    label = "SmolVLM"

    def fitted(self, processor, config):
        if isinstance(processor, self.processor_class):
            return super().fitted(processor, config)
        reading = self.processor_class(
            processor.image_processor, processor.tokenizer, processor.image_seq_len, processor.chat_template
        )
        self._fit(reading, config)
        return reading


FAMILY = SmolVLM()
