"""The finished examples that the page opens with are what the bundled model gives, not what an earlier one gave."""

import json
from pathlib import Path

import numpy as np
import pytest

from attention import Request, extract, open_run

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
ENTRIES = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))


def test_examples_show_the_world_and_what_lies_outside_it():
    assert len(ENTRIES) >= 8
    sizes = {entry["name"]: open_run(EXAMPLES / entry["name"]).info["images"] for entry in ENTRIES}
    assert sum("click" in entry["prompt"] for entry in ENTRIES) >= 2
    assert any(len(images) == 2 for images in sizes.values())
    aspects = [images[0]["width"] / images[0]["height"] for images in sizes.values()]
    assert min(aspects) <= 0.5 and max(aspects) >= 2
    assert [entry["name"] for entry in ENTRIES if entry["answer"] is None] == ["photograph"]
    figures = json.loads((EXAMPLES.parent / "pocket" / "grounding.json").read_text(encoding="utf-8"))["answers"]
    for entry in ENTRIES:  # where the card says that it mostly answers right, an example shows it
        if entry["answer"] is not None and figures[entry["kind"]]["rate"] >= 0.9 and entry["kind"] != "click":
            assert open_run(EXAMPLES / entry["name"]).info["answer"] == entry["answer"]
    assert sum(file.stat().st_size for file in EXAMPLES.rglob("*") if file.is_file()) <= 15_000_000


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_an_example_is_what_the_bundled_model_gives(entry, tmp_path):
    request = Request(
        tuple(EXAMPLES / name for name in entry["images"]),
        entry["prompt"],
        model="pocket",
        mode="generate",
        max_new_tokens=64,
        device="cpu",
        dtype="float32",
        vision=entry["vision"],
    )
    now = extract(request, tmp_path / "run")
    shown = open_run(EXAMPLES / entry["name"])
    assert shown.info["prompt"] == entry["prompt"]
    assert shown.info["answer"] == now.info["answer"]
    assert shown.info["tokens"] == now.info["tokens"]
    assert shown.info["sinks"] == now.info["sinks"]
    assert set(shown.info["towers"]) == set(now.info["towers"])
    for tower in now.info["towers"]:
        for layer in now.layers(tower):
            rows = [run.row(layer, now.keys(tower) - 3, tower, "factors") for run in (shown, now)]
            assert np.allclose(*rows, atol=1e-3), f"made by another model: {tower} layer {layer}"
    shown.close()
    now.close()


def test_no_example_names_the_machine_it_was_made_on():
    for run_json in EXAMPLES.glob("*/run.json"):
        info = json.loads(run_json.read_text(encoding="utf-8"))
        assert "/" not in json.dumps({name: info[name] for name in ("model", "images", "device", "messages")})
