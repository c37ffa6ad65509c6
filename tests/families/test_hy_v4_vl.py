"""Hy4-VL where it is unlike other families: an indexer chooses the keys of a row, for its layer and the next."""

from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tiny_families.hy_v4_vl
import torch
from eager_answers import answered, check_answer
from pictures import noise
from safetensors import safe_open
from transformers.models.hy_v4_vl import modeling_hy_v4_vl

from attention import Request, extract
from attention.models import kept
from attention.models import loading as models
from attention.models.hook import ATTENTION, attention_function
from attention.verify.eager import Choices, compare_end_to_end

CHOSEN = tiny_families.hy_v4_vl.CHOSEN


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    yield tiny_families.write("hy_v4_vl", tmp_path_factory.mktemp("hy") / "model")
    kept.free()


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    with answered(folder, tmp_path_factory.mktemp("run") / "run") as run:
        yield run


def test_it_answers_as_an_eager_model_does(folder, run):
    """With its cache; the indexer's choice and the sinks are in the output, not in the rows alone."""
    check_answer(run, folder)


def test_a_row_reads_the_keys_that_were_chosen_for_it(run):
    names = []
    for layer in run.layers():
        seen = (run.dense(layer) > 0).any(axis=0)
        assert run.keys() > 2 * CHOSEN and not np.triu(seen, 1).any()
        assert seen.sum(axis=1).max() <= CHOSEN and seen[: CHOSEN // 2].sum(axis=1).min() >= 1
        with safe_open(run.layer_file(layer), "np") as file:
            names.append(file.metadata()["mask"])
    assert names[0] != names[1] == names[2], "the last layer reads what was chosen for the one before"


def test_an_eager_pass_is_judged_on_the_keys_that_were_chosen(folder, monkeypatch):
    """Rounding decides between near ties: here the eager pass would choose another key in every row, and read it."""
    stock = modeling_hy_v4_vl.HYV4VLIndexer.forward

    def other(indexer, *args, **kwargs):
        chosen = stock(indexer, *args, **kwargs)
        return chosen.roll(1, dims=1) if indexer.config._attn_implementation == "eager" else chosen

    monkeypatch.setattr(modeling_hy_v4_vl.HYV4VLIndexer, "forward", other)
    loaded = models.load(str(folder), "cpu")
    checks = judged(loaded, Choices(loaded))
    assert checks["rows = an eager model's, language"].passed and checks["nothing on hidden keys"].passed, checks
    monkeypatch.setattr(Choices, "again", lambda _: nullcontext())
    assert not judged(loaded, Choices(loaded))["rows = an eager model's, language"].passed


def judged(loaded, choices):
    request = Request([noise((200, 90))], "what is it?", answer="red", vision=True)
    with (
        TemporaryDirectory() as folder,
        attention_function(loaded.model, ATTENTION),
        torch.inference_mode(),
        extract(request, Path(folder) / "run", model=loaded) as run,
    ):
        inputs = loaded.family.prepare(loaded.processor, run.info["messages"], list(request.images), None)
        said = [token["id"] for token in run.info["tokens"][run.info["prompt_tokens"] :]]
        tensors = loaded.family.extend(loaded.processor, inputs, said).tensors
        with choices.kept():
            loaded.model(**tensors)
        _, checks, _ = compare_end_to_end(loaded, run, tensors, choices)
    return {check.name: check for check in checks}


def test_a_token_that_ends_a_row_is_no_cell(run):
    (grid,) = [grid for grid in run.info["grids"] if grid["tower"] == "language"]
    cells = run.cells(0)
    assert cells.shape == (grid["rows"], grid["cols"])
    ends = cells[:, -1] + 1
    assert (cells[1:, 0] == ends[:-1] + 1).all()
    assert {run.info["tokens"][end]["role"] for end in ends} == {"special"}
