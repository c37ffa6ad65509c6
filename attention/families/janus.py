"""Janus: as DeepSeek-VL, with a vision tower of its own. Pictures that it makes are not captured.

```
JanusForConditionalGeneration
  model.language_model.layers.{i}.self_attn         one call a layer, causal
  model.vision_model.encoder.layers.{i}.self_attn   one call with a batch of pictures, full attention over patches
```
"""

from __future__ import annotations

from transformers.models.janus.processing_janus import DEFAULT_SYSTEM_PROMPT, JanusProcessor

from .deepseek_vl import DeepseekVL
from .family import image_only


class Processor(image_only(JanusProcessor)):  # type: ignore[misc]
    """The stock processor writes its system prompt before what the template wrote: here that is the template's part."""

    def apply_chat_template(self, *args, **options):
        return self.system_prompt + super().apply_chat_template(*args, **options)


class Janus(DeepseekVL):
    label = "Janus"
    processor_class = Processor

    def _fit(self, processor, config):
        super()._fit(processor, config)
        processor.system_prompt = DEFAULT_SYSTEM_PROMPT if processor.use_default_system_prompt else ""
        processor.use_default_system_prompt = False


FAMILY = Janus()
