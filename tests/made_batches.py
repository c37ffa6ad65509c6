"""Batches of the bundled model that several tests read, each made once in a test session."""

from __future__ import annotations

import json
from pathlib import Path

from shared import once

from attention import Request, run_batch
from attention.environment import EXAMPLES

ANSWERS = Request(model="pocket", device="cpu", mode="generate", max_new_tokens=24)
READINGS = {"forecast": {}, "relative": {}, "lens": {}, "agreement": {"sides": 2}}
PLACES = [[301, 459, 431, 588], [745, 362, 918, 534]]


def read_items() -> list[dict]:
    """An item with two places, and one on another picture with none."""
    lines = [json.loads(line) for line in (EXAMPLES / "set.jsonl").read_text(encoding="utf-8").splitlines()]
    first, other = ({name: lines[number][name] for name in ("image", "prompt")} for number in (0, 2))
    return [
        first | {"image": str(EXAMPLES / first["image"]), "boxes": PLACES},
        other | {"image": str(EXAMPLES / other["image"])},
    ]


def read_batch() -> Path:
    """A batch of these with every reading, all of it kept. Not to be changed."""
    return once(
        "batch with readings",
        lambda folder: run_batch(read_items(), folder, ANSWERS, keep="all", readings=READINGS),
    )
