"""Direct logit attribution: what each head, layer and cell adds to a token's logit by the residual stream alone.

With norms and gates frozen as they were on this input, and a cap on logits as the factor by which it made this logit
smaller, the logit of a target token is a sum: of the embedding, of each layer's MLP (or what a layer has instead of
attention), and of each head, whose part is again a sum over keys,

    A[h, i, j] (direction[h] . v[g, j])

where `direction` is the derivative of the logit by the head's output on the direct path, and i the row that predicts
the token. What a layer does to later layers is not in it: indirect effects are left out. Elhage et al., "A mathematical
framework for transformer circuits" (2021). Signed, in units of the logit. Needs NumPy alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .reading import Reading, check_numbers

KIND = "direct"


class Direct(Reading):
    """A direct logit attribution, read from its folder."""

    kind = KIND

    def _check(self) -> None:
        super()._check()
        self._check_target()
        budget = self.info["budget"]
        check_numbers(budget, "logit", "embedding", "heads", "image", "rest")
        check_numbers(budget["others"], *budget["others"])
        for each in budget["strongest"]:
            check_numbers(each, "added", "layer", "head")

    @property
    def own_name(self) -> str:
        return self.target.name(KIND, ())

    def _shapes(self, tower: str) -> dict[str, tuple[int | None, ...]]:
        heads = self.run.heads(tower)
        return {
            "value": (None, self.run.keys(tower), None),
            "direction": (len(self.queries), heads, None),
            "added": (heads,),
        }

    @property
    def queries(self) -> list[int]:
        """The rows that predict the target's tokens, ascending."""
        return [token - 1 for token in self.info["target"]["tokens"]]

    def cells(self, layer: int, tower: str = "language") -> np.ndarray:
        """Addition of each key by each head: float64 [heads, keys], the sum over the target's rows."""
        data = self._read(layer, tower)
        total: np.ndarray = np.zeros((self.run.heads(tower), self.run.keys(tower)))
        for number, query in enumerate(self.queries):
            rows = self.run.row(layer, query, tower, "factors").astype(np.float64)
            direction = data["direction"][number].astype(np.float64)
            value = data["value"].astype(np.float64).repeat(len(direction) // len(data["value"]), axis=0)
            total += rows * np.matmul(value, direction[:, :, None])[:, :, 0]
        return total

    def heads(self, tower: str = "language") -> np.ndarray:
        """Addition of each head: float32 [layers, heads]."""
        return np.stack([self._read(layer, tower)["added"] for layer in self.layers(tower)])

    @property
    def budget(self) -> dict[str, Any]:
        """The logit's parts: `embedding`, `others` {layer: MLPs and layers without attention}, `heads`, `rest`.

        `rest` is constant: biases, and the rounding of the sum. `image` is the part of `heads` that was read from cells
        of pictures; `strongest` [{tower, layer, head, added}] are the heads that add or take most.
        """
        return dict(self.info["budget"])
