"""Seconds that a job asks ZeroGPU for, and sentences where nothing came of it."""

import os
import re
import subprocess
import sys
from dataclasses import asdict

import pytest

from attention.capture.work import Work
from attention.errors import Cancelled, InvalidRequest, LimitExceeded
from attention.runs.partial import PartialRun
from attention.visitors import zero_gpu
from attention.visitors.zero_gpu import MOST_S, asked_seconds, end_worker, refusal, run_on_zero_gpu, seconds, words_of

QWEN_2B = {
    "tokens": 1500, "patches": 4000, "new_tokens": 256, "layers": 28, "other_layers": 24, "row_values": 28 * 16 * 1500,
    "weight_bytes": 4_300_000_000, "weight_itemsize": 2, "bytes_on_disk": 300_000_000, "is_loaded": True,
    "passes": 1.0, "members": 0, "batches": 0,
}  # fmt: skip
QWEN_8B = QWEN_2B | {
    "layers": 36,
    "other_layers": 27,
    "weight_bytes": 17_500_000_000,
    "is_loaded": False,
    "row_values": 36 * 32 * 1500,
}


def job(work=QWEN_2B, n_adapters=0, words=None):
    return {"work": work, "adapters": [{"id": "somebody/something"}] * n_adapters, "words": words}


class Refused(Exception):
    """An error as Gradio's, which `spaces` raises."""

    def __init__(self, message, title=""):
        super().__init__(message)
        self.message, self.title = message, title


def test_the_work_of_a_run_is_all_that_the_time_depends_on():
    assert set(QWEN_2B) == set(asdict(Work(**QWEN_2B)))
    usual, large = asked_seconds(job()), asked_seconds(job(QWEN_8B))
    assert 20 <= usual <= 60 < large <= MOST_S  # an ordinary run of the models on offer is had without an account


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("tokens", 8000), ("new_tokens", 512), ("layers", 90), ("other_layers", 900), ("patches", 40_000),
        ("bytes_on_disk", 2_000_000_000),
        ("weight_bytes", 9_000_000_000), ("weight_itemsize", 4), ("is_loaded", False),
        ("passes", 40.0), ("members", 100), ("batches", 1000),
    ],
)  # fmt: skip
def test_more_of_anything_asks_for_more_seconds(field, more):
    # of float32 a number is twice as long, and its products take longer
    weights = {"weight_bytes": 2 * QWEN_2B["weight_bytes"]} if field == "weight_itemsize" else {}
    assert seconds(QWEN_2B | {field: more} | weights) > seconds(QWEN_2B)


def test_each_adapter_asks_for_its_own_run_and_an_answer_that_is_given_for_none():
    by_number = [asked_seconds(job(QWEN_2B | {"new_tokens": 0}, n, "base")) for n in range(4)]
    assert by_number == sorted(set(by_number))
    assert by_number[0] < asked_seconds(job())
    assert asked_seconds(job(QWEN_2B, 1)) > asked_seconds(job())  # one that is switched on, and not compared


def test_a_comparison_that_needs_more_than_a_visitor_has_is_refused_with_numbers():
    with pytest.raises(LimitExceeded) as refused:
        asked_seconds(job(QWEN_2B, 12, "own"))
    words = str(refused.value)
    needed = seconds(QWEN_2B, 12)
    assert f"This comparison of 13 runs would hold the GPU for up to {needed} s; 80 s is the most" in words
    assert "all that a visitor without an account has in a day (120 s)" in words
    fit = max(n for n in range(12) if seconds(QWEN_2B, n) <= MOST_S)
    said = "one beside the base would fit" if fit == 1 else f"{fit} beside the base would fit"
    assert f"fewer adapters ({said})" in words


def test_floors_and_parts_ask_for_their_passes_and_are_named_where_they_are_too_many(monkeypatch):
    """None of them writes an answer; the base in another number format is read from its files."""
    parts = job(QWEN_2B, 6, "base") | {"beside": {"parts": True}}
    with pytest.raises(LimitExceeded, match=r"7 runs and 12 passes beside them .* Choose fewer floors or no parts"):
        asked_seconds(parts)
    monkeypatch.setenv(zero_gpu.SETTING, "900")
    kinds = [[], ["zero"], ["paraphrase"], ["dtype"], ["dtype", "paraphrase"]]
    found = [asked_seconds(job(QWEN_2B, 1, "base") | {"beside": {"floors": each}}) for each in kinds]
    assert found[0] == asked_seconds(job(QWEN_2B, 1, "base"))
    assert found == sorted(set(found))
    assert asked_seconds(job(QWEN_2B, 2, "base")) - found[0] > found[1] - found[0]
    assert asked_seconds(job(QWEN_2B, 6, "base")) < asked_seconds(parts)


def test_the_owner_of_a_space_may_allow_more(monkeypatch):
    monkeypatch.setenv(zero_gpu.SETTING, "600")
    assert MOST_S < asked_seconds(job(QWEN_2B, 6, "base")) <= 600
    monkeypatch.setenv(zero_gpu.SETTING, "lots")
    with pytest.raises(InvalidRequest, match="ATTENTION_GPU_SECONDS is 'lots'"):
        asked_seconds(job())


@pytest.mark.parametrize(
    ("message", "title", "said"),
    [
        ("GPU task aborted", "ZeroGPU worker error", "(capturing: layer 3 of 28): its memory, or the 30 s"),
        ("You have exceeded your free ZeroGPU quota (45s requested vs. 7s left). Try again in 3:12:00. ",
         "ZeroGPU quota exceeded", "asks for 30 s of a GPU, which count as 45 s, and 7 s are left of your quota for "
         "today. It fills up again in 3:12:00."),
        ("You have exceeded your ZeroGPU runs limit. ", "ZeroGPU quota exceeded", "used up; this run asks for 30 s"),
        ("Space app has reached its GPU limit. Try re-running", "ZeroGPU quota exceeded", "was not told who asks"),
        ("You have too many ZeroGPU credits allocated", "ZeroGPU pending credits exceeded", "used up"),
        ("The requested GPU duration (900s) is larger than the maximum allowed", "", "more than ZeroGPU gives to one"),
        ("No GPU was available after 60s", "ZeroGPU queue timeout", "Try again in a moment"),
        ("Expired ZeroGPU proxy token", "ZeroGPU client error", "Reload the page"),
        ("Connection closed by visitor while queueing", "", "Nobody was waiting"),
        ("PicklingError", "ZeroGPU worker error", "ZeroGPU could not run this (PicklingError)"),
        ("ZeroGPU API /schedule error: 500", "", "ZeroGPU could not run this (Refused)"),
    ],
)  # fmt: skip
def test_each_refusal_says_what_happened_and_what_to_do(message, title, said):
    progress = {"phase": "capture", "done": 3, "total": 28, "process": 1}
    words = refusal(Refused(message, title), progress, 30)
    assert said in words and words.endswith(".") and len(words) < 420


@pytest.mark.parametrize(
    ("asked", "what", "less"),
    [
        ({"reading": {"kind": "cells"}}, "reading", "larger blocks of cells (blocks)"),
        ({"reading": {"kind": "agreement"}}, "reading", "fewer regions (sides)"),
        ({"reading": {"kind": "lens"}}, "reading", "a run with a shorter answer"),
        ({"tried": {}}, "trial", "a run with a shorter answer"),
    ],
)
def test_a_question_to_a_finished_run_is_refused_as_one(asked, what, less):
    given = job(QWEN_2B | {"passes": 2.0, "members": 4096, "batches": 256, "new_tokens": 0}) | asked
    with pytest.raises(LimitExceeded, match=rf"^This {what} would hold the GPU .* Choose {re.escape(less)}"):
        asked_seconds(given)
    for said in (
        "GPU task aborted",
        "exceeded (45s requested vs. 7s left)",
        "your ZeroGPU runs limit",
        "maximum allowed",
    ):
        words = refusal(Refused(said), {}, 30, words_of(given))
        assert "Nothing was kept" not in words and "examples" not in words and "adapters" not in words
    assert "The run that was asked about is still there" in refusal(
        Refused("No GPU was available"), {}, 30, words_of(given)
    )


def test_a_job_that_was_ended_after_it_was_done_is_done(tmp_path):
    partial = PartialRun.create(tmp_path / "run")

    def commit_and_die(job, prepared):
        partial.commit({"format": 1})
        raise Refused("GPU task aborted")

    done = run_on_zero_gpu(commit_and_die, {**job(), "partial": str(partial.folder)})
    assert done == {"run": str(tmp_path / "run")}


def test_a_job_that_nobody_waits_for_is_stopped_and_not_failed(tmp_path):
    partial = PartialRun.create(tmp_path / "run")

    def die(job, prepared):
        partial.cancel()
        raise Refused("GPU task aborted")

    with pytest.raises(Cancelled):
        run_on_zero_gpu(die, {**job(), "partial": str(partial.folder)})


def test_only_a_process_of_ones_own_is_ended():
    waits = "import sys; sys.stdin.read()"
    grandchild = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-Sc', '{waits}'], stdin=-1)"
    child = subprocess.Popen(
        [sys.executable, "-Sc", f"{grandchild}; print(p.pid, flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    other = int(child.stdout.readline())
    for process in (other, os.getppid(), None, 2**22 + 1):
        end_worker(process)
    os.kill(other, 0)  # it is still there
    end_worker(child.pid)
    assert child.wait(60) == -9
    child.stdout.close()
    child.stdin.close()
