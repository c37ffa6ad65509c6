"""The components on a page of Gradio: they hear it, tell it, outlive its events, and show what they show on `host`."""

from __future__ import annotations

import gradio as gr
import numpy as np
import pytest
from made_comparisons import write_comparison
from made_runs import chat, scene
from playwright.sync_api import expect

from adapters import open_comparison
from attention.page.viewer import AttentionViewer, ComparisonViewer
from attention.serving.routes import routes

pytestmark = pytest.mark.browser

PARTS = (
    ".av-stage",
    ".av-controls",
    ".av-tokens",
    ".av-atlas-canvas",
    ".av-overlay",
    ".av-bar",
    ".av-title",
    ".av-sinks",
)


OPEN = """document.querySelectorAll('.av-root:not(.av-library)').forEach((root) => {
  for (const panel of ['look', 'tokens']) root.__attn?.open(panel, true);
})"""


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    answer = ["a", " red", " star", "."]
    run = {"tokens": chat([(5, 8)], answer=answer), "smooth": True, "logprobs": [-0.1, -0.2, -0.1, -0.3, -0.1]}
    folder = tmp_path_factory.mktemp("comparisons") / "one"
    with open_comparison(write_comparison(folder, [scene(640, 400, 2)], [(5, 8)], [{"id": "a/b"}], **run)) as opened:
        yield opened


@pytest.fixture(scope="module")
def in_gradio(runs, comparison):
    """The address of a page of Gradio with both components: the run that its address asks for, a comparison below."""

    def opened(request: gr.Request) -> dict:
        asked = dict(request.query_params)
        if "ticket" not in asked:
            return gr.skip()
        view = {name: int(asked[name]) for name in ("layer", "head", "query") if name in asked}
        return {"id": asked["ticket"], "ticket": asked["ticket"], "kind": "run", "view": view}

    def chosen(event: gr.EventData) -> dict:
        return event._data

    def find(ticket: str):
        return comparison if ticket == "one" else runs[ticket]

    with gr.Blocks(fill_width=True) as demo:
        with gr.Row():
            nothing, two, one = (gr.Button(f"open {name}") for name in ("nothing", "two", "one"))
        viewer = AttentionViewer()
        selected = gr.JSON(elem_id="selected")
        compared = ComparisonViewer()
        nothing.click(lambda: None, None, viewer)
        two.click(lambda: {"id": "two", "ticket": "two", "kind": "run"}, None, viewer)
        one.click(lambda: {"id": "one", "ticket": "one", "kind": "comparison"}, None, compared)
        for each in (viewer, compared):
            each.select(chosen, None, selected, queue=False, show_progress="hidden")
        demo.load(opened, None, viewer)
    _, url, _ = demo.launch(
        prevent_thread_lock=True,
        quiet=True,
        ssr_mode=False,
        _frontend=False,  # as the app is: no start fails because the machine has much to do
        server_name="127.0.0.1",
        app_kwargs={"routes": routes(find)},
    )
    yield url
    demo.close()


@pytest.fixture
def page(pages, in_gradio, tools):
    page = pages.lend()
    page.goto(f"{in_gradio}?ticket=two&layer=2&head=1&__theme=light")
    tools.wait(page)
    page.evaluate(OPEN)
    return page


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.full)])
def test_a_component_in_gradio_is_the_one_on_the_bare_page(pages, in_gradio, address, tools, theme):
    page = pages.lend(theme=theme)

    def seen():
        boxes = [page.locator(part).first.bounding_box() for part in PARTS]
        boxes += [token.bounding_box() for token in page.locator(".av-token").all()[-12:]]
        texts = [
            page.locator(part).first.inner_text() for part in (".av-title", ".av-sentence", ".av-facts", ".av-sinks")
        ]
        styles = page.evaluate(
            """() => ['.av-root', '.av-toggle', '.av-token', '.av-title', '.av-choice select'].map((part) => {
            const { color, fontSize, fontFamily, padding, borderTopWidth, backgroundColor, lineHeight, boxSizing } =
              getComputedStyle(document.querySelector(part));
            return [part, color, fontSize, fontFamily, padding, borderTopWidth, backgroundColor, lineHeight, boxSizing];
            })"""
        )
        return boxes, texts, styles, tools.canvas_pixels(page, ".av-overlay")

    found = []
    for place in (in_gradio, address):
        page.goto(f"{place}?ticket=two&layer=2&head=1&__theme={theme}")
        tools.wait(page)
        page.evaluate(OPEN)
        found.append(seen())
    *of_gradio, pixels = found[0]
    *on_host, bare_pixels = found[1]
    assert of_gradio == on_host
    assert np.array_equal(pixels, bare_pixels)


def test_python_hears_what_was_selected(page, tools):
    page.get_by_role("button", name="next head").first.click()
    expect(page.locator("#selected")).to_contain_text('"head"')
    expect(page.locator("#selected")).to_contain_text("2")


def test_python_hears_what_was_chosen_in_a_comparison(page, tools):
    page.get_by_role("button", name="open one").click()
    page.wait_for_selector(".av-compare[data-state=ready]")
    page.locator(".av-compare .av-token").last.click()
    expect(page.locator("#selected")).to_contain_text("measure")
    text = page.locator("#selected").inner_text()
    assert all(word in text for word in ("layer", "head", "token", "left", "right", "names"))


def test_another_value_is_shown_and_none_empties_it(page, tools):
    page.get_by_role("button", name="open nothing").click()
    tools.wait(page, "empty")
    expect(page.locator(".av-token")).to_have_count(0)
    page.get_by_role("button", name="open two").click()
    tools.wait(page)


def test_a_reload_shows_what_was_chosen_before(page, tools):
    tools.select(page, layer=5, head=3, grid=1)
    page.wait_for_function("window.location.hash.includes('layer=5')")
    page.reload()
    tools.wait(page, layer=5, head=3, grid=1)
