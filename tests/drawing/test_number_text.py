"""Numbers in exported files are the page's, to the last digit and sign."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from programs import require

from attention.drawing import number_text as value_text

ROOT = Path(__file__).parents[2]
FORMATS = {
    "value": value_text.format_value, "times": value_text.format_times, "percent": value_text.format_percent,
    "strength": value_text.format_strength,
}  # fmt: skip
ON_THE_PAGE = """
import { readFileSync } from 'node:fs';
const { formatValue, formatTimes, formatPercent } = await import(process.argv[1]);
const numbers = new Float64Array(readFileSync(0).buffer.slice(0));
console.log(JSON.stringify([formatValue, formatTimes, formatPercent].map((write) => [...numbers].map(write))));
"""


@pytest.mark.node
def test_the_page_writes_the_same_of_every_float16_and_of_others():
    halves = np.arange(0x3C01, dtype=np.uint16).view(np.float16).astype(np.float64)  # 0 to 1, all of them
    rng = np.random.default_rng(7)
    others = np.concatenate([10.0 ** rng.uniform(-12, 9, 3_000), rng.integers(0, 2**20, 3_000) / 2**14])
    numbers = np.concatenate([halves, others, -others, others.astype(np.float32).astype(np.float64)])
    module = str(ROOT / "assets" / "viewer" / "data" / "format.js")
    command = [require("node"), "--input-type=module", "-e", ON_THE_PAGE, module]
    done = subprocess.run(command, input=numbers.tobytes(), capture_output=True, timeout=600, check=True)
    assert len(halves) == 15_361
    for write, texts in zip(list(FORMATS.values())[:3], json.loads(done.stdout), strict=True):
        assert [write(number) for number in numbers] == texts
