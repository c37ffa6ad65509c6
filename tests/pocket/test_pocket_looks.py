"""The hit rule, on maps made by hand."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from attention.pocket.looks import ASKED, NOTHING, OTHER, chance, hits, interval, judge, most_salient


def peak_at(row, col):
    maps = np.zeros((1, 1, 4, 6), np.float32)
    maps[0, 0, row, col] = 1
    return maps


def test_a_cell_hits_when_its_centre_half_touches_the_box():
    box = np.array([1.8, 1.0, 3.0, 2.0])
    found = hits(box, 4, 6)
    assert [tuple(place) for place in np.argwhere(found)] == [(1, 2)]  # cell 1 reaches to 1.75, its centre half's end
    assert [tuple(place) for place in np.argwhere(hits(box - [0.1, 0, 0, 0], 4, 6))] == [(1, 1), (1, 2)]
    assert chance(box, 4, 6) == pytest.approx(1 / 24)


def test_a_peak_is_on_the_asked_object_on_another_or_on_none():
    boxes = np.array([[0, 0, 1, 1], [4, 2, 6, 4]], dtype=float)
    assert judge(peak_at(0, 0), boxes, 0) == ASKED
    assert judge(peak_at(0, 0), boxes, 1) == OTHER
    assert judge(peak_at(3, 5), boxes, 1) == ASKED
    assert judge(peak_at(0, 3), boxes, 1) == NOTHING


def test_the_most_salient_object_is_the_large_bright_one():
    picture = Image.new("RGB", (100, 60), (240, 240, 240))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((10, 10, 29, 29), fill=(200, 0, 0))
    pen.rectangle((60, 10, 89, 49), fill=(230, 220, 220))
    boxes = np.array([[0.1, 10 / 60, 0.3, 0.5], [0.6, 10 / 60, 0.9, 50 / 60]])
    assert most_salient(picture, boxes) == 0


def test_intervals_are_wilsons():
    assert interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-3)
    assert interval(990, 1000) == pytest.approx((0.9817, 0.9946), abs=1e-3)
    assert interval(10, 10)[1] == pytest.approx(1.0) and interval(10, 10)[0] < 0.75
