"""Measures of regions against sums over single pixels and sorted lists."""

import numpy as np
import pytest

from attention.measures import regions
from attention.pocket.looks import hits

ROWS, COLS, SIDE = 5, 7, 12  # cells of 12x12 pixels


def cells():
    return np.array([[c * SIDE, r * SIDE, (c + 1) * SIDE, (r + 1) * SIDE] for r in range(ROWS) for c in range(COLS)])


def on_pixels(box):
    """The pixels of each cell that the box covers, counted one by one; its sides are whole numbers."""
    pixels = np.zeros((ROWS * SIDE, COLS * SIDE))
    x0, y0, x1, y1 = box
    pixels[y0:y1, x0:x1] = 1
    return pixels.reshape(ROWS, SIDE, COLS, SIDE).sum(axis=(1, 3)).reshape(-1)


def measured(values, box):
    boxes = cells()
    shared, areas = regions.shared_areas(boxes, box), regions.areas_of(boxes)
    return regions.of_cells(values, shared, areas, regions.belongs(shared, areas))


@pytest.mark.parametrize("box", [(0, 0, 84, 60), (3, 5, 40, 17), (12, 12, 24, 24), (30, 30, 31, 31), (80, 0, 84, 60)])
def test_areas_are_those_of_single_pixels(box):
    assert np.array_equal(regions.shared_areas(cells(), box), on_pixels(box))


@pytest.mark.parametrize("box", [(3, 5, 40, 17), (12, 12, 48, 24), (30, 30, 31, 31)])
def test_mass_share_and_lift_are_those_of_single_pixels(box):
    values = np.random.default_rng(0).random((3, 4, ROWS * COLS))
    found = measured(values, box)
    inside = on_pixels(box) / SIDE**2
    mass = (values * inside).sum(axis=-1)
    assert np.allclose(found["region_mass"], mass, rtol=1e-6)
    assert np.allclose(found["region_share"], mass / values.sum(axis=-1), rtol=1e-6)
    area = (box[2] - box[0]) * (box[3] - box[1]) / (ROWS * COLS * SIDE**2)
    assert np.allclose(found["region_lift"], mass / values.sum(axis=-1) / area, rtol=1e-6)


def test_a_row_that_reads_every_cell_alike_has_chance_and_no_lift():
    values = np.full((2, ROWS * COLS), 0.01)
    box = (5, 7, 50, 43)
    found = measured(values, box)
    shared, areas = regions.shared_areas(cells(), box), regions.areas_of(cells())
    assert np.allclose(found["region_lift"], 1) and np.allclose(
        found["region_share"], regions.uniform_share(shared, areas)
    )
    assert np.all(found["region_rank"] == 1) and np.all(found["region_peak"] == 1), "all are highest"


def test_whole_cells_of_the_region_have_the_overlap_of_one_and_the_right_rank():
    values = np.arange(ROWS * COLS, dtype=float)[::-1] + 1  # the first cell is the highest
    found = measured(values, (0, 0, 24, 12))  # cells 0 and 1
    assert found["region_iou"] == 1 and found["region_peak"] == 1 and found["region_rank"] == 1
    found = measured(values, (24, 0, 48, 12))  # cells 2 and 3; the two highest are 0 and 1
    assert found["region_iou"] == 0 and found["region_peak"] == 0 and found["region_rank"] == 3
    found = measured(values, (12, 0, 36, 12))  # cells 1 and 2: one of three in common
    assert np.isclose(found["region_iou"], 1 / 3) and found["region_rank"] == 2


def test_iou_is_by_exact_area():
    values = np.zeros(ROWS * COLS)
    values[:2] = 2, 1
    found = measured(values, (4, 0, 24, 12))  # 8 of 12 columns of cell 0 and all of cell 1: 240; the two have 288
    assert np.isclose(found["region_iou"], 240 / 288)


@pytest.mark.parametrize(
    ("box", "own"),
    [
        ((12, 12, 24, 24), [8]),
        ((13, 13, 15, 15), [8]),  # far smaller than a cell
        ((22, 22, 26, 26), [8, 9, 15, 16]),  # on a corner: a quarter of it in each
        ((5, 0, 24, 12), [0, 1]),  # 7 of 12 columns of the first cell
        ((7, 0, 24, 12), [1]),
        ((23, 0, 33, 12), [2]),  # most of it
    ],
)
def test_cells_that_stand_for_a_region(box, own):
    shared = regions.shared_areas(cells(), box)
    assert np.flatnonzero(regions.belongs(shared, regions.areas_of(cells()))).tolist() == own


def test_nothing_read_is_no_number():
    found = measured(np.zeros((2, ROWS * COLS)), (0, 0, 24, 24))
    assert np.array_equal(found.pop("region_mass"), [0, 0])
    assert all(np.isnan(values).all() for values in found.values())


def test_the_middle_is_read_by_the_centre_prior_alone():
    boxes, size = cells(), (COLS * SIDE, ROWS * SIDE)
    areas = regions.areas_of(boxes)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 / size
    share = lambda box: regions.central_share(middles, regions.shared_areas(boxes, box), areas)  # noqa: E731
    assert np.isclose(share((0, 0, *size)), 1)
    assert share((36, 24, 48, 36)) > 2 / 35 > 1 / 35 > share((0, 0, 12, 12)) > 0
    assert np.isclose(share((0, 0, 12, 12)), share((72, 48, 84, 60))), "it is the same on all sides"


def test_random_heads_are_twenty_others_or_all_of_them():
    table = np.random.default_rng(1).random((10, 8))
    table[2, 3] = 1e9
    mean, spread, count = regions.of_random_heads(table, 2, 3)
    assert count == 20 and 0 < mean < 1 and 0 < spread < 1, "not the head itself"
    assert regions.of_random_heads(table, 2, 3) == (mean, spread, count)
    assert regions.of_random_heads(table[:2, :4], 0, 0)[2] == 7
    alone = regions.of_random_heads(np.ones((1, 1)), 0, 0)
    assert np.isnan(alone[:2]).all() and alone[2] == 0
    table[0] = np.nan
    assert not np.isnan(regions.of_random_heads(table, 2, 3)[0])


@pytest.mark.parametrize("box", [(0, 0, 84, 60), (3, 5, 40, 17), (13, 13, 15, 15), (8, 8, 16, 10), (80, 0, 84, 60)])
def test_a_cell_is_touched_where_the_card_of_the_bundled_model_says_so(box):
    by_card = hits(np.array(box) / SIDE, ROWS, COLS)
    assert np.array_equal(regions.touched(cells(), box), by_card.reshape(-1))
