"""Towers whose own code computes attention: listed with their layers and the reason, no file, refused by name."""

import json

import numpy as np
import pytest
import tiny_families
import torch
from pictures import noise
from starlette.applications import Starlette
from starlette.testclient import TestClient
from transformers import AutoTokenizer
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.got_ocr2.modeling_got_ocr2 import GotOcr2MultiModalProjector
from transformers.models.got_ocr2.processing_got_ocr2 import GotOcr2Processor

from attention import Request, extract
from attention.commands import main as command_line
from attention.errors import InvalidRequest, NotInRun
from attention.models import kept
from attention.models import loading as models
from attention.models.config import describe
from attention.runs.checks.run import check_run
from attention.runs.schema import RUN
from attention.serving.routes import PREFIX, routes

WHY = (
    "The 2 layers of this model's vision tower make no map: its attention adds a relative position bias inside its own "
    "code."
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    yield tiny_families.write("got_ocr2", tmp_path_factory.mktemp("got") / "model")
    kept.free()


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    request = Request([noise((200, 90))], " OCR: ", str(folder), answer="red", device="cpu", vision=True)
    with extract(request, tmp_path_factory.mktemp("run") / "run") as run:
        yield run


def test_it_is_listed_has_no_file_and_is_said(run, folder):
    check_run(run)
    assert RUN.validate_python(run.info) == run.info and run.info["format"] == 1
    assert run.towers() == ["language"] and run.unread_towers() == {"vision": WHY}
    assert run.info["unread_towers"]["vision"]["layers"] == describe(str(folder))["unread_towers"]["vision"]["layers"]
    assert WHY in run.info["notes"] and not (run.folder / "vision").exists()
    assert run.map(0, "mean", run.keys() - 1).shape == (4, 4)


def test_it_is_refused_by_name(run, capsys, tmp_path):
    for ask in (run.row, run.column, run.stored_row):
        with pytest.raises(NotInRun, match=r"make no map: its attention adds .* This run has language"):
            ask(0, 0, "vision")
    with TestClient(Starlette(routes=routes({"ticket": run}.__getitem__))) as client:
        response = client.get(f"{PREFIX}/ticket/row?tower=vision&layer=0&query=0")
    assert response.status_code == 404 and WHY in response.json()["error"]
    asked = ["export", str(run.folder), "--format=npz", "--tower=vision", "--layer=0", f"--output={tmp_path / 'o'}"]
    assert command_line.main(asked) and WHY in capsys.readouterr().err


def test_words_stand_where_the_stock_processor_writes_them(folder):
    """It has its own conversation where it is given no text, and no template."""
    loaded = models.load(str(folder), "cpu")
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    stock = GotOcr2Processor(GotOcr2ImageProcessorPil.from_dict(settings), AutoTokenizer.from_pretrained(folder))
    picture = noise((200, 90))
    expected = stock(images=picture, return_tensors="pt", num_image_tokens=16)
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " OCR: "}]}]
    inputs = loaded.family.prepare(loaded.processor, messages, [picture], None)
    assert inputs.ids == expected["input_ids"][0].tolist()
    assert np.array_equal(inputs.tensors["pixel_values"], expected["pixel_values"])
    with pytest.raises(InvalidRequest, match=r"reads a page with its prompt\. Give one"):
        loaded.family.prepare(loaded.processor, [{**messages[0], "content": []}], [], None)


def test_a_cell_holds_the_patches_that_count_most_in_its_token(folder):
    """Of convolutions whose weights are all 1: a patch on an edge of two cells counts as much in both."""
    loaded = models.load(str(folder), "cpu")
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "?"}]}]
    (grid,) = loaded.family.prepare(loaded.processor, messages, [noise((64, 64))], None).grids
    assert grid.row_edges_px == grid.col_edges_px == (0, 10, 26, 42, 64)
    projector = GotOcr2MultiModalProjector(loaded.model.config)
    for convolution in (projector.conv_upsampler1, projector.conv_upsampler2):
        torch.nn.init.ones_(convolution.weight)
    for patch in range(16):  # of 4 pixels
        patches = torch.zeros(1, 16, 16, 16)
        patches[..., patch, patch] = 1
        with torch.no_grad():
            counts = projector.conv_upsampler2(projector.conv_upsampler1(patches))[0, 0].diagonal()
        most = torch.nonzero(counts == counts.max())[:, 0].tolist()
        middle = 4 * patch + 2
        assert most == [cell for cell in range(4) if grid.row_edges_px[cell] <= middle <= grid.row_edges_px[cell + 1]]
