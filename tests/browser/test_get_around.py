"""Getting around in Chromium: keys, playing, directions, towers, scales, sinks, what is said, the address."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def number(text: str) -> float:
    return float(re.search(r"\d[\d.]*(e-?\d+)?", text).group())


def fragment(page) -> str:
    return page.evaluate("window.location.hash")


def look(page, **settings) -> None:
    page.evaluate("look => document.querySelector('.av-root').__attn.look(look)", settings)


def cells_of(run, grid=0):
    return run.cells(grid).reshape(-1)


# Keys


def test_keys_go_through_layers_heads_and_tokens(open_page, runs, tools):
    run = runs["two"]
    page = open_page("two", layer=2, head=1)
    page.locator(".av-overlay").focus()
    page.keyboard.press("ArrowRight")
    tools.wait(page, layer=5, head=1)
    page.keyboard.press("ArrowRight")  # there is none behind the last
    page.keyboard.press("ArrowDown")
    tools.wait(page, layer=5, head=2)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    tools.wait(page, layer=2, head=1)
    token = int(page.locator(".av-root").get_attribute("data-token"))
    page.keyboard.press(".")
    tools.wait(page, token=token + 1)
    page.keyboard.press(",")
    page.keyboard.press(",")
    tools.wait(page, token=token - 1)
    shown = tools.shown(page)
    assert np.allclose(shown.row, run.row(2, shown.query)[1], atol=1e-3)


def test_keys_turn_the_direction_change_the_tower_and_the_sinks(open_page, tools):
    page = open_page("captured", layer=1, head=0)
    page.locator(".av-atlas-canvas").focus()
    page.keyboard.press("d")
    tools.wait(page, direction="read by")
    page.keyboard.press("d")
    tools.wait(page, direction="reads")
    page.keyboard.press("v")
    tools.wait(page, tower="vision")
    for direction in ("read by", "received", "reads"):
        page.keyboard.press("d")
        tools.wait(page, direction=direction)
    page.keyboard.press("v")
    tools.wait(page, tower="language")
    sinks = page.get_by_label("Sinks", exact=True)
    for mode in ("raw", "renormalised", "masked"):
        page.keyboard.press("s")
        expect(sinks.locator("option:checked")).to_have_text(mode)


def test_keys_are_the_pages_while_it_has_the_focus(open_page, tools):
    page = open_page("two", layer=2, head=1)
    root = page.locator(".av-root")
    page.get_by_role("button", name="open nothing").focus()
    for key in ("ArrowRight", ".", "d", "s"):
        page.keyboard.press(key)
    scale = page.get_by_label("Scale", exact=True)
    scale.focus()
    page.keyboard.press("d")  # in a list it looks for an entry
    page.locator(".av-overlay").focus()
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Tab")
    assert page.evaluate("!document.activeElement.classList.contains('av-overlay')")
    assert [root.get_attribute(f"data-{name}") for name in ("layer", "head", "direction")] == ["2", "1", "reads"]
    expect(page.get_by_label("Sinks", exact=True).locator("option:checked")).to_have_text("masked")


def test_the_keys_are_listed_and_escape_closes_and_clears(open_page, tools):
    page = open_page("two", layer=2, head=1)
    page.locator(".av-overlay").focus()
    page.keyboard.press("?")
    listed = page.get_by_role("dialog", name="Keys")
    for text in ("next layer", "sinks", "play"):
        expect(listed).to_contain_text(text)
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    page.evaluate("() => { const { actions } = document.querySelector('.av-root').__attn; actions.pinCell(1, 1); }")
    token = int(page.locator(".av-root").get_attribute("data-token"))
    page.evaluate("token => document.querySelector('.av-root').__attn.actions.selectToken(token, token + 2)", token)
    tools.wait(page, until=token + 1)
    page.locator(".av-overlay").focus()
    page.keyboard.press("Escape")
    page.wait_for_selector(f".av-root[data-state=ready][data-token='{token}']:not([data-until])")
    assert page.evaluate("document.querySelector('.av-root').__attn.state.pinned") is None


# Playing


def test_space_plays_over_layers_and_stops(open_page, tools):
    page = open_page("two", layer=0, head=1)
    page.locator(".av-overlay").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="play layers")).to_have_attribute("aria-pressed", "true")
    for layer in (2, 5, 0):  # and around
        page.wait_for_selector(f".av-root[data-layer='{layer}']")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="play layers")).to_have_attribute("aria-pressed", "false")


def test_the_answer_is_played_token_by_token(open_page, runs):
    run = runs["two"]
    written = [token["index"] for token in run.info["tokens"] if token["role"] == "answer"]
    page = open_page("two", layer=2, head=1)
    page.get_by_role("button", name="play answer").click()
    for token in written[1:]:
        page.wait_for_selector(f".av-root[data-token='{token}'][data-query='{token - 1}']")
    page.locator(".av-overlay").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="play answer")).to_have_attribute("aria-pressed", "false")


# Several tokens, and what patches receive


@pytest.mark.parametrize("direction", ["reads", "read by"])
def test_several_tokens_are_the_mean_of_their_rows(open_page, runs, tools, direction):
    run = runs["two"]
    answer = [token["index"] for token in run.info["tokens"] if token["role"] == "answer"]
    page = open_page("two", layer=2, head=1)
    if direction == "read by":
        page.get_by_role("button", name="is read by").click()
        tools.wait(page, direction=direction)
    page.evaluate(
        "([first, last]) => document.querySelector('.av-root').__attn.actions.selectToken(first, last)",
        [answer[0], answer[-1]],
    )
    if direction == "reads":  # of what the model wrote, the rows that predicted it
        tools.wait(page, token=answer[0], query=answer[0] - 1, until=answer[-1] - 1)
        expected = np.mean([run.row(2, query)[1] for query in range(answer[0] - 1, answer[-1])], axis=0)
    else:
        tools.wait(page, token=answer[0], query=answer[0], until=answer[-1])
        expected = np.mean([run.column(2, key)[1] for key in range(answer[0], answer[-1] + 1)], axis=0)
    assert np.allclose(tools.shown(page).row, expected, atol=2e-6)
    expect(page.locator(".av-title")).to_contain_text(re.compile("mean of (rows|columns)"))


def test_what_patches_receive_is_the_mean_over_all_of_them(open_page, runs, tools):
    run = runs["captured"]
    page = open_page("captured")
    page.get_by_role("button", name="vision", exact=True).click()
    tools.wait(page, tower="vision")
    page.get_by_role("button", name="received").click()
    for layer in (*run.layers("vision")[:2], "mean", "max"):
        tools.select(page, layer=layer, head=1, direction="received")
        layers = run.layers("vision") if isinstance(layer, str) else [layer]
        received = np.stack([run.received(index, "vision")[1] for index in layers])
        expected = received.max(0) if layer == "max" else received.mean(0)
        assert np.allclose(tools.shown(page).cells, expected[cells_of(run, 1)], rtol=1e-5)
    expect(page.locator(".av-title")).to_contain_text("what each patch receives")
    expect(page.locator(".av-sentence")).to_contain_text("receives most")


# Scales, and what the bar says


def bar(page) -> list[str]:
    return [page.locator(f".av-bar-{part}").inner_text() for part in ("unit", "low", "high", "note")]


def test_the_bar_says_the_range_of_every_scale(open_page, runs, tools):
    run = runs["painted"]
    page = open_page("painted", layer=1, head=2)
    shown = tools.shown(page)
    cells, query = shown.cells, shown.query
    even = cells.sum() / cells.size
    atlas = np.stack([run.row(layer, query)[:, cells_of(run)] for layer in run.layers()])
    means = [atlas.mean(1, keepdims=True), atlas.max(1, keepdims=True)]
    everything = np.concatenate([atlas, *means], axis=1)
    largest = {"map": cells.max(), "atlas": everything.max(), "uniform": 100.0}
    for scale, curve in itertools.product(("map", "atlas", "uniform"), ("linear", "sqrt", "log")):
        look(page, scale=scale, curve=curve, clip=100)
        unit, low, high, _ = bar(page)
        assert unit == ("times even attention" if scale == "uniform" else "attention")
        assert np.isclose(number(high), largest[scale], rtol=5e-3), (scale, curve)
        assert number(low) == pytest.approx(largest[scale] / 1000 if curve == "log" else 0, rel=5e-3)
        drawn = tools.shown(page).range
        assert drawn["factor"] == pytest.approx(1 / even if scale == "uniform" else 1, rel=1e-5)
    for clip, share in ((99, 0.01), (95, 0.05)):
        look(page, scale="map", curve="linear", clip=clip)
        _, _, high, note = bar(page)
        count = int(cells.size * share + 1e-9)
        end = max(np.sort(cells)[::-1][count], 0.1 * cells.max())  # a peak stays apart from the rest
        above = (cells > end).sum()
        assert high.startswith("≥") and np.isclose(number(high), end, rtol=5e-3)
        assert note.startswith("1 cell above" if above == 1 else f"{above} cells above")
    look(page, scale="uniform", curve="log", clip=99)
    above = (cells / even > 100).sum()
    assert number(bar(page)[3] or "0") == above


def test_a_column_has_no_absolute_scale_and_says_so(open_page, tools):
    page = open_page("painted", layer=1, head=2)
    page.get_by_label("Scale", exact=True).select_option("absolute")
    assert bar(page)[0] == "times even attention"
    page.get_by_role("button", name="is read by").click()
    tools.wait(page, direction="read by")
    assert bar(page)[0] == "attention" and "no absolute scale" in bar(page)[3]
    assert page.get_by_label("Scale", exact=True).locator("option", has_text="absolute").is_disabled()


# Sinks


def test_sinks_are_left_out_of_the_colours_and_their_mass_is_said(open_page, runs, tools):
    run = runs["named"]
    page = open_page("named", layer=1, head=2)
    shown = tools.shown(page)
    row = run.row(1, shown.query)[2]
    keys = cells_of(run)
    is_sink = np.isin(keys, tools.SINKS)
    share = row[tools.SINKS].sum() / row[keys].sum()
    said = page.locator(".av-sinks")
    assert number(said.inner_text()) / 100 == pytest.approx(share, rel=0.06)
    expect(said).to_contain_text("on 3 sink cells: hatched")
    assert np.array_equal(np.array(shown.hidden, bool), is_sink)
    look(page, clip=100)
    assert tools.shown(page).range["high"] == pytest.approx(row[keys][~is_sink].max(), rel=1e-3)
    look(page, sinks="raw")
    assert tools.shown(page).range["high"] == pytest.approx(row[keys].max(), rel=1e-3)
    assert tools.shown(page).hidden is None
    expect(said).to_contain_text("drawn as they are")
    look(page, sinks="renormalised")
    held = tools.shown(page)
    assert np.allclose(held.values, row[keys] / (1 - row[tools.SINKS].sum()), rtol=2e-3)
    expect(said).to_contain_text("divided by what is left")
    tools.select(page, layer=2)
    expect(said).to_have_text("No sink cells in this layer.")


# What is said


def test_one_sentence_says_where_the_head_read_from(open_page, runs, tools):
    run = runs["captured"]
    page = open_page("captured", layer=1, head=0)
    shown = tools.shown(page)
    text = page.locator(".av-sentence").inner_text()
    cells = np.sort(shown.cells)[::-1]
    half = int(np.searchsorted(np.cumsum(cells), cells.sum() / 2) + 1)
    cols = run.info["grids"][0]["cols"]
    row, col = divmod(int(shown.cells.argmax()), cols)
    assert text.startswith("While writing “red”, layer 1 head 0 put ")
    assert text.endswith(f"on the picture, half of it on {half} of {cells.size} cells.")
    assert number(text.split(" put ")[1]) / 100 == pytest.approx(shown.cells.sum(), rel=0.01, abs=5e-4)
    facts = page.locator(".av-facts").inner_text()
    assert f"row {row}, col {col}" in facts
    assert number(facts.split("(")[1]) == pytest.approx(cells[0] * cells.size / cells.sum(), rel=0.05)
    live = page.locator(".av-live")
    top = np.argsort(-shown.cells, kind="stable")[:5]
    expect(live).to_contain_text(f"row {row} col {col}")
    assert len(re.findall(r"row \d+ col \d+ [\d.]", live.inner_text().split("Top cells")[1])) == len(top)


# The address


def test_the_view_is_in_the_address_and_restores(open_page, tools):
    page = open_page("two", layer=2, head=1)
    tools.select(page, layer=5, head=3, grid=1)
    look(page, palette="magma", curve="sqrt")
    page.wait_for_function("window.location.hash.includes('magma') && window.location.hash.includes('layer=5')")
    page.reload()
    tools.wait(page, layer=5, head=3, grid=1)
    expect(page.get_by_label("Colours").locator("option:checked")).to_have_text("magma")
    expect(page.get_by_label("Curve").locator("option:checked")).to_have_text("square root")
    tools.select(page, head="max")
    page.wait_for_function("window.location.hash.includes('head=max')")


def test_a_reload_gives_back_the_run_that_a_button_opened(open_page, tools):
    page = open_page(state="empty")
    page.get_by_role("button", name="open two").click()
    tools.wait(page)
    tools.select(page, layer=2)
    page.wait_for_function("window.location.hash.includes('layer=2')")
    assert "run=two" in fragment(page)
    page.reload()
    tools.wait(page, layer=2)


def test_an_address_alone_gives_nothing_away(chromium, address, open_page, tools):
    page = open_page("two", layer=2, head=1)
    page.wait_for_function("window.location.hash.includes('run=two')")
    shared = fragment(page)
    stranger = chromium.new_context().new_page()
    stranger.goto(f"{address}{shared}")
    expect(stranger.locator(".av-notice")).to_contain_text("not open in this tab")
    assert stranger.locator(".av-root").get_attribute("data-state") == "empty"
    stranger.context.close()
    tampered = shared.replace("layer=2", "layer=77").replace("head=1", "head=<b>") + "&palette=jet"
    page.evaluate("hash => window.history.replaceState(null, '', hash)", tampered)
    page.reload()
    tools.wait(page, layer="mean", head="mean")
