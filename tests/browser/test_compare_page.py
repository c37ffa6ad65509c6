"""The comparison in Chromium: what is painted and said is what the files hold, and all that is shown is linked."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from browser.host import hosted
from browser.tickets import Tickets
from made_comparisons import write_clicks, write_comparison
from made_runs import chat, scene, token
from PIL import Image
from playwright.sync_api import expect
from shared import once

from adapters import open_comparison
from attention import read_region, region_scores
from attention.comparisons.regions import region_change
from attention.folders import unpack
from attention.page.viewer import ComparisonViewer

pytestmark = pytest.mark.browser

ASSETS = Path(__file__).parents[2] / "assets"
ANSWER = ["a", " red", " star", "."]
SHAPE = (5, 8)
EVIL = "<img src=x onerror=window.broken=1>"
CHANGES = [
    {
        "name": f"layers.{layer}.{part}",
        "part": part,
        "tower": "language",
        "layer": layer,
        "relative": 0.01 * (layer + 1),
    }
    for layer in (1, 2)
    for part in ("q_proj", "v_proj")
]
LOGPROBS = [-0.1, -0.2, -0.1, -0.3, -0.1]
MOVED = [-0.1, -2.5, -0.1, -0.29, -0.1]


def written(pictures, shapes, adapters, **run):
    """Settings with which a comparison is written."""
    return lambda folder: write_comparison(folder, pictures, shapes, adapters, **run)


def made_by_hand() -> dict:
    """Writers of each comparison, by ticket."""
    tokens, picture = chat([SHAPE], answer=ANSWER), scene(640, 400, 2)
    run = {"tokens": tokens, "smooth": True, "logprobs": LOGPROBS}
    other = tokens[:-3] + [{**tokens[-3], "text": " moon"}, *tokens[-2:]]
    gui = {"id": "someone/gui-lora", "from_layer": 1, "changes": CHANGES, "logprobs": MOVED}
    return {
        "one": written([picture], [SHAPE], [gui], **run),
        "many": written(
            [picture], [SHAPE],
            [
                gui | {"blind": [(2, 3)], "without": [(1, 1)]},
                {"id": f"someone/{EVIL}", "answer": EVIL, "changes": []},
                {"id": "someone/gui-lora", "scale": 0.0},
            ],
            **run,
        ),
        "series": written(
            [picture], [SHAPE], [{"id": f"/runs/7/checkpoint-{n}", "size": n / 200} for n in (100, 50, 150)], **run
        ),
        "own": written(
            [picture], [SHAPE], [{"id": "a/b", "answer": "a red moon.", "tokens": other}], words="own", **run
        ),
        "two": written(
            [picture, scene(300, 400, 3)], [SHAPE, (6, 4)], [gui],
            **run | {"tokens": chat([SHAPE, (6, 4)], answer=ANSWER)},
        ),
        "text": written(
            [], [], [{"id": "a/b"}], tokens=chat([], answer=[*ANSWER[:3], token(EVIL, "answer")]), logprobs=LOGPROBS
        ),
        "clicks": lambda folder: write_clicks(folder, SHAPE),
        "sinks": written([picture], [SHAPE], [gui], **run, sinks={"language": {"1": [5, 9]}}),
        "captured": lambda _: once("captured comparison", captured),
    }  # fmt: skip


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory):
    """The comparisons by ticket."""
    comparisons = Tickets(tmp_path_factory.mktemp("comparisons"), made_by_hand(), open_comparison)
    yield comparisons
    comparisons.close()


def captured(folder):
    """The bundled model against a random adapter on two of its language layers."""
    from made_adapters import saved_adapter

    from adapters import choose, compare
    from attention import Request
    from attention.models.kept import free

    layers = {"target_modules": ["q_proj", "v_proj"], "layers_to_transform": [2, 3], "layers_pattern": "layers"}
    adapter = saved_adapter(ASSETS / "pocket", folder.with_name("late"), size=0.1, **layers)
    request = Request(
        images=(str(ASSETS / "examples" / "shapes.png"),), prompt="what color is the star?", model="pocket"
    )
    compare(request, choose([str(adapter)], "pocket"), folder, floors="dtype,paraphrase", parts=True).close()
    free()


@pytest.fixture(scope="module")
def address(comparisons):
    """A page that shows the comparison that its address asks for."""
    with hosted(ComparisonViewer(), comparisons.__getitem__) as address:
        yield address


def held(page):
    """State of the page for the two rows on screen and for what is painted."""
    return page.evaluate(
        """() => { const { pair, maps } = document.querySelector('.av-root').__attn.state;
        const drawn = maps && [maps.before, maps.after, maps.difference];
        return { before: [...pair.before.row], after: [...pair.after.row],
                 isSame: pair.isSame, query: pair.before.query,
                 values: drawn?.map(({ values }) => [...values]), high: drawn?.map(({ range }) => range.high),
                 hidden: drawn?.map(({ hidden }) => hidden && [...hidden]) }; }"""
    )


def look(page, **change):
    page.evaluate("change => document.querySelector('.av-root').__attn.look(change)", change)


def matrix(page):
    """The values of the matrix on screen, [layers x heads]; None where one has none."""
    return page.evaluate(
        "[...document.querySelector('.av-root').__attn.matrix.values].map((v) => (Number.isNaN(v) ? null : v))"
    )


def click_head(page, layer, head):
    at = page.evaluate("([l, h]) => document.querySelector('.av-root').__attn.matrixBox(l, h)", [layer, head])
    middle = {"x": at["x"] + at["width"] / 2, "y": at["y"] + at["height"] / 2}
    page.locator(".av-matrix-canvas").click(position=middle)


def overlay(page, tools, pane):
    return tools.canvas_pixels(page, f"[data-pane={pane}] .av-overlay")


# The numbers


def test_fields_of_places_are_set_against_each_other_whatever_their_digits(open_page, comparisons, tools):
    comparison = comparisons["clicks"]
    page = open_page("clicks")
    group = next(each for each in comparison.aligned("run_1") if each["name"] == "y")
    tools.select(page, layer=1, head=2, query=group["base"][1])
    shown, shared = held(page), comparison.shared()
    for side, which, run in (("before", "base", comparison.base), ("after", "other", comparison.run("run_1"))):
        rows = range(group[which][0], group[which][1] + 1)
        mean = np.mean([run.row(1, row, source="factors")[2] for row in rows], axis=0)[:shared]
        assert np.allclose(shown[side], mean, atol=1e-6)
    expect(page.locator(".av-root")).to_contain_text("field y of each answer, the mean over its tokens")
    apart = page.evaluate("document.querySelector('.av-root').__attn.state.pair.apart")
    assert apart == pytest.approx(comparison.change("js_row", 0, group["base"][1])[1, 2], abs=1e-5)
    alone = next(
        row for row in range(shared, comparison.base.queries())
        if not any(each["base"][0] <= row <= each["base"][1] for each in comparison.aligned("run_1"))
    )  # fmt: skip
    page.evaluate("row => document.querySelector('.av-root').__attn.select({ token: row + 1 })", alone)
    expect(page.locator(".av-root")).to_contain_text("stands for no words of now")
    assert page.evaluate("document.querySelector('.av-root').__attn.state.pair.before.query") == group["base"][1]


def test_both_rows_and_their_difference_are_those_of_the_files(open_page, comparisons, tools):
    comparison = comparisons["one"]
    page = open_page("one")
    prompt = comparison.info["answer_rows"][0]
    for layer in comparison.base.layers():
        for head, query in ((0, prompt), (3, prompt + 2)):
            tools.select(page, layer=layer, head=head, query=query)
            shown = held(page)
            base, adapter = (run.row(layer, query, "language", "factors")[head] for run in comparison.runs.values())
            assert np.array_equal(np.float32(shown["before"]), base) and np.array_equal(
                np.float32(shown["after"]), adapter
            )
            cells = np.arange(len(base))[comparison.base.pictures("language")[0]]
            assert np.allclose(shown["values"][2], comparison.difference(layer, query, 0)[head, cells], atol=1e-7)
            assert shown["high"][0] == shown["high"][1], "one scale for both"
            assert shown["isSame"] == (layer == 0), "the adapter changes layers 1 and 2 alone"


def test_each_map_lies_on_the_picture_that_its_run_read(open_page):
    page = open_page("clicks")
    found = {
        pane: [image.get_attribute("src") for image in page.locator(f"[data-pane={pane}] .av-picture").all()]
        for pane in ("before", "after", "difference", "wipe")
    }
    assert all("/base/" in src for src in found["before"]) and found["before"]
    assert all("/run_1/" in src for src in found["after"]) and found["after"]
    assert not found["difference"] and not found["wipe"], "they are of both, which read different pictures"
    expect(page.locator(".av-root")).to_contain_text("They read different pictures of one size.")


def test_no_difference_is_said_and_leaves_the_picture_as_it_is(open_page, tools):
    page = open_page("one", layer=0, head=1)
    assert page.locator(".av-root").get_attribute("data-same") == "yes"
    expect(page.locator(".av-sentence")).to_contain_text("Exactly the same row in base and gui-lora")
    assert not overlay(page, tools, "difference")[..., 3].any()
    assert np.array_equal(overlay(page, tools, "before"), overlay(page, tools, "after"))
    tools.select(page, layer=2)
    assert page.locator(".av-root").get_attribute("data-same") == "no"
    expect(page.locator(".av-sentence")).to_contain_text("bits apart")


def test_less_is_blue_more_is_red_and_as_strong_on_both_sides(open_page, tools):
    page = open_page("one", layer=2, head=3)
    look(page, clip=100, opacity=1)
    for magnified in (False, True):
        look(page, magnified=magnified)
        shown, pixels = held(page), overlay(page, tools, "difference").astype(int)
        values, high = np.float32(shown["values"][2]).reshape(SHAPE), shown["high"][2]
        assert np.isclose(high, abs(values).max() if magnified else shown["high"][0])
        at = [
            pixels[round((r + 0.5) * len(pixels) / SHAPE[0]), round((c + 0.5) * pixels.shape[1] / SHAPE[1])]
            for r, c in np.ndindex(SHAPE)
        ]
        red, _, blue, alpha = np.transpose(at).reshape(4, *SHAPE)
        strong = abs(values) > 0.1 * high
        assert strong.any() and ((red > blue) == (values > 0))[strong].all()
        order = np.argsort(abs(values), axis=None)
        assert (np.diff(alpha.ravel()[order]) >= 0).all(), "alpha follows the size of the difference"
    expect(page.locator(".av-difference-bar")).to_contain_text("on a scale of its own")


def test_the_wipe_shows_one_map_on_each_side_of_its_line(open_page, tools):
    page = open_page("one", layer=2, head=3)
    line = page.get_by_role("slider", name="Line between base and gui-lora")
    line.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert line.get_attribute("aria-valuenow") == "60"
    assert page.locator(".av-root").get_attribute("data-layer") == "2", "the keys are the line's"
    before, after, wipe = (overlay(page, tools, pane) for pane in ("before", "after", "wipe"))
    at = round(0.6 * wipe.shape[1])
    assert np.array_equal(wipe[:, :at], before[:, :at]) and np.array_equal(wipe[:, at:], after[:, at:])
    tools.still(page)
    frame, knob = page.locator("[data-pane=wipe] .av-frame").bounding_box(), line.bounding_box()
    page.mouse.move(knob["x"] + knob["width"] / 2, knob["y"] + 20)
    page.mouse.down()
    page.mouse.move(frame["x"] + 0.25 * frame["width"], frame["y"] + 30, steps=4)
    page.mouse.up()
    assert abs(int(line.get_attribute("aria-valuenow")) - 25) <= 1
    page.keyboard.press("End")
    assert np.array_equal(overlay(page, tools, "wipe"), before)


def test_sinks_of_either_have_no_colour_in_the_difference(open_page, tools):
    page = open_page("sinks", layer=1, head=1)
    assert sum(held(page)["hidden"][2]) == 2
    expect(page.locator(".av-sinks")).to_contain_text("2 sink cells: hatched")
    page.get_by_label("Sinks").select_option("raw")
    assert held(page)["hidden"] == [None, None, None]


def test_the_scale_of_all_heads_holds_for_both(open_page, comparisons, tools):
    page = open_page("one", layer=2, head=3)
    look(page, scale="atlas", clip=100)
    page.wait_for_function("document.querySelector('.av-root').__attn.state.atlases.length === 2")
    query = held(page)["query"]
    highest = max(float(run.atlas(query).max()) for run in comparisons["one"].runs.values())
    assert np.allclose(held(page)["high"], highest, rtol=2e-3)


def test_a_real_adapter_moves_what_comes_after_it_and_nothing_else(open_page, comparisons, tools):
    comparison = comparisons["captured"]
    page = open_page("captured", layer=1, head=0)
    assert held(page)["isSame"], "nothing before layer 2 is changed"
    expect(page.locator(".av-model")).to_contain_text("The prompt alone was read")
    tools.select(page, layer=4, head=1)
    assert not held(page)["isSame"], "layer 4 inherits"
    changed = page.evaluate("document.querySelector('.av-root').__attn.state.comparison.members[1].changes.length")
    assert changed == 4
    tools.select(page, tower="vision", layer=2, head=1)
    assert held(page)["isSame"] and not np.any(matrix(page))
    assert len(held(page)["values"][2]) == comparison.base.keys("vision")
    expect(page.locator(".av-list-note")).to_contain_text("No head moved")
    page.get_by_role("button", name="received").click()
    tools.wait(page, direction="received")
    assert held(page)["isSame"]


# All linked


def test_a_cell_that_is_pointed_at_is_outlined_and_said_in_all(open_page, tools):
    page = open_page("one", layer=2, head=3)
    tools.still(page)
    box = page.locator("[data-pane=after] .av-overlay").bounding_box()
    page.mouse.move(box["x"] + 2.5 / SHAPE[1] * box["width"], box["y"] + 3.5 / SHAPE[0] * box["height"])
    expect(page.locator(".av-outline:visible")).to_have_count(4)
    assert page.locator(".av-root").get_attribute("data-cell") == "3,2"
    before, after, difference = (values[3 * SHAPE[1] + 2] for values in held(page)["values"])
    said = page.locator(".av-readout").inner_text()
    assert said.startswith("row 3, col 2 · base ") and "gui-lora" in said and "px" in said
    numbers = [float(text.replace("−", "-")) for text in re.findall(r"(?<!\w)[−+]?\d\.\d+(?:e-\d)?(?!\S*–)", said)[:3]]
    assert np.allclose(numbers, [before, after, difference], rtol=6e-3)
    tips = page.locator("[data-pane=difference] .av-tip").inner_text()
    assert tips[0] == ("+" if difference > 0 else "−")


def test_zoom_and_choice_of_a_cell_are_shared(open_page, tools):
    page = open_page("one", layer=2, head=3)
    page.locator("[data-pane=before] .av-overlay").focus()
    page.keyboard.press("+")
    widths = page.evaluate(
        "[...document.querySelectorAll('.av-figure img:not(.av-full)')].map((i) => i.getBoundingClientRect().width)"
    )
    assert len(widths) == 4 and max(widths) - min(widths) < 1
    assert page.evaluate("document.querySelector('.av-root').__attn.state.zoom.scale") == 2
    page.keyboard.press("0")
    picture = page.locator("[data-pane=wipe] .av-overlay")
    box = picture.bounding_box()
    picture.click(position={"x": 1.5 / SHAPE[1] * box["width"], "y": 0.5 / SHAPE[0] * box["height"]})
    tools.wait(page, token=4)  # two special tokens and the start of the picture come before its cells
    assert page.evaluate("[...document.querySelectorAll('.av-here')].every((path) => path.getAttribute('d'))")


def test_a_drawn_box_is_measured_in_both_members(open_page, comparisons, tools):
    comparison = comparisons["one"]
    page = open_page("one", layer=2, head=3)
    tools.still(page)
    box = page.locator("[data-pane=wipe] .av-overlay").bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"], steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    place = page.evaluate("document.querySelector('.av-root').__attn.state.region.place")
    shares = [
        region_scores(run, read_region(run, place), held(page)["query"]).of_head(2, 3)["region_share"]
        for run in comparison.runs.values()
    ]
    said = page.locator(".av-sentence").inner_text().replace("\u202f", "")
    found = re.search(r"In the drawn box: ([0-9.]+)% → ([0-9.]+)% of what is read of pictures", said)
    assert np.allclose([float(text) for text in found.groups()], 100 * np.array(shares), rtol=6e-3, atol=5e-4), said


def test_the_matrix_and_its_list_are_of_a_place(open_page, comparisons, tools):
    comparison = comparisons["one"]
    page = open_page("one", layer=2, head=3)
    select = page.get_by_label("Measure", exact=True)
    assert select.locator("option[value=region_share]").count() == 0, "without a place there is none to measure"
    page.evaluate("document.querySelector('.av-root').__attn.places.mark(0, [100, 90, 333, 240])")
    region = read_region(comparison.base, (100, 90, 333, 240))
    page.get_by_role("button", name="this row").click()
    for measure in ("region_share", "region_rank", "region_iou"):
        select.select_option(measure)
        tools.wait(page, measure=measure, of="token")
        held_matrix = page.evaluate("[...document.querySelector('.av-root').__attn.matrix.values]")
        expected = region_change(comparison, region, measure, 0, held(page)["query"])
        assert np.array_equal(np.float32(held_matrix), expected.reshape(-1)) and expected.any(), measure
    select.select_option("region_share")
    tools.wait(page, measure="region_share")
    change = region_change(comparison, region, "region_share", 0, held(page)["query"])
    layer, head = np.unravel_index(np.abs(change).argmax(), change.shape)
    expect(page.locator(".av-moved-name").first).to_have_text(f"layer {comparison.base.layers()[layer]} · head {head}")
    points = page.locator(".av-moved-value").first.inner_text().replace("−", "-").removesuffix(" points")
    assert np.isclose(float(points), 100 * change[layer, head], rtol=6e-3)
    page.keyboard.press("Escape")
    page.evaluate("document.querySelector('.av-root').__attn.places.letGo()")
    tools.wait(page, measure="js_image")


def test_a_place_over_the_steps_of_a_series_and_in_the_address(open_page, comparisons, tools):
    comparison = comparisons["series"]
    page = open_page("series", layer=2, head=1)
    page.evaluate("document.querySelector('.av-root').__attn.places.mark(0, [100, 90, 333, 240])")
    page.get_by_label("Measure", exact=True).select_option("region_mass")
    page.get_by_role("tab", name="steps").click()
    tools.wait(page, measure="region_mass", list="steps")
    expect(page.locator(".av-steps-line")).to_have_count(2)
    page.wait_for_function("document.querySelector('.av-root').__attn.state.steps?.name.includes('region_mass')")
    tables = page.evaluate("document.querySelector('.av-root').__attn.state.steps.tables.map((table) => [...table])")
    region = read_region(comparison.base, (100, 90, 333, 240))
    order = [1, 0, 2]  # by their steps
    for table, adapter in zip(tables, order, strict=True):
        assert np.array_equal(np.float32(table), region_change(comparison, region, "region_mass", adapter).reshape(-1))
    page.wait_for_function("location.hash.includes('compare.place=0+100+90+333+240')")
    page.reload()
    tools.wait(page, measure="region_mass", list="steps")
    assert page.evaluate("document.querySelector('.av-root').__attn.state.region.place") == [100, 90, 333, 240]


def test_a_marked_place_is_measured_in_both_members_beside_each_other(open_page, comparisons):
    comparison = comparisons["one"]
    page = open_page("one", layer=2, head=3)
    page.locator("[data-pane=before] .av-overlay").focus()
    page.keyboard.press("m")
    page.locator(".av-mark-input").fill("100 90 333 240")
    page.locator(".av-mark-input").press("Enter")
    lines = page.locator(".av-mark-measures p")
    expect(lines).to_have_count(3)
    for line, run, name in zip(lines.all(), comparison.runs.values(), ("base", "gui-lora"), strict=False):
        found = region_scores(run, read_region(run, (100, 90, 333, 240)), held(page)["query"]).of_head(2, 3)
        expect(line).to_contain_text(f"{name} ")
        expect(line).to_contain_text(f"best cell ranks {found['region_rank']:.0f}")
    expect(page.locator(".av-sentence")).to_contain_text(re.compile("^In the drawn box: "))


def test_keys_step_through_layers_heads_and_tokens_as_in_a_run(open_page, tools):
    page = open_page("one", layer=1, head=1)
    page.locator("[data-pane=before] .av-overlay").focus()
    page.keyboard.press("ArrowRight")
    tools.wait(page, layer=2, head=1)
    page.keyboard.press("ArrowDown")
    tools.wait(page, layer=2, head=2)
    token = int(page.locator(".av-root").get_attribute("data-token"))
    page.keyboard.press(".")
    tools.wait(page, token=token + 1)
    page.keyboard.press("d")
    tools.wait(page, direction="read by")
    expect(page.locator(".av-title")).to_contain_text("who reads")


def test_one_pane_can_have_all_the_room(open_page):
    page = open_page("one", layer=2, head=3)
    small = page.locator("[data-pane=difference] .av-overlay").bounding_box()
    page.get_by_role("button", name="difference alone").click()
    expect(page.locator(".av-figure:visible")).to_have_count(1)
    large = page.locator("[data-pane=difference] .av-overlay").bounding_box()
    assert large["width"] > 1.5 * small["width"]
    page.keyboard.press("Escape")
    expect(page.locator(".av-figure:visible")).to_have_count(4)


# How far heads moved


def test_the_matrix_holds_the_measures_and_opens_heads(open_page, comparisons, tools):
    comparison = comparisons["one"]
    page = open_page("one")
    assert np.allclose(matrix(page), comparison.change("js_image", 0).ravel(), atol=1e-7)
    for name in comparison.info["measures"]:
        page.get_by_label("Measure").select_option(name)
        tools.wait(page, measure=name)
        assert np.allclose(matrix(page), comparison.change(name, 0).ravel(), atol=1e-6)
    page.get_by_label("Measure").select_option("js_row")
    page.get_by_role("button", name="this row").click()
    tools.wait(page, of="token")
    assert np.allclose(matrix(page), comparison.change("js_row", 0, held(page)["query"]).ravel(), atol=1e-6)
    click_head(page, 2, 3)
    tools.wait(page, layer=2, head=3)
    expect(page.locator(".av-title")).to_contain_text("layer 2 · head 3")


def test_the_matrix_is_moved_through_by_keys(open_page, tools):
    page = open_page("one", layer=1, head=1)
    page.locator(".av-matrix-canvas").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):  # the first one points at the selected head
        page.keyboard.press(key)
    assert page.locator(".av-root").get_attribute("data-layer") == "1", "pointing selects nothing"
    expect(page.locator(".av-matrix-words")).to_contain_text("layer 2 · head 2")
    expect(page.locator(".av-matrix .av-live")).to_contain_text("layer 2 · head 2: distance on the picture")
    page.keyboard.press("Enter")
    tools.wait(page, layer=2, head=2)
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(page.locator(".av-matrix-words")).to_contain_text("v_proj")
    expect(page.locator(".av-matrix-words")).to_contain_text("3.0")


def test_what_is_inherited_is_said(open_page):
    page = open_page("one", layer=2, head=3)
    page.locator(".av-matrix-canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".av-matrix-words")).to_contain_text("this layer's own queries or keys are changed")
    expect(page.locator(".av-matrix-legend")).to_contain_text("3.0")
    page = open_page("many", layer=2, head=2, adapter=1)
    page.locator(".av-matrix-canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".av-matrix-legend")).to_contain_text("no weight of this tower is changed")
    page.get_by_role("button", name="gui-lora ×0").click()
    expect(page.locator(".av-matrix-legend")).to_contain_text("not known")


def test_what_has_no_value_is_never_a_zero_and_what_says_little_is_faint(open_page, comparisons):
    page = open_page("many")
    values = np.array(matrix(page), object).reshape(3, 4)
    assert values[1, 1] is None and values[2, 3] is not None
    legend = page.locator(".av-matrix-legend")
    expect(legend).to_contain_text("1 hatched: no value")
    expect(legend).to_contain_text("1 faint: image mass under 1")
    names = page.locator(".av-moved-name").all_inner_texts()
    moved = comparisons["many"].moved(0)
    assert names == [
        f"layer {m['layer']} · head {m['head']}" for m in moved if m["value"] and (m["layer"], m["head"]) != (2, 3)
    ]
    page.get_by_label("Measure").select_option("js_row")
    expect(legend).not_to_contain_text("faint")
    expect(page.locator(".av-moved-name")).to_have_count(8)


def test_noise_floors_stand_beside_changes_and_parts_can_be_chosen(open_page, comparisons, tools):
    comparison, page = comparisons["captured"], open_page("captured")
    change = comparison.change("js_image", 0)
    floor = np.maximum(comparison.floor("dtype", "js_image"), comparison.floor("paraphrase", "js_image"))
    moved = comparison.moved(0)[0]
    layer, head = moved["layer"], moved["head"]
    first = page.locator(".av-moved-row").first
    times = first.locator(".av-moved-times")
    expect(times).to_contain_text("×")
    said = float(times.inner_text().strip("×").replace(",", ""))
    assert said == pytest.approx(change[layer, head] / floor[layer, head], rel=0.05)  # it is rounded
    expect(first).to_have_attribute("title", re.compile("× the dtype floor, .*× what paraphrases differ by"))
    below = change <= floor
    switch = page.locator(".av-noise")
    expect(switch).to_have_text(f"{below.sum()} of {below.size} below the noise floor")
    expect(page.locator(".av-moved-row.av-below")).to_have_count(int((below & (change > 0)).sum()))
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".av-moved-row")).to_have_count(int((~below).sum()))
    for part in ("direct", "inherited"):
        page.get_by_label("Part of the change").select_option(part)
        expect(page.locator(".av-change .av-stale")).to_have_count(0)
        tools.wait(page, measure="js_image")
        assert np.allclose(matrix(page), comparison.change("js_image", 0, part=part).ravel(), atol=1e-6)
    page.wait_for_function("/compare.noise=hidden/.test(location.hash) && /compare.part=inherited/.test(location.hash)")


def test_the_list_of_heads_leads_to_them(open_page, comparisons, tools):
    page = open_page("one")
    first = comparisons["one"].moved(0)[0]
    row = page.locator(".av-moved-row").first
    expect(row).to_contain_text(f"layer {first['layer']} · head {first['head']}")
    assert np.isclose(float(re.search(r"([\d.]+) bits", row.inner_text())[1]), first["value"], rtol=5e-3)
    row.click()
    tools.wait(page, layer=first["layer"], head=first["head"])
    expect(row).to_have_attribute("aria-pressed", "true")


def test_all_numbers_can_be_kept_as_a_table(open_page, comparisons):
    page = open_page("one")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    assert waiting.value.path().read_text() == comparisons["one"].csv()
    assert waiting.value.suggested_filename == "comparison-one.csv"


# Members


def test_any_member_is_set_against_any_other(open_page, comparisons, tools):
    page = open_page("many", layer=2, head=1)
    expect(page.locator(".av-member")).to_have_count(4)
    expect(page.locator(".av-member-map")).to_have_count(4)
    page.locator(".av-member-choose").nth(2).click()
    tools.wait(page, left=0, right=2)
    page.get_by_label("What it is compared with").select_option(label="gui-lora ×1")
    tools.wait(page, left=1, right=2)
    shown = held(page)
    rows = [comparisons["many"].runs[f"adapter_{n}"].row(2, shown["query"], "language", "factors")[1] for n in (1, 2)]
    assert np.array_equal(np.float32(shown["before"]), rows[0]) and np.array_equal(np.float32(shown["after"]), rows[1])
    expect(page.locator(".av-change-title")).to_have_text(
        f"How far heads moved (n = 1, descriptive): {EVIL} against base, not the first of the pair · layers →, heads ↓"
    )
    page.locator(".av-member-choose").nth(1).click()
    tools.wait(page, left=2, right=1)
    page.locator(".av-member-choose").nth(0).click()
    tools.wait(page, left=0, right=1)
    page.locator(".av-member-choose").nth(3).click()
    tools.wait(page, left=0, right=3)
    assert held(page)["isSame"], "strength 0 is the base"


def test_names_strengths_and_answers_stand_side_by_side_as_text(open_page):
    page = open_page("many")
    cards = page.locator(".av-member")
    expect(cards.nth(0)).to_contain_text("“a red star.”")
    expect(cards.nth(1)).to_contain_text("×1")
    expect(cards.nth(1)).to_contain_text("same answer")
    expect(cards.nth(2)).to_contain_text(EVIL)
    expect(cards.nth(2)).to_contain_text("not what was read")
    expect(cards.nth(3)).to_contain_text("×0")
    expect(page.locator(".av-model")).to_contain_text("All read the base's answer, 5 tokens")
    page.get_by_role("tab", name="answers").click()
    expect(page.locator(".av-moved li").nth(2)).to_contain_text(EVIL)
    assert page.evaluate("window.broken") is None


def test_of_own_answers_only_what_all_share_can_be_chosen(open_page, comparisons, tools):
    page = open_page("own")
    expect(page.locator(".av-model")).to_contain_text("Only what all have in common is compared: 2 tokens, “a red”")
    shared = comparisons["own"].info["shared_tokens"]
    assert page.evaluate("document.querySelector('.av-root').__attn.state.info.tokens.length") == shared
    expect(page.locator(".av-answer .av-token")).to_have_count(2)
    page.locator(".av-answer .av-token").last.click()
    tools.wait(page, token=shared - 1)
    assert len(held(page)["before"]) == shared
    page.get_by_role("tab", name="answers").click()
    expect(page.locator(".av-moved li").nth(1).locator(".av-answer-common")).to_have_text("a red ")


def test_a_series_is_a_line_over_its_steps(open_page, comparisons, tools):
    page = open_page("series", layer=2, head=3)
    page.get_by_role("tab", name="steps").click()
    svg = page.locator(".av-steps svg")
    expect(page.locator(".av-steps-line")).to_have_count(2)
    comparison = comparisons["series"]
    label = svg.get_attribute("aria-label")
    heads = [float(text) for text in re.findall(r"head ([\d.]+) bits", label)]
    wanted = [0, *(comparison.change("js_image", n)[2, 3] for n in (1, 0, 2))]
    assert np.allclose(heads, wanted, rtol=6e-3)
    page.locator(".av-steps-hit").nth(2).click()
    tools.wait(page, right=3)
    expect(page.locator(".av-steps-tip")).to_contain_text("150 (checkpoint-150)")
    page = open_page("one")
    expect(page.get_by_role("tab", name="steps")).to_be_hidden()


# Tokens


def test_tokens_whose_probability_moved_are_marked_listed_and_said(open_page, comparisons, tools):
    page = open_page("one", layer=2, head=1)
    expect(page.locator(".av-unlikelier")).to_have_count(1)
    word = page.locator(".av-token", has_text="red").last
    expect(word).to_have_class(re.compile("av-unlikelier"))
    word.hover()
    expect(page.locator(".av-token-tip")).to_contain_text("probability 81.9")
    expect(page.locator(".av-token-tip")).to_contain_text("logarithm −0.20 → −2.50")
    page.get_by_role("tab", name="tokens").click()
    rows = page.locator(".av-moved-row")
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text("“red”")
    rows.first.click()
    tools.wait(page, token=comparisons["one"].info["answer_rows"][0] + 2)


def test_tokens_are_tinted_by_what_lies_between(open_page, tools):
    page = open_page("one", layer=2, head=3)
    shown = held(page)
    change = np.float32(shown["after"]) - np.float32(shown["before"])
    chips = page.locator(".av-token:not(.av-image)")
    for i in range(chips.count()):
        at = int(chips.nth(i).get_attribute("data-token"))
        if abs(change[at]) > 1e-4:
            assert ("av-less" in chips.nth(i).get_attribute("class")) == (change[at] < 0)
    expect(page.locator(".av-tint-words")).to_have_text("read more or less in gui-lora than in base")


# States, and the page around


def test_it_opens_empty_and_says_what_to_do(open_page, tools):
    page = open_page(state="empty")
    expect(page.locator(".av-message")).to_contain_text("Compare a base model with its adapters")
    expect(page.locator(".av-matrix-nothing")).to_be_visible()
    page = open_page("one")
    expect(page.locator(".av-message")).to_be_hidden()
    page.get_by_role("button", name="open nothing").click()
    tools.wait(page, "empty")
    expect(page.locator(".av-member")).to_have_count(0)


def test_an_expired_comparison_says_so(open_page):
    page = open_page("nowhere", state="error")
    expect(page.locator(".av-message")).to_contain_text("This comparison has expired")
    expect(page.locator(".av-message")).to_contain_text("This comparison is not here any more")
    expect(page.locator(".av-message")).not_to_contain_text("run is")


def test_a_failure_says_what_and_lets_one_try_again(open_page, tools):
    page = open_page("one", layer=2, head=1)
    page.route("**/adapter_1/row?*", lambda route: route.abort())
    page.evaluate("document.querySelector('.av-root').__attn.select({ query: 5 })")
    tools.wait(page, "error")
    expect(page.locator(".av-message")).to_contain_text("The server cannot be reached")
    page.unroute("**/adapter_1/row?*")
    page.get_by_role("button", name="Try again").click()
    tools.wait(page, query=5, layer=2, head=1)


def test_late_rows_are_never_set_against_newer_ones(open_page, comparisons, tools):
    page = open_page("one", layer=0, head=0)  # layer 2 is not beside it, so nothing has asked for that yet
    waiting = []

    def hold(route):
        waiting.append(route)

    page.route("**/adapter_1/row?*layer=2*", hold)
    page.evaluate("document.querySelector('.av-root').__attn.select({ layer: 2 })")
    page.wait_for_function("document.querySelector('.av-root').dataset.state === 'loading'")
    page.evaluate("document.querySelector('.av-root').__attn.select({ layer: 0 })")
    tools.wait(page, layer=0)
    for route in waiting:
        route.continue_()
    tools.select(page, head=1)
    shown = held(page)
    assert np.array_equal(
        np.float32(shown["after"]), comparisons["one"].run("adapter_1").row(0, shown["query"], "language", "factors")[1]
    )


def test_without_a_picture_tokens_are_compared(open_page):
    page = open_page("text", layer=1, head=1)
    expect(page.locator(".av-message")).to_contain_text("No picture in this comparison")
    assert page.locator(".av-root").get_attribute("data-measure") == "js_row"
    expect(page.locator(".av-sentence")).to_contain_text("in the whole row")
    assert page.evaluate("window.broken") is None


def test_several_pictures_have_one_focus(open_page, tools):
    page = open_page("two", layer=2, head=1)
    chips = page.locator(".av-picture-chip")
    expect(chips).to_have_count(2)
    expect(chips.first).to_contain_text("→")
    chips.nth(1).click()
    tools.wait(page, grid=1)
    assert len(held(page)["values"][2]) == 24


def test_a_reload_finds_the_view_again_and_its_address_gives_nothing_away(open_page, tools):
    page = open_page("many", layer=2, head=1)
    page.evaluate("document.querySelector('.av-root').__attn.compare({ left: 2, right: 1 })")
    tools.wait(page, left=2, right=1)
    page.wait_for_function("location.hash.includes('compare.left=2')")
    assert "ticket" not in page.url[page.url.index("#") :]
    page.goto(page.url.split("?")[0] + page.url[page.url.index("#") :])
    tools.wait(page, left=2, right=1, layer=2, head=1)


def test_how_it_looks_is_in_the_address_too(open_page, tools):
    page = open_page("one", layer=2, head=1)
    page.get_by_label("Colours").select_option("magma")
    page.get_by_label("Scale").select_option("uniform")
    page.get_by_label("Sinks").select_option("raw")
    page.get_by_label("Measure").select_option("js_row")
    page.get_by_role("button", name="magnify difference").click()
    page.get_by_role("tab", name="answers").click()
    page.get_by_role("button", name="wipe alone").click()
    page.get_by_role("slider", name="Line between base and gui-lora").press("End")
    look(page, opacity=0.4)
    page.wait_for_function(
        "location.hash.includes('compare.split=100') && location.hash.includes('compare.opacity=0.4')"
    )
    page.reload()
    tools.wait(page, layer=2, head=1, measure="js_row", list="answers", alone="wipe", split=100)
    said = [page.get_by_label(name).locator("option:checked").inner_text() for name in ("Colours", "Scale", "Sinks")]
    assert said == ["magma", "absolute", "raw"]
    expect(page.get_by_role("button", name="magnify difference")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("document.querySelector('.av-root').__attn.state.opacity") == 0.4


def test_an_address_alone_opens_nothing_and_what_it_says_wrongly_is_left_out(chromium, address, open_page, tools):
    page = open_page("one", layer=2, head=1)
    page.wait_for_function("location.hash.includes('compare=one')")
    fragment = page.url[page.url.index("#") :]
    stranger = chromium.new_context().new_page()
    stranger.goto(f"{address}{fragment}")
    expect(stranger.locator(".av-notice")).to_contain_text("comparison one of this address is not open in this tab")
    assert stranger.locator(".av-root").get_attribute("data-state") == "empty"
    stranger.context.close()
    wrong = (
        fragment.replace("compare.right=1", "compare.right=9") + "&compare.palette=jet&compare.alone=x&compare.split=-1"
    )
    page.evaluate("hash => window.history.replaceState(null, '', hash)", wrong)
    page.reload()
    tools.wait(page, layer=2, head=1, right=1, split=50)
    expect(page.locator(".av-figure:visible")).to_have_count(4)


# Keeping what was found


def open_menu(page):
    button = page.get_by_role("button", name="Keep", exact=True)
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")  # it has its place from then on
    expect(page.locator(".av-keep-menu")).to_be_visible()


def keep(page, format="png", show=None):  # noqa: A002
    """The file that a link of the menu brings, and its name; `show` are the maps that are ticked."""
    for name in ("left", "right", "difference", "wipe") if show else ():
        page.locator(f"[data-show={name}]").set_checked(name in show)
    with page.expect_download() as caught:
        page.locator(f"[data-format={format}]").click()
    assert caught.value.failure() is None
    return caught.value.path().read_bytes(), caught.value.suggested_filename


def keep_bare(page, *show):
    """The pixels of a PNG without words."""
    page.locator(".av-keep-size input[type=checkbox]").uncheck()
    content, name = keep(page, "png", show)
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB")).astype(float), name


@pytest.mark.sample(1)
@pytest.mark.parametrize("plain", [False, True])
def test_a_map_is_kept_as_large_as_its_picture_in_the_colours_of_the_page(open_page, comparisons, tools, plain):
    page = open_page("one", layer=2, head=3)
    look(page, beside=plain)
    opacity = page.evaluate("document.querySelector('.av-root').__attn.state.opacity")
    open_menu(page)
    under = np.asarray(Image.open(comparisons["one"].base.folder / "image_0.png").convert("RGB")).astype(float)
    for pane, side in (("before", "left"), ("after", "right")):
        pixels, name = keep_bare(page, side)
        query = held(page)["query"]
        assert name == f"comparison-one_base_adapter_1_language_L2_H3_row{query}.png"
        assert pixels.shape == under.shape
        seen = overlay(page, tools, pane).astype(float)
        for row, col in np.ndindex(*SHAPE):
            at = [(place + 0.5) / count for place, count in zip((row, col), SHAPE, strict=True)]
            *colour, alpha = seen[int(at[0] * seen.shape[0]), int(at[1] * seen.shape[1])]
            y, x = int(at[0] * under.shape[0]), int(at[1] * under.shape[1])
            share = alpha / 255 * (1 if plain else opacity)
            wanted = (255 if plain else under[y, x]) * (1 - share) + np.array(colour) * share
            assert np.abs(pixels[y, x] - wanted).max() <= 3, (pane, row, col)
    pixels, _ = keep_bare(page, "difference")
    values = np.float32(held(page)["values"][2]).reshape(SHAPE)
    most = np.unravel_index(np.argmax(abs(values)), SHAPE)
    at = [int((place + 0.5) / count * side) for place, count, side in zip(most, SHAPE, under.shape, strict=False)]
    red, _, blue = pixels[at[0], at[1]]
    assert (red > blue) == (values[most] > 0)


def test_maps_are_kept_side_by_side_with_bars_and_a_caption(open_page):
    page = open_page("many", layer=2, head=3)
    open_menu(page)
    content, _ = keep(page)  # as the menu opens: both and their difference
    with Image.open(io.BytesIO(content)) as image:
        with_words, about = np.asarray(image.convert("RGB")), json.loads(image.text["attention"])
    assert about["show"] == ["left", "right", "difference"]
    bare, _ = keep_bare(page, "left", "right", "difference")
    alone, _ = keep_bare(page, "right")
    gap = (bare.shape[1] - 3 * 640) // 2
    assert bare.shape[0] == 400 and 0 < gap < 40 and with_words.shape[1] == bare.shape[1]
    assert np.array_equal(bare[:, 640 + gap : 1280 + gap], alone)
    assert np.array_equal(with_words[:400], bare) and with_words.shape[0] > 500
    assert with_words[400:].min() < 60, "there are words below"
    page.get_by_label("Size of the PNG").select_option("2")
    large, _ = keep_bare(page, "right")
    assert large.shape[:2] == (800, 1280)


@pytest.mark.sample(1)
@pytest.mark.parametrize("format", ["svg", "pdf"])
def test_a_figure_says_all_that_finds_the_view_again(open_page, comparisons, tmp_path, format):  # noqa: A002
    page = open_page("many", layer=2, head=3)
    look(page, palette="magma", magnified=True)
    open_menu(page)
    content, name = keep(page, format)
    assert name.endswith(f".{format}") and "_L2_H3_" in name
    if format == "pdf":
        assert content.startswith(b"%PDF-")
        return
    texts = " ".join("".join(element.itertext()) for element in ET.fromstring(content).iter() if "}text" in element.tag)
    said = (
        "layer 2 · head 3", "gui-lora against base", "what color is the star?", "magma, linear, 0 to", "attention",
        "difference: ", "language tower", "row ", "all read the base's answer", "on a scale of its own",
    )  # fmt: skip
    for part in said:
        assert part in texts, part
    page.evaluate("document.querySelector('.av-root').__attn.look({magnified: false})")
    content, _ = keep(page, format)
    page_high = page.evaluate("document.querySelector('.av-root').__attn.state.maps.before.range.high")
    about = json.loads(re.search(r"\{.*comparison.*\}", ET.fromstring(content).find(".//{*}description").text)[0])
    assert about["range"][1] == pytest.approx(page_high) == about["difference_high"]


def test_the_wipe_is_kept_with_its_line_where_it_is_on_the_picture(open_page, tools):
    page = open_page("one", layer=2, head=3)
    look(page, split=0.25)
    tools.wait(page, split=25)
    open_menu(page)
    wipe, left, right = (keep_bare(page, name)[0] for name in ("wipe", "left", "right"))
    assert np.array_equal(wipe[:, :158], left[:, :158]) and np.array_equal(wipe[:, 164:], right[:, 164:])
    page.keyboard.press("Escape")
    look(page, zoom={"scale": 2, "x": 0.75, "y": 0.5})  # the right half fills the pane: a quarter of that is 5/8
    open_menu(page)
    wipe, _ = keep_bare(page, "wipe")
    line = int(wipe[0, :, :].sum(axis=-1).argmin())
    assert abs(line - 0.625 * 640) <= 4


def test_the_address_is_copied_and_who_may_open_it_is_said(open_page):
    page = open_page("one", layer=2, head=1)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    look(page, palette="grey")
    open_menu(page)
    expect(page.locator(".av-keep-who")).to_contain_text("nobody else")
    page.get_by_role("button", name="Copy address").click()
    expect(page.locator(".av-keep-said")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "compare=one" in copied and "compare.palette=grey" in copied and "compare.layer=2" in copied


def test_all_of_it_is_kept_as_a_zip_that_opens_again(open_page, comparisons, tmp_path):
    comparison = comparisons["captured"]
    page = open_page("captured", layer=2, head=1)
    open_menu(page)
    with page.expect_download() as caught:
        page.locator("[data-format=zip]").click()
    caught.value.save_as(tmp_path / "kept.zip")
    expect(page.locator(".av-keep-said")).to_have_text(caught.value.suggested_filename)
    with open_comparison(unpack(tmp_path / "kept.zip", tmp_path / "again", 1 << 30)) as again:
        assert again.info == comparison.info


def test_what_cannot_be_kept_is_said(open_page, comparisons):
    page = open_page("one", layer=2, head=1)
    open_menu(page)
    page.route("**/export?*", lambda route: route.abort())
    page.locator("[data-format=png]").click()
    expect(page.locator(".av-keep-said")).to_have_text("The server cannot be reached. Try again.")
    page.unroute("**/export?*")
    for name in ("left", "right", "difference"):
        page.locator(f"[data-show={name}]").uncheck()
    expect(page.locator("[data-format=png]")).to_have_attribute("aria-disabled", "true")
    expect(page.locator("[data-format=png]")).to_have_attribute("title", "Choose what is to be shown.")
    page.locator("[data-show=left]").check()
    gone = comparisons.pop("one")
    try:
        page.locator("[data-format=png]").click()
        expect(page.locator(".av-keep-said")).to_contain_text("This comparison is not here any more")
    finally:
        comparisons["one"] = gone
    page = open_page("text", layer=1, head=1)
    open_menu(page)
    expect(page.locator("[data-format=svg]")).to_have_attribute("aria-disabled", "true")
    with page.expect_download() as caught:
        page.locator("[data-format=csv]").click()
    assert caught.value.path().read_text(encoding="utf-8") == comparisons["text"].csv()
    page = open_page(state="empty")
    expect(page.get_by_role("button", name="Keep", exact=True)).to_be_disabled()


@pytest.mark.sample(1)
@pytest.mark.parametrize("size", ["WIDE", "NARROW"])
def test_the_menu_is_whole_on_the_page(open_page, tools, size):
    viewport = getattr(tools, size)
    page = open_page("many", size=viewport, theme="dark")
    open_menu(page)
    box = page.locator(".av-keep-menu").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= viewport["width"]
    for button in page.locator(".av-keep-file").all():
        inner = button.bounding_box()
        assert inner["x"] + inner["width"] <= box["x"] + box["width"] and inner["height"] >= 20


def test_the_page_around_is_told_what_was_chosen(open_page, tools):
    page = open_page("many", layer=2, head=1)
    page.locator(".av-member-choose").nth(2).click()
    tools.wait(page, right=2)
    expect(page.locator("#selected")).to_contain_text("measure")
    text = page.locator("#selected").inner_text()
    assert all(word in text for word in ("layer", "head", "token", "left", "right", "names"))


@pytest.mark.sample(2)
@pytest.mark.parametrize("ticket", ["one", "many", "series"])
def test_everything_is_there_without_scrolling_and_the_maps_are_largest(open_page, ticket):
    page = open_page(ticket, layer=2, head=1)
    root, maps = page.locator(".av-layout").bounding_box(), page.locator(".av-quad").bounding_box()
    assert root["height"] <= 900 - 190 + 1 and root["x"] >= 0 and root["x"] + root["width"] <= 1440
    for part in (
        ".av-member",
        ".av-tokens",
        ".av-matrix",
        ".av-lists",
        ".av-controls",
        ".av-figure",
        ".av-matrix-legend",
    ):
        for element in page.locator(part).all():
            box = element.bounding_box()
            assert box["height"] > 20 and box["y"] + box["height"] <= root["y"] + root["height"] + 1, part
            assert box["x"] + box["width"] <= root["x"] + root["width"] + 1, part
    others = [page.locator(part).bounding_box() for part in (".av-strip", ".av-matrix", ".av-lists", ".av-members")]
    assert maps["width"] * maps["height"] > sum(box["width"] * box["height"] for box in others)


def test_nothing_jumps_when_a_comparison_arrives(open_page):
    parts = (".av-quad", ".av-controls", ".av-choices", ".av-tokens", ".av-lists", ".av-bars", ".av-change")
    empty = open_page(state="empty")
    before = [empty.locator(part).bounding_box() for part in parts]
    page = open_page("one")
    assert [page.locator(part).bounding_box() for part in parts] == before


def test_a_narrow_page_stacks_and_has_no_sideways_scrolling(open_page, tools):
    page = open_page("many", size=tools.NARROW, layer=2, head=1)
    assert page.evaluate("document.documentElement.scrollWidth <= 390")
    boxes = [
        page.locator(part).first.bounding_box()
        for part in (".av-stage", ".av-members", ".av-controls", ".av-headline", ".av-strip", ".av-matrix", ".av-lists")
    ]
    for above, below in pairwise(boxes):
        assert above["y"] + above["height"] <= below["y"] + 1
    click_head(page, 1, 2)
    tools.wait(page, layer=1, head=2)


def test_colours_follow_the_theme(open_page, tools):
    page = open_page("one", layer=2, head=3, theme="dark")
    look(page, beside=True, smooth=False)
    dark = overlay(page, tools, "difference")
    page.evaluate("document.body.classList.remove('dark')")
    light = overlay(page, tools, "difference")
    assert dark[..., :3].mean() < 120 < light[..., :3].mean(), "no difference is as dark or light as the page"
