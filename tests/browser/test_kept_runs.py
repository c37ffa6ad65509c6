"""Kept runs are come back to, on the app's page in Chromium: by their address, after a restart, out of the library."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

import app
from attention.visitors.key import Key
from attention.visitors.store import RunCache

pytestmark = pytest.mark.browser

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
KEY = "k" * 32


def keep(name: str, folder: Path, run_id: str, **changes) -> None:
    """A finished example as a run of a person's own."""
    shutil.copytree(EXAMPLES / name, folder)
    index = folder / ("run.json" if name != "compared" else "comparison.json")
    info = json.loads(index.read_text(encoding="utf-8"))
    index.write_text(json.dumps({**info, "id": run_id, **changes}), encoding="utf-8")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    keep("window", folder / "runs" / "job1" / "save", "aaaa00000001", created="2026-01-03T00:00:00Z")
    keep("shapes", folder / "runs" / "star", "aaaa00000002", created="2026-01-02T00:00:00Z")
    keep("tall", folder / "runs" / "tall", "aaaa00000003", created="2026-01-01T00:00:00Z", prompt="<b>tall</b>?")
    keep("compared", folder / "runs" / "both", "bbbb00000001")
    return folder


@contextmanager
def started(folder: Path, port: int | None = None):
    """The address of an app with this library, which ends as if it were stopped."""
    cache = RunCache(folder / "runs", library=True, index=folder / "index")
    service = app.new_service(cache, is_hosted=False, model="pocket", key=Key(KEY))
    demo = app.launch(service, quiet=True, server_port=port)
    try:
        yield demo.local_url
    finally:
        service.wait_until_loaded()
        demo.close()
        service.close()


@pytest.fixture
def let_in(chromium):
    """A browser of a person who has opened the link with the key: makes pages. And one who has not."""
    contexts = [chromium.new_context(viewport={"width": 1440, "height": 900}) for _ in range(2)]
    yield contexts
    for context in contexts:
        context.close()


def shows(page, token: str) -> None:
    expect(page.locator(".av-root[data-state=ready]").first).to_be_visible()
    expect(page.locator(".av-tokens").first).to_contain_text(token)


def unfold(page) -> None:
    page.locator("#explore-chip").click()
    expect(page.locator("#explore-settings")).to_be_visible()


def rows(page):
    return page.locator(".av-lib-rows li")


def test_a_run_is_come_back_to_by_its_address_and_out_of_the_library(let_in, kept):
    mine, stranger = let_in
    with started(kept) as address:
        page = mine.new_page()
        page.goto(f"{address}?key={KEY}")
        assert "key" not in page.url
        shows(page, "Save")
        unfold(page)
        expect(rows(page)).to_have_count(3)
        expect(page.locator(".av-lib-said")).to_have_text("3 kept runs")
        expect(rows(page).last).to_contain_text("<b>tall</b>?")

        # searched, sorted, opened by keyboard
        page.get_by_role("searchbox", name="Search kept runs").fill("job1 CLICK")
        expect(page.locator(".av-lib-said")).to_have_text("1 of 3 kept runs")
        expect(page.locator(".av-lib-picture")).to_have_js_property("complete", True)
        assert page.locator(".av-lib-picture").evaluate("image => image.naturalWidth") > 50
        page.keyboard.press("Tab")
        for _ in range(9):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.className") == "av-lib-open":
                break
        page.keyboard.press("Enter")
        shows(page, "Save")
        page.wait_for_function("location.hash.includes('aaaa00000001')")
        shown = page.url

        # in another tab of this browser, and not in another browser
        other = mine.new_page()
        other.goto(shown)
        shows(other, "Save")
        expect(other.locator(".av-notice").first).to_be_hidden()
        foreign = stranger.new_page()
        foreign.goto(shown)
        shows(foreign, "Save")
        expect(foreign.locator(".av-notice").first).to_contain_text("is not open in this tab. Open the link")
        foreign.get_by_role("button", name="Kept runs", exact=True).click()
        expect(foreign.locator(".av-lib-said")).to_contain_text("Kept runs are not shown here")
        expect(rows(foreign)).to_have_count(0)
        for each in (other, foreign):  # what is open works on, and looks for its server
            each.close()
        port = urlsplit(address).port

    with started(kept, port):
        # after a restart: the open tab, whose ticket is nobody's any more, and a new one
        page.goto("about:blank")
        page.goto(shown)
        shows(page, "Save")
        page.locator(".av-atlas-canvas").first.focus()
        page.keyboard.press("]")
        shows(page, "color")
        page.wait_for_function("location.hash.includes('aaaa00000002')")
        new = mine.new_page()
        new.goto(f"{address}#compare=bbbb00000001")
        expect(new.locator(".av-compare[data-state=ready]")).to_be_visible()
        new.goto("about:blank")
        new.goto(f"{address}#run=cccc00000001")
        shows(new, "Save")
        expect(new.locator(".av-notice").first).to_contain_text("cccc00000001 is not among your kept runs")
        new.get_by_role("button", name="Kept runs", exact=True).click()
        expect(new.get_by_role("searchbox", name="Search kept runs")).to_be_focused()

        # deleted and brought back, what is on screen too; a folder that was copied in is found
        shutil.copytree(kept / "runs" / "tall", kept / "runs" / "copied")
        unfold(page)
        expect(rows(page)).to_have_count(4)
        page.get_by_role("button", name="Delete: what color is the star?").click()
        expect(rows(page)).to_have_count(3)
        expect(page.locator(".av-root[data-state=empty]")).to_be_visible()
        assert not (kept / "runs" / "star").exists()
        page.get_by_role("button", name="Undo").click()
        expect(rows(page)).to_have_count(4)
        assert (kept / "runs" / "star" / "run.json").is_file()
        page.locator(".av-lib-open").filter(has_text="what color is the star?").click()
        shows(page, "color")
