"""Pictures of the page for the README: the first minute as an animated GIF, and the tab that compares.

    python tests/bench/first_minute.py [--folder assets/examples]

Drives the app in a real Chromium as a newcomer would: a word, another head, a question of one's own, all tokens. Each
step is a frame; nothing is painted by hand.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

from PIL import Image

from viewer import chromium  # isort: skip

import app
from attention.environment import EXAMPLES
from attention.visitors.store import RunCache

SIZE = {"width": 1280, "height": 800}
SHOWN = (960, 600)  # pixels of a frame
COLOURS = 128
LONG_MS, SHORT_MS = 1800, 1100
SETTLED = """() => Promise.all([document.fonts.ready, ...document.getAnimations()
  .filter((each) => each.effect.getTiming().iterations !== Infinity).map((each) => each.finished.catch(() => null))])
  .then(() => null)"""  # fonts are there, and what fades has faded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=EXAMPLES)
    options = parser.parse_args()
    frames: list[tuple[Image.Image, int]] = []
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        service = app.new_service(RunCache(Path(folder), library=True), is_hosted=False, model="pocket")
        demo = app.launch(service, quiet=True)
        service.wait_until_loaded()
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{demo.local_url}?__theme=light")

        def ready(root: str = ".av-root") -> None:
            page.wait_for_selector(f"{root}[data-state=ready]", state="visible")
            page.evaluate(SETTLED)

        def frame(milliseconds: int = SHORT_MS) -> None:
            ready()
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)
            frames.append((picture, milliseconds))

        frame(LONG_MS)
        for word in ("620", "Save"):
            page.locator(".av-word", has_text=word).first.click()
            frame()
        page.locator(".av-word", has_text="670").click()
        for key in ("ArrowDown", "ArrowLeft"):
            page.locator(".av-root").focus()
            page.keyboard.press(key)
            frame()
        page.locator(".av-example").nth(1).click()
        frame(LONG_MS)
        page.get_by_label("Question").first.fill("what color is the circle?")
        frame()
        with page.expect_response(lambda response: "/run.json" in response.url):
            page.get_by_role("button", name="Run", exact=True).click()
        frame(LONG_MS)
        page.get_by_role("button", name="All tokens").click()
        frame(LONG_MS)
        page.get_by_role("button", name="All tokens").click()
        page.set_viewport_size({"width": 1440, "height": 900})
        page.get_by_role("tab", name="Compare").click()
        ready(".av-compare")
        page.screenshot(path=options.folder / "comparison.png")
        demo.close()
        service.close()
    palette = frames[0][0].quantize(COLOURS, dither=Image.Dither.NONE)
    pictures = [picture.quantize(COLOURS, dither=Image.Dither.NONE) for picture, _ in frames]
    path = options.folder / "first_minute.gif"
    palette.save(
        path, save_all=True, append_images=pictures[1:], duration=[time for _, time in frames], loop=0, optimize=True
    )
    print(path, f"{path.stat().st_size / 1e6:.1f} MB", len(frames), "frames")


if __name__ == "__main__":
    main()
