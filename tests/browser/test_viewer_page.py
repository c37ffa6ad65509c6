"""The viewer in Chromium: what is painted and said is what the files hold, and what people do has its effect."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect
from safetensors.numpy import load_file

from attention import answer_regions, region_scores
from attention.runs.tokens import cell_box

pytestmark = pytest.mark.browser


def cell_keys(run, grid=0):
    """The token of every cell, from run.json."""
    record = run.info["grids"][grid]
    keys = np.zeros((record["rows"], record["cols"]), int)
    for token in run.info["tokens"]:
        if token["grid"] == grid:
            keys[token["row"], token["col"]] = token["index"]
    return keys.ravel()


def first_answer(run):
    return next(token["index"] for token in run.info["tokens"] if token["role"] == "answer")


def number(text):
    return float(re.search(r"[\d.]+(e-?\d+)?", text).group())


# The numbers


def test_the_canvas_draws_the_numbers_of_the_file(open_page, runs, tools):
    run = runs["captured"]
    query, keys = first_answer(run) - 1, cell_keys(run)
    page = open_page("captured")
    for layer in run.layers():
        file = load_file(run.layer_file(layer))
        index = list(file["positions"]).index(query)
        for head in range(run.heads()):
            tools.select(page, layer=layer, head=head)
            shown = tools.shown(page)
            assert shown.source == "stored" and shown.dtype == "float16" and shown.query == query
            assert np.array_equal(shown.row.astype(np.float16), file["attention"][index, head])
            assert np.array_equal(shown.cells, file["attention"][index, head, keys].astype(np.float32))


@pytest.mark.sample(1)
@pytest.mark.parametrize("ticket", ["captured", "two"])
def test_reductions_and_unstored_rows_are_those_of_the_reader(open_page, runs, tools, ticket):
    run = runs[ticket]
    page = open_page(ticket)
    stored = first_answer(run) - 1
    other = 3 if ticket == "two" else next(t["index"] for t in run.info["tokens"] if t["role"] == "prompt")
    for query in (stored, other):
        for layer in ("mean", "max", run.layers()[-1]):
            for head in ("mean", "max", 1):
                page.evaluate(
                    "c => document.querySelector('.av-root').__attn.select(c)",
                    {"layer": layer, "head": head, "query": query},
                )
                tools.wait(page, layer=layer, head=head, query=query)
                shown = tools.shown(page)
                assert np.allclose(shown.row, run.reduced_row(layer, head, query), rtol=3e-7, atol=1e-9)
                assert shown.source == run.row_source(run.layers()[0], query)
                assert np.isclose(
                    shown.imageMass,
                    run.reduced_row(layer, head, query)[
                        [*cell_keys(run), *(cell_keys(run, 1) if ticket == "two" else [])]
                    ].sum(),
                    rtol=1e-5,
                )


def test_the_line_above_says_what_is_on_screen(open_page, runs, tools):
    run = runs["captured"]
    page = open_page("captured", layer=3, head=2)
    shown = tools.shown(page)
    answer = first_answer(run)
    expect(page.locator(".av-model")).to_have_text("pocket")
    title = page.locator(".av-title")
    expect(title).to_contain_text("layer 3 · head 2 · predicts “red”")
    expect(title).to_contain_text(f"row {answer - 1}")
    facts = page.locator(".av-facts").inner_text()
    at = int(shown.cells.argmax())
    cols = run.info["grids"][0]["cols"]
    assert f"row {at // cols}, col {at % cols}" in facts and "float16, as stored" in facts
    assert abs(number(facts.split("image mass")[1]) / 100 - shown.cells.sum()) < 5e-4
    assert np.isclose(number(facts.split("max")[1]), shown.cells.max(), rtol=5e-3)
    assert np.isclose(number(facts.split("(")[1]), shown.cells.max() * shown.cells.size / shown.cells.sum(), rtol=0.05)
    page.locator(".av-choice select").first.select_option("max")
    tools.wait(page, layer="max")
    expect(title).to_contain_text("max over layers · head 2")
    page = open_page("two", layer=2, head=1)
    expect(page.locator(".av-facts")).to_contain_text("float16, as stored")
    tools.select(page, query=3)
    expect(page.locator(".av-facts")).to_contain_text("float32, from the factors")
    expect(page.locator(".av-model")).to_have_text("made by hand")


# Choosing


def click_cell(page, run, grid, row, col):
    """Click in the middle of a cell, by its pixels on the picture."""
    record, overlay = run.info["grids"][grid], page.locator(".av-overlay")
    box = overlay.bounding_box()
    picture, (x0, y0, x1, y1) = run.info["images"][record["image"]], cell_box(record, row, col)
    across, down = box["width"] / picture["width"], box["height"] / picture["height"]
    overlay.click(position={"x": (x0 + x1) / 2 * across, "y": (y0 + y1) / 2 * down})


def outlined(page, grid):
    """The cell inside the accent frame, by its place on the screen; the grid covers the picture."""
    frame, here = page.locator(".av-frame").bounding_box(), page.locator(".av-here").bounding_box()
    middle = [here["x"] + here["width"] / 2 - frame["x"], here["y"] + here["height"] / 2 - frame["y"]]
    return int(middle[1] / frame["height"] * grid["rows"]), int(middle[0] / frame["width"] * grid["cols"])


def test_the_other_direction_shows_who_reads_a_token(open_page, runs, tools):
    run = runs["captured"]
    keys, page = cell_keys(run), open_page("captured", layer=1, head=0)
    star = next(t["index"] for t in run.info["tokens"] if t["text"] == " star")
    page.locator(f".av-token[data-token='{star}']").click()
    tools.wait(page, query=star)
    page.get_by_role("button", name="is read by").click()
    tools.wait(page, direction="read by", query=star, token=star)
    shown = tools.shown(page)
    assert np.allclose(shown.row, run.column(1, star)[0], rtol=3e-7) and shown.source == "factors"
    reader = int(shown.row.argmax())
    expect(page.locator(".av-title")).to_contain_text("who reads “star” (column")
    expect(page.locator(".av-facts")).to_contain_text(f"(token {reader})")
    expect(page.locator(".av-reading-choice")).to_be_hidden()
    key = int(keys[20])
    for layer, head in ((1, 0), ("mean", "max"), ("max", 1)):
        tools.select(page, token=key, layer=layer, head=head)
        shown = tools.shown(page)
        assert np.allclose(shown.row, run.reduced_column(layer, head, key), rtol=3e-6, atol=1e-9)
        assert np.array_equal(shown.cells, shown.row[keys])
    page.get_by_role("button", name="reads from").click()
    tools.wait(page, direction="reads", query=key)


def test_the_vision_tower_shows_what_a_patch_reads(open_page, runs, tools):
    run = runs["captured"]
    index = next(i for i, grid in enumerate(run.info["grids"]) if grid["tower"] == "vision")
    grid, page = run.info["grids"][index], open_page("captured", layer=1, head=2)
    page.get_by_role("button", name="vision", exact=True).click()
    tools.wait(page, tower="vision", grid=index)
    click_cell(page, run, index, 5, 9)
    key = int(run.cells(index)[5, 9])
    tools.wait(page, tower="vision", query=key, token=key)
    tools.select(page, layer=2, head=1)
    shown = tools.shown(page)
    assert np.allclose(shown.row, run.row(2, key, "vision")[1], rtol=3e-7, atol=1e-12)
    assert np.array_equal(shown.cells, shown.row[run.cells(index).ravel()])
    assert outlined(page, grid) == (5, 9)
    expect(page.locator(".av-title")).to_contain_text("the patch at row 5, col 9 reads")
    page.get_by_role("button", name="is read by").click()
    tools.wait(page, direction="read by", query=key)
    assert np.allclose(tools.shown(page).row, run.column(2, key, "vision")[1], rtol=3e-6, atol=1e-9)
    page.locator(f".av-token[data-token='{first_answer(run)}']").click()
    tools.wait(page, tower="language", direction="reads", query=first_answer(run) - 1)


def test_a_cross_tower_shows_what_text_reads_and_who_reads_a_cell(open_page, runs, tools):
    run = runs["crossed"]
    page = open_page("crossed")
    tools.wait(page, tower="cross", grid=0)
    layer = run.layers("cross")[0]
    query = run.info["prompt_tokens"] - 1
    tools.select(page, layer=layer, head=1, query=query)
    shown = tools.shown(page)
    assert np.array_equal(shown.row.astype(np.float16), run.stored_row(layer, query, "cross")[1])
    assert np.array_equal(shown.cells, shown.row[run.cells(0).ravel()])
    click_cell(page, run, 0, 1, 2)
    key = int(run.cells(0)[1, 2])
    tools.wait(page, tower="cross", direction="read by", query=key)
    shown = tools.shown(page)
    assert np.allclose(shown.row, run.column(layer, key, "cross")[1], rtol=3e-6, atol=1e-9) and not shown.cells.size
    assert not tools.canvas_pixels(page, ".av-overlay").any(), "cells of this tower read nothing: there is no map"
    page.get_by_role("button", name="reads from").click()
    tools.wait(page, tower="cross", direction="reads")
    page.get_by_role("button", name="language", exact=True).click()
    tools.wait(page, tower="language")
    shown = tools.shown(page)
    assert np.allclose(shown.row, run.reduced_row("mean", 1, shown.query), rtol=3e-7, atol=1e-9)


def test_everything_can_be_reached_by_keyboard(open_page, runs, tools):
    page = open_page("captured")
    answer = first_answer(runs["captured"])
    token = page.locator(f".av-token[data-token='{answer}']")
    token.focus()
    token.press(",")
    tools.wait(page, query=answer - 1, token=answer - 1)
    page.keyboard.press("Home")
    tools.wait(page, query=0, token=0)
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    page.locator("select[aria-label=Layer]").select_option("3")
    tools.wait(page, layer=3)
    page.get_by_role("button", name="previous layer").press("Enter")
    tools.wait(page, layer=2)
    page.locator("select[aria-label=Head]").select_option("max")
    tools.wait(page, head="max", layer=2)
    overlay = page.locator(".av-overlay")
    overlay.focus()
    overlay.press("Shift+ArrowDown")
    at = int(tools.shown(page).cells.argmax())
    cols = runs["captured"].info["grids"][0]["cols"]
    expect(page.locator(".av-root")).to_have_attribute("data-cell", f"{at // cols},{at % cols}")
    reached = page.evaluate("""() => [...document.querySelectorAll('.av-root *')]
        .filter((e) => e.tabIndex >= 0 && e.offsetParent && !e.disabled)
        .filter((e) => !e.getAttribute('aria-label') && !e.closest('label') && !e.textContent.trim())
        .map((e) => e.className)""")
    assert reached == []  # nothing that takes the focus is without a name


def test_python_hears_what_was_selected(open_page, tools):
    page = open_page("two", layer=2, head=1)
    page.get_by_role("button", name="next head").click()
    expect(page.locator("#selected")).to_contain_text('"head"')
    expect(page.locator("#selected")).to_contain_text("2")


# Places


@pytest.mark.sample(2)
@pytest.mark.parametrize("ticket", ["captured", "large", "two"])
def test_a_phone_has_the_image_first_and_nothing_beside_the_page(open_page, tools, ticket):
    page = open_page(ticket, size=tools.NARROW)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    order = [
        page.locator(part).bounding_box()["y"]
        for part in (".av-stage", ".av-spoken", ".av-controls", ".av-headline", ".av-tokens", ".av-atlas-place")
    ]
    assert order == sorted(order)
    page.locator(".av-atlas-canvas").scroll_into_view_if_needed()
    bottom = page.locator(".av-atlas-canvas").bounding_box()
    root = page.locator(".av-root").bounding_box()
    assert bottom["y"] + bottom["height"] <= root["y"] + root["height"] + 1


def test_on_a_laptop_picture_tokens_and_atlas_fit_under_the_inputs(open_page, tools):
    page = open_page("large")
    root, atlas = page.locator(".av-root").bounding_box(), page.locator(".av-atlas-canvas").bounding_box()
    assert root["height"] <= tools.WIDE["height"] - 150
    assert atlas["y"] + atlas["height"] <= root["y"] + root["height"] + 1
    picture = page.locator(".av-frame").bounding_box()
    assert picture["width"] * picture["height"] > atlas["width"] * atlas["height"] * 0.8


def test_the_theme_and_the_size_repaint(open_page, tools):
    page = open_page("captured", layer=1, head=0)
    light, cells = tools.canvas_pixels(page, ".av-atlas-canvas"), tools.canvas_pixels(page, ".av-overlay").shape
    page.evaluate("document.body.classList.add('dark')")
    assert not np.array_equal(light, tools.canvas_pixels(page, ".av-atlas-canvas"))
    page.set_viewport_size({"width": 1000, "height": 700})
    page.wait_for_function("height => document.querySelector('.av-overlay').height < height", arg=cells[0])
    frame = page.locator(".av-frame").bounding_box()
    assert tools.canvas_pixels(page, ".av-overlay").shape[:2] == (round(frame["height"]), round(frame["width"]))
    assert tools.canvas_pixels(page, ".av-overlay")[..., 3].any()


def test_the_root_says_its_state_for_scripts(open_page, tools):
    page = open_page("two", layer=2, head=1, query=5)
    assert json.loads(page.evaluate("JSON.stringify(document.querySelector('.av-root').dataset)")) == {
        "state": "ready", "tower": "language", "direction": "reads", "layer": "2", "head": "1", "query": "5",
        "token": "5", "grid": "0", "quiet": "", "lookOpen": "", "tokensOpen": "",
    }  # fmt: skip


def test_the_sentence_says_how_much_lies_in_the_place_that_the_answer_names(open_page, runs, tools):
    run, page = runs["named"], open_page("named", layer=1, head=2)
    query = int(page.locator(".av-root").get_attribute("data-query"))
    (box, *_) = answer_regions(run)
    scores = region_scores(run, box, query)
    said = page.locator(".av-sentence").inner_text().replace("\u202f", "")
    found = re.search(r"on the picture, ([0-9.]+)% of that in “a box” \(chance ([0-9.]+)%\)\.", said)
    assert found, said
    share = scores.tables["region_share"][run.layers().index(1), 2]
    assert np.allclose([float(text) for text in found.groups()], [100 * share, 100 * scores.uniform], rtol=6e-3)


def test_a_finger_across_the_lines_under_the_picture_goes_to_the_next_head(open_page, touch, tools):
    page = open_page("painted", layer=1, head=1, size=tools.NARROW, closed=1)
    send = touch(page)

    def swipe(css, across, down=0):
        line = page.locator(css)
        line.scroll_into_view_if_needed()
        box = line.bounding_box()
        x, y = 195, box["y"] + box["height"] / 2
        send("touchStart", (x, y))
        send("touchMove", (x + across / 2, y + down / 2))
        send("touchMove", (x + across, y + down))
        send("touchEnd")

    for css in (".av-under", ".av-selects"):
        swipe(css, -120)
        tools.wait(page, layer=1, head=2)
        swipe(css, 120)
        tools.wait(page, layer=1, head=1)
    swipe(".av-under", -20)  # a tap
    swipe(".av-under", -60, 60)  # a scroll
    tools.wait(page, layer=1, head=1)
