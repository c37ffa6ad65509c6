"""Load on an app for strangers: 24 clients, 200 jobs, rows looked at meanwhile, then 10,000 tiny requests.

`python tests/bench/load.py` runs the bundled model, `--stub` puts a wait of 100 ms and a copied run in the place of the
model's work. The app is a process of its own, in which what is kept expires in seconds, so that memory and disk can be
seen to come back. Every job has an answer and a picture of its own, by which a mixed-up result would show.
"""

import argparse
import asyncio
import io
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

EXPIRY_S, AWAY_S, SETTLE_S = 10, 10, 30
ROW = "gradio_api/attention/example-shapes/row?layer={layer}&query={query}"


def serve(folder: Path, is_stub: bool) -> None:
    """Be the app, until standard input ends."""
    os.environ |= {"SYSTEM": "spaces", "GRADIO_TEMP_DIR": str(folder / "uploads"), "GRADIO_ANALYTICS_ENABLED": "False"}
    import app
    from attention.environment import EXAMPLES
    from attention.runs.partial import PartialRun
    from attention.visitors import files
    from attention.visitors.budget import KeptLimits
    from attention.visitors.store import RunCache

    def copied(job: dict, _: object) -> dict:
        partial = PartialRun.open(job["partial"])
        info = json.loads((EXAMPLES / "shapes" / "run.json").read_text(encoding="utf-8"))
        time.sleep(0.1)  # the model's work
        shutil.copytree(EXAMPLES / "shapes", partial.folder, dirs_exist_ok=True)
        info |= {"answer": job["request"]["answer"]}
        return {"run": str(partial.commit(info))}

    files.AWAY_S = files.FETCHED_S = AWAY_S
    cache = RunCache(
        folder / "sessions", library=False, byte_limit=2_000_000_000, visitor_limits=KeptLimits(12, 10**9),
        idle_seconds=EXPIRY_S, grace_seconds=AWAY_S, drain_seconds=1, sweep_every=1,
    )  # fmt: skip
    service = app.new_service(cache, is_hosted=True, model="pocket")
    if is_stub:
        service.work.run_job = copied
    demo = app.launch(service, quiet=True)
    service.wait_until_loaded()
    print(demo.local_url, flush=True)
    sys.stdin.read()
    demo.close()
    service.close()


def browse(address: str) -> None:
    """Be four people who look at rows, and print the milliseconds that each row took."""

    def look() -> None:
        with httpx.Client(headers={"X-Forwarded-For": "20.9.9.9"}, timeout=60, verify=False) as http:
            while True:
                place = address + ROW.format(layer=random.randrange(5), query=random.randrange(20, 95))
                begun = time.perf_counter()
                status = http.get(place).status_code
                milliseconds = 1e3 * (time.perf_counter() - begun)
                line = f"{milliseconds:.1f}" if status == 200 else f"status-{status}"
                os.write(1, f"{line}\n".encode())  # whole, whichever of them writes besides
                time.sleep(0.05)  # a person's time between two rows

    for _ in range(4):
        threading.Thread(target=look).start()


def picture(width: int, height: int) -> bytes:
    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (width, height), (width % 256, height % 256, 90)).save(made, "PNG")
    return made.getvalue()


def rss_mb(pid: int) -> float:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1e3


def disk_mb(folder: Path) -> float:
    from attention.visitors.files import bytes_of

    return bytes_of(folder) / 1e6


class Load:
    """Clients of one app, and what became of their calls."""

    def __init__(self, address: str, is_stub: bool):
        self.address, self.is_stub = address, is_stub
        self.http = httpx.AsyncClient(
            timeout=300, limits=httpx.Limits(max_connections=400, max_keepalive_connections=0), verify=False
        )
        self.outcomes: Counter[str] = Counter()
        self.waited: list[float] = []

    async def call(self, client: int, name: str, fields: dict) -> tuple[str, str]:
        """The last event of a call, and its data."""
        headers = {"X-Forwarded-For": f"20.1.{client // 250}.{client % 250 + 1}"}
        joined = await self.http.post(f"{self.address}gradio_api/call/v2/{name}", json=fields, headers=headers)
        if joined.status_code != 200:
            return "error", joined.text
        place = f"{self.address}gradio_api/call/{name}/{joined.json()['event_id']}"
        event = ("error", "")
        async with self.http.stream("GET", place, headers=headers) as answer:
            kind = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind in ("complete", "error"):
                    event = kind, line.removeprefix("data: ")
        return event

    async def job(self, client: int, number: int) -> None:
        """One job until it is answered; what is refused politely is asked again."""
        headers = {"X-Forwarded-For": f"20.1.0.{client + 1}"}
        size = 64 + 8 * client, 64 + 8 * (number % 12)
        files = {"files": ("a.png", picture(*size))}
        begun, answer = time.monotonic(), f"c{client}j{number}"
        sent = await self.http.post(f"{self.address}gradio_api/upload", files=files, headers=headers)
        file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
        fields = {"images": file, "prompt": "what is this?", "answer": answer, "vision": False}
        while True:
            try:
                kind, data = await self.call(client, "analyze", fields)
            except httpx.TransportError as error:
                self.outcomes[f"connection broke, asked again: {type(error).__name__}"] += 1
                continue
            if kind == "complete":
                made = json.loads(data)[0]
                read = made["run"]["images"][0]
                is_right = made["answer"] == answer and (self.is_stub or (read["width"], read["height"]) == size)
                self.outcomes["answered" if is_right else "MIXED"] += 1
                self.waited.append(time.monotonic() - begun)
                return
            if re.search(r"queue is full|one address may have|one visitor may have", data):
                self.outcomes["refused politely, asked again"] += 1
                await asyncio.sleep(random.uniform(0.5, 1.5))
            else:
                self.outcomes[f"FAILED: {data[:120]}"] += 1
                return

    async def leave(self, client: int) -> None:
        """A call that nobody listens to."""
        fields = {"images": None, "prompt": "is anybody there?", "mode": "generate", "max_new_tokens": 200}
        headers = {"X-Forwarded-For": f"20.1.0.{client + 1}"}
        await self.http.post(f"{self.address}gradio_api/call/v2/analyze", json=fields, headers=headers)

    async def tiny(self, count: int) -> Counter[str]:
        """Requests that are wrong or that nobody waits for, of 20 addresses; by what was answered at once."""
        said: Counter[str] = Counter()
        numbers = iter(range(count))

        async def send() -> None:
            for number in numbers:
                name, fields = random.choice(
                    [
                        ("analyze", {"images": None, "prompt": ""}),
                        ("heatmap", {"ticket": "none"}),
                        ("export", {"ticket": "none", "format": "png"}),
                        ("open", {"file": None}),
                    ]
                )
                headers = {"X-Forwarded-For": f"20.2.0.{number % 20}"}
                place = f"{self.address}gradio_api/call/v2/{name}"
                said[str((await self.http.post(place, json=fields, headers=headers)).status_code)] += 1

        await asyncio.gather(*(send() for _ in range(32)))
        return said


def told(milliseconds: list[float]) -> str:
    ordered = sorted(milliseconds)
    return (
        f"median {statistics.median(ordered):.0f} ms, p95 {ordered[int(0.95 * len(ordered))]:.0f} ms of {len(ordered)}"
    )


async def measured(address: str, pid: int, folder: Path, options: argparse.Namespace) -> None:
    load = Load(address, options.stub)

    async def rows(work: Awaitable) -> list[float]:
        """Milliseconds that rows took meanwhile, in a process of its own: this one is as busy as the app."""
        command = [sys.executable, __file__, "--browse", address]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        await process.stdout.readline()  # it has begun
        await work
        process.terminate()
        lines = (await process.communicate())[0].decode().split()
        wrong = [line for line in lines if not line.replace(".", "").isdigit()]
        assert not wrong, wrong[:5]
        return [float(line) for line in lines]

    async def watch(peak: dict) -> None:
        while True:
            peak["rss"] = max(peak.get("rss", 0), rss_mb(pid))
            peak["disk"] = max(peak.get("disk", 0), await asyncio.to_thread(disk_mb, folder))
            await asyncio.sleep(0.5)

    async def jobs() -> None:
        each = [load.job(number % options.clients, number) for number in range(options.jobs)]
        await asyncio.gather(*each, *(load.leave(client) for client in range(options.clients)))

    async def settled() -> str:
        await asyncio.sleep(SETTLE_S)
        return f"{rss_mb(pid):.0f} MB, disk {await asyncio.to_thread(disk_mb, folder):.1f} MB"

    await load.job(0, 0)  # what is loaded only once is not this load's
    print("load average", os.getloadavg()[0], "cores", os.cpu_count())
    print("at first", await settled())
    print("rows, nothing else asked for:", told(await rows(asyncio.sleep(6))))
    load.outcomes.clear()
    load.waited.clear()
    peak: dict = {}
    watching = asyncio.create_task(watch(peak))
    begun = time.monotonic()
    under = await rows(jobs())
    watching.cancel()
    print(f"{options.jobs} jobs of {options.clients} clients, {time.monotonic() - begun:.0f} s:", dict(load.outcomes))
    print(f"a job was answered after {statistics.median(load.waited):.1f} s, the last {max(load.waited):.1f} s")
    print("rows meanwhile:", told(under))
    print(f"at most {peak['rss']:.0f} MB, disk {peak['disk']:.1f} MB; {SETTLE_S} s later", await settled())
    begun = time.monotonic()
    said: Counter[str] = Counter()
    under = await rows(store(said, load.tiny(options.tiny)))
    print(f"{options.tiny} tiny requests, {time.monotonic() - begun:.0f} s:", dict(said))
    print("rows meanwhile:", told(under))
    load.outcomes.clear()
    await load.job(1, 1)
    print("the next job:", dict(load.outcomes), "later", await settled())


async def store(said: Counter, work) -> None:
    said.update(await work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stub", action="store_true", help="no model")
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--tiny", type=int, default=10_000)
    parser.add_argument("--browse", help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.stub)
        return
    if options.browse:
        browse(options.browse)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--serve", folder, *(["--stub"] if options.stub else [])]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            address = process.stdout.readline().strip()
            asyncio.run(measured(address, process.pid, Path(folder), options))
        finally:
            process.stdin.close()
            process.wait(30)


if __name__ == "__main__":
    main()
