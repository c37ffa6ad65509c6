"""Trials: what a model says when tokens are hidden, or heads silenced; and regions to set beside a region.

Owns what may be tried and the choice of controls. Knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from attention.errors import InvalidRequest, quoted
from attention.runs.run import Run


@dataclass(frozen=True)
class Hide:
    """No row outside of these keys reads them; or only `rows`, in these `layers` and `heads`, where some are named.

    Keys and rows are tokens of the language tower, or in `cross` keys of that tower.
    """

    keys: tuple[int, ...]
    rows: tuple[int, ...] | None = None
    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    tower: str = "language"

    def check(self, run: Run) -> None:
        """Raise InvalidRequest for what this run does not have."""
        if self.tower not in run.towers() or self.tower == "vision":
            raise InvalidRequest(f"Tokens are hidden from the language tower, not from {quoted(self.tower)}.")
        _check("key", self.keys, run.keys(self.tower))
        if not self.keys:
            raise InvalidRequest("No token was named to hide. Mark a region with at least one cell.")
        _check("row", self.rows or (), run.queries(self.tower))
        _check_layers(run, self.tower, self.layers)
        _check("head", self.heads or (), run.heads(self.tower))


@dataclass(frozen=True)
class Silence:
    """These heads, (layer, head) of the language tower, give 0, or their mean over the rows of this input."""

    heads: tuple[tuple[int, int], ...]
    by: Literal["zero", "mean"] = "zero"
    tower: str = "language"

    def check(self, run: Run) -> None:
        """Raise InvalidRequest for what this run does not have."""
        if self.by not in ("zero", "mean"):
            raise InvalidRequest(f"A head is silenced by zero or by its mean, not by {quoted(self.by)}.")
        if not self.heads:
            raise InvalidRequest("No head was named to silence. Name at least one.")
        if self.tower not in run.towers() or self.tower == "vision":
            raise InvalidRequest(f"Heads of the language tower are silenced, not of {quoted(self.tower)}.")
        _check_layers(run, self.tower, tuple(layer for layer, _ in self.heads))
        _check("head", [head for _, head in self.heads], run.heads(self.tower))


Trial = Hide | Silence


def _check(what: str, numbers: Sequence[Any], count: int) -> None:
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < count:
            raise InvalidRequest(f"There is no {what} {quoted(number)}: this run has {what}s 0 to {count - 1}.")


def _check_layers(run: Run, tower: str, layers: Sequence[Any] | None) -> None:
    has = run.layers(tower)
    for layer in layers or ():
        if layer not in has:
            raise InvalidRequest(f"Layer {quoted(layer)} of the {tower} tower has no attention that could be changed.")
