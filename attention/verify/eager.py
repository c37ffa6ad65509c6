"""Rows against the model's own eager attention: on the same queries and keys, and of a whole eager pass.

Owns the comparison with what is not ours. Knows models and runs.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from attention.errors import UnsupportedModel
from attention.models.hook import attention_function
from attention.models.quantisation import rounds_activations
from attention.models.scores import Scores

from .table import Check, Worst

END_TO_END_TOLERANCE = 1e-3  # of float32 models: rounding of other kernels, carried through all layers; where quantised
# layers round what passes through them, a small difference there becomes a whole step, and nothing can be promised


def _attention_modules(loaded) -> dict[int, tuple[str, int]]:
    """The modules that are attention, by id: (tower, layer)."""
    towers = loaded.family.attention_modules(loaded.model)
    return {id(module): (tower, layer) for tower, by_layer in towers.items() for layer, module in by_layer.items()}


def _eager_functions(loaded) -> dict:
    """The eager attention of each tower that the model's own source file has, by that Python module and its name."""
    found = {}
    for tower, by_layer in loaded.family.attention_modules(loaded.model).items():
        for place in {_eager_place(tower, module) for module in by_layer.values()}:
            if not hasattr(*place):
                raise UnsupportedModel("This model's code has no eager attention to compare with.")
            found[place] = getattr(*place)
    return found


def _eager_place(tower: str, module: torch.nn.Module) -> tuple[ModuleType, str]:
    """The Python module of an attention module, and the name of its eager attention there."""
    source, name = sys.modules[type(module).__module__], "eager_attention_forward"
    own = f"{tower}_{name}"
    return source, own if hasattr(source, own) else name


class Choices:
    """Keys that a model's own modules chose in one pass (`kept`), given to it again in another (`again`).

    Where two keys score nearly the same, rounding decides which of them is chosen: a pass with other kernels would read
    other keys, and be another model.
    """

    def __init__(self, loaded):
        self._modules = loaded.family.choosing_modules(loaded.model)
        self._chosen: list[list] = [[] for _ in self._modules]

    def kept(self) -> AbstractContextManager:
        """Note what is chosen."""
        return self._hooked([chosen.append for chosen in self._chosen])

    def again(self) -> AbstractContextManager:
        """Let the same be chosen, call by call."""
        rests = [iter(chosen) for chosen in self._chosen]
        return self._hooked([lambda _, rest=rest: next(rest) for rest in rests])

    @contextmanager
    def _hooked(self, each: list[Callable]) -> Iterator[None]:
        with ExitStack() as hooks:
            for module, of in zip(self._modules, each, strict=True):
                hooks.callback(module.register_forward_hook(lambda _, args, own, of=of: of(own)).remove)
            yield


class _Blocks:
    """Place in its layer of each sequence of each attention call: one after the other, as they come."""

    def __init__(self):
        self._ends = defaultdict(lambda: (0, 0))

    def next(self, place, n_queries: int, n_keys: int) -> tuple[slice, slice]:
        row, col = self._ends[place]
        self._ends[place] = row + n_queries, col + n_keys
        return slice(row, row + n_queries), slice(col, col + n_keys)


def compare_end_to_end(loaded, run, inputs, choices: Choices) -> tuple[dict, list[Check], torch.Tensor]:
    """Run the model with its eager attention, on the keys of `choices`, and compare its rows with the run's.

    Returns the masks that eager attention was given in each layer, block by block: bool [queries, keys] of what is
    hidden, or None; the checks; and the logits.
    """
    names, eager = _attention_modules(loaded), _eager_functions(loaded)
    masks: dict[tuple[str, int], list] = defaultdict(list)
    worst: dict[str, Worst] = defaultdict(Worst)
    hidden_mass = Worst()
    blocks = _Blocks()

    def listening(function):
        def forward(module, query, key, value, attention_mask, **kwargs):
            output, weights = function(module, query, key, value, attention_mask, **kwargs)
            if id(module) in names:
                tower, layer = names[id(module)]
                for entry, part in enumerate(weights):
                    hidden = _hidden(attention_mask, entry, key.shape[2])
                    masks[tower, layer].append(hidden)
                    n = _before_padding(tower, hidden)
                    rows, hidden = part[:, :n, :n], hidden if hidden is None else hidden[:n, :n]
                    block = blocks.next((tower, layer), *rows.shape[1:])
                    error, leak = _row_error(run, tower, layer, block, rows.float().cpu().numpy(), hidden)
                    worst[tower].see(error, END_TO_END_TOLERANCE, f"layer {layer}")
                    hidden_mass.see(leak, 0.0, f"layer {layer}, {tower}")
            return output, weights

        return forward

    try:
        for (source, name), function in eager.items():
            setattr(source, name, listening(function))
        with attention_function(loaded.model, "eager"), choices.again():
            logits = loaded.model(**inputs).logits
    finally:
        for (source, name), function in eager.items():
            setattr(source, name, function)
    rounds = rounds_activations(loaded.model.config)
    is_exact = loaded.dtype == "float32" and not rounds
    note = "" if is_exact else f" ({'quantised' if rounds else loaded.dtype}: eager's own rounding)"
    checks = [worst[tower].check(f"rows = an eager model's, {tower}{note}", is_exact) for tower in run.towers()]
    return masks, [*checks, hidden_mass.check("nothing on hidden keys")], logits


def check_eager_logits(loaded, logits: torch.Tensor, eager: torch.Tensor) -> Check:
    """Check the logits of a model whose layers' output is not stock SDPA's, but computed by this project."""
    worst = Worst()
    worst.see((logits.float() - eager.float()).abs().max().item() / eager.abs().max().item(), END_TO_END_TOLERANCE, "")
    return worst.check("logits = an eager model's, of the largest", loaded.dtype == "float32")


def _hidden(mask: torch.Tensor | None, entry: int, n_keys: int) -> np.ndarray | None:
    """Keys that a mask [batch, 1, queries, keys] hides in one entry of its batch: bool [queries, keys]; None for none.

    Most masks are added to scores; a bool one says what is seen.
    """
    if mask is None:
        return None
    mask = mask[entry if len(mask) > 1 else 0, 0, :, :n_keys]
    return (~mask if mask.dtype == torch.bool else mask < 0).cpu().numpy()


def _before_padding(tower: str, hidden: np.ndarray | None) -> int | None:
    """The number of a block's keys before those at its end that no query reads: a picture's padding. None for all."""
    if tower != "vision" or hidden is None:
        return None
    return int(np.flatnonzero(~hidden.all(axis=0))[-1]) + 1


@dataclass
class SameFactors:
    checks: list[Check]
    bounds: dict[tuple[str, int], float]


def compare_on_same_factors(loaded, run, inputs, masks, fast: str) -> SameFactors:
    """Listen to the fast attention function, and compare the run's rows with eager's on the same queries and keys.

    Half-precision models are compared with a float64 softmax instead: their eager attention rounds to half precision.
    """
    names, eager = _attention_modules(loaded), _eager_functions(loaded)
    stock = ALL_ATTENTION_FUNCTIONS[fast]
    errors: dict[tuple[str, int], list] = defaultdict(list)
    bounds: dict[tuple[str, int], float] = defaultdict(float)
    blocks = _Blocks()
    hidden_blocks = {place: iter(found) for place, found in masks.items()}

    def listen(module, query, key, value, attention_mask, **kwargs):
        if id(module) in names:
            place = names[id(module)]
            given = Scores.of(query, kwargs)
            for entry in range(len(query)):
                formula = given.of_entry(entry)
                own = [tensor[entry : entry + 1] for tensor in (query, key, value)]
                hidden = next(hidden_blocks[place])
                weights, largest = _scores_in_float64(own[0][0], own[1][0], hidden, formula)
                if loaded.dtype == "float32":
                    forward = eager[_eager_place(place[0], module)]
                    options = {**kwargs, "scaling": formula.scaling}
                    weights = forward(module, *own, _added(hidden, query.device), **options)[1][0]
                n = _before_padding(place[0], hidden)
                weights, hidden = weights[:, :n, :n], hidden if hidden is None else hidden[:n, :n]
                block = blocks.next(place, *weights.shape[1:])
                errors[place].append(_row_error(run, *place, block, weights.cpu().numpy(), hidden)[0])
                bounds[place] = max(bounds[place], 1e-6 + 2e-7 * largest)
        return stock(module, query, key, value, attention_mask, **kwargs)

    # an entry of this mapping's own hides the general one for everybody until it is taken away
    ALL_ATTENTION_FUNCTIONS[fast] = listen
    try:
        loaded.model(**inputs)
    finally:
        del ALL_ATTENTION_FUNCTIONS[fast]
    assert ALL_ATTENTION_FUNCTIONS[fast] is stock
    worst: dict[str, Worst] = defaultdict(Worst)
    for (tower, layer), found in errors.items():
        worst[tower].see(max(found), bounds[tower, layer], f"layer {layer}")
    other = "eager" if loaded.dtype == "float32" else "float64 softmax"
    checks = [worst[tower].check(f"rows = {other} on the same queries and keys, {tower}") for tower in run.towers()]
    return SameFactors(checks, dict(bounds))


def _scores_in_float64(query, key, hidden, formula: Scores) -> tuple[torch.Tensor, float]:
    """The softmax of [heads, queries, head_dim] on [kv_heads, keys, head_dim], and the largest |score|, in float64."""
    keys = key.cpu().double().repeat_interleave(len(query) // len(key), dim=0)
    scores = query.cpu().double() @ keys.transpose(1, 2) * formula.scaling
    largest = scores.abs().max().item()  # before a cap: its rounding goes into the capped score
    if formula.softcap is not None:
        scores = formula.softcap * torch.tanh(scores / formula.softcap)
    if formula.position_bias is not None:
        scores += formula.position_bias.cpu().double()
    if hidden is not None:
        scores.masked_fill_(torch.from_numpy(hidden), float("-inf"))
    if formula.sink_logits is None:
        return scores.softmax(dim=-1), largest
    sinks = formula.sink_logits.detach().cpu().double().reshape(len(scores), -1, 1).expand(-1, scores.shape[1], 1)
    return torch.cat([scores, sinks], dim=-1).softmax(dim=-1)[..., :-1], largest


def _added(hidden: np.ndarray | None, device) -> torch.Tensor | None:
    """A mask as eager attention adds it to scores: float32 [1, 1, queries, keys]."""
    if hidden is None:
        return None
    mask = torch.zeros(hidden.shape, device=device)
    return mask.masked_fill_(torch.from_numpy(hidden).to(device), torch.finfo(torch.float32).min)[None, None]


def _row_error(run, tower, layer, block, weights, hidden) -> tuple[float, float]:
    """Distance of rows from `weights` [heads, queries, keys] of a block (its queries and its keys, slices); and their
    largest value on hidden keys. Keys outside of the block are hidden as well.
    """
    error = leak = 0.0
    queries, keys = block
    for start, rows in run.dense_chunks(layer, tower, queries.start, queries.stop):
        span = slice(start - queries.start, start - queries.start + rows.shape[1])
        inside = rows[:, :, keys]
        error = max(error, np.abs(inside - weights[:, span]).max())
        outside = max(rows[:, :, : keys.start].max(initial=0), rows[:, :, keys.stop :].max(initial=0))
        leak = max(leak, outside, inside[:, hidden[span]].max(initial=0) if hidden is not None else 0)
    return float(error), float(leak)
