"""On ZeroGPU the model runs in another process: forked at call time (cold) or kept from the last call (warm)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pictures import noise
from tiny import qwen3_vl_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="ZeroGPU is Linux: its worker is a fork"),
]


def test_a_run_crosses_the_process_border(tmp_path):
    model = qwen3_vl_folder(tmp_path / "model")
    noise().save(tmp_path / "picture.png")
    command = [sys.executable, Path(__file__).parents[1] / "zero_gpu.py", model, tmp_path / "picture.png"]
    done = subprocess.run(
        [*command, tmp_path / "runs"], capture_output=True, text=True, timeout=240, check=False,
        env=os.environ | {"HOME": str(tmp_path)},
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if "DEBUG" not in line]
    # "calls 4": what is refused never asks for a device
    expected = ["made red True None", "made red True None", "refused AppError True", "left []", "again blue", "calls 4"]
    assert lines[:12] == [*expected, *expected], done.stdout + done.stderr
