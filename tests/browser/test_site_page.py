"""A published run in a browser, from Python's own server of files, which knows no ranges."""

import functools
import http.server
import threading

import numpy as np
import pytest
from browser.conftest import EXAMPLES, NARROW, WIDE
from playwright.sync_api import expect

from attention.exports.site import write_site
from attention.folders import open_folder
from attention.runs.run import open_run

pytestmark = pytest.mark.browser


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites")
    for name in ("shapes", "compared"):
        with open_folder(EXAMPLES / name) as found:
            write_site(found, folder / name, {"layer": 3, "head": 1})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_any_row_and_column_is_computed_in_the_page_and_nobody_else_is_asked(chromium, address, tools, size):
    context = chromium.new_context(viewport=size)
    page, asked, faults = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{address}shapes/")
    page.wait_for_selector(".av-root[data-state=ready]")
    with open_run(EXAMPLES / "shapes") as run:
        query = int(run.find("star")[0])
        assert query not in run.stored_positions() or len(run.stored_positions()) == len(run.info["tokens"])
        for layer, head in ((3, 1), (0, 2), ("mean", "mean")):
            change = {"layer": layer, "head": head, "query": query}
            page.evaluate("change => document.querySelector('.av-root').__attn.select(change)", change)
            tools.wait(page, layer=layer, head=head, query=query)
            shown = tools.shown(page)
            assert np.abs(shown.row - run.reduced_row(layer, head, query)).max() < 1e-6
        page.evaluate(
            "change => document.querySelector('.av-root').__attn.select(change)",
            {"direction": "read by", "layer": 2, "head": 0},
        )
        tools.wait(page, direction="read by", layer=2, head=0)
        assert np.abs(tools.shown(page).row - run.reduced_column(2, 0, query)).max() < 4e-6
    assert not faults and not [url for url in asked if not url.startswith(address)]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()


def test_members_of_a_comparison_are_computed_in_the_page_and_what_moved_is_there(chromium, address, tools):
    page = chromium.new_page(viewport=WIDE)
    page.goto(f"{address}compared/")
    page.wait_for_selector(".av-root[data-state=ready]")
    with open_folder(EXAMPLES / "compared") as compared:
        first = compared.moved(0)[0]
        expect(page.locator(".av-moved-name").first).to_contain_text(f"layer {first['layer']} · head {first['head']}")
    page.close()
