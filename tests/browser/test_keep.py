"""Keeping what was found: every file arrives and holds what is on screen, and the code that is copied runs."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from safetensors.numpy import load

from attention.exports.export import export
from attention.runs.tokens import cell_box

pytestmark = pytest.mark.browser

MENU, SAID, CODE = ".av-keep-menu", ".av-keep-said", ".av-keep-code"


def open_menu(page):
    button = page.get_by_role("button", name="Keep", exact=True)
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")  # it has its place from then on
    expect(page.locator(MENU)).to_be_visible()


def link(page, name):
    return page.locator(".av-keep-file", has_text=name)


def keep(page, name):
    """Content that a link of the menu brings, and the name of the file."""
    with page.expect_download() as caught:
        link(page, name).click()
    download = caught.value
    assert download.failure() is None
    return download.path().read_bytes(), download.suggested_filename


def look(page, **settings):
    page.evaluate("settings => document.querySelector('.av-root').__attn.look(settings)", settings)


# Files


@pytest.mark.sample(2)
@pytest.mark.parametrize("settings", [{}, {"palette": "magma", "curve": "sqrt", "opacity": 0.5}, {"palette": "blues"}])
def test_a_png_has_the_pictures_size_and_the_colours_of_the_page(open_page, runs, tools, settings):
    run = runs["painted"]
    page = open_page("painted", layer=1, head=2)
    look(page, **settings)
    open_menu(page)
    page.locator(f"{MENU} input[type=checkbox]").uncheck()
    content, name = keep(page, "PNG")
    assert name == f"painted_language_L1_H2_row{tools.shown(page).query}.png"
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (613, 271)
        pixels, about = np.asarray(image).astype(float), json.loads(image.text["attention"])
    picture = np.asarray(Image.open(run.folder / "image_0.png").convert("RGB")).astype(float)
    opacity = settings.get("opacity", 0.8)
    width, height = page.evaluate("(() => { const b = document.querySelector('.av-overlay').getBoundingClientRect(); "
                                  "return [b.width, b.height]; })()")  # fmt: skip
    for row, col in np.ndindex(*tools.SHAPE):
        x0, y0, x1, y1 = cell_box(run.info["grids"][0], row, col)
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        *colour, alpha = page.evaluate(
            "([x, y]) => document.querySelector('.av-root').__attn.sample(x, y)", [x / 613 * width, y / 271 * height]
        )
        under, share = picture[int(y), int(x)], alpha / 255 * opacity
        # a canvas keeps colours times alpha: of what covers little, the colour is coarse, and counts little
        assert np.abs(pixels[int(y), int(x)] - (under * (1 - share) + np.array(colour) * share)).max() <= 3, (row, col)
    high = tools.shown(page).range["high"]
    assert about["range"] == [0, high] and about["curve"] == settings.get("curve", "linear")


def test_a_png_comes_larger_and_with_a_caption(open_page, runs):
    page = open_page("painted", layer=1, head=2)
    open_menu(page)
    heights = []
    for scale in (1, 2, 4):
        page.get_by_label("Size of the PNG").select_option(str(scale))
        content, _ = keep(page, "PNG")
        with Image.open(io.BytesIO(content)) as image:
            assert image.width == 613 * scale and image.height > 271 * scale + 60
            heights.append(image.height / scale)
    assert max(heights) - min(heights) < 2  # the words grow with the picture
    expect(page.locator(SAID)).to_have_text(re.compile(r"^painted_language_L1_H2_row\d+\.png$"))


def test_figures_say_what_is_on_screen(open_page, tools):
    page = open_page("captured", layer=3, head=2)
    look(page, clip=95, curve="log")
    open_menu(page)
    content, name = keep(page, "SVG")
    words = " ".join("".join(e.itertext()) for e in ET.fromstring(content).iter("{http://www.w3.org/2000/svg}text"))
    query = tools.shown(page).query
    assert name.endswith(f"_language_L3_H2_row{query}.svg") and f"row {query}" in words and "layer 3 · head 2" in words
    for label in ("low", "middle", "high", "note"):
        said = page.locator(f".av-bar-{label}").inner_text()
        assert said and said in words, label
    content, name = keep(page, "PDF")
    assert content.startswith(b"%PDF") and name.endswith(".pdf")


def test_a_share_card_is_the_file_that_export_writes_of_this_view(open_page, runs, tools, tmp_path):
    page = open_page("painted", layer=1, head=2)
    look(page, palette="magma", clip=95)
    open_menu(page)
    content, name = keep(page, "Share card")
    assert name == f"painted_language_L1_H2_row{tools.shown(page).query}.card.png"
    how = {"palette": "magma", "clip": 95, "low": 0, "high": tools.shown(page).range["high"], "places": True}
    view = {"layer": 1, "head": 2, "query": tools.shown(page).query}
    assert content == export(runs["painted"], "card", tmp_path / "card.png", look=how, **view).read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        share = re.search(r"[\d.]+\u202f%", json.loads(image.text["attention"])["sentence"])[0]
    expect(page.locator(".av-sentence")).to_contain_text(f"layer 1 head 2 put {share} of its attention on the picture")


def test_numbers_are_those_on_screen(open_page, tools):
    page = open_page("two", layer=2, head=1)
    tools.select(page, query=40)  # a row from the factors: what is on screen is exact
    open_menu(page)
    shown = tools.shown(page)
    content, name = keep(page, "NPZ")
    with np.load(io.BytesIO(content)) as data:
        assert np.array_equal(data["map"].ravel(), shown.cells) and np.array_equal(data["row"], shown.row)
        assert (data["layer"], data["head"], data["query"]) == (2, 1, 40) and name == "two_language_L2_H1_row40.npz"
    content, _ = keep(page, "CSV")
    table = list(csv.DictReader(line for line in content.decode().splitlines() if not line.startswith("#")))
    assert np.array_equal(np.float32([line["value"] for line in table]), shown.cells)


def test_the_layer_and_the_run_arrive_whole(open_page, runs):
    page = open_page("two", layer=2, head=1)
    open_menu(page)
    content, name = keep(page, "this layer")
    assert name == "language_layer_02.safetensors" and load(content).keys() >= {"query", "key", "attention"}
    assert content == runs["two"].layer_file(2).read_bytes()
    content, name = keep(page, "whole run")
    assert name == "two.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None and "two/run.json" in archive.namelist()
    expect(page.locator(SAID)).to_have_text("two.zip")


def test_links_are_of_the_view_and_follow_it_while_the_menu_is_open(open_page, tools):
    page = open_page("two", layer=2, head=1)
    open_menu(page)
    expect(link(page, "this layer")).to_have_attribute("href", re.compile(r"/layer/language/2$"))
    for change in ({"layer": "mean"}, {"direction": "read by", "token": 7}, {"grid": 1}):
        tools.select(page, **change)
    expect(link(page, "NPZ")).to_have_attribute("href", re.compile(r"layer=mean&head=1&key=7&grid=1$"))
    look(page, palette="grey", smooth=True)
    expect(link(page, "SVG")).to_have_attribute("href", re.compile(r"palette=grey&.*&smooth=1"))
    assert link(page, "this layer").get_attribute("href") is None
    expect(link(page, "this layer")).to_have_attribute("aria-disabled", "true")
    expect(link(page, "this layer")).to_have_attribute("title", re.compile("choose one"))
    content, name = keep(page, "SVG")
    assert name == "two_language_Lmean_H1_key7_grid1.svg" and b"smoothed" in content


def test_what_patches_receive_is_kept_too(open_page, runs, tools):
    tower = next((name for name in runs["captured"].towers() if name == "vision"), None)
    assert tower, "the captured run has its vision tower"
    page = open_page("captured")
    tools.select(page, tower="vision")
    tools.select(page, direction="received", layer=1, head=0)
    open_menu(page)
    content, name = keep(page, "NPZ")
    with np.load(io.BytesIO(content)) as data:
        assert np.allclose(data["map"].ravel(), tools.shown(page).cells, rtol=1e-6) and name.endswith(
            "_L1_H0_received.npz"
        )
    assert b"what each key receives" in keep(page, "SVG")[0]


def test_a_run_of_text_alone_has_numbers_and_no_figure(open_page):
    page = open_page("text")
    open_menu(page)
    for name in ("PNG", "SVG", "PDF"):
        assert link(page, name).get_attribute("href") is None
        expect(link(page, name)).to_have_attribute("title", re.compile("no picture"))
    assert b"key,text,value" in keep(page, "CSV")[0]


# Code


@pytest.mark.parametrize("is_local", [True, False])
def test_the_copied_code_runs_and_gives_the_map_on_screen(open_page, runs, tools, is_local):
    page = open_page("two", layer=2, head=1)
    tools.select(page, query=40)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if is_local:  # then the manifest says where the run lies
        folder = str(runs["two"].folder)
        page.evaluate("folder => { document.querySelector('.av-root').__attn.state.manifest.folder = folder; }", folder)
    open_menu(page)
    page.get_by_role("button", name="Copy as Python").click()
    expect(page.locator(SAID)).to_have_text("Copied.")
    code = page.evaluate("navigator.clipboard.readText()")
    assert ("open_run" in code) == is_local
    held = {}
    exec(compile(code, "pasted", "exec"), held)
    assert np.array_equal(held["map"].ravel(), tools.shown(page).cells)
    if is_local:
        held["run"].close()


def test_where_copying_is_refused_the_code_stands_there_to_be_copied(open_page):
    page = open_page("two", layer=2, head=1)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    open_menu(page)
    expect(page.locator(CODE)).to_be_hidden()
    page.get_by_role("button", name="Copy as Python").click()
    expect(page.locator(CODE)).to_be_focused()
    expect(page.locator(SAID)).to_have_text(re.compile("copy it from here"))
    text = page.locator(CODE).input_value()
    assert "urlopen" in text
    selected = page.evaluate(
        "css => { const c = document.querySelector(css); return [c.selectionStart, c.selectionEnd]; }", CODE
    )
    assert selected == [0, len(text)]


# Where it goes wrong


def test_a_run_that_has_expired_is_said_in_the_menu_and_nothing_arrives(open_page, runs):
    page = open_page("two", layer=2, head=1, is_new=True)  # whatever was fetched before would still be there
    arrived = []
    page.on("download", lambda download: arrived.append(download.suggested_filename))
    open_menu(page)
    run = runs.pop("two")
    try:
        for name in ("PNG", "CSV", "this layer", "whole run"):
            page.evaluate("css => { document.querySelector(css).textContent = ''; }", SAID)
            link(page, name).click()
            expect(page.locator(SAID)).to_have_text(re.compile("expired"))
    finally:
        runs["two"] = run
    assert not arrived and page.url.count("/") == 3  # still the page
    keep(page, "CSV")


def test_a_server_that_is_away_is_said_too(open_page):
    page = open_page("two")
    open_menu(page)
    page.route("**/export*", lambda route: route.abort())
    link(page, "SVG").click()
    expect(page.locator(SAID)).to_have_text("The server cannot be reached. Try again.")
    page.unroute("**/export*")
    keep(page, "SVG")


# The menu


def test_the_menu_opens_by_keyboard_and_escape_closes_it_and_nothing_else(open_page):
    page = open_page("two", layer=2, head=1)
    button = page.get_by_role("button", name="Keep", exact=True)
    cleared = page.evaluate("document.querySelector('.av-root').__attn.state.cleared")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(MENU)).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    expect(link(page, "PNG")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(MENU)).to_be_hidden()
    expect(button).to_be_focused()
    assert page.evaluate("document.querySelector('.av-root').__attn.state.cleared") == cleared
    with page.expect_download():
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")


def test_a_click_outside_closes_the_menu(open_page):
    page = open_page("two")
    open_menu(page)
    page.mouse.move(5, 5)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.mouse.click(5, 5, delay=50)  # held for a moment, as a person does
    expect(page.locator(MENU)).to_be_hidden()


def test_without_a_run_there_is_nothing_to_keep(open_page):
    page = open_page(state="empty")
    expect(page.get_by_role("button", name="Keep", exact=True)).to_be_disabled()


@pytest.mark.sample(2)
@pytest.mark.parametrize("size", ["WIDE", "NARROW"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_menu_is_whole_on_the_page(open_page, tools, size, theme):
    viewport = getattr(tools, size)
    page = open_page("two", size=viewport, theme=theme)
    open_menu(page)
    box = page.locator(MENU).bounding_box()
    button = page.get_by_role("button", name="Keep", exact=True).bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= viewport["width"]
    below, above = box["y"] - button["y"] - button["height"], button["y"] - box["y"] - box["height"]
    assert 0 <= max(below, above) <= 8 and box["y"] >= 0  # beside its button, where there is room
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    for name in ("PNG", "PDF", "NPZ", "whole run"):
        file = link(page, name).bounding_box()
        assert file["x"] + file["width"] <= box["x"] + box["width"] and file["height"] >= 20
