"""Cost of readings in passes and bytes, from the shapes of their run alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attention.runs.run import Run

from .kind import Cost

ITEM = 4  # bytes of a number, where the model's are not of 16 bits
BACKWARD = 2  # passes that one back costs, in passes forward
LENS_WORDS = 5  # `capture.lens.WORDS`
HEAD_PASSES = 0.2  # of a head over every token after every layer, of a pass


def cost_of_forecast(run: Run, towers: Sequence[str]) -> Cost:
    """Of each layer the values, a gradient of every head's output in every row, and one number for each of these."""
    n_bytes = 0
    for tower in towers:
        rows = run.heads(tower) * run.queries(tower)
        for layer in _layers(run, tower):
            width = layer["head_dim"] * _item(run)
            n_bytes += layer["kv_heads"] * run.keys(tower) * width + rows * (width + ITEM)
    return Cost(1 + BACKWARD, n_bytes, 2 * n_bytes)


def cost_of_direct(run: Run, n_tokens: int) -> Cost:
    """The same of the rows that predict the target, in the towers of text."""
    n_bytes = 0
    for tower in (name for name in run.towers() if name != "vision"):
        for layer in _layers(run, tower):
            width = layer["head_dim"] * _item(run)
            n_bytes += layer["kv_heads"] * run.keys(tower) * width + run.heads(tower) * (n_tokens * width + ITEM)
    return Cost(1 + BACKWARD, n_bytes, cost_of_forecast(run, [*run.towers()]).memory_bytes)


def cost_of_lens(run: Run) -> Cost:
    """An id and a log-probability of each word that is kept of every token after every layer."""
    layers = len(run.info["towers"]["language"]["layers"])
    return Cost(1 + HEAD_PASSES * layers, 2 * ITEM * LENS_WORDS * len(run.info["tokens"]) * layers)


def _layers(run: Run, tower: str) -> list[dict[str, Any]]:
    return [layer for layer in run.info["towers"][tower]["layers"] if layer.get("file")]


def _item(run: Run) -> int:
    return 2 if run.info["model"]["dtype"] == "bfloat16" else ITEM
