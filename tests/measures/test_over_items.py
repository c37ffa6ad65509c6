"""Statistics over items against direct loops, closed cases and repeats of what is known to be nothing."""

import itertools

import numpy as np
import pytest

from attention.measures import over_items
from attention.pocket.looks import interval

ALONE = np.arange(400)  # every item is its own group


def p_by_loops(differences, groups):
    """Corrected p-values by every flip, one by one."""
    names = sorted(set(groups))
    sums = np.array([[np.nansum(column[np.array(groups) == name]) for column in differences.T] for name in names])
    norms = [max(sum(value**2 for value in column) ** 0.5, 1e-300) for column in sums.T]
    largest = []
    for signs in itertools.product((1, -1), repeat=len(names)):
        totals = [abs(sum(s * v for s, v in zip(signs, column, strict=True))) for column in sums.T]
        largest.append(max(total / norm for total, norm in zip(totals, norms, strict=True)))
    own = [abs(sum(column)) / norm for column, norm in zip(sums.T, norms, strict=True)]
    return [np.mean([each >= value - 1e-9 for each in largest]) for value in own]


def test_p_values_are_those_of_all_flips_one_by_one():
    rng = np.random.default_rng(0)
    differences = rng.normal(0.4, 1, (9, 5))
    differences[2, 3] = np.nan
    for groups in (list(range(9)), [0, 0, 1, 2, 3, 3, 4, 5, 6]):
        found = over_items.paired_test(differences, np.array(groups))
        assert np.allclose(found.p, p_by_loops(differences, groups)) and found.groups == len(set(groups))
        assert found.flips == 2 ** len(set(groups)) and found.n.tolist() == [9, 9, 9, 8, 9]
    assert np.allclose(found.mean, np.nanmean(differences, axis=0))


@pytest.mark.parametrize("n", [6, 8, 12])
def test_equal_differences_have_the_least_p_that_so_many_items_can_give(n):
    found = over_items.paired_test(np.full((n, 1), 0.3), ALONE[:n])
    assert found.p[0] == found.least == 2 / 2**n


def test_too_few_items_are_said_instead_of_a_p_value():
    for n in (1, 5):
        found = over_items.paired_test(np.ones((n, 2)), ALONE[:n])
        assert found.p is None and found.least == 2 / 2**n and found.groups == n
    assert over_items.paired_test(np.ones((40, 2)), np.zeros(40)).p is None  # one picture, asked 40 times


def test_many_items_are_flipped_at_random_and_p_is_never_below_one_in_all_flips():
    rng = np.random.default_rng(1)
    differences = rng.normal(0, 1, (60, 3)) + [0, 0, 3]
    found = over_items.paired_test(differences, ALONE[:60], flips=999)
    assert found.p[2] == found.least == 1 / 1000 and found.p[0] > 0.05 and found.p[1] > 0.05
    assert np.array_equal(found.p, over_items.paired_test(differences, ALONE[:60], flips=999).p)
    assert np.allclose(found.p, over_items.paired_test(differences, ALONE[:60], seed=5, flips=999).p, atol=0.06)


def test_a_head_that_differs_nowhere_or_has_no_value_is_not_told_apart():
    differences = np.zeros((8, 3))
    differences[:, 1], differences[:, 2] = np.nan, 1
    found = over_items.paired_test(differences, ALONE[:8])
    assert found.p[0] == 1 and np.isnan(found.p[1]) and found.p[2] == 2 / 2**8 and found.n.tolist() == [8, 0, 8]


def false_alarms(repeats):
    """Number of repeats in which a head of two equal models is called moved: 24 items, 5 x 4 heads, two measures."""
    alarms = 0
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        shares = rng.dirichlet(np.full(6, 0.5), (2, 24, 20))[..., 0] + 0.2 * rng.random((24, 1))
        peaks = (shares > 0.4).astype(float)
        found = over_items.paired_test(np.stack([shares[1] - shares[0], peaks[1] - peaks[0]], 1), ALONE[:24], seed, 999)
        alarms += bool((found.p <= 0.05).any())
    return alarms


def test_what_does_not_differ_is_called_moved_in_no_more_than_one_of_twenty_repeats():
    assert false_alarms(20) <= 1


@pytest.mark.full
def test_what_does_not_differ_is_called_moved_in_no_more_than_16_of_200_repeats():
    assert 0 < false_alarms(200) <= 16


def test_intervals_of_rates_are_wilsons_and_a_picture_asked_often_counts_once():
    values = np.array([1.0] * 24 + [0.0] * 6)
    found = over_items.rate_interval(values, ALONE[:30])
    assert np.allclose((found.low, found.high), interval(24, 30), atol=1e-6) and found.mean == 0.8 and found.n == 30
    assert over_items.rate_interval(np.ones(24), ALONE[:24]).low < 0.9
    pairs = over_items.rate_interval(np.repeat([1.0, 0, 1, 1], 5), np.repeat(np.arange(4), 5))
    assert np.allclose((pairs.low, pairs.high), interval(3, 4), atol=1e-6) and pairs.n == 20


def test_bootstrap_intervals_hold_the_truth_about_as_often_as_they_say():
    rng, held, n = np.random.default_rng(0), 0, 200
    values = rng.gamma(2.0, 1.0, (40, n))  # mean 2, skewed
    found = over_items.mean_interval(values, ALONE[:40], draws=1000)
    held = np.mean((found.low <= 2) & (found.high >= 2))
    assert 0.90 <= held <= 0.99 and np.allclose(found.mean, values.mean(axis=0))
    wide = over_items.mean_interval(np.repeat(values, 5, axis=0), np.repeat(ALONE[:40], 5), draws=1000)
    assert np.allclose(wide.high - wide.low, found.high - found.low)  # five times the same is no more to go by


def test_intervals_leave_out_what_has_no_value_and_say_nothing_of_one_item():
    values = np.random.default_rng(0).random((12, 2))
    values[3:, 1] = np.nan
    found = over_items.mean_interval(values, ALONE[:12])
    assert found.n.tolist() == [12, 3] and np.isclose(found.mean[1], values[:3, 1].mean())
    assert found.low[1] < found.mean[1] < found.high[1]
    alone = over_items.mean_interval(values[:1], ALONE[:1])
    assert np.isnan(alone.low).all() and alone.mean[0] == values[0, 0]
    same = over_items.mean_interval(np.full((9, 1), 0.1), ALONE[:9])
    assert np.allclose((same.low, same.high), 0.1)


def test_halves_keep_a_picture_whole():
    groups = np.repeat(np.arange(11), 3)
    half = over_items.first_half(groups, seed=3)
    assert half.sum() == 15 and all(len(set(half[groups == group])) == 1 for group in range(11))
    assert not np.array_equal(half, over_items.first_half(groups, seed=4))


def test_a_planted_head_is_found_in_every_repeat():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        shares = rng.dirichlet(np.full(8, 0.5), (24, 20))[..., 0]
        shares[:, 13] = 0.3 + 0.5 * shares[:, 13]
        half = over_items.first_half(ALONE[:24], seed)
        assert over_items.best_first(shares[half])[0] == over_items.best_first(shares[~half])[0] == 13
    assert over_items.best_first(np.array([[np.nan, 1, 2], [np.nan, np.nan, 0]])).tolist() == [1, 2]
    hits, shares = np.array([[1.0, 1, 0, 1]] * 3), np.array([[0.2, 0.7, 0.9, 0.5]] * 3)
    assert over_items.best_first(hits, shares).tolist() == [1, 3, 0, 2], "of equal rates that with the larger share"
