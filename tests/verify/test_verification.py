"""`verify` passes on a model that is captured rightly, and fails by name on every way of capturing it wrongly."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.qwen3_vl import modeling_qwen3_vl

from attention.capture.recorder import Capture
from attention.families.qwen3_vl import Qwen3VL
from attention.models import hook
from attention.models import loading as models
from attention.models.kept import INFERENCE, free
from attention.runs.run import Run
from attention.verify import checks as verification
from attention.verify.checks import verify
from attention.verify.table import table

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sharp_folder(tmp_path_factory):
    from tiny import qwen3_vl_folder

    return str(qwen3_vl_folder(tmp_path_factory.mktemp("model"), layers=2, vision_layers=2, sharpness=2.2))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few patches, so that every test takes a second."""
    monkeypatch.setattr(verification, "VISUAL_TOKENS", 70)
    monkeypatch.setattr(verification, "GEOMETRY_SIZES", ((150, 420),))
    monkeypatch.setattr(verification, "COST_PAIRS", 1)


def failed(checks):
    return {check.name for check in checks if check.passed is False}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_model_that_is_captured_rightly_passes(sharp_folder, dtype):
    phases = []
    checks = verify(sharp_folder, device="cpu", dtype=dtype, report=phases.append)
    assert not failed(checks), table(checks)
    names = {check.name for check in checks}
    other = "eager" if dtype == "float32" else "float64 softmax"
    assert {f"rows = {other} on the same queries and keys, {tower}" for tower in ("language", "vision")} <= names
    assert {"nothing on hidden keys", "columns = rows", "rows sum to one", "logits with capture = without"} <= names
    measured = [check.measured for check in checks if check.name.startswith("painted cells")]
    assert measured == ["18 of 18", "18 of 18"]
    assert [check.passed for check in checks].count(None) == (4 if dtype == "float32" else 6)
    assert f"Qwen3-VL (qwen3_vl), {dtype}, cpu" in table(checks) and "time with capture / without" in names
    assert phases[0] == "Loading the model" and len(phases) == len(set(phases)) == 7


def test_everything_that_was_patched_is_as_it_was(sharp_folder, tmp_path):
    Image.effect_noise((200, 300), 90).convert("RGB").save(tmp_path / "own.png")
    loaded = models.load(sharp_folder, "cpu")
    sdpa, eager = ALL_ATTENTION_FUNCTIONS["sdpa"], modeling_qwen3_vl.eager_attention_forward
    assert not failed(verify(loaded, tmp_path / "own.png"))
    assert ALL_ATTENTION_FUNCTIONS["sdpa"] is sdpa and modeling_qwen3_vl.eager_attention_forward is eager
    assert loaded.model.config.text_config._attn_implementation == hook.ATTENTION
    assert not loaded.model._forward_hooks and INFERENCE.acquire(blocking=False)
    INFERENCE.release()


def with_take(change):
    """A capture that is handed something else than the model used."""

    def broken(monkeypatch):
        take = Capture.take
        monkeypatch.setattr(Capture, "take", lambda self, *call: take(self, *change(*call[:6]), *call[6:]))

    return broken


def with_reader(name, change):
    def broken(monkeypatch):
        read = getattr(Run, name)
        monkeypatch.setattr(Run, name, lambda self, *args, **kwargs: change(read(self, *args, **kwargs)))

    return broken


def with_inputs(change):
    """A family that says something wrong about where tokens are."""

    def broken(monkeypatch):
        prepare = Qwen3VL.prepare
        monkeypatch.setattr(Qwen3VL, "prepare", lambda self, *args: change(prepare(self, *args)))

    return broken


def mirrored(inputs):
    """Each token said to stand where its mirror image does."""
    grids = inputs.grids

    def mirror(cell):
        return None if cell is None else (cell[0], cell[1], grids[cell[0]].cols - 1 - cell[2])

    cells, patches = ([mirror(cell) for cell in side] for side in (inputs.cells, inputs.keys["vision"]))
    return dataclasses.replace(inputs, cells=cells, keys={"vision": patches})


def with_changed_output(monkeypatch):
    """A capture that lets the model compute something else."""
    sdpa = hook.sdpa_attention_forward

    def attention(*args, **kwargs):
        output, weights = sdpa(*args, **kwargs)
        return output + 1e-6, weights

    monkeypatch.setattr(hook, "sdpa_attention_forward", attention)


def with_a_model_left_changed(monkeypatch):
    made = verification.fill

    def fill(request, partial, loaded):
        folder = made(request, partial, loaded)
        with torch.no_grad():
            loaded.model.lm_head.weight[0, 0] += 1
        return folder

    monkeypatch.setattr(verification, "fill", fill)


def without_rotation(module, query, key, value, mask, kwargs):
    """Keys as another position's: what a re-derived projection without its rotary embedding would be like."""
    return module, query, key.roll(1, dims=2), value, mask, kwargs


def with_swapped_heads(module, query, key, value, mask, kwargs):
    return module, query.flip(1), key, value, mask, kwargs


def with_other_scaling(module, query, key, value, mask, kwargs):
    return module, query, key, value, mask, {**kwargs, "scaling": kwargs["scaling"] * 1.001}


def seeing_the_future(module, query, key, value, mask, kwargs):
    return module, query, key, value, mask, {**kwargs, "is_causal": False}


def blurred(stored):
    return (stored.astype(np.float32) * 1.01).astype(np.float16)


ROWS, COLUMNS = "rows = eager on the same queries and keys, ", "columns = rows"
STORED, GEOMETRY = "stored rows, beyond half a float16 step", "painted cells are found, "
BROKEN = {
    "keys without rotation": (with_take(without_rotation), {ROWS + "language", ROWS + "vision"}),
    "heads in another order": (with_take(with_swapped_heads), {ROWS + "language", ROWS + "vision"}),
    "a scaling from memory": (with_take(with_other_scaling), {ROWS + "language", ROWS + "vision"}),
    "no causal mask": (with_take(seeing_the_future), {ROWS + "language", "nothing on hidden keys"}),
    "columns of a neighbour": (with_reader("column", lambda column: np.roll(column, 1, axis=0)), {COLUMNS}),
    "blurred stored rows": (with_reader("stored_row", blurred), {STORED}),
    "mirrored cells": (with_inputs(mirrored), {GEOMETRY + "language", GEOMETRY + "vision"}),
    "a changed output": (with_changed_output, {"logits with capture = without"}),
    "a changed weight": (with_a_model_left_changed, {"the model is left as it was"}),
}


SAMPLE = ("keys without rotation", "no causal mask", "blurred stored rows", "mirrored cells", "a changed weight")


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "broken, names",
    [pytest.param(*BROKEN[name], marks=[] if name in SAMPLE else pytest.mark.full, id=name) for name in BROKEN],
)
def test_what_is_captured_wrongly_fails_by_name(sharp_folder, monkeypatch, broken, names):
    broken(monkeypatch)
    if not any(name.startswith(GEOMETRY) for name in names):
        monkeypatch.setattr(verification, "_check_geometry", lambda *_: [])  # saves half of the time
    try:
        checks = verify(sharp_folder, device="cpu")
    finally:
        free()  # one of them changes the weights
    assert names <= failed(checks), table(checks)
    decided = sum(check.passed is not None for check in checks)
    assert table(checks).splitlines()[-1] == f"{len(failed(checks))} of {decided} checks failed."
