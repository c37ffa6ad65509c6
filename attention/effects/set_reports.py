"""Reports over a set beside agreement: curves, heads that are silenced, layers that are drawn anew; with intervals.

Owns the means. Nothing here is a test that a model or a map passes: it is said, whatever it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from attention.measures import over_items

from .curves import DELETION, INSERTION, Curves
from .reinitialised import CASCADE_NAMES, Cascade

KINDS = (DELETION, INSERTION)


def curves_over_set(inputs: Sequence[Curves], groups: np.ndarray, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Mean areas and curves of each map: {map: {deletion: {area, curve}, insertion}}, each {mean, low, high, n}.

    `groups` are inputs that share a picture. Curves are means at shares of the regions, as many as the longest has.
    """
    longest = max(len(next(iter(each.first.values()))) for each in inputs)
    shares = np.linspace(0, 1, longest)
    found: dict[str, dict[str, Any]] = {}
    for name in inputs[0].first:
        for kind in KINDS:
            areas = np.array([each.area(name, kind) for each in inputs])
            curves = [each.curve(name, kind) for each in inputs]
            alike = np.stack([np.interp(shares, np.linspace(0, 1, len(each)), each) for each in curves])
            found.setdefault(name, {})[kind] = {
                "area": estimate(areas, groups, seed), "curve": estimate(alike, groups, seed)
            }  # fmt: skip
    return found


def silenced_over_set(inputs: Sequence[dict[str, Any]], groups: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """The target's change without the heads, without others that read as much, and the difference; in nats.

    `inputs` {change, controls, gap, changes_answer}: the controls are several draws, of which the mean counts. `worse`:
    how often the heads cost more than the others do on average; `changed`: how often another answer becomes the
    likeliest; `gap`: by how much the others' mass differs, the mean of the worst of each input.
    """
    own = np.array([each["change"] for each in inputs], np.float64)
    others = np.array([np.mean(each["controls"]) if len(each["controls"]) else np.nan for each in inputs])
    has = ~np.isnan(others)
    changed = np.array([each["changes_answer"] for each in inputs], np.float64)
    return {
        "heads": estimate(own, groups, seed), "others": estimate(others, groups, seed),
        "difference": estimate(own - others, groups, seed),
        "worse": _named(over_items.rate_interval(np.where(has, own < others, np.nan), groups)),
        "changed": _named(over_items.rate_interval(changed, groups)),
        "gap": float(np.mean([each["gap"] for each in inputs])) if has.any() else None,
        "draws": int(np.median([len(each["controls"]) for each in inputs])),
    }  # fmt: skip


def cascades_over_set(inputs: Sequence[Cascade], groups: np.ndarray, seed: int = 0) -> list[dict[str, Any]]:
    """Rank correlations with the whole model's maps, one record for each step: {layer, value, maps}."""
    values = estimate(np.array([each.values for each in inputs]), groups, seed)
    maps = {name: estimate(np.array([each.ranks[name] for each in inputs]), groups, seed) for name in CASCADE_NAMES}

    def at(found: dict[str, list], step: int) -> dict[str, Any]:
        return {name: each[step] for name, each in found.items()}

    return [
        {"layer": layer, "value": at(values, step), "maps": {name: at(each, step) for name, each in maps.items()}}
        for step, layer in enumerate(inputs[0].layers)
    ]


def estimate(values: np.ndarray, groups: np.ndarray, seed: int) -> dict[str, Any]:
    """Mean of values [items, ...] with its 95 % interval: {mean, low, high, n}, None for what is not a number."""
    return _named(over_items.mean_interval(values, groups, seed))


def _named(found: over_items.Estimate) -> dict[str, Any]:
    return {name: _plain(getattr(found, name)) for name in ("mean", "low", "high", "n")}


def _plain(values: np.ndarray) -> Any:
    if values.ndim:
        return [_plain(each) for each in values]
    number = values.item()
    return None if isinstance(number, float) and np.isnan(number) else number
