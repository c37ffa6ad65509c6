"""A window's controls are where their boxes say, with their labels inside."""

import numpy as np
import pytest

from attention.pocket.windows import cover_window, draw_window, make_window
from attention.pocket.words import LABELS


def windows(n, seed=5):
    rng = np.random.default_rng(seed)
    return [make_window(rng, aspect) for _ in range(n) for aspect in (1.0, 1.7, 0.6)]


def test_controls_lie_in_the_frame_apart_from_each_other_each_label_once():
    for window in windows(60):
        assert len(window.controls) >= 3
        labels = [control.label for control in window.controls]
        assert len(set(labels)) == len(labels)
        for i, control in enumerate(window.controls):
            x0, y0, x1, y1 = control.box
            assert control.label in LABELS[control.kind]
            assert window.frame[0] <= x0 < x1 <= window.frame[2] and window.frame[1] <= y0 < y1 <= window.frame[3]
            assert y1 - y0 >= 22 and x1 - x0 >= 28
            for other in window.controls[:i]:
                a, b = control.box, other.box
                assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]


@pytest.mark.parametrize("scale", [pytest.param(1.8, marks=pytest.mark.full), 1.1])
def test_all_ink_of_a_control_is_inside_its_box(scale):
    """Without the control the picture is the same outside its box, and another inside."""
    for window in windows(4):
        width, height = round(window.width * scale), round(window.height * scale)
        whole = np.asarray(draw_window(window, width, height)).astype(int)
        for index, control in enumerate(window.controls):
            rest = tuple(other for other in window.controls if other is not control)
            without = np.asarray(draw_window(type(window)(**{**window.__dict__, "controls": rest}), width, height))
            y, x = np.nonzero(np.abs(whole - without).max(axis=2) > 8)
            box = np.array(control.box) * np.tile([width / window.width, height / window.height], 2)
            assert len(x) > 20, control
            assert x.min() >= box[0] - 1.5 and x.max() <= box[2] + 1.5, control
            assert y.min() >= box[1] - 1.5 and y.max() <= box[3] + 1.5, control
            y, x = np.nonzero(cover_window(window, width, height) == index + 1)
            assert np.abs(np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) - box).max() <= 0.5


def test_a_seed_is_a_window():
    assert windows(3) == windows(3) != windows(3, seed=6)
