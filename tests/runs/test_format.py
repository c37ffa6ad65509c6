"""The page on the format of runs says what a run holds, and its reader reads what the project reads."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from attention import open_run

ROOT = Path(__file__).parents[2]
FORMAT = (ROOT / "attention" / "runs" / "FORMAT.md").read_text(encoding="utf-8")
SHAPES = ROOT / "assets" / "examples" / "shapes"


@pytest.fixture(scope="module", params=["shapes", "a run of today"])
def folder(request, tiny_run):
    return SHAPES if request.param == "shapes" else tiny_run


def test_its_reader_needs_numpy_alone_and_reads_the_row_that_is_meant(folder):
    (code,) = re.findall(r"^```python\n(.*?)^```", FORMAT, re.DOTALL | re.MULTILINE)
    blocked = "import sys\nfor name in ('torch', 'safetensors', 'attention'): sys.modules[name] = None\n"
    with open_run(folder) as run:
        for layer, head, token in ((0, 1, run.keys() - 1), (1, 3, run.keys() // 2)):
            done = subprocess.run(
                [sys.executable, "-c", blocked + code, str(folder), str(layer), str(head), str(token)],
                capture_output=True, text=True, check=True, encoding="utf-8", cwd=ROOT,
            )  # fmt: skip
            row = run.row(layer, token, source="factors")[head]
            said = [float(line.split()[0]) for line in done.stdout.splitlines()]
            assert np.allclose(said, np.sort(row)[:-6:-1], atol=6e-5)


def test_every_field_and_tensor_of_a_run_is_on_the_page(folder):
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for name in info:
        assert f"`{name}`" in FORMAT, name
    for part in ("tokens", "images", "grids"):
        for name in info[part][0].keys() - {"time_s"}:
            assert re.search(rf"\b{name}\b", FORMAT), name
    with safe_open(next(folder.glob("language/*.safetensors")), "np") as file:
        for name in (*file.keys(), *file.metadata()):
            assert f"`{name}`" in FORMAT, name
    with safe_open(folder / "scores.safetensors", "np") as file:
        for name in file.keys():  # noqa: SIM118 - not a mapping
            assert f"`{name.split('.')[1]}`" in FORMAT, name
