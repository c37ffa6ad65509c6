"""Forecasts of members in Chromium: what is shown is what routes and files hold; who has none is named, and asked."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from browser.host import hosted
from browser.tickets import Tickets
from made_comparisons import write_comparison, write_towers
from made_readings import write_forecast
from made_runs import chat, scene
from PIL import Image
from playwright.sync_api import expect

from adapters import open_comparison
from attention import read_region, run_as_read
from attention.comparisons.maps import compared_maps
from attention.drawing.effect_words import signed
from attention.drawing.look import Look
from attention.page.viewer import ComparisonViewer

pytestmark = pytest.mark.browser

SHAPE = (5, 8)
FORECAST = "[data-show=forecast]"
SHOWN = "[data-state=ready][data-effect]"
STATE = "document.querySelector('.av-root').__attn.state"
WHY = "A quantised model computes no gradients: <b>none</b>."


def forecasts(folder, write, members):
    """A comparison of which some members have a forecast."""
    write(folder)
    for seed, member in enumerate(members):
        write_forecast(folder / member, seed=seed)
    return folder


def of_three(folder):
    run = {"tokens": chat([SHAPE], answer=["a", " red", " star", "."]), "smooth": True}
    adapters = [{"id": "a/one"}, {"id": "a/two"}]
    return write_comparison(folder, [scene(640, 400, 2)], [SHAPE], adapters, **run)


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory):
    made = {
        "three": lambda folder: forecasts(folder, of_three, ("base", "adapter_1")),
        "towers": lambda folder: forecasts(folder, lambda place: write_towers(place, SHAPE), ("base", "run_1")),
    }
    comparisons = Tickets(tmp_path_factory.mktemp("comparisons"), made, open_comparison)
    yield comparisons
    comparisons.close()


@pytest.fixture(scope="module")
def address(comparisons):
    with hosted(ComparisonViewer(), comparisons.__getitem__) as address:
        yield address


def held(page):
    """The two rows on screen, what is painted of them, and where its colours end."""
    return page.evaluate(
        f"""() => {{ const {{ pair, maps }} = {STATE}; const drawn = [maps.before, maps.after, maps.difference];
        return {{ rows: [pair.before, pair.after].map(({{ row }}) => [...row]),
          values: drawn.map(({{ values }}) => [...values]), high: drawn.map(({{ range }}) => range.high) }}; }}"""
    )


def refuse(page):
    """Tell the page that the member that it asks for cannot be had."""
    expect(page.locator("#selected")).to_contain_text('"member"')
    asked = json.loads(page.locator("#selected").inner_text())
    told = {"number": asked["number"], "reading": "forecast", "why": WHY}
    page.evaluate(
        "told => document.dispatchEvent(new CustomEvent('attention-tried', { detail: { kind: 'comparison', told } }))",
        told,
    )
    return asked


def check_pasted(page, comparison):
    """The view as Python has the rows on screen: by an address alone, and from the folder."""
    for folder in (None, str(comparison.folder)):
        code = page.evaluate(
            f"""async (folder) => {{ const {{ assets, state }} = document.querySelector('.av-root').__attn;
            const {{ comparedCode }} = await import(assets + 'numbers/compared_code.js');
            return comparedCode(state, {{ folder, address: {STATE}.whole.base }}); }}""",
            folder,
        )
        named = {}
        exec(compile(code, "pasted", "exec"), named)
        for side, row in zip(("before", "after"), held(page)["rows"], strict=True):
            assert np.allclose(named[side], row, rtol=1e-5, atol=1e-9)


def test_members_that_have_a_forecast_are_shown_and_one_that_refuses_is_named(open_page, comparisons, tools):
    comparison = comparisons["three"]
    page = open_page("three", layer=1, head=2)
    expect(page.locator(".av-show")).to_contain_text("3 × a pass forward and one back")
    page.locator(FORECAST).click()
    asked = refuse(page)
    assert (asked["ticket"], asked["member"], asked["towers"]) == ("three", "adapter_2", ["language"])
    expect(page.locator(SHOWN)).to_have_attribute("data-direction", "received")
    expect(page.locator(".av-notice")).to_have_text(f"No forecast of two: {WHY}")
    expect(page.locator("[data-member='2'] .av-member-role")).to_have_text("no forecast")
    # what the routes and the command line have: rows, difference, range
    maps = compared_maps(comparison, reading="forecast", layer=1, head=2)
    shown, drawn = held(page), maps.drawn(Look(clip=99))
    assert np.array_equal(np.float32(shown["rows"]), np.stack(maps.values))
    assert np.allclose(shown["values"], [each.values.reshape(-1) for each in drawn], rtol=1e-6, atol=1e-9)
    assert np.allclose(shown["high"], [each.high for each in drawn], rtol=1e-6)
    for bar, unit in ((".av-map-bar", "forecast, nats"), (".av-difference-bar", "difference, nats")):
        expect(page.locator(bar)).to_contain_text(unit)
        low, high = (page.locator(f"{bar} .av-bar-{end}").inner_text() for end in ("low", "high"))
        assert low.translate({ord("≤"): "≥", ord("−"): "+"}) == high, "it goes as far below 0"
    # a cell in numbers, in each pane
    row, col = np.unravel_index(abs(drawn[2].values).argmax(), SHAPE)
    box = page.locator("[data-pane=difference] .av-overlay").bounding_box()
    page.mouse.move(box["x"] + (col + 0.5) / 8 * box["width"], box["y"] + (row + 0.5) / 5 * box["height"])
    there, here, change = (signed(float(np.float32(each.values[row, col]))) for each in drawn)
    for pane, number in (("before", there), ("after", here), ("difference", change)):
        expect(page.locator(f"[data-pane={pane}] .av-tip")).to_have_text(number)
    expect(page.locator(".av-readout")).to_contain_text(f"base {there} · one {here} nats if everybody read this cell")
    # heads by how far their forecasts are apart
    both = [run_as_read(run, "forecast") for run in (comparison.base, comparison.run("adapter_1"))]
    for measure, score in (("effect_of_pictures", "image_mass"), ("effect_of_silence", "silence_zero")):
        page.evaluate("measure => document.querySelector('.av-root').__attn.look({ measure })", measure)
        expect(page.locator(f"{SHOWN}[data-measure={measure}]")).to_be_visible()
        wanted = both[1].row_scores(score, None) - both[0].row_scores(score, None)
        held_now = page.evaluate("[...document.querySelector('.av-root').__attn.matrix.values]")
        assert np.allclose(held_now, wanted.reshape(-1), rtol=1e-5, atol=1e-8)
    # a marked place, in both
    page.locator("[data-pane=before] .av-overlay").focus()
    page.keyboard.press("m")
    page.locator(".av-mark-input").fill("0 0 160 160")
    page.locator(".av-mark-input").press("Enter")
    region = read_region(comparison.base, [0, 0, 160, 160], 0)
    for name, run in zip(("base", "one"), both, strict=True):
        total = signed(float(run.knock_out(region).sum(dtype=np.float64)))
        said = page.locator(".av-mark-measures p", has_text=re.compile(f"^{name} "))
        expect(said).to_contain_text(f"{total} nats in all heads together")
    # who has none is not set against another; a reload finds the same
    expect(page.locator("[data-pane=after] figcaption option[value='2']")).to_be_disabled()
    page.locator("[data-member='2'] button").click()
    expect(page.locator(".av-root")).to_have_attribute("data-right", "1")
    page.wait_for_function("/show=forecast.*measure=effect_of_silence/.test(location.hash)")
    page.reload()
    expect(page.locator(f"{SHOWN}[data-measure=effect_of_silence]")).to_be_visible()
    assert held(page)["rows"] == shown["rows"]
    page.locator("[data-pane=before] .av-overlay").focus()
    page.keyboard.press("e")
    expect(page.locator("[data-state=ready]:not([data-effect])")).to_have_attribute("data-measure", "js_image")


def test_a_forecast_is_kept_as_it_is_shown_and_what_holds_none_says_so(open_page, comparisons, tools):
    page = open_page("three", size=tools.NARROW, theme="dark", layer=2, head="mean")
    check_pasted(page, comparisons["three"])
    page.locator(FORECAST).click()
    refuse(page)
    expect(page.locator(SHOWN)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    name = page.locator(".av-root").get_attribute("data-effect")
    page.locator(".av-keep button").first.click()
    for kind in ("html", "csv"):
        expect(page.locator(f".av-keep [data-format={kind}]")).to_have_attribute("title", re.compile("choose Read"))
    check_pasted(page, comparisons["three"])
    href = page.locator(".av-keep [data-format=png]").get_attribute("href")
    with Image.open(io.BytesIO(page.request.get(href).body())) as image:
        about = json.loads(image.text["attention"])
    assert (about["reading"], about["kind"], about["rows"]) == (name, "forecast", "all")
    assert about["range"][1] == pytest.approx(held(page)["high"][0], rel=1e-6)


def test_members_of_other_towers_have_a_forecast_each(open_page, comparisons):
    page = open_page("towers", layer=1, head=2)
    page.locator(FORECAST).click()
    expect(page.locator(SHOWN)).to_be_visible()
    maps = compared_maps(comparisons["towers"], reading="forecast", layer=1, head=2)
    assert np.allclose(held(page)["rows"][0], maps.values[0], atol=1e-9)
    own = run_as_read(comparisons["towers"].run("run_1"), "forecast")
    wanted = own.row(own.layers()[0], None).sum(axis=0)
    page.locator("[data-pane=after] select[aria-label*=ayer]").select_option(str(own.layers()[0]))
    expect(page.locator(f"{SHOWN}[data-own='{own.layers()[0]}.mean']")).to_be_visible()
    assert np.allclose(held(page)["rows"][1], wanted[: len(held(page)["rows"][1])], rtol=1e-4, atol=1e-8)
