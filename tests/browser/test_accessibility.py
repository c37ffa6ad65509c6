"""Both tabs of the page as axe-core judges them. What Gradio's own components do is listed, not mended here."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from served import served

pytestmark = pytest.mark.browser

OURS = ".av-root, .av-ask, .chip, .ask-run, .ask-question, #title, .settings .note"
# Gradio's: its tab list has no panel names, its lists and accordions their own roles, its footer is faint.
# All that a theme changes.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
RUN_ONLY = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"], "resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with served(tmp_path_factory.mktemp("app")) as (_, address):
        yield address


def violations(page, theme):
    """Violations that axe finds in our own components: [rule, element, why]."""
    found = Axe().run(page, options=RUN_ONLY if theme == "light" else COLOURS).response["violations"]
    nodes = [
        (each["id"], node["target"][-1], node.get("failureSummary", "")) for each in found for node in each["nodes"]
    ]
    is_ours = "([css, ours]) => { try { return !!document.querySelector(css)?.closest(ours) } catch { return true } }"
    return [node for node in nodes if page.evaluate(is_ours, [node[1], OURS])]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nobody_is_kept_out_of_our_components(pages, address, theme):
    page = pages.lend(theme=theme)
    page.goto(f"{address}?__theme={theme}")
    expect(page.locator(".av-root[data-state=ready]").first).to_be_visible()
    page.add_style_tag(content="* { animation: none !important; transition: none !important; }")
    page.evaluate("document.fonts.ready")
    assert violations(page, theme) == [], "at first sight"
    for panel in ("look", "tokens"):
        page.evaluate("panel => document.querySelector('.av-root').__attn.open(panel, true)", panel)
    page.locator("#explore-chip").click()
    assert violations(page, theme) == [], "with all open, and the settings"
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator(".av-compare[data-state=ready]")).to_be_visible()
    assert violations(page, theme) == [], "the comparison"
