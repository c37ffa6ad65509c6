"""Places of an answer on the page: in which space its numbers were read, another one chosen, what is said of both."""

from __future__ import annotations

import pytest
from made_places import GIVEN, LIES, write_clicked
from playwright.sync_api import expect

from attention import answer_regions, region_scores, run_places
from attention.exports.export import export
from attention.runs.run import open_run

pytestmark = pytest.mark.browser

WORDS = {
    "0-1000": "thousandths of the sides",
    "read": "pixels of the 400x200 that the model saw",
    "original": "pixels of the picture as given, 600x300",
}
LABELS = {"0-1000": "(0–1000)", "read": "(px of 400×200)", "original": "(px of 600×300)"}


@pytest.fixture(scope="module", autouse=True)
def more_runs(runs, tmp_path_factory):
    root = tmp_path_factory.mktemp("places")
    folders = {
        "clicked": write_clicked(root / "clicked"),
        "guessed": write_clicked(root / "guessed", (1, 1)),
        "outside": write_clicked(root / "outside", (1500, 50)),
        "older": write_clicked(root / "older", place_habit=None, points=[{"x": 60, "y": 15, "label": "", "image": 0}]),
        "fewer": write_clicked(root / "fewer", forced=True),
    }
    runs.update({ticket: open_run(folder) for ticket, folder in folders.items()})
    runs["fewer"].info["images"][0] |= {"visual_tokens": 50, "own_visual_tokens": 2040}


def choose(page, space):
    """Choose how the answer's numbers count, and wait until they are read so."""
    page.get_by_label("Answer’s numbers").select_option(space)
    page.wait_for_function(
        "space => document.querySelector('.av-root').__attn.state.info.places_read === space", arg=space
    )


def open_look(page):
    look = page.get_by_role("button", name="Look", exact=True)
    if look.get_attribute("aria-expanded") != "true":
        look.click()


def crosshair(page):
    """The first mark's place, in pixels of the picture."""
    return page.evaluate(
        """given => { const line = document.querySelector('.av-place .av-line').getBBox();
        const marks = document.querySelector('.av-marks').getBoundingClientRect();
        const [x, y] = [line.x + line.width / 2, line.y + line.height / 2];
        return [x / marks.width * given[0], y / marks.height * given[1]]; }""",
        list(GIVEN),
    )


def test_a_mark_says_how_its_numbers_were_read_and_moves_when_they_are_read_anew(open_page, runs, tools):
    run = runs["clicked"]
    page = open_page("clicked", layer=1, head=2)
    labels, sentence = page.locator(".av-place text"), page.locator(".av-sentence")
    query = int(page.locator(".av-root").get_attribute("data-query"))
    open_look(page)
    for space in ("run", "read", "original", "0-1000"):
        if space != "run":
            choose(page, space)
        now = "0-1000" if space == "run" else space
        assert crosshair(page) == pytest.approx(LIES[now], abs=1)
        expect(labels).to_have_text([LABELS[now]])
        scores = region_scores(run, answer_regions(run, run_places(run, now).fields())[0], query)
        share = scores.of_head(1, 2)["region_share"]
        expect(sentence).to_contain_text(f"{100 * share:.1f}" if share < 0.1 else f"{100 * share:.0f}")
        said = "" if space == "run" else f"Its numbers are read as {WORDS[now]}."
        assert sentence.inner_text().endswith(said or ").") and ("Its numbers" in sentence.inner_text()) == bool(said)
    page.get_by_label("Answer’s numbers").select_option("run")
    expect(labels).to_have_text(["(0–1000)"])
    expect(page.locator(".av-unplaced")).to_be_hidden()


def test_pointing_at_a_mark_says_in_full_how_it_was_read(open_page, tools):
    page = open_page("clicked", layer=1, head=2)
    tools.still(page)
    width, height = (page.locator(".av-overlay").bounding_box()[side] for side in ("width", "height"))
    x, y = LIES["0-1000"]
    tip = page.locator(".av-frame .av-tip").first
    page.locator(".av-overlay").hover(position={"x": x / GIVEN[0] * width + 5, "y": y / GIVEN[1] * height})
    expect(tip).to_contain_text("the answer’s point read as thousandths of the sides, the habit of Qwen3-VL")
    page.locator(".av-overlay").hover(position={"x": width / 2, "y": height / 2})
    expect(tip).not_to_contain_text("read as")


def test_what_lies_outside_in_another_space_is_said_with_its_numbers_and_never_drawn(open_page, tools):
    page = open_page("clicked", layer=1, head=2)
    open_look(page)
    choose(page, "0-1")
    note = page.locator(".av-unplaced")
    expect(note).to_contain_text("1 place outside the picture")
    expect(note).to_have_attribute(
        "title",
        "The place that the answer names lies outside the picture as shares of the sides, and is left out: (100, 50).",
    )
    expect(page.locator(".av-place")).to_have_count(0)
    choose(page, "original")
    expect(note).to_contain_text("read as pixels of the picture as given, 600x300")
    assert crosshair(page) == pytest.approx(LIES["original"], abs=1)


def test_the_address_keeps_the_space_and_another_run_begins_with_its_own(open_page, tools):
    page = open_page("clicked", layer=1, head=2)
    open_look(page)
    choose(page, "read")
    page.wait_for_function("location.hash.includes('coordinates=read')")
    page.reload()
    page.wait_for_function("document.querySelector('.av-root').__attn?.state.info?.places_read === 'read'")
    expect(page.locator(".av-place text")).to_have_text([LABELS["read"]])
    page.get_by_role("button", name="open two").click()
    tools.wait(page)
    assert page.evaluate("document.querySelector('.av-root').__attn.state.coordinates") == "run"


def test_a_guess_is_dashed_with_its_reason_and_leads_to_the_choice(open_page, tools):
    page = open_page("guessed", layer=1, head=2)
    guess = page.locator(".av-guess")
    expect(guess.locator("text")).to_have_text("(0–1; 0 to 1 assumed)")
    assert guess.locator(".av-line").evaluate("line => getComputedStyle(line).strokeDasharray") != "none"
    expect(page.locator(".av-sentence")).not_to_contain_text("answer’s point")  # what is a guess is not measured
    note = page.locator(".av-unplaced")
    expect(note).to_contain_text("1 place by a guess")
    note.get_by_role("button", name="numbers").click()
    expect(page.get_by_label("Answer’s numbers")).to_be_focused()
    choose(page, "0-1000")
    expect(page.locator(".av-guess")).to_have_count(0)
    expect(page.locator(".av-place")).to_have_count(1)
    expect(page.locator(".av-sentence")).to_contain_text("answer’s point")


def test_a_run_opens_with_what_lies_outside_said_and_the_choice_beside(open_page, tools):
    page = open_page("outside", layer=1, head=2)
    note = page.locator(".av-unplaced")
    expect(note).to_contain_text("1 place outside the picture")
    note.get_by_role("button", name="numbers").click()
    expect(page.get_by_label("Answer’s numbers")).to_be_focused()


def test_an_older_run_offers_no_choice_and_an_address_that_asks_is_answered_in_words(open_page, tools):
    page = open_page("older", layer=1, head=2)
    open_look(page)
    expect(page.get_by_label("Answer’s numbers")).to_be_hidden()
    expect(page.locator(".av-place")).to_have_count(1)
    page.evaluate("document.querySelector('.av-root').__attn.look({ coordinates: 'read' })")
    expect(page.locator(".av-notice")).to_contain_text("made by an older version")
    assert page.evaluate("document.querySelector('.av-root').__attn.state.coordinates") == "run"


def test_a_file_reads_the_numbers_anew_without_an_app(open_page, runs, chromium, tmp_path):
    path = export(runs["clicked"], "html", tmp_path / "clicked.html")
    with chromium.new_context(offline=True) as context:
        page = context.new_page()
        page.goto(path.as_uri())
        page.wait_for_selector(".av-root[data-state=ready]")
        open_look(page)
        for space in ("read", "original"):
            choose(page, space)
            assert crosshair(page) == pytest.approx(LIES[space], abs=1)


# An answer that was given, and visual tokens


def test_a_given_answer_is_labelled_and_one_of_the_models_own_is_not(open_page):
    expect(open_page("fewer", layer=1, head=2).locator(".av-spoken")).to_contain_text("pasted answer")
    expect(open_page("clicked", layer=1, head=2).locator(".av-spoken")).not_to_contain_text("pasted answer")


def test_fewer_visual_tokens_are_said_beside_the_answer_where_it_is_so(open_page):
    page = open_page("fewer", layer=1, head=2)
    said = page.locator(".av-read-with-less")
    expect(said).to_contain_text("Read with 50 of 2,040 visual tokens; training may have used more.")
    expect(said.get_by_role("button")).to_have_text("Ask for 2,040")
    expect(open_page("clicked", layer=1, head=2).locator(".av-read-with-less")).to_be_hidden()
