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

from attention.errors import NotFinite, UnsupportedModel, shortened
from attention.models.download import cause_of
from attention.models.scores import Scores
from attention.readings.reading import layer_file
from attention.readings.target import Target

from .asked_again import AskedAgain
from .blocks import Block, Call, joined
from .gathering import Gathering
from .layer_writer import save_tensors
from .plan import TowerPlan
from .same_pass import FACTORS, difference_of

SCALES = (2.0**24, 2.0**16, 2.0**8, 1.0)  # of a target in float16, the largest first
UNREACHED = (
    "No gradient reaches layer {layer} of the {tower} tower: the model's own code detaches what comes after it. "
    "Forecasts need gradients; hiding and silencing do not."
)


@dataclass
class PassedLayer:
    """A layer on its way: the blocks of its calls, in order, whose outputs are part of the graph."""

    index: int
    blocks: list[Block]

    def joined(self, name: str) -> torch.Tensor:
        """Its `query` or `key`, [heads, n, head_dim]."""
        return joined(self.blocks, name)


class Differentiable(Gathering):
    """A context in which the attention outputs of a forward pass are kept for a backward one."""

    def __init__(
        self,
        towers: dict[str, TowerPlan],
        on_layer: Callable[[], None] | None = None,
        stop: Callable[[], None] | None = None,
    ):
        """`stop` is called as each layer's gradient comes, and raises where it is not to go on."""
        super().__init__(towers, on_layer)
        self._stop = stop
        self.passed: dict[str, list[PassedLayer]] = {name: [] for name in towers}

    def take(self, module, query, key, value, mask, kwargs, output=None):
        name = self._names.get(id(module))
        if name is None:
            return output
        if not output.requires_grad:  # the first of the graph
            output = output.detach().requires_grad_(torch.is_grad_enabled())
        if self._stop is not None and output.requires_grad:
            output.register_hook(lambda _, stop=self._stop: stop())
        self._add(name, module, query.detach(), key.detach(), value.detach(), mask, kwargs, output)
        return output

    def _keep(self, tower: str, index: int, blocks: list[Block], formula: Scores) -> None:
        self.passed[tower].append(PassedLayer(index, blocks))


@contextmanager
def frozen(model: torch.nn.Module) -> Iterator[None]:
    """Let no weight be part of a graph, and give each back what it had.

    Raises UnsupportedModel for weights that were made in inference mode, through which PyTorch has no gradients.
    """
    made = next((name for name, weight in model.named_parameters() if weight.is_inference()), None)
    if made is not None:
        raise UnsupportedModel(
            f"The weight {made} was made inside torch.inference_mode(), so no gradient goes through it. Load the "
            "model, or attach its adapter, outside of it."
        )
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
    largest = 0.0
    for tower, layers in passed.items():
        for layer in layers:
            for name in FACTORS:
                largest = max(largest, difference_of(asked, tower, layer.index, name, layer.joined(name)))
    return largest


def write_gradients(passed: dict[str, list[PassedLayer]], value: torch.Tensor, folder: Path) -> dict[str, dict]:
    """Differentiate a target by every output that was kept, and write each layer's file; return the towers' records.

    A layer of which the target is no function has gradients of 0. Raises NotFinite for one that is no number.
    """
    pulls = gradients(passed, value)
    return write_layers(passed, lambda layer: tensors_of(layer, pulls), folder)


def write_layers(
    passed: dict[str, list[PassedLayer]], of_layer: Callable[[PassedLayer], dict[str, torch.Tensor]], folder: Path
) -> dict[str, dict]:
    """Write a file for each layer, with the tensors that are made of it; return the towers' records."""
    towers: dict[str, dict] = {}
    for tower, layers in passed.items():
        (folder / tower).mkdir()
        records = []
        for layer in sorted(layers, key=lambda each: each.index):
            name = layer_file(tower, layer.index)
            save_tensors(of_layer(layer), folder / name, {"tower": tower, "layer": str(layer.index)})
            records.append({"index": layer.index, "file": name})
        towers[tower] = {"layers": records}
    return towers


def gradients(
    passed: dict[str, list[PassedLayer]], value: torch.Tensor, unreached: str = UNREACHED
) -> dict[int, torch.Tensor | None]:
    """The gradient of a target to the output of each call, by the call's id; None where it is no function of it.

    Raises UnsupportedModel, in the words of `unreached`, where that cannot be: a layer before others of its tower, or
    one of the language model, is what the target is made of, so there the model's own code lets no gradient through.
    """
    calls = {id(block.call): block.call for layers in passed.values() for each in layers for block in each.blocks}
    found = dict(zip(calls, differentiated(value, [_output(call) for call in calls.values()]), strict=True))
    for tower, layers in passed.items():
        reached = [layer.index for layer in layers if any(found[id(b.call)] is not None for b in layer.blocks)]
        last = max(reached, default=-1)
        for layer in layers:
            if layer.index not in reached and (tower != "vision" or layer.index < last or not reached):
                raise UnsupportedModel(unreached.format(layer=layer.index, tower=tower))
    return found


def differentiated(value: torch.Tensor, leaves: list[torch.Tensor], is_last: bool = True) -> list[torch.Tensor | None]:
    """The gradient of a value to each of some tensors; None where it is no function of one. The last frees the graph.

    In float16 a likely answer's gradients are smaller than its least number, so that the value is scaled, as far as all
    stay finite; the result is float32 then. Raises UnsupportedModel for a model whose code has no gradients.
    """
    is_half = any(leaf.dtype == torch.float16 for leaf in leaves)
    found: list[torch.Tensor | None] = []
    for scale in SCALES if is_half else SCALES[-1:]:
        keeps = not is_last or scale != SCALES[-1]
        try:
            scaled = torch.autograd.grad(value * scale, leaves, allow_unused=True, retain_graph=keeps)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise UnsupportedModel(
                f"No gradient can be computed through this model's code ({shortened(cause_of(error), 200)}), so there "
                "is no forecast. Hiding and silencing need none."
            ) from error
        found = [each if each is None or not is_half else each.float() / scale for each in scaled]
        if all(each is None or each.isfinite().all() for each in scaled):
            break
    return found


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
