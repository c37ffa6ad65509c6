"""Two members on the picture: every cell has the colour of its value and of its difference, and the words say which."""

import io
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from made_comparisons import write_comparison
from made_runs import chat, scene
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from adapters import open_comparison
from attention.drawing.look import coverage
from attention.drawing.number_text import format_value
from attention.drawing.palettes import diverging, palette
from attention.errors import InvalidRequest, LimitExceeded, NotInRun
from attention.exports.export import export
from attention.measures.differences import jensen_shannon
from attention.serving.responses import PREFIX
from attention.serving.routes import routes
from attention.words import ONE_INPUT

SHAPE, SIZE = (3, 6), (120, 60)  # cells of 20 x 20 pixels
SINKS = {"language": {"1": [6, 12]}}
PLACES = {"points": [{"x": 50, "y": 30, "label": "$x^2$", "image": 0}]}
RAW = {"sinks": "raw"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("comparisons")
    run = {"tokens": chat([SHAPE], prompt=["?"], answer=["red", "."]), "prompt": "?", "vision": True, "sinks": SINKS}
    adapters = [{"id": "someone/one", "from_layer": 1}, {"id": "other/one", "scale": 0.5}]
    folder = write_comparison(root / "made", [scene(*SIZE)], [SHAPE], adapters, **run, **PLACES)
    with open_comparison(folder) as comparison:
        yield comparison


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Of members that read answers of their own, which part after the first token."""
    root = tmp_path_factory.mktemp("comparisons")
    tokens = chat([SHAPE], prompt=["?"], answer=["a", " red", "."])
    other = [*tokens[:-3], {**tokens[-3], "text": " blue"}, *tokens[-2:]]
    folder = write_comparison(root / "own", [scene(*SIZE)], [SHAPE], [{"id": "a", "tokens": other}],
                              words="own", tokens=tokens, prompt="?")  # fmt: skip
    with open_comparison(folder) as comparison:
        yield comparison


def png(comparison, tmp_path, look=None, **wanted):
    wanted = {"layer": 1, "head": 0, "query": 25} | wanted
    path = export(comparison, "png", tmp_path / "maps.png", look=look or RAW, **wanted)
    with Image.open(path) as image:
        assert image.format == "PNG" and image.mode == "RGB"
        return np.asarray(image).astype(float), json.loads(image.text["attention"])


def svg(comparison, tmp_path, look=None, **wanted):
    wanted = {"layer": 1, "head": 0, "query": 25} | wanted
    path = export(comparison, "svg", tmp_path / "maps.svg", look=look, **wanted)
    root = ET.fromstring(path.read_text(encoding="utf-8"))
    lines = [text for element in root.iter("{http://www.w3.org/2000/svg}text") if (text := "".join(element.itertext()))]
    return root, lines


def of_cells(values):
    """[rows, cols] as the pixels that they cover."""
    return np.kron(values, np.ones((20, 20), values.dtype))


def laid_over(under, colours, alpha):
    share = alpha[..., None] / 255
    return under * (1 - share) + colours * share


def rows_of(comparison, layer=1, head=0, query=25, member="adapter_1"):
    return [comparison.run(name).row(layer, query, source="factors")[head] for name in ("base", member)]


def maps_of(comparison, **which):
    cells = comparison.base.cells(0)
    return [row[cells] for row in rows_of(comparison, **which)]


# What is painted


def test_every_cell_has_the_colour_of_its_value_and_of_its_difference(made, tmp_path):
    pixels, about = png(made, tmp_path)
    gap = (pixels.shape[1] - 3 * SIZE[0]) // 2
    assert pixels.shape == (60, 3 * 120 + 2 * gap, 3) and gap > 0
    panels = [pixels[:, i * (120 + gap) : i * (120 + gap) + 120] for i in range(3)]
    before, after = maps_of(made)
    high = max(before.max(), after.max())  # one scale for both
    assert about["range"] == [0, pytest.approx(high)] and about["difference_high"] == pytest.approx(high)
    under = np.asarray(scene(*SIZE)).astype(float)
    for panel, values in zip(panels, (before, after), strict=False):
        entries = of_cells(np.clip(np.floor(values / high * 256), 0, 255).astype(int))
        wanted = laid_over(under, palette("cividis")[entries].astype(float), coverage(0.8)[entries].astype(float))
        assert np.abs(panel - wanted).max() <= 1.5
    entries = of_cells(np.clip(np.floor((0.5 + (after - before) / high / 2) * 256), 0, 255).astype(int))
    alpha = 255 * (np.maximum(np.abs(2 * entries - 255) - 1, 0) / 254) ** 0.75 * 0.8
    grey = np.asarray(scene(*SIZE).convert("L")).astype(float)[..., None]
    pale = np.broadcast_to(grey + (255 - grey) * 0.68, (*grey.shape[:2], 3))
    assert np.abs(panels[2] - laid_over(pale, diverging()[entries].astype(float), alpha)).max() <= 2.5


def test_where_nothing_differs_the_difference_is_the_ground_alone(made, tmp_path):
    pixels, _ = png(made, tmp_path, layer=0, show="difference")  # the adapter begins in layer 1
    other, _ = png(made, tmp_path, layer=0, show="difference", difference_high="largest")
    grey = np.asarray(scene(*SIZE).convert("L")).astype(float)[..., None]
    assert np.abs(pixels - (grey + (255 - grey) * 0.68)).max() <= 1 and np.array_equal(pixels, other)
    _, lines = svg(made, tmp_path, layer=0)
    words = " ".join(lines)
    assert "base and someone/one are exactly the same here: the difference is 0 everywhere." in words
    assert "no difference anywhere" in words


def test_a_difference_can_have_a_range_of_its_own(made, tmp_path):
    before, after = maps_of(made)
    largest = np.abs(after - before).max()
    _, about = png(made, tmp_path, show="difference", difference_high="largest")
    assert about["difference_high"] == pytest.approx(largest)
    _, lines = svg(made, tmp_path, RAW, show="difference", difference_high="largest")
    assert {f"−{format_value(largest)}", f"+{format_value(largest)}", "0"} < set(lines)
    _, lines = svg(made, tmp_path, RAW, show="difference", difference_high=float(largest) / 2)
    assert f"≥\u202f+{format_value(float(largest) / 2)}" in lines and any("above, up to" in line for line in lines)
    assert "on a scale of its own" in " ".join(lines)


@pytest.mark.parametrize("split", [0, 0.4, 1])
def test_the_wipe_has_one_map_on_each_side_of_its_line(made, tmp_path, split):
    left, right, wipe = (png(made, tmp_path, show=show, split=split)[0] for show in ("left", "right", "wipe"))
    at = round(120 * split)
    assert np.array_equal(wipe[:, : max(0, at - 2)], left[:, : max(0, at - 2)])
    assert np.array_equal(wipe[:, at + 2 :], right[:, at + 2 :])
    if split == 0.4:
        assert (wipe[:, at - 2 : at + 2] == [20, 22, 26]).all(axis=-1).any(axis=1).all()
    with pytest.raises(InvalidRequest, match=r"split is 1\.5; it must be a number from 0 to 1"):
        png(made, tmp_path, show="wipe", split=1.5)


def test_members_in_any_order_are_set_against_each_other(made, tmp_path):
    wanted = {"show": "difference", "difference_high": "largest"}
    there, about = png(made, tmp_path, left="adapter_2", right="base", **wanted)
    back, _ = png(made, tmp_path, left="base", right="adapter_2", **wanted)
    red, blue = (pixels[..., 0] - pixels[..., 2] for pixels in (there, back))
    assert (about["left"], about["right"]) == (
        {"member": "adapter_2", "id": "other/one", "scale": 0.5},
        {"member": "base"},
    )
    before, after = maps_of(made, member="adapter_2")
    row, col = np.unravel_index(np.abs(after - before).argmax(), SHAPE)
    y, x = 20 * row + 10, 20 * col + 10
    sign = np.sign(after[row, col] - before[row, col])
    assert -sign * red[y, x] > 20 and sign * blue[y, x] > 20
    both, about = png(made, tmp_path, show=["right", "left"])
    assert about["show"] == ["right", "left"]
    assert np.array_equal(both[:, :120], png(made, tmp_path, show="right")[0])


def test_sinks_of_either_are_hatched_in_the_difference_and_said(made, tmp_path):
    sink = tuple(np.argwhere(made.base.cells(0) == 12)[0])
    plain, _ = png(made, tmp_path, show="difference")
    masked, about = png(made, tmp_path, {"sinks": "masked"}, show="difference")
    y, x = 20 * sink[0], 20 * sink[1]
    cell = masked[y : y + 20, x : x + 20]
    assert (plain[y : y + 20, x : x + 20] != cell).any() and (cell.sum(axis=-1) < 330).any()
    before, after = (np.where(np.isin(made.base.cells(0), [6, 12]), 0, cells) for cells in maps_of(made))
    assert about["range"][1] == pytest.approx(max(before.max(), after.max()))
    words = " ".join(svg(made, tmp_path)[1])
    assert ONE_INPUT in words
    assert "sink cells: hatched, outside the colours." in words
    renormalised = " ".join(svg(made, tmp_path, {"sinks": "renormalised"})[1])
    assert "the rest divided by what is left" in renormalised


def test_both_are_multiples_of_the_same_even_attention(made, tmp_path):
    before, after = maps_of(made)
    _, about = png(made, tmp_path, RAW | {"unit": "uniform"})
    assert about["range"][1] == pytest.approx(max(before.max(), after.max()) / before.mean(), rel=1e-5)
    with pytest.raises(InvalidRequest, match="no even attention"):
        png(made, tmp_path, {"unit": "uniform"}, query=None, key=25)


def test_a_map_without_its_picture_lies_on_white(made, tmp_path):
    pixels, _ = png(made, tmp_path, RAW | {"plain": True}, show="left")
    before, after = maps_of(made)
    entries = of_cells(np.clip(np.floor(before / max(before.max(), after.max()) * 256), 0, 255).astype(int))
    assert np.array_equal(pixels, palette("cividis")[entries])
    assert "without its picture" in " ".join(svg(made, tmp_path, {"plain": True})[1])


def test_columns_and_means_and_the_vision_tower_are_drawn(made, tmp_path):
    cells = made.base.cells(0)
    _, about = png(made, tmp_path, key=6, query=None)
    columns = [made.run(name).column(1, 6)[0][cells] for name in ("base", "adapter_1")]
    assert about["range"][1] == pytest.approx(max(column.max() for column in columns)) and about["key"] == 6
    _, about = png(made, tmp_path, layer="mean", head="max", query=24, until=25)
    assert (about["layer"], about["head"], about["until"]) == ("mean", "max", 25)
    grid = next(i for i, grid in enumerate(made.base.info["grids"]) if grid["tower"] == "vision")
    _, about = png(made, tmp_path, tower="vision", layer=0, query=3, grid=grid)
    assert about["tower"] == "vision" and "exactly the same" in " ".join(
        svg(made, tmp_path, tower="vision", layer=0, query=3)[1]
    )
    _, about = png(made, tmp_path, query=None, layer=None, head=None)
    assert (about["layer"], about["query"]) == ("mean", made.answer_rows()[0])


# What is said


def test_the_words_say_what_it_is_of_and_what_lies_between(made, tmp_path):
    root, lines = svg(made, tmp_path, {"places": True})
    words = " ".join(lines)
    p, q = rows_of(made)
    said = (
        f"{made.info['model']['id']} · someone/one against base · language tower · layer 1 · head 0", "Image mass",
        "prompt: “what color is the star?”", "reads from: row 25",
        f"in the whole row {format_value(float(jensen_shannon(p, q)))} bits",
        "difference: someone/one − base", "same scale as the maps", "all read the base's answer", "comparison made",
    )  # fmt: skip
    for part in said:
        assert part in words, part
    assert lines.count("base") == 1 and lines.count("$x^2$") == 2  # the places of both; none on the difference
    about = json.loads(next(e.text for e in root.iter() if e.tag.endswith("}description")))
    assert about["comparison"] == "made" and about["query"] == 25 and about["right"]["id"] == "someone/one"
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    first = (tmp_path / "maps.svg").read_bytes()
    svg(made, tmp_path, {"places": True})
    assert (tmp_path / "maps.svg").read_bytes() == first  # the same view is the same file


def test_of_the_largest_of_many_no_mass_and_no_divergence_is_said(made, tmp_path):
    words = " ".join(svg(made, tmp_path, {"sinks": "renormalised"}, head="max")[1])
    assert "bits" not in words and "mage mass" not in words and "ost on row" in words
    assert "hatched, outside the colours" in words and "divided" not in words


def test_a_captioned_picture_has_the_bare_one_above_white(made, tmp_path):
    for show in ("left,right,difference,wipe", "left"):
        bare, _ = png(made, tmp_path, show=show, scale=4)
        whole, _ = png(made, tmp_path, show=show, scale=4, caption=True)
        height, width = bare.shape[:2]
        assert whole.shape[1] == width and whole.shape[0] > height + 60
        assert np.array_equal(whole[:height], bare)
        below = whole[height:]
        assert (below == 255).mean() > 0.5 and (below.sum(axis=-1) < 200).mean() > 0.005  # words


def test_a_pdf_has_fonts_that_can_be_edited(made, tmp_path):
    content = export(made, "pdf", tmp_path / "maps.pdf", layer=1, head=0, query=25).read_bytes()
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    assert (b"/Type42" in content or b"/CIDFontType2" in content) and b"/Type3" not in content


def test_of_answers_of_their_own_only_what_is_shared_is_drawn(own, tmp_path):
    shared = own.info["shared_tokens"]
    _, lines = svg(own, tmp_path, query=shared - 1)
    words = " ".join(lines)
    assert f"each read its own answer; compared are the {shared} tokens that all have in common" in words
    assert f"row {shared - 1}" in words and "predicts" not in words  # what it predicts is not the same
    assert "predicts “ red”" not in words and "predicts “a”" in " ".join(svg(own, tmp_path, query=shared - 2)[1])
    for wanted in ({"query": shared}, {"query": shared - 2, "until": shared}, {"query": None, "key": shared}):
        with pytest.raises(NotInRun, match=f"(Position|Row) {shared} is not compared: .* first {shared} positions"):
            png(own, tmp_path, **wanted)


# What is asked for


@pytest.mark.parametrize(
    "wanted, kind, words",
    [
        (
            {"format": "npz"},
            InvalidRequest,
            r"as png, svg, pdf, csv, html or zip, not as 'npz'\. .* runs: base, adapter_1",
        ),
        ({"left": "adapter_3"}, NotInRun, "There is no 'adapter_3' in this comparison; there is base, adapter_1"),
        ({"right": "base"}, InvalidRequest, "left and right are both 'base'"),
        ({"show": "left,other"}, InvalidRequest, "no 'other' to show. There is left, right, difference, wipe"),
        ({"show": ["left", "left"]}, InvalidRequest, "one of them twice"),
        ({"show": 3}, InvalidRequest, "no '3' to show"),
        ({"difference_high": 0}, InvalidRequest, "difference_high is 0; it must be a number above 0, or largest"),
        ({"difference_high": "high"}, InvalidRequest, "difference_high is 'high'"),
        ({"scale": 2, "format": "svg"}, InvalidRequest, "sharp in any size"),
        ({"width": 100_000}, LimitExceeded, r"300000x50000, .* megapixels; the limit is 40"),
        ({"query": 5, "key": 5}, InvalidRequest, "give one of the two"),
        ({"tower": "cross"}, NotInRun, "cross"),
        ({"layer": 9}, NotInRun, "9"),
        ({"query": 999}, NotInRun, "Row 999 is not compared"),
        ({"format": "csv", "left": "base"}, InvalidRequest, "every layer and head: leave left out"),
        ({"format": "zip", "show": "wipe"}, InvalidRequest, "the whole comparison: leave show out"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words_and_leaves_nothing(made, tmp_path, wanted, kind, words):
    with pytest.raises(kind, match=words):
        export(made, **{"format": "png", "path": tmp_path / "maps"} | wanted)
    assert not list(tmp_path.iterdir())


def test_a_text_only_comparison_has_nothing_to_draw_on(tmp_path):
    tokens = chat([], prompt=["?"], answer=["red"])
    folder = write_comparison(tmp_path / "made", [], [], [{"id": "a"}], tokens=tokens)
    with open_comparison(folder) as comparison, pytest.raises(InvalidRequest, match="no picture to draw on"):
        export(comparison, "png", tmp_path / "maps.png")


def test_the_route_sends_what_export_writes(made, tmp_path):
    with TestClient(Starlette(routes=routes({"a": made}.__getitem__))) as client:
        asked = "format=svg&layer=1&head=0&query=25&palette=magma&right=adapter_2&show=wipe,difference&split=0.25"
        sent = client.get(f"{PREFIX}/a/export?{asked}&difference_high=largest&plain=1")
        wanted = export(
            made, "svg", tmp_path / "a.svg", layer=1, head=0, query=25, look={"palette": "magma", "plain": True},
            right="adapter_2", show=["wipe", "difference"], split=0.25, difference_high="largest",
        )  # fmt: skip
        assert sent.content == wanted.read_bytes()
        name = 'filename="comparison-made_base_adapter_2_language_L1_H0_row25.svg"'
        assert name in sent.headers["Content-Disposition"]
        sent = client.get(f"{PREFIX}/a/export?format=png&layer=1&head=0&query=25&scale=2&caption=1&difference_high=0.5")
        with Image.open(io.BytesIO(sent.content)) as picture:
            assert picture.width > 3 * 320 and json.loads(picture.text["attention"])["difference_high"] == 0.5
        for query, status, words in (
            ("format=png&colour=1", 400, "There is no field 'colour' of an export"),
            ("format=png&split=x", 400, "split is 'x'"),
            ("format=png&difference_high=-1", 400, "difference_high is '-1'"),
            ("format=png&right=adapter_7", 404, "There is no 'adapter_7'"),
            ("format=png&query=999", 404, "is not compared"),
            ("format=npz", 400, "it must be png, svg, pdf, html, zip or csv"),
        ):
            answer = client.get(f"{PREFIX}/a/export?{query}")
            assert answer.status_code == status and words in answer.json()["error"], query


def test_the_command_line_draws_it(made, tmp_path, capsys):
    from attention.commands import main as command_line

    def call(*arguments):
        return command_line.main(["export", str(made.folder), "--output", *map(str, arguments)]), *capsys.readouterr()

    flags = (
        "--layer",
        "1",
        "--head",
        "0",
        "--query",
        "25",
        "--show",
        "wipe,difference",
        "--difference-high",
        "largest",
    )
    assert call(tmp_path / "a.svg", "--format", "svg", *flags) == (0, f"{tmp_path / 'a.svg'}\n", "")
    wanted = export(
        made, "svg", tmp_path / "b.svg", layer=1, head=0, query=25, show="wipe,difference", difference_high="largest"
    )
    assert (tmp_path / "a.svg").read_bytes() == wanted.read_bytes()
    code, out, err = call(tmp_path / "c.png", "--format", "png", "--difference-high", "much")
    assert (code, out) == (2, "") and "difference_high is 'much'" in err
    alone = command_line.main(
        [
            "export",
            str(made.folder / "base"),
            "--output",
            str(tmp_path / "d.png"),
            "--format",
            "png",
            "--right",
            "adapter_1",
        ]
    )
    assert alone == 2 and "--right is of a comparison" in capsys.readouterr().err
