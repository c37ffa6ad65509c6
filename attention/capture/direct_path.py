"""The direct path of a pass: what each part of a model adds to the logits by the residual stream, nothing else.

Owns the pass. Every part of a layer that is no norm and mixes no streams has its input detached, so that a gradient
reaches it by the residual stream alone. What stays is made linear by freezing: of norms the reciprocal root of their
variance, of mixed streams the gates, of a cap on logits by how much it makes each smaller. The parts' sum is then the
logit, and a model of which that is not true is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch.overrides import TorchFunctionMode

from attention.errors import UnsupportedModel
from attention.models.kept import LoadedModel

ROOTS = (torch.rsqrt, torch.Tensor.rsqrt)
POWERS = (torch.pow, torch.Tensor.pow)
GATES = (torch.sigmoid, torch.Tensor.sigmoid)
CAPS = (torch.tanh, torch.Tensor.tanh)


class Frozen(TorchFunctionMode):
    """Norms, gates and caps that scale by what they do on this input, by no function of it; values keep their bits."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function in (*ROOTS, *GATES) or (function in POWERS and args[1:] == (-0.5,)):
            return result.detach()
        if function in CAPS and result.requires_grad:
            capped, value = result.detach(), args[0]
            scale = torch.where(capped == 0, 1, capped / value.detach())
            return capped + (value - value.detach()) * scale
        return result


class Parts:
    """Outputs of parts that are no attention, by the layer that they lie in; `embedding`: the first layer's input."""

    def __init__(self) -> None:
        self.embedding: torch.Tensor | None = None
        self.others: dict[int, list[torch.Tensor]] = {}


@contextmanager
def direct_path(loaded: LoadedModel) -> Iterator[Parts]:
    """Cut every path but the direct one, for a forward pass in the `with`, and keep what it is made of."""
    model, parts = loaded.model, Parts()
    layers = decoder_layers(loaded)
    towers = loaded.family.attention_modules(model).values()
    mixing = {id(module) for module in loaded.family.stream_modules(model)}
    attending = {id(module) for by_layer in towers for module in by_layer.values()}

    def cut(module, args, kwargs):
        return tuple(map(_cut, args)), {name: _cut(value) for name, value in kwargs.items()}

    with ExitStack() as held:
        for index, layer in enumerate(layers):
            for part in layer.children():
                if "Norm" in type(part).__name__ or id(part) in mixing:
                    continue
                held.callback(part.register_forward_pre_hook(cut, with_kwargs=True).remove)
                if not any(id(each) in attending for each in part.modules()):
                    held.callback(part.register_forward_hook(_leaf(parts, index)).remove)

        def first(module, args, kwargs):
            hidden = args[0] if args else kwargs["hidden_states"]
            parts.embedding = hidden.detach().requires_grad_()
            if args:
                return (parts.embedding, *args[1:]), kwargs
            return args, kwargs | {"hidden_states": parts.embedding}

        held.callback(layers[0].register_forward_pre_hook(first, with_kwargs=True).remove)
        with Frozen():
            yield parts


def decoder_layers(loaded: LoadedModel) -> torch.nn.ModuleList:
    """The layers of the language model, in order."""
    model = loaded.model
    names = {id(module): name for name, module in model.named_modules()}
    language = loaded.family.attention_modules(model)["language"]
    stack, _, _ = names[id(next(iter(language.values())))].partition(".layers.")
    layers = model.get_submodule(f"{stack}.layers")
    if not isinstance(layers, torch.nn.ModuleList):
        raise UnsupportedModel("The layers of this language model are not in a list, so their paths cannot be cut.")
    return layers


def _cut(value):
    return value.detach() if isinstance(value, torch.Tensor) else value


def _leaf(parts: Parts, index: int):
    def keep(module, args, output):
        first, *more = output if isinstance(output, tuple) else (output,)
        if not isinstance(first, torch.Tensor) or not first.is_floating_point():
            return None
        first = first.detach().requires_grad_()
        parts.others.setdefault(index, []).append(first)
        return (first, *more) if isinstance(output, tuple) else first

    return keep
