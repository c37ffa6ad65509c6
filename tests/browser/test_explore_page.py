"""The page of the app in Chromium: from a picture and a question to a drawn run, and runs that are there already."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from fake_hub import Hold, fake_hub
from gradio_client import Client, handle_file
from pictures import noise, write_bad
from playwright.sync_api import expect
from served import hold_at, nothing_is_left, seconds_until, served

from attention import open_run
from attention.exports.export import export

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.hacked=1"> ${window.hacked=1} {{window.hacked=1}} what color is the star?'


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with served(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture
def picture(tmp_path):
    noise().save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


@pytest.fixture
def open_app(pages, running):
    """Open the page of the app."""

    def open_app():
        page = pages.lend()
        page.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        page.goto(running[1])
        return page

    return open_app


@pytest.fixture
def page(open_app):
    return open_app()


def unfold(page):
    """Open the inputs, where they are folded away."""
    question, band = page.get_by_label("Question"), page.get_by_role("button", name="Your own picture and question")
    expect(band).to_be_visible()
    if not question.is_visible():
        band.click()
    expect(question).to_be_visible()
    expect(page.get_by_label("Model", exact=True)).not_to_have_value("")


def ask(page, picture, prompt):
    unfold(page)
    page.locator("input[type=file]").first.set_input_files(picture)
    expect(
        page.locator("button[aria-label='Remove Image'], button[title='Clear'], button[aria-label='Clear']").first
    ).to_be_visible()
    page.get_by_label("Question").fill(prompt)
    page.get_by_role("button", name="Run", exact=True).click()


def status(page):
    return page.locator("#status textarea")


def test_a_run_of_ones_own_is_drawn_and_the_inputs_fold_away(page, running, picture):
    unfold(page)
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Answer length, at most").fill("5")
    ask(page, picture, HOSTILE)
    expect(status(page)).to_have_value(re.compile(" tokens; "))
    expect(page.locator("[data-state=ready]")).to_be_visible()
    expect(page.get_by_label("Question")).not_to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert nothing_is_left(running[0])


def test_stop_stops_and_the_next_run_works(page, running, picture, monkeypatch):
    for phase, said in (("answer", "Writing the answer"), ("capture", "Capturing")):
        with monkeypatch.context() as patch:
            reached = hold_at(patch, phase)
            ask(page, picture, "click Save")  # a long answer, whatever is in the picture
            assert reached.wait(30)
            expect(status(page)).to_have_value(re.compile(said))
            page.get_by_role("button", name="Stop").click()
            assert seconds_until(lambda: nothing_is_left(running[0])) < 1.5
            expect(status(page)).to_have_value("Stopped. Nothing was kept of this run.")
            expect(page.get_by_role("button", name="Run", exact=True)).to_be_enabled()
            expect(page.get_by_role("button", name="Stop")).to_be_disabled()
        page.reload()
    unfold(page)
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Answer length, at most").fill("3")
    ask(page, picture, "what color is the star?")
    expect(status(page)).to_have_value(re.compile(" tokens; "))


def test_a_download_says_how_far_it_is_and_stop_stops_it(page, running, picture, tiny_folder, tmp_path, monkeypatch):
    with fake_hub({"tiny/model": Path(tiny_folder)}, tmp_path / "cache", monkeypatch) as hub:
        hold = hub.held["model.safetensors"] = Hold()
        unfold(page)
        page.get_by_label("Model", exact=True).fill("tiny/model")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="More settings").click()
        page.get_by_label("Answer length, at most").fill("3")
        ask(page, picture, "what color is the star?")
        assert hold.reached.wait(30)
        expect(status(page)).to_have_value(re.compile(r"Downloading the model: \d\.\d of 0\.\d MB"))
        page.get_by_role("button", name="Stop").click()
        assert seconds_until(lambda: nothing_is_left(running[0])) < 1.5
        expect(status(page)).to_have_value("Stopped. Nothing was kept of this run.")
        hub.held.clear()
        hold.release.set()
        page.get_by_role("button", name="Run", exact=True).click()
        expect(status(page)).to_have_value(re.compile(" tokens; "))


def test_a_closed_page_stops_its_run(chromium, running, picture, monkeypatch):
    page = chromium.new_page()
    page.goto(running[1])
    reached = hold_at(monkeypatch, "answer")
    ask(page, picture, "what color is the star?")
    assert reached.wait(30)
    expect(status(page)).to_have_value(re.compile("Writing the answer"))  # the page listens: now its end is noticed
    page.close()
    assert seconds_until(lambda: nothing_is_left(running[0])) < 5


def test_what_is_wrong_is_said_and_the_inputs_stay(page, running, picture, tmp_path):
    ask(page, picture, " ")
    expect(status(page)).to_have_value(re.compile("prompt is empty"))
    expect(page.get_by_test_id("toast-body")).to_contain_text("prompt is empty")
    expect(page.get_by_label("Question")).to_be_visible()
    page.reload()
    ask(page, write_bad(tmp_path)["not a picture"], "what color is the star?")
    expect(status(page)).to_have_value(re.compile("not a picture"))
    expect(page.get_by_label("Question")).to_have_value("what color is the star?")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_enabled()
    assert nothing_is_left(running[0])


# Runs that are there already


@pytest.fixture
def made(running, picture):
    """Make a run as a script does, and return what /analyze says of it."""
    client = Client(running[1], verbose=False)

    def made(prompt, **fields):
        return client.predict(
            images=handle_file(picture), prompt=prompt, mode="generate", max_new_tokens=3, **fields, api_name="/analyze"
        )

    yield made
    client.close()


@pytest.fixture
def archive(running, made, tmp_path):
    """A run's zip. The run itself is in the library no more."""
    run = made("what is in the zip?")
    with open_run(run["folder"]) as opened:
        export(opened, "zip", tmp_path / "run.zip")
    running[0].remove(run["ticket"])
    return tmp_path / "run.zip"


def upload(page, path):
    page.get_by_test_id("Open a run zip-upload-button").set_input_files(path)


def kept(page, prompt):
    """The newest row of the library with this question."""
    return page.locator(".av-lib-rows li").filter(has_text=prompt).first


def opened_from_the_list(page, question: str) -> None:
    unfold(page)
    kept(page, question).locator(".av-lib-open").click()


def on_screen(page):
    """The tokens that the viewer shows, once it is ready."""
    expect(page.locator("[data-state=ready]")).to_be_visible()
    return page.locator(".av-tokens")


def test_a_runs_zip_opens_and_its_inputs_make_it_again(page, running, archive):
    unfold(page)
    upload(page, archive)
    expect(on_screen(page)).to_contain_text("zip")
    expect(status(page)).to_have_value(re.compile(" tokens; "))
    expect(page.get_by_label("Question")).not_to_be_visible()
    assert nothing_is_left(running[0])
    unfold(page)
    expect(page.get_by_label("Question")).to_have_value("what is in the zip?")
    expect(page.get_by_label("Model", exact=True)).to_have_value(running[0].default_model())
    before = running[0].runs()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_label("Question")).not_to_be_visible()
    expect(status(page)).to_have_value(re.compile(" tokens; "))
    again, first = running[0].runs()[0], before[0]
    assert len(running[0].runs()) == len(before) + 1
    assert {**again, "ticket": 0, "id": 0, "created": 0} == {**first, "ticket": 0, "id": 0, "created": 0}


def test_a_zip_that_is_no_run_is_refused_in_words_and_the_run_on_screen_stays(page, running, archive, tmp_path):
    expect(on_screen(page)).to_contain_text("star")
    shown = status(page).input_value()
    unfold(page)
    before = running[0].runs()
    (tmp_path / "words <b>.zip").write_text("no zip at all")
    (tmp_path / "cut.zip").write_bytes(archive.read_bytes()[:-500])
    with zipfile.ZipFile(tmp_path / "climbs.zip", "w") as climbs:
        climbs.writestr("../../run.json", "{}")
    for name, said in (("words <b>.zip", "no zip file"), ("cut.zip", "damaged"), ("climbs.zip", "outside")):
        upload(page, tmp_path / name)
        expect(page.locator("#explore-note textarea")).to_have_value(re.compile(said))
        expect(page.get_by_test_id("toast-body").filter(has_text=said)).to_be_visible()
    (tmp_path / "notes.txt").write_text("mine")
    upload(page, tmp_path / "notes.txt")
    expect(page.get_by_test_id("toast-body").filter(has_text="Invalid file type")).to_be_visible()
    assert status(page).input_value() == shown
    expect(on_screen(page)).to_contain_text("star")
    assert running[0].runs() == before
    assert nothing_is_left(running[0])
    upload(page, archive)
    expect(on_screen(page)).to_contain_text("zip")


def test_a_zip_that_is_too_large_is_refused_with_both_numbers(page, running, archive, monkeypatch):
    unfold(page)
    monkeypatch.setattr("attention.visitors.service.LOCAL_ZIP_BYTES", 20_000)
    upload(page, archive)
    expect(page.locator("#explore-note textarea")).to_have_value(re.compile(r"run.zip .*\d MB; the limit is 0.0 MB"))
    assert nothing_is_left(running[0])


def test_the_library_lists_a_finished_run_and_opens_and_deletes_it(page, running, picture):
    unfold(page)
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Answer length, at most").fill("3")
    ask(page, picture, "what is kept?")
    expect(page.get_by_label("Question")).not_to_be_visible()
    run = running[0].runs()[0]
    assert run["prompt"] == "what is kept?"

    unfold(page)
    page.get_by_role("button", name="is there a red circle?").click()
    expect(on_screen(page)).to_contain_text("red")
    opened_from_the_list(page, "what is kept?")
    expect(on_screen(page)).to_contain_text("kept")
    expect(page.get_by_label("Question")).not_to_be_visible()

    unfold(page)
    row = kept(page, "what is kept?")
    expect(row.locator(".av-lib-open")).to_have_attribute("aria-current", "true")
    row.get_by_role("button", name="Delete: what is kept?").click()
    expect(page.locator(".av-lib-said")).to_contain_text("Deleted: what is kept?")
    expect(page.locator("[data-state=empty]")).to_be_visible()
    expect(status(page)).to_have_value("This run was deleted.")
    assert run["ticket"] not in [row["ticket"] for row in running[0].runs()]
    page.get_by_role("button", name="Undo").click()
    expect(kept(page, "what is kept?")).to_be_visible()
    assert run in running[0].runs()


def test_a_reloaded_page_is_filled_from_the_run_that_it_showed(open_app, running, made):
    run, page = made("where was I?"), open_app()
    opened_from_the_list(page, "where was I?")
    expect(on_screen(page)).to_contain_text("where")
    said = status(page).input_value()
    page.reload()
    expect(on_screen(page)).to_contain_text("where")
    expect(status(page)).to_have_value(said)
    expect(page.locator("#answer textarea")).to_have_value(run["answer"])
    expect(page.get_by_label("Question")).not_to_be_visible()
    unfold(page)
    expect(page.get_by_label("Question")).to_have_value("where was I?")
    expect(page.get_by_label("Model", exact=True)).to_have_value(running[0].default_model())


def test_a_reloaded_page_whose_run_is_gone_shows_the_example_and_says_so(open_app, running, made):
    run, page = made("gone by then?"), open_app()
    opened_from_the_list(page, "gone by then?")
    expect(on_screen(page)).to_contain_text("gone")
    running[0].remove(run["ticket"])
    page.reload()
    expect(on_screen(page)).to_contain_text("star")
    expect(page.locator(".av-notice")).to_contain_text(f"Run {run['id']} is not among your kept runs.")
    expect(status(page)).to_have_value(re.compile(" tokens; "))
    page.get_by_role("button", name="Kept runs", exact=True).click()
    expect(page.get_by_role("searchbox", name="Search kept runs")).to_be_focused()


def test_a_run_that_another_page_deleted_is_said_to_be_gone(open_app, running, made):
    run, page = made("who was quicker?"), open_app()
    unfold(page)
    expect(kept(page, "who was quicker?")).to_be_visible()
    running[0].remove(run["ticket"])
    kept(page, "who was quicker?").locator(".av-lib-open").click()
    expect(page.locator("#explore-note textarea")).to_have_value(re.compile("not here any more"))
    expect(on_screen(page)).to_contain_text("star")
    expect(kept(page, "who was quicker?")).to_have_count(0)


def test_a_kept_run_that_was_damaged_since_is_refused_in_words(open_app, made):
    run = made("still whole?")
    Path(run["folder"], "image_0.png").write_bytes(b"x")
    page = open_app()
    opened_from_the_list(page, "still whole?")
    expect(page.locator("#explore-note textarea")).to_have_value(re.compile("image_0.png of this run is damaged"))
    expect(on_screen(page)).to_contain_text("star")


def test_html_in_a_prompt_stays_text_wherever_runs_are_named(open_app, made):
    made(HOSTILE)
    page = open_app()
    unfold(page)
    row = kept(page, "<img src=x onerror")
    row.get_by_role("button", name="Delete: <img src=x onerror").click()
    expect(page.locator(".av-lib-said")).to_contain_text("<img src=x onerror")
    page.get_by_role("button", name="Undo").click()
    row.locator(".av-lib-open").click()
    expect(page.get_by_label("Question")).not_to_be_visible()
    unfold(page)
    expect(page.get_by_label("Question")).to_have_value(HOSTILE)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


def test_a_server_for_strangers_has_the_upload_and_no_library(pages, tmp_path, archive):
    with served(tmp_path, is_hosted=True) as (service, address):
        page = pages.lend()
        page.goto(address)
        unfold(page)
        expect(page.locator(".av-library")).to_have_count(0)
        upload(page, archive)
        expect(on_screen(page)).to_contain_text("zip")
        assert service.runs() == []
        page.goto("about:blank")


# The demo model


def test_the_badge_of_the_demo_model_leads_to_its_card_and_back(page):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    page.get_by_role("button", name="tiny demo model").click()
    expect(page.get_by_role("heading", name="pocket: a tiny demo model")).to_be_visible()
    expect(page.locator("#card table").first).to_be_visible()
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator("[data-state=ready]")).to_be_visible()


def test_every_example_opens_with_nothing_computed(page, running, monkeypatch):
    monkeypatch.setattr(running[0], "job", None)  # a call would fail
    folder = Path(__file__).parents[2] / "assets" / "examples"
    for entry in json.loads((folder / "examples.json").read_text(encoding="utf-8"))[::-1]:
        run = open_run(folder / entry["name"])
        unfold(page)
        page.get_by_text(f"{entry['label']}: {entry['prompt']}").click()
        expect(page.locator("#answer textarea")).to_have_value(run.info["answer"])
        expect(page.locator("[data-state=ready]")).to_be_visible()
        expect(page.get_by_role("button", name="tiny demo model")).to_be_visible()
        run.close()


# How it looks


def faces(page, css):
    """The fonts that the texts below the elements are set in, by Chromium's own count of glyphs."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("DOM.enable")
    devtools.send("CSS.enable")
    root = devtools.send("DOM.getDocument")["root"]["nodeId"]
    found = devtools.send("DOM.querySelectorAll", {"nodeId": root, "selector": css})["nodeIds"]
    used = [font for node in found for font in devtools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]]
    devtools.detach()
    return {font["postScriptName"] for font in used}


def test_bold_words_are_set_in_one_typeface(page):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    page.evaluate("document.fonts.ready")
    for css in ("#title h1", "[role=tab]", ".av-look-name", "#answer textarea", "button.primary"):
        assert len(faces(page, css)) <= 1, (css, faces(page, css))
    assert faces(page, "#title h1") == {"SourceSans3-Bold"}


# How it fits


@pytest.mark.parametrize(("size", "above"), [((1440, 900), 150), ((390, 844), 215)])
def test_the_page_is_no_wider_than_the_window_and_what_is_above_the_viewer_is_low(pages, running, size, above):
    page = pages.lend({"width": size[0], "height": size[1]})
    page.goto(running[1])
    expect(page.locator("[data-state=ready]")).to_be_visible()
    assert page.evaluate("document.querySelector('.av-root').getBoundingClientRect().top") <= above
    if size[0] > 1000:
        assert page.evaluate("document.documentElement.scrollHeight") <= size[1], "all of it at once"
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    for control in (page.locator(".av-library"), page.get_by_role("button", name="Open a run zip")):
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
