"""Places marked on the picture: by pointer, finger, key and text; measured as by Python, and kept in the address."""

import json

import numpy as np
import pytest
from playwright.sync_api import expect

from attention import answer_regions, read_region, region_scores
from attention.drawing.number_text import format_percent
from attention.runs.tokens import cell_box

pytestmark = pytest.mark.browser

OVERLAY, LINE, MEASURED, WRONG = ".av-overlay", ".av-mark-input", ".av-mark-measures", ".av-mark-wrong"


def state(page, name):
    return page.evaluate(f"document.querySelector('.av-root').__attn.state.{name}")


def at(page, tools, place, picture):
    """A point of the picture on the screen."""
    tools.still(page)
    box = page.locator(OVERLAY).first.bounding_box()
    x, y = place
    return box["x"] + x / picture["width"] * box["width"], box["y"] + y / picture["height"] * box["height"]


def measured(run, page, layer, head):
    """Measures by Python of the place on screen, in the row on screen."""
    place, query = state(page, "region"), int(page.locator(".av-root").get_attribute("data-query"))
    return region_scores(run, read_region(run, place["place"], place["image"]), query).of_head(layer, head)


def test_a_typed_place_is_measured_as_python_measures_it(open_page, runs):
    run = runs["named"]
    page = open_page("named", layer=1, head=2)
    page.locator(OVERLAY).focus()
    page.keyboard.press("m")
    expect(page.locator(LINE)).to_be_focused()
    expect(page.locator(LINE)).to_have_value("200 80 400 200")  # the answer's own place, to begin with
    page.locator(LINE).fill("33 40.5 120 160")
    page.locator(LINE).press("Enter")
    assert state(page, "region.place") == [33, 40.5, 120, 160]
    found = measured(run, page, 1, 2)
    expect(page.locator(MEASURED)).to_contain_text(f"best cell ranks {found['region_rank']:.0f}")
    said = page.locator(MEASURED).inner_text()
    assert said.startswith(f"{format_percent(found['region_share'])} of what is read of pictures")
    assert f"IoU of the top cells {found['region_iou']:.2f}" in said and "random heads" in said
    assert f"peak {'inside' if found['region_peak'] else 'outside'}" in said
    assert f"random heads {format_percent(found['random_mean'])} ± {format_percent(found['random_spread'])}" in said
    page.evaluate("document.querySelector('.av-root').__attn.select({ layer: 2, head: 3 })")
    expect(page.locator(MEASURED)).to_contain_text(f"ranks {measured(run, page, 2, 3)['region_rank']:.0f}")
    page.evaluate("document.querySelector('.av-root').__attn.select({ layer: 'mean' })")
    expect(page.locator(MEASURED)).to_contain_text("Choose one layer and one head")
    page.locator(LINE).press("Escape")
    expect(page.locator(".av-mark")).to_be_hidden()
    assert state(page, "region.place") == [33, 40.5, 120, 160], "it closes the line and clears nothing"


def test_what_is_no_place_is_refused_by_name_and_nothing_is_lost(open_page):
    page = open_page("named", layer=1, head=2)
    page.locator(OVERLAY).focus()
    page.keyboard.press("m")
    page.locator(LINE).fill("10 10 50 60")
    page.locator(LINE).press("Enter")
    for text, words in (
        ("10 10 700 60", "[10, 10, 700, 60] leaves its picture, which is 613×271 pixels."),
        ("50 10 10 60", "has no area: x0 must be less than x1"),
        ("1 2 NaN 4", "finite numbers"),
        ('{"boxes": [[1, 2, 3, 4]], "image": 4}', "There is no image 4 in this run: it has 1"),
        ("{<img src=x onerror=window.broken=1>", "This is no JSON of places."),
        ('[{"box": [1, 2, 3], "label": "<img src=x onerror=window.broken=1>"}]', "a box of four numbers"),
    ):
        page.locator(LINE).fill(text)
        page.get_by_role("button", name="Measure").click()
        expect(page.locator(WRONG)).to_contain_text(words)
        assert state(page, "region.place") == [10, 10, 50, 60] and page.locator(LINE).input_value() == text
    assert page.evaluate("window.broken") is None
    page.get_by_role("button", name="Clear").click()
    assert state(page, "region") is None
    expect(page.locator(WRONG)).to_be_empty()


def test_places_of_a_file_are_drawn_and_each_can_be_chosen(open_page, runs, tools):
    run = runs["named"]
    page = open_page("named", layer=1, head=2)
    page.locator(OVERLAY).focus()
    page.keyboard.press("m")
    boxes = json.dumps({"boxes": [{"box": [10, 10, 90, 60], "label": "<b>Save</b>"}, [120, 20, 180, 60]], "image": 0})
    page.evaluate(
        """([css, text]) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([text], 'boxes.json', { type: 'application/json' }));
        const drop = new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true });
        document.querySelector(css).dispatchEvent(drop);
        }""",
        [LINE, boxes],
    )
    expect(page.locator(".av-sentence")).to_contain_text("in “<b>Save</b>”")
    expect(page.locator(".av-place")).to_have_count(4)  # two of the answer, two of the file
    page.get_by_role("button", name="Done").click()
    picture = run.info["images"][0]
    page.mouse.click(*at(page, tools, (120, 40), picture))
    assert state(page, "region.place") == [120, 20, 180, 60], "the line of a place chooses it"
    token = page.locator(".av-root").get_attribute("data-token")
    page.mouse.click(*at(page, tools, (400, 150), picture))
    expect(page.locator(".av-sentence")).to_contain_text("in “a box”")
    expect(page.locator(".av-chosen text")).to_have_text("a box")
    assert page.locator(".av-root").get_attribute("data-token") == token, "and no cell with it"
    page.mouse.click(*at(page, tools, (100, 50), picture))
    expect(page.locator(".av-sentence")).to_contain_text("at “<b>here</b>”")
    page.locator(OVERLAY).focus()
    page.keyboard.press("o")
    assert state(page, "region.label") == "<b>Save</b>", "after the last comes the first"
    page.mouse.click(*at(page, tools, (300, 150), picture))
    moved = "before => document.querySelector('.av-root').dataset.token !== before"
    page.wait_for_function(moved, arg=token)  # inside of a box a click chooses its cell


def test_keys_draw_a_box_of_cells_and_give_it_up(open_page, runs):
    run = runs["painted"]
    page = open_page("painted", layer=1, head=2)
    grid, layer = run.info["grids"][0], page.locator(".av-root").get_attribute("data-layer")
    page.evaluate("document.querySelector('.av-root').__attn.state.drawn && 0")
    page.locator(OVERLAY).hover(position={"x": 5, "y": 5})
    page.locator(OVERLAY).focus()
    page.keyboard.press("b")
    first = state(page, "region.place")
    assert np.allclose(first, cell_box(grid, 0, 0))
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    x1, y1 = cell_box(grid, 1, 2)[2:]
    assert np.allclose(state(page, "region.place"), [0, 0, x1, y1])
    page.keyboard.press("Enter")
    page.keyboard.press("b")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    assert np.allclose(state(page, "region.place"), [0, 0, x1, y1]), "the one before is back"
    assert page.locator(".av-root").get_attribute("data-layer") == layer, "arrows were the box's"
    page.keyboard.press("Escape")
    assert state(page, "region") is None


def test_shift_and_click_mark_the_point(open_page, runs, tools):
    run = runs["painted"]
    page = open_page("painted", layer=1, head=2)
    place = at(page, tools, (200.0, 100.0), run.info["images"][0])
    page.keyboard.down("Shift")
    page.mouse.click(*place)
    page.keyboard.up("Shift")
    region = state(page, "region")
    assert np.abs(np.array(region["place"]) - (200, 100)).max() < 1.5
    said = page.locator(".av-sentence").inner_text()
    share = measured(run, page, 1, 2)["region_share"]
    assert f"{format_percent(share)} of that at the drawn point" in said


def test_a_finger_draws_while_places_are_marked(open_page, runs, touch, tools):
    run = runs["painted"]
    page = open_page("painted", layer=1, head=2, size=tools.NARROW)
    picture = run.info["images"][0]
    page.get_by_role("button", name="mark a place").click()
    send = touch(page)
    start, end = (at(page, tools, place, picture) for place in ((60, 40), (300, 200)))
    send("touchStart", start)
    send("touchMove", ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    send("touchMove", end)
    send("touchEnd")
    assert np.abs(np.array(state(page, "region.place")) - (60, 40, 300, 200)).max() < 3
    token = page.locator(".av-root").get_attribute("data-token")
    send("touchStart", at(page, tools, (60, 40), picture))  # measured again: a page that says more may have moved
    send("touchEnd")
    page.wait_for_function("document.querySelector('.av-root').__attn.state.region.place.length === 2")
    assert np.abs(np.array(state(page, "region.place")) - (60, 40)).max() < 3
    assert page.locator(".av-root").get_attribute("data-token") == token, "a tap marks and selects nothing"
    page.get_by_role("button", name="Done").click()
    send("touchStart", at(page, tools, (300, 200), picture))
    send("touchEnd")
    page.wait_for_function("before => document.querySelector('.av-root').dataset.token !== before", arg=token)


def test_the_address_has_the_place_and_one_of_another_picture_is_left_out_with_a_word(open_page, runs):
    page = open_page("named", layer=1, head=2)
    page.evaluate("document.querySelector('.av-root').__attn.places.mark(0, [10, 20.5, 60, 80])")
    page.wait_for_function("location.hash.includes('place=0+10+20.5+60+80')")
    page.reload()  # at once, twice: the address keeps what it was opened with
    page.wait_for_selector(".av-root[data-state=ready]")
    page.reload()
    page.wait_for_selector(".av-root[data-state=ready]")
    assert state(page, "region")["place"] == [10, 20.5, 60, 80]
    expect(page.locator(".av-sentence")).to_contain_text("in the drawn box")
    elsewhere = page.url.replace("60+80", "60+800")
    page.goto("about:blank")  # or the page may write its address once more
    page.goto(elsewhere)
    page.wait_for_selector(".av-root[data-state=ready]")
    assert state(page, "region") is None
    expect(page.locator(".av-notice")).to_have_text(
        "The address names a place that is on no picture of this run: it is left out."
    )
    expect(page.locator(".av-sentence")).to_contain_text("in “a box”")


def test_a_kept_table_of_the_place_is_that_of_the_command(open_page, runs, tmp_path, capsys):
    from attention.commands.main import main

    run = runs["named"]
    page = open_page("named", layer=1, head=2)
    page.get_by_role("button", name="Keep", exact=True).click()
    link = page.locator("[data-format=region]")
    with page.expect_download() as download:
        link.click()
    query = page.locator(".av-root").get_attribute("data-query")
    (place, *_) = answer_regions(run)
    sides = [str(side) for side in place.place]
    table = tmp_path / "r.csv"
    assert main(["region", str(run.folder), "--box", *sides, "--query", query, "--csv", str(table)]) == 0
    kept = [line for line in open(download.value.path()).read().splitlines() if not line.startswith("#")]  # noqa: SIM115
    assert kept == [line for line in table.read_text().splitlines() if not line.startswith("#")]
    assert download.value.suggested_filename.endswith("_region.csv")
