"""The tab of scores in Chromium: ordered, searched, and an item's run and comparison opened where they belong."""

import pytest
from made_scores import STAR, made_scores
from playwright.sync_api import expect

import app
from attention.visitors.store import RunCache

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scored")
    scores = made_scores(folder / "made").folder
    cache = RunCache(folder / "runs", library=True, more_roots=[scores], index=folder / "index")
    service = app.new_service(cache, is_hosted=False, model="pocket", scores=[scores])
    assert app.addresses(service, "http://x", [scores]) == [("made", "http://x/#scores")]
    demo = app.launch(service, quiet=True)
    yield demo.local_url
    service.wait_until_loaded()
    demo.close()
    service.close()


def shares(page):
    return page.locator(".av-sc-table tbody tr td:nth-child(4) .av-sc-number").all_inner_texts()


def test_an_item_is_found_and_opened(pages, address):
    page, faults = pages.lend(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda said: said.type == "error" and "Failed to load" not in said.text and faults.append(said.text)
    )
    page.goto(f"{address}#scores")
    rows = page.locator(".av-sc-table tbody tr")
    expect(rows).to_have_count(6)
    expect(page.get_by_role("tab", name="Scores")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".av-sc-models tbody tr")).to_have_count(2)
    expect(rows.first).to_contain_text("which one? <b>bold</b> a")
    expect(rows.last).to_contain_text("There is no file <i>x.png</i>.")
    expect(page.locator(".av-sc-interval")).to_have_count(2 * 3 + 2)

    # from cell to cell by keyboard; what was not kept has none
    expect(page.locator(".av-sc-note")).to_contain_text("--keep-runs")
    expect(rows.nth(1)).to_contain_text("run not kept")
    page.locator(".av-sc-table button.av-sc-cell").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Compare base and largest: which one?")).to_be_focused()

    # in order of a model, the worst first, then the best; found by words
    before = shares(page)
    page.get_by_role("button", name="base: share").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("base")
    in_order = [float(text.split()[0].removesuffix("%")) for text in shares(page)]
    assert in_order == sorted(in_order) and len(in_order) == len(before) == 5
    page.get_by_role("button", name="base: share").press("Enter")
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("base")
    page.get_by_role("button", name="Only not scored").click()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Only not scored").click()
    page.get_by_role("searchbox", name="Search items").fill("largest 0")
    expect(rows).to_have_count(1)
    expect(page.locator(".av-sc-said")).to_have_text("1 of 6 items · 1 not scored")

    # its run, with the place marked; the found heads; then both
    page.get_by_role("button", name="Mark the found heads of largest in Explore").click()
    page.get_by_role("button", name="Open in Explore: which one? <b>bold</b> a, largest").press("Enter")
    expect(page.get_by_role("tab", name="Explore")).to_have_attribute("aria-selected", "true")
    page.wait_for_function("document.querySelector('.av-root.av-run, .av-root')?.__attn?.state.region?.place")
    state = "document.querySelector('.av-root').__attn.state"
    page.wait_for_function(f"{state}.info?.adapter?.id === 'largest'")
    assert page.evaluate(f"{state}.region.place") == STAR
    assert page.evaluate(f"[{state}.order, {state}.found.adapter]") == ["found", "largest"]
    page.get_by_role("tab", name="Scores").click()
    page.get_by_role("button", name="Compare base and largest: which one?").click()
    expect(page.locator(".av-compare[data-state=ready]")).to_be_visible()
    expect(page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    assert page.evaluate("document.querySelector('.av-compare').__attn.state.region.place") == STAR
    assert not faults
