"""Tensors of a model in memory that others take the place of, for the time of a `with`.

The parameter itself is exchanged in the module that has it, and put back: no number of the base is ever written over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from attention.errors import AdapterRefused

from .base_modules import plain_modules

Places = Mapping[tuple[nn.Module, str], torch.Tensor]


def places_of(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> Places:
    """Where tensors, by the names that they have in the base, belong; each in the dtype and on the device of its own.

    Raises AdapterRefused when a weight of the base is not in memory, so that nothing can take its place.
    """
    modules = dict(plain_modules(model))
    places = {}
    for name, tensor in tensors.items():
        owner, _, last = name.rpartition(".")
        own = getattr(modules[owner], last)
        if own.is_meta:
            raise AdapterRefused(f"{name} is not on a device here, so nothing can take its place. Use a larger device.")
        if own.shape != tensor.shape:
            raise AdapterRefused(f"{name} has {list(own.shape)} numbers, and {list(tensor.shape)} would replace them.")
        new = tensor.to(own.device, own.dtype)
        places[modules[owner], last] = nn.Parameter(new, requires_grad=False) if isinstance(own, nn.Parameter) else new
    return places


@contextmanager
def exchanged(places: Places) -> Iterator[None]:
    """Let these tensors be the model's until the end of the `with`."""
    own = {(module, name): getattr(module, name) for module, name in places}
    try:
        for (module, name), tensor in places.items():
            setattr(module, name, tensor)
        yield
    finally:
        for (module, name), tensor in own.items():
            setattr(module, name, tensor)
