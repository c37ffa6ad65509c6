"""LoRA on parameters of modules that have several, as experts do (PEFT's target_parameters), and rows of an embedding.

Owns how PEFT names and nests their weights: one pair of matrices a parameter, the second around the first, in the order
in which the module has them. A holds the ranks of all experts as [expert x rank, in], B as [out, rank x expert].
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

from .base_modules import Base
from .keys import Weight
from .lora_config import LoraSettings

EXPERT = re.compile(r"\.experts\.\d+\.")
INNER = ".base_layer"
ROWS = ".token_adapter.trainable_tokens_delta"


def told_apart(weights: list[Weight], settings: LoraSettings, base: Base) -> list[Weight]:
    """The weights with those of parameters and of rows under the name of their module.

    Their `which` becomes `depth:lora_A`, counted from the outermost pair, and `rows`.
    """
    owners = [name.rpartition(".")[0] for name in settings.parameters]

    def read(weight: Weight) -> Weight:
        if weight.which is None and weight.name.endswith(ROWS):
            return replace(weight, name=weight.name.removesuffix(ROWS), which="rows")
        name = weight.name
        while settings.parameters and weight.which in ("lora_A", "lora_B") and name.endswith(INNER):
            name = name.removesuffix(INNER)
        depth = (len(weight.name) - len(name)) // len(INNER)
        is_of_parameter = depth or any(
            f".{name}".endswith(f".{owner}") if owner else name in base.modules and base.modules[name].kind == "other"
            for owner in owners
        )
        if weight.which in ("lora_A", "lora_B") and is_of_parameter:
            return replace(weight, name=name, which=f"{depth}:{weight.which}")
        return weight

    return [read(weight) for weight in weights]


def targeted_parameters(base: Base, settings: LoraSettings, module: str, then: str) -> list[str]:
    """The parameters of a module, called `then` in the adapter's layout, that the config targets, in their order."""
    if not settings.parameters:
        return []
    own = [name.removeprefix(f"{module}.") for name in base.tensors if name.rpartition(".")[0] == module]
    return [name for name in own if f".{then}.{name}".endswith(tuple(f".{end}" for end in settings.parameters))]


def separate_expert(weights: list[Weight], base: Base) -> Weight | None:
    """A weight for a single expert, where the base has one module for all."""
    stacked = any(name.endswith(".experts") and f"{name}.0" not in base.modules for name in base.modules)
    return next((weight for weight in weights if stacked and EXPERT.search(weight.name)), None)


def sides(shape: tuple[int, ...], is_transposed: bool) -> tuple[int, int, int]:
    """(experts, in, out) of a parameter; a matrix is one expert."""
    if len(shape) == 2:
        return 1, shape[1], shape[0]
    experts, first, second = shape
    return (experts, first, second) if is_transposed else (experts, second, first)


def pairs_of(
    names: list[str], found: dict[str, Weight], shapes: dict[str, tuple[int, int, int]]
) -> Iterator[dict[str, tuple[Weight, Weight]]]:
    """The ways in which the pairs of a module belong to its parameters, by shape; PEFT's own order first."""
    depth = len(names)
    for order in permutations(names):
        pairs = {
            name: (found[f"{depth - 1 - i}:lora_A"], found[f"{depth - 1 - i}:lora_B"]) for i, name in enumerate(order)
        }
        if all(_fits(*pairs[name], shapes[name]) for name in order):
            yield pairs


def _fits(first: Weight, second: Weight, shape: tuple[int, int, int]) -> bool:
    experts, into, out = shape
    a, b = first.record.shape, second.record.shape
    return len(a) == len(b) == 2 and a[1] == into and b[0] == out and a[0] == b[1] and a[0] % experts == 0
