"""A scene's boxes are what is painted."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from attention.pocket.landscape import paint_landscape
from attention.pocket.scenes import GROUNDS, Scene, cover, draw, make_ground, make_scene, paint_ground

ROOT = Path(__file__).resolve().parents[2]


def scenes(n, seed=7):
    rng = np.random.default_rng(seed)
    return [make_scene(rng, aspect) for _ in range(n) for aspect in (1.0, 1.8, 0.5, 4.0)]


def boxes_in(scene, width, height):
    scale = np.array([width / scene.width, height / scene.height] * 2)
    return np.array([thing.box for thing in scene.things]) * scale


@pytest.mark.parametrize("size", [(512, 512), (960, 640), (600, 900)])
@pytest.mark.parametrize("seed", range(8))
def test_the_paint_of_every_object_fills_its_box_and_stays_inside(size, seed):
    width, height = size
    scene = make_scene(np.random.default_rng(seed), width / height, 5)
    owner = cover(scene, width, height)
    for index, box in enumerate(boxes_in(scene, width, height)):
        y, x = np.nonzero(owner == index + 1)
        edges = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])
        # A tip is thinner than a pixel: paint may begin a little inside the box, and never outside it.
        inside = (edges - box) * [1, 1, -1, -1]
        assert inside.min() >= -1.5 and inside.max() <= 5


@pytest.mark.parametrize("size", [(512, 512), (960, 640)])
def test_what_is_painted_is_what_the_cover_says(size):
    scene = make_scene(np.random.default_rng(3), size[0] / size[1], 5)
    picture, owner = np.asarray(draw(scene, *size)).astype(int), cover(scene, *size)
    for index, thing in enumerate(scene.things):
        its = owner == index + 1
        middle = its & np.roll(its, 2, 0) & np.roll(its, -2, 0) & np.roll(its, 2, 1) & np.roll(its, -2, 1)
        assert middle.sum() > 200
        assert (picture[middle] == thing.paint).all(axis=1).mean() > 0.99
        area = its.sum() * scene.width * scene.height / (size[0] * size[1])
        assert area == pytest.approx(thing.area, rel=0.06)


def test_objects_do_not_touch_lie_inside_and_are_small():
    for scene in scenes(40):
        boxes = boxes_in(scene, 1000, 1000)
        assert 2 <= len(boxes) <= 5
        assert boxes.min() >= 0 and boxes.max() <= 1000
        assert ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).max() <= 1000**2 / 5
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                assert a[0] > b[2] or b[0] > a[2] or a[1] > b[3] or b[1] > a[3]


def test_objects_are_turned_and_grounds_have_patterns():
    made = scenes(100)
    turns = np.array([thing.turn for scene in made for thing in scene.things])
    assert np.quantile(turns, 0.1) < -0.35 and np.quantile(turns, 0.9) > 0.35
    assert {scene.ground.pattern for scene in made} == set(GROUNDS)
    easy = [make_scene(np.random.default_rng(seed), hardness=0.0) for seed in range(20)]
    assert {scene.ground.pattern for scene in easy} == {"plain"}
    assert {thing.turn for scene in easy for thing in scene.things} == {0.0}


def test_a_pattern_has_the_same_size_in_units_at_any_size_in_pixels():
    rng = np.random.default_rng(0)
    for _ in range(60):
        ground = make_ground(rng)
        large, small = (np.asarray(paint_ground(ground, side, side), dtype=float) for side in (512, 256))
        assert np.abs(large.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3)) - small).mean() < 8


def test_a_seed_is_a_scene():
    first, again, other = scenes(5), scenes(5), scenes(5, seed=8)
    assert first == again != other
    pictures = [draw(scene, 300, 200).tobytes() for scene in (first[1], again[1])]
    assert pictures[0] == pictures[1]
    assert isinstance(first[0], Scene)


def test_the_landscape_has_none_of_the_flat_paint_that_the_model_knows():
    picture = paint_landscape(200, 120)
    assert picture.size == (200, 120) and picture.mode == "RGB"
    assert len(set(picture.get_flattened_data())) > 5000


def test_scenes_need_neither_torch_nor_transformers():
    code = (
        "import sys, attention.pocket.questions, attention.pocket.windows; "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
