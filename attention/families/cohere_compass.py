"""Cohere Compass, North Vision: as Qwen3-VL, in front of a language tower of Cohere's.

```
CohereCompassForConditionalGeneration
  model.language_model.layers.{i}.self_attn    one call a layer, causal, grouped-query; sliding or full by layer_types
  model.visual.blocks.{i}.attn                 one call for each image, full attention over its patches
```
Tokens and patches are in the order that qwen3_vl.py describes.
"""

from __future__ import annotations

from transformers.models.cohere_compass.processing_cohere_compass import CohereCompassProcessor

from .qwen3_vl import Qwen3VL


class CohereCompass(Qwen3VL):
    label = "Cohere Compass"
    coordinates = None
    processor_class = CohereCompassProcessor


FAMILY = CohereCompass()
