"""Direct logit attribution of a run: one forward pass and one backward along the residual stream alone.

Owns the job: its folder, the check that the parts sum to the logit, and the index of what is kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from attention.errors import UnsupportedModel
from attention.limits import Limits
from attention.readings.cost import cost_of_direct
from attention.readings.direct import KIND, Direct
from attention.readings.target import Target
from attention.runs.partial import PartialRun
from attention.runs.run import Run

from .asked_again import AskedAgain, asked_again
from .backward import (
    Differentiable,
    PassedLayer,
    check_same,
    differentiated,
    frozen,
    gradients,
    logits_of,
    tensors_of,
    write_layers,
)
from .direct_path import Parts, direct_path
from .extraction import Adapted, all_or_nothing
from .kept_reading import commit_reading, found_or_made
from .plan import plan_towers

# by which the parts may miss the logit, of the sum of their sizes: in float32, and in 16 bits
CLOSURE, ROUNDED = 1e-5, 2e-2
STRONGEST = 8  # heads that the budget names
NO_PATH = (
    "What the heads of layer {layer} of the {tower} tower put out goes through another part of the model, such as a "
    "convolution over tokens, before it is added: no part of the logit is theirs alone."
)


def attribute_directly(
    run: Run,
    tokens: int | Sequence[int] | None = None,
    against: int | None = None,
    *,
    model=None,
    processor=None,
    limits: Limits | None = None,
    folder: str | os.PathLike | None = None,
    partial: PartialRun | None = None,
    adapted: Adapted | None = None,
) -> Direct:
    """Say what each head, layer and cell adds to the logits of an answer's tokens on the direct path.

    Parameters are those of `forecast_knock_outs`. Raises UnsupportedModel for a model whose parts do not sum to its
    logits, as of those that mix layers in other ways than by adding.
    """
    target = Target.of(run, tokens, against)

    def fill(own: PartialRun, given) -> Path:
        return fill_direct(run, target, own, given, limits, adapted)

    place = found_or_made(run, target.name(KIND, ()), folder, fill, model, processor, partial)
    return Direct(run, place).asked_for(target)


def fill_direct(
    run: Run,
    target: Target,
    partial: PartialRun,
    model=None,
    limits: Limits | None = None,
    adapted: Adapted | None = None,
) -> Path:
    """The whole job, into a folder that the caller has made; returns the finished reading's folder, or leaves none."""
    cost = cost_of_direct(run, len(target.tokens))
    with all_or_nothing(partial), asked_again(run, partial, model, limits, adapted, cost) as asked:
        began = time.perf_counter()
        plans = plan_towers(asked.loaded, asked.inputs, asked.first, False, asked.limits)
        total = sum(len(plan.modules) for plan in plans.values())

        with torch.inference_mode(False), torch.enable_grad(), frozen(asked.loaded.model):
            with (
                Differentiable(plans, partial.steps("capture", total), partial.check_cancelled) as passed,
                direct_path(asked.loaded) as parts,
            ):
                logits = asked.logits()[0]
            difference = check_same(asked, passed.passed)
            towers, budget = _written(asked, target, passed.passed, parts, logits, partial.folder)
        fields = {
            "target": target.to_dict(), "towers": towers, "budget": budget, "difference": difference,
        }  # fmt: skip
        return commit_reading(partial, run, KIND, began, fields)


def _written(
    asked: AskedAgain,
    target: Target,
    passed: dict[str, list[PassedLayer]],
    parts: Parts,
    logits: torch.Tensor,
    folder: Path,
) -> tuple[dict[str, dict], dict]:
    """Write each layer's file; return the towers' records and the budget. Raises UnsupportedModel where parts miss."""
    value = logits_of(target, logits, asked.ids, asked.first)
    others = [(layer, part) for layer, found in parts.others.items() for part in found]
    assert parts.embedding is not None  # the first layer was called
    leaves = [parts.embedding, *(part for _, part in others)]
    of_leaves = differentiated(value, leaves, is_last=False)
    added = [
        0.0 if pull is None else float((pull * part.detach()).sum(dtype=torch.float32))
        for pull, part in zip(of_leaves, leaves, strict=True)
    ]
    pulls, rows = gradients(passed, value, NO_PATH), [token - 1 for token in target.tokens]
    total, sizes, image = sum(added), sum(map(abs, added)), 0.0
    tower_of = {id(layer): tower for tower, layers in passed.items() for layer in layers}
    strongest: list[tuple[float, str, int, int]] = []

    def of_layer(layer: PassedLayer) -> dict[str, torch.Tensor]:
        nonlocal total, sizes, image
        kept, tower = tensors_of(layer, pulls), tower_of[id(layer)]
        by_head = kept["pull_output"][:, rows].sum(dim=1)
        total, sizes = total + float(by_head.sum()), sizes + float(by_head.abs().sum())
        direction = kept["pull"][:, rows].transpose(0, 1).contiguous()
        image += _of_pictures(asked.run, tower, layer.index, rows, kept["value"], direction)
        strongest.extend((each, tower, layer.index, head) for head, each in enumerate(by_head.tolist()))
        return {"value": kept["value"], "direction": direction, "added": by_head.contiguous()}

    towers = write_layers(passed, of_layer, folder)
    rest = float(value.detach()) - total
    is_rounded = asked.loaded.dtype != "float32"
    if not abs(rest) <= (ROUNDED if is_rounded else CLOSURE) * sizes:
        raise UnsupportedModel(
            f"The parts of {asked.loaded.id} sum to {total:.4g} where the logit is {float(value.detach()):.4g}: its "
            "layers do more than add to each other, so no part of the logit is a layer's own."
        )
    by_layer: dict[str, float] = {}
    for (index, _), part in zip(others, added[1:], strict=True):
        by_layer[str(index)] = by_layer.get(str(index), 0.0) + part
    heads = total - sum(added)
    strongest.sort(key=lambda each: -abs(each[0]))
    return towers, {
        "logit": float(value.detach()), "embedding": added[0], "others": by_layer, "heads": heads, "image": image,
        "rest": rest,
        "strongest": [
            {"tower": tower, "layer": layer, "head": head, "added": each}
            for each, tower, layer, head in strongest[:STRONGEST]
        ],
    }  # fmt: skip


def _of_pictures(
    run: Run, tower: str, layer: int, queries: list[int], value: torch.Tensor, direction: torch.Tensor
) -> float:
    """Part of what a layer's heads add that they read from cells of pictures.

    Of `value` [kv_heads, keys, value_dim] and `direction` [queries, heads, value_dim], as they are kept.
    """
    cells = run.pictures(tower)[0]
    of_cells = value[:, cells].float().repeat_interleave(direction.shape[1] // value.shape[0], dim=0)
    total = 0.0
    for number, query in enumerate(queries):
        rows = torch.from_numpy(run.row(layer, query, tower, "factors")[:, cells])
        total += float(torch.einsum("hj,hjd,hd->", rows.double(), of_cells.double(), direction[number].double()))
    return total
