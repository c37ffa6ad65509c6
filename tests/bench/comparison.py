"""The cost of a change in a comparison: from a selection to every panel repainted, in a real Chromium.

    python tests/bench/comparison.py [--markdown] [--repeats 40] [--only NAME ...] [--keep FOLDER]

Made comparisons of 28 layers x 16 heads and some 500 tokens, 384 of them cells, with one adapter and with four: `one`,
`four`. They are written once into a temporary folder or the one to keep; what is measured between their runs is drawn
at random, as measuring takes minutes. Served and timed as in `viewer.py`. The panels are the four maps, the matrix of
change and, where there are several adapters, everyone's small map; they count as repainted when their canvases have
been rastered. A frame is done when the tokens, too, have their tints.

Prints medians and 95th percentiles beside the goal, and the least, which tells what the work takes when others keep the
machine busy; asserts nothing.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from viewer import HERE, SIZE, WARM, WORDS, Made, Table, Tokens, chromium, load, machine, served  # isort: skip
import made_comparisons
from made_runs import chat, scene
from playwright.sync_api import Browser, Page

from attention.measures import differences

GOAL_MS = 33
LOOKED_AT = 8  # tokens, again and again


def drawn_at_random(base, runs, tower, rows, report) -> dict[str, np.ndarray]:
    """In place of `attention.comparisons.comparison.measure`."""
    rng = np.random.default_rng(1)
    shape = (len(runs), len(base.layers(tower)), base.info["towers"][tower]["heads"], len(rows))
    return {name: rng.random(shape, np.float32) for name in differences.NAMES}


@dataclass(frozen=True)
class MadeComparison(Made):
    adapters: int = 1

    def write(self, folder: Path) -> Path:
        """The comparison, unless it is there."""
        place = folder / self.name
        if not (place / "comparison.json").exists():
            print(f"writing {place} ...", file=sys.stderr, flush=True)
            rng = np.random.default_rng(0)
            prompt, answer = ([f" {word}" for word in rng.choice(WORDS, n)] for n in (self.prompt, self.answer))
            unfinished = folder / f"{self.name}.partial"
            shutil.rmtree(unfinished, ignore_errors=True)
            made_comparisons.measure = drawn_at_random
            made_comparisons.write_comparison(
                unfinished, [scene(16 * self.cells[1], 16 * self.cells[0])], [self.cells],
                [{"id": f"someone/lora-{n}", "from_layer": 4, "size": 0.01} for n in range(self.adapters)],
                tokens=chat([self.cells], prompt=prompt, answer=answer), layers=range(self.layers), heads=self.heads,
                kv_heads=self.kv_heads, head_dim=self.head_dim, smooth=True, dtype=np.float16,
            )  # fmt: skip
            unfinished.rename(place)
        return place


SIZES = {"layers": 28, "heads": 16, "kv_heads": 8, "cells": (16, 24), "prompt": 98, "answer": 12, "head_dim": 16}
COMPARISONS = {
    made.name: made for made in (MadeComparison("one", **SIZES), MadeComparison("four", **SIZES, adapters=4))
}


class Bench:
    """One comparison in the browser."""

    def __init__(
        self, browser: Browser, address: str, made: MadeComparison, tokens: Tokens, table: Table, repeats: int
    ):
        self.browser, self.address, self.made, self.tokens = browser, address, made, tokens
        self.table, self.repeats = table, repeats

    @contextmanager
    def page(self) -> Iterator[Page]:
        context = self.browser.new_context(viewport=SIZE, device_scale_factor=1)
        page = context.new_page()
        page.on("pageerror", lambda error: print(f"the page: {error}", file=sys.stderr, flush=True))
        page.add_init_script(path=HERE / "viewer.js")
        page.goto(f"{self.address}?ticket={self.made.name}&__theme=light")
        page.wait_for_selector(".av-root[data-state=ready]", timeout=60_000)
        yield page
        context.close()

    def measure(self) -> None:
        """Back to tokens that were looked at before, with the matrix of the answer and of the token's own row."""
        step = len(self.tokens.stored) // LOOKED_AT
        tokens = [{"token": token} for token in self.tokens.stored[1::step][:LOOKED_AT]]
        looks = {
            "token already fetched": {},
            "the same, matrix of its row": {"of": "token"},
            "the same, smoothed": {"smooth": True},
            "the same, one map alone": {"alone": "difference"},
        }
        for figure, look in looks.items():
            with self.page() as page:
                page.evaluate("look => document.querySelector('.av-root').__attn.look(look)", look)
                self.compared(page, [{"layer": self.made.layers // 2, "head": self.made.heads // 2}, *tokens])
                samples = self.compared(page, [tokens[i % len(tokens)] for i in range(self.repeats + WARM)])[WARM:]
            assert not any("row?" in asked for sample in samples for asked in sample["asked"])
            self.table.add(self.made, f"{figure}: maps", [sample["maps"] for sample in samples])
            self.table.add(self.made, "  all panels", [sample["panels"] for sample in samples], GOAL_MS)
            self.table.add(self.made, "  their frame done", [sample["presented"] for sample in samples])

    @staticmethod
    def compared(page: Page, changes: list[dict]) -> list[dict]:
        return page.evaluate("changes => window.bench.compareAll(changes)", changes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--only", nargs="+", default=list(COMPARISONS), choices=list(COMPARISONS), metavar="NAME",
                        help=", ".join(COMPARISONS))  # fmt: skip
    parser.add_argument("--keep", type=Path, help="where to write the comparisons, or where they are; they stay there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = options.keep or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        folders = {name: COMPARISONS[name].write(root) for name in options.only}
        with served(folders, "comparison") as address, chromium() as browser:
            print(f"{machine(browser)}; load {load()}\n")
            table = Table(options.markdown)
            for name, folder in folders.items():
                Bench(browser, address, COMPARISONS[name], Tokens.of(folder / "base"), table, options.repeats).measure()
            print(f"\nload at the end {load()}")


if __name__ == "__main__":
    main()
