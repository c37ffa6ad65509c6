"""The cost of a batch: over `extract` in a loop, of answers written together, in memory, and by two processes.

    python tests/bench/batch.py [--items 16] [--rounds 5] [--memory 2000] [--only NAME ...]

`overhead`: items of the bundled model with answers, in a loop of `extract` whose folders are removed, and as a batch
that keeps scores; both warm, by turns. `together`: the same with one answer at a time and with all in one batch, of
generation alone and of the whole. `memory`: what the process holds after a tenth of so many items of a tiny random
model, and at the end. `shards`: two processes of one thread each, on halves of the items, against one. `workers`: two
workers of a local Ray of one thread each, against one, where Ray is installed. `readings`: a batch with each reading,
against one with none.

Prints medians and what lies between the fastest and the slowest round; asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import torch  # noqa: E402
from pictures import coarse_noise  # noqa: E402
from tiny import qwen3_vl_folder  # noqa: E402

from attention import Request, extract, run_batch  # noqa: E402
from attention.capture.answering import written  # noqa: E402
from attention.capture.answering_together import written_together  # noqa: E402
from attention.capture.images import open_pictures  # noqa: E402
from attention.capture.in_use import in_use  # noqa: E402
from attention.capture.inputs import prepare  # noqa: E402
from attention.limits import Limits  # noqa: E402
from attention.models import loading as models  # noqa: E402
from attention.models.kept import INFERENCE  # noqa: E402
from attention.pocket.items import write_set  # noqa: E402

NAMES = ("overhead", "together", "memory", "shards", "workers", "readings")
CLOCKS = (("by the clock", time.perf_counter), ("of processors", time.process_time))
ANSWERS = Request(model="pocket", device="cpu", mode="generate", max_new_tokens=24)


class Told:
    """A run that is told of an answer."""

    def report(self, *_: object) -> None:
        pass

    def check_cancelled(self) -> None:
        pass


def by_turns(
    rounds: int, *works: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> list[list[float]]:
    """Seconds of each work, one after the other in every round, after one that does not count."""
    found: list[list[float]] = [[] for _ in works]
    for each in range(rounds + 1):
        for work, seconds in zip(works, found, strict=True):
            begin = clock()
            work()
            if each:
                seconds.append(clock() - begin)
    return found


def said(seconds: list[float], items: int) -> str:
    """Milliseconds an item: the median, the fastest and the slowest."""
    per_item = [1000 * each / items for each in seconds]
    return f"{statistics.median(per_item):.1f} ms an item ({min(per_item):.1f} to {max(per_item):.1f})"


def lines_of(folder: Path, question: str, items: int) -> list[dict]:
    write_set(folder, question, items)
    read = [json.loads(line) for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line | {"image": str(folder / line["image"])} for line in read]


def overhead(options, space: Path) -> None:
    lines = lines_of(space / "set", "colour", options.items)

    def loop() -> None:
        for line in lines:
            folder = space / "run"
            extract(replace(ANSWERS, images=(line["image"],), prompt=line["prompt"], vision=False), folder).close()
            shutil.rmtree(folder)

    def batch() -> None:
        shutil.rmtree(space / "batch", ignore_errors=True)
        run_batch(lines, space / "batch", ANSWERS)

    for name, clock in CLOCKS:
        without, found = by_turns(options.rounds, loop, batch, clock=clock)
        more = [1000 * (b - a) / options.items for a, b in zip(without, found, strict=True)]
        print(f"{name}, extract in a loop: {said(without, options.items)}")
        print(f"{name}, as a batch, with scores and ground truth: {said(found, options.items)}")
        print(f"{name}, overhead: {statistics.median(more):.1f} ms an item (goal: 20)")


def together(options, space: Path) -> None:
    lines = lines_of(space / "clicks", "click", options.items)
    loaded, limits = models.load("pocket", "cpu"), Limits.local()
    asked = [replace(ANSWERS, images=(line["image"],), prompt=line["prompt"]) for line in lines]
    inputs = [
        prepare(each, open_pictures(each, limits), loaded.family, loaded.processor, limits).inputs for each in asked
    ]

    def one_by_one() -> list[list[int]]:
        return [written(each, Told(), own, loaded) for each, own in zip(asked, inputs, strict=True)]  # type: ignore[arg-type]

    def in_one() -> list[list[int]]:
        return written_together(inputs, ANSWERS.max_new_tokens, loaded, lambda done: None)

    with INFERENCE, in_use(loaded):
        tokens = sum(map(len, one_by_one()))
        print(f"{tokens} tokens of {len(lines)} answers, the same ids: {one_by_one() == in_one()}")
        faster(options, "generation", one_by_one, in_one)

    def whole(batch: int) -> Callable[[], None]:
        def work() -> None:
            shutil.rmtree(space / "batch", ignore_errors=True)
            run_batch(lines, space / "batch", ANSWERS, batch=batch)

        return work

    faster(options, "whole items", whole(1), whole(options.items))


def faster(options, what: str, alone: Callable[[], object], both: Callable[[], object]) -> None:
    """Say how much faster a batch is than one by one."""
    for name, clock in CLOCKS:
        one, other = by_turns(options.rounds, alone, both, clock=clock)
        ratio = statistics.median(a / b for a, b in zip(one, other, strict=True))
        print(f"{what} {name}: {said(one, options.items)}; in one batch {said(other, options.items)}: {ratio:.1f}x")


def memory(options, space: Path) -> None:
    """Measured in a process of its own: what others have left here is not its."""
    if not options.inside:
        subprocess.run([sys.executable, __file__, "--only", "memory", "--inside", "--memory", str(options.memory)],
                       check=True)  # fmt: skip
        return
    model, picture = qwen3_vl_folder(space / "model"), space / "picture.png"
    coarse_noise(96, 64).save(picture)
    lines = [{"image": str(picture), "prompt": f"what is number {number}?", "box": [8, 8, 40, 40]}
             for number in range(options.memory)]  # fmt: skip
    seen: dict[int, float] = {}

    def watch(what: str, counts, total) -> None:
        if counts.made % (options.memory // 10) == 0:
            seen[counts.made] = resident()

    begin = time.perf_counter()
    run_batch(lines, space / "batch", Request(model=str(model), device="cpu"), watch=watch)
    seconds = time.perf_counter() - begin
    marks = ", ".join(f"{items:,}: {mb:.0f}" for items, mb in seen.items() if items)
    print(f"resident memory in MB after items {marks}; {len(lines) / seconds:.0f} items a second")


def resident() -> float:
    """Megabytes that this process holds."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def shards(options, space: Path) -> None:
    lines = lines_of(space / "shards", "click", 4 * options.items)
    file = space / "shards.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    settings = ["--jsonl", str(file), "--model", "pocket", "--device", "cpu", "--mode", "generate", "--quiet"]

    def start(output: str, *more: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "attention", "batch", *settings, "--output-dir", str(space / output), *more]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)

    def run(output: str, *parts: tuple[str, ...]) -> None:
        shutil.rmtree(space / output, ignore_errors=True)
        for process in [start(output, *part) for part in parts]:
            assert process.wait() == 0

    one, two = by_turns(
        max(1, options.rounds // 2), lambda: run("one", ()), lambda: run("two", ("--shard", "1/2"), ("--shard", "2/2"))
    )
    ratio = statistics.median(a / b for a, b in zip(one, two, strict=True))
    print(f"{len(lines)} items, one process {min(one):.1f} s, two {min(two):.1f} s, their start included: {ratio:.2f}x")


def workers(options, space: Path) -> None:
    try:
        import ray
    except ImportError:
        print("Ray is not installed (pip install ray), so nothing was measured.")
        return
    from attention.batches.on_ray import Ray

    lines = lines_of(space / "workers", "click", 4 * options.items)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    after: dict[int, list[float]] = {1: [], 2: []}  # seconds from the first item that was there to the last

    def run(count: int) -> None:
        shutil.rmtree(space / "batch", ignore_errors=True)
        seen: list[float] = []

        def watch(what: str, counts, total) -> None:
            if counts.made:
                seen.append(time.perf_counter())

        run_batch(lines, space / "batch", ANSWERS, engine=Ray(workers=count), watch=watch)
        after[count].append(seen[-1] - seen[0])

    try:
        one, two = by_turns(max(1, options.rounds // 2), lambda: run(1), lambda: run(2))
    finally:
        ray.shutdown()
    for what, a, b in (("start included", one, two), ("from the first item on", after[1][1:], after[2][1:])):
        ratio = statistics.median(x / y for x, y in zip(a, b, strict=True))
        print(f"{len(lines)} items, one worker {min(a):.1f} s, two {min(b):.1f} s, {what}: {ratio:.2f}x")


def readings(options, space: Path) -> None:
    lines = lines_of(space / "readings", "colour", options.items)
    kinds: list[list[str]] = [[], ["forecast"], ["relative"], ["lens"], ["agreement"]]

    def batch(asked: list[str]) -> Callable[[], None]:
        def work() -> None:
            shutil.rmtree(space / "batch", ignore_errors=True)
            run_batch(lines, space / "batch", ANSWERS, readings=asked)

        return work

    for name, clock in CLOCKS:
        for asked, seconds in zip(kinds, by_turns(options.rounds, *map(batch, kinds), clock=clock), strict=True):
            print(f"{name}, {asked[0] if asked else 'no reading'}: {said(seconds, options.items)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, default=2000)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix="bench-") as space:
            print(f"{name}:", flush=True)
            globals()[name](options, Path(space))


if __name__ == "__main__":
    main()
