"""Muon in float32: for weight matrices, momentum whose singular values are all made about one.

The method and its constants: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024,
https://kellerjordan.github.io/posts/muon/); the step is scaled to AdamW's as in J. Liu et al., "Muon is scalable for
LLM training" (2025), section 2.2. `torch.optim.Muon` is the same, in bfloat16: on a CPU without bfloat16 arithmetic its
steps take six times as long as the rest of the training.
"""

from __future__ import annotations

from collections import defaultdict

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Optimise matrices [out, in], or convolutions [out, ...] read as such, with Nesterov momentum and weight decay."""

    def __init__(self, matrices, lr: float, momentum: float = 0.95, weight_decay: float = 0.05):
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step. Matrices of one shape go through the iteration together."""
        assert closure is None
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    by_shape[matrix.shape].append(matrix)
            for shape, matrices in by_shape.items():
                directions = []
                for matrix in matrices:
                    momentum = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
                    momentum.lerp_(matrix.grad, 1 - group["momentum"])
                    directions.append(matrix.grad.lerp(momentum, group["momentum"]).flatten(1))
                step = group["lr"] * 0.2 * max(directions[0].shape) ** 0.5
                for matrix, direction in zip(matrices, orthogonalized(torch.stack(directions)), strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction.view(shape), alpha=step)


def orthogonalized(matrices: torch.Tensor) -> torch.Tensor:
    """Return matrices [matrix, out, in] with singular values of about one (0.7 to 1.2), their singular vectors kept.

    Five Newton-Schulz iterations of degree five.
    """
    a, b, c = COEFFICIENTS
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if is_tall else x
