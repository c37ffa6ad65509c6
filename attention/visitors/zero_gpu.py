"""ZeroGPU: the seconds of a device that a job asks for, its process watched, and what is refused there in words.

There a job is another process, forked for it or kept from the last one, which has a device for the seconds that were
asked for; they count against the visitor's day. Knows the sentences of the `spaces` package, and not the package.
"""

from __future__ import annotations

import logging
import math
import os
import re
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from attention.comparisons.asked_beside import DTYPE, asked_beside
from attention.errors import AttentionError, InvalidRequest, LimitExceeded, quoted
from attention.runs.partial import PartialRun, read_progress
from attention.words import in_one_line, phase_words

log = logging.getLogger(__name__)

# Of half an RTX PRO 6000, the usual device of ZeroGPU in autumn 2026. No run there has been measured: what is assumed
# is on the slow side.
START_S = 4.0  # a process is forked, and its context made
PACKED_BYTES_A_S = 2e9  # weights that were packed at the start: 8.5 GB took 4 s
READ_BYTES_A_S = 1e9  # weights from files
FLOPS = 30e12  # a quarter of the 125e12 that are said of bfloat16; of float32 a quarter of these
MEMORY_BYTES_A_S = 0.6e12  # two thirds of what is said: each token that is written reads all weights
LAYER_S = 1.5e-3  # calls of one layer, for each token that is written and once for each pass
WRITE_BYTES_A_S = 0.25e9  # tensors to the host, scores, and a disk that others use
RUN_S = 1.0  # pictures, tokens, indices and whatever does not grow
ADAPTER_S = 2.0  # found, attached, its change of each weight measured
COMPARED_ROWS = 512  # `comparisons.measuring.ROWS`
COMPARE_S = 45e-9 / 4  # of each value of such a row: measured on one core, of which four are assumed
MARGIN = 1.3
LEAST_S = 10
# A visitor without an account has 120 seconds a day, and what is asked for counts half as much again.
VISITOR_S, FACTOR = 120, 1.5
MOST_S = int(VISITOR_S / FACTOR)
SETTING = "ATTENTION_GPU_SECONDS"

HEAR_STOP_S = 0.5  # a process that has not stopped by then is ended
WATCH_S = 0.1
LESS = "a shorter answer (max_new_tokens), a smaller picture (max_visual_tokens), or a smaller model"
OWN_SPACE = "duplicate this Space onto hardware of your own"


@dataclass(frozen=True)
class Words:
    """A job as refusals name it: `less` is what would need less of a GPU, `kept` what has become of its work."""

    what: str = "run"
    less: str = LESS
    kept: str = "Nothing was kept of this run."
    free: str = " The examples need no quota."


RUN = Words()


def words_of(job: dict[str, Any]) -> Words:
    """The words for a job: a run, or a question to a finished one, which is there all the same."""
    if not {"reading", "tried"} & set(job):
        return RUN
    smaller = "a run with a shorter answer, a smaller picture, or a smaller model"
    kind = job.get("reading", {}).get("kind")
    parts = {"cells": "larger blocks of cells (blocks), or ", "agreement": "fewer regions (sides), or "}
    what = "trial" if kind is None else "reading"
    return Words(what, parts.get(kind, "") + smaller, "The run that was asked about is still there.", "")


# Seconds


def seconds(work: dict[str, Any], n_others: int = 0, n_read: int = 0) -> int:
    """Seconds that a run of `capture.work.Work`, as a dictionary, may take, with so many others compared to it.

    `n_read` passes more are compared too, which read an answer that is there and write none.
    """
    weights = work["weight_bytes"]
    a_token = 2 * weights / work["weight_itemsize"] / (FLOPS if work["weight_itemsize"] <= 2 else FLOPS / 4)
    a_pass = a_token * (work["tokens"] + work["patches"]) + (work["layers"] + work["other_layers"]) * LAYER_S
    answer = a_pass + work["new_tokens"] * (work["layers"] * LAYER_S + weights / MEMORY_BYTES_A_S)
    read = work["passes"] * a_pass + work["members"] * a_token * work["tokens"]
    read += work["batches"] * work["layers"] * LAYER_S + work["bytes_on_disk"] / WRITE_BYTES_A_S + RUN_S
    run = read + (answer if work["new_tokens"] else 0)
    rows = work["row_values"] * COMPARE_S * min(COMPARED_ROWS, work["tokens"])
    more = n_others * (run + ADAPTER_S + rows) + n_read * (read + rows)
    start = START_S + weights / (PACKED_BYTES_A_S if work["is_loaded"] else READ_BYTES_A_S)
    return max(LEAST_S, math.ceil(MARGIN * (start + run + more)))


def most_seconds() -> int:
    """Seconds that a job may ask for: all that a visitor without an account has in a day, or what the owner sets."""
    said = os.environ.get(SETTING)
    if said is None:
        return MOST_S
    if not re.fullmatch(r"[1-9][0-9]{0,3}", said):
        raise InvalidRequest(f"{SETTING} is {quoted(said)}; it must be a whole number of seconds.")
    return int(said)


def asked_seconds(job: dict[str, Any]) -> int:
    """Seconds that a job asks a device for. Raises LimitExceeded, with the numbers, for more than it may."""
    most, work = most_seconds(), job["work"]
    is_comparison = job["words"] is not None
    n_others = len(job["adapters"]) if is_comparison else 0
    # a model of its own is read from its files, and so is the base after it
    models = sum(2 * work["weight_bytes"] / READ_BYTES_A_S for each in job["adapters"] if "model" in each)
    beside = asked_beside(**job.get("beside") or {})
    if DTYPE in beside.floors:  # the base in another number format is read from its files; as float32 twice as large
        models += 2 * work["weight_bytes"] / READ_BYTES_A_S
        models += 2 * work["weight_bytes"] / work["weight_itemsize"] * work["tokens"] / (FLOPS / 4)
    more = math.ceil(MARGIN * (models + (ADAPTER_S if job["adapters"] and not is_comparison else 0)))

    def with_others(n: int) -> int:
        return seconds(work, n, beside.passes(n)) + more

    needed = with_others(n_others)
    if needed <= most:
        return needed
    words = words_of(job)
    fit = max((n for n in range(n_others) if n and with_others(n) <= most), default=0)
    what = f"This comparison of {n_others + 1} runs" if is_comparison else f"This {words.what}"
    n_beside = beside.passes(n_others)
    if n_beside:
        what += f" and {n_beside} {'pass' if n_beside == 1 else 'passes'} beside them (floors, parts)"
    fewer = f"{fit} beside the base would fit" if fit > 1 else "one beside the base would fit" if fit else ""
    whose = f", all that a visitor without an account has in a day ({VISITOR_S} s)" if most == MOST_S else ""
    raise LimitExceeded(
        f"{what} would hold the GPU for up to {needed} s; {most} s is the most that is asked for here{whose}. "
        f"Choose {'fewer floors or no parts, ' if n_beside else ''}"
        f"{f'fewer adapters ({fewer}), ' if fewer else ''}{words.less}."
    )


# A job's process


def run_on_zero_gpu(run_job: Callable[[dict, Any], dict], job: dict, prepared: Any = None) -> dict:
    """Return what `run_job` gives, {run} or {error}, also where its process was ended or no device was given.

    A process that does not hear Stop is ended, so that nobody pays for what nobody wants. Raises AttentionError for
    what is refused before a device is asked for, and Cancelled.
    """
    partial = PartialRun.open(job["partial"])
    watch = _Watch(partial)
    try:
        return run_job(job, prepared)
    except AttentionError:
        raise
    except Exception as error:  # noqa: BLE001 - `run_job` says its own; these are of the `spaces` package
        if partial.final.is_dir():  # it ended after its work was done
            return {"run": str(partial.final)}
        partial.check_cancelled()
        log.warning("ZeroGPU: %s", error)
        return {"error": refusal(error, read_progress(partial.folder) or watch.seen, asked_seconds(job), words_of(job))}
    finally:
        watch.end()


class _Watch:
    """Looks at a job from beside it: remembers its last progress, and ends its process where that does not stop."""

    def __init__(self, partial: PartialRun):
        self._partial = partial
        self._is_over = threading.Event()
        self.seen: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._look, name=f"watch {partial.final.name}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(WATCH_S):
            self.seen = read_progress(self._partial.folder) or self.seen
            if not self._partial.is_cancelled or self._is_over.wait(HEAR_STOP_S):
                continue
            if not self._partial.final.is_dir():  # else it is done, and the folder was renamed
                end_worker(self.seen.get("process"))  # which may begin only now, and is asked again


def end_worker(process: int | None) -> None:
    """End a process that this one has started; any other is left alone."""
    import psutil

    try:
        if process and psutil.Process(process).ppid() == os.getpid():
            os.kill(process, signal.SIGKILL)
    except (psutil.Error, ProcessLookupError):
        pass


# Refusals


def refusal(error: Exception, progress: dict[str, Any], asked: int, words: Words = RUN) -> str:
    """A sentence on why ZeroGPU did no job, and what to do; `progress` is the last that the job told, if any."""
    said = str(getattr(error, "message", error))
    title = getattr(error, "title", "")
    if said == "GPU task aborted":
        was_at_work = progress.get("process", os.getpid()) != os.getpid()
        where = in_one_line(*phase_words(progress)) if was_at_work else "before it began"
        return (
            f"The GPU's process was ended before the {words.what} was done ({where[0].lower()}{where[1:]}): its "
            f"memory, or the {asked} s that were asked for, did not last. {words.kept} Try again, with {words.less}."
        )
    counted = round(asked * FACTOR)
    if numbers := re.search(r"\((\d+)s requested vs\. (-?\d+)s left\)(?:.*?Try again in ([^.]+))?", said):
        left = max(0, int(numbers[2]))
        when = f" It fills up again in {numbers[3].strip()}." if numbers[3] else ""
        return (
            f"This {words.what} asks for {asked} s of a GPU, which count as {numbers[1]} s, and {left} s are left of "
            f"your quota for today.{when} Choose {words.less}, sign in on huggingface.co for more, or {OWN_SPACE}."
            f"{words.free}"
        )
    if "Space app has reached its GPU limit" in said:
        return (
            f"ZeroGPU was not told who asks for {asked} s, and what this Space has for such calls is used up. Open the "
            f"page on huggingface.co, or give a script your token: Client(..., token=...).{words.free}"
        )
    if "runs limit" in said or "pending credits" in title:
        return (
            f"Your GPU quota for today is used up; this {words.what} asks for {asked} s, which count as {counted} s. "
            f"Sign in on huggingface.co for more, come back tomorrow, or {OWN_SPACE}.{words.free}"
        )
    if "larger than the maximum allowed" in said:
        return (
            f"This {words.what} asks for {asked} s of a GPU, more than ZeroGPU gives to one call. Choose "
            f"{'fewer adapters, ' if words.what == 'run' else ''}{words.less}."
        )
    if "No GPU was available" in said:
        return f"No GPU was free within a minute. Try again in a moment; who is signed in comes sooner. {words.kept}"
    if "Expired ZeroGPU proxy token" in said:
        return "Your session with the Hub is too old to ask for a GPU. Reload the page and run it again."
    if "Connection closed by visitor" in said:
        return f"Nobody was waiting for this {words.what} any more. {words.kept}"
    log.error("a fault of ZeroGPU, or in its process", exc_info=error)
    kind = said if title == "ZeroGPU worker error" else type(error).__name__
    return f"ZeroGPU could not run this ({kind}). {words.kept} Try again in a moment."
