"""The measures between two rows, against their definitions and against rows whose differences are known."""

import numpy as np
import pytest

from attention.measures import differences

CELLS, SIZES = np.arange(2, 14), [(2, 3), (3, 2)]


def rows(seed, *shape):
    values = np.random.default_rng(seed).dirichlet(np.full(shape[-1], 0.3), size=shape[:-1])
    return values.astype(np.float32)


def compared(p, q, sinks=(3, 5)):
    return differences.of_rows(p, q, CELLS, SIZES, sinks)


def test_equal_rows_differ_by_exactly_nothing():
    found = compared(rows(0, 4, 5, 20), rows(0, 4, 5, 20))
    assert set(found) == set(differences.NAMES)
    assert all((values == 0).all() and values.shape == (4, 5) for values in found.values())


def test_divergence_is_the_textbooks_and_lies_between_0_and_1():
    p, q = rows(1, 6, 30), rows(2, 6, 30)
    found = differences.jensen_shannon(p, q)
    entropies = [differences.entropy(each.astype(np.float64)) for each in ((p + q) / 2, p, q)]
    assert np.allclose(found, entropies[0] - (entropies[1] + entropies[2]) / 2, atol=1e-6)
    assert np.allclose(found, differences.jensen_shannon(q, p))
    apart = np.eye(4, dtype=np.float32)
    assert differences.jensen_shannon(apart[0], apart[1]) == 1 and differences.total_variation(apart[0], apart[1]) == 1


def test_total_variation_is_what_has_to_be_moved():
    p, q = np.float32([[0.5, 0.3, 0.2]]), np.float32([[0.4, 0.3, 0.3]])
    assert differences.total_variation(p, q) == pytest.approx(0.1)


def test_signed_measures_are_the_adapters_less_the_bases():
    p, q = np.zeros((1, 16), np.float32), np.zeros((1, 16), np.float32)
    p[0, [0, 3]] = 0.5, 0.5
    q[0, [3, 4, 5, 6]] = 0.25
    found = compared(p, q)
    assert found["d_image_mass"] == pytest.approx(0.5) and found["d_sink_mass"] == pytest.approx(0.0)
    assert found["d_entropy"] == pytest.approx(1.0)
    back = compared(q, p)
    assert all(back[name] == pytest.approx(-found[name]) for name in differences.SIGNED)


def test_the_image_part_is_compared_as_shares_of_it():
    p, q = np.zeros((1, 16), np.float32), np.zeros((1, 16), np.float32)
    p[0, [0, 2, 3]] = 0.8, 0.1, 0.1
    q[0, [0, 2, 3]] = 0.2, 0.4, 0.4
    found = compared(p, q)
    assert found["js_image"] == 0 and found["tv_image"] == 0 and found["js_row"] > 0.1


def test_what_has_no_value_is_nan_and_not_nothing():
    p, q = np.zeros((1, 16), np.float32), np.zeros((1, 16), np.float32)
    p[0, 0], q[0, 4] = 1, 1
    found = compared(p, q)
    assert all(np.isnan(found[name]).all() for name in ("js_image", "tv_image", "peak_shift"))
    assert found["js_row"] == 1 and found["d_image_mass"] == 1
    without = differences.of_rows(p, q, np.empty(0, int), [], ())
    assert np.isnan(without["js_image"]).all() and np.isnan(without["peak_shift"]).all() and without["d_sink_mass"] == 0


@pytest.mark.parametrize(
    ("first", "second", "cells"), [(2, 2, 0), (2, 7, np.sqrt(5)), (8, 13, np.sqrt(5)), (3, 9, None)]
)
def test_the_peaks_way_is_in_cells_of_one_grid(first, second, cells):
    p, q = np.full((1, 16), 0.01, np.float32), np.full((1, 16), 0.01, np.float32)
    p[0, first], q[0, second] = 0.85, 0.85
    found = compared(p, q)["peak_shift"]
    assert np.isnan(found).all() if cells is None else found == pytest.approx(cells)
