"""The cost of capturing at the true sizes of Qwen3-VL-2B, 4B and 8B, with random weights: time, memory, disk.

    python tests/bench/capture.py --real                          what this machine can do, on a CPU in 10 minutes
    python tests/bench/capture.py --real --device cuda --markdown    all of it
    python tests/bench/capture.py --real --sizes 2B --tokens 3000 --layers 2 4 28 --no-time

Four methods: the plain model with SDPA; this capture of the language tower; of both towers; eager attention that
returns the language tower's maps. Each call has pictures in it, so the vision tower runs in all four; logits are of
the last position alone. Rows are stored as extraction does by default, after an answer of 128 tokens.

Time: the methods alternate in one process; ratios to plain are medians over rounds, of the model's time (on a device
until its queries and keys are on the host) and, apart, up to the last written byte. On a host the ratio of processor
time is printed as well: it holds where other programs run. Memory: the peak of one call above the loaded model, less
that of the plain call, with a writer's buffer of 128 MB (--memory-buffer); on a host each call is in a process of its
own. Peaks of the vision tower and of the language tower are kept apart, since the one can hide the other: extra memory
is the larger of the two differences.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil
import torch
from real_models import ANSWER, SIZES, Inputs, build, make_inputs

from attention.capture.plan import MAX_SINK_ROWS, TowerPlan
from attention.capture.recorder import Capture
from attention.families.qwen3_vl import FAMILY
from attention.limits import Limits
from attention.models.hook import attention_function, attention_of

METHODS = ("plain", "capture", "towers", "eager")
TOKENS = (500, 1500, 3000, 8000, 16000)
GOAL_TOKENS, GOAL_RATIO = 3000, 30
GOAL_TIME = 1.10
FEW_LAYERS = 2  # on a CPU, where nothing else is said
# glibc gives freed tensors back at once: a peak is then what was held, and no history of the heap
EXACT_HEAP = {"MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_TRIM_THRESHOLD_": "262144"}


@dataclass(frozen=True)
class Case:
    size: str
    dtype: str
    layers: int
    tokens: int

    @property
    def itemsize(self) -> int:
        return 4 if self.dtype == "float32" else 2

    @property
    def rows(self) -> int:
        """Number of rows that extraction stores by default in a model of all its layers: every one, or the tail."""
        size = SIZES[self.size]
        most = Limits().rows_bytes // (2 * size.layers * size.heads * self.tokens)
        return self.tokens if most >= self.tokens else max(1, min(ANSWER + 1, most))

    def needs(self, method: str) -> int:
        """About how many bytes a method takes, the weights included: to leave out what cannot fit."""
        size = SIZES[self.size]
        weights = size.weights(self.layers) * self.itemsize
        vision = 4 * self.tokens * (size.vision_hidden * 40 + size.vision_intermediate * 2 * self.itemsize)
        language = self.tokens * (size.hidden * 24 + size.intermediate * 3 * self.itemsize)
        if method == "eager":
            maps = (self.layers * self.itemsize + 8) * size.heads * self.tokens**2
            return weights + max(vision, language + maps)
        return weights + max(vision, language)


# One model and its calls


class Bench:
    """A model of one case's size, and its inputs of any length."""

    def __init__(self, case: Case, device: str, folder: Path):
        self.device, self.folder = device, folder
        self.model = build(SIZES[case.size], case.layers, getattr(torch, case.dtype), device)
        self.language = self.model.model.language_model

    def prepare(self, case: Case) -> None:
        self.inputs = make_inputs(case.tokens, self.device)
        self.plans = plans(self.model, self.inputs, case.rows)

    @torch.inference_mode()
    def run(self, method: str, buffer_bytes: int = Limits().buffer_bytes) -> tuple[float, float, int]:
        """Seconds until the model has finished, seconds until all is written, bytes on disk."""
        self.wait()
        start = time.perf_counter()
        if method in ("plain", "eager"):
            with self._eager() if method == "eager" else contextlib.nullcontext():
                output = self._forward()
                seconds = time.perf_counter() - start
            del output  # held until here, as a caller would
            return seconds, seconds, 0
        towers = self.plans if method == "towers" else {"language": self.plans["language"]}
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            with attention_of(self.model), Capture(Path(name), towers, buffer_bytes):
                self._forward()
                if self.device != "cpu":
                    torch.cuda.synchronize()  # its factors have left over a stream of their own
                modelled = time.perf_counter() - start
            whole = time.perf_counter() - start
            return modelled, whole, sum(file.stat().st_size for file in Path(name).rglob("*.safetensors"))

    def _forward(self) -> tuple:
        """The model's output, and the logits of the last position, which the head is given as one row."""
        output = self.model.model(**self.inputs.tensors, use_cache=False)
        logits = self.model.lm_head(output.last_hidden_state[:, -1])
        self.wait()
        assert logits.isfinite().all()
        return output, logits

    @contextlib.contextmanager
    def _eager(self):
        """The usual way to maps, in the language tower: the vision tower keeps SDPA."""
        with attention_function(self.language, "eager"):
            self.language.config.output_attentions = True
            try:
                yield
            finally:
                self.language.config.output_attentions = False

    def wait(self) -> None:
        """For the model's own stream alone: what leaves goes on."""
        if self.device != "cpu":
            torch.cuda.current_stream().synchronize()


def plans(model, inputs: Inputs, rows: int) -> dict[str, TowerPlan]:
    """Plans of what extraction keeps of such a conversation."""
    names = {id(module): name for name, module in model.named_modules()}
    modules = {
        tower: {index: (names[id(module)], module) for index, module in layers.items()}
        for tower, layers in FAMILY.attention_modules(model).items()
    }
    n = inputs.tokens
    text = torch.arange(int(inputs.cells[-1]) + 2, n)
    stored = torch.arange(n) if rows == n else torch.arange(inputs.n_prompt - 1, inputs.n_prompt - 1 + rows)
    language = TowerPlan(
        modules["language"],
        n,
        rows=stored,
        stores_all_rows=rows == n,
        cells=inputs.cells,
        grid_sizes=inputs.grids,
        sink_rows=text[:MAX_SINK_ROWS],
        spatial_from=inputs.n_prompt - 1,
    )
    return {"language": language, "vision": TowerPlan(modules["vision"], inputs.patches, has_blocks=True)}


# Memory


def status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


class Peaks:
    """Peak bytes above what stood at the start, of the host and of the device, up to the language tower and from it."""

    def __init__(self, device: str):
        self.device = device
        self.base = {"host": status("VmRSS")}
        if device != "cpu":
            torch.cuda.synchronize()
            self.base["device"] = torch.cuda.memory_allocated()
        self.parts: dict[str, dict[str, int]] = {}
        self._reset()

    def _reset(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM, from here on
        if self.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.reset_peak_host_memory_stats()

    def take(self, part: str) -> None:
        now = {"host": status("VmHWM")}
        if self.device != "cpu":
            now["device"] = torch.cuda.max_memory_allocated()
        self.parts[part] = {where: now[where] - self.base[where] for where in now}
        self._reset()


def measure_memory(bench: Bench, method: str, buffer_bytes: int) -> dict:
    """{host, device: {vision, language}: bytes above the model}, the process's own peak, seconds."""
    peaks = Peaks(bench.device)
    hook = bench.language.register_forward_pre_hook(lambda *_: peaks.take("vision"))
    _, whole, disk = bench.run(method, buffer_bytes)
    hook.remove()
    peaks.take("language")
    found = {where: {part: peaks.parts[part][where] for part in peaks.parts} for where in peaks.base}
    found |= {"process": peaks.base["host"] + max(found["host"].values()), "whole_s": whole, "disk": disk}
    if bench.device != "cpu":
        found["pinned"] = torch.cuda.host_memory_stats()["active_bytes.peak"]
    return found


# Time


def measure_time(bench: Bench, methods: list[str], rounds: int) -> dict:
    """Seconds of plain, of the first capture, and, for each method that fits, medians of ratios round by round."""
    bench.run("plain")
    firsts = {method: seconds for method in methods if (seconds := first_call(bench, method))}
    taken: dict[str, list] = {method: [] for method in firsts}
    for _ in range(rounds):
        for method, calls in taken.items():
            gc.collect()
            start = time.process_time()
            modelled, whole, disk = bench.run(method)
            calls.append((modelled, whole, time.process_time() - start, disk))
    plain_s = median(call[0] for call in taken["plain"])
    found = {"plain": {"s": plain_s}, "first": firsts.get("capture", math.nan) / plain_s}
    found |= {method: {"fits": False} for method in methods if method not in firsts}
    for method in list(taken)[1:]:
        pairs = list(zip(taken[method], taken["plain"], strict=True))
        found[method] = {
            "ratio": median(a[0] / b[0] for a, b in pairs),
            "whole": median(a[1] / b[1] for a, b in pairs),
            "processor": median(a[2] / b[2] for a, b in pairs),
            "disk_s": median(a[1] - a[0] for a, _ in pairs),
            "disk": taken[method][-1][3],
        }
    return found


def first_call(bench: Bench, method: str) -> float | None:
    """Seconds of the model's part of a call; None where memory does not do."""
    try:
        return bench.run(method)[0]
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return None


def is_out_of_memory(error: RuntimeError) -> bool:
    return "allocate memory" in str(error) or "out of memory" in str(error)


# A child process: some measures with one model


def child(task: dict) -> None:
    """Prints a line of JSON for each measure; {"fits": false} for one that ran out of memory."""
    case = Case(**task["case"])
    if task["device"] == "cpu":  # an allocation beyond fails, and nobody is killed
        resource.setrlimit(resource.RLIMIT_DATA, (task["memory"], task["memory"]))
    bench, start_s = None, 0.0
    for measure in task["measures"]:
        try:
            if bench is None:
                bench = Bench(case, task["device"], Path(task["folder"]))
                start_s = time.time() - psutil.Process().create_time()
            bench.prepare(Case(**task["case"] | {"tokens": 300}))
            bench.run("plain")
            now = Case(**task["case"] | {"tokens": measure["tokens"]})
            bench.prepare(now)
            if "rounds" in measure:
                found = measure_time(bench, measure["methods"], measure["rounds"])
            else:
                found = measure_memory(bench, measure["method"], measure["buffer"])
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if not is_out_of_memory(error):
                raise
            found = {"fits": False}
        gc.collect()
        if task["device"] != "cpu":
            torch.cuda.empty_cache()
        print(json.dumps(measure | {"found": found, "start_s": start_s}), flush=True)


def ask(case: Case, measures: list[dict], options) -> list[dict]:
    """The measures of a child process, each with what was `found`; of one that died, what it had printed."""
    task = {
        "case": asdict(case),
        "measures": measures,
        "device": options.device,
        "folder": str(options.folder),
        "memory": int(options.memory * 1e9),
    }
    main = Path(__file__).with_name("capture.py")
    heap = EXACT_HEAP if options.device == "cpu" and not any("rounds" in one for one in measures) else {}
    done = subprocess.run(
        [sys.executable, str(main), "--real", "--task", json.dumps(task)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env=os.environ | heap,
    )
    if done.returncode not in (0, -9):
        raise SystemExit(f"A measure of {case} failed with {done.returncode}.")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


# What to measure


def plan(options) -> list[Case]:
    """Every case that was asked for, the cheapest first; a CPU is given a few layers unless it is told how many."""
    wanted = [(size, dtype, tokens) for size in options.sizes for dtype in options.dtypes for tokens in options.tokens]
    layers = options.layers or [FEW_LAYERS if options.device == "cpu" else max(size.layers for size in SIZES.values())]
    cases = [
        Case(size, dtype, min(most, SIZES[size].layers), tokens) for size, dtype, tokens in wanted for most in layers
    ]
    return sorted(dict.fromkeys(cases), key=lambda case: _work(case, options)[0])


def _work(case: Case, options) -> tuple[float, int]:
    """Operations of all measures of a case, float32 ones counted as CPUs take them; and how often a model is made."""
    methods = len(options.methods)
    calls = options.time * ((options.rounds + 1) * methods + 1) + options.memory_peaks * methods
    starts = options.time + options.memory_peaks * methods
    weight = 2 if case.dtype == "float32" else 1
    return weight * calls * SIZES[case.size].operations(case.layers, case.tokens), starts


class Clock:
    """The minutes that all cases may take; knows from those that are done how long another will."""

    def __init__(self, options):
        self._options = options
        self._end = time.perf_counter() + 60 * (options.minutes or math.inf)
        self._pace = self._start_s = 0.0

    def has_room_for(self, case: Case) -> bool:
        work, starts = _work(case, self._options)
        return time.perf_counter() + work * self._pace + starts * self._start_s <= self._end

    def done(self, case: Case, seconds: float, start_s: float) -> None:
        work, starts = _work(case, self._options)
        self._pace, self._start_s = max(0.0, seconds - starts * start_s) / work, start_s


def measure(case: Case, options) -> dict:
    """{"time": ..., method: its memory, "start_s": of a process}; {"fits": False} for what did not fit."""
    limit = options.device_memory if options.device != "cpu" else options.memory * 1e9
    fitting = [method for method in options.methods if case.needs(method) <= limit]
    found: dict = {method: {"fits": False} for method in options.methods if method not in fitting}
    found["start_s"] = 0.0
    asked = []
    if options.memory_peaks:
        buffer = options.memory_buffer * 1_000_000
        asked += [{"tokens": case.tokens, "method": method, "buffer": buffer} for method in fitting]
    timing = {"tokens": case.tokens, "methods": fitting, "rounds": options.rounds}
    timing = [timing] if options.time and "plain" in fitting else []
    # a host's peak is that of a fresh process; a device is timed first, while nothing is allocated yet
    groups = [[one] for one in timing + asked] if options.device == "cpu" else [timing + asked]
    answers = [answer for group in groups if group for answer in ask(case, group, options)]
    asked += timing
    for answer in answers:
        found["time" if "rounds" in answer else answer["method"]] = answer["found"]
        found["start_s"] = max(found["start_s"], answer["start_s"])
    for one in asked:
        found.setdefault("time" if "rounds" in one else one["method"], {"fits": False})
    return found


# What is printed


def extra(found: dict, method: str, where: str) -> int | None:
    """Peak bytes above the plain call's, of that tower in which the difference is largest."""
    ours, plain = found.get(method, {}).get(where), found.get("plain", {}).get(where)
    return max(ours[part] - plain[part] for part in plain) if ours and plain else None


def row_of(case: Case, found: dict, options) -> dict[str, str]:
    """One line of the table: column -> text; "-" where nothing was measured, "no" where a method did not fit."""

    def cell(method: str, value, form: str) -> str:
        if value is None:
            return "no" if found.get(method, {}).get("fits") is False else "-"
        return format(value, form)

    timed, size = found.get("time", {}), SIZES[case.size]
    row = {
        "size": case.size,
        "dtype": case.dtype,
        "layers": f"{case.layers}/{size.layers}",
        "tokens": f"{case.tokens:,}",
        "rows": "all" if case.rows == case.tokens else str(case.rows),
    }
    if options.time:
        row["plain s"] = cell("plain", timed.get("plain", {}).get("s"), ".2f")
        for method in options.methods[1:]:
            row[f"{method} x"] = cell(method, timed.get(method, {}).get("ratio"), ".2f")
            if options.device == "cpu":
                row[f"{method} CPU x"] = cell(method, timed.get(method, {}).get("processor"), ".2f")
            if method == "capture":
                row["written x"] = cell(method, timed.get(method, {}).get("whole"), ".2f")
                row["disk s"] = cell(method, timed.get(method, {}).get("disk_s"), ".2f")
                row["first x"] = cell(method, timed.get("first"), ".2f")
                row["in buffer"] = "yes" if _fits_buffer(case) else "no"
    if options.memory_peaks:
        for where in ("host",) if options.device == "cpu" else ("device", "host"):
            for method in options.methods[1:]:
                more = extra(found, method, where)
                row[f"{method} {where} MB"] = cell(method, None if more is None else more / 1e6, "+,.0f")
        if not options.time:
            for method in options.methods:
                row[f"{method} s"] = cell(method, found.get(method, {}).get("whole_s"), ",.0f")
        if options.device != "cpu":
            pinned = found.get("capture", {}).get("pinned")
            row["pinned MB"] = cell("capture", None if pinned is None else pinned / 1e6, ",.1f")
        else:
            value = max((found.get(method, {}).get("process", 0) for method in ("capture", "towers")), default=0)
            row["process GB"] = cell("capture", value / 1e9 if value else None, ".1f")
    for method in ("capture", "towers"):
        written = timed.get(method, {}).get("disk") or found.get(method, {}).get("disk")
        if method in options.methods:
            row[f"{method} disk MB"] = cell(method, written / 1e6 if written else None, ",.0f")
    return row


def _fits_buffer(case: Case) -> bool:
    payload = SIZES[case.size].layer_payload(case.tokens, case.rows, case.itemsize)
    return case.layers * payload <= Limits().buffer_bytes


def table(rows: list[dict[str, str]], markdown: bool) -> str:
    columns = list(rows[0])
    if markdown:
        lines = [columns, ["---"] * len(columns), *([row[column] for column in columns] for row in rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(len(column), *(len(row[column]) for row in rows)) for column in columns]
    lines = [columns, *([row[column] for column in columns] for row in rows)]
    return "\n".join("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in lines)


def goals(results: dict[Case, dict], options) -> list[str]:
    """The issue's goals, met or missed, with numbers."""
    lines = []
    where = "host" if options.device == "cpu" else "device"
    for size, dtype in dict.fromkeys((case.size, case.dtype) for case in results):
        cases = [case for case in results if (case.size, case.dtype, case.tokens) == (size, dtype, GOAL_TOKENS)]
        ours = {case.layers: extra(results[case], "capture", where) for case in cases}
        eager = {case.layers: extra(results[case], "eager", where) for case in cases}
        lines += _memory_goal(f"{size} {dtype}", SIZES[size].layers, ours, eager, options)
    for case, found in results.items():
        if options.device == "cpu" or "ratio" not in found.get("time", {}).get("capture", {}):
            continue
        ratio = found["time"]["capture"]["ratio"]
        if _fits_buffer(case) and ratio > GOAL_TIME:
            lines.append(f"MISSED: {case.size} {case.dtype} {case.tokens:,} tokens: {ratio:.2f}x.")
    return lines


def _memory_goal(name: str, layers: int, ours: dict, eager: dict, options) -> list[str]:
    """Eager's extra memory over ours, all layers of both: unmeasured, it grows by layer, ours up to its buffer."""

    def at_all(found: dict[int, int | None], most: float = math.inf) -> tuple[float | None, str]:
        known = {count: value for count, value in sorted(found.items()) if value is not None}
        if layers in known:
            return known[layers], "measured"
        if len(known) < 2:
            return None, ""
        (few, low), (many, high) = next(iter(known.items())), list(known.items())[-1]
        growth = max(0, high - low) / (many - few) * (layers - few)
        return low + min(growth, most), f"from {few} and {many} layers"

    (our_bytes, our_way), (their_bytes, their_way) = at_all(ours, options.memory_buffer * 1e6), at_all(eager)
    if our_bytes is None or their_bytes is None:
        return []
    ratio = their_bytes / max(our_bytes, 1e6)
    return [
        f"{'met' if ratio >= GOAL_RATIO else 'MISSED'}: {name}, {GOAL_TOKENS:,} tokens, {layers} layers, a buffer of "
        f"{options.memory_buffer} MB: eager takes {their_bytes / 1e6:,.0f} MB above plain ({their_way}), this capture "
        f"{our_bytes / 1e6:,.0f} MB ({our_way}): {ratio:.0f} times (goal {GOAL_RATIO})."
    ]


def limits_of(case: Case, options) -> str:
    """About where each method stops fitting in a model of all its layers."""
    memory = options.memory * 1e9 if options.device == "cpu" else options.device_memory

    def most(method: str) -> str:
        low, high = 0, 1 << 20
        while high - low > 100:
            middle = (low + high) // 2
            whole = Case(case.size, case.dtype, SIZES[case.size].layers, middle)
            low, high = (middle, high) if whole.needs(method) <= memory else (low, middle)
        return f"{low // 100 * 100:,} tokens" if low >= 100 else "nothing"

    return (
        f"{case.size} {case.dtype}, all layers, in {memory / 1e9:.0f} GB: eager to about {most('eager')}, "
        f"plain and capture to about {most('plain')} (computed)."
    )


def header(cases: list[Case], options) -> str:
    if options.device == "cpu":
        where = f"CPU, {torch.get_num_threads()} threads, {options.memory:.0f} GB to use"
    else:
        where = f"{torch.cuda.get_device_name()}, {options.device_memory / 1e9:.0f} GB"
    whole = all(case.layers == SIZES[case.size].layers for case in cases)
    return (
        f"{where}; torch {torch.__version__}; random weights; {options.rounds} rounds; buffer "
        f"{Limits().buffer_bytes / 1e6:,.0f} MB for time, {options.memory_buffer} MB for memory.\n"
        + ("" if whole else "A SUBSET: fewer layers than the models have, of the vision tower in proportion.\n")
    )


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--dtypes", nargs="+", choices=("bfloat16", "float32"), default=["bfloat16", "float32"])
    parser.add_argument("--tokens", type=int, nargs="+", default=list(TOKENS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--layers", type=int, nargs="+", help="instead of what fits; several give a line for each")
    parser.add_argument("--rounds", type=int, help="of timed calls (3 on a CPU, 10 on a device)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--memory", type=float, help="GB of the host to use; beyond them a method does not fit")
    parser.add_argument("--minutes", type=float, help="leave out what takes longer (10 on a CPU; 0: nothing)")
    parser.add_argument("--quick", action="store_true", help="the 2B in bfloat16, 2 layers, up to 1,500 tokens")
    parser.add_argument("--memory-buffer", type=int, default=128, help="MB of the writer's buffer in memory's calls")
    parser.add_argument("--no-time", dest="time", action="store_false")
    parser.add_argument("--no-memory", dest="memory_peaks", action="store_false")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where captures are written")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args(arguments)
    on_cpu = options.device == "cpu"
    if options.quick:
        options.sizes, options.dtypes, options.tokens, options.layers = ["2B"], ["bfloat16"], [500, 1500], [2]
    if options.memory is None:
        options.memory = 0.8 * psutil.virtual_memory().available / 1e9
    if options.minutes is None:
        options.minutes = 10 if on_cpu else 0
    options.rounds = options.rounds or (3 if on_cpu else 10)
    options.methods = [method for method in METHODS if method in options.methods]
    options.device_memory = 0 if on_cpu else torch.cuda.mem_get_info()[0]
    return options


def main(arguments: list[str] | None = None) -> None:
    options = options_of(arguments)
    if options.task:
        child(json.loads(options.task))
        return
    cases, clock = plan(options), Clock(options)
    print(header(cases, options), flush=True)
    results: dict[Case, dict] = {}
    for case in cases:
        if not clock.has_room_for(case):
            continue
        start = time.perf_counter()
        results[case] = measure(case, options)
        clock.done(case, time.perf_counter() - start, results[case]["start_s"])
        print("  ".join(f"{name} {text}" for name, text in row_of(case, results[case], options).items()), flush=True)
    done = sorted(results, key=lambda case: (case.size, case.dtype, case.layers, case.tokens))
    if done:
        print("\n" + table([row_of(case, results[case], options) for case in done], options.markdown))
    left_out = [f"{case.size} {case.dtype} {case.tokens:,}" for case in cases if case not in results]
    if left_out:
        print(f"Left out, for {options.minutes:g} minutes: {', '.join(left_out)}.")
    for line in goals(results, options):
        print(line)
    for size, dtype in dict.fromkeys((case.size, case.dtype) for case in done):
        print(limits_of(Case(size, dtype, 1, 1), options))


if __name__ == "__main__":
    main()
