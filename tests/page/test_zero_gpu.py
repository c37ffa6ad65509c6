"""On ZeroGPU the model runs in another process: forked at call time (cold) or kept from the last call (warm)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_adapters import saved_adapter
from pictures import noise
from tiny import qwen3_vl_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="ZeroGPU is Linux: its worker is a fork"),
]


def test_jobs_cross_the_process_border_and_what_goes_wrong_there_is_said(tmp_path):
    model = qwen3_vl_folder(tmp_path / "model")
    saved_adapter(model, tmp_path / "adapters" / "first")
    noise().save(tmp_path / "picture.png")
    command = [sys.executable, Path(__file__).parents[1] / "zero_gpu.py", model, tmp_path / "picture.png"]
    done = subprocess.run(
        [*command, tmp_path / "adapters", tmp_path / "runs"], capture_output=True, text=True, timeout=900, check=False,
        env=os.environ | {"HOME": str(tmp_path)},
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if "DEBUG" not in line]
    killed = (
        "killed The GPU's process was ended before the run was done (writing the answer: token 1 of at most 502): its "
        "memory, or the 10 s that were asked for, did not last. Nothing was kept of this run. Try again, with a "
        "shorter answer (max_new_tokens), a smaller picture (max_visual_tokens), or a smaller model."
    )
    each = ["stopped []", "stopped asleep []", killed, "again blue"]
    too_long = (
        "too long This run would hold the GPU for up to 10 s; 5 s is the most that is asked for here. Choose a shorter "
        "answer (max_new_tokens), a smaller picture (max_visual_tokens), or a smaller model."
    )
    quota = (
        "quota This run asks for 10 s of a GPU, which count as 10 s, and 12 s are left of your quota for today. It "
        "fills up again in 1:00:00. Choose a shorter answer (max_new_tokens), a smaller picture (max_visual_tokens), "
        "or a smaller model, sign in on huggingface.co for more, or duplicate this Space onto hardware of your own. "
        "The examples need no quota."
    )
    made, refused = "made red True None", ["refused True", "calls 0"]  # what is refused never asks for a device
    last = ["compared 2", "tried [[0, 0]] 1", "read lens True 2", too_long, quota, "again blue", "touched []"]
    expected = ["loops 0", made, *each, "calls 5", made, made, *each, "calls 6", *refused, *last]
    assert lines[: len(expected)] == expected, done.stdout + done.stderr
