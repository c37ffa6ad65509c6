"""Florence-2: an encoder's tokens, a decoder's, and what the one reads of the other, each in its own tower."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_families
import torch
from PIL import Image
from safetensors.numpy import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from attention import Request, extract, open_run
from attention.capture.asked_again import asked_again
from attention.capture.forecast import forecast
from attention.comparisons.finished import compare_runs
from attention.errors import InvalidRequest, NotInRun
from attention.exports.export import export
from attention.models.kept import free
from attention.runs.checks.run import check_run
from attention.runs.partial import PartialRun
from attention.runs.schema import RUN
from attention.runs.selection import select

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8))
ANSWER = "a cat<loc_12><loc_300><loc_700><loc_999>"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    yield tiny_families.write("florence2", tmp_path_factory.mktemp("florence2") / "model")
    free()


@pytest.fixture(scope="module")
def folder(model):
    extract(Request((PICTURE,), "<OD>", str(model), answer=ANSWER, device="cpu"), model.parent / "run").close()
    return model.parent / "run"


@pytest.fixture
def run(folder):
    with open_run(folder) as run:
        yield run


def test_each_tower_has_the_tokens_that_read_and_are_read_there(run):
    check_run(run)
    assert RUN.validate_python(run.info) == run.info and run.info["format"] == 2
    texts = [token["text"] for token in run.info["tokens"]]
    start = run.info["prompt_tokens"]
    assert texts[start - 3 : start] == ["</s>", "</s>", "<s>"], "the last two begin the answer"
    n, encoded = len(texts), start - 2
    spans = {name: (tower["query_tokens"], tower["key_tokens"]) for name, tower in run.info["towers"].items()}
    read, answered = [[0, encoded]], [[encoded, n]]
    assert spans == {"language": (answered, answered), "encoder": (read, read), "cross": (answered, read)}
    assert [run.grids(tower) for tower in ("language", "encoder", "cross")] == [[], [0], [0]]
    words = [token["text"] for token in run.info["tokens"] if token["role"] == "prompt"]
    assert "".join(words) == "Locate the objects with category name in the image.", "the task, as the model reads it"


def test_an_answer_keeps_its_locations_and_they_lie_on_the_picture(run):
    assert run.info["answer"] == ANSWER
    (box,) = run.info["boxes"]
    assert box["label"] == "a cat"
    assert [box[side] for side in ("x0", "y0", "x1", "y1")] == pytest.approx([1.5, 28.8, 89.6, 95.9], abs=0.3)
    assert {token["role"] for token in run.info["tokens"][run.info["prompt_tokens"] :]} == {"answer"}


REFUSED = {
    "a row of the encoder's token in the decoder": (lambda run: run.row(0, 5), "Token 5 has no row .* language"),
    "a map of it": (lambda run: run.map(0, 0, 5, tower="cross"), "Token 5 has no row .* cross"),
    "a span that begins with it": (lambda run: run.rows(5, "cross", until=len(run.tokens) - 1), "has no row"),
    "a row of the answer in the encoder": (lambda run: run.masses(len(run.tokens) - 1, "encoder"), "has no row"),
    "who reads the answer by cross-attention": (lambda run: run.column(0, len(run.tokens) - 1, "cross"), "is not read"),
    "what cells read there": (lambda run: run.atlas(key=5, tower="cross"), "read nothing"),
    "a map of the answer in itself": (lambda run: run.map(0, 0, len(run.tokens) - 1), "language tower has grids none"),
}


@pytest.mark.parametrize("ask, words", REFUSED.values(), ids=REFUSED)
def test_what_is_not_there_is_refused_and_is_no_zero_map(run, ask, words):
    with pytest.raises(NotInRun, match=words):
        ask(run)


def test_all_ways_to_a_row_give_the_same_numbers_at_the_same_tokens(run):
    query, tower = run.info["prompt_tokens"] - 1, "cross"
    own, keys = run.queries_with_rows(tower), run.keys_with_columns(tower)
    dense = run.dense(1, tower)
    np.testing.assert_allclose(run.row(1, query, tower), dense[:, query], atol=3e-4)
    np.testing.assert_allclose(
        run.row(1, query, tower, until=query + 2), dense[:, query : query + 3].mean(1), atol=3e-4
    )
    np.testing.assert_allclose(run.column(1, 7, tower, until=9), dense[:, :, 7:10].mean(axis=2), atol=1e-6)
    np.testing.assert_allclose(run.received(1, tower)[:, keys], dense[:, own][:, :, keys].mean(axis=1), atol=1e-6)
    assert run.stored_positions(tower).tolist() == own.tolist()
    masses = run.masses(query, tower)[1]
    assert masses[:, :-1].sum(axis=-1) == pytest.approx(1, abs=1e-5)
    selection = select(run, tower)
    assert selection.query == query and selection.texts == ("<s>", "a") and selection.grid == 0
    assert selection.values()[0][selection.cells()].sum() == pytest.approx(
        run.score("image_mass", tower)[:, :, own.tolist().index(query)].mean(), abs=1e-3
    )
    assert select(run, "encoder", query=40).texts[1] == "", "an encoder predicts nothing"


def test_the_reader_of_the_format_page_names_the_tokens_that_are_read(run, tmp_path, capsys, monkeypatch):
    page = (Path(__file__).parents[2] / "attention" / "runs" / "FORMAT.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "reader.py").write_text(code, encoding="utf-8")
    token = len(run.tokens) - 3
    monkeypatch.setattr(sys, "argv", ["reader", str(run.folder), "1", "2", str(token)])
    runpy.run_path(str(tmp_path / "reader.py"))
    row = run.row(1, token, source="factors")[2]
    largest = np.argsort(row)[:-6:-1]
    said = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert [float(value) for value, *_ in said] == pytest.approx(row[largest].tolist(), abs=6e-5)
    assert [role for _, role, _ in said] == [run.info["tokens"][key]["role"] for key in largest]
    assert [text for *_, text in said] == [repr(run.info["tokens"][key]["text"]) for key in largest]
    monkeypatch.setattr(sys, "argv", ["reader", str(run.folder), "1", "2", "5"])
    with pytest.raises(ValueError, match="5 is not in list"):
        runpy.run_path(str(tmp_path / "reader.py"))


def test_exports_hold_the_towers_own_tokens(run, tmp_path):
    with pytest.raises(InvalidRequest, match="exactly one picture in one part"):
        export(run, "bin", tmp_path / "bin")
    written = load_file(export(run, "dense", tmp_path / "one", tower="cross", layer=1))["attention"]
    own = run.dense(1, "cross")[:, run.queries_with_rows("cross")][:, :, run.keys_with_columns("cross")]
    np.testing.assert_allclose(written, own, atol=3e-4)
    assert export(run, "png", tmp_path / "map.png", tower="cross").exists()
    column = (
        export(run, "csv", tmp_path / "column.csv", tower="cross", layer=0, head=0, key=40).read_text().splitlines()
    )
    rows = [line for line in column if not line.startswith("#")][1:]
    assert [int(row.split(",")[0]) for row in rows] == run.queries_with_rows("cross").tolist()
    assert export(run, "html", tmp_path / "page.html").exists()


def test_runs_are_compared_by_the_rows_that_each_tower_has(folder, tmp_path):
    with compare_runs([folder, folder], tmp_path / "both", ["a", "b"]) as both:
        for tower in both.base.towers():
            assert set(both.queries(tower)) <= set(both.base.queries_with_rows(tower).tolist())
            assert np.array_equal(
                both.change("js_row", 0, tower=tower), np.zeros_like(both.change("js_row", 0, tower=tower))
            )


def test_runs_of_other_questions_have_no_row_in_common(model, folder, tmp_path):
    """The answer's tokens stand after all of a question, so none of them is in common."""
    extract(Request((PICTURE,), "<CAPTION>", str(model), answer=ANSWER, device="cpu"), tmp_path / "run").close()
    with pytest.raises(InvalidRequest, match=r"their questions differ, from token \d+ on, .* Compare runs of one"):
        compare_runs([folder, tmp_path / "run"], tmp_path / "both", ["a", "b"])


def test_an_answer_is_what_the_stock_processor_and_model_give(model, tmp_path):
    stock = AutoModelForImageTextToText.from_pretrained(model)
    inputs = AutoProcessor.from_pretrained(model)(text="<CAPTION>", images=PICTURE, return_tensors="pt")
    ids = stock.generate(**inputs, max_new_tokens=6, do_sample=False, num_beams=1)[0].tolist()
    request = Request((PICTURE,), "<CAPTION>", str(model), mode="generate", max_new_tokens=5, device="cpu")
    with extract(request, tmp_path / "run") as run:
        written = [token["id"] for token in run.info["tokens"]]
        assert written == [*inputs["input_ids"][0].tolist(), *ids]
        logits = stock(**inputs, decoder_input_ids=torch.tensor([ids])).logits[0].log_softmax(dim=-1)
        expected = [logits[at - 1, ids[at]].item() for at in range(2, len(ids))]
        assert run.info["logprobs"] == pytest.approx(expected, abs=1e-4)
        assert forecast(request).bytes_on_disk == pytest.approx(run.info["bytes"], rel=0.1)
    with extract(
        inputs, tmp_path / "given", model=(stock, AutoProcessor.from_pretrained(model)), answer="a cat"
    ) as run:
        check_run(run)
        assert run.map("mean", "mean", run.info["prompt_tokens"], tower="cross").shape == (6, 6)


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"images": (PICTURE, PICTURE)}, "reads 1 picture with its prompt, and 2 are given"),
        ({"images": (PICTURE,), "system": "be kind"}, "no conversation"),
        ({"images": (PICTURE,), "prompt": "<OD> now"}, "Task token <OD> should be the only content"),
    ],
)
def test_what_it_does_not_read_is_refused(model, fields, words):
    with pytest.raises(InvalidRequest, match=words):
        forecast(Request(**{"prompt": "what is it?", "model": str(model), "device": "cpu", **fields}))


def test_nothing_is_computed_anew_of_a_model_in_parts(run, model):
    words = r"rows in its language, encoder, cross towers: .* nothing is computed anew"
    partial = PartialRun.create(model.parent / "again")
    with pytest.raises(InvalidRequest, match=words), asked_again(run, partial):
        pass
