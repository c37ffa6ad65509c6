"""One Chromium and one small page for all browser tests.

The page is not the app: an AttentionViewer on the bare page of `host`, filled from the address (?ticket=...&layer=...)
and by two buttons. Its runs are an example of the bundled model's, one of a tiny random model, and some made by hand.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Error as PageError
from playwright.sync_api import Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
from browser.host import hosted
from browser.tickets import Tickets
from browser.viewer_coverage import collected
from made_readings import write_forecast
from made_runs import chat, scene, token, write_run
from programs import require
from shared import once

from attention.page.viewer import AttentionViewer
from attention.runs.run import open_run

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--disable-background-networking",
]
SLOWDOWN = float(os.environ.get("BROWSER_SLOWDOWN", "1"))  # of the pages' scripts: finds tests that hope for speed
EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SHAPE = (7, 23)  # of the painted run: neither square nor a divisor of anything
PAINTED = [(0, 0), (6, 22), (3, 11), (1, 17), (5, 2)]
SINKS = [4, 9, 40]  # of the run with named places: keys in layer 1, all of them cells
HTML = [
    "<img src=x onerror=window.broken=1>",
    "${window.broken=1}",
    "{{value}}",
    "</span><b>bold</b>",
    "<script>window.broken=1</script>",
]


def painted_picture(width: int, height: int, shape: tuple[int, int], cells: list[tuple[int, int]]) -> Image.Image:
    """White, with the boxes of some cells black; drawn at 8x and averaged down: borders lie where they should."""
    (rows, cols), fine = shape, 8
    picture = Image.new("RGB", (width * fine, height * fine), "white")
    for row, col in cells:
        box = [
            col * width * fine / cols,
            row * height * fine / rows,
            (col + 1) * width * fine / cols,
            (row + 1) * height * fine / rows,
        ]
        ImageDraw.Draw(picture).rectangle([round(x) - (i > 1) for i, x in enumerate(box)], fill="black")
    return picture.resize((width, height), Image.Resampling.BOX)


def crossed_run(folder: Path) -> None:
    """A run of a tiny random model that reads by cross-attention."""
    from tiny_families import write

    from attention import Request, extract
    from attention.models.kept import free

    model = write("mllama", folder.with_name("crossed_model"))
    question = {"prompt": "what is it?", "answer": "a fox", "device": "cpu"}
    extract(Request(images=(scene(300, 200, 4),), model=str(model), **question), folder).close()
    free()


def html_run(folder: Path) -> Path:
    emoji = [
        token("🦊", "answer"),
        token("", "answer"),
        token("火", "answer"),
        token("\n\n", "answer"),
        *(token(t, "answer") for t in HTML),
    ]
    tokens = chat([(2, 3)], prompt=[*HTML, " end"], system=["be", " kind"], thinking=[" hm", "\n"], answer=emoji)
    fox = next(t["index"] for t in tokens if t["text"] == "🦊")
    tokens[fox + 1]["part_of"] = fox
    return write_run(folder, [scene(90, 60)], [(2, 3)], tokens=tokens)


def large_run(folder: Path) -> Path:
    tokens = chat([(25, 40)], prompt=["what"], answer=["w"] * 30)
    sizes = {"layers": range(28), "heads": 16, "kv_heads": 8}
    return write_run(folder, [scene(800, 500)], [(25, 40)], **sizes, tokens=tokens, smooth=True)


def named_run(folder: Path) -> Path:
    return write_run(
        folder,
        [painted_picture(613, 271, SHAPE, PAINTED)],
        [SHAPE],
        sharpness=1.0,
        sinks={"language": {"1": SINKS}},
        points=[{"x": 100, "y": 50, "label": "<b>here</b>", "image": 0}],
        boxes=[{"x0": 200, "y0": 80, "x1": 400, "y1": 200, "label": "a box", "image": 0}],
    )


def two_run(folder: Path) -> Path:
    pictures = [scene(640, 360, 2), scene(200, 400, 3)]
    return write_run(folder, pictures, [(9, 16), (16, 8)], layers=(0, 2, 5), smooth=True)


def forecast_run(folder: Path) -> Path:
    """A run with a forecast beside it."""
    write_run(folder, [scene(640, 360, 2)], [(9, 16)], smooth=True)
    write_forecast(folder)
    return folder


def hybrid_run(folder: Path) -> Path:
    """Layers of linear attention before and between those with maps, and a convolution after all."""
    write_run(folder, [scene(640, 360, 2)], [(9, 16)], layers=(2, 5), smooth=True)
    info = json.loads((folder / "run.json").read_text())
    kinds = dict.fromkeys((0, 1, 3, 4), "linear") | {6: "convolution"}
    layers = info["towers"]["language"]["layers"]
    layers += [{"index": index, "kind": kind, "file": None} for index, kind in kinds.items()]
    layers.sort(key=lambda layer: layer["index"])
    (folder / "run.json").write_text(json.dumps(info))
    return folder


RUNS: dict[str, Callable[[Path], Path]] = {
    "captured": lambda _: EXAMPLES / "shapes",
    "painted": lambda folder: write_run(folder, [painted_picture(613, 271, SHAPE, PAINTED)], [SHAPE]),
    "two": two_run,
    "html": html_run,
    "large": large_run,
    "named": named_run,
    "hybrid": hybrid_run,
    "forecast": forecast_run,
    "text": lambda folder: write_run(folder, [], []),
    "crossed": lambda _: once("crossed", crossed_run),
}


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """The runs by ticket."""
    runs = Tickets(tmp_path_factory.mktemp("runs"), RUNS, open_run)
    yield runs
    runs.close()


@pytest.fixture(scope="session")
def address(runs):
    """The page's address."""
    with hosted(AttentionViewer(), runs.__getitem__) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium: the one named by CHROMIUM, or the system's."""
    path = require("browser")
    expect.set_options(timeout=60_000)  # as actions wait; a page of an app that has just started takes its time
    counted = os.environ.get("VIEWER_COVERAGE")
    with sync_playwright() as playwright, collected(Path(counted)) if counted else nullcontext():
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Pages:
    """One page for each density, used again and again: a new one has to fetch every module again.

    What was done to a page is undone before it is used again: storage, routes, permissions, the mouse's place. What the
    browser has fetched it keeps, as for a person; so pages of an app are used by the tests of one file alone: the app
    of another may have other runs at the same address.
    """

    def __init__(self, browser):
        self.browser = browser
        self.pages: dict[float, Page] = {}
        self.used: set[Page] = set()

    def lend(self, size=WIDE, theme="light", density=1, is_new=False) -> Page:
        """A page of this size that shows nothing; a new one has fetched nothing yet."""
        page = self.pages.get(density)
        if page is not None and (is_new or page.is_closed()):
            page.context.close()
            page = None
        if page is None:
            context = self.browser.new_context(viewport=size, device_scale_factor=density)
            context.set_default_timeout(60_000)
            self.pages[density] = page = context.new_page()
            if SLOWDOWN > 1:
                context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
        else:
            self.clear(page)
            page.set_viewport_size(size)
        page.emulate_media(color_scheme=theme)
        self.used.add(page)
        return page

    def clear(self, page: Page) -> None:
        if page not in self.used or page.is_closed():
            return
        page.unroute_all()
        page.context.set_offline(False)
        page.context.clear_permissions()
        page.mouse.move(0, 0)
        if not page.evaluate("() => window.enterAnew && leave()"):
            page.evaluate("() => location.protocol !== 'about:' && (sessionStorage.clear(), localStorage.clear())")
            page.goto("about:blank")
        self.used.remove(page)

    def leave(self) -> None:
        """Let no page do anything more."""
        for page in self.pages.values():
            self.clear(page)

    def close(self) -> None:
        for page in self.pages.values():
            page.context.close()


@pytest.fixture(scope="module")
def all_pages(chromium):
    pages = Pages(chromium)
    yield pages
    pages.close()


@pytest.fixture
def pages(all_pages):
    """`pages.lend()` is the page of this test; it looks at one at a time."""
    yield all_pages
    all_pages.leave()


@pytest.fixture(scope="session")
def all_hosted_pages(chromium):
    pages = Pages(chromium)
    yield pages
    pages.close()


@pytest.fixture
def hosted_pages(all_hosted_pages):
    """As `pages`, of the bare page: each has an address of its own, so that tests of all files share them."""
    yield all_hosted_pages
    all_hosted_pages.leave()


@pytest.fixture
def open_page(hosted_pages, address):
    """Open the page with a ticket and a view, and wait until it is ready. At the end nothing must have been thrown."""
    watched, faults = set(), []

    def thrown(error):
        faults.append(str(error))

    def logged(message):
        if message.type == "error" and "Failed to load" not in message.text:
            faults.append(message.text)

    def open_page(ticket: str = "", *, size=WIDE, theme="light", state="ready", density=1, is_new=False, **view):
        page = hosted_pages.lend(size, theme, density, is_new)
        if page not in watched:
            watched.add(page)
            page.on("pageerror", thrown)
            page.on("console", logged)
        query = "&".join(f"{name}={value}" for name, value in {"ticket": ticket, **view}.items() if value != "")
        search = f"?{query}&__theme={theme}"
        if page.url == address:  # a test before has left it clean
            page.evaluate("search => enterAnew(search)", search)
        else:
            page.goto(f"{address}{search}")
        wait(page, state)
        return page

    yield open_page
    for page in watched:
        page.remove_listener("pageerror", thrown)
        page.remove_listener("console", logged)
    assert not faults


@pytest.fixture
def touch(hosted_pages):
    """Fingers on a page, as a touch screen reports them: `touch(page)` gives `send(kind, *points)`."""
    sessions = []

    def touch(page):
        session = page.context.new_cdp_session(page)
        sessions.append(session)
        session.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})

        def send(kind, *points):
            places = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

        return send

    yield touch
    for session in sessions:
        session.detach()


def wait(page, state: str = "ready", **values) -> None:
    """Wait until the viewer says that it shows this."""
    said = "".join(f'[data-{name}="{value}"]' for name, value in values.items())
    # looked for in every frame: Playwright's own ways look again after up to a second
    css = f".av-root[data-state={state}]{said}"
    try:
        page.wait_for_function("css => document.querySelector(css)?.__attn", arg=css, timeout=60_000)
    except PageError as error:
        says = page.evaluate("[...document.querySelectorAll('.av-root')].map((root) => ({ ...root.dataset }))")
        raise AssertionError(f"waited for {css}, the viewer says {says}") from error


def still(page) -> None:
    """Wait until nothing that can be pointed at has moved for some frames: for the mouse, which knows places alone."""
    page.evaluate(
        """async () => {
        const boxOf = (each) => each.getBoundingClientRect();
        const places = () => JSON.stringify([...document.querySelectorAll('.av-root canvas')].map(boxOf));
        for (let last = '', same = 0; same < 4;) {
          await new Promise(requestAnimationFrame);
          const now = places();
          same = now === last ? same + 1 : 0;
          last = now;
        } }"""
    )


def shown(page) -> SimpleNamespace:
    """State of the viewer for the map on screen."""
    script = """() => { const { shown, drawn } = document.querySelector('.av-root').__attn.state;
        return { ...shown, row: [...shown.row], cells: [...shown.cells], masses: null, heads: null, range: drawn?.range,
                 sinks: { ...shown.sinks, cells: shown.sinks.cells && [...shown.sinks.cells] },
                 values: drawn && [...drawn.values], hidden: drawn?.hidden && [...drawn.hidden] }; }"""
    held = page.evaluate(script)
    return SimpleNamespace(**{**held, "row": np.float32(held["row"]), "cells": np.float32(held["cells"])})


def select(page, state: str = "ready", **change) -> None:
    """Select by the test handle, and wait until it is painted."""
    page.evaluate("change => document.querySelector('.av-root').__attn.select(change)", change)
    wait(page, state, **change)


def canvas_pixels(page, selector: str) -> np.ndarray:
    """A canvas as [height, width, 4] bytes."""
    found = page.evaluate(
        """css => { const c = document.querySelector(css);
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let text = ''; for (let i = 0; i < d.length; i += 8192) text += String.fromCharCode(...d.subarray(i, i + 8192));
        return [c.height, c.width, btoa(text)]; }""",
        selector,
    )
    return np.frombuffer(base64.b64decode(found[2]), np.uint8).reshape(found[0], found[1], 4)


@pytest.fixture(scope="session")
def tools():
    """The helpers above, for the tests."""
    return SimpleNamespace(
        wait=wait,
        shown=shown,
        select=select,
        canvas_pixels=canvas_pixels,
        still=still,
        WIDE=WIDE,
        NARROW=NARROW,
        SHAPE=SHAPE,
        PAINTED=PAINTED,
        SINKS=SINKS,
        HTML=HTML,
    )
