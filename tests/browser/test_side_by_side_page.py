"""Members with other layers and heads in Chromium: two maps, each of its own layer and head, and nothing between."""

from __future__ import annotations

import re

import numpy as np
import pytest
from browser.host import hosted
from browser.tickets import Tickets
from made_comparisons import write_towers
from playwright.sync_api import expect

from adapters import open_comparison
from attention import read_region, region_scores
from attention.exports.export import export
from attention.page.viewer import ComparisonViewer

pytestmark = pytest.mark.browser

SHAPE = (5, 8)
SAID = "The models have 3 × 4 and 5 × 6 layers and heads: each is shown by itself; region numbers and log-probabilities"


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory):
    made = {"towers": lambda folder: write_towers(folder, SHAPE)}
    comparisons = Tickets(tmp_path_factory.mktemp("comparisons"), made, open_comparison)
    yield comparisons
    comparisons.close()


@pytest.fixture(scope="module")
def address(comparisons):
    with hosted(ComparisonViewer(), comparisons.__getitem__) as address:
        yield address


def rows(page):
    """The two rows on screen."""
    found = page.evaluate(
        "(({ pair }) => [pair.before, pair.after].map(({ row }) => [...row]))"
        "(document.querySelector('.av-root').__attn.state)"
    )
    return [np.float32(row) for row in found]


def test_each_map_has_a_layer_and_a_head_of_its_own_and_nothing_lies_between(open_page, comparisons, tools):
    comparison, page = comparisons["towers"], open_page("towers", layer=1, head=2)
    tools.wait(page, own="mean.mean")
    query = comparison.answer_rows()[0]
    expect(page.locator(".av-best-why")).to_contain_text(SAID)
    region = read_region(comparison.base, (80, 60, 300, 220), label="Save")
    scores = [region_scores(run, region, query) for run in comparison.runs.values()]
    for side, own in zip(page.locator(".av-best-side").all(), scores, strict=True):
        layer, head = own.best(n=1)[0]
        first = side.locator(".av-moved-row").first
        expect(first).to_contain_text(f"layer {layer} · head {head}")
        share = own.of_head(layer, head)["region_share"]
        assert float(re.search(r"([\d.]+)\s*%", first.inner_text())[1]) == pytest.approx(100 * share, abs=0.06)

    def shows(*heads):
        tools.wait(page, layer=heads[0][0], head=heads[0][1], own="{}.{}".format(*heads[1]))
        for row, run, (layer, head) in zip(rows(page), comparison.runs.values(), heads, strict=True):
            assert np.allclose(row, run.row(layer, query, source="factors")[head], atol=1e-6)
        shares = [own.of_head(*place)["region_share"] for own, place in zip(scores, heads, strict=True)]
        said = page.locator(".av-sentence").inner_text()
        assert f"In “Save”: small, layer {heads[0][0]} head {heads[0][1]}: " in said
        found = [float(share) for share in re.findall(r"head \d: ([\d.]+)\s*%", said)]
        assert found == pytest.approx([100 * share for share in shares], abs=0.06), said
        assert "bits" not in said and "points" not in said

    best = [own.best(n=1)[0] for own in scores]
    page.locator(".av-best-side").nth(1).locator(".av-moved-row").first.click()
    shows((1, 2), best[1])
    page.locator(".av-best-side").nth(0).locator(".av-moved-row").first.click()
    shows(best[0], best[1])
    for pane, name in (("before", "first"), ("after", "second")):
        choice = page.locator(f"[data-pane={pane}]").get_by_role("group", name=f"Layer and head of the {name} map")
        choice.get_by_label("Layer", exact=True).select_option(label="layer 2" if pane == "before" else "layer 4")
        choice.get_by_label("Head", exact=True).select_option(label="head 3" if pane == "before" else "head 5")
    shows((2, 3), (4, 5))
    page.wait_for_function("location.hash.includes('compare.heads=4.5')")
    for pane in ("difference", "wipe"):
        expect(page.locator(f"[data-pane={pane}]")).to_be_hidden()
    for gone in (".av-matrix", ".av-change-choices", "[data-switch=magnified]"):
        expect(page.locator(gone).first).to_be_hidden()
    tabs = page.locator(".av-tab:visible").all_inner_texts()
    assert tabs == ["tokens", "answers"]
    before, after = np.exp(comparison.logprobs().astype(float))
    listed = page.locator(".av-lists .av-moved-row").all_inner_texts()
    assert len(listed) == len(before)
    assert any(f"{100 * before[0]:.1f}" in text and f"{100 * after[0]:.1f}" in text for text in listed), listed


def test_a_layer_that_the_base_lacks_and_steps_by_keys_and_an_address_that_asks_for_more(open_page, tools):
    page = open_page("towers", layer=2, head=3)
    forward = page.locator("[data-pane=after] .av-own").get_by_label("next layer")
    for layer in range(5):
        forward.click()
        if layer:  # after "max over layers"
            tools.wait(page, own=f"{layer - 1}.mean")
    page.keyboard.press("ArrowDown")  # in the second pane: its own head
    tools.wait(page, layer=2, head=3, own="3.max")
    page.locator("[data-pane=before] .av-own").get_by_label("previous layer").focus()
    page.keyboard.press("ArrowUp")
    tools.wait(page, layer=2, head=2, own="3.max")
    address = page.evaluate("document.querySelector('.av-root').__attn.state.manifest.id")
    page.goto(f"{page.url.split('#')[0]}#compare={address}&compare.heads=99.5&compare.left=1&compare.alone=wipe")
    page.reload()
    tools.wait(page, own="mean.5", left="0")
    assert page.evaluate("document.querySelector('.av-root').__attn.state.alone") is None


def test_the_html_file_and_the_links_have_the_choice_of_each(open_page, comparisons, pages, tools, tmp_path):
    page = open_page("towers", layer=1, head=0, is_new=True)
    page.locator("[data-pane=after] .av-own").get_by_label("Layer", exact=True).select_option(label="layer 3")
    tools.wait(page, own="3.mean")
    page.get_by_role("button", name="Keep", exact=True).click()
    link = page.locator("a[data-format=png][href]").get_attribute("href")
    assert "right_layer=3" in link and "right_head=mean" in link and "difference" not in link
    export(comparisons["towers"], "html", tmp_path / "both.html")
    page.goto((tmp_path / "both.html").as_uri())
    tools.wait(page, own="mean.mean")
    expect(page.locator(".av-best-why")).to_contain_text(SAID)
    page.locator("[data-pane=after] .av-own").get_by_label("Layer", exact=True).select_option(label="layer 4")
    page.locator("[data-pane=after] .av-own").get_by_label("Head", exact=True).select_option(label="head 5")
    tools.wait(page, own="4.5")
