"""Words and state of the page when there is nothing, when a run arrives, fails, expires, or the server is away."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from playwright.sync_api import expect

from attention.runs.run import open_run

pytestmark = pytest.mark.browser


def test_it_opens_empty_and_says_what_to_do(open_page, tools):
    page = open_page(state="empty")
    expect(page.locator(".av-message")).to_contain_text("Run a prompt or open an example")
    page.get_by_role("button", name="open two").click()
    tools.wait(page)
    expect(page.locator(".av-message")).to_be_hidden()
    page.get_by_role("button", name="open nothing").click()
    tools.wait(page, "empty")
    expect(page.locator(".av-token")).to_have_count(0)


def test_nothing_jumps_when_a_run_arrives(open_page, tools):
    parts = (".av-stage", ".av-controls", ".av-choices", ".av-tokens", ".av-atlas-place", ".av-bar")
    page = open_page(state="empty")
    before = [page.locator(part).bounding_box() for part in parts]
    page.get_by_role("button", name="open two").click()
    tools.wait(page)
    assert [page.locator(part).bounding_box() for part in parts] == before


def test_an_expired_run_says_so(open_page):
    page = open_page("nowhere", state="error")
    expect(page.locator(".av-message")).to_contain_text("This run has expired")


def test_a_failure_says_what_and_lets_one_try_again(open_page, tools):
    page = open_page("two", layer=2, head=1)
    page.route("**/row?*", lambda route: route.abort())
    page.evaluate("document.querySelector('.av-root').__attn.select({ query: 5 })")
    tools.wait(page, "error")
    expect(page.locator(".av-message")).to_contain_text("The server cannot be reached")
    page.unroute("**/row?*")
    page.get_by_role("button", name="Try again").click()
    tools.wait(page, query=5, layer=2, head=1)


def test_a_run_without_a_picture_shows_its_tokens(open_page, tools):
    page = open_page("text")
    expect(page.locator(".av-message")).to_contain_text("No picture in this run")
    expect(page.locator(".av-token").first).to_be_visible()
    tools.select(page, query=3, layer=1)
    expect(page.locator(".av-title")).to_contain_text("layer 1")


def test_a_late_answer_never_paints_over_a_newer_one(open_page, runs, tools):
    page = open_page("two", layer=0, head=0)
    held = []

    def hold(route):
        held.append(route)

    page.route("**/row?*query=3*", hold)
    with page.expect_request("**/row?*query=3*"):
        page.evaluate("document.querySelector('.av-root').__attn.select({ query: 3 })")
    tools.wait(page, "loading")
    assert "row 3," not in page.locator(".av-title").inner_text()  # the words stay with the map that is on screen
    tools.select(page, query=4)
    for route in held:
        route.continue_()
    tools.select(page, head=1)
    assert np.array_equal(tools.shown(page).row, runs["two"].row(0, 4)[1]) and tools.shown(page).query == 4


def test_a_run_that_expires_while_the_page_is_open_says_so(open_page, runs, tools):
    runs["passing"] = open_run(runs["two"].folder)
    page = open_page("passing", layer=2, head=1)
    runs.pop("passing").close()
    page.evaluate("document.querySelector('.av-root').__attn.select({ query: 5 })")
    tools.wait(page, "error")
    expect(page.locator(".av-message")).to_contain_text("This run has expired")
    expect(page.locator(".av-message")).to_contain_text("Run it again")
    expect(page.locator(".av-token")).to_have_count(0)
    page.get_by_role("button", name="open two").click()
    tools.wait(page)


def test_a_server_that_goes_away_and_returns_costs_nothing(open_page, runs, tools):
    page = open_page("two", layer=2, head=1)
    before = tools.shown(page)
    page.context.set_offline(True)
    page.evaluate("document.querySelector('.av-root').__attn.select({ query: 7 })")
    tools.wait(page, "error")
    expect(page.locator(".av-message")).to_contain_text("The server cannot be reached")
    assert np.array_equal(tools.shown(page).row, before.row)  # what was on screen stays there
    page.context.set_offline(False)
    tools.select(page, query=8)  # whatever is chosen next
    assert np.array_equal(tools.shown(page).row, runs["two"].row(2, 8)[1])
    expect(page.locator(".av-message")).to_be_hidden()


def test_numbers_beside_the_map_may_be_missing(open_page, runs, tools):
    page = open_page("two", layer=2, head=1)
    answer = '{"error": "This run has no score entropy."}'
    page.route("**/scores?*", lambda route: route.fulfill(status=404, body=answer, content_type="application/json"))
    page.evaluate("document.querySelector('.av-root').__attn.look({ order: 'entropy' })")
    expect(page.locator(".av-notice")).to_have_text("This run has no score entropy.")
    tools.select(page, query=8)
    assert np.array_equal(tools.shown(page).row, runs["two"].row(2, 8)[1])
    page.evaluate("document.querySelector('.av-root').__attn.look({ order: 'number' })")
    page.unroute("**/scores?*")
    tools.select(page, query=9)
    expect(page.locator(".av-notice")).to_be_hidden()


def test_a_page_is_used_again_only_where_nothing_was_left_on_it(open_page, hosted_pages, address):
    page = open_page("two", layer=2, head=1)
    hosted_pages.leave()
    assert page.url == address and page.locator(".av-root").get_attribute("data-state") == "empty"
    open_page("two", layer=2, head=1)
    page.evaluate("window.left = 1")
    hosted_pages.leave()
    assert page.url == "about:blank"


def test_a_viewer_that_has_left_hears_nothing_any_more(open_page):
    page = open_page("two", layer=2, head=1)
    assert heard(page) == {"attention-beside": 1, "attention-heads": 1, "attention-library": 1, "attention-tried": 2}
    page.evaluate("window.gone = document.querySelector('.av-root').__attn.state")
    page.evaluate("leave()")
    assert heard(page) == {}
    before = page.evaluate("[gone.theme, gone.size, gone.status]")
    page.evaluate("document.body.classList.toggle('dark')")
    page.set_viewport_size({"width": 700, "height": 700})
    assert page.evaluate("[gone.theme, gone.size, gone.status]") == before


def heard(page):
    """Types of the viewers' own events, and how many listen to each on the document."""
    session = page.context.new_cdp_session(page)
    document = session.send("Runtime.evaluate", {"expression": "document"})["result"]["objectId"]
    listeners = session.send("DOMDebugger.getEventListeners", {"objectId": document})["listeners"]
    session.detach()
    return Counter(each["type"] for each in listeners if each["type"].startswith("attention-"))
