"""A card has the exact map's colours and numbers, the maps of all layers and heads, and keeps every text inside."""

import json

import numpy as np
import pytest
from made_runs import chat, scene, write_run
from PIL import Image

from attention import open_run
from attention.drawing import card
from attention.drawing.colour_range import drawn
from attention.drawing.look import Look
from attention.drawing.palettes import palette
from attention.drawing.run_words import map_sentence
from attention.drawing.small_maps import lay_out, small_map
from attention.errors import InvalidRequest
from attention.exports.export import export
from attention.runs.selection import select

SHAPE, SIZE = (3, 7), (100, 61)
SINKS = {"language": {"0": [4], "1": [4, 12], "2": [0]}}
ONE = {"layer": 1, "head": 2, "query": 25}


def run_of(tmp_path, size=SIZE, shape=SHAPE, **more):
    more = {"prompt": "?", "answer": "red", "sinks": SINKS} | more
    return open_run(write_run(tmp_path / "run", [scene(*size)], [shape], **more))


@pytest.fixture
def made(tmp_path):
    with run_of(tmp_path) as run:
        yield run


@pytest.fixture
def plans(monkeypatch):
    """Boxes of the parts of each card that is drawn."""
    found, paste = [], card._paste_atlas
    monkeypatch.setattr(card, "_paste_atlas", lambda *given: (found.append(given[2]), paste(*given)))
    return found


def drawn_card(run, tmp_path, look=None, **wanted):
    path = export(run, "card", tmp_path / "card.png", look=look or {}, **ONE | wanted)
    with Image.open(path) as image:
        assert image.size == (1200, 630) and image.mode == "RGB"
        return np.asarray(image), json.loads(image.text["attention"])


def middles(left, top, width, height, rows, cols):
    """The pixel in the middle of every cell."""
    return (
        top + ((np.arange(rows) + 0.5) * height / rows).astype(int)[:, None],
        left + ((np.arange(cols) + 0.5) * width / cols).astype(int),
    )


def test_cells_have_the_palettes_colours_large_and_small(made, tmp_path, plans):
    pixels, about = drawn_card(made, tmp_path, {"plain": True, "sinks": "raw", "palette": "magma"})
    (plan,) = plans
    at = middles(*plan.picture, *SHAPE)
    how = drawn(made.row(1, 25)[2][made.cells(0)], Look(sinks="raw"))
    assert np.array_equal(pixels[at], palette("magma")[how.entries(how.values)])
    assert about["range"] == [0, how.high] and about["layer"] == 1 and about["head"] == 2
    atlas = made.atlas(25).astype(np.float32)
    for i, layer in enumerate(made.layers()):
        for head in range(made.heads()):
            corner = [a + b for a, b in zip(plan.atlas, plan.axes.corner(i, head), strict=True)]
            how = drawn(atlas[i, head].reshape(SHAPE), Look())  # each on its own scale
            small = pixels[middles(*corner, plan.axes.width, plan.axes.height, *SHAPE)]
            assert np.array_equal(small, palette("magma")[how.entries(how.values)]), (layer, head)
    bar = pixels[plan.bar[1], plan.bar[0] : plan.bar[0] + card.BAR[0]]
    assert np.array_equal(np.unique(bar, axis=0), np.unique(palette("magma"), axis=0))


def test_the_map_is_that_of_other_figures_and_no_sink_has_a_colour(made, tmp_path, plans):
    pixels, _ = drawn_card(made, tmp_path)
    left, top, width, height = plans[0].picture
    with Image.open(export(made, "png", tmp_path / "map.png", width=width, **ONE)) as image:
        assert np.array_equal(pixels[top : top + height, left : left + width], np.asarray(image))
    is_sink = np.zeros((20, 20), bool)
    is_sink[0, 0] = True
    values = np.full((20, 20), 0.1, np.float32)
    values[0, 0] = 1
    fine = np.asarray(small_map(values, is_sink, Look(palette="grey"), (10, 10)))  # a pixel holds four cells
    assert (fine[1:, 1:] == 255).all(), "a sink is outside of the colours, and of the means beside it"


def test_clip_ends_each_range_where_the_pages_does():
    values = np.float32([*([0.01] * 97), 0.2, 0.3, 0.9])[None]
    assert [drawn(values, Look(clip=clip)).high for clip in (100, 99, 98)] == pytest.approx([0.9, 0.3, 0.2])
    assert drawn(values, Look(clip=95)).high == pytest.approx(0.09), "a tenth of the largest at least"
    assert drawn(values, Look(clip=95, high=0.5)).high == 0.5
    for wrong in (49, 101, True, "99"):
        with pytest.raises(InvalidRequest, match="clip is"):
            Look(clip=wrong)


HOSTILE = {
    "long": "W" * 5000 + " why" * 3000,
    "mathtext": r"$\frac{1}{0}$ $x_{ \notacommand",
    "control signs": "a\x00b\x1b[31m\r\n\t\u202eabc\ud800",
    "stacked marks": "Z" + "\u0301\u0316" * 400 + " z",
    "right to left": "ما لون النجمة؟ " * 30,
    "other scripts": "星は何色ですか " * 40 + "👩‍👩‍👧 🟥",
}


@pytest.mark.sample(3)
@pytest.mark.parametrize("name", HOSTILE)
def test_texts_stay_inside_whatever_they_hold(name, tmp_path, plans):
    text = HOSTILE[name]
    tokens = chat([SHAPE], answer=("red",))
    for each in tokens:
        each["text"] = text if each["role"] == "answer" else each["text"]
    with run_of(tmp_path, prompt=text, answer=text, tokens=tokens) as run:
        run.info["model"]["id"] = text
        pixels, about = drawn_card(run, tmp_path, query=None)
    left, _, width, _ = plans[0].picture
    assert about["sentence"].startswith("layer 1, head 2: ")
    for margin in (pixels[:36], pixels[-36:], pixels[:, :36], pixels[:, -36:]):
        assert (margin == 255).all()
    assert (pixels[:450, left + width : left + width + 30] == 255).all(), "nothing between the picture and the words"
    assert (pixels[44:200, left + width + 40 :] != 255).any()


def test_the_sentence_says_what_the_map_holds(made):
    def sentence(**wanted):
        selection = select(made, **wanted)
        return map_sentence(selection, selection.values()[0]).replace("\u202f", " ")

    share = 100 * float(made.map(1, 2, 25).sum())
    said, number = sentence(**ONE), f"{share:.1f}" if share >= 9.95 else f"{share:.2g}"
    assert said.startswith(f"layer 1, head 2: {number} % of its attention on the picture, ")
    assert sentence(layer=1).startswith("the mean over heads of layer 1: ") and "while writing “red”" in sentence(
        layer=1
    )
    row, col = divmod(int(made.map(1, "max", 25).argmax()), SHAPE[1])
    assert "half of what is drawn on " in sentence(**ONE | {"head": "max"})
    assert f"the most on row {row}, col {col}, " in sentence(**ONE | {"head": "max"})
    assert "most, " in sentence(layer=1, head=2, key=9) and "% of its attention" not in sentence(layer=1, head=2, key=9)
    words = made.info["tokens"][25]["text"]
    assert sentence(layer=1, head=2, key=25) == f"layer 1, head 2: no cell here reads “{words}”", "it comes after all"


def test_a_column_that_no_cell_reads_has_a_card(made, tmp_path, plans):
    _, about = drawn_card(made, tmp_path, query=None, key=25)
    assert "no cell here reads" in about["sentence"]


@pytest.mark.sample(2)
@pytest.mark.parametrize("size, shape", [((900, 30), (1, 30)), ((30, 900), (30, 1)), ((64, 64), (40, 40))])
def test_pictures_of_every_shape_lie_inside(tmp_path, plans, size, shape):
    with run_of(tmp_path, size, shape, layers=range(12), heads=16, stored=None) as run:
        drawn_card(run, tmp_path, {"clip": 99}, layer="mean", query=None)
    left, top, width, height = plans[0].picture
    wide, high = plans[0].axes.size
    assert left == top == 44 and width <= 690 and height <= 420
    assert plans[0].atlas[0] + wide <= 1156 and plans[0].atlas[1] + high <= 470
    assert lay_out(1000, 1024, 1.5, 400, 200, 26) is None


def test_what_has_no_map_has_no_card(made, tmp_path):
    text = write_run(tmp_path / "text", [], [], tokens=chat([]), prompt="?")
    with open_run(text) as run, pytest.raises(InvalidRequest, match="no picture to draw on"):
        export(run, "card", tmp_path / "card.png")
    for wrong, words in (({"caption": True}, "1200x630"), ({"received": True}, "none of what keys receive")):
        with pytest.raises(InvalidRequest, match=words):
            export(made, "card", tmp_path / "card.png", layer=1, head=2, **wrong)
    assert not (tmp_path / "card.png").exists()
