"""The switch from what was read to a forecast of what that does: found where one was made, asked for elsewhere."""

import json

import numpy as np
import pytest
from playwright.sync_api import expect

from attention import Target
from attention.drawing.effect_words import signed
from attention.readings.forecast import open_forecast

pytestmark = pytest.mark.browser

READ, FORECAST = "[data-show=read]", "[data-show=forecast]"
SHOWN = "[data-state=ready][data-effect]"
ATTENTION = "[data-state=ready]:not([data-effect])"


def values(page):
    return np.array(page.evaluate("document.querySelector('.av-root').__attn.values"))


def test_a_forecast_takes_the_place_of_attention_and_gives_it_back(open_page, runs):
    page = open_page("forecast", layer=1, head=2)
    run = runs["forecast"]
    of, cells = open_forecast(run, Target.of(run)), run.cells(0)
    read = values(page)
    page.locator(FORECAST).click()
    expect(page.locator(SHOWN)).to_have_attribute("data-direction", "received")
    wanted = of.keys(1)[2][cells]
    assert np.array_equal(values(page).astype(np.float32), wanted.reshape(-1))
    bar = page.locator(".av-map-bar")
    expect(bar).to_contain_text("forecast, nats")
    expect(bar.locator(".av-bar-middle")).to_have_text("0")
    low, high = (bar.locator(f".av-bar-{end}").inner_text() for end in ("low", "high"))
    assert low.translate({ord("≤"): "≥", ord("−"): "+"}) == high, "it goes as far below 0"
    row, col = np.unravel_index(np.abs(wanted).argmax(), wanted.shape)
    expect(page.locator(".av-sentence")).to_contain_text(f"if everybody read row {row}, col {col} less")
    box = page.locator(".av-overlay").bounding_box()
    page.mouse.move(box["x"] + (col + 0.5) / 16 * box["width"], box["y"] + (row + 0.5) / 9 * box["height"])
    expect(page.locator(".av-frame .av-tip")).to_have_text(
        f"{signed(float(wanted[row, col]))} nats if everybody read this cell less"
    )
    for hidden in (".av-ribbon", ".av-line"):
        expect(page.locator(hidden)).to_be_hidden()
    # the key gives back what was read, and takes it again
    page.locator(".av-overlay").focus()
    page.keyboard.press("e")
    expect(page.locator(ATTENTION)).to_have_attribute("data-direction", "reads")
    assert np.array_equal(values(page), read)
    page.keyboard.press("e")
    expect(page.locator(SHOWN)).to_be_visible()
    # of one word: its row, in all heads together
    page.locator(".av-word").first.click()
    page.evaluate("document.querySelector('.av-root').__attn.select({ layer: 'mean', head: 'mean' })")
    expect(page.locator(f"{SHOWN}[data-direction=reads][data-layer=mean][data-head=mean]")).to_be_visible()
    query = int(page.locator(".av-root").get_attribute("data-query"))
    wanted = -sum(of.score_gradient(layer, query).sum(axis=0) for layer in of.layers())[cells]
    assert np.allclose(values(page), wanted.reshape(-1), rtol=1e-4, atol=1e-7)
    # a marked place: its knock-out by head
    page.locator(".av-overlay").focus()
    page.keyboard.press("m")
    page.locator(".av-mark-input").fill("0 0 160 160")
    page.locator(".av-mark-input").press("Enter")
    keys = [int(key) for key in cells[:4, :4].reshape(-1)]
    total = signed(float(of.knock_out(keys).sum(dtype=np.float64)))
    expect(page.locator(".av-mark-measures")).to_contain_text(f"{total} nats in all heads together")
    expect(page.locator(".av-mark-heads button")).to_have_count(5)
    page.wait_for_function("location.hash.includes('show=forecast')")


def test_a_forecast_that_is_not_there_is_asked_for_and_a_refusal_leads_back(open_page):
    page = open_page("named", layer=1, head=2)
    page.locator(FORECAST).click()
    expect(page.locator("#selected")).to_contain_text('"reading": "forecast"')
    asked = json.loads(page.locator("#selected").inner_text())
    assert asked["ticket"] == "named" and asked["towers"] == ["language"]
    expect(page.locator(".av-show-said").first).to_have_text("Waiting for its turn")
    told = {"number": asked["number"], "reading": "forecast", "why": "This model computes no gradients: <b>none</b>."}
    page.evaluate(
        "told => document.dispatchEvent(new CustomEvent('attention-tried', { detail: { kind: 'run', told } }))", told
    )
    expect(page.locator(".av-notice")).to_have_text(told["why"])
    expect(page.locator(READ)).to_have_attribute("aria-pressed", "true")
    assert page.locator(".av-root").get_attribute("data-effect") is None


def test_a_link_to_a_forecast_shows_it_and_makes_none(open_page, tools):
    page = open_page("forecast", size=tools.NARROW, theme="dark")
    page.evaluate("location.hash = 'run=forecast&direction=received&layer=mean&head=mean&show=forecast'")
    page.reload()
    expect(page.locator(f"{SHOWN}[data-direction=received][data-head=mean]")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
