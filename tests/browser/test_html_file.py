"""The HTML file in a browser without a network, from disk: the page's own numbers, and words for what it lacks."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from types import ModuleType

import numpy as np
import pytest
from browser.conftest import EXAMPLES, NARROW, WIDE
from made_comparisons import write_clicks
from made_runs import chat, scene, write_run
from playwright.sync_api import expect

from attention import Target, read_region, region_scores
from attention.comparisons.regions import region_change
from attention.exports.export import export
from attention.exports.html import notebook
from attention.folders import open_folder
from attention.readings.forecast import open_forecast
from attention.runs.run import open_run

pytestmark = pytest.mark.browser
HOSTILE = '</script><img src=x onerror="window.broken=1">'


@pytest.fixture
def open_file(chromium):
    """Open a file from disk in a browser that has no network; what it asks for and what goes wrong is looked at."""
    contexts, asked, faults = [], [], []

    def open_file(path, size=WIDE, scheme="light", state="ready"):
        contexts.append(chromium.new_context(viewport=size, color_scheme=scheme, offline=True))
        page = contexts[-1].new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: message.type == "error" and faults.append(message.text))
        page.goto(path.as_uri())
        if state:
            page.wait_for_selector(f".av-root[data-state={state}]")
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert not [url for url in asked if not url.startswith(("file:", "blob:"))]
    assert len([url for url in asked if url.startswith("file:")]) == len(contexts)
    assert not faults


def select(page, **change):
    page.evaluate("change => document.querySelector('.av-root').__attn.select(change)", change)


def test_maps_are_those_of_the_page_to_the_pixel(open_page, open_file, runs, tools, tmp_path):
    path = export(runs["captured"], "html", tmp_path / "x.html", tokens="answer", layer=2, head=1, query=92)
    page, file = open_page("captured", layer=2, head=1, query=92), open_file(path)
    # both as wide, so that the same pixels are painted
    wide = "width => { document.querySelector('.av-see').style.cssText = `width: 480px; height: 700px; flex: none`; }"
    for choice in ({}, {"layer": "mean", "head": "mean"}, {"layer": 3, "head": "max"}):
        for each in (page, file):
            each.evaluate(wide)
            select(each, **choice)
            said = "".join(f'[data-{name}="{value}"]' for name, value in choice.items())
            each.wait_for_selector(f".av-root[data-state=ready]{said}")
        one, other = tools.shown(page), tools.shown(file)
        assert one.cells.size == 77 and np.array_equal(one.cells, other.cells) and np.array_equal(one.row, other.row)
        assert (one.range, one.source, one.dtype) == (other.range, other.source, other.dtype)
        pixels = [tools.canvas_pixels(each, ".av-overlay") for each in (page, file)]
        assert pixels[0].shape == pixels[1].shape and np.array_equal(*pixels) and pixels[0].any()


def test_what_is_left_out_is_said_and_what_is_there_comes_back(open_file, tmp_path):
    with open_run(EXAMPLES / "shapes") as run:
        path = export(run, "html", tmp_path / "x.html", tokens="answer", layers="1-2", heads="0,3", layer=1, head=3)
    page = open_file(path)
    expect(page.locator("#holds")).to_have_text(
        "This file holds the rows of 3 of 95 tokens (92–94), in 2 of 5 layers (1–2) and 2 of 4 heads (0, 3)."
    )
    expect(page.locator("#left-out")).to_contain_text("the rows of 92 other tokens, who reads a token")
    message = page.locator(".av-message")
    for change, words in (
        ({"token": 84, "until": None}, "The row of position 84 (layer 1, head 3) is not in this file. This file holds"),
        ({"token": 93, "layer": 4}, "The row of position 92 (layer 4, head 3) is not in this file."),
        ({"layer": 1, "head": 2}, "The row of position 92 (layer 1, head 2) is not in this file."),
        ({"head": 3, "direction": "read by"}, "Who reads position 93 (layer 1, head 3) is not in this file."),
        ({"direction": "reads", "until": 94}, "The mean of the rows of positions 92 to 93 (layer 1, head 3) is not in"),
    ):
        select(page, **change)
        page.wait_for_selector(".av-root[data-state=error]")
        expect(message).to_contain_text("Not in this file")
        expect(message).to_contain_text(words)
    select(page, until=None, layer="mean")
    page.wait_for_selector(".av-root[data-state=ready][data-layer=mean]")
    expect(message).to_be_empty()
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator(".av-keep-said")).to_contain_text("This file makes no others")
    assert page.locator(".av-keep-file:visible").count() == 0
    select(page, layer=1, head=3)
    for name in ("Silence this head", "Try without it"):  # there is no model to run
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_a_file_opens_with_the_forecast_that_it_holds_and_offers_no_other(open_file, runs, tmp_path):
    run = runs["forecast"]
    of = open_forecast(run, Target.of(run))
    path = export(run, "html", tmp_path / "x.html", tokens="answer", layer=1, head=2, reading="forecast")
    page = open_file(path, NARROW)
    root = page.locator(".av-root[data-state=ready][data-effect]")
    expect(root).to_have_attribute("data-direction", "received")
    held = page.evaluate("document.querySelector('.av-root').__attn.values")
    assert np.array_equal(np.float32(held), of.keys(1)[2][run.cells(0)].reshape(-1))
    page.get_by_role("button", name="All tokens").click()
    page.locator("[data-show=read]").click()
    expect(page.locator(".av-root[data-state=ready]:not([data-effect])")).to_be_visible()
    page.locator("[data-show=forecast]").click()
    expect(root).to_be_visible()
    assert page.locator(".av-show select option").all_inner_texts()[:1] == ["of the answer"]


def test_a_comparison_opens_narrow_and_dark(open_file, tmp_path):
    with open_folder(EXAMPLES / "compared") as found:
        path = export(found, "html", tmp_path / "x.html", tokens="answer")
    page = open_file(path, NARROW, "dark")
    assert page.evaluate("document.body.classList.contains('dark')")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.evaluate("document.querySelector('.av-root').__attn.look({ measure: 'tv_row', of: 'token' })")
    page.wait_for_selector(".av-root[data-state=ready][data-measure=tv_row]")
    with open_folder(EXAMPLES / "compared") as found:
        query = page.evaluate("document.querySelector('.av-root').__attn.state.pair.before.query")
        held = page.evaluate("[...document.querySelector('.av-root').__attn.state.change.values]")
        assert np.array_equal(np.float32(held), found.change("tv_row", 0, query).reshape(-1))
        cells = page.evaluate("[...document.querySelector('.av-root').__attn.state.pair.after.cells]")
        row = found.adapters[0].reduced_row("mean", "mean", query, source="factors")
        assert np.array_equal(np.float32(cells), row[found.base.cells(0)].reshape(-1))
    page.get_by_role("button", name="All tokens").click()
    block = page.locator(".av-tokens .av-block").last
    block.scroll_into_view_if_needed()
    expect(block).to_contain_text("red")


def test_answers_that_differ_come_with_their_fields_and_each_with_its_picture(open_file, tmp_path):
    with open_folder(write_clicks(tmp_path / "clicks", (5, 8))) as found:
        path = export(found, "html", tmp_path / "x.html", tokens="answer")
        group = next(each for each in found.aligned("run_1") if each["name"] == "y")
        page = open_file(path)
        select(page, layer=1, head=2, token=group["base"][1] + 1)
        page.wait_for_selector(f".av-root[data-state=ready][data-query='{group['base'][1]}']")
        held = page.evaluate("[...document.querySelector('.av-root').__attn.state.pair.after.row]")
        first, last = group["other"]
        rows = [found.run("run_1").row(1, row, source="factors")[2] for row in range(first, last + 1)]
        assert np.allclose(held, np.mean(rows, axis=0)[: found.shared()], atol=1e-6)
        change = page.evaluate("[...document.querySelector('.av-root').__attn.state.change.values]")
        assert np.allclose(change, found.change("js_image", 0).reshape(-1), atol=1e-6)
        pictures = page.locator("[data-pane=before] .av-picture, [data-pane=after] .av-picture")
        sizes = [picture.evaluate("image => [image.src, image.naturalWidth]") for picture in pictures.all()]
        assert len({src for src, _ in sizes}) == 2 and all(width for _, width in sizes)


def test_text_of_people_and_models_stays_text(open_file, tmp_path):
    tokens = chat([(2, 3)], prompt=[HOSTILE], answer=[HOSTILE])
    said = {"tokens": tokens, "prompt": HOSTILE, "answer": HOSTILE}
    with open_run(write_run(tmp_path / "run", [scene(90, 60)], [(2, 3)], **said)) as run:
        page = open_file(export(run, "html", tmp_path / "x.html"))
    expect(page.locator(".av-tokens")).to_contain_text(HOSTILE.replace(" ", "·"))
    assert page.title().endswith(HOSTILE)
    assert page.evaluate("window.broken") is None and page.locator("img[src=x]").count() == 0


def cell_of_the_readme() -> str:
    """The README's cell for a notebook; it ends in a run."""
    root = EXAMPLES.parents[1]
    blocks = re.findall(
        r"^```python\n(.*?)^```", (root / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    (code,) = (block for block in blocks if "from_pretrained" in block)
    assert len([line for line in code.splitlines() if line]) == 8
    return code


def by_kernel(code: str) -> tuple[str, dict[str, str]]:
    """A cell as a kernel prints it, and the formats of its last line: of a process of its own."""
    import nbclient
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    place = {"metadata": {"path": str(EXAMPLES.parents[1])}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place).execute()
    outputs = notebook.cells[0].outputs
    (printed,) = [each["text"] for each in outputs if each.get("name") == "stdout"]
    (output,) = [each["data"] for each in outputs if each["output_type"] == "execute_result"]
    return printed, output


def by_shell(code: str) -> tuple[str, dict[str, str]]:
    """The same of the shell that a kernel has, in this process."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    settings = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell(config=settings, user_module=ModuleType("notebook_cell"))
    with redirect_stdout(StringIO()) as printed:
        done = shell.run_cell(code)
    done.raise_error()
    return printed.getvalue(), shell.display_formatter.format(done.result)[0]


@pytest.mark.parametrize("run_cell", [by_shell, pytest.param(by_kernel, marks=pytest.mark.full)])
def test_a_run_of_a_model_in_memory_shows_itself_in_a_notebook(run_cell, open_file, tmp_path, monkeypatch):
    monkeypatch.chdir(EXAMPLES.parents[1])
    monkeypatch.setattr(notebook, "_apps", [])  # in this process others may show apps
    printed, output = run_cell(cell_of_the_readme())
    assert printed.startswith("what color is the star 0.9")
    assert output["text/plain"].startswith("Run(")
    shown = output["text/html"]
    assert re.match(r'<iframe sandbox="allow-scripts allow-downloads" ', shown) and len(shown) < 5.5e6
    path = tmp_path / "cell.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><body>{shown}", encoding="utf-8")
    page = open_file(path, state=None)
    frame = page.frame_locator("iframe")
    frame.locator(".av-root[data-state=ready]").wait_for()
    expect(frame.locator("#holds")).to_contain_text("of 94 tokens")
    frame.get_by_role("button", name="All tokens").click()
    frame.locator('[data-token="86"]').first.click()  # " star"
    expect(frame.locator(".av-root[data-state=ready]")).to_have_attribute("data-token", "86")


@pytest.mark.parametrize(
    ("notebook_at", "is_there"),
    [
        ("http://localhost:8888/lab", True),
        ("http://localhost:8888/lab", False),
        ("https://hub.example/lab", True),  # a page that the app lets frame nothing of its own
        ("https://known.example/lab", True),
    ],
)
def test_a_frame_of_an_app_that_is_not_reached_becomes_words(chromium, monkeypatch, notebook_at, is_there):
    app = "http://127.0.0.1:7860/attention/shown"
    monkeypatch.setattr(notebook, "_apps", [])
    for elsewhere in notebook.ELSEWHERE:
        monkeypatch.delenv(elsewhere, raising=False)
    notebook.shown_by(lambda found: f"{app}/ticket", ["known.example"])
    with open_run(EXAMPLES / "shapes") as run:
        shown = run._repr_html_()
    context = chromium.new_context()
    page = context.new_page()
    page.route(
        "**", lambda route: route.fulfill(body=f"<!doctype html><body>{shown}", content_type="text/html")
        if route.request.url == notebook_at
        else route.fulfill(status=404, body="it is there")
        if is_there
        else route.abort("connectionrefused"),
    )  # fmt: skip
    page.goto(notebook_at)
    if is_there and "hub" not in notebook_at:
        expect(page.frame_locator("iframe").locator("body")).to_contain_text("it is there")
        page.evaluate("near => fetch(near, { mode: 'no-cors' }).then(() => 0)", app)  # after the frame's own question
        expect(page.locator("p")).to_have_count(0)
    else:
        expect(page.locator("p")).to_contain_text("which this browser does not reach")
        expect(page.locator("iframe")).to_have_count(0)
    context.close()


def test_a_place_comes_with_the_file_and_all_that_is_measured_of_it(open_file, tmp_path):
    box = (30.5, 20, 120, 90)
    with open_run(EXAMPLES / "shapes") as run:
        path = export(run, "html", tmp_path / "run.html", tokens="answer", layer=3, head=1, query=92, box=list(box))
        scores = region_scores(run, read_region(run, box), 92)
    page = open_file(path)
    held = page.evaluate("document.querySelector('.av-root').__attn.state.region")
    assert held == {"image": 0, "label": "", "place": list(box), "isDrawn": True}
    expect(page.locator(".av-sentence")).to_contain_text("in the drawn box")
    expect(page.locator("#left-out")).to_contain_text("what each head puts in another place of the picture")
    page.locator(".av-overlay").first.focus()
    page.keyboard.press("m")
    rank = f"{scores.of_head(3, 1)['region_rank']:.0f}"
    expect(page.locator(".av-mark-measures")).to_contain_text(f"best cell ranks {rank}")
    page.evaluate("document.querySelector('.av-root').__attn.look({ order: 'region_share', atlasView: 'best' })")
    page.wait_for_selector(".av-atlas[data-view=best][data-order=region_share] .av-atlas-frame:not(.av-stale)")
    first = page.evaluate("document.querySelector('.av-root').__attn.maps[0]")
    assert [(first["layer"], first["head"])] == scores.best(n=1)
    page.locator(".av-mark-input").fill("1 1 9 9")
    page.locator(".av-mark-input").press("Enter")
    expect(page.locator(".av-mark-measures")).to_contain_text("is not in this file")


def test_a_comparison_keeps_the_change_in_a_place(open_file, tmp_path):
    box = (30, 20, 120, 90)
    with open_folder(EXAMPLES / "compared") as found:
        path = export(found, "html", tmp_path / "x.html", tokens="answer", box="30,20,120,90")
        page = open_file(path)
        page.evaluate("document.querySelector('.av-root').__attn.look({ measure: 'region_rank', of: 'token' })")
        page.wait_for_selector(".av-root[data-state=ready][data-measure=region_rank][data-of=token]")
        query = page.evaluate("document.querySelector('.av-root').__attn.state.pair.before.query")
        held = page.evaluate("[...document.querySelector('.av-root').__attn.state.change.values]")
        expected = region_change(found, read_region(found.base, box), "region_rank", 0, query)
        assert np.array_equal(np.float32(held), expected.reshape(-1)) and expected.any()
