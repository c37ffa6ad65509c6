"""Tensors of a model in memory that others take the place of, for the time of a `with`.

The parameter itself is exchanged in the module that has it, and put back: no number of the base is ever written over.
Where LoRA changes a parameter (of experts, say), the changed one is there while its module computes, and no longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from attention.errors import AdapterRefused
from attention.models.quantisation import is_packed

from .base_modules import plain_modules
from .health_card import HealthCard

Places = Mapping[tuple[nn.Module, str], torch.Tensor]


def places_of(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> Places:
    """The places of tensors, by their names in the base; each in the dtype and on the device of its own.

    Raises AdapterRefused when a weight of the base is not in memory, so that nothing can take its place.
    """
    modules = dict(plain_modules(model))
    places = {}
    for name, tensor in tensors.items():
        owner, _, last = name.rpartition(".")
        own = getattr(modules[owner], last)
        if own.is_meta:
            raise AdapterRefused(f"{name} is not on a device here, so nothing can take its place. Use a larger device.")
        _check_is_plain(own, name)
        if own.shape != tensor.shape:
            raise AdapterRefused(f"{name} has {list(own.shape)} numbers, and {list(tensor.shape)} would replace them.")
        new = tensor.to(own.device, own.dtype)
        places[modules[owner], last] = nn.Parameter(new, requires_grad=False) if isinstance(own, nn.Parameter) else new
    return places


def _check_is_plain(own: torch.Tensor, name: str) -> None:
    """Raise AdapterRefused for a quantised weight of the base, which plain numbers cannot be written into."""
    if isinstance(own, nn.Parameter) and is_packed(own):
        raise AdapterRefused(
            f"{name} is quantised in this base, so nothing can take its place or be added to it. Take the base that is "
            "not quantised."
        )


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


def with_rows(model: nn.Module, card: HealthCard, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a file, where those that are rows of an embedding are the whole of it with these rows."""
    modules, whole = dict(plain_modules(model)), dict(tensors)
    for key, (name, which) in card.keys.items():
        if which == "rows":
            own = modules[name].get_parameter("weight")
            _check_is_plain(own, f"{name}.weight")
            at = torch.tensor(card.rows[name], device=own.device)
            whole[key] = own.detach().index_copy(0, at, tensors[key].to(own.device, own.dtype))
    return whole


@dataclass(frozen=True)
class Change:
    """A change of a parameter W [expert, out, in] or [out, in]: `scaling` left right, a product for each expert.

    `left` is [expert, out, rank] and `right` [expert, rank, in]; where W is [expert, in, out] theirs are the other way.
    """

    name: str
    left: torch.Tensor
    right: torch.Tensor
    scaling: float

    def of(self, own: torch.Tensor, scale: float) -> torch.Tensor:
        """The changed parameter."""
        stacked = own.detach() if own.dim() == 3 else own.detach()[None]
        return torch.baddbmm(stacked, self.left, self.right, alpha=self.scaling * scale).view_as(own)


Changes = Mapping[nn.Module, list[Change]]


def changes_of(model: nn.Module, card: HealthCard, tensors: Mapping[str, torch.Tensor]) -> Changes:
    """The changes that a file's matrices make to parameters, by the module that has them.

    A holds [expert x rank, in] and B [out, rank x expert], as PEFT has them. Raises AdapterRefused for a parameter that
    is not in memory.
    """
    modules = dict(plain_modules(model))
    changes: dict[nn.Module, list[Change]] = {}
    scalings = {module.name: module.scaling for module in card.modules if module.kind == "parameter"}
    found: dict[str, dict[str, torch.Tensor]] = {name: {} for name in scalings}
    for key, (name, which) in card.keys.items():
        if name in found and which.startswith("parameter."):
            found[name][which.removeprefix("parameter.")] = tensors[key]
    for name, matrices in found.items():
        owner, _, last = name.rpartition(".")
        module = modules[owner]
        own = getattr(module, last)
        if own.is_meta:
            raise AdapterRefused(f"{name} is not on a device here, so nothing can be added to it. Use a larger device.")
        _check_is_plain(own, name)
        left, right = factors(
            matrices["lora_A"], matrices["lora_B"], own.shape, getattr(module, "is_transposed", False)
        )
        changes.setdefault(module, []).append(
            Change(last, left.to(own.device, own.dtype), right.to(own.device, own.dtype), scalings[name])
        )
    return changes


def factors(
    a: torch.Tensor, b: torch.Tensor, shape: tuple[int, ...], is_transposed: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The two matrices of each expert, whose product has the shape of the parameter."""
    experts = shape[0] if len(shape) == 3 else 1
    right = a.reshape(experts, -1, a.shape[1])
    left = b.reshape(len(b), -1, experts).permute(2, 0, 1)
    return (right.mT, left.mT) if is_transposed and len(shape) == 3 else (left, right)


@contextmanager
def added(changes: Changes, scale: float) -> Iterator[None]:
    """Let these modules compute with the changed parameters until the end of the `with`."""
    with ExitStack() as hooks:
        for module, each in changes.items():
            own = {change.name: getattr(module, change.name) for change in each}

            def change_all(module: nn.Module, _: object, each: Any = each, own: Any = own) -> None:
                for change in each:
                    new = nn.Parameter(change.of(own[change.name], scale), requires_grad=False)
                    setattr(module, change.name, new)

            def put_back(module: nn.Module, *_: object, own: Any = own) -> None:
                for name, parameter in own.items():
                    setattr(module, name, parameter)

            hooks.callback(put_back, module)
            hooks.callback(module.register_forward_pre_hook(change_all).remove)
            hooks.callback(module.register_forward_hook(put_back, always_call=True).remove)
        yield
