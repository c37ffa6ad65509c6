"""Changes of what lies in a region: counted cell by cell in the rows of both members, by hand."""

import json

import numpy as np
import pytest
from made_comparisons import write_comparison
from made_runs import chat, scene
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from adapters import open_comparison
from attention import read_region
from attention.commands.main import main
from attention.comparisons.regions import region_change, region_table
from attention.drawing.number_text import format_percent
from attention.errors import InvalidRequest, NotInRun
from attention.exports.export import export
from attention.exports.regions import place_of_answer
from attention.measures import regions
from attention.runs.selection import select
from attention.serving.routes import routes

SHAPE, BOX = (5, 8), (30, 25, 95, 60)  # cells of 20x20 pixels


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("region_change") / "two"
    tokens = chat([SHAPE], prompt=["what", " now"], answer=["a", " red", " star"])
    adapters = [{"id": "one", "from_layer": 1}, {"id": "two", "size": 2.0}]
    box = {"image": 0, "x0": 20, "y0": 20, "x1": 40, "y1": 40, "label": "Save"}
    write_comparison(
        folder, [scene(160, 100)], [SHAPE], adapters, tokens=tokens, vision=True, boxes=[box], prompt_tokens=50
    )
    with open_comparison(folder) as found:
        yield found


def parts_inside():
    """The part of each cell that lies in the box, pixel by pixel."""
    pixels = np.zeros((100, 160))
    pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 1
    return pixels.reshape(5, 20, 8, 20).mean(axis=(1, 3)).reshape(-1)


def share_of(run, layer, query):
    on_cells = np.float64(run.row(layer, query, source="factors"))[:, run.cells(0).reshape(-1)]
    return on_cells @ parts_inside() / on_cells.sum(axis=1)


def test_a_change_is_the_share_of_one_less_that_of_the_other(comparison):
    region = read_region(comparison.base, BOX)
    query = comparison.answer_rows()[-1]
    for adapter, run in enumerate(comparison.adapters):
        found = region_change(comparison, region, "region_share", adapter, query)
        expected = [share_of(run, layer, query) - share_of(comparison.base, layer, query) for layer in run.layers()]
        assert np.allclose(found, expected, atol=1e-6)
    assert np.array_equal(region_change(comparison, region, "region_share", 0, query)[0], np.zeros(run.heads()))


def test_without_a_row_it_is_the_mean_over_the_answers_rows(comparison):
    region = read_region(comparison.base, BOX)
    rows, run = comparison.answer_rows(), comparison.adapters[1]
    assert len(rows) > 2
    expected = np.mean(
        [[share_of(run, layer, row) - share_of(comparison.base, layer, row) for layer in run.layers()] for row in rows],
        axis=0,
    )
    assert np.allclose(region_change(comparison, region, "region_share", 1), expected, atol=1e-6)
    assert region_table(comparison, "adapter_2", region, "region_iou").shape == (*expected.shape, len(rows))


def test_every_measure_has_a_change_and_a_lower_rank_is_below_0(comparison):
    region = read_region(comparison.base, BOX)
    query = comparison.answer_rows()[0]
    for name in regions.NAMES:
        found = region_change(comparison, region, name, 1, query)
        tables = [region_table(comparison, member, region, name, query)[..., 0] for member in ("base", "adapter_2")]
        assert np.allclose(found, tables[1] - tables[0], equal_nan=True) and np.isfinite(found).all(), name
    cells = comparison.base.cells(0).reshape(-1)
    own = parts_inside() >= 0.5
    ranks = []
    for run in (comparison.base, comparison.adapters[1]):
        values = run.row(2, query, source="factors")[:, cells]
        ranks.append(1 + (values > values[:, own].max(axis=1)[:, None]).sum(axis=1))
    found = region_change(comparison, region, "region_rank", 1, query)[comparison.base.layers().index(2)]
    assert np.array_equal(found, ranks[1] - ranks[0]) and found.any()


def test_a_vision_tower_has_its_own(comparison):
    region = read_region(comparison.base, BOX)
    found = region_change(comparison, region, "region_share", 0, tower="vision")
    assert found.shape == (len(comparison.base.layers("vision")), comparison.base.heads("vision"))


def test_the_place_of_the_answer_is_that_of_the_base(comparison):
    assert place_of_answer(comparison).label == "Save"


def test_what_there_is_not_is_refused_by_name(comparison):
    region = read_region(comparison.base, BOX)
    for wrong, words in (
        ({"measure": "region_love"}, "There is no measure 'region_love' of a region; there is region_mass"),
        ({"adapter": 2}, "There is no adapter 2 in this comparison"),
        ({"query": 10_000}, "There is no row 10000"),
        ({"tower": "third"}, "has no tower 'third'"),
    ):
        with pytest.raises(NotInRun, match=words):
            region_change(comparison, region, **{"measure": "region_share", "adapter": 0, "query": "mean"} | wrong)


def test_the_route_gives_the_same_numbers(comparison):
    region = read_region(comparison.base, BOX)
    query = comparison.answer_rows()[0]
    with TestClient(Starlette(routes=routes({"a": comparison}.__getitem__))) as client:
        path = next(route.path for route in routes({}.__getitem__) if route.path.endswith("/change"))
        ask = lambda **more: client.get(path.format(ticket="a"), params=more)  # noqa: E731
        for rows in ({"query": query}, {}):
            answer = ask(measure="region_lift", adapter=1, box=",".join(map(str, BOX)), **rows)
            expected = region_change(comparison, region, "region_lift", 1, rows.get("query", "mean"))
            assert answer.status_code == 200
            assert np.array_equal(np.frombuffer(answer.content, "<f4").reshape(expected.shape), expected)
        for wrong, words in (
            ({}, "Give box=x0,y0,x1,y1 or point=x,y"),
            ({"box": "0,0,161,9"}, "leaves its picture, which is 160x100"),
            ({"point": "4,4", "image": 1}, "There is no image 1"),
            ({"box": "9,0,3,9"}, "has no area"),
        ):
            answer = ask(measure="region_share", adapter=0, **wrong)
            assert answer.status_code in (400, 404) and words in json.loads(answer.text)["error"]


def test_the_command_says_before_and_after_and_writes_every_head(comparison, tmp_path, capsys):
    table = tmp_path / "all.csv"
    command = ["region", str(comparison.folder), "--box", *map(str, BOX), "--csv", str(table)]
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    query = comparison.base.info["prompt_tokens"] - 1
    assert [member["member"] for member in said["members"]] == ["base", "adapter_1", "adapter_2"]
    assert "changes" not in said["members"][0] and said["file"] == str(table)
    changes = said["members"][2]["changes"]
    by_size = [abs(each["change"]["region_share"]) for each in changes]
    assert by_size == sorted(by_size, reverse=True) and len(changes) == 10
    for each in changes:
        before, after = (
            share_of(run, each["layer"], query)[each["head"]] for run in (comparison.base, comparison.adapters[1])
        )
        assert np.isclose(each["before"]["region_share"], before, rtol=1e-5)
        assert np.isclose(each["change"]["region_share"], after - before, atol=1e-6)
    assert main([*command, "--by", "share", "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    shares = region_table(comparison, "adapter_2", read_region(comparison.base, BOX), "region_share", query)[..., 0]
    layer, head = np.unravel_index(shares.argmax(), shares.shape)
    before = share_of(comparison.base, comparison.base.layers()[layer], query)[head]
    chance = parts_inside().mean()
    assert lines[4] == (
        f"adapter_2: in the box {before:.1%} -> {shares.max():.1%} of the image attention of layer "
        f"{comparison.base.layers()[layer]} head {head} (chance {chance:.1%})."
    )
    rows = [line for line in table.read_text().splitlines() if not line.startswith("#")]
    assert rows[0].startswith("member,layer,head,region_mass,region_share") and rows[0].endswith("uniform,central")
    assert len(rows) - 1 == 3 * shares.size
    found = next(
        row.split(",") for row in rows if row.startswith(f'"adapter_2",{comparison.base.layers()[layer]},{head},')
    )
    assert np.isclose(float(found[4]), shares.max(), rtol=1e-5) and np.isclose(float(found[-2]), chance, rtol=1e-5)


def test_a_table_of_a_region_is_an_export_too(comparison, tmp_path):
    box = ",".join(map(str, BOX))
    query = comparison.answer_rows()[0]
    found = export(comparison, "csv", tmp_path / "a.csv", box=box, query=query).read_text()
    one = export(comparison.adapters[0], "csv", tmp_path / "b.csv", box=list(BOX), query=query).read_text()
    rows = [line.split(",", 1)[1] for line in found.splitlines() if line.startswith('"adapter_1"')]
    assert rows == [line.split(",", 1)[1] for line in one.splitlines() if line.startswith('"run"')] and rows
    with TestClient(Starlette(routes=routes({"a": comparison}.__getitem__))) as client:
        path = next(route.path for route in routes({}.__getitem__) if route.path.endswith("ticket}/export"))
        ask = {"format": "csv", "box": box, "query": query}
        assert client.get(path.format(ticket="a"), params=ask).text == found
        refused = client.get(path.format(ticket="a"), params=ask | {"layer": 1})
        assert refused.status_code == 400 and "leave layer out" in refused.text
    for fields, words in (
        ({"box": "1,2,3"}, "it must be 4 numbers"),
        ({"box": box, "point": "1,2"}, "a box or a point, one of the two"),
        ({"image": 1}, "image is of a region: name a box or a point too"),
        ({"label": "x"}, "label is of a region"),
        ({"box": box, "label": 201 * "x"}, "a text of up to 200 signs"),
        ({"box": "0,0,nan,3"}, "finite numbers"),
        ({"box": box, "head": 1}, "leave layer and head out"),
        ({"box": box, "key": 1}, "give a query"),
    ):
        with pytest.raises((InvalidRequest, NotInRun), match=words):
            export(comparison.base, "csv", tmp_path / "c.csv", **fields)
    with pytest.raises(InvalidRequest, match="leave box and point out"):
        export(comparison.base, "npz", tmp_path / "c.npz", box=box)
    with pytest.raises(InvalidRequest, match="leave box out"):
        export(comparison.base, "zip", tmp_path / "c.zip", box=box)
    assert not (tmp_path / "c.csv").exists()


def test_a_selection_measures_its_own_row(comparison):
    query = comparison.answer_rows()[0]
    selection = select(comparison.base, layer=1, head=2, query=query, region=BOX)
    assert np.isclose(selection.in_region()["region_share"], share_of(comparison.base, 1, query)[2], rtol=1e-5)
    assert np.isclose(selection.in_region()["uniform"], parts_inside().mean())
    assert selection.settings()["region"] == list(BOX)
    mean = select(comparison.base, layer=1, query=query, region=read_region(comparison.base, BOX, label="Save"))
    values = comparison.base.row(1, query, source="factors").mean(axis=0)[comparison.base.cells(0).reshape(-1)]
    assert np.isclose(mean.in_region()["region_share"], values @ parts_inside() / values.sum(), rtol=1e-5)
    for wrong in (select(comparison.base, query=query), select(comparison.base, key=3, region=BOX)):
        with pytest.raises(InvalidRequest, match="region"):
            wrong.in_region()


def test_figures_draw_the_region_and_say_its_share(comparison, tmp_path):
    query, run = comparison.answer_rows()[0], comparison.base
    which = {"layer": 1, "head": 2, "query": query, "box": list(BOX)}
    said = export(run, "svg", tmp_path / "one.svg", **which, label="<b>Save</b>").read_text()
    share = format_percent(share_of(run, 1, query)[2])
    chance = format_percent(parts_inside().mean())
    sentence = (
        f"in “&lt;b&gt;Save&lt;/b&gt;” (30, 25, 95, 60 px): {share} of what is read of pictures (chance {chance})"
    )
    assert sentence in said.replace("\n", " "), said[-3000:]
    both = export(comparison, "svg", tmp_path / "two.svg", **which).read_text()
    after = format_percent(share_of(comparison.adapters[0], 1, query)[2])
    assert f"in the box (30, 25, 95, 60 px): {share} → {after} of what is read of pictures" in both
    plain, drawn = (
        np.asarray(Image.open(export(run, "png", tmp_path / f"{i}.png", **{**which, "box": box})).convert("RGB"))
        for i, box in enumerate((None, list(BOX)))
    )
    changed = (plain != drawn).any(axis=2)
    assert changed[BOX[1] : BOX[3], BOX[0]].all() and changed[BOX[1], BOX[0] : BOX[2]].all()
    assert not changed[: BOX[1] - 3].any() and not changed[:, BOX[2] + 4 :].any()
    export(run, "card", tmp_path / "card.png", **which)
    about = json.loads(Image.open(tmp_path / "card.png").text["attention"])
    assert about["region"] == list(BOX)
