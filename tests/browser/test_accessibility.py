"""Both tabs of the page as axe-core judges them, Gradio's own parts too, light and dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from served import served

pytestmark = pytest.mark.browser

# All that a theme changes.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
RUN_ONLY = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"], "resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with served(tmp_path_factory.mktemp("app")) as (_, address):
        yield address


def violations(page):
    """Violations that axe finds in the light, then in the dark: [rule, element, why]."""
    found = Axe().run(page, options=RUN_ONLY).response["violations"]
    dress(page, "dark")
    found += Axe().run(page, options=COLOURS).response["violations"]
    dress(page, "light")
    return [
        (each["id"], node["target"][-1], node.get("failureSummary", "")) for each in found for node in each["nodes"]
    ]


def dress(page, theme):
    """Change the theme as Gradio does: a class of the body, and what the system says."""
    page.emulate_media(color_scheme=theme)
    page.evaluate("isDark => document.body.classList.toggle('dark', isDark)", theme == "dark")


def test_nobody_is_kept_out(pages, address):
    page = pages.lend()
    page.goto(f"{address}?__theme=light")
    expect(page.locator(".av-root[data-state=ready]").first).to_be_visible()
    page.add_style_tag(content="* { animation: none !important; transition: none !important; }")
    page.evaluate("document.fonts.ready")
    assert violations(page) == [], "at first sight"
    for panel in ("look", "tokens"):
        page.evaluate("panel => document.querySelector('.av-root').__attn.open(panel, true)", panel)
    page.evaluate("document.querySelector('.av-root').__attn.places.mark(0, [9, 9, 90, 90])")
    page.evaluate("document.querySelector('.av-root').__attn.places.toggle(true)")
    expect(page.locator(".av-mark-measures").first).not_to_be_empty()
    page.locator("#explore-chip").click()
    expect(page.locator("#explore-settings")).to_be_visible()
    expect(page.locator(".av-library[data-library=ready]").first).to_be_visible()  # its list has come
    expect(page.get_by_label("Model", exact=True).first).not_to_have_value("")
    assert violations(page) == [], "with all open, and the settings"
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator(".av-compare[data-state=ready]")).to_be_visible()
    assert violations(page) == [], "the comparison"
