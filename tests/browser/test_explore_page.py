"""The page of the app in Chromium: from a picture and a question to a drawn run, and runs that are there already."""

import json
import re
import zipfile
from contextlib import contextmanager
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

# What is seen before anything is scrolled or clicked: controls outside the row in which one asks, and words outside
# question and answer.
FIRST_SIGHT = """() => {
  const isSeen = (element) => {
    const { top, left, bottom, right, width, height } = element.getBoundingClientRect();
    return element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && width > 1 && height > 1
      && top < innerHeight && left < innerWidth && bottom > 0 && right > 0;
  };
  // Gradio measures its tabs with copies
  const isOurs = (element) => isSeen(element) && !element.closest('.visually-hidden');
  const all = (css) => [...document.querySelectorAll(css)].filter(isOurs);
  const controls = all('button, a[href], select, input, textarea').filter((each) => !each.closest('.ask, .av-spoken'));
  const words = all('select').map((each) => each.selectedOptions[0].text);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { parentElement, textContent } = texts.currentNode;
    if (parentElement.closest('.av-question, .av-spoken, script, style, option, .av-live')) continue;
    if (isOurs(parentElement)) words.push(...textContent.split(/\\s+/).filter((word) => /\\p{L}/u.test(word)));
  }
  return [controls.map((each) => each.textContent.trim() || each.ariaLabel || each.title), words];
}"""
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
    """Open the page of the app. At the end it must not have tried what the app's own headers forbid."""
    watched, forbidden = set(), []

    def logged(message):
        if "Content Security Policy" in message.text:
            forbidden.append(message.text)

    def open_app():
        page = pages.lend()
        if page not in watched:
            watched.add(page)
            page.on("console", logged)
        page.goto(running[1])
        return page

    yield open_app
    for page in watched:
        page.remove_listener("console", logged)
    assert not forbidden


@pytest.fixture
def page(open_app):
    return open_app()


def settings(page):
    return page.locator("#explore-settings")


def unfold(page):
    """Open the settings, where they are closed."""
    expect(page.locator("#explore-chip")).to_be_visible()
    if not settings(page).is_visible():
        page.locator("#explore-chip").click()
    expect(settings(page)).to_be_visible()
    expect(page.get_by_label("Model", exact=True)).not_to_have_value("")


def add_pictures(page, *pictures):
    """Add pictures to those of the question."""
    there = page.locator(".av-tray-thumb").count()
    page.locator(".av-tray input[type=file]").first.set_input_files(pictures)
    expect(page.locator(".av-tray-thumb")).to_have_count(there + len(pictures))


def ask(page, picture, prompt):
    add_pictures(page, picture)
    page.get_by_label("Question").first.fill(prompt)
    page.get_by_role("button", name="Run", exact=True).click()


def answer_at_most(page, tokens):
    unfold(page)
    page.get_by_label("Answer length, at most").first.fill(str(tokens))


def ticket(page):
    return page.evaluate("document.querySelector('.av-root').__attn.state.manifest?.ticket ?? ''")


@contextmanager
def another_run(page):
    """Wait until another run is on screen than before."""
    before = ticket(page)
    yield
    page.wait_for_function(
        """before => { const root = document.querySelector('.av-root');
        return root.dataset.state === 'ready' && root.__attn.state.manifest.ticket !== before; }""",
        arg=before,
    )


def status(page):
    return page.locator("#status .av-status-text")


def facts(page):
    return page.locator("#status .av-status-facts")


def test_a_run_of_ones_own_is_drawn_and_the_settings_close(page, running, picture):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    answer_at_most(page, 5)
    with another_run(page):
        ask(page, picture, HOSTILE)
    expect(facts(page)).to_contain_text(" tokens; ")
    expect(settings(page)).not_to_be_visible()
    expect(page.locator(".av-question")).to_contain_text("onerror=")
    assert page.evaluate("window.hacked") is None
    assert nothing_is_left(running[0])


def test_stop_stops_and_the_next_run_works(page, running, picture, monkeypatch):
    for phase, said in (("answer", "Writing the answer"), ("capture", "Capturing")):
        with monkeypatch.context() as patch:
            reached = hold_at(patch, phase)
            ask(page, picture, "click Save")  # a long answer, whatever is in the picture
            assert reached.wait(120)
            expect(status(page)).to_contain_text(said)
            page.get_by_role("button", name="Stop").click()
            seconds_until(lambda: nothing_is_left(running[0]))
            expect(status(page)).to_have_text("Stopped. Nothing was kept of this run.")
            expect(page.get_by_role("button", name="Run", exact=True)).to_be_enabled()
            expect(page.get_by_role("button", name="Stop")).not_to_be_visible()
        page.reload()
    expect(page.locator("[data-state=ready]")).to_be_visible()
    answer_at_most(page, 3)
    with another_run(page):
        ask(page, picture, "what color is the star?")


def test_a_download_says_how_far_it_is_and_stop_stops_it(page, running, picture, tiny_folder, tmp_path, monkeypatch):
    with fake_hub({"tiny/model": Path(tiny_folder)}, tmp_path / "cache", monkeypatch) as hub:
        hold = hub.held["model.safetensors"] = Hold()
        answer_at_most(page, 3)
        page.get_by_label("Model", exact=True).first.fill("tiny/model")
        page.keyboard.press("Enter")
        ask(page, picture, "what color is the star?")
        assert hold.reached.wait(120)
        expect(status(page)).to_have_text(re.compile(r"Downloading the model: \d\.\d of 0\.\d MB"))
        page.get_by_role("button", name="Stop").click()
        seconds_until(lambda: nothing_is_left(running[0]))
        expect(status(page)).to_have_text("Stopped. Nothing was kept of this run.")
        hub.held.clear()
        hold.release.set()
        with another_run(page):
            page.get_by_role("button", name="Run", exact=True).click()


def test_a_closed_page_stops_its_run(chromium, running, picture, monkeypatch):
    page = chromium.new_page()
    page.goto(running[1])
    reached = hold_at(monkeypatch, "answer")
    ask(page, picture, "what color is the star?")
    assert reached.wait(120)
    expect(status(page)).to_contain_text("Writing the answer")  # the page listens: now its end is noticed
    page.close()
    seconds_until(lambda: nothing_is_left(running[0]))


def test_what_is_wrong_is_said_and_the_inputs_stay(page, running, picture, tmp_path):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    said = page.locator(".av-spoken").inner_text()
    ask(page, picture, " ")
    expect(status(page)).to_contain_text("prompt is empty")
    expect(page.get_by_test_id("toast-body")).to_contain_text("prompt is empty")
    assert page.locator(".av-spoken").inner_text() == said, "the old answer stays"
    page.reload()
    ask(page, write_bad(tmp_path)["not a picture"], "what color is the star?")
    expect(status(page)).to_contain_text("not a picture")
    expect(page.get_by_label("Question").first).to_have_value("what color is the star?")
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
    expect(page.get_by_label("Model", exact=True).first).not_to_have_value("")  # what a page asks for first has come
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
    expect(facts(page)).to_contain_text(" tokens; ")
    expect(settings(page)).not_to_be_visible()
    assert nothing_is_left(running[0])
    expect(page.get_by_label("Question").first).to_have_value("what is in the zip?")
    expect(page.locator(".av-tray-thumb")).to_have_count(1)
    expect(page.get_by_label("Model", exact=True).first).to_have_value(running[0].default_model())
    before = running[0].runs()
    with another_run(page):
        page.get_by_role("button", name="Run", exact=True).click()
    again, first = running[0].runs()[0], before[0]
    assert len(running[0].runs()) == len(before) + 1
    assert {**again, "ticket": 0, "id": 0, "created": 0} == {**first, "ticket": 0, "id": 0, "created": 0}


def test_a_zip_that_is_no_run_is_refused_in_words_and_the_run_on_screen_stays(page, running, archive, tmp_path):
    expect(on_screen(page)).to_contain_text("Save")
    shown = facts(page).text_content()
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
    assert facts(page).text_content() == shown
    expect(on_screen(page)).to_contain_text("Save")
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
    expect(page.locator("[data-state=ready]")).to_be_visible()
    answer_at_most(page, 3)
    with another_run(page):
        ask(page, picture, "what is kept?")
    run = running[0].runs()[0]
    assert run["prompt"] == "what is kept?"

    unfold(page)
    page.get_by_role("button", name="is there a red circle?").click()
    expect(on_screen(page)).to_contain_text("red")
    opened_from_the_list(page, "what is kept?")
    expect(on_screen(page)).to_contain_text("kept")
    expect(settings(page)).not_to_be_visible()

    unfold(page)
    row = kept(page, "what is kept?")
    expect(row.locator(".av-lib-open")).to_have_attribute("aria-current", "true")
    row.get_by_role("button", name="Delete: what is kept?").click()
    expect(page.locator(".av-lib-said")).to_contain_text("Deleted: what is kept?")
    expect(page.locator("[data-state=empty]")).to_be_visible()
    expect(status(page)).to_have_text("This run was deleted.")
    assert run["ticket"] not in [row["ticket"] for row in running[0].runs()]
    page.get_by_role("button", name="Undo").click()
    expect(kept(page, "what is kept?")).to_be_visible()
    assert run in running[0].runs()


def test_a_kept_run_is_set_beside_the_one_on_screen(page, picture):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    answer_at_most(page, 3)
    with another_run(page):
        ask(page, picture, "what is beside?")
    with another_run(page):
        page.get_by_role("button", name="Run", exact=True).click()
    unfold(page)
    rows = page.locator("#explore-library .av-lib-rows li").filter(has_text="what is beside?")
    compare = "Compare with the run on screen: what is beside?"
    rows.first.get_by_role("button", name=compare).click()
    expect(page.locator("#explore-note textarea")).to_have_value(re.compile("on screen already"))
    rows.nth(1).get_by_role("button", name=compare).click()
    compared = page.locator(".av-root[data-same=yes]")
    expect(compared).to_be_visible()
    expect(compared.locator(".av-member-name").nth(1)).to_contain_text("run 2")


def test_a_reloaded_page_is_filled_from_the_run_that_it_showed(open_app, running, made):
    run, page = made("where was I?"), open_app()
    opened_from_the_list(page, "where was I?")
    expect(on_screen(page)).to_contain_text("where")
    said = facts(page).text_content()
    page.reload()
    expect(on_screen(page)).to_contain_text("where")
    expect(facts(page)).to_have_text(said)
    expect(page.get_by_label("Question").first).to_have_value("where was I?")
    expect(page.get_by_label("Model", exact=True).first).to_have_value(running[0].default_model())
    assert run["answer"]


def test_a_reloaded_page_whose_run_is_gone_shows_the_example_and_says_so(open_app, running, made):
    run, page = made("gone by then?"), open_app()
    opened_from_the_list(page, "gone by then?")
    expect(on_screen(page)).to_contain_text("gone")
    running[0].remove(run["ticket"])
    page.reload()
    expect(on_screen(page)).to_contain_text("Save")
    expect(page.locator(".av-notice")).to_contain_text(f"Run {run['id']} is not among your kept runs.")
    expect(facts(page)).to_contain_text(" tokens; ")
    page.get_by_role("button", name="Kept runs", exact=True).click()
    expect(page.get_by_role("searchbox", name="Search kept runs")).to_be_focused()


def test_a_run_that_another_page_deleted_is_said_to_be_gone(open_app, running, made):
    run, page = made("who was quicker?"), open_app()
    unfold(page)
    expect(kept(page, "who was quicker?")).to_be_visible()
    running[0].remove(run["ticket"])
    kept(page, "who was quicker?").locator(".av-lib-open").click()
    expect(page.locator("#explore-note textarea")).to_have_value(re.compile("not here any more"))
    expect(on_screen(page)).to_contain_text("Save")
    expect(kept(page, "who was quicker?")).to_have_count(0)


def test_a_kept_run_that_was_damaged_since_is_refused_in_words(open_app, made):
    run = made("still whole?")
    Path(run["folder"], "image_0.png").write_bytes(b"x")
    page = open_app()
    opened_from_the_list(page, "still whole?")
    expect(page.locator("#explore-note textarea")).to_have_value(re.compile("image_0.png of this run is damaged"))
    expect(on_screen(page)).to_contain_text("Save")


def test_html_in_a_prompt_stays_text_wherever_runs_are_named(open_app, made):
    made(HOSTILE)
    page = open_app()
    unfold(page)
    row = kept(page, "<img src=x onerror")
    row.get_by_role("button", name="Delete: <img src=x onerror").click()
    expect(page.locator(".av-lib-said")).to_contain_text("<img src=x onerror")
    page.get_by_role("button", name="Undo").click()
    row.locator(".av-lib-open").click()
    expect(page.get_by_label("Question").first).to_have_value(HOSTILE)
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


def test_the_chip_names_the_model_and_leads_to_its_settings_and_its_card(page):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    chip = page.locator("#explore-chip")
    expect(chip).to_have_text("pocket, tiny demo model")
    expect(settings(page)).not_to_be_visible()
    chip.click()
    expect(settings(page)).to_be_visible()
    page.get_by_role("button", name="About the tiny demo model").click()
    expect(page.get_by_role("heading", name="pocket: a tiny demo model")).to_be_visible()
    expect(page.locator("#card table").first).to_be_visible()
    chip.click()
    expect(settings(page)).not_to_be_visible()


def test_every_example_opens_with_nothing_computed(page, running, monkeypatch):
    monkeypatch.setattr(running[0], "job", None)  # a call would fail
    folder = Path(__file__).parents[2] / "assets" / "examples"
    entries = json.loads((folder / "examples.json").read_text(encoding="utf-8"))
    expect(page.locator(".av-example")).to_have_count(4)

    def opened(entry):
        run = open_run(folder / entry["name"])
        page.wait_for_function(
            """id => { const root = document.querySelector('.av-root');
            return root.dataset.state === 'ready' && root.__attn.state.info.id === id; }""",
            arg=run.info["id"],
        )
        expect(page.locator(".av-question")).to_have_text(entry["prompt"])
        words = page.locator(".av-word").all_inner_texts()
        assert "".join(words) == "".join(run.info["answer"].split())
        expect(page.locator(".av-tray-thumb")).to_have_count(len(run.info["images"]))
        run.close()

    for entry in entries[:-4:-1]:
        unfold(page)
        page.get_by_role("button", name=f"{entry['label']}: {entry['prompt']}").last.click()
        opened(entry)
    page.locator(".av-example").nth(1).click()
    opened(entries[1])


# Several pictures, several turns


def test_several_pictures_are_asked_about_and_one_is_taken_away_again(page, running, picture):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    answer_at_most(page, 3)
    add_pictures(page, picture, picture, picture)
    page.get_by_role("button", name="Remove picture 2").click()
    expect(page.locator(".av-tray-thumb")).to_have_count(2)
    page.get_by_label("Question").first.fill("what differs?")
    with another_run(page):
        page.get_by_label("Question").first.press("Enter")
    assert len(running[0].run(running[0].runs()[0]["ticket"]).info["images"]) == 2
    expect(page.locator(".av-picture-place")).to_have_text("1 of 2")
    page.get_by_role("button", name="next picture").click()
    expect(page.locator(".av-picture-place")).to_have_text("2 of 2")


def test_at_most_eight_pictures_are_taken_and_the_page_says_so(page, picture):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    page.locator(".av-tray input[type=file]").first.set_input_files([picture] * 9)
    expect(page.locator(".av-tray-thumb").locator("visible=true")).to_have_count(8)
    expect(page.locator(".av-tray-said").first).to_have_text("At most 8 pictures; 1 left out.")


def test_a_chat_goes_on_after_the_answer_on_screen(page, running, picture):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    answer_at_most(page, 3)
    with another_run(page):
        ask(page, picture, "what is it?")
    unfold(page)
    page.get_by_label("Go on with the chat on screen").check()
    page.get_by_role("button", name="Remove picture 1").first.click()
    page.get_by_label("Question").first.fill("are you sure?")
    with another_run(page):
        page.get_by_role("button", name="Run", exact=True).click()
    second, first = [running[0].run(row["ticket"]).info for row in running[0].runs()[:2]]
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][0] == first["messages"][0] and len(second["images"]) == 1
    assert second["messages"][1]["content"][0]["text"] == first["answer"]


# The first screen


def test_at_first_sight_there_are_few_controls_and_few_words(page):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    page.evaluate("document.fonts.ready")
    controls, words = page.evaluate(FIRST_SIGHT)
    assert len(controls) <= 10, controls
    assert len(words) <= 60, (len(words), " ".join(words))


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
    for css in ("#title h1", "[role=tab]", ".av-look-name", ".av-word", "button.primary"):
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
        bottom = page.evaluate("document.querySelector('.av-root').getBoundingClientRect().bottom")
        assert 0.9 * size[1] < bottom <= size[1], "all of it at once"
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    for control in (page.locator(".av-library"), page.get_by_role("button", name="Open a run zip")):
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]


# A pasted answer, and visual tokens


def paste(page, text):
    unfold(page)
    page.get_by_label("Answer to read instead (pasted)").first.fill(text)


LONG = '{"bbox_2d": [100, 50, 300, 200], "label": "it\'s \\"Save\\" 日本"}\n' * 8


def test_a_pasted_answer_is_read_labelled_and_left_again_by_emptying_the_box(page, running, picture):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    answer_at_most(page, 3)
    completion = json.dumps({"object": "chat.completion", "choices": [{"message": {"content": LONG}}]})
    paste(page, completion)
    with another_run(page):
        ask(page, picture, "click Save")
    expect(page.locator("#explore .av-spoken, .av-spoken").first).to_contain_text("pasted answer")
    expect(facts(page)).to_contain_text("pasted answer, not the model's own")
    run = running[0].run(ticket(page))
    assert run.info["forced"] and run.info["answer"] == LONG and run.info["named_places"] == 8
    paste(page, "")
    with another_run(page):
        page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".av-spoken").first).not_to_contain_text("pasted answer")
    assert not running[0].run(ticket(page)).info["forced"]


def test_a_pasted_answer_that_is_not_whole_is_refused_in_words(page, picture):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    paste(page, '{"choices": [{"message": {"content": "red", "reasoning_content": "hm"}}]}')
    ask(page, picture, "click Save")
    expect(status(page)).to_contain_text("The pasted answer is a completion with reasoning_content")


def test_all_visual_tokens_are_one_click_and_a_run_away(page, running, picture):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    said, most = page.locator(".av-read-with-less").first, page.get_by_label("Max. visual tokens").first
    expect(said).to_be_hidden()
    paste(page, "red")
    most.fill("8")
    with another_run(page):
        ask(page, picture, "what is it?")
    image = running[0].run(ticket(page)).info["images"][0]
    counts = f"{image['visual_tokens']} of {image['own_visual_tokens']}"
    expect(said).to_contain_text(f"Read with {counts} visual tokens; training may have used more.")
    said.get_by_role("button", name="Ask for").click()
    expect(settings(page)).to_be_visible()
    expect(most).to_have_value(str(image["own_visual_tokens"]))
    with another_run(page):
        page.get_by_role("button", name="Run", exact=True).click()
    expect(said).to_be_hidden()
    again = running[0].run(ticket(page)).info["images"][0]
    assert again["visual_tokens"] == image["own_visual_tokens"]


# Tried without


def test_a_place_and_a_head_are_tried_without_and_it_is_said(page, running):
    """On the first example, of the bundled model: by keyboard, beside the place's measures, in a live region.

    The address names it, and opened again offers it in the same way, with nothing computed.
    """
    expect(page.locator("[data-state=ready]")).to_be_visible()
    root, said = page.locator(".av-root"), page.locator(".av-mark .av-tried")
    expect(page.get_by_role("button", name="Try without it")).to_be_hidden()
    page.locator(".av-overlay").first.focus()
    page.keyboard.press("m")
    how = page.locator(".av-mark").get_by_label("How a place is left out")
    how.select_option("blur")
    page.get_by_role("button", name="Try without it").press("Enter")
    expect(said).to_contain_text("not why it answered.")
    for words in ("the answer’s log-probability changes by", "forecast", "other places", "Blurred", "likeliest answer"):
        expect(said).to_contain_text(words)
    assert said.get_attribute("role") == "status"
    expect(page).to_have_url(re.compile("tried=place\\+blur"))
    page.reload()
    expect(said).to_contain_text("“Try without it” computes it.")
    expect(how).to_have_value("blur")
    assert nothing_is_left(running[0])
    page.locator(".av-mark-input").fill("0 0 2 2")
    page.locator(".av-mark-input").press("Enter")
    expect(said).to_be_hidden()
    page.get_by_role("button", name="Try without it").click()
    expect(said).to_contain_text("covers half of no cell")
    page.get_by_role("button", name="Silence this head").click()
    expect(page.locator(".av-selects + .av-tried")).to_contain_text("With this head silent")
    root.evaluate("root => root.__attn.select({ head: 'mean' })")
    expect(page.get_by_role("button", name="Silence this head")).to_be_hidden()
    expect(page.locator(".av-selects + .av-tried")).to_be_hidden()


def test_a_trial_is_stopped_and_leaves_nothing(page, running, monkeypatch):
    expect(page.locator("[data-state=ready]")).to_be_visible()
    reached = hold_at(monkeypatch, "try")
    page.get_by_role("button", name="Silence this head").click()
    seconds_until(reached.is_set)
    page.locator(".av-selects").get_by_role("button", name="Stop").click()
    expect(page.locator(".av-selects + .av-tried")).to_have_text("Stopped.")
    seconds_until(lambda: nothing_is_left(running[0]))
