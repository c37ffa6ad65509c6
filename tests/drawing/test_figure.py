"""A figure shows each value in its own colour at its own place, and says what it is of; whatever the texts hold."""

import base64
import io
import json
import math
import re
import threading
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from made_runs import chat, scene, token, write_run
from PIL import Image

from attention import open_run
from attention.drawing import figure, overlay
from attention.drawing import number_text as value_text
from attention.drawing.colour_range import drawn
from attention.drawing.look import LOOK_FIELDS, Look, coverage
from attention.drawing.palettes import PALETTES, palette
from attention.drawing.run_map import places_on
from attention.drawing.run_words import asked_words
from attention.errors import DamagedRun, InvalidRequest, LimitExceeded
from attention.exports.export import export, heatmap_png
from attention.runs.selection import select

SHAPE = (3, 7)  # of a picture of 100 x 61 pixels: cells are no whole pixels
SIZE = (100, 61)
SINKS = {"language": {"0": [4], "1": [4, 12], "2": [0]}}  # 0 is text; of the cells 4 is (0, 1) and 12 is (1, 2)
PLACES = {
    "points": [{"x": 50, "y": 30, "label": "the $star$", "image": 0}],
    "boxes": [{"x0": 10, "y0": 5, "x1": 40, "y1": 25, "label": "", "image": 0}],
}


@pytest.fixture
def made(tmp_path):
    run = write_run(tmp_path / "made", [scene(*SIZE)], [SHAPE], prompt="?", answer="red", sinks=SINKS, **PLACES)
    with open_run(run) as run:
        assert run.cells(0)[0, 1] == 4 and run.cells(0)[1, 2] == 12
        yield run


def png(run, tmp_path, look=None, **wanted):
    """The pixels of an exported picture, and what it says of itself."""
    path = export(run, "png", tmp_path / "map.png", look=look, **{"layer": 1, "head": 0, "query": 25} | wanted)
    with Image.open(path) as image:
        assert image.format == "PNG" and image.mode == "RGB"
        return np.asarray(image).astype(float), json.loads(image.text["attention"])


def svg(run, tmp_path, look=None, **wanted):
    path = export(run, "svg", tmp_path / "map.svg", look=look, **{"layer": 1, "head": 0, "query": 25} | wanted)
    return ET.fromstring(path.read_text(encoding="utf-8"))


def texts(root):
    return [text for element in root.iter("{http://www.w3.org/2000/svg}text") if (text := "".join(element.itertext()))]


def raw(look=None):
    return {"sinks": "raw"} | (look or {})


def expected(run, cells, how, look, scale=1.0):
    """The picture with the map on it, pixel by pixel, by the rule and not by the code."""
    size = tuple(round(side * scale) for side in SIZE)
    under = np.asarray(scene(*SIZE).resize(size, Image.Resampling.LANCZOS)).astype(float)
    row = ((np.arange(size[1]) + 0.5) / size[1] * SHAPE[0]).astype(int)
    col = ((np.arange(size[0]) + 0.5) / size[0] * SHAPE[1]).astype(int)
    entry = how.entries(how.values)[row[:, None], col]
    share = (entry / 255)[..., None] ** 0.75 * look.opacity
    return under * (1 - share) + palette(look.palette)[entry] * share


# Where cells lie


@pytest.mark.parametrize("scale", [None, 0.25, 1, 2.5, 4])
def test_every_pixel_has_the_colour_of_the_cell_that_its_centre_lies_in(made, tmp_path, scale):
    pixels, about = png(made, tmp_path, raw(), scale=scale)
    scale = scale or 1
    assert pixels.shape == (round(61 * scale), round(100 * scale), 3)
    cells = made.map(1, 0, 25)
    look = Look(sinks="raw")
    assert np.abs(pixels - expected(made, cells, drawn(cells, look), look, scale)).max() <= 1.5
    assert about["range"] == [0, float(cells.max())] and (about["layer"], about["head"], about["query"]) == (1, 0, 25)


def test_the_width_can_be_named_instead(made, tmp_path):
    pixels, _ = png(made, tmp_path, width=333)
    assert pixels.shape == (203, 333, 3)


def test_the_heatmap_is_the_picture_in_its_own_size_and_the_values(made, tmp_path):
    path, cells = heatmap_png(made, "language", 1, 0, 25, 0, tmp_path / "map.png")
    assert np.array_equal(cells, made.map(1, 0, 25))
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), png(made, tmp_path)[0])


def test_where_there_is_no_attention_the_picture_stays_as_it_is(made, tmp_path):
    first = int(made.cells(0)[0, 0])
    pixels, _ = png(made, tmp_path, raw(), layer=0, query=first)  # which sees one cell of the picture
    rows, cols = np.nonzero((pixels != np.asarray(scene(*SIZE))).any(axis=-1))
    assert rows.max() < 61 / 3 and cols.max() < 100 / 7 and len(rows) > 0.99 * 20 * 14
    for curve in ("linear", "log"):
        pixels, about = png(made, tmp_path, raw({"curve": curve}), layer=0, query=0)  # before the picture
        assert np.array_equal(pixels, np.asarray(scene(*SIZE))) and about["range"] == [0, 0]


def test_a_tile_is_drawn_at_its_place(made, tmp_path):
    made.info["grids"][0]["box_px"] = [40, 20, 96, 56]
    for smooth in (False, True):
        pixels, _ = png(made, tmp_path, raw({"smooth": smooth}), layer="max", head="max")
        rows, cols = np.nonzero((pixels != np.asarray(scene(*SIZE))).any(axis=-1))
        assert (rows.min(), rows.max(), cols.min(), cols.max()) == (20, 55, 40, 95)


def one_spike(run, monkeypatch, row, col):
    values = np.zeros(run.keys(), np.float32)
    values[run.cells(0)[row, col]] = 1
    monkeypatch.setattr(type(run), "reduced_row", lambda *_, **__: values)


def test_cells_that_are_not_equal_are_drawn_where_they_lie(made, tmp_path, monkeypatch):
    edges = {"row_edges_px": [20, 30, 41.5, 57], "col_edges_px": [-3, 4, 12, 19.6, 26, 40, 47, 60]}
    made.info["grids"][0] |= {"box_px": [-3, 20, 60, 57], **edges}
    one_spike(made, monkeypatch, 1, 2)
    pixels, about = png(made, tmp_path, raw())
    rows, cols = np.nonzero((pixels != np.asarray(scene(*SIZE))).any(axis=-1))
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (30, 40, 12, 19)  # 41.5 and 19.6: centres decide
    assert {name: about[name] for name in edges} == edges
    box = overlay_box(svg(made, tmp_path, raw()))
    assert np.allclose(box, (12 / 100, 30 / 61, 19.6 / 100, 41.5 / 61), atol=0.5 / 1249)  # half a pixel of the overlay


def test_a_grid_without_cells_leaves_the_picture_as_it_is(tmp_path):
    folder = write_run(tmp_path / "made", [scene(*SIZE)], [(0, 0)], tokens=chat([]), prompt="?")
    with open_run(folder) as run:
        for look in ({}, {"smooth": True}, {"unit": "uniform", "curve": "log"}):
            pixels, _ = png(run, tmp_path, look, query=5, caption=False)
            assert np.array_equal(pixels, np.asarray(scene(*SIZE)))
        assert "0×0 cells" in " ".join(texts(svg(run, tmp_path, query=5)))


def test_smoothed_maps_have_each_cells_value_at_its_centre_and_lie_between(made, tmp_path):
    cells = made.map(1, 0, 25)
    look = Look(sinks="raw", smooth=True)
    how = drawn(cells, look)
    size = (700, 300)  # a cell is 100 x 100 pixels, its centre between two
    grid = made.info["grids"][0] | {"box_px": [0, 0, 7, 3]}
    over = np.concatenate([*overlay.overlay(how, look.colours(), grid, size, (100, 100), smooth=True)])
    entries = how.entries(cells)
    colours = np.concatenate([palette("cividis"), coverage(0.8)[:, None]], axis=1)
    close = np.abs(over[50::100, 50::100].astype(int) - colours[entries].astype(int))
    assert close.max() <= 8  # half a pixel beside the centre
    between = overlay.Smoothed(how, np.arange(4.0), np.arange(8.0))
    assert np.allclose(between.values(np.array([0.5, 1.5]), np.array([2.5])), cells[:2, 2:3])
    assert np.isclose(between.values(np.array([1.0]), np.array([3.0]))[0, 0], cells[:2, 2:4].mean())
    assert np.isclose(between.values(np.array([0.1]), np.array([6.9]))[0, 0], cells[0, 6])
    assert "smoothed" in " ".join(texts(svg(made, tmp_path, {"smooth": True})))
    assert "smoothed" not in " ".join(texts(svg(made, tmp_path)))


# Colours


def test_the_palettes_are_matplotlibs(made, tmp_path):
    assert [tuple(palette("cividis")[i]) for i in (0, 255)] == [(0, 34, 77), (253, 231, 55)]
    assert tuple(palette("grey")[77]) == (77, 77, 77) and tuple(palette("blues")[255]) == (8, 48, 107)
    for name in PALETTES:
        pixels, about = png(made, tmp_path, {"palette": name, "opacity": 1})
        row, col = np.argwhere(made.map(1, 0, 25) == drawn(*drawable(made, name)).largest)[0]
        y, x = int((row + 0.5) * 61 / 3), int((col + 0.5) * 100 / 7)
        assert np.array_equal(pixels[y, x], palette(name)[255]) and about["palette"] == name


def drawable(run, name):
    return run.map(1, 0, 25), Look(palette=name), np.isin(run.cells(0), [4, 12])


@pytest.mark.parametrize(
    "look, values, entries",
    [
        ({}, [0, 0.1, 0.2, 0.4], [0, 64, 128, 255]),
        ({"curve": "sqrt"}, [0, 0.1, 0.025, 0.4], [0, 128, 64, 255]),
        ({"curve": "log", "low": 0.004, "high": 0.4}, [0, 0.004, 0.04, 0.5], [0, 0, 128, 255]),
        ({"curve": "log"}, [0, 0.0004, 0.04 / math.sqrt(10), 0.4], [0, 0, 127, 255]),
        ({"low": 0.1, "high": 0.3}, [0.05, 0.1, 0.2, 0.4], [0, 0, 128, 255]),
        ({"low": 0.125, "high": 0.125}, [0.05, 0.125, 0.2, 0.4], [0, 0, 255, 255]),
        ({"unit": "uniform", "high": 4}, [0, 0.1, 0.1, 0.2], [0, 64, 64, 128]),
        ({"unit": "uniform", "high": 4}, [0, 0, 0, 0], [0, 0, 0, 0]),
        ({"high": 0}, [0, 0.1, 0.1, 0.2], [0, 0, 0, 0]),
    ],
)
def test_a_value_takes_its_place_in_the_range(look, values, entries):
    how = drawn(np.float32([values]), Look(**look))
    assert np.abs(how.entries(how.values)[0].astype(int) - entries).max() <= 1


# Sinks


def is_hatched(pixels, row, col):
    """True for a cell with stripes: every sixth diagonal is darker than those between."""
    y, x = np.mgrid[
        int(row * 61 / 3) + 2 : int((row + 1) * 61 / 3) - 2, int(col * 100 / 7) + 2 : int((col + 1) * 100 / 7) - 2
    ]
    grey, stripe = pixels[y, x].mean(axis=-1), (y + x) % 6
    return bool(grey[stripe == 0].mean() < min(grey[stripe == other].mean() for other in (1, 2, 3, 4, 5)) - 30)


def test_sinks_are_hatched_and_left_out_of_the_colours(made, tmp_path):
    cells = made.map(1, 0, 25)
    rest = np.delete(cells.ravel(), [1, 9])  # (0, 1) and (1, 2)
    pixels, about = png(made, tmp_path)
    assert about["range"] == [0, float(rest.max())] and about["sinks"] == "masked"
    assert {at for at in np.ndindex(*SHAPE) if is_hatched(pixels, *at)} == {(0, 1), (1, 2)}
    pixels, about = png(made, tmp_path, raw())
    assert about["range"] == [0, float(cells.max())] and not is_hatched(pixels, 0, 1)
    row = made.reduced_row(1, 0, 25)
    _, about = png(made, tmp_path, {"sinks": "renormalised"})
    assert np.allclose(about["range"], [0, rest.max() / (1 - row[[4, 12]].sum(dtype=float))])
    words = " ".join(texts(svg(made, tmp_path, {"sinks": "renormalised"})))
    share = value_text.format_percent(cells[[0, 1], [1, 2]].sum() / cells.sum())
    assert (
        f"{share} of this head's image attention is on 2 sink cells: hatched, the rest divided by what is left."
        in words
    )
    assert f"divided by the {value_text.format_percent(1 - row[[4, 12]].sum())} of the row not on sinks" in words
    assert "on 2 sink cells: drawn as they are." in " ".join(texts(svg(made, tmp_path, raw())))


def test_over_layers_the_sinks_are_those_of_any_layer_and_a_column_has_none(made, tmp_path):
    assert select(made, layer="mean", query=25).sinks == [0, 4, 12] and select(made, layer=0, query=25).sinks == [4]
    assert select(made, layer=1, key=4).sinks == []
    _, about = png(made, tmp_path, layer=1, query=None, key=4)
    assert about["key"] == 4 and about["range"] == [0, pytest.approx(made.column(1, 4)[0][made.cells(0)].max())]


# What a figure says


def test_the_caption_says_what_the_map_is_of(made, tmp_path):
    made.info["adapter"] = {"id": "me/lora", "scale": 0.5}
    tokens = made.info["tokens"]
    words = texts(svg(made, tmp_path))
    said = " | ".join(words)
    for part in (
        "made by hand with me/lora ×0.5 · language tower · layer 1 · head 0",
        f"reads from: row 25 “{tokens[25]['text']}”, predicts “{tokens[26]['text']}”",
        "image 1: 3×7 cells, hold ",
        "run made · float32, from queries and keys",
        "cividis, linear, 0 to ",
    ):
        assert part in said, part
    assert "float16, as stored" in " ".join(texts(svg(made, tmp_path, query=len(tokens) - 1)))
    assert "mean of rows 25 to 27" in " ".join(texts(svg(made, tmp_path, until=27)))
    assert "is read by: position 4" in " ".join(texts(svg(made, tmp_path, query=None, key=4)))
    said = " ".join(texts(svg(made, tmp_path, layer="max", head="mean")))
    assert "max over layers · mean over heads" in said and "of the row" not in said  # of no row: of many


def test_the_caption_says_what_was_asked_and_answered(made, tmp_path):
    def said(prompt, answer):
        made.info |= {"prompt": prompt, "answer": answer}
        return [words for words in texts(svg(made, tmp_path)) if "prompt" in words or "answer" in words]

    assert said("what is <b>this</b>\n ${x}?", "a fox") == ["prompt: “what is <b>this</b> ${x}?” · answer: “a fox”"]
    assert said("what?", "") == ["prompt: “what?”"] and said("", "") == []
    (long,) = asked_words("why " * 1000, [("base", "so " * 1000)])
    assert long.count("…") == 2 and len(long) < 700
    assert asked_words("what?", [("base", "red"), ("mine", "red")]) == ["prompt: “what?” · answer: “red”"]
    for name in ("mine", "base"):  # two that are called alike are two all the same
        assert asked_words("what?", [("base", "red"), (name, "blue")]) == [
            f"prompt: “what?” · answer of base: “red” · answer of {name}: “blue”"
        ]


def test_the_largest_of_many_heads_are_no_shares_of_a_row(made, tmp_path):
    row = made.row(1, 25).max(axis=0)
    cells = np.where(np.isin(made.cells(0), SINKS["language"]["1"]), 0, row[made.cells(0)])
    _, about = png(made, tmp_path, {"sinks": "renormalised"}, head="max")
    assert about["range"][1] == pytest.approx(float(cells.max()))  # there is no rest to divide by
    words = " ".join(texts(svg(made, tmp_path, {"sinks": "renormalised"}, head="max")))
    assert "cells, sum " in words and "of the row" not in words and "divided" not in words


def test_the_colour_bar_has_the_numbers_of_the_range(made, tmp_path):
    def bar(**look):
        words = texts(svg(made, tmp_path, raw(look)))
        return words[:4]  # the bar is drawn before the caption: its ticks, then its unit

    cells = made.map(1, 0, 25)
    high = float(cells.max())
    assert bar() == ["0", value_text.format_value(high / 2), value_text.format_value(high), "attention"]
    assert bar(curve="sqrt")[1] == value_text.format_value(high / 4)
    second = float(np.sort(cells.ravel())[-2])
    assert bar(high=second)[2:] == [
        f"≥{value_text.SPACE}{value_text.format_value(second)}",
        f"attention · 1 cell above, up to {value_text.format_value(high)}",
    ]
    assert bar(unit="uniform", curve="log", low=0.1, high=100) == [
        "≤\u202f0.10×", "3.2×", "100×", "times even attention, logarithm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value, written",
    [
        (0, "0"),
        (0.123456, "0.123"),
        (0.0033249, "0.00332"),
        (3.324e-5, "3.32e-5"),
        (1, "1"),
        (0.5, "0.500"),
        (0.000999, "9.99e-4"),
    ],
)
def test_numbers_are_written_as_on_the_page(value, written):
    assert value_text.format_value(value) == written


HOSTILE = [
    "$x^2$",
    r"\frac{",
    "<b>&amp;",
    "]]>",
    "火🦊",
    "\x00\x1b[31m",
    "\n\t",
    "\ud800",
    "\u202eabc",
    "\ufffe",
    "﷽" * 40,
    "",
]


def test_texts_are_drawn_as_texts_whatever_they_hold(tmp_path):
    tokens = [{"index": i, **token(text, "prompt")} for i, text in enumerate(HOSTILE)]
    cells = [token("<|image_pad|>", "image", grid=0, row=r, col=c) for r in range(2) for c in range(3)]
    tokens += [{"index": i, **cell} for i, cell in enumerate(cells, len(tokens))]
    tokens += [{"index": len(tokens), **token("$", "prompt")}]
    places = [{"x": 5, "y": 5, "label": text, "image": 0} for text in HOSTILE]
    folder = write_run(tmp_path / "made", [scene(60, 40)], [(2, 3)], tokens=tokens, prompt="?", points=places)
    with open_run(folder) as run:
        run.info["id"], run.info["model"]["id"] = "$a_b$ " + HOSTILE[7], "".join(HOSTILE)
        for query in (0, 3, 5, 7, 10, 11):
            lines = texts(svg(run, tmp_path, {"places": True}, query=query))
            words = " ".join(lines)
            assert {"$x^2$", r"\frac{", "<b>&amp;", "火🦊", "]]>"} < set(lines) and "$a_b$" in words
            assert "\x1b" not in words and "\u202e" not in words
        for wanted in ({"format": "pdf"}, {"format": "png", "caption": True}):
            export(run, path=tmp_path / "x", query=0, look={"places": True}, **wanted)


def test_a_long_caption_is_broken_into_lines_that_fit():
    lines = figure.wrapped("word " * 60 + "x" * 250 + " " + "火" * 80, 104)
    assert max(len(line) for line in lines) <= 104 and "火" * 52 in "".join(lines)
    assert max(line.count("火") for line in lines) <= 104 / 2
    assert "".join(lines).replace(" ", "") == "word" * 60 + "x" * 250 + "火" * 80


def test_a_captioned_picture_has_the_bare_one_above_white(made, tmp_path):
    for scale in (1, 4):
        bare, _ = png(made, tmp_path, {"places": True}, scale=scale)
        whole, about = png(made, tmp_path, {"places": True}, scale=scale, caption=True)
        height, width = bare.shape[:2]
        assert whole.shape[1] == max(width, figure.LEAST_CAPTION_PX) and whole.shape[0] > height + 0.1 * width
        assert np.array_equal(whole[:height, :width], bare) and (whole[:height, width:] == 255).all()
        below = whole[height:]
        assert (below == 255).mean() > 0.7 and (below.sum(axis=-1) < 200).mean() > 0.005  # words
        inch = whole.shape[1] / figure.INCHES
        bar = below[int(0.155 * inch), int(0.08 * inch) : int(2.48 * inch)]
        middle = len(bar) // 2
        assert np.abs(bar[middle] - palette("cividis")[128]).max() < 6
        assert about["layer"] == 1


# The formats


def images(root):
    """The pictures of an SVG as (pixels, x0, y0, x1, y1) in its own units: the picture, its cells, the colour bar."""
    found = []
    for element in root.iter("{http://www.w3.org/2000/svg}image"):
        data = element.get("{http://www.w3.org/1999/xlink}href").split(",", 1)[1]
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        a, b, c, d, e, f = map(float, re.findall(r"-?[\d.]+", element.get("transform")))
        width, height = float(element.get("width")), float(element.get("height"))
        assert b == c == 0
        x, y = sorted((e, e + a * width)), sorted((f, f + d * height))
        found.append((pixels[::-1] if d < 0 else pixels, x[0], y[0], x[1], y[1]))
    return found


def overlay_box(root):
    """Places of the coloured cells of an SVG, as shares of its picture."""
    (_, *under), (cells, *over), _ = images(root)
    assert np.allclose(under, over, atol=0.01)
    rows, cols = np.nonzero(cells[..., 3])
    return (
        cols.min() / cells.shape[1],
        rows.min() / cells.shape[0],
        (cols.max() + 1) / cells.shape[1],
        (rows.max() + 1) / cells.shape[0],
    )


def test_an_svg_holds_the_picture_its_cells_and_its_text(made, tmp_path):
    root = svg(made, tmp_path, raw())
    (under, *box), (cells, *_), (bar, *_) = images(root)
    assert np.array_equal(under[..., :3], np.asarray(scene(*SIZE)))
    assert np.isclose((box[2] - box[0]) / (box[3] - box[1]), 100 / 61, rtol=1e-3)
    values = made.map(1, 0, 25)
    entries = drawn(values, Look(sinks="raw")).entries(values)
    height, width = cells.shape[:2]
    for row, col in np.ndindex(*SHAPE):
        pixel = cells[int((row + 0.5) * height / 3), int((col + 0.5) * width / 7)]
        assert tuple(pixel) == (*palette("cividis")[entries[row, col]], coverage(0.8)[entries[row, col]])
    assert np.array_equal(bar[0, :, :3], palette("cividis"))
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    about = json.loads(next(e.text for e in root.iter() if e.tag.endswith("}description")))
    assert about["query"] == 25 and about["range"] == [0, float(values.max())]
    first = (tmp_path / "map.svg").read_bytes()
    svg(made, tmp_path, raw())
    assert (tmp_path / "map.svg").read_bytes() == first  # the same view is the same file


def test_a_pdf_has_fonts_that_can_be_edited(made, tmp_path):
    content = export(made, "pdf", tmp_path / "map.pdf", layer=1, head=0, query=25).read_bytes()
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    assert b"/Type42" in content or b"/CIDFontType2" in content
    assert b"/Type3" not in content and b"CreationDate" not in content
    width, height = map(float, re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", content).groups())
    assert width == 432 and height > 432 * 61 / 100


def test_a_tall_picture_keeps_its_proportions_and_fits_a_page(tmp_path):
    folder = write_run(tmp_path / "made", [scene(60, 400)], [(8, 2)], prompt="?", answer="red")
    with open_run(folder) as run:
        (_, x0, y0, x1, y1), *_ = images(svg(run, tmp_path, query=20))
    assert np.isclose((x1 - x0) / (y1 - y0), 60 / 400, rtol=1e-3) and y1 - y0 <= 72 * figure.MOST_INCHES_HIGH + 0.1


def test_a_label_is_cut_where_no_picture_has_room_for_it(tmp_path):
    label = "long" * 200_000
    place = {"x": 5, "y": 5, "label": label, "image": 0}
    folder = write_run(tmp_path / "made", [scene(60, 40)], [(2, 3)], points=[place])
    with open_run(folder) as run:
        assert run.info["points"][0]["label"] == label
        (point,), _ = places_on(run.info, 0, Look(places=True))
    assert point[2] == f"{label[:200]}…"


def test_places_are_drawn_where_the_answer_named_them(made, tmp_path):
    without, _ = png(made, tmp_path, scale=4)
    drawn_, _ = png(made, tmp_path, {"places": True}, scale=4)
    changed = (without != drawn_).any(axis=-1)
    assert changed[120, 200] and changed[20, 100] and changed[100, 100] and changed[60, 40] and changed[60, 160]
    assert not changed[60, 60:140].any() and not changed[180:].any() and not changed[:, :30].any()
    words = texts(svg(made, tmp_path, {"places": True}))
    assert "the $star$" in words and "the $star$" not in texts(svg(made, tmp_path))


def test_a_guess_is_dashed_and_says_what_it_rests_on(made, tmp_path):
    solid, _ = png(made, tmp_path, {"places": True}, scale=4)
    made.info["boxes"][0]["ambiguous"] = made.info["points"][0]["ambiguous"] = "0 to 1 assumed"
    dashed, _ = png(made, tmp_path, {"places": True}, scale=4)
    top = np.s_[20, 60:150]  # of the box, where no label stands
    dark = [(pixels[top].max(axis=-1) < 60).mean() for pixels in (solid, dashed)]
    assert dark[0] == 1 and 0.3 < dark[1] < 0.7
    root = svg(made, tmp_path, {"places": True})
    assert {"(0 to 1 assumed)", "the $star$ (0 to 1 assumed)"} <= set(texts(root))
    assert any("stroke-dasharray" in (element.get("style") or "") for element in root.iter())


WHY = "the answer does not say which of the 2 pictures it means"


@pytest.fixture
def two(tmp_path):
    """A run whose answer names a place on one of two pictures, and does not say on which."""
    on = [{"image": i, "x": 50, "y": 30, "label": "here"} for i in (0, 1)]
    unplaced = [{"x": 500, "y": 500, "label": "here", "why": WHY, "on": on}]
    pictures = [scene(*SIZE, 1), scene(*SIZE, 2)]
    with open_run(
        write_run(tmp_path / "two", pictures, [SHAPE] * 2, prompt="?", answer="red", unplaced=unplaced)
    ) as run:
        yield run


def test_a_place_of_no_picture_is_drawn_on_the_one_that_is_chosen(two, tmp_path):
    query = len(two.info["tokens"]) - 2
    for grid in (0, 1):
        drawn_ = [
            png(two, tmp_path, look, query=query, grid=grid)[0]
            for look in ({}, {"places": True}, {"places_on": 1}, {"places_on": "2", "places": True})
        ]
        same = [np.array_equal(drawn_[0], pixels) for pixels in drawn_]
        assert same == [True, True, grid != 0, grid != 1]
        said = texts(svg(two, tmp_path, {"places": True}, query=query, grid=grid))
        assert any(WHY in line for line in said) and "here" not in said
        said = texts(svg(two, tmp_path, {"places_on": grid + 1}, query=query, grid=grid))
        assert "here" in said and not any(WHY in line for line in said)


@pytest.mark.parametrize("number", [0, -1, 3, 1.5, True, "two", "1" * 5000])
def test_a_picture_that_a_run_has_not_is_refused_in_words(two, tmp_path, number):
    with pytest.raises(InvalidRequest, match=r"^places_on is "):
        export(two, "svg", tmp_path / "map.svg", look={"places_on": number}, query=20)
    assert not (tmp_path / "map.svg").exists()


def test_a_frame_far_larger_than_its_picture_is_drawn(made, tmp_path):
    made.info["boxes"] = [{"x0": -1e7, "y0": -1e7, "x1": 1e7, "y1": 1e7, "label": "", "image": 0, "ambiguous": "?"}]
    made.info["points"] = [{"x": 1e7, "y": -1e7, "label": "far", "image": 0}]
    for look in ({"places": True}, {"places": True, "palette": "magma"}):
        png(made, tmp_path, look, scale=4)
        svg(made, tmp_path, look)
        made.info["boxes"][0].pop("ambiguous", None)


def test_a_persons_settings_of_matplotlib_change_nothing(made, tmp_path):
    svg(made, tmp_path)
    before = (tmp_path / "map.svg").read_bytes()
    with matplotlib.rc_context({"text.usetex": True, "svg.fonttype": "path", "font.size": 40, "savefig.dpi": 7}):
        svg(made, tmp_path)
        assert matplotlib.rcParams["text.usetex"]
    assert (tmp_path / "map.svg").read_bytes() == before


def test_figures_are_drawn_by_several_threads_at_once(made, tmp_path):
    wanted = [("svg", 0), ("pdf", 1), ("png", 0), ("svg", 1)]
    alone = {}
    for name in wanted:
        alone[name] = write(made, tmp_path / "one", *name)
    found, threads = {}, []
    for i, name in enumerate(wanted):
        work = lambda i=i, name=name: found.update({name: write(made, tmp_path / f"many{i}", *name)})  # noqa: E731
        threads.append(threading.Thread(target=work))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone


def write(run, path, format, head):  # noqa: A002
    more = {"caption": True} if format == "png" else {}
    return export(run, format, path, layer=1, head=head, query=25, **more).read_bytes()


# What is refused

REFUSED = {
    "palette": ({"palette": "jet"}, "palette is 'jet'; it must be one of cividis, magma"),
    "palettes": ({"palette": ["magma"]}, r"palette is \['magma'\]; it must be one of"),
    "unit": ({"unit": "bits"}, "unit is 'bits'; it must be one of attention, uniform"),
    "curve": ({"curve": "cubic"}, "curve is 'cubic'; it must be one of linear, sqrt, log"),
    "sinks": ({"sinks": "gone"}, "sinks is 'gone'; it must be one of masked, raw, renormalised"),
    "opacity": ({"opacity": "1.1"}, "opacity is 1.1; it must be a number from 0 to 1"),
    "opacity word": ({"opacity": "much"}, "opacity is 'much'; it must be a number"),
    "opacity yes": ({"opacity": True}, "opacity is True; it must be a number"),
    "low": ({"low": -1}, "low is -1; it must be a number from 0"),
    "nan": ({"low": "nan"}, "low is 'nan'; it must be a number"),
    "infinite": ({"high": float("inf")}, "high is inf; it must be a number"),
    "order": ({"low": 2, "high": 1}, "begin at low=2, above high=1"),
    "low alone": ({"low": 2}, "begin at low=2; the largest value of this map is 0"),
    "log from 0": ({"curve": "log", "low": 0}, "cannot begin at 0"),
    "smooth": ({"smooth": "perhaps"}, "smooth is 'perhaps'; it must be yes or no"),
    "name": ({"colour": "red"}, "There is no setting 'colour' .* There is palette, opacity"),
}


@pytest.mark.parametrize("look, words", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("format", ["png", "svg"])
def test_a_look_that_cannot_be_is_refused_in_words(made, tmp_path, format, look, words):  # noqa: A002
    with pytest.raises(InvalidRequest, match=words):
        export(made, format, tmp_path / "map", look=look)
    assert not (tmp_path / "map").exists()


def test_settings_come_as_texts_too():
    texts_ = {"palette": "magma", "opacity": "0.5", "low": "", "smooth": "1", "places": "false", "high": "1e-3"}
    assert Look.read(texts_) == Look("magma", 0.5, None, 1e-3, smooth=True)
    assert set(LOOK_FIELDS) == set(Look().to_dict())


@pytest.mark.parametrize(
    "size, kind, words",
    [
        ({"scale": 5}, InvalidRequest, "scale is 5; it must be a number from 0.25 to 4"),
        ({"scale": 0}, InvalidRequest, "scale is 0; it must be"),
        ({"scale": float("nan")}, InvalidRequest, "scale is nan; it must be"),
        ({"scale": True}, InvalidRequest, "scale is True; it must be"),
        ({"width": 0}, InvalidRequest, "width is 0; it must be a whole number of pixels"),
        ({"width": 20.5}, InvalidRequest, "width is 20.5; it must be"),
        ({"width": 20, "scale": 1}, InvalidRequest, "Give scale or width, not both"),
        ({"width": 9000}, LimitExceeded, r"9000x5490, 49 megapixels; the limit is 40\. Choose a smaller size, or svg"),
        ({"width": 100_000}, LimitExceeded, "6,100 megapixels"),
    ],
)
def test_a_size_that_is_too_much_is_refused_in_words(made, tmp_path, size, kind, words):
    with pytest.raises(kind, match=words):
        export(made, "png", tmp_path / "map.png", **size)
    assert not (tmp_path / "map.png").exists()


def test_a_column_has_no_even_attention(made, tmp_path):
    with pytest.raises(InvalidRequest, match="no even attention"):
        export(made, "svg", tmp_path / "map.svg", key=4, look={"unit": "uniform"})


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_a_run_whose_picture_is_broken_says_so(tmp_path, format):  # noqa: A002
    folder = write_run(tmp_path / "made", [scene(60, 40)], [(2, 3)], prompt="?")
    (folder / "image_0.png").write_bytes(b"\x89PNG nothing")
    with open_run(folder) as run, pytest.raises(DamagedRun, match=r"image_0\.png of this run cannot be read"):
        export(run, format, tmp_path / "map")
    assert not (tmp_path / "map").exists()
