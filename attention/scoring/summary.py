"""Numbers over the items that one model was scored on, and between two models on the same items.

Owns which statistics are said of a set: heads found on one half of the pictures and scored on the other, beside what
chance would give; the answers; and paired differences. Pure functions of arrays; `attention.measures.over_items` has
the statistics themselves.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from attention.measures import over_items
from attention.measures.regions import of_random_heads

from .names import BY, MEASURES, OUTCOMES, RATES, SHARE, TESTED

LISTED = 10  # heads that are named as found, and as moved
ALARM = 0.05  # that a set with nothing to find has any head that is called above chance, or moved


@dataclass(frozen=True)
class Measured:
    """Measures of one model on the items of a set.

    `tables` have float64 [items, layers, heads] of MEASURES, `elsewhere` of BY; `uniform` and `central` are shares
    [items]; NaN of an item that was not scored. `outcomes` are those of the answers, None where there was none.
    """

    layers: list[int]
    tables: dict[str, np.ndarray]
    elsewhere: dict[str, np.ndarray]
    uniform: np.ndarray
    central: np.ndarray
    outcomes: list[str | None]
    is_scored: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of layers and of heads."""
        return self.tables[SHARE].shape[1], self.tables[SHARE].shape[2]

    def where(self, mask: np.ndarray) -> Measured:
        """The same of some of the items: bool [items]."""
        return Measured(
            self.layers,
            {name: table[mask] for name, table in self.tables.items()},
            {name: table[mask] for name, table in self.elsewhere.items()},
            self.uniform[mask],
            self.central[mask],
            [each for each, is_wanted in zip(self.outcomes, mask, strict=True) if is_wanted],
            self.is_scored[mask],
        )

    def of_head(self, table: np.ndarray, number: int) -> np.ndarray:
        """One head's values, by its number over all layers: [items]."""
        values: np.ndarray = table.reshape(len(table), -1)[:, number]
        return values


def estimated(name: str, values: np.ndarray, groups: np.ndarray, seed: int, level: float = 0.95) -> over_items.Estimate:
    """Means [items, ...] -> [...] with intervals: Wilson's of rates, else those of a bootstrap over pictures."""
    if name in RATES:
        return over_items.rate_interval(values, groups, level)
    return over_items.mean_interval(values, groups, seed, level)


def summary(measured: Measured, groups: np.ndarray, by: str, seed: int) -> dict[str, Any]:
    """Numbers on one model: its found head on the other half, all heads together, its answers, heads listed."""
    measured, groups = measured.where(measured.is_scored), groups[measured.is_scored]
    half = over_items.first_half(groups, seed)
    found, why = _found(measured, groups, half, by, seed)
    flat = {name: table.reshape(len(groups), -1) for name, table in measured.tables.items()}
    with np.errstate(invalid="ignore"):
        of_all = {name: _mean_of_heads(flat[name]) for name in BY}
    return {
        "found": found,
        "why_not": why,
        "mean_of_heads": {name: said(over_items.mean_interval(of_all[name], groups, seed)) for name in BY},
        "chance": {"uniform": _mean(measured.uniform), "central": _mean(measured.central)},
        "answers": _answers(measured.outcomes, groups),
        "heads": _heads_found(measured, groups, half, by, seed, LISTED),
    }


def _found(
    measured: Measured, groups: np.ndarray, half: np.ndarray, by: str, seed: int
) -> tuple[dict[str, Any] | None, str | None]:
    """The best head of each half, each item measured by that of the other; or None, and the reason."""
    n_pictures = len(set(groups))
    if n_pictures < 2:
        return None, f"{n_pictures} picture was scored: no head can be found on one half and scored on the other."
    best = [_best_first(measured, by, side) for side in (half, ~half)]
    if not all(len(each) for each in best):
        return None, "In one half no head reads anything of the pictures."
    own = np.where(half, best[1][0], best[0][0])  # of each item the head that was found without its picture
    items = np.arange(len(groups))

    def cross(table: np.ndarray) -> np.ndarray:
        picked: np.ndarray = table.reshape(len(groups), -1)[items, own]
        return picked

    heads = [
        {**_place(measured, int(found[0])), "found_on": len(set(groups[side])), "scored_on": len(set(groups[~side]))}
        | {by: said(estimated(by, measured.of_head(measured.tables[by], int(found[0]))[~side], groups[~side], seed))}
        for found, side in zip(best, (half, ~half), strict=True)
    ]
    random = np.array(
        [
            of_random_heads(table, *divmod(int(head), measured.shape[1]), seed)[0]
            for table, head in zip(measured.tables[SHARE], own, strict=True)
        ]
    )
    return {
        "by": by,
        "heads": heads,
        "measures": {name: said(estimated(name, cross(measured.tables[name]), groups, seed)) for name in MEASURES},
        "elsewhere": {name: said(estimated(name, cross(measured.elsewhere[name]), groups, seed)) for name in BY},
        "random": _mean(random),
    }, None


def _best_first(measured: Measured, by: str, side: np.ndarray) -> np.ndarray:
    """Heads by their numbers, those with the most on some of the items first; of equal ones by the share."""
    values, shares = (measured.tables[name].reshape(len(side), -1)[side] for name in (by, SHARE))
    return over_items.best_first(values, shares)


def heads_found(measured: Measured, groups: np.ndarray, by: str, seed: int, top: int = LISTED) -> list[dict[str, Any]]:
    """Heads that were best on one half of the pictures, with what they reach on the other, best first.

    `above_chance` is True where, on that other half, the head is above what it reaches at another item's place, and by
    its share also above a row that reads every cell alike and one that reads the middle. `p` is the largest of the
    paired tests of these, corrected over the list. None where the half has too few pictures to tell.
    """
    measured, groups = measured.where(measured.is_scored), groups[measured.is_scored]
    return _heads_found(measured, groups, over_items.first_half(groups, seed), by, seed, top)


def _heads_found(
    measured: Measured, groups: np.ndarray, half: np.ndarray, by: str, seed: int, top: int
) -> list[dict[str, Any]]:
    best = _best_first(measured, by, half)[:top]
    rest, groups = measured.where(~half), groups[~half]
    own, elsewhere = (tables[by].reshape(len(groups), -1)[:, best] for tables in (rest.tables, rest.elsewhere))
    chances = [elsewhere] + ([rest.uniform[:, None], rest.central[:, None]] if by == SHARE else [])
    tests = [over_items.paired_test(own - chance, groups, seed) for chance in chances]
    can_tell = all(test.p is not None for test in tests)
    scores, others = (estimated(by, values, groups, seed) for values in (own, elsewhere))
    found: list[dict[str, Any]] = []
    for i, number in enumerate(map(int, best)):
        p = max(1.0 if test.p is None else float(test.p[i]) for test in tests) if can_tell else None
        is_above = p is not None and p <= ALARM and all(test.mean[i] > 0 for test in tests)
        found.append(
            {
                **_place(measured, number),
                "score": said(_one(scores, i)),
                "elsewhere": said(_one(others, i)),
                "p": None if p is None else number_of(p),
                "above_chance": None if p is None else is_above,
            }
        )
    return found


def _one(estimate: over_items.Estimate, i: int) -> over_items.Estimate:
    return over_items.Estimate(estimate.mean[i], estimate.low[i], estimate.high[i], estimate.n[i])


def differences(left: Measured, right: Measured, groups: np.ndarray, by: str, seed: int) -> dict[str, Any]:
    """Numbers on two models on the items that both were scored on: right less left.

    Every head is tested in TESTED together (max-T). The head that the left one was found to look with is measured on
    the other half, as in `summary`.
    """
    if left.shape != right.shape or left.layers != right.layers:
        return {"n": 0, "why_not": "They have other layers or heads, so that no head is the same."}
    both = left.is_scored & right.is_scored
    groups, n = groups[both], int(both.sum())
    if not n:
        return {"n": 0, "why_not": "No item was scored by both."}
    changed = {name: (right.tables[name] - left.tables[name])[both] for name in {*TESTED, by}}
    test = over_items.paired_test(np.stack([changed[name] for name in TESTED], axis=1), groups, seed)
    flat = changed[by].reshape(n, -1)
    half = over_items.first_half(groups, seed)
    best = [_best_first(left.where(both), by, side) for side in (half, ~half)]
    of_found = None
    if all(len(each) for each in best):
        of_found = _tested(flat[np.arange(n), np.where(half, best[1][0], best[0][0])], groups, seed)
    few = None
    if test.p is None:
        few = f"{test.groups} pictures are too few to tell: the least p that they can give is {test.least:.2g}."
    moved = _moved(test, changed, left, groups, seed)
    return {
        "n": n,
        "why_not": None,
        "by": by,
        "found_head": of_found,
        "mean_of_heads": _tested(_mean_of_heads(flat), groups, seed),
        "tested": list(TESTED),
        "pictures": test.groups,
        "flips": test.flips,
        "least_p": test.least,
        "too_few": few,
        "moved": None
        if test.p is None
        else len({tuple(place) for place in np.argwhere((test.p <= ALARM).any(axis=0))}),
        "heads": left.shape[0] * left.shape[1],
        "top": moved,
    }


def _moved(
    test: over_items.PairedTest, changed: dict[str, np.ndarray], left: Measured, groups: np.ndarray, seed: int
) -> list[dict[str, Any]]:
    """The heads with the least p, then the largest change, in each measure that is tested."""
    p = np.zeros(test.mean.shape) if test.p is None else np.nan_to_num(test.p, nan=2)
    order = np.lexsort((-np.nan_to_num(np.abs(test.mean)).reshape(-1), p.reshape(-1)))[:LISTED]
    heads = []
    for measure, layer, head in (np.unravel_index(number, test.mean.shape) for number in order):
        name = TESTED[measure]
        change = over_items.mean_interval(changed[name][:, layer, head], groups, seed)
        heads.append(
            {"layer": left.layers[layer], "head": int(head), "measure": name, **said(change)}
            | {"p": None if test.p is None else number_of(test.p[measure, layer, head])}
        )
    return heads


def _tested(values: np.ndarray, groups: np.ndarray, seed: int) -> dict[str, Any]:
    """Differences [items] with their interval, and the p of this one alone."""
    test = over_items.paired_test(values[:, None], groups, seed)
    return said(over_items.mean_interval(values, groups, seed)) | {
        "p": None if test.p is None else number_of(test.p[0])
    }


def _answers(outcomes: list[str | None], groups: np.ndarray) -> dict[str, Any] | None:
    """Hits of the answers' places; None where no answer names one. What is uncertain is in no rate."""
    counts = Counter(outcome for outcome in outcomes if outcome is not None)
    if not counts["hit"] + counts["miss"] + counts["uncertain"]:
        return None
    values = np.array([{"hit": 1.0, "miss": 0.0, "nothing": 0.0}.get(outcome or "", np.nan) for outcome in outcomes])
    return {name: counts[name] for name in OUTCOMES} | {"rate": said(over_items.rate_interval(values, groups))}


def _place(measured: Measured, number: int) -> dict[str, int]:
    layer, head = divmod(number, measured.shape[1])
    return {"layer": measured.layers[layer], "head": head}


def _mean_of_heads(values: np.ndarray) -> np.ndarray:
    """Mean over heads that have a value: [items, heads] -> [items]."""
    counts = (~np.isnan(values)).sum(axis=1)
    means: np.ndarray = np.where(counts > 0, np.nansum(values, axis=1) / np.maximum(counts, 1), np.nan)
    return means


def said(estimate: over_items.Estimate) -> dict[str, Any]:
    """One estimate as JSON has it."""
    return {name: number_of(getattr(estimate, name)) for name in ("mean", "low", "high")} | {"n": int(estimate.n)}


def number_of(value: Any) -> float | None:
    """A number as JSON has it: six digits, None for NaN."""
    return None if np.isnan(value) else float(f"{float(value):.6g}")


def _mean(values: np.ndarray) -> float | None:
    return number_of(np.nanmean(values)) if (~np.isnan(values)).any() else None
