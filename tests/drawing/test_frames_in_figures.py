"""Frames of a video in figures: which of those that share a grid is drawn under its map, and its time in words."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import chat, grid_of, scene, write_run

from attention import open_run, read_region
from attention.drawing.look import Look
from attention.drawing.number_text import format_seconds
from attention.drawing.run_map import map_of
from attention.runs.selection import select


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Two pairs of frames, the second an hour and a half later."""
    pictures = [scene(160, 120, seed) for seed in range(4)]
    grids = [
        grid_of(pictures[0], first, 3, 4) | {"kind": "frame", "images": [first, first + 1], "time_s": time_s}
        for first, time_s in ((0, 0.25), (2, 5400.125))
    ]
    folder = tmp_path_factory.mktemp("frames") / "video"
    write_run(folder, pictures, 4 * [(3, 4)], tokens=chat(2 * [(3, 4)]), grids=grids)
    with open_run(folder) as run:
        yield run, [np.asarray(picture) for picture in pictures]


@pytest.mark.parametrize("image", [0, 1])
def test_a_map_is_drawn_on_the_frame_of_its_region(video, image):
    run, pictures = video
    selection = select(run, layer=1, head=2, region=read_region(run, (10, 10, 50, 40), image))
    made = map_of(selection, Look())
    assert np.array_equal(np.asarray(made.panel.picture), pictures[image])
    assert [box[:4] for box in made.panel.places[1]] == [(10, 10, 50, 40)]
    assert made.about["image"] == image
    assert f"frames 1–2 at 0.25 s, on frame {image + 1}: 3×4 cells" in " ".join(made.caption())


def test_without_a_region_there_the_first_of_them_is_drawn(video):
    run, pictures = video
    made = map_of(select(run, layer=1, head=2, grid=1, region=read_region(run, (10, 10, 50, 40), 1)), Look())
    assert np.array_equal(np.asarray(made.panel.picture), pictures[2]) and made.panel.places == ([], [])
    assert "frames 3–4 at 5400.13 s, on frame 3" in " ".join(made.caption())


def test_seconds_are_written_as_beside_a_frame_on_the_page():
    assert [format_seconds(each) for each in (0, 0.25, 2.0, 10.0, 0.125, 1234.5)] == [
        "0 s", "0.25 s", "2 s", "10 s", "0.13 s", "1234.5 s",
    ]  # fmt: skip
