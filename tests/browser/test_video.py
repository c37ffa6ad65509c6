"""A video in Chromium: frames with their times in the strip, frame by frame, played, each map on its own frames."""

import pytest
from browser.conftest import select, shown, wait
from made_runs import chat, grid_of, scene, write_run
from playwright.sync_api import expect

from attention.runs.run import open_run

pytestmark = pytest.mark.browser

PICTURE = ".av-pane img.av-picture"


@pytest.fixture(scope="module", autouse=True)
def video(runs, tmp_path_factory):
    """Frames half a second apart: of five, two and two share a grid and the last is alone; two share the only one."""
    for name, together in {"video": [[0, 1], [2, 3], [4]], "pair": [[0, 1]]}.items():
        pictures = [scene(160, 120, seed) for seed in range(together[-1][-1] + 1)]
        grids = [
            grid_of(pictures[0], images[0], 3, 4)
            | {"kind": "frame", "images": images, "time_s": sum(images) / len(images) / 2}
            for images in together
        ]
        folder = tmp_path_factory.mktemp("videos") / name
        tokens = chat([(3, 4)] * len(together))
        write_run(folder, pictures, [(3, 4)] * len(pictures), tokens=tokens, grids=grids)
        run = open_run(folder)
        for number, image in enumerate(run.info["images"]):
            image |= {"video": 0, "time_s": number / 2}
        runs[name] = run


def place(page):
    """The frame on screen by its address, and what is said of it."""
    return page.locator(PICTURE).first.get_attribute("src")[-1], page.locator(".av-picture-place").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_frames_are_stepped_through_with_their_times_and_the_map_stays_with_its_grid(open_page, theme):
    page = open_page("video", theme=theme)
    select(page, grid=0)
    expect(page.locator(".av-picture-chip")).to_have_count(3)
    assert [chip.split()[:2] for chip in page.locator(".av-picture-chip").all_inner_texts()] == [
        ["0.25", "s"], ["1.25", "s"], ["2", "s"],
    ]  # fmt: skip
    assert page.locator(".av-picture-chip").nth(1).get_attribute("aria-label") == "frames 3–4 · 1.25 s"
    cells, seen = [], []
    for _ in range(5):
        wait(page)
        seen.append(place(page))
        cells.append(shown(page).cells.tolist())
        if len(seen) < 5:
            page.get_by_role("button", name="next picture").click()
            expect(page.locator(f'{PICTURE}[src$="/{len(seen)}"]').first).to_be_visible()
    assert seen == [(str(i), f"{i / 2:g} s · {i + 1} of 5") for i in range(5)]
    assert cells[0] == cells[1] != cells[2] == cells[3] != cells[4]
    expect(page.get_by_role("button", name="next picture")).to_be_disabled()


def test_keys_step_and_play_goes_round_until_it_is_stopped(open_page):
    page = open_page("video")
    select(page, grid=0)
    page.locator(".av-picture-chip").first.click()
    page.get_by_role("button", name="next picture").focus()
    page.keyboard.press("f")
    expect(page.locator(".av-picture-place")).to_have_text("0.5 s · 2 of 5")
    page.keyboard.press("F")
    expect(page.locator(".av-picture-place")).to_have_text("0 s · 1 of 5")
    play = page.get_by_role("button", name="Play the frames")
    play.click()
    for text in ("2 s · 5 of 5", "0 s · 1 of 5"):
        expect(page.locator(".av-picture-place")).to_have_text(text)
    page.keyboard.press("p")
    expect(play).to_have_attribute("aria-pressed", "false")


def test_two_frames_that_share_the_only_grid_are_both_shown(open_page):
    page = open_page("pair")
    select(page, grid=0)
    expect(page.locator(".av-picture-chip")).to_have_count(1)
    expect(page.locator(".av-picture-place")).to_have_text("0 s · 1 of 2")
    page.get_by_role("button", name="next picture").click()
    expect(page.locator(".av-picture-place")).to_have_text("0.5 s · 2 of 2")
    expect(page.locator(f'{PICTURE}[src$="/1"]').first).to_be_visible()


def test_a_run_of_pictures_has_nothing_to_play(open_page):
    page = open_page("two")
    expect(page.locator(".av-picture-place")).to_have_text("1 of 2")
    expect(page.locator(".av-picture-steps button:visible")).to_have_count(2)
