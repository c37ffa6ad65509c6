"""Statistics over the items of a set: intervals, heads found on one half and scored on the other, paired tests.

Pure functions on arrays [items, ...] of measures, NaN where an item has no value, which is left out there; everything
is computed in float64, and a seed gives the same numbers for ever. `groups` [items] says which items are not
independent, such as several questions about one picture: what is drawn, halved and flipped is whole groups. Knows
neither models nor runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

DRAWS = 2000  # of a bootstrap
FLIPS = 10_000  # of a permutation test; up to 2^13 all sign flips are made
LEVEL = 0.95
ROUNDING = 1e-9  # two sums of the same numbers in another order


@dataclass(frozen=True)
class Estimate:
    """Means over items with their intervals, float64 [...] each, and over how many items: int [...]."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray


def group_numbers(groups: np.ndarray) -> tuple[np.ndarray, int]:
    """Groups of any kind as numbers from 0, in the order in which they first stand, and how many: int [items]."""
    _, first, inverse = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return order[inverse.reshape(-1)], len(first)


def mean_interval(
    values: np.ndarray, groups: np.ndarray, seed: int = 0, level: float = LEVEL, draws: int = DRAWS
) -> Estimate:
    """Means [items, ...] -> [...] with bootstrap intervals: whole groups are drawn, bias-corrected and accelerated.

    BCa, Efron, "Better bootstrap confidence intervals", 1987; its acceleration is taken from the mean without each
    group in turn. NaN of fewer than two groups with a value.
    """
    values = np.asarray(values, np.float64)
    shape, values = values.shape[1:], values.reshape(len(values), -1)
    sums, counts = _by_group(values, groups)
    total, n = sums.sum(axis=0), counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
        weights = _drawn(len(sums), draws, seed)
        drawn = np.sort((weights @ sums) / (weights @ counts), axis=0)  # NaN, where nothing was drawn, comes last
        without = (total - sums) / (n - counts)
    low, high = np.full(mean.shape, np.nan), np.full(mean.shape, np.nan)
    for i in range(len(mean)):
        has = counts[:, i] > 0
        if has.sum() >= 2:
            own = drawn[: np.count_nonzero(~np.isnan(drawn[:, i])), i]
            low[i], high[i] = _bca(mean[i], own, without[has, i], level)
    return Estimate(*(each.reshape(shape) for each in (mean, low, high, n.astype(np.int64))))


def _bca(mean: float, drawn: np.ndarray, without: np.ndarray, level: float) -> tuple[float, float]:
    """Bounds of one mean, of its sorted draws and of its values without each group."""
    normal = NormalDist()
    spread = ROUNDING * max(abs(mean), float(np.abs(drawn).max()))
    below = np.mean(drawn < mean - spread) + np.mean(np.abs(drawn - mean) <= spread) / 2
    if not 0 < below < 1:
        return float(drawn[0]), float(drawn[-1])
    bias = normal.inv_cdf(float(below))
    around = without.mean() - without
    scale = (around**2).sum() ** 1.5
    acceleration = float((around**3).sum() / (6 * scale)) if scale > 0 else 0.0
    bounds = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = bias + normal.inv_cdf(tail)
        share = normal.cdf(bias + z / max(1 - acceleration * z, ROUNDING))
        bounds.append(float(np.quantile(drawn, share)))
    return bounds[0], bounds[1]


def rate_interval(values: np.ndarray, groups: np.ndarray, level: float = LEVEL) -> Estimate:
    """Rates of values that are 0 or 1, [items, ...] -> [...], with Wilson's intervals (1927).

    A bootstrap of 24 hits of 24 would say [1, 1]. Items of one group count as one that says the same: the number of
    items is the effective one of Kish (1965), the square of the sum of the groups' sizes by the sum of their squares.
    """
    values = np.asarray(values, np.float64)
    shape, values = values.shape[1:], values.reshape(len(values), -1)
    sums, counts = _by_group(values, groups)
    n = counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate, effective = sums.sum(axis=0) / n, n**2 / (counts**2).sum(axis=0)
        z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2 / effective
        middle = (rate + z2 / 2) / (1 + z2)
        half = np.sqrt(z2 * rate * (1 - rate) + z2**2 / 4) / (1 + z2)
    low, high = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    return Estimate(*(each.reshape(shape) for each in (rate, low, high, n.astype(np.int64))))


def first_half(groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """Half of the groups, drawn at random: bool [items], whole groups; of an odd number the smaller half."""
    numbers, count = group_numbers(groups)
    chosen = np.zeros(count, bool)
    chosen[np.random.default_rng(seed).permutation(count)[: count // 2]] = True
    picked: np.ndarray = chosen[numbers]
    return picked


def best_first(values: np.ndarray, ties: np.ndarray | None = None) -> np.ndarray:
    """The heads with the highest means, first: [items, heads] -> their numbers; those without a value are left out.

    Of heads with one mean, as rates of few items often have it, that with the higher mean of `ties` comes first.
    """
    counts = (~np.isnan(values)).sum(axis=0)
    means, others = (
        np.where(counts > 0, np.nansum(each, axis=0) / np.maximum(counts, 1), 0)
        for each in (values, values if ties is None else ties)
    )
    order = np.lexsort((-others, -means.round(9)))
    found: np.ndarray = order[counts[order] > 0]
    return found


@dataclass(frozen=True)
class PairedTest:
    """Test of paired differences [items, ...]: means [...], p-values [...] corrected over all of them, two-sided.

    `groups` is how many independent signs there were, `least` the smallest p that so many can give, `flips` how many
    of their flips were made; `n` int [...] are the items with a value. Where even the least p is above 1 - LEVEL
    nothing can be told, and `p` is None.
    """

    mean: np.ndarray
    p: np.ndarray | None
    n: np.ndarray
    groups: int
    least: float
    flips: int


def paired_test(differences: np.ndarray, groups: np.ndarray, seed: int = 0, flips: int = FLIPS) -> PairedTest:
    """Test differences [items, ...] by flipping the signs of whole groups, corrected by the largest of all (max-T).

    Under the null hypothesis each group's differences could as well have the other sign. T is the sum of the groups'
    sums by the root of the sum of their squares, which no flip changes; p is the share of flips whose largest |T| over
    everything that is tested reaches a value's own (Westfall and Young, 1993; Nichols and Holmes, 2002). All 2^groups
    flips are made where they are no more than `flips`, else so many random ones, and p = (1 + reached) / (1 + flips).
    """
    differences = np.asarray(differences, np.float64)
    shape, differences = differences.shape[1:], differences.reshape(len(differences), -1)
    sums, counts = _by_group(differences, groups)
    sums = sums[counts.any(axis=1)]
    n_groups, n = len(sums), counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums.sum(axis=0) / n
        scaled = sums / np.sqrt((sums**2).sum(axis=0))
    scaled = np.where(np.isfinite(scaled), scaled, 0)  # what differs nowhere
    own = np.abs(scaled.sum(axis=0))
    exact = n_groups < 60 and 2**n_groups <= flips
    made = 2**n_groups if exact else flips
    least = min(1.0, 2 / 2**n_groups) if exact else 1 / (1 + made)
    largest = np.concatenate(
        [np.abs(signs @ scaled).max(axis=1, initial=0) for signs in _signs(n_groups, made, exact, seed)]
    )
    reached = (largest[:, None] >= own * (1 - ROUNDING) - ROUNDING).sum(axis=0)
    p = reached / made if exact else (1 + reached) / (1 + made)
    p = np.where(n > 0, p, np.nan).reshape(shape)
    too_few = least > 1 - LEVEL
    return PairedTest(mean.reshape(shape), None if too_few else p, n.reshape(shape).astype(int), n_groups, least, made)


def _signs(n_groups: int, made: int, exact: bool, seed: int) -> Iterator[np.ndarray]:
    """Sign flips [flips, groups] of -1 and 1, a bounded number at a time."""
    rng, at_once = np.random.default_rng(seed), 1024
    for start in range(0, made, at_once):
        size = min(at_once, made - start)
        if exact:
            bits = (np.arange(start, start + size)[:, None] >> np.arange(n_groups)) & 1
        else:
            bits = rng.integers(0, 2, (size, n_groups))
        yield 1.0 - 2 * bits


def _by_group(values: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the values that are there, and how many these are: [items, values] -> [groups, values] each."""
    numbers, count = group_numbers(groups)
    has = ~np.isnan(values)
    sums, counts = np.zeros((count, values.shape[1])), np.zeros((count, values.shape[1]))
    np.add.at(sums, numbers, np.where(has, values, 0))
    np.add.at(counts, numbers, has)
    return sums, counts


def _drawn(count: int, draws: int, seed: int) -> np.ndarray:
    """Counts of each group in each draw, of as many as there are, with replacement: [draws, groups]."""
    drawn: np.ndarray = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), draws)
    return drawn.astype(np.float64)
