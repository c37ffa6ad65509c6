"""A copy of a model whose language layers are its own, while all other weights are shared with the original.

What is done to the copy's layers leaves the original as it is, bit for bit, also where that fails, and whoever else
uses it.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from attention.errors import UnsupportedModel

from .kept import LoadedModel


class OwnLayers:
    """A copy of a loaded model, and the layers of its language model from first to last."""

    def __init__(self, loaded: LoadedModel, layers: torch.nn.ModuleList):
        """`layers` are the original's. Raises UnsupportedModel for weights that are no floating-point numbers."""
        own = [weight for layer in layers for weight in layer.parameters()]
        if not all(weight.is_floating_point() for weight in own):
            raise UnsupportedModel(
                f"The weights of {loaded.id} are packed (quantised); only plain ones are drawn anew."
            )
        mine = {id(weight) for weight in own}
        shared = {id(each): each for each in loaded.model.parameters() if id(each) not in mine}
        paths = {id(module): path for path, module in loaded.model.named_modules()}
        model = copy.deepcopy(loaded.model, dict(shared))
        self.loaded = replace(loaded, model=model, lent=None)
        self._originals = layers
        self.layers = model.get_submodule(paths[id(layers)])

    def draw(self, layer: int, seed: int) -> None:
        """Draw a layer's weights anew, each tensor normally about its own mean with its own spread."""
        device = next(self.layers[layer].parameters()).device
        random = torch.Generator("cpu").manual_seed(seed)
        with torch.no_grad():
            for weight, original in self._pairs(layer):
                drawn = torch.randn(weight.shape, generator=random).to(device)
                spread, mean = torch.std_mean(original.float(), correction=0)
                weight.copy_(drawn * spread + mean)

    def restore(self) -> None:
        """Give every layer of the copy the original's weights again."""
        with torch.no_grad():
            for layer in range(len(self.layers)):
                for weight, original in self._pairs(layer):
                    weight.copy_(original)

    def _pairs(self, layer: int):
        return zip(self.layers[layer].parameters(), self._originals[layer].parameters(), strict=True)
