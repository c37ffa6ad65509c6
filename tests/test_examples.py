"""The finished examples that the page opens with are what the bundled model gives, not what an earlier one gave."""

import json
from pathlib import Path

import numpy as np
import pytest

from attention import Request, extract, open_run

EXAMPLES = Path(__file__).parent.parent / "assets" / "examples"
ENTRIES = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["image"])
def test_an_example_is_what_the_bundled_model_gives(entry, tmp_path):
    request = Request(
        EXAMPLES / entry["image"], entry["prompt"], model="pocket", mode="generate", device="cpu", dtype="float32"
    )
    now = extract(request, tmp_path / "run")
    shown = open_run(EXAMPLES / Path(entry["image"]).stem)
    assert shown.info["prompt"] == entry["prompt"]
    assert shown.info["answer"] == now.info["answer"]
    assert shown.info["tokens"] == now.info["tokens"]
    assert shown.info["sinks"] == now.info["sinks"]
    for tower in ("language", "vision"):
        for layer in now.layers(tower):
            rows = [run.row(layer, now.keys(tower) - 3, tower, "factors") for run in (shown, now)]
            assert np.allclose(*rows, atol=1e-3), f"made by another model: {tower} layer {layer}"
    shown.close()
    now.close()


def test_no_example_names_the_machine_it_was_made_on():
    for run_json in EXAMPLES.glob("*/run.json"):
        info = json.loads(run_json.read_text(encoding="utf-8"))
        assert "/" not in json.dumps({name: info[name] for name in ("model", "images", "device", "messages")})
