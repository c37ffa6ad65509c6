"""The app's adapters in Chromium: the tab that compares, and another adapter in Explore with the view kept."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import TimeoutError as NotInTime
from playwright.sync_api import expect

import app
from adapters import open_comparison
from adapters.catalog import BUNDLED
from attention import open_run
from attention.exports.export import export
from attention.models.kept import free
from attention.visitors.store import RunCache

pytestmark = pytest.mark.browser

SHAPES = Path(__file__).parents[2] / "assets" / "examples" / "shapes.png"
QUESTION = "what color is the circle?"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    cache = RunCache(tmp_path_factory.mktemp("runs"), library=True)
    service = app.new_service(cache, is_hosted=False, model="pocket")
    demo = app.launch(service, quiet=True)
    service.wait_until_loaded()
    yield service, demo.local_url
    demo.close()
    service.close()
    free()


@pytest.fixture
def page(pages, running):
    page = pages.lend()
    page.goto(running[1])
    expect(page.locator(".av-root[data-state=ready]").first).to_be_visible()
    yield page
    for row in running[0].runs():  # no test finds what another left
        running[0].remove(row["ticket"])


def shown(locator):
    """Of controls that both tabs have, the one on the tab in front."""
    return locator.locator("visible=true")


def open_tab(page):
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator(".av-compare[data-state=ready]")).to_be_visible()


def unfold(page, tab):
    """Open the settings of a tab, and return its question."""
    page.locator(f"#{tab}-chip").click()
    expect(page.locator(f"#{tab}-settings")).to_be_visible()
    expect(shown(page.get_by_label("Model", exact=True))).not_to_have_value("")
    return shown(page.get_by_label("Question"))


def add_picture(page):
    shown(page.locator(".av-tray")).locator("input[type=file]").set_input_files(SHAPES)
    expect(shown(page.locator(".av-tray-thumb"))).to_have_count(1)


def choose(page, label, name):
    """Choose what is offered, once it is: of offers that come while somebody types, Gradio lists none."""
    field = shown(page.get_by_label(label))
    option = page.get_by_role("option", name=re.compile(f"^{name}")).locator("visible=true").first
    for _ in range(60):
        field.click()
        field.fill(name)
        try:
            option.click(timeout=2000)
            break
        except NotInTime:
            field.fill("")
            field.press("Escape")
    field.press("Escape")


def status(page):
    return page.locator("#compare-status .av-status-text")


def facts(page):
    return page.locator("#compare-status .av-status-facts")


def answer(page):
    return shown(page.locator(".av-spoken"))


def note(page):
    return page.locator("#compare-note textarea")


def selection(page):
    """The selection in Explore by the address."""
    fields = parse_qs(urlsplit(page.url).fragment)
    return {name: fields.get(name) for name in ("token", "layer", "head")}


def test_the_tab_opens_with_a_finished_comparison_and_both_answers_and_offers_adapters(
    page, running, tmp_path, monkeypatch
):
    monkeypatch.setattr(running[0], "job", None)  # a call would fail
    open_tab(page)
    expect(facts(page)).to_contain_text("pocket beside largest")
    expect(page.locator("#compare-chip")).to_have_text("pocket, tiny demo model")
    expect(answer(page)).to_have_text("red · largest blue")

    # what is offered are the bundled adapters
    field = shown(page.get_by_label("LoRA adapters or other models, one to twelve"))
    field.click()
    for folder in BUNDLED.iterdir():
        if folder.is_dir():
            expect(page.get_by_role("option", name=folder.name).locator("visible=true")).to_be_visible()

    # one that cannot be used is refused before anything runs
    field.fill(str(tmp_path / "nothing here"))
    field.press("Enter")
    expect(page.locator("#health textarea")).to_have_value(re.compile("nothing here"))
    assert running[0].runs() == []


def test_a_comparison_of_ones_own_is_drawn_kept_and_deleted(page, running):
    open_tab(page)
    question = shown(page.get_by_label("Question"))
    add_picture(page)
    question.fill(QUESTION)
    choose(page, "LoRA adapters or other models, one to twelve", "german")
    expect(page.locator("#health textarea")).to_have_value(re.compile("rank 8"))
    shown(page.get_by_role("button", name="Run", exact=True)).click()
    expect(facts(page)).to_have_text(re.compile(f"^{re.escape(QUESTION)} · pocket beside german;"))
    expect(page.locator(".av-compare[data-state=ready]")).to_be_visible()
    expect(page.locator(".av-compare")).to_contain_text("german")
    assert [row["kind"] for row in running[0].runs()] == ["comparison"]
    unfold(page, "compare")
    expect(shown(page.locator(".av-lib-open"))).to_contain_text("german at 1")
    shown(page.get_by_role("button", name=f"Delete: {QUESTION}")).click()
    expect(shown(page.locator(".av-lib-said"))).to_contain_text(f"Deleted: {QUESTION}")
    expect(status(page)).to_have_text("This comparison was deleted.")
    expect(page.locator(".av-compare[data-state=empty]")).to_be_visible()
    assert running[0].runs() == []


def test_explore_runs_again_with_an_adapter_and_keeps_the_view(page, running):
    add_picture(page)
    shown(page.get_by_label("Question")).fill(QUESTION)
    page.get_by_role("button", name="Run", exact=True).locator("visible=true").click()
    expect(answer(page)).to_have_text("green")
    page.locator(".av-root:visible").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    before = selection(page)
    unfold(page, "explore")
    choose(page, "LoRA adapter", "german")
    expect(answer(page)).to_have_text("grün")
    expect(page.locator(".av-root[data-state=ready]").first).to_be_visible()
    assert selection(page) == before and any(before.values())
    assert {row["prompt"] for row in running[0].runs()} == {QUESTION}


def test_a_zip_of_the_other_kind_is_opened_in_the_other_tab(page, running, tmp_path):
    examples = SHAPES.parent
    with open_comparison(examples / "compared") as comparison, open_run(examples / "window") as run:
        both = export(comparison, "zip", tmp_path / "both.zip"), export(run, "zip", tmp_path / "run.zip")
        prompt = run.info["prompt"]
    front = page.locator("[role=tab][data-tab-id][aria-selected=true]")
    unfold(page, "explore")
    page.get_by_test_id("Open a run zip-upload-button").set_input_files(both[0])
    expect(front).to_have_text("Compare")
    expect(page.locator(".av-compare[data-state=ready]")).to_be_visible()
    expect(facts(page)).to_contain_text("beside largest")
    kept = [row for row in running[0].runs() if row["kind"] == "comparison"]
    assert page.evaluate("document.querySelector('.av-compare').__attn.state.manifest.ticket") == kept[0]["ticket"]
    unfold(page, "compare")
    page.get_by_test_id("Open a comparison zip-upload-button").set_input_files(both[1])
    expect(front).to_have_text("Explore")
    expect(shown(page.locator(".av-root[data-state=ready] .av-question"))).to_contain_text(prompt)
    page.get_by_role("tab", name="Compare").click()
    expect(note(page)).to_have_value("That zip is a single run. It is open in the tab Explore.")
