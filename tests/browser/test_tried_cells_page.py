"""A map over cells on the page while it is measured, stopped, and left; and how far maps agree, under the map."""

import json
import shutil

import numpy as np
import pytest
from made_readings import write_agreement
from playwright.sync_api import expect

from attention.readings.agreement import HIDDEN, agreement

pytestmark = pytest.mark.browser


def tell(page, told):
    """Say what the server says of a reading that was asked for."""
    page.evaluate(
        "told => document.dispatchEvent(new CustomEvent('attention-tried', { detail: { kind: 'run', told } }))", told
    )


def test_cells_are_shown_as_they_are_measured_and_kept_where_they_are_stopped(open_page, runs):
    page, run = open_page("forecast", layer=1, head=2), runs["forecast"]
    row = page.evaluate("document.querySelector('.av-root').__attn.values")
    page.locator("[data-show=tried]").click()
    expect(page.locator("#selected")).to_contain_text('"reading": "cells"')
    asked = json.loads(page.locator("#selected").inner_text())
    assert asked["ticket"] == "forecast" and asked["paint"] == "none" and "tokens" not in asked
    rows, cols = run.cells(0).shape
    blocks = [[None] * cols for _ in range(rows)]
    blocks[0][0], blocks[4][8] = 0.5, -2.0
    first = run.info["prompt_tokens"]
    target = {"tokens": list(range(first, len(run.info["tokens"]))), "against": None}
    found = {
        "name": "0" * 16, "target": target, "rows": None, "block": [1, 1], "value": -0.1, "paths": "", "total": 144,
        "measured": {"hidden": 2}, "seconds_left": 7.0,
        "grids": [{"grid": 0, "rows": rows, "cols": cols, "hidden": blocks}],
    }  # fmt: skip
    tell(page, {"number": asked["number"], "reading": "cells", "text": "Trying", "partial": found})
    sentence, bar = page.locator(".av-sentence"), page.locator(".av-map-bar")
    expect(sentence).to_contain_text("2 of 144 measured, about 7 s left; hatched are not.")
    expect(sentence).to_contain_text("−2.00 nats (7.4 times less probable) with row 4, col 8 hidden")
    expect(bar).to_contain_text("measured, nats")
    expect(bar.locator(".av-bar-middle")).to_have_text("0")
    box = page.locator(".av-overlay").bounding_box()

    def point(at):
        page.mouse.move(box["x"] + (at[1] + 0.5) / cols * box["width"], box["y"] + (at[0] + 0.5) / rows * box["height"])
        return page.locator(".av-frame .av-tip")

    expect(point((4, 8))).to_have_text("−2.00 nats with this cell hidden")
    expect(point((5, 9))).to_have_text("not measured")
    page.locator(".av-show-tried").get_by_role("button", name="Stop").click()
    expect(sentence).to_contain_text("2 of 144 measured; hatched are not.")
    assert json.loads(page.locator("#selected").inner_text())["reading"] == "cells"
    expect(page.locator("[data-show=tried]")).to_have_attribute("aria-pressed", "true")
    page.locator("[data-show=read]").click()
    expect(page.locator("[data-show=read]")).to_have_attribute("aria-pressed", "true")
    expect(bar).to_contain_text("attention")
    assert page.evaluate("document.querySelector('.av-root').__attn.values") == row


def test_agreement_is_printed_under_the_map_with_what_is_on_screen(open_page, runs):
    run = runs["forecast"]
    kept = write_agreement(run)
    try:
        page = open_page("forecast", layer=1, head=2)
        page.locator("[data-ask=agreement]").click()
        lines = page.locator(".av-agree-table tbody tr")
        query = int(page.locator(".av-root").get_attribute("data-query"))
        own = run.row(1, query)[2]
        wanted = agreement(-np.array([own[each["keys"]].sum() for each in kept.info["regions"]]), kept.measured[HIDDEN])
        said = f"on screen: attention, layer 1 head 2, row {query}"
        expect(lines.first).to_contain_text(said)
        cells = lines.first.locator("td").all_inner_texts()
        assert cells[:2] == [f"{wanted.rank:.2f}".replace("-", "−"), "yes" if wanted.hits else "no"]
        expect(lines).to_have_count(2 + len(kept.table()) - 1)  # what is on screen, and chance for the random order
        expect(page.locator(".av-agree")).to_contain_text("n = 1, descriptive")
        expect(page.locator(".av-agree")).to_contain_text("It is nearly flat.")
        page.evaluate("document.querySelector('.av-root').__attn.select({ head: 0 })")
        expect(lines.first).to_contain_text("layer 1 head 0")
        page.locator(".av-agree").get_by_role("button", name="Close").click()
        expect(page.locator(".av-agree")).to_be_hidden()
    finally:
        shutil.rmtree(kept.folder)
