"""Prove where a picture's pixels go: paint a cell, and see which keys of the model's first layers change.

While this looks, no patch reads another in the vision tower, so a key that changes was made from the painted pixels:
through the processor, the patches' order, merging, tiles and newlines, as the model itself does it. Layers without
attention mix tokens and patches too: they pass on what they were given. Nothing is assumed of any family's layout.
Knows no run and no file.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from contextlib import ExitStack

import torch
from PIL import Image
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from attention.families.cells import Cell
from attention.families.family import Family, Inputs
from attention.models.devices import inputs_for
from attention.models.hook import ATTENTION, attention_function

APART = "attention_apart"

_listener: contextvars.ContextVar[Callable | None] = contextvars.ContextVar("key_listener", default=None)


class _Enough(Exception):
    """All first layers have passed; the rest of the model need not run."""


def _attention(module, query, key, value, attention_mask, **kwargs):
    listener = _listener.get()
    if listener is not None and listener(module, key):
        return torch.zeros_like(query.transpose(1, 2)), None
    return ALL_ATTENTION_FUNCTIONS[ATTENTION](module, query, key, value, attention_mask, **kwargs)


AttentionInterface.register(APART, _attention)
AttentionMaskInterface.register(APART, sdpa_mask)


def first_keys(family: Family, model: torch.nn.Module, inputs: Inputs) -> dict[str, torch.Tensor]:
    """The keys of each tower's first layer, with patches that do not read each other: {tower: [keys, features]}."""
    modules = family.attention_modules(model)
    wanted = {id(layers[min(layers)]): tower for tower, layers in modules.items()}
    vision = {id(module) for module in modules.get("vision", {}).values()}
    found: dict[str, list[torch.Tensor]] = {}
    expected = {tower: len(keys) for tower, keys in inputs.keys.items() if keys} | {"language": len(inputs.ids)}

    def listen(module, key) -> bool:
        tower = wanted.get(id(module))
        if tower is not None:
            found.setdefault(tower, []).append(key.transpose(1, 2).flatten(2).flatten(0, 1).float().cpu())
            if all(sum(len(part) for part in found.get(name, ())) >= n for name, n in expected.items()):
                raise _Enough
        return id(module) in vision

    token = _listener.set(listen)
    try:
        with attention_function(model, APART), torch.inference_mode(), ExitStack() as passing:
            for module in family.unread_modules(model):
                passing.callback(module.register_forward_hook(_read_nothing).remove)
            for tower in {"language", "vision"} & modules.keys():
                for layer in _without_attention(model, modules[tower]):
                    passing.callback(layer.register_forward_hook(_pass_on, with_kwargs=True).remove)
            model(**inputs_for(model, family, inputs.tensors), use_cache=False)
    except _Enough:
        pass
    finally:
        _listener.reset(token)
    keys = {tower: torch.cat(parts) for tower, parts in found.items()}
    for tower, lengths in inputs.lengths.items():
        blocks = keys[tower].view(len(lengths), -1, keys[tower].shape[-1])
        keys[tower] = torch.cat([block[:n] for block, n in zip(blocks, lengths, strict=True)])  # without padding
    return keys


def _without_attention(model: torch.nn.Module, modules: dict[int, torch.nn.Module]) -> list[torch.nn.Module]:
    """The layers beside those of `modules`, which are named by their place among all of their tower."""
    first = min(modules)
    name = next(name for name, module in model.named_modules() if module is modules[first])
    layers = model.get_submodule(name.rpartition(f".{first}.")[0])
    return [layer for index, layer in enumerate(layers.children()) if index not in modules]


def _read_nothing(module, args, output):
    """Give nothing in the place of what patches read of each other."""
    whole = output if isinstance(output, torch.Tensor) else output[0]
    return torch.zeros_like(whole) if isinstance(output, torch.Tensor) else (torch.zeros_like(whole), *output[1:])


def _pass_on(layer, args, kwargs, output):
    """Give what a layer was given for what it made of it."""
    given = args[0] if args else kwargs["hidden_states"]
    return given if isinstance(output, torch.Tensor) else (given, *output[1:])


def changed_cells(inputs: Inputs, before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> dict[int, Cell]:
    """Of every grid in which anything changed, the cell whose keys changed most: {grid: (grid, row, col)}."""
    result = {}
    for tower, keys in before.items():
        cells = inputs.cells if tower == "language" else inputs.keys[tower]
        if len(cells) != len(keys):
            raise AssertionError(f"{len(keys)} keys in the {tower} tower where {len(cells)} were named")
        change = (after[tower] - keys).abs().sum(dim=-1)
        largest: dict[int, float] = {}
        for cell, value in zip(cells, change.tolist(), strict=True):
            if cell is not None and value > largest.get(cell[0], 0.0):
                largest[cell[0]], result[cell[0]] = value, cell
    return result


def painted(picture: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    """The picture with a box painted white, inset by a quarter on every side."""
    x0, y0, x1, y1 = box
    left, top = round(x0 + (x1 - x0) / 4), round(y0 + (y1 - y0) / 4)
    right, bottom = round(x1 - (x1 - x0) / 4), round(y1 - (y1 - y0) / 4)
    picture = picture.copy()
    picture.paste((255, 255, 255), (left, top, max(right, left + 1), max(bottom, top + 1)))
    return picture
