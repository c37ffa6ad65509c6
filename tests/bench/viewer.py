"""The cost of looking: the viewer in a real Chromium, from a selection to what is painted.

    python tests/bench/viewer.py [--markdown] [--repeats 20] [--only NAME ...] [--keep FOLDER]

Made runs (random queries and keys in float16, the rows of the answer stored): `medium` 28 layers x 16 heads, 1,300
tokens, 1,000 cells; `large` 36 x 32, 2,300 tokens, 2,040 cells; `long` 4,000 tokens of text. They are written once,
2 GB, into a temporary folder or the one to keep. A Gradio page with nothing but the viewer serves them from a process
of its own; Chromium draws in software. Times are taken inside the page by viewer.js: they begin at a selection, at all
phases of a frame, and end when the canvas has been rastered. Each measurement has a page of its own, so that it finds
nothing that another has fetched. The first samples are left out: the server then still opens files.

Prints medians and 95th percentiles beside the goals, and the least, which tells what the work takes when others keep
the machine busy; asserts nothing. `--only` takes names of runs and of measurements.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE.parent)]
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as app.py has it; read when NumPy is imported

import gradio as gr  # noqa: E402
import numpy as np  # noqa: E402
from made_runs import chat, scene, write_run  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from adapters import open_comparison  # noqa: E402
from attention.page.viewer import AttentionViewer, ComparisonViewer  # noqa: E402
from attention.runs.run import open_run  # noqa: E402
from attention.serving.routes import routes  # noqa: E402

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-precise-memory-info"]
SIZE = {"width": 1440, "height": 900}
WORDS = ("the", "fox", "stands", "by", "a", "wooden", "gate", ",", "unhurried", "and", "looks", "up", "at", "birds")
WARM = 3  # samples left out
SCRUBBED, EVERY_MS = 30, 1000 / 30
LINK_MS, LINK_BYTES = 60, 50e6 / 8
WALKED = 200


# The runs


@dataclass(frozen=True)
class Made:
    """A run by its sizes, and what is asked of the viewer when it shows one so large."""

    name: str
    layers: int
    heads: int
    kv_heads: int
    cells: tuple[int, int]
    prompt: int
    answer: int
    head_dim: int = 128
    atlas_goal: float = 60
    paint_goal: float = 5

    def write(self, folder: Path) -> Path:
        """The run, unless it is there."""
        place = folder / self.name
        if not (place / "run.json").exists():
            print(f"writing {place} ...", file=sys.stderr, flush=True)
            rng = np.random.default_rng(0)
            prompt, answer = ([f" {word}" for word in rng.choice(WORDS, n)] for n in (self.prompt, self.answer))
            unfinished = folder / f"{self.name}.partial"
            shutil.rmtree(unfinished, ignore_errors=True)
            write_run(
                unfinished,
                [scene(16 * self.cells[1], 16 * self.cells[0])],
                [self.cells],
                tokens=chat([self.cells], prompt=prompt, answer=answer),
                layers=range(self.layers),
                heads=self.heads,
                kv_heads=self.kv_heads,
                head_dim=self.head_dim,
                smooth=True,
                dtype=np.float16,
            )
            unfinished.rename(place)
        return place


# 9 more tokens are the turn's marks.
MEDIUM = Made("medium", 28, 16, 8, (25, 40), prompt=61, answer=230)
LARGE = Made("large", 36, 32, 8, (34, 60), prompt=131, answer=120, atlas_goal=120, paint_goal=10)
LONG = Made("long", 2, 4, 2, (4, 6), prompt=3000, answer=967, head_dim=8)
RUNS = {made.name: made for made in (MEDIUM, LARGE, LONG)}


@dataclass(frozen=True)
class Tokens:
    """The tokens of a run by where their rows come from."""

    stored: list[int]
    computed: list[int]

    @classmethod
    def of(cls, folder: Path) -> Tokens:
        tokens = json.loads((folder / "run.json").read_text(encoding="utf-8"))["tokens"]
        return cls(*([t["index"] for t in tokens if t["role"] == role] for role in ("answer", "prompt")))


# The page


def serve(folders: dict[str, Path], kind: str, pipe) -> None:
    """A page that shows the run or comparison named in its address, until the other end of the pipe says or is gone."""
    read, view = {"run": (open_run, AttentionViewer), "comparison": (open_comparison, ComparisonViewer)}[kind]
    runs = {ticket: read(folder) for ticket, folder in folders.items()}

    def opened(request: gr.Request) -> dict | None:
        ticket = request.query_params.get("ticket")
        return {"id": ticket, "ticket": ticket, "kind": kind} if ticket else None

    with gr.Blocks(fill_width=True) as demo:
        viewer = view()
        demo.load(opened, None, viewer)
    _, url, _ = demo.launch(
        prevent_thread_lock=True,
        quiet=True,
        ssr_mode=False,
        server_name="127.0.0.1",
        app_kwargs={"routes": routes(runs.__getitem__)},
    )
    pipe.send(url)
    try:
        pipe.recv()
    except EOFError:
        pass
    demo.close()


@contextmanager
def served(folders: dict[str, Path], kind: str = "run") -> Iterator[str]:
    """The address of the page, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(folders, kind, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.join(20)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium: the one named by CHROMIUM, or the system's."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        sys.exit("Chromium is not installed; name it in CHROMIUM.")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


# The table


class Table:
    """Figures beside their goals, printed as they come."""

    COLUMNS = ("run", "figure", "goal", "least", "median", "95 %", "samples", "met")
    WIDTHS = (8, 56, 12, 10, 10, 10, 7, 12)

    def __init__(self, markdown: bool):
        self.markdown = markdown
        self._line(self.COLUMNS)
        if markdown:
            self._line(["---"] * len(self.COLUMNS))

    def add(self, made: Made, figure: str, values: list[float], goal: float | None = None, unit: str = "ms") -> None:
        """One figure; a goal is the most that it may be."""
        digits = 0 if all(float(value).is_integer() for value in values) else 1
        middle, high = median(values), sorted(values)[math.ceil(0.95 * len(values)) - 1]
        met = "" if goal is None else "yes" if high <= goal else "median only" if middle <= goal else "no"
        wanted = "" if goal is None else f"<= {goal:g} {unit}".strip()
        numbers = [f"{value:,.{digits}f} {unit}".strip() for value in (min(values), middle, high)]
        self._line([made.name, figure, wanted, *numbers, str(len(values)), met])

    def say(self, made: Made, figure: str, text: str) -> None:
        """Values that are no number of many samples."""
        self._line([made.name, figure, "", "", text, "", "", ""])

    def _line(self, cells) -> None:
        if self.markdown:
            print(f"| {' | '.join(cells)} |", flush=True)
        else:
            widths = zip(cells, self.WIDTHS, strict=True)
            print("  ".join(c.ljust(w) if w > 12 or w == 8 else c.rjust(w) for c, w in widths).rstrip(), flush=True)


# The measurements


class Bench:
    """One run in the browser: a method for each measurement, which writes its figures into the table."""

    def __init__(self, browser: Browser, address: str, made: Made, tokens: Tokens, table: Table, repeats: int):
        self.browser, self.address, self.made, self.tokens = browser, address, made, tokens
        self.table, self.repeats = table, repeats
        self.layer, self.head = made.layers // 2, made.heads // 2

    @contextmanager
    def page(self, **view) -> Iterator[Page]:
        """The run, open in a page that has fetched nothing else, at a layer and a head or at the means."""
        context = self.browser.new_context(viewport=SIZE, device_scale_factor=1)
        page = context.new_page()
        page.on("pageerror", lambda error: print(f"the page: {error}", file=sys.stderr, flush=True))
        page.add_init_script(path=HERE / "viewer.js")
        page.goto(f"{self.address}?ticket={self.made.name}&__theme=light")
        page.wait_for_selector(".av-root[data-state=ready]", timeout=60_000)
        view = {"layer": self.layer, "head": self.head} | view
        self.selected(page, [view])
        yield page
        context.close()

    def selected(self, page: Page, changes: list[dict]) -> list[dict]:
        return page.evaluate("changes => window.bench.selectAll(changes)", changes)

    def apart(self, tokens: list[int]) -> list[dict]:
        """Tokens of which none is the next of another: none has been fetched ahead. Those to warm up on come first."""
        step = max(2, min(7, len(tokens) // (self.repeats + WARM)))
        return [{"token": token} for token in tokens[1::step][: self.repeats + WARM]]

    def add(self, figure: str, samples: list[dict], name: str, goal: float | None = None) -> None:
        self.table.add(self.made, figure, [sample[name] for sample in samples], goal)

    def cached(self) -> None:
        """Back to tokens that were looked at before."""
        with self.page() as page:
            tokens = self.apart(self.tokens.stored)[:8]
            self.selected(page, tokens)
            changes = [tokens[i % len(tokens)] for i in range(self.repeats + WARM)]
            samples = self.selected(page, changes)[WARM:]
        assert not any("row" in asked or "atlas" in asked for sample in samples for asked in sample["asked"])
        self.add("token already fetched: overlay", samples, "overlay", 16)
        self.add("  its frame done", samples, "presented")
        self.add("  atlas", samples, "atlas", self.made.atlas_goal)
        self.add("  atlas paint alone", samples, "paint", self.made.paint_goal)

    def fresh(self) -> None:
        """Tokens never asked for before."""
        answer, prompt = self.apart(self.tokens.stored), self.apart(self.tokens.computed)
        overlay, atlas = 40, self.made.atlas_goal
        with self.page() as page:
            self._fresh("answer token", self.selected(page, answer), overlay, atlas)
        with self.page() as page:
            self._fresh("prompt token, from queries and keys", self.selected(page, prompt), overlay, atlas)
        with self.page(layer="mean", head="mean") as page:
            self._fresh("answer token, means", self.selected(page, answer), overlay, atlas)

    def link(self) -> None:
        """The same over a slow link."""
        with self.page() as page:
            session = page.context.new_cdp_session(page)
            session.send("Network.enable")
            session.send(
                "Network.emulateNetworkConditions",
                {"offline": False, "latency": LINK_MS, "downloadThroughput": LINK_BYTES, "uploadThroughput": -1},
            )
            samples = self.selected(page, self.apart(self.tokens.stored))
        name = f"{LINK_MS} ms, {LINK_BYTES * 8 / 1e6:g} Mbit/s, answer token"
        self._fresh(name, samples, 150, None, server="first byte")

    def _fresh(self, name: str, samples: list[dict], overlay: float, atlas: float | None, server="server") -> None:
        samples = samples[WARM:]  # of which the first may have been fetched ahead, for the row that a run opens with
        for sample in samples:
            assert any("row" in asked for asked in sample["asked"]), "it had been fetched before"
        self.add(f"{name}: overlay", samples, "overlay", overlay)
        self._parts(samples, "rowParts", server)
        self.add("  its frame done", samples, "presented")
        self.add("  atlas", samples, "atlas", atlas)
        self._parts(samples, "atlasParts", server)
        self.add("  atlas paint alone", samples, "paint", self.made.paint_goal)
        first = sum(sample["isOverlayFirst"] for sample in samples)
        ratio = median(sample["atlas"] / sample["overlay"] for sample in samples)
        self.table.say(
            self.made, "  overlay before the atlas", f"{first} of {len(samples)}, atlas / overlay {ratio:.1f}"
        )

    def _parts(self, samples: list[dict], of: str, server: str) -> None:
        parts = [sample[of] for sample in samples if sample[of]]
        names = {"sent": "asked for after", "answered": server, "arrived": "transfer", "drawn": "then decoded, painted"}
        for part, figure in names.items() if parts else ():
            self.add(f"    {figure}", parts, part)

    def change(self) -> None:
        """Another layer, another head, other colours, of the same row."""
        with self.page() as page:
            self.selected(page, [{"token": self.tokens.stored[5]}])
            layers = [{"layer": layer} for layer in range(self.made.layers)]
            order = [*layers[::3], *layers[1::3], *layers[2::3]]  # no two neighbours, which are fetched ahead
            new = [sample for sample in self.selected(page, order) if any("row" in asked for asked in sample["asked"])]
            self.add("layer not yet fetched: overlay", new[WARM:], "overlay", 40)
            count = self.repeats + WARM
            samples = self.selected(page, [order[i % len(order)] for i in range(count)])
            self.add("layer already fetched: overlay", samples[WARM:], "overlay", 16)
            samples = self.selected(page, [{"head": (3 * i + 1) % self.made.heads} for i in range(count)])
            self.add("head: overlay", samples[WARM:], "overlay", 16)
            self.add("  its frame done", samples[WARM:], "presented")
            for name, values in {
                "palette": ["cividis", "magma", "viridis", "blues", "grey"],
                "curve": ["linear", "sqrt", "square root", "log"],
                "scale": ["map", "atlas"],
            }.items():
                times = page.evaluate("([values, n]) => window.bench.turn(values, n)", [values, count])
                if times:
                    self.table.add(self.made, f"{name}: overlay and atlas", times[WARM:])
                else:
                    self.table.say(self.made, f"{name}: overlay and atlas", "no such control")

    def scrub(self) -> None:
        """Through the answer, thirty tokens in a second."""
        tokens = self.tokens.stored[1 : 1 + SCRUBBED]
        with self.page() as page:
            known = page.evaluate("tokens => window.bench.known(tokens)", tokens)
        results = []
        for _ in range(max(3, self.repeats // 4)):
            with self.page() as page:
                self.selected(page, [{"token": self.tokens.stored[-1]}])
                results.append(
                    page.evaluate(
                        "([tokens, every, known]) => window.bench.scrub(tokens, every, known)",
                        [tokens, EVERY_MS, known],
                    )
                )

        def add(figure, name, goal=None, unit=""):
            self.table.add(self.made, figure, [result[name] for result in results], goal, unit)

        add(f"{len(tokens)} tokens in a second: frames", "frames")
        add("  frames with a stale map", "stale", 0)
        add("  frames with a stale atlas that does not look so", "unmarked", 0)
        add("  frames with the map of an earlier token", "behind")
        add("  longest frame", "longest", unit="ms")
        add("  all of the last one there, after its key", "settled", self.made.atlas_goal, "ms")
        self.table.say(self.made, "  ends right", f"{sum(result['isRight'] for result in results)} of {len(results)}")
        add("  requests made", "made")
        add("  requests aborted", "aborted")

    def bytes(self) -> None:
        """Memory that is held after a long walk."""
        tokens = self.tokens.stored[-WALKED:]
        with self.page() as page:
            session = page.context.new_cdp_session(page)
            before = self._arrays(session)
            self.selected(page, [{"token": token} for token in tokens])
            held = page.evaluate("() => window.bench.held()")
            after = self._arrays(session)
        name = f"{len(tokens)} tokens looked at"
        if held["bytes"] is None:
            self.table.say(self.made, f"{name}: numbers held", "the viewer does not say")
        else:
            limit = held["limit"] and held["limit"] / 2**20
            self.table.add(self.made, f"{name}: numbers held", [held["bytes"] / 2**20], limit, "MB")
        self.table.add(self.made, "  arrays more than before", [(after - before) / 2**20], unit="MB")
        self.table.add(self.made, "  JavaScript heap", [held["heap"] / 2**20], unit="MB")

    @staticmethod
    def _arrays(session) -> int:
        session.send("HeapProfiler.collectGarbage")
        return session.send("Runtime.getHeapUsage")["backingStorageSize"]

    def strip(self) -> None:
        """Selections in a text of thousands of tokens, and scrolling through it."""
        with self.page() as page:
            every = [*self.tokens.computed, *self.tokens.stored]
            tokens = [{"token": token} for token in every[5 :: len(every) // 8]]
            self.selected(page, tokens)
            samples = self.selected(page, [tokens[i % len(tokens)] for i in range(self.repeats + WARM)])[WARM:]
            near = [{"token": token} for token in self.tokens.stored[10:14]]
            self.selected(page, near)
            steps = self.selected(page, [near[i % len(near)] for i in range(self.repeats + WARM)])[WARM:]
            scrolls = [page.evaluate("() => window.bench.scroll(100)") for _ in range(max(3, self.repeats // 4))]
        self.add("token anywhere in the text: overlay", samples, "overlay")
        self.add("  its frame done, tints too", samples, "presented", 50)
        self.add("token in sight: overlay", steps, "overlay")
        self.add("  its frame done, tints too", steps, "presented", 50)
        name = f"scrolled through it, {scrolls[0]['frames']} frames"
        for figure, part in {f"{name}: longest frame": "longest", "  longest task": "task"}.items():
            self.table.add(self.made, figure, [scroll[part] for scroll in scrolls], 50)


MEASUREMENTS = {
    "cached": (MEDIUM, LARGE),
    "fresh": (MEDIUM, LARGE),
    "change": (MEDIUM, LARGE),
    "scrub": (MEDIUM, LARGE),
    "bytes": (MEDIUM, LARGE),
    "link": (MEDIUM, LARGE),
    "strip": (LONG,),
}


def plan(only: list[str]) -> dict[Made, list[str]]:
    """Measurements on each run."""
    runs = [made for made in RUNS.values() if made.name in only] or list(RUNS.values())
    names = [name for name in MEASUREMENTS if name in only] or list(MEASUREMENTS)
    found = {made: [name for name in names if made in MEASUREMENTS[name]] for made in runs}
    return {made: chosen for made, chosen in found.items() if chosen}


def load() -> str:
    """Load of the machine, by this and by other work: figures of a busy one say little."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def machine(browser: Browser) -> str:
    """The machine that figures were taken on."""
    return (
        f"{os.cpu_count()} cores, {platform.machine()}; Chromium {browser.version}, software rendering, "
        f"{SIZE['width']}x{SIZE['height']}; Gradio {gr.__version__}, NumPy {np.__version__}, "
        f"Python {platform.python_version()}, Playwright {version('playwright')}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--only", nargs="+", default=[], choices=[*RUNS, *MEASUREMENTS], metavar="NAME",
                        help=", ".join([*RUNS, *MEASUREMENTS]))  # fmt: skip
    parser.add_argument("--keep", type=Path, help="where to write the runs, or where they are; they stay there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = options.keep or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        chosen = plan(options.only)
        folders = {made.name: made.write(root) for made in chosen}
        with served(folders) as address, chromium() as browser:
            print(f"{machine(browser)}; load {load()}\n")
            table = Table(options.markdown)
            for made, names in chosen.items():
                bench = Bench(browser, address, made, Tokens.of(folders[made.name]), table, options.repeats)
                for name in names:
                    getattr(bench, name)()
            print(f"\nload at the end {load()}")


if __name__ == "__main__":
    main()
