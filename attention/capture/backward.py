"""One forward and one backward pass: values, and the gradient of a target to each head's output before its projection.

Owns the pass and what is kept of each layer for a forecast of knock-outs (`attention.readings.forecast`). The graph
begins at the first attention output of the towers that are asked for, weights are no part of it: nothing before it is
held, and what is kept grows with the number of tokens, not with its square. The mask that a model gives to fused
kernels, where it gives one, is the model's own and is tokens x tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from attention.errors import NotFinite
from attention.models.scores import Scores
from attention.readings.target import Target

from .asked_again import AskedAgain
from .blocks import Block, Call, joined
from .plan import TowerPlan
from .recorder import Capture

# how far queries and keys may lie from the run's, over their norm: of float32, and of 16 bits on another device
EQUAL, EQUAL_16 = 1e-4, 2e-2


@dataclass
class PassedLayer:
    """A layer on its way: the blocks of its calls, in order, whose outputs are part of the graph."""

    index: int
    blocks: list[Block]

    def joined(self, name: str) -> torch.Tensor:
        """Its `query` or `key`, [heads, n, head_dim]."""
        return joined(self.blocks, name)


class Differentiable(Capture):
    """A context in which the attention outputs of a forward pass are kept for a backward one. Nothing is written."""

    def __init__(self, towers: dict[str, TowerPlan], on_layer: Callable[[str, int], None] | None = None):
        super().__init__(Path(), towers, on_layer=on_layer)
        self.passed: dict[str, list[PassedLayer]] = {name: [] for name in towers}

    def __enter__(self) -> Differentiable:
        self._listen()
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._hear_no_more()
        if kind is None:
            self._check_whole()

    def take(self, module, query, key, value, mask, kwargs, output=None):
        name = self._names.get(id(module))
        if name is None:
            return output
        if not output.requires_grad:  # the first of the graph
            output = output.detach().requires_grad_()
        self._add(name, module, query.detach(), key.detach(), value.detach(), mask, kwargs, output)
        return output

    def _keep(self, tower: str, index: int, blocks: list[Block], formula: Scores) -> None:
        self.layers[tower][index] = {"index": index}
        self.passed[tower].append(PassedLayer(index, blocks))
        if self._on_layer is not None:
            self._on_layer(tower, index)


@contextmanager
def frozen(model: torch.nn.Module) -> Iterator[None]:
    """Let no weight be part of a graph, and give each back what it had."""
    before = [weight for weight in model.parameters() if weight.requires_grad]
    try:
        for weight in before:
            weight.requires_grad_(False)
        yield
    finally:
        for weight in before:
            weight.requires_grad_()


def logits_of(target: Target, logits: torch.Tensor, ids: list[int], first: int) -> torch.Tensor:
    """The sum of the logits of a target's tokens, less that of the other token where there is one."""
    rows = logits[[token - first for token in target.tokens]].float()
    chosen = rows.gather(-1, torch.tensor([ids[token] for token in target.tokens], device=rows.device)[:, None])
    return (chosen if target.against is None else chosen - rows[:, target.against, None]).sum()


def value_of(target: Target, logits: torch.Tensor, ids: list[int], first: int) -> torch.Tensor:
    """L of a target, a float32 scalar, of logits [positions, vocabulary]; the first of these predict token `first`."""
    if target.against is not None:
        return logits_of(target, logits, ids, first)
    rows = logits[[token - first for token in target.tokens]].float()
    chosen = torch.tensor([ids[token] for token in target.tokens], device=rows.device)[:, None]
    return torch.log_softmax(rows, dim=-1).gather(-1, chosen).sum()


def check_same(asked: AskedAgain, passed: dict[str, list[PassedLayer]]) -> float:
    """The largest difference of queries and keys from the run's, over their norm.

    Raises CaptureError above rounding.
    """
    run, largest = asked.run, 0.0
    most = EQUAL if run.info["model"]["dtype"] == "float32" else EQUAL_16
    for tower, layers in passed.items():
        for layer in layers:
            for name in ("query", "key"):
                kept = torch.from_numpy(run.factor(name, layer.index, tower))
                now = layer.joined(name).float().cpu()
                away = float("inf")
                if kept.shape == now.shape:
                    away = float(torch.linalg.vector_norm(now - kept) / torch.linalg.vector_norm(kept).clamp(min=1e-30))
                if not away <= most:
                    raise asked.other(f"Layer {layer.index} of the {tower} tower now has other queries and keys")
                largest = max(largest, away)
    return largest


def write_gradients(passed: dict[str, list[PassedLayer]], value: torch.Tensor, folder: Path) -> dict[str, dict]:
    """Differentiate a target by every output that was kept, and write each layer's file; return the towers' records.

    A layer of which the target is no function has gradients of 0. Raises NotFinite for one that is no number.
    """
    pulls = gradients(passed, value)
    towers: dict[str, dict] = {}
    for tower, layers in passed.items():
        (folder / tower).mkdir()
        records = []
        for layer in sorted(layers, key=lambda each: each.index):
            name = f"{tower}/layer_{layer.index:02d}.safetensors"
            save_file(tensors_of(layer, pulls), folder / name, {"tower": tower, "layer": str(layer.index)})
            records.append({"index": layer.index, "file": name})
        towers[tower] = {"layers": records}
    return towers


def gradients(passed: dict[str, list[PassedLayer]], value: torch.Tensor) -> dict[int, torch.Tensor | None]:
    """The gradient of a target to the output of each call, by the call's id; None where it is no function of it."""
    calls = {id(block.call): block.call for layers in passed.values() for each in layers for block in each.blocks}
    outputs = [_output(call) for call in calls.values()]
    return dict(zip(calls, torch.autograd.grad(value, outputs, allow_unused=True), strict=True))


def tensors_of(layer: PassedLayer, pulls: dict[int, torch.Tensor | None]) -> dict[str, torch.Tensor]:
    """The tensors of a layer's file, its blocks one after the other, on the host.

    `value` [kv_heads, keys, value_dim], `pull` [heads, queries, value_dim], `pull_output` float32 [heads, queries].
    """

    def by_query(of_call: Callable[[Call], torch.Tensor]) -> torch.Tensor:
        """Tensors [batch, queries, heads, value_dim] of calls as those of the layer, [heads, queries, value_dim]."""
        blocks = [_instead(block, of_call(block.call).transpose(1, 2), block.call.key) for block in layer.blocks]
        return joined(blocks, "query")

    def pull_of(call: Call) -> torch.Tensor:
        pull = pulls[id(call)]
        return torch.zeros_like(_output(call)) if pull is None else pull

    value = joined([_instead(block, block.call.query, block.call.value) for block in layer.blocks], "key")
    pull, output = by_query(pull_of), by_query(lambda call: _output(call).detach())
    if not pull.isfinite().all():
        raise NotFinite(
            f"The gradient to layer {layer.index} is not finite (NaN or infinity), so there is no forecast. Try dtype "
            "float32."
        )
    products = (pull.float() * output.float()).sum(dim=-1)
    kept = {"value": _kept(value), "pull": _kept(pull), "pull_output": products}
    return {name: tensor.cpu().contiguous() for name, tensor in kept.items()}


def _output(call: Call) -> torch.Tensor:
    assert call.output is not None  # `Differentiable` keeps each
    return call.output


def _instead(block: Block, query: torch.Tensor, key: torch.Tensor | None) -> Block:
    """The same block with other tensors where its queries and keys are, so that they are joined as these are."""
    assert key is not None  # `Differentiable` keeps values too
    return Block(Call(query, key, None, None, False), block.entry, block.padding)


def _kept(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor in the number format in which it is kept: float16 is too narrow for gradients."""
    return tensor if tensor.dtype == torch.bfloat16 else tensor.float()
