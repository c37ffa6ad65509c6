"""Modules of a base model that an adapter can attach to, by name, from its config or from the model in memory.

Owns which modules there are, their shapes, and where they belong (tower and layer as the family says). Reads no
weights, and knows nothing of adapters but how PEFT wraps modules: names are those that the model has without any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from attention import families
from attention.errors import UnsupportedModel, shortened
from attention.models.config import read_config
from attention.models.download import cause_of, folder_stamp, locate
from attention.models.quantisation import check_quantisation

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# What lies between the towers; inside the vision tower some families keep it under one of these names.
CONNECTORS = ("merger", "projector", "connector", "resampler")
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class BaseModule:
    """One module of a base. `shape` is its weight's, None where it has none; `part` the last word of its name.

    `tower` is language, vision, cross, connector (a merger or projector between them) or other; `layer` the family's
    own index, None outside of layers; `groups` a convolution's; `is_transposed` says of experts that their weights are
    [expert, in, out] and not [expert, out, in].
    """

    kind: str  # linear | embedding | conv | norm | other
    shape: tuple[int, ...] | None
    tower: str
    layer: int | None
    part: str
    groups: int = 1
    is_transposed: bool = False


@dataclass(frozen=True)
class Base:
    """A base model as an adapter meets it.

    `tensors` are the shapes of its state by name; `embedding` its input layer, `head` its output layer, and `tied` says
    whether both have one weight.
    """

    id: str
    class_name: str
    model_type: str
    modules: dict[str, BaseModule]
    tensors: dict[str, tuple[int, ...]]
    embedding: str | None = None
    head: str | None = None
    tied: bool = False


def base_of(model_id: str, model_type: str | None = None) -> Base:
    """The modules of a model, from its config alone.

    Raises ModelUnavailable, or UnsupportedModel where no family knows it.
    """
    path, _ = locate(model_id, config_only=True)
    return replace(_from_config(path, model_type, folder_stamp(path, "config.json")), id=model_id)


def base_of_model(model_id: str, model: PreTrainedModel, model_type: str | None = None) -> Base:
    """The modules of a model in memory, named as they are without adapters. Raises UnsupportedModel."""
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    return _read(model_id, plain, families.of_config(plain.config, model_type))


def plain_modules(model: PreTrainedModel) -> Iterator[tuple[str, nn.Module]]:
    """Each module of a model by the name that it has without adapters; of one that PEFT wrapped, the base's own."""

    def walk(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        module = _unwrapped(module)
        yield name, module
        for child_name, child in module.named_children():
            yield from walk(f"{name}.{child_name}" if name else child_name, child)

    return walk("", model.get_base_model() if hasattr(model, "get_base_model") else model)


def plain_tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """A module's own parameters and those buffers that belong to its saved state."""
    yield from ((name, tensor) for name, tensor in module._parameters.items() if tensor is not None)
    for name, tensor in module._buffers.items():
        if tensor is not None and name not in module._non_persistent_buffers_set:
            yield name, tensor


def _unwrapped(module: nn.Module) -> nn.Module:
    while True:
        inside = module._modules
        own = inside.get("base_layer")  # of LoRA and its kind
        if own is None and "modules_to_save" in inside:
            own = inside.get("original_module")
        if own is None:
            return module
        module = own


@lru_cache(maxsize=16)
def _from_config(path: str, model_type: str | None, stamp: tuple[Any, ...]) -> Base:
    from transformers import AutoModelForImageTextToText

    config, family = read_config(path, model_type)
    check_quantisation(config, path)
    try:
        with torch.device("meta"):
            model = AutoModelForImageTextToText.from_config(config, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - a config of anybody's makes transformers fail in any way
        raise UnsupportedModel(
            f"{path} cannot be built from its config.json, so nothing attaches to it: {shortened(cause_of(error), 200)}"
        ) from None
    return _read(path, model, family)


def _read(model_id: str, model: PreTrainedModel, family: Any) -> Base:
    named = dict(plain_modules(model))
    where = _Places(named, family.attention_modules(model))
    embedding, head = (
        next((name for name, module in named.items() if end is not None and module is _unwrapped(end)), None)
        for end in (model.get_input_embeddings(), model.get_output_embeddings())
    )
    tied = embedding is not None and head is not None and named[embedding].weight is named[head].weight
    pooling = tuple(f"{name}." for name, module in named.items() if isinstance(module, nn.MultiheadAttention))
    modules: dict[str, BaseModule] = {}
    tensors: dict[str, tuple[int, ...]] = {}
    for name, module in named.items():
        if not name:
            continue
        # torch's own attention reads its projections' weights and never calls them: what is attached has no effect
        kind = "other" if pooling and name.startswith(pooling) else _kind(module)
        tower, layer = ("language", None) if name in (head, embedding) else where.of(name)
        groups = int(getattr(module, "groups", 1)) if kind == "conv" else 1
        modules[name] = BaseModule(
            kind,
            _weight_shape(module),
            tower,
            layer,
            name.rpartition(".")[2],
            groups,
            bool(getattr(module, "is_transposed", False)),
        )
        tensors |= {f"{name}.{tensor_name}": tuple(tensor.shape) for tensor_name, tensor in plain_tensors(module)}
    return Base(model_id, type(model).__name__, model.config.model_type, modules, tensors, embedding, head, tied)


def _kind(module: nn.Module) -> str:
    if isinstance(module, nn.Linear):
        return "linear"
    if isinstance(module, nn.Embedding):
        return "embedding"
    if isinstance(module, CONVOLUTIONS):
        return "conv"
    shape = _weight_shape(module)
    return "norm" if "norm" in type(module).__name__.lower() and shape is not None and len(shape) == 1 else "other"


def _weight_shape(module: nn.Module) -> tuple[int, ...] | None:
    if isinstance(module, nn.Linear):
        return module.out_features, module.in_features  # also of one whose weight is packed
    weight = module._parameters.get("weight")
    return None if weight is None else tuple(weight.shape)


class _Places:
    """Tower and layer of a module by its name, from where the family's attention modules are."""

    def __init__(self, named: dict[str, nn.Module], attention: dict[str, dict[int, nn.Module]]):
        names = {id(module): name for name, module in named.items()}
        attending = {
            names[id(_unwrapped(module))]: (tower, layer)
            for tower, modules in attention.items()
            for layer, module in modules.items()
        }
        self._layers: dict[str, tuple[str, int]] = {}
        for name, place in attending.items():  # a decoder's layer has two of them, of which the first names it
            self._layers.setdefault(name.rpartition(".")[0], place)
        lists: dict[str, str] = {}  # the lists that the layers are in
        for name, (tower, _) in self._layers.items():
            lists.setdefault(name.rpartition(".")[0], tower)
        for name in named:  # beside them layers that have no attention
            path, _, last = name.rpartition(".")
            if path in lists and last.isdecimal():
                self._layers.setdefault(name, (lists[path], int(last)))
        self._roots = {_tower_root(path, lists): tower for path, tower in lists.items()}
        self._layers |= attending

    def of(self, name: str) -> tuple[str, int | None]:
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            ancestor = ".".join(parts[:end])
            if ancestor in self._layers:
                return self._layers[ancestor]
            if ancestor in self._roots:
                tower = self._roots[ancestor]
                inside = parts[end] if end < len(parts) else ""
                between = tower == "vision" and any(word in inside for word in CONNECTORS)
                return ("connector" if between else tower), None
        holds_a_tower = any(root.startswith(f"{name}.") for root in self._roots)
        return ("other" if holds_a_tower else "connector"), None


def _tower_root(path: str, lists: dict[str, str]) -> str:
    """The largest module around a list of layers that has no other tower in it."""
    same = {"language", "cross"} if lists[path] in ("language", "cross") else {lists[path]}
    others = [other for other, tower in lists.items() if tower not in same]
    while "." in path:
        parent = path.rpartition(".")[0]
        if any(f"{other}.".startswith(f"{parent}.") for other in others):
            break
        path = parent
    return path
