"""Places of an answer in figures: drawn where the look has its numbers read, and said so below."""

from __future__ import annotations

import json

import pytest
from made_places import AT, LIES, write_clicked

from attention import answer_regions, open_run, run_places
from attention.drawing.look import Look
from attention.drawing.run_map import map_of, places_on
from attention.errors import InvalidRequest, NotInRun
from attention.exports.export import export
from attention.runs.selection import select


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with open_run(write_clicked(tmp_path_factory.mktemp("drawn") / "clicked", forced=True)) as run:
        yield run


def sentences(run, **look):
    return map_of(select(run, layer=1, head=2), Look.read(look)).caption()


@pytest.mark.parametrize("space", [None, *LIES])
def test_a_figure_draws_places_where_its_look_reads_them(run, space):
    points, boxes = places_on(run.info, 0, Look(places=True, coordinates=space))
    lies = LIES[space or "0-1000"]
    assert not boxes and [point[:2] for point in points] == ([lies] if lies else [])


def test_a_caption_says_how_numbers_were_read_where_places_are_drawn(run):
    assert "places of the answer read as thousandths of the sides, the habit of Qwen3-VL" in sentences(run, places=True)
    chosen = sentences(run, places="1", coordinates="read")
    assert "places of the answer read as pixels of the 400x200 that the model saw, as set" in chosen
    assert not any("read as" in sentence for sentence in sentences(run))


def test_another_space_is_refused_by_name_and_an_older_run_with_the_reason(run, tmp_path):
    with pytest.raises(InvalidRequest, match="coordinates is 'pixels'"):
        Look.read({"coordinates": "pixels"})
    older = write_clicked(tmp_path / "older", place_habit=None)
    with open_run(older) as run_, pytest.raises(NotInRun, match="older version"):
        export(run_, "png", tmp_path / "x.png", look={"places": True, "coordinates": "read"})
    assert not (tmp_path / "x.png").exists()


def test_a_given_answer_is_said_to_be_one_in_caption_numbers_and_card(run, tmp_path):
    assert any("given answer, not its own: “click(100, 50)”" in sentence for sentence in sentences(run))
    assert select(run).settings()["forced"] is True
    export(run, "card", tmp_path / "given.png")
    own = write_clicked(tmp_path / "own")
    with open_run(own) as own_run:
        assert "forced" not in select(own_run).settings()
        assert not any("given answer" in sentence for sentence in sentences(own_run))
        export(own_run, "card", tmp_path / "own.png")
    assert (tmp_path / "given.png").read_bytes() != (tmp_path / "own.png").read_bytes()


def test_regions_are_of_the_places_as_they_are_read(run):
    for space, lies in LIES.items():
        regions = answer_regions(run, run_places(run, space).fields())
        assert [region.place for region in regions] == ([tuple(map(float, lies))] if lies else [])
    assert [region.place for region in answer_regions(run)] == [tuple(map(float, LIES["0-1000"]))]
    assert json.loads((run.folder / "run.json").read_text())["answer"] == f"click({AT[0]}, {AT[1]})"
