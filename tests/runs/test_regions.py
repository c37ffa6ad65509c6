"""Regions of a run: every measure is that of the row, and what is no region is refused by name."""

import json
import math

import numpy as np
import pytest
from made_runs import chat, scene, write_run
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention import answer_regions, open_run, read_region, region_scores
from attention.commands.main import main
from attention.errors import NotInRun
from attention.runs.tokens import cell_box
from attention.serving.routes import routes

SHAPE = (6, 9)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of random keys; none of its rows is stored."""
    folder = write_run(
        tmp_path_factory.mktemp("regions") / "run", [scene(360, 240)], [SHAPE], stored=0, answer="a star",
        prompt_tokens=68,
        boxes=[{"image": 0, "x0": 160, "y0": 80, "x1": 200, "y1": 120, "label": "star"}],
        points=[{"image": 0, "x": 50, "y": 50, "ambiguous": "0 to 1000, or pixels"}, {"image": 0, "x": 10, "y": 10}],
    )  # fmt: skip
    with open_run(folder) as run:
        yield run


def test_every_measure_is_that_of_the_row(run):
    box = (150, 70, 210, 130)
    query = run.info["prompt_tokens"] - 1
    scores = region_scores(run, read_region(run, box), query)
    grid = run.info["grids"][0]
    for i, layer in enumerate(run.layers()):
        for head in range(run.heads()):
            maps = run.row(layer, query, source="factors")[head][run.cells(0)]
            inside = 0.0
            for row in range(SHAPE[0]):
                for col in range(SHAPE[1]):
                    x0, y0, x1, y1 = cell_box(grid, row, col)
                    across = max(0, min(x1, box[2]) - max(x0, box[0])) / (x1 - x0)
                    down = max(0, min(y1, box[3]) - max(y0, box[1])) / (y1 - y0)
                    inside += maps[row, col] * across * down
            assert np.isclose(scores.tables["region_mass"][i, head], inside, rtol=1e-5)
            assert np.isclose(scores.tables["region_share"][i, head], inside / maps.sum(), rtol=1e-5)
    assert np.isclose(scores.uniform, 60 * 60 / (360 * 240))
    best = scores.best(n=1)[0]
    share = scores.tables["region_share"]
    assert share[run.layers().index(best[0]), best[1]] == share.max()
    assert scores.of_head(*best)["random_heads"] == share.size - 1


def test_a_point_is_the_cell_that_it_lies_in(run):
    query = run.info["prompt_tokens"] - 1
    point = region_scores(run, read_region(run, (199, 100)), query)
    cell = region_scores(run, read_region(run, (160, 80, 200, 120)), query)
    for name, table in cell.tables.items():
        assert np.array_equal(point.tables[name], table), name
    corner = region_scores(run, read_region(run, (360, 240)), query)
    assert np.allclose(corner.tables["region_mass"][0], run.row(0, query, source="factors")[:, run.cells(0)[-1, -1]])


def test_share_and_chance_are_of_all_pictures(tmp_path):
    folder = write_run(tmp_path / "run", [scene(120, 80), scene(60, 60)], [(2, 3), (3, 3)], stored=0)
    with open_run(folder) as run:
        query = len(run.info["tokens"]) - 1
        found = region_scores(run, read_region(run, np.array([0, 0, 40, 40])), query)
        row = run.row(0, query, source="factors")
        on_pictures = row[:, run.cells(0)].sum(axis=(1, 2)) + row[:, run.cells(1)].sum(axis=(1, 2))
        share = row[:, run.cells(0)[0, 0]] / on_pictures
        assert np.allclose(found.tables["region_share"][0], share, rtol=1e-5) and np.isclose(found.uniform, 1 / 15)
        assert np.allclose(found.tables["region_lift"][0], share * 15, rtol=1e-5)
        lower = (row[:, run.cells(0)[0, 0], None] < row[:, np.r_[run.cells(0).ravel(), run.cells(1).ravel()]]).sum(
            axis=1
        )
        assert np.array_equal(found.tables["region_rank"][0], 1 + lower)


def test_a_row_of_the_vision_tower_must_be_named(tiny_run, capsys):
    command = ["region", str(tiny_run), "--box", "0", "0", "100", "100", "--tower", "vision"]
    assert main(command) == 2 and "Give a query, a patch" in capsys.readouterr().err
    assert main([*command, "--query", "3"]) == 0


def test_places_of_the_answer_are_regions(run):
    box, point = answer_regions(run)
    assert box.place == (160, 80, 200, 120) and str(box) == "star" and point.place == (10, 10)


def test_tiles_and_the_whole_beside_them_count_together(tmp_path):
    tokens = chat([(2, 3), (4, 6)])
    folder = write_run(tmp_path / "run", [scene(120, 80), scene(120, 80)], [(2, 3), (4, 6)], tokens=tokens, stored=0)
    info = json.loads((folder / "run.json").read_text())
    info["grids"][1]["image"] = 0
    (folder / "run.json").write_text(json.dumps(info))
    with open_run(folder) as run:
        found = region_scores(run, read_region(run, (0, 0, 40, 40)), 5)
        row = run.row(0, 5, source="factors")
        expected = row[:, run.cells(0)[0, 0]] + row[:, run.cells(1)[:2, :2]].sum(axis=(1, 2))
        assert np.allclose(found.tables["region_mass"][0], expected, rtol=1e-5)
        assert np.isclose(found.uniform, 5 / 30)
        with pytest.raises(NotInRun, match="Image 1 has no cells in this run's language tower"):
            region_scores(run, read_region(run, (0, 0, 40, 40), 1), 5)


BAD = {
    "outside": ((0, 0, 361, 20), 0, "leaves its picture, which is 360x240 pixels"),
    "before it": ((-1, 5), 0, "leaves its picture"),
    "no area": ((5, 5, 5, 9), 0, "has no area: x0 must be less than x1"),
    "other order": ((50, 5, 5, 9), 0, "has no area"),
    "NaN": ((0, 0, math.nan, 9), 0, "finite numbers, in pixels of the picture, not"),
    "infinite": ((0, math.inf), 0, "finite numbers"),
    "three": ((1, 2, 3), 0, r"a box of four numbers \(x0, y0, x1, y1\) or a point of two"),
    "a text": ("0,0,9,9", 0, "a box of four numbers"),
    "none": (None, 0, "a box of four numbers"),
    "words": (("a", 2), 0, "finite numbers"),
    "another picture": ((1, 2), 1, "There is no image 1 in this run: it has 1"),
    "no picture": ((1, 2), True, "There is no image True"),
}


@pytest.mark.parametrize(("place", "image", "words"), BAD.values(), ids=BAD)
def test_what_is_no_region_is_refused_by_name(run, place, image, words):
    with pytest.raises(NotInRun, match=words):
        read_region(run, place, image)


def test_a_run_without_a_picture_has_no_region(tmp_path):
    with open_run(write_run(tmp_path / "run", [], [])) as run, pytest.raises(NotInRun, match="this run has none"):
        read_region(run, (1, 2))


def test_the_route_and_the_command_say_the_same_numbers(run, capsys):
    query = run.info["prompt_tokens"] - 1
    table = region_scores(run, read_region(run, (150, 70, 210, 130)), query).tables["region_lift"]
    with TestClient(Starlette(routes=routes({"a": run}.__getitem__))) as client:
        path = next(route.path for route in routes({}.__getitem__) if route.path.endswith("scores"))
        ask = lambda **more: client.get(path.format(ticket="a"), params={"name": "region_lift", "query": query} | more)  # noqa: E731
        found = ask(box="150,70,210,130.0")
        assert np.array_equal(np.frombuffer(found.content, "<f4").reshape(table.shape), table)
        for wrong, words in [
            ({}, "Give box=x0,y0,x1,y1 or point=x,y"),
            ({"box": "1,2,3"}, "it must be 4 numbers"),
            ({"point": "1,nan"}, "it must be 2 numbers"),
            ({"box": "1,2,3,4", "point": "1,2"}, "one of the two"),
            ({"box": "5,5,5,9"}, "has no area"),
        ]:
            answer = ask(**wrong)
            assert answer.status_code in (400, 404) and words in answer.text, (wrong, answer.text)
    command = ["region", str(run.folder), "--box", "150", "70", "210", "130", "--top", "3"]
    assert main([*command, "--json"]) == 0
    (member,) = json.loads(capsys.readouterr().out)["members"]
    assert [head["region_lift"] for head in member["heads"]] == [
        float(table[run.layers().index(head["layer"]), head["head"]]) for head in member["heads"]
    ]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0].startswith("In the box: ") and lines[0].endswith(f"(chance {3600 / 86400:.1%}).") and len(lines) == 5
    )
    assert main(["region", str(run.folder), "--answer", "--top", "1"]) == 0
    assert capsys.readouterr().out.startswith("In 'star': ")
    assert main(["region", str(run.folder), "--point", "nan", "3"]) == 2
    assert "finite numbers" in capsys.readouterr().err
