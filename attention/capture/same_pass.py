"""Proof that a pass computes what a run has: the queries and keys of each layer, held against those that were kept.

Queries and keys of a layer are made of all that the layers before it did, so a pass in which they are equal reads the
same picture and words with the same weights, up to the last attention.
"""

from __future__ import annotations

from typing import Literal

import torch

from .asked_again import AskedAgain
from .blocks import Block, joined
from .gathering import Gathering
from .plan import TowerPlan

# how far queries and keys may lie from the run's, over their norm: of float32, and of 16 bits on another device
EQUAL, EQUAL_16 = 1e-4, 2e-2
Factor = Literal["query", "key"]
FACTORS: tuple[Factor, ...] = ("query", "key")


class SamePass(Gathering):
    """A context in which a forward pass is checked, layer by layer; `difference` is the largest so far.

    Raises CaptureError above rounding, and where a layer does not come by.
    """

    def __init__(self, asked: AskedAgain, towers: dict[str, TowerPlan]):
        super().__init__({name: plan for name, plan in towers.items() if name in asked.run.towers()})
        self._asked = asked
        self.difference = 0.0

    def take(self, module, query, key, value, mask, kwargs, output=None):
        name = self._names.get(id(module))
        if name is not None:
            self._add(name, module, query, key, value, mask, kwargs, output)
        return output

    def _keep(self, tower: str, index: int, blocks: list[Block], formula) -> None:
        for name in FACTORS:
            away = difference_of(self._asked, tower, index, name, joined(blocks, name))
            self.difference = max(self.difference, away)


def difference_of(asked: AskedAgain, tower: str, index: int, name: Factor, now: torch.Tensor) -> float:
    """Difference of a layer's factor [heads, n, head_dim] from the run's, over its norm.

    Raises CaptureError above rounding.
    """
    most = EQUAL if asked.run.info["model"]["dtype"] == "float32" else EQUAL_16
    kept, now = torch.from_numpy(asked.run.factor(name, index, tower)), now.float().cpu()
    away = float("inf")
    if kept.shape == now.shape:
        away = float(torch.linalg.vector_norm(now - kept) / torch.linalg.vector_norm(kept).clamp(min=1e-30))
    if not away <= most:
        raise asked.other(f"Layer {index} of the {tower} tower now has other queries and keys")
    return away
