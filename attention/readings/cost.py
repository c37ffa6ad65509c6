"""Cost of readings in passes and bytes, from the shapes of their run alone: before a model's config is looked at.

Owns what each kind computes, and the bytes that it leaves on the disk. How much memory that takes on a device, and how
long, is the business of `attention.capture.reading_forecast`. Needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from attention.runs.run import Run

from .relative import cells_of, towers_of

ITEM = 4  # bytes of a number, where the model's are not of 16 bits
BACKWARD = 2  # passes that one back costs, in passes forward
LENS_WORDS = 5  # `capture.lens.WORDS`
LENS_BYTES = 4 * (64 << 20)  # of logits at a time: `capture.lens.CHUNK_BYTES`, and what is made of them
HEAD_PASSES = 0.2  # of a head over every token after every layer, of a pass


@dataclass(frozen=True)
class Cost:
    """Cost of a reading, before any weight is loaded.

    `passes` are forward passes of the whole model over the run's tokens; a backward pass counts as two. `n_bytes` come
    to lie on the disk, `memory_bytes` are held beyond what a run itself takes, as far as the run's shapes say it.
    `through` are the towers that a gradient goes through: what a pass back needs of each of their layers is held too.
    `hidden` are changes of attention, each measured by a pass of the language model in a batch of several.
    """

    passes: float
    n_bytes: int = 0
    memory_bytes: int = 0
    through: tuple[str, ...] = ()
    hidden: int = 0

    def and_then(self, other: Cost) -> Cost:
        """The cost of both, one after the other: of memory that of the greedier."""
        return Cost(
            self.passes + other.passes,
            self.n_bytes + other.n_bytes,
            max(self.memory_bytes, other.memory_bytes),
            tuple(dict.fromkeys((*self.through, *other.through))),
            self.hidden + other.hidden,
        )


def cost_of_forecast(run: Run, towers: Sequence[str]) -> Cost:
    """Of each layer the values, a gradient of every head's output in every row, and one number for each of these."""
    n_bytes = 0
    for tower in towers:
        rows = run.heads(tower) * run.queries(tower)
        for layer in _layers(run, tower):
            width = layer["head_dim"] * _item(run)
            n_bytes += layer["kv_heads"] * run.keys(tower) * width + rows * (width + ITEM)
    return Cost(1 + BACKWARD, n_bytes, n_bytes, tuple(towers))


def cost_of_direct(run: Run, n_tokens: int) -> Cost:
    """The same of the rows that predict the target, in the towers of text; back to heads, and to all other parts."""
    n_bytes, towers = 0, [name for name in run.towers() if name != "vision"]
    for tower in towers:
        for layer in _layers(run, tower):
            width = layer["head_dim"] * _item(run)
            n_bytes += layer["kv_heads"] * run.keys(tower) * width + run.heads(tower) * (n_tokens * width + ITEM)
    return Cost(1 + 2 * BACKWARD, n_bytes, cost_of_forecast(run, towers).memory_bytes, tuple(towers))


def cost_of_lens(run: Run) -> Cost:
    """An id and a log-probability of each word that is kept of every token after every layer."""
    layers = len(run.info["towers"]["language"]["layers"])
    n_bytes = 2 * ITEM * LENS_WORDS * len(run.info["tokens"]) * layers
    return Cost(1 + HEAD_PASSES * layers, n_bytes, 2 * n_bytes + LENS_BYTES)


def cost_of_relative(run: Run) -> Cost:
    """A general question's rows on the cells of pictures; while it is made its run lies on the disk too.

    The second pass is that of the run's own question, where what the two begin with proves nothing.
    """
    n_bytes = sum(
        ITEM * run.heads(tower) * len(cells_of(run, tower)) * len(run.layers(tower)) for tower in towers_of(run)
    )
    return Cost(2, n_bytes + (run.info.get("bytes") or 0))


def cost_of_trials(hidden: int, painted: int = 0) -> Cost:
    """Changes of attention beside the unchanged pass, and pictures that are painted over beside theirs, read again."""
    return Cost(1 + (1 + painted if painted else 0), hidden=hidden)


def _layers(run: Run, tower: str) -> list[dict[str, Any]]:
    return [layer for layer in run.info["towers"][tower]["layers"] if layer.get("file")]


def _item(run: Run) -> int:
    return 2 if run.info["model"]["dtype"] == "bfloat16" else ITEM
