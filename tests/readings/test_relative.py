"""Relative attention as a reading: rows over a general question's, which are kept, proven, and always numbers."""

import json

import numpy as np
import pytest
import tiny_families
import torch

from attention import Request, extract
from attention.capture.general_rows import general_request, read_relative
from attention.capture.lens import read_lens
from attention.environment import EXAMPLES, POCKET
from attention.errors import CaptureError, InvalidRequest, NotInRun
from attention.kinds.table import kind_of
from attention.models import loading as models
from attention.readings.as_relative import RunAsRelative
from attention.readings.reading import readings_folder
from attention.readings.relative import FLOOR, GENERAL, ratio, relative_map

QUESTION = "what color is the star?"


def run_of(place, prompt=QUESTION, **more):
    return extract(Request(EXAMPLES / "shapes.png", prompt, str(POCKET), device="cpu", vision=False, **more), place)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("runs") / "run", mode="generate")


@pytest.fixture(scope="module")
def relative(run):
    return read_relative(run, model=models.load(str(POCKET), "cpu"))


def test_a_question_over_itself_is_one_exactly_and_takes_no_pass(run, tmp_path):
    itself = read_relative(run, QUESTION, folder=tmp_path / "itself")  # no model is loaded
    first = run.info["prompt_tokens"] - 1
    for layer, head in ((3, 1), (3, "mean"), (3, "max"), ("mean", "mean"), ("max", 0), ("mean", "max")):
        assert (itself.map(layer, head) == 1).all()
    assert (itself.atlas(first) == 1).all() and (itself.atlas(first, max_cells=9) == 1).all()
    assert itself.info["proof"] == "same"


def test_it_is_the_ratio_of_the_two_rows_that_answer(run, relative, tmp_path):
    general = run_of(tmp_path / "general", GENERAL)
    first = run.info["prompt_tokens"] - 1
    own, other = (each.row(3, each.info["prompt_tokens"] - 1, source="factors") for each in (run, general))
    by_hand = own.mean(axis=0)[run.cells(0)] / other.mean(axis=0)[general.cells(0)]
    assert np.allclose(relative.map(3, "mean"), by_hand, rtol=1e-3)
    wide = extract(Request(EXAMPLES / "wide.png", GENERAL, str(POCKET), vision=False), tmp_path / "wide")
    with pytest.raises(NotInRun, match="not of the same picture"):
        relative_map(run, wide, 3, 1)
    for layer, head in ((3, 1), (2, "mean"), ("mean", "mean"), ("max", "max")):
        expected = relative_map(run, general, layer, head)
        assert np.allclose(relative.map(layer, head), expected, rtol=1e-3)
    atlas = relative.atlas(first).reshape(len(run.layers()), run.heads(), *run.cells(0).shape)
    assert np.array_equal(atlas[3, 1], relative.map(3, 1)) and np.abs(np.log(atlas)).max() > 1
    row = relative.row(3, first)
    assert np.array_equal(row[1], relative.reduced_row(3, 1, first), equal_nan=True)
    assert np.array_equal(relative.rows(first)[3], row, equal_nan=True)
    whole = relative.atlas(first, is_reduced=True)
    assert np.array_equal(whole[:-1, :-2], relative.atlas(first))
    for place, layer, head in (
        ((3, -2), 3, "mean"),
        ((3, -1), 3, "max"),
        ((-1, -2), "mean", "mean"),
        ((-1, 1), "mean", 1),
    ):
        assert np.array_equal(whole[place], relative.map(layer, head).reshape(-1))
    cells = np.zeros(run.keys(), bool)
    cells[run.cells(0)] = True
    assert np.isfinite(row[:, cells]).all() and np.isnan(row[:, ~cells]).all()


def test_it_is_kept_small_beside_the_run_and_found_again(run, relative):
    files = [file.name for file in sorted(readings_folder(run).rglob("*")) if file.is_file()]
    assert files == ["reading.json", "rows.safetensors"] and relative.info["bytes"] < run.info["bytes"] / 2
    assert relative.info["proof"] == "shared" and read_relative(run).info == relative.info  # no model is loaded
    asked = kind_of("relative").read(run, {})
    assert asked == {"prompt": GENERAL} and kind_of("relative").name_of(run, asked) == relative.folder.name


def test_a_ratio_of_nothing_is_a_number():
    own, general = np.float32([0, 0, 0.5, 0]), np.float32([0, 0.5, 0, FLOOR / 2])
    assert ratio(own, general).tolist() == pytest.approx([1, FLOOR / 0.5, 0.5 / FLOOR, 1])


def test_what_is_no_row_of_pictures_is_refused(run, relative):
    with pytest.raises(NotInRun, match="no picture in the 'vision' tower"):
        relative.row(0, 0, "vision")
    as_run, first = RunAsRelative(relative), run.info["prompt_tokens"] - 1
    for refused in (
        lambda: as_run.atlas(key=3), as_run.atlas, lambda: as_run.column(0, 3), lambda: as_run.masses(first),
        lambda: as_run.row_scores("image_mass", first), lambda: as_run.received(0), lambda: as_run.dense(0),
    ):  # fmt: skip
        with pytest.raises(NotInRun, match="is a row over another row"):
            refused()
    with pytest.raises(NotInRun, match="no head 9"):
        relative.map(0, 9)
    with pytest.raises(InvalidRequest, match="general question is '  '"):
        read_relative(run, "  ")
    with pytest.raises(InvalidRequest, match="general question is 3"):
        kind_of("relative").read(run, {"prompt": 3})
    with pytest.raises(InvalidRequest, match="the limit is 2,000"):
        kind_of("relative").read(run, {"prompt": "a" * 2001})


def test_other_weights_than_the_runs_are_refused(run, tmp_path):
    loaded = models.load(str(POCKET), "cpu")
    weight = loaded.model.model.language_model.layers[1].mlp.down_proj.weight
    before = weight.detach().clone()
    try:
        with torch.no_grad():
            weight.mul_(1.01)
        with pytest.raises(CaptureError, match="other queries and keys than the run has"):
            read_relative(run, model=loaded, folder=tmp_path / "relative")
    finally:
        with torch.no_grad():
            weight.copy_(before)
    assert not list(tmp_path.iterdir())


def test_where_pictures_see_the_question_its_own_pass_is_the_proof(tmp_path):
    folder = tiny_families.write("paligemma", tmp_path / "model")
    asked = Request(EXAMPLES / "shapes.png", "what is it?", str(folder), device="cpu", vision=False)
    relative = read_relative(extract(asked, tmp_path / "run"), model=models.load(str(folder), "cpu"))
    assert relative.info["proof"] == "own pass" and np.isfinite(relative.map("mean", "mean")).all()


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "name", ["qwen3_5", "gemma4", "mllama", "lfm2_vl", "llama4", "cosmos3_omni", "granite_docling"]
)
def test_families_of_many_kinds_have_both_and_a_question_over_itself_is_one(name, tmp_path):
    """Linear layers, convolutions, softcaps, cross-attention, chunks, several decoders, scaled logits."""
    folder = tiny_families.write(name, tmp_path / "model")
    asked = Request(EXAMPLES / "shapes.png", "what is it?", str(folder), device="cpu", vision=False)
    run, loaded = extract(asked, tmp_path / "run"), models.load(str(folder), "cpu")
    general, itself = read_relative(run, model=loaded), read_relative(run, "what is it?")
    for tower in general.info["towers"]:
        for grid in run.grids(tower):
            assert np.isfinite(general.map("mean", "mean", grid=grid, tower=tower)).all()
            assert (itself.map("mean", "max", grid=grid, tower=tower) == 1).all()
    assert set(run.layers()) <= set(read_lens(run, model=loaded).layers_read)


def test_of_a_chat_the_pictures_and_the_system_message_stay(run):
    text = {"type": "text", "text": "a"}
    chat = [
        {"role": "system", "content": [text]}, {"role": "user", "content": [text, {"type": "image"}, text]},
        {"role": "assistant", "content": [text]}, {"role": "user", "content": [text]},
    ]  # fmt: skip
    before = json.dumps(run.info["messages"])
    try:
        run.info["messages"] = chat
        asked = general_request(run, "b").conversation()
    finally:
        run.info["messages"] = json.loads(before)
    assert asked == [chat[0], {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "image"}]}]
