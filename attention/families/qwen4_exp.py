"""Qwen4-Exp (Qwen3.8-Flash-Next): as Qwen3.5, but layers with attention read only keys that an indexer selects.

```
Qwen4ExpForConditionalGeneration
  model.language_model.layers.{i}.self_attn    in layers of kind indexed_attention: one call under a mask of its own,
                                               of the blocks of keys that its indexer selects for each query
  model.language_model.layers.{i}.linear_attn  in the others (linear_attention): nothing that could be kept
  model.visual.blocks.{i}.attn                 one call for each image, full attention over its patches
```
A key that the indexer leaves out is not read: its weight is 0.
"""

from __future__ import annotations

from .qwen3_5 import Qwen35


class Qwen4Exp(Qwen35):
    label = "Qwen4-Exp"

    def choosing_modules(self, model):
        return [module.indexer for module in self.attention_modules(model)["language"].values()]

    def stream_modules(self, model):
        layers = model.model.language_model.layers
        return [module for layer in layers for module in (layer.attn_hyper_connection, layer.mlp_hyper_connection)]

    def read_out(self, model, layer, given, output):
        return model.model.language_model.hyper_connection_mixer(output)


FAMILY = Qwen4Exp()
