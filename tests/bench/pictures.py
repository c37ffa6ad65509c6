"""Memory and time of pictures from strangers: of the app's process and its decoders, before, during and after a burst.

    python tests/bench/pictures.py [--visitors 4] [--wait 20]

Starts the app as a server for strangers. Visitors ask at once, each about another form of 64 million pixels, then each
has a map drawn on it at once; meanwhile one who asks about a small picture is timed. Then files are sent that ask a
decoder for hours. `--wait` seconds later the memory is read again.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from gradio_client import Client, handle_file
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from hostile_pictures import SIZE, gif_of_frames, jpeg_of_scans, noise  # noqa: E402 - needs the path

SIDE = 8000


def forms(folder: Path) -> list[Path]:
    """Pictures of 64 million pixels, some hundred kilobytes each."""
    flat, clear = Image.new("RGB", (SIDE, SIDE), (9, 99, 200)), Image.new("RGBA", (SIDE, SIDE), (9, 99, 200, 40))
    deep = Image.fromarray(np.tile(np.arange(SIDE, dtype=np.uint16) * 8, (SIDE, 1)))
    made = [("a.jpg", flat, {}), ("b.png", clear, {}), ("c.png", deep, {}), ("d.webp", clear, {"lossless": True})]
    for name, picture, settings in made:
        picture.save(folder / name, **settings)
    return [folder / name for name, _, _ in made]


def bombs(folder: Path) -> list[Path]:
    (folder / "scans.jpg").write_bytes(jpeg_of_scans(2000, size=(SIDE // 4, SIDE // 4)))
    (folder / "frames.gif").write_bytes(gif_of_frames(1_000_000))
    return [folder / "scans.jpg", folder / "frames.gif"]


def megabytes(pid: int) -> tuple[float, float]:
    """Memory of a process, and of its children together."""

    def of(one: str) -> float:
        try:
            return int(Path(f"/proc/{one}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        except OSError:
            return 0

    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for task in Path(f"/proc/{pid}/task").iterdir():
        children += [each for each in (task / "children").read_text().split() if each not in children]
    return of(str(pid)), sum(map(of, children))


class Watch:
    """The most memory since it was last asked."""

    def __init__(self, pid: int):
        self._pid, self._most, self._ends = pid, (0.0, 0.0), threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self._ends.wait(0.05):
            try:
                now = megabytes(self._pid)
            except OSError:
                continue
            self._most = max(self._most[0], now[0]), max(self._most[1], now[1])

    def most(self) -> tuple[float, float]:
        most, self._most = self._most, (0.0, 0.0)
        return most


def timed(work: Callable[[], object]) -> tuple[float, object]:
    start = time.monotonic()
    try:
        made = work()
    except Exception as error:  # noqa: BLE001 - refusals are what is measured
        made = str(error)
    return time.monotonic() - start, made


def at_once(works: list[Callable[[], object]]) -> list[tuple[float, object]]:
    answers: list = [None] * len(works)

    def one(i: int) -> None:
        answers[i] = timed(works[i])

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--visitors", type=int, default=4)
    parser.add_argument("--wait", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, socket.socket() as free:
        folder = Path(name)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environment = os.environ | {
            "SYSTEM": "spaces", "HF_HUB_OFFLINE": "1", "GRADIO_SERVER_PORT": str(port), "XDG_CACHE_HOME": name,
        }  # fmt: skip
        noise(SIZE).save(folder / "small.png")
        large, hostile = forms(folder), bombs(folder)
        app = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        try:
            assert app.stdout is not None
            app.stdout.readline()
            measure(app.pid, f"http://127.0.0.1:{port}", folder / "small.png", large, hostile, options)
        finally:
            app.send_signal(signal.SIGINT)
            app.wait()


def measure(
    pid: int, address: str, small: Path, large: list[Path], hostile: list[Path], options: argparse.Namespace
) -> None:
    visitors = [Client(address, verbose=False) for _ in range(options.visitors)]
    other = Client(address, verbose=False)

    def ask(client: Client, picture: Path) -> dict:
        return client.predict(images=[handle_file(picture)], prompt="what is it?", api_name="/analyze")

    for _ in range(3):
        ask(other, small)
    watch = Watch(pid)

    def say(what: str, seconds: float | str = "") -> None:
        now, most = megabytes(pid), watch.most()
        seconds = f"{seconds:.1f} s" if isinstance(seconds, float) else seconds
        print(f"| {what} | {most[0]:,.0f} + {most[1]:,.0f} | {now[0]:,.0f} + {now[1]:,.0f} | {seconds} |", flush=True)

    print("| | most MB, app + decoders | MB then | seconds |\n| --- | --- | --- | --- |")
    before = megabytes(pid)[0]
    say("one small picture", timed(lambda: ask(other, small))[0])
    asked = zip(visitors, itertools.cycle(large), strict=False)
    works = [lambda c=client, p=picture: ask(c, p) for client, picture in asked]  # type: ignore[misc]
    # later than the large ones, which are being read by then; the 2 seconds are taken off below
    *made, (beside, _) = at_once([*works, lambda: (time.sleep(2), ask(other, small))])
    say(f"{options.visitors} visitors, 64 million pixels each", max(seconds for seconds, _ in made))
    say("a small picture beside them", beside - 2)
    tickets = [found["ticket"] for _, found in made if isinstance(found, dict)]
    drawn = at_once([lambda t=ticket: other.predict(t, api_name="/heatmap") for ticket in tickets])  # type: ignore[misc]
    say(f"{len(drawn)} maps drawn on them at once", max(seconds for seconds, _ in drawn))
    for path in hostile:
        seconds, said = timed(lambda path=path: ask(other, path))  # type: ignore[misc]
        say(f"{path.name}, {path.stat().st_size / 1e3:,.0f} kB: {str(said)[:60]}", seconds)
    time.sleep(options.wait)  # what comes back by itself is measured, in its own time
    say(f"{options.wait:.0f} s later")
    print(f"\nThe app's process: {before:,.0f} MB before, {megabytes(pid)[0] / before - 1:+.0%} after.")


if __name__ == "__main__":
    main()
