"""The tokens in Chromium: what is tinted, framed and said is what the files hold; words, ranges, search, the line."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from made_runs import chat, scene, token, write_run
from PIL import Image
from playwright.sync_api import expect
from safetensors.numpy import load_file, save_file

from attention.runs.run import open_run

pytestmark = pytest.mark.browser

SHAPE = (4, 6)
WORDS = [" un", "believ", "able", " fox", ",", " and", "\n", "火", "山", " (", "5", "1", "2", ")", " fox", "es"]
SINKS = [0, 10]  # the first token, and a cell
HEAD = {"layer": 1, "head": 2}


def number(text: str) -> float:
    return float(re.search(r"\d[\d.]*(e-?\d+)?", text.replace("−", "-")).group())


def chip(page, index: int):
    return page.locator(f".av-token[data-token='{index}']")


def index_of(run, text: str, role: str = "answer") -> int:
    return next(t["index"] for t in run.info["tokens"] if t["text"] == text and t["role"] == role)


def mean_row(run, first: int, last: int, layer: int = HEAD["layer"], head: int = HEAD["head"]):
    return np.mean([run.row(layer, query)[head].astype(np.float64) for query in range(first, last + 1)], axis=0)


def finder(page):
    return page.get_by_role("searchbox", name="Find in the tokens")


def pixels(page, selector: str) -> np.ndarray:
    shot = page.locator(selector).screenshot(animations="disabled")
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def colour(page, name: str) -> np.ndarray:
    """A colour of the page by its custom property, as the browser paints it."""
    return np.array(
        page.evaluate(
            """name => { const c = document.createElement('canvas').getContext('2d');
            c.fillStyle = getComputedStyle(document.querySelector('.av-tokens')).getPropertyValue(name).trim();
            c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data].slice(0, 3); }""",
            name,
        )
    )


@pytest.fixture(scope="module")
def made(runs, tmp_path_factory):
    """More runs: of words in pieces, of a picture whose rows end in a token, of four thousand tokens."""
    root = tmp_path_factory.mktemp("token_runs")
    answer = [token("🦊", "answer"), token("", "answer"), *(token(text, "answer") for text in WORDS)]
    tokens = chat([SHAPE], prompt=[" what", " is", " un", "usual", "?"], system=["be", " kind"], answer=answer)
    fox = next(t["index"] for t in tokens if t["text"] == "🦊")
    tokens[fox + 1]["part_of"] = fox
    written = len(tokens) - fox
    write_run(
        root / "words",
        [scene(120, 80)],
        [SHAPE],
        tokens=tokens,
        sharpness=1.5,
        smooth=True,
        logprobs=[round(-0.11 * (i + 1), 4) for i in range(written)],
        sinks={"language": {"1": SINKS}},
    )
    scores = load_file(root / "words" / "scores.safetensors")
    masses = np.random.default_rng(5).uniform(0.1, 0.7, scores["language.image_mass"].shape).astype(np.float32)
    save_file({"language.image_mass": masses}, root / "words" / "scores.safetensors")

    # As LLaVA-NeXT lays a picture out: a thumbnail, then the whole, of which each row ends in a token.
    lined = chat([(2, 2), (2, 3)])
    first = next(t["index"] for t in lined if t["grid"] == 1)
    ends = [{**token("<nl>", "special"), "index": 0} for _ in range(2)]
    lined[first + 6 : first + 6], lined[first + 3 : first + 3] = [ends[0]], [ends[1]]
    lined = [{**record, "index": index} for index, record in enumerate(lined)]
    write_run(root / "lined", [scene(60, 60), scene(90, 60)], [(2, 2), (2, 3)], tokens=lined)
    info = json.loads((root / "lined" / "run.json").read_text())
    info["images"] = info["images"][:1]
    info["grids"][0] |= {"kind": "thumbnail"}
    info["grids"][1] |= {"image": 0, "box_px": [0, 0, 60, 60]}
    (root / "lined" / "run.json").write_text(json.dumps(info))

    text = [f" word{i}" if i % 5 else " and" for i in range(3000)]
    many = chat([SHAPE], prompt=text, answer=[f" said{i}" for i in range(950)])
    small = {"layers": range(2), "heads": 2, "kv_heads": 1, "head_dim": 4, "stored": 1000, "sharpness": 4.0}
    write_run(root / "thousands", [scene(120, 80)], [SHAPE], tokens=many, **small)
    write_run(root / "unanswered", [scene(90, 60)], [(2, 3)], tokens=chat([(2, 3)], answer=[]))
    opened = {name: open_run(root / name) for name in ("words", "lined", "thousands", "unanswered")}
    runs |= opened
    yield opened
    for run in opened.values():
        run.close()


# What they say


def test_every_part_is_told_apart_and_white_space_is_seen(open_page, tools):
    page = open_page("html")
    chips = page.locator(".av-token").all_inner_texts()
    assert "🦊" in chips and "火" in chips and "↵↵" in chips and "·hm" in chips and "�" not in "".join(chips)
    roles = ["system", "prompt", "thinking", "answer"]
    assert page.locator(".av-role").all_inner_texts() == roles
    looks = page.evaluate("""() => [...document.querySelectorAll('.av-segment .av-text')].map((text) => {
        const { borderLeftStyle, fontStyle, fontWeight } = getComputedStyle(text);
        return [borderLeftStyle, fontStyle, fontWeight].join(); })""")
    assert len(set(looks)) == len(roles), "by more than their colour"
    special, prompt = (
        page.locator(".av-prompt .av-special:not(.av-strong)").first,
        page.locator(".av-prompt .av-token:not(.av-special)").last,
    )
    dim, plain = (e.evaluate("e => getComputedStyle(e).color") for e in (special, prompt))
    assert dim != plain
    after = page.locator(".av-token", has_text="↵↵")
    following = chip(page, int(after.get_attribute("data-token")) + 1).bounding_box()
    after = after.bounding_box()
    assert following["y"] > after["y"] + 10 and following["x"] < after["x"], "a line break breaks the line"
    page.locator(".av-token", has_text="🦊").click()
    expect(page.locator(".av-title")).to_contain_text("predicts “🦊”")


def test_html_and_template_signs_are_shown_as_typed(open_page, tools):
    page = open_page("html")
    chips = page.locator(".av-token").all_inner_texts()
    for text in tools.HTML:
        assert chips.count(text.replace(" ", "·")) == 2, (text, chips)
    assert page.evaluate("document.querySelector('.av-tokens').querySelectorAll('img, b, script').length") == 0
    for text in tools.HTML:
        index = next(i for i, found in enumerate(chips) if found == text.replace(" ", "·"))
        page.locator(".av-token").nth(index).click()
        expect(page.locator(".av-title")).to_contain_text(f"“{text}” reads")
        expect(page.locator(".av-token-tip")).to_contain_text(text.replace(" ", "·"))
        finder(page).fill(text)
        expect(page.locator(".av-found")).to_have_text("1 of 2")
    assert page.evaluate("window.broken") is None


def test_one_tooltip_says_index_text_role_value_and_probability(open_page, made, tools):
    run = made["words"]
    page = open_page("words", **HEAD)
    tip, shown = page.locator(".av-token-tip"), tools.shown(page)
    expect(tip).to_be_hidden()
    start = len(run.info["tokens"]) - len(run.info["logprobs"])
    for text, role in ((" fox", "answer"), (" what", "prompt"), ("火", "answer")):
        index = index_of(run, text, role)
        chip(page, index).hover()
        expect(tip).to_be_visible()
        said = [part.strip() for part in tip.inner_text().split("·")]
        assert said[0] == f"token {index}" and role in said and text.strip() in tip.inner_text()
        value = next(part for part in said if part.startswith("attention"))
        assert np.isclose(number(value), shown.row[index], rtol=6e-3)
        odds = [part for part in said if part.startswith("log-probability")]
        assert len(odds) == (role == "answer")
        if odds:
            assert np.isclose(number(odds[0]), -run.info["logprobs"][index - start], atol=5e-3) and "−" in odds[0]
    fox = index_of(run, "🦊")
    chip(page, fox).hover()
    expect(tip).to_contain_text(f"tokens {fox}–{fox + 1}")
    assert np.isclose(number(tip.inner_text().split("attention")[1]), shown.row[[fox, fox + 1]].sum(), rtol=6e-3)
    chip(page, SINKS[0]).hover()
    expect(tip).to_contain_text("a sink")
    page.locator(".av-image").hover()
    expect(tip).to_contain_text(f"image {SHAPE[0]}×{SHAPE[1]}, a token for each cell")
    assert np.isclose(number(tip.inner_text().split("attention")[1]), shown.mass, rtol=6e-3)
    page.mouse.move(2, 2)
    expect(tip).to_be_hidden()
    assert page.locator(".av-tokens [title]").count() == 0, "not four thousand titles"
    # By keyboard the same, and it belongs to what has the focus.
    page.locator(".av-image").focus()
    page.keyboard.press("Home")
    expect(tip).to_contain_text("token 0 ·")
    assert chip(page, 0).get_attribute("aria-describedby") == tip.get_attribute("id")
    page.keyboard.press("End")
    expect(tip).to_contain_text(f"token {len(run.info['tokens']) - 1} ·")


# What they are tinted by


def tints(page) -> dict[int, float]:
    found = page.evaluate(
        "[...document.querySelectorAll('.av-token:not([data-grid])')].map(t => [+t.dataset.token, "
        "parseFloat(t.style.getPropertyValue('--av-tint') || 0)])"
    )
    return dict(found)


def test_tokens_are_tinted_by_the_numbers_on_screen(open_page, runs, tools):
    run = runs["captured"]
    page = open_page("captured", layer=3, head=1)
    star = index_of(run, " star", "prompt")
    for change in ({}, {"head": "max"}, {"layer": "mean", "head": "mean"}, {"direction": "read by", "token": star}):
        tools.select(page, **change)
        shown, found = tools.shown(page), tints(page)
        values = np.array([shown.row[index] for index in found])
        end = max(0.05, values.max())  # what holds next to nothing looks pale
        assert np.isclose(number(page.locator(".av-tint-high").inner_text()), end, rtol=6e-3)
        assert np.abs(np.array(list(found.values())) - np.round(90 * np.sqrt(values / end))).max() <= 1
    expect(page.locator(".av-tint-note")).to_contain_text("how much each token reads it")
    assert all(run.info["tokens"][index]["grid"] is None for index in found)
    page.get_by_role("button", name="vision", exact=True).click()
    tools.wait(page, tower="vision")
    assert set(tints(page).values()) == {0}, "patches are no tokens"
    expect(page.locator(".av-tint-note")).to_contain_text("no tint")
    expect(page.locator(".av-tint-scale")).to_be_hidden()


def test_the_tint_is_the_colour_that_the_scale_shows(open_page, runs, tools):
    page = open_page("captured", layer=3, head=1)
    found = tints(page)
    strongest = max(found, key=found.get)
    page.mouse.move(2, 2)
    painted = pixels(page, f".av-token[data-token='{strongest}']")[2, 4]
    expected = colour(page, "--av-soft") * (1 - found[strongest] / 100)
    expected = expected + colour(page, "--av-tint-colour") * found[strongest] / 100
    assert np.abs(painted - expected).max() <= 2


def test_sinks_are_hatched_and_outside_the_scale(open_page, made, tools):
    page = open_page("words", **HEAD)
    shown, found = tools.shown(page), tints(page)
    expect(chip(page, SINKS[0])).to_have_class(re.compile("av-sink"))
    assert found[SINKS[0]] == 0
    expect(page.locator(".av-tint-note")).to_contain_text("1 sink hatched")
    others = max(shown.row[index] for index in found if index not in SINKS)
    assert np.isclose(number(page.locator(".av-tint-high").inner_text()), max(0.05, others), rtol=6e-3)
    page.evaluate("document.querySelector('.av-root').__attn.look({ sinks: 'raw' })")
    expect(chip(page, SINKS[0])).not_to_have_class(re.compile("av-sink"))
    assert tints(page)[SINKS[0]] > 0
    expect(page.locator(".av-tint-note")).not_to_contain_text("sink")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_every_tint(open_page, made, tools, theme):
    page = open_page("words", theme=theme, **HEAD)
    tools.select(page, head=0)
    contrasts = page.evaluate("""() => {
        const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
        const linear = (byte) => byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4;
        const light = (colour) => { c.fillStyle = colour; c.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...c.getImageData(0, 0, 1, 1).data].map(linear);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        return [...document.querySelectorAll('.av-token:not(.av-sink)')].map((chip) => {
            const { backgroundColor, color } = getComputedStyle(chip);
            const [a, b] = [light(backgroundColor), light(color)].sort();
            return (b + 0.05) / (a + 0.05); }); }""")
    assert max(tints(page).values()) > 80
    assert min(contrasts) >= 4.5


# What is selected


def test_a_click_on_a_token_selects_its_row(open_page, runs, tools):
    run = runs["captured"]
    page = open_page("captured", layer=3, head=2)
    answer, star = index_of(run, "red"), index_of(run, " star", "prompt")
    chip(page, star).click()
    tools.wait(page, query=star, token=star)
    expect(page.locator(".av-title")).to_contain_text(f"“star” reads (row {star}, its own)")
    expect(page.locator(".av-reading-choice")).to_be_hidden()
    assert np.allclose(tools.shown(page).row, run.row(3, star)[2], atol=1e-6)
    chip(page, answer).click()
    tools.wait(page, query=answer - 1, token=answer)
    expect(chip(page, answer)).to_have_class(re.compile("av-selected"))
    expect(chip(page, answer - 1)).to_have_class(re.compile("av-reading"))
    expect(page.locator(".av-title")).to_contain_text(f"predicts “red” (row {answer - 1}")
    page.get_by_role("button", name="own row").click()
    tools.wait(page, query=answer, token=answer)
    expect(page.locator(".av-title")).to_contain_text(f"“red” reads (row {answer}, its own)")
    expect(page.locator(".av-reading")).to_have_count(0)


def test_shift_click_selects_a_range_that_is_framed_as_one(open_page, made, tools):
    run = made["words"]
    page = open_page("words", **HEAD)
    first, last = index_of(run, " un"), index_of(run, ",")
    chip(page, first).click()
    tools.wait(page, token=first)
    chip(page, last).click(modifiers=["Shift"])
    tools.wait(page, token=first, query=first - 1, until=last - 1)
    assert np.allclose(tools.shown(page).row, mean_row(run, first - 1, last - 1), atol=2e-3)
    expect(page.locator(".av-title")).to_contain_text(
        f"predicts “unbelievable fox,” (mean of rows {first - 1} to {last - 1})"
    )
    assert page.evaluate("window.getSelection().toString()") == ""
    # One line of the accent's colour over all of them, without a gap, and none over their neighbours.
    page.mouse.move(2, 2)
    frame = page.locator(".av-tokens").bounding_box()
    boxes = [chip(page, index).bounding_box() for index in (first, last)]
    shot, accent = pixels(page, ".av-tokens"), colour(page, "--av-accent")
    assert boxes[0]["y"] == boxes[1]["y"]
    row = shot[round(boxes[0]["y"] - frame["y"]) - 1]
    is_accent = np.abs(row - accent).max(-1) < 12
    left, right = round(boxes[0]["x"] - frame["x"]), round(boxes[1]["x"] + boxes[1]["width"] - frame["x"])
    assert is_accent[left + 1 : right - 1].all()
    assert not is_accent[: left - 4].any() and not is_accent[right + 4 :].any()
    # The end that was selected first stays, whichever side the other is on.
    before = index_of(run, "🦊")
    chip(page, before).click(modifiers=["Shift"])
    tools.wait(page, token=before, query=before - 1, until=first - 1)
    chip(page, first + 1).click(modifiers=["Shift"])
    tools.wait(page, token=first, until=first)
    # From what was asked to what was answered: rows are their own, as not all were written by the model.
    question = index_of(run, "usual", "prompt")
    chip(page, question).click(modifiers=["Shift"])
    tools.wait(page, token=question, query=question, until=first)
    expect(page.locator(".av-title")).to_contain_text(f"(mean of rows {question} to {first}, its own)")
    page.keyboard.press("Escape")
    tools.wait(page, token=question, query=question)
    assert page.locator(".av-root").get_attribute("data-until") is None


def test_a_double_click_selects_the_word(open_page, made, tools):
    run = made["words"]
    page = open_page("words", **HEAD)
    un = index_of(run, " un")
    chip(page, un + 1).dblclick()
    tools.wait(page, token=un, query=un - 1, until=un + 1)
    assert np.allclose(tools.shown(page).row, mean_row(run, un - 1, un + 1), atol=2e-3)
    expect(page.locator(".av-title")).to_contain_text("predicts “unbelievable” (mean of rows")
    for text in ("火", ","):
        index = index_of(run, text)
        chip(page, index).dblclick()
        tools.wait(page, token=index, query=index - 1)
        assert page.locator(".av-root").get_attribute("data-until") is None
    fox = index_of(run, "🦊")
    chip(page, fox).dblclick()
    tools.wait(page, token=fox, query=fox - 1, until=fox)
    five = index_of(run, "5")
    chip(page, five + 2).dblclick()
    tools.wait(page, token=five, until=five + 1)
    asked = index_of(run, " un", "prompt")
    chip(page, asked).dblclick()
    tools.wait(page, token=asked, query=asked, until=asked + 1)


def test_keys_of_the_strip_and_what_it_promises(open_page, made, tools):
    run = made["words"]
    page = open_page("words", **HEAD)
    strip, last = page.locator(".av-tokens"), len(run.info["tokens"]) - 1
    expect(strip).to_have_attribute("role", "group")
    assert page.locator("[role=listbox], [role=option]").count() == 0, "they would promise arrows"
    reached = page.evaluate(
        "[...document.querySelectorAll('.av-token')].filter(t => t.tabIndex === 0).map(t => +t.dataset.token)"
    )
    image = next(t["index"] for t in run.info["tokens"] if t["grid"] == 0)
    shown = tools.shown(page)
    assert reached == [image, shown.token], "Tab comes to the selected token, and to what unfolds"
    expect(chip(page, shown.token)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".av-token[aria-pressed=true]")).to_have_count(1)
    chip(page, shown.token).focus()
    page.keyboard.press("Home")
    tools.wait(page, token=0)
    focused = "+document.activeElement.dataset.token"
    assert page.evaluate(focused) == 0
    page.keyboard.press("PageDown")  # not through the folded picture
    tools.wait(page, token=10 + SHAPE[0] * SHAPE[1])
    page.keyboard.press("End")
    tools.wait(page, token=last)
    page.keyboard.press("PageUp")
    tools.wait(page, token=last - 10)
    page.keyboard.press(",")
    tools.wait(page, token=last - 11)
    page.keyboard.press(".")
    tools.wait(page, token=last - 10)
    assert page.evaluate(focused) == last - 10, "the focus goes with the selection"
    page.keyboard.press("ArrowRight")
    tools.wait(page, layer=2, token=last - 10)
    page.keyboard.press("ArrowLeft")
    tools.wait(page, layer=1, token=last - 10)
    page.keyboard.press(">")
    page.keyboard.press(">")
    tools.wait(page, token=last - 10, query=last - 11, until=last - 9)
    page.keyboard.press("<")
    page.keyboard.press("<")
    page.keyboard.press("<")
    tools.wait(page, token=last - 11, query=last - 12, until=last - 11)
    page.keyboard.press("Shift+End")
    tools.wait(page, token=last - 10, until=last - 1)
    page.locator(".av-token[aria-pressed=true]").first.press("Home")
    tools.wait(page, token=0)
    chip(page, 2).focus()
    page.keyboard.press("Enter")
    tools.wait(page, token=2)
    chip(page, 1).focus()
    page.keyboard.press(" ")
    tools.wait(page, token=1)
    assert page.evaluate("document.querySelector('.av-root').__attn.state.playing") is None


# Search


def test_search_marks_counts_and_selects_with_enter_only(open_page, made, tools):
    run = made["words"]
    page = open_page("words", **HEAD)
    field, said = finder(page), page.locator(".av-found")
    before = tools.shown(page).token
    field.fill("FOX")
    foxes = [t["index"] for t in run.info["tokens"] if t["text"] == " fox"]
    expect(said).to_have_text("1 of 2")
    marked = page.locator(".av-match")
    expect(marked).to_have_count(2)
    assert [int(m.get_attribute("data-token")) for m in marked.all()] == foxes
    assert tools.shown(page).token == before, "looking selects nothing"
    field.press("Enter")
    tools.wait(page, token=foxes[0])
    field.press("Enter")
    tools.wait(page, token=foxes[1])
    expect(said).to_have_text("2 of 2")
    field.press("Enter")
    tools.wait(page, token=foxes[0])
    field.press("Shift+Enter")
    tools.wait(page, token=foxes[1])
    page.get_by_role("button", name="previous match").click()
    tools.wait(page, token=foxes[0])
    page.get_by_role("button", name="next match").click()
    tools.wait(page, token=foxes[1])
    un = index_of(run, " un")
    for text, first, last in (("lievable f", un + 1, un + 3), ("火山", un + 7, un + 8), ("🦊", un - 2, un - 1)):
        field.fill(text)
        expect(said).to_have_text("1 of 1")
        assert page.locator(".av-match-now").count() >= 1
        field.press("Enter")
        tools.wait(page, token=first, until=last - 1)
    field.fill("pad")
    expect(said).to_have_text("not found")
    expect(page.get_by_role("button", name="next match")).to_be_disabled()
    field.press("Enter")
    field.press("s")  # types; the keys of the page are not of a field
    expect(field).to_have_value("pads")
    field.press("Escape")
    expect(field).to_have_value("")
    expect(page.locator(".av-match")).to_have_count(0)
    expect(said).to_be_empty()
    assert tools.shown(page).until is not None, "Escape in the field clears the field alone"
    field.press("Escape")
    assert page.evaluate("document.activeElement.classList.contains('av-token')")


def test_what_is_found_far_away_comes_into_view(open_page, made, tools):
    run = made["thousands"]
    page = open_page("thousands", layer=1, head=0)
    finder(page).fill("said949")
    expect(page.locator(".av-match-now")).to_be_in_viewport()
    target = index_of(run, " said949")
    expect(chip(page, target)).to_be_in_viewport()
    finder(page).fill("word17 ")
    expect(page.locator(".av-match-now").first).to_be_in_viewport()
    assert page.evaluate("window.scrollY") == 0, "the strip is scrolled, not the page"


# Images


def cell_place(page, row: int, col: int, shape=SHAPE) -> dict:
    box = page.locator(".av-cells").bounding_box()
    return {"x": (col + 0.5) * box["width"] / shape[1], "y": (row + 0.5) * box["height"] / shape[0]}


def test_an_image_unfolds_into_its_cells_tinted_as_tokens_are(open_page, made, tools):
    run = made["words"]
    page = open_page("words", **HEAD)
    block = page.locator(".av-image")
    expect(block).to_have_text(f"[image {SHAPE[0]}×{SHAPE[1]}]")
    expect(block).to_have_attribute("aria-expanded", "false")
    block.click()
    expect(block).to_have_attribute("aria-expanded", "true")
    shown, keys = tools.shown(page), run.cells(0).ravel()
    seen = [t["index"] for t in run.info["tokens"] if t["index"] not in SINKS]
    end = max(0.05, shown.row[seen].max())
    assert np.isclose(number(page.locator(".av-tint-high").inner_text()), end, rtol=6e-3)
    expect(page.locator(".av-tint-note")).to_contain_text("2 sinks hatched")
    painted, plain = tools.canvas_pixels(page, ".av-cells"), colour(page, "--av-soft")
    side = painted.shape[0] / SHAPE[0]
    assert painted.shape[1] == side * SHAPE[1], "cells are squares"
    for cell, key in enumerate(keys):
        row, col = divmod(cell, SHAPE[1])
        if key in SINKS:
            y, x = (slice(int(place * side) + 1, int((place + 1) * side) - 1) for place in (row, col))
            box = painted[y, x]
            assert box[..., :3].std(axis=(0, 1)).max() > 5, "hatched"
            continue
        share = 0.9 * np.sqrt(shown.row[key] / end)
        expected = plain + (colour(page, "--av-tint-colour") - plain) * share
        assert np.abs(painted[int((row + 0.5) * side), int((col + 0.5) * side), :3] - expected).max() <= 3, (row, col)
    block.press("Enter")
    expect(page.locator(".av-cells")).to_have_count(0)
    expect(block).to_have_attribute("aria-expanded", "false")


def test_cells_are_linked_with_the_picture_and_select_their_token(open_page, made, tools):
    run = made["words"]
    page = open_page("words", **HEAD)
    page.locator(".av-image").click()
    canvas, tip = page.locator(".av-cells"), page.locator(".av-token-tip")
    canvas.hover(position=cell_place(page, 2, 3))
    token = int(run.cells(0)[2, 3])
    expect(page.locator(".av-root")).to_have_attribute("data-cell", "2,3")
    expect(tip).to_contain_text(f"token {token} · row 2, col 3 · attention")
    assert np.isclose(number(tip.inner_text().split("attention")[1]), tools.shown(page).row[token], rtol=6e-3)
    page.mouse.move(2, 2)
    expect(page.locator(".av-root")).not_to_have_attribute("data-cell", "2,3")
    still = tools.canvas_pixels(page, ".av-cells")
    page.evaluate("document.querySelector('.av-root').__attn.state")  # hover from elsewhere frames the cell here
    overlay = page.locator(".av-overlay").bounding_box()
    page.mouse.move(overlay["x"] + overlay["width"] * 1.5 / 6, overlay["y"] + overlay["height"] * 0.5 / 4)
    expect(page.locator(".av-root")).to_have_attribute("data-cell", "0,1")
    changed = np.argwhere((tools.canvas_pixels(page, ".av-cells") != still).any(-1))
    side = still.shape[0] / SHAPE[0]
    assert len(changed) and (changed // side == [0, 1]).all(), "its cell is framed, and no other"
    canvas.click(position=cell_place(page, 2, 3))
    tools.wait(page, token=token, query=token)
    assert np.allclose(tools.shown(page).row, run.row(1, token)[2], atol=1e-6)
    expect(page.locator(".av-title")).to_contain_text("image 1, row 2, col 3 reads")
    page.mouse.move(2, 2)
    page.wait_for_function("document.querySelector('.av-root').dataset.cell === undefined")
    painted, accent = tools.canvas_pixels(page, ".av-cells")[..., :3].astype(int), colour(page, "--av-accent")
    framed = np.unique(np.argwhere(np.abs(painted - accent).max(-1) < 4) // side, axis=0)
    assert framed.tolist() == [[2, 3]]
    page.keyboard.press(".")  # what is unfolded is stepped through
    tools.wait(page, token=token + 1)
    canvas.click(position=cell_place(page, 3, 0), modifiers=["Shift"])
    tools.wait(page, token=token + 1, until=int(run.cells(0)[3, 0]))
    page.mouse.move(2, 2)
    page.locator(".av-image").click()
    expect(page.locator(".av-image")).to_have_class(re.compile("av-selected"))


def test_tiles_are_blocks_of_their_own_and_row_ends_are_inside(open_page, made, tools):
    run = made["lined"]
    page = open_page("lined", layer=1, head=0)
    blocks = page.locator(".av-image")
    assert blocks.all_inner_texts() == ["▸ [thumbnail 2×2]", "▸ [image 2×3]"] or blocks.all_text_contents() == [
        "[thumbnail 2×2]",
        "[image 2×3]",
    ]
    expect(page.locator(".av-token", has_text="<nl>")).to_have_count(1)  # the one after the last row
    blocks.nth(1).click()
    tools.wait(page, grid=1)
    inside = page.locator(".av-inside .av-token")
    expect(inside).to_have_count(1)
    end = int(inside.get_attribute("data-token"))
    assert run.info["tokens"][end]["text"] == "<nl>"
    inside.click()
    tools.wait(page, token=end, query=end)
    expect(inside).to_have_class(re.compile("av-selected"))
    expect(blocks.nth(1)).not_to_have_class(re.compile("av-selected"))
    page.keyboard.press(".")
    tools.wait(page, token=end + 1)
    assert run.info["tokens"][end + 1]["row"] == 1
    blocks.nth(0).click()  # both may be open; the picture shows the one that was opened last
    tools.wait(page, grid=0)
    expect(page.locator(".av-cells")).to_have_count(2)
    page.locator(".av-cells").nth(1).click(position={"x": 4, "y": 4})
    tools.wait(page, grid=1, token=int(run.cells(1)[0, 0]))


# Thousands


def test_of_thousands_those_in_view_are_dressed(open_page, made, tools):
    run = made["thousands"]
    page = open_page("thousands", layer=1, head=0)
    assert len(run.info["tokens"]) > 3980
    page.evaluate("""() => { window.touched = new Set(); new MutationObserver((records) => {
        for (const { target } of records) window.touched.add(target); })
        .observe(document.querySelector('.av-tokens'), { subtree: true, attributes: true }); }""")
    for wanted in (2000, 2001, 3500):
        page.evaluate("window.touched.clear()")
        tools.select(page, token=wanted)
        expect(chip(page, wanted)).to_be_in_viewport()
        assert 0 < page.evaluate("window.touched.size") < 1500
    shown = tools.shown(page)
    end = number(page.locator(".av-tint-high").inner_text())
    view = page.locator(".av-tokens").bounding_box()
    for top in (0, 1500, 3000):
        page.locator(".av-tokens").evaluate("(strip, top) => { strip.scrollTop = top; }", top)
        page.wait_for_function("top => document.querySelector('.av-tokens').scrollTop > top - 400", arg=top)
        page.wait_for_function(
            """([end, view, values]) => [...document.querySelectorAll('.av-token:not([data-grid])')].every((chip) => {
            const { top, bottom } = chip.getBoundingClientRect();
            const tint = parseFloat(chip.style.getPropertyValue('--av-tint') || 0);
            return bottom < view.y || top > view.y + view.height
                || Math.abs(tint - 90 * Math.sqrt(Math.min(1, values[+chip.dataset.token] / end))) <= 1; })""",
            arg=[end, view, shown.row.tolist()],
        )
    assert page.locator(".av-token").count() > 3900, "all are on the page, for whoever reads or searches it"


# The line


def test_the_line_is_the_image_mass_of_the_rows_that_predict_the_answer(open_page, made, tools):
    run = made["words"]
    page = open_page("words", **HEAD)
    line, canvas = page.locator(".av-line"), page.locator(".av-line-canvas")
    positions = list(run.stored_positions())
    first = index_of(run, "🦊")
    tokens = range(first, len(run.info["tokens"]))
    for view in (HEAD, {"layer": 2, "head": "max"}, {"layer": "mean", "head": "mean"}):
        tools.select(page, **view)
        table = run.reduced_score("image_mass", view["layer"], view["head"])
        expected = np.array([table[positions.index(token - 1)] for token in tokens])
        mean, highest = 100 * expected.mean(), 100 * expected.max()
        expect(canvas).to_have_attribute("aria-label", re.compile(f"mean {mean:.1f}.*maximum {highest:.1f}"))
        assert f"{100 * expected.max():.1f}" in page.locator(".av-line-title").inner_text()
        painted = tools.canvas_pixels(page, ".av-line-canvas")
        each = min(14, painted.shape[1] / len(tokens))
        heights = [(painted[:-1, int((i + 0.4) * each), 3] == 255).sum() + 1 for i in range(len(tokens))]
        assert np.abs(np.array(heights) - expected / expected.max() * painted.shape[0]).max() <= 1.5
    assert not painted[:, int(each * len(tokens)) + 2 :, 3][:-2].any()
    box = canvas.bounding_box()
    place = 5
    page.mouse.move(box["x"] + (place + 0.5) * each, box["y"] + 10)
    tip = line.locator(".av-tip")
    expect(tip).to_contain_text(f"token {first + place}")
    expect(tip).to_contain_text(f"predicted by row {first + place - 1}")
    assert np.isclose(number(tip.inner_text().split("row")[1].split(":")[1]), 100 * expected[place], rtol=0.01)
    canvas.click(position={"x": (place + 0.5) * each, "y": 10})
    tools.wait(page, token=first + place, query=first + place - 1)
    page.mouse.move(2, 2)
    expect(tip).to_be_hidden()
    accent, painted = colour(page, "--av-accent"), tools.canvas_pixels(page, ".av-line-canvas")
    marked = np.argwhere((np.abs(painted[..., :3].astype(int) - accent).max(-1) < 4) & (painted[..., 3] == 255))
    assert set((marked[:, 1] // each).astype(int)) == {place}
    page.evaluate("document.body.classList.add('dark')")
    page.wait_for_function(
        """before => { const c = document.querySelector('.av-line-canvas');
        return [...c.getContext('2d').getImageData(3, c.height - 4, 1, 1).data].join() !== before; }""",
        arg=",".join(map(str, painted[painted.shape[0] - 4, 3])),
    )


def test_the_line_is_there_only_with_an_answer_and_a_picture(open_page, made, tools):
    for ticket, is_there in (("words", True), ("unanswered", False), ("text", False), ("crossed", True)):
        page = open_page(ticket)
        line = page.locator(".av-line")
        (expect(line).to_be_visible if is_there else expect(line).to_be_hidden)()
    page = open_page("captured")
    page.get_by_role("button", name="vision", exact=True).click()
    tools.wait(page, tower="vision")
    expect(page.locator(".av-line")).to_be_hidden()
    page.get_by_role("button", name="language", exact=True).click()
    tools.wait(page, tower="language")
    expect(page.locator(".av-line")).to_be_visible()


# By thumb


def test_on_a_phone_all_of_it_is_reached(open_page, made, tools):
    run = made["words"]
    page = open_page("words", size=tools.NARROW, **HEAD)
    un = index_of(run, " un")
    chip(page, un).click()
    tools.wait(page, token=un)
    page.get_by_role("button", name="range", exact=True).click()  # there is no shift
    chip(page, un + 3).click()
    tools.wait(page, token=un, until=un + 2)
    expect(page.get_by_role("button", name="range", exact=True)).to_have_attribute("aria-pressed", "false")
    finder(page).fill("fox")
    page.get_by_role("button", name="next match").click()
    tools.wait(page, token=un + 3)
    page.locator(".av-image").click()
    page.locator(".av-cells").click(position=cell_place(page, 1, 2))
    tools.wait(page, token=int(run.cells(0)[1, 2]))
    box = page.locator(".av-line-canvas").bounding_box()
    page.locator(".av-line-canvas").click(position={"x": 4, "y": box["height"] / 2})
    tools.wait(page, token=index_of(run, "🦊"))
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    small = page.evaluate("""() => [...document.querySelectorAll('.av-token, .av-tint-note :is(button, input)')]
        .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 24).map((e) => e.className)""")
    assert small == []


def test_what_a_finger_taps_is_said(open_page, touch, made, tools):
    run = made["words"]
    page = open_page("words", size=tools.NARROW, **HEAD)
    page.locator(".av-tokens").scroll_into_view_if_needed()
    send, tip = touch(page), page.locator(".av-token-tip")
    for index in (index_of(run, " what", "prompt"), index_of(run, " is", "prompt")):
        box = chip(page, index).bounding_box()
        send("touchStart", (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))
        send("touchEnd")
        tools.wait(page, token=index)
        expect(tip).to_contain_text(f"token {index} ·")
        value = tip.inner_text().split("attention")[1]
        assert np.isclose(number(value), tools.shown(page).row[index], rtol=6e-3)


def test_everything_that_takes_the_focus_has_a_name(open_page, made):
    page = open_page("words")
    page.locator(".av-image").click()
    reached = page.evaluate("""() => [...document.querySelectorAll('.av-choose *')]
        .filter((e) => e.tabIndex >= 0 && e.offsetParent && !e.disabled)
        .filter((e) => !e.getAttribute('aria-label') && !e.closest('label') && !e.textContent.trim())
        .map((e) => e.className)""")
    assert reached == []
