"""PaliGemma where it is unlike others: no chat, a prefix that is read both ways, and capped scores in PaliGemma 2."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_families.paligemma
import torch
from eager_answers import check_answer
from pictures import noise
from safetensors import safe_open
from transformers import PaliGemmaProcessor, SiglipImageProcessorPil

from attention import Request, extract
from attention.comparisons.finished import compare_runs
from attention.errors import InvalidRequest
from attention.models import kept
from attention.models import loading as models
from attention.verify.checks import verify

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["gemma", "gemma2"])
def folder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "model"
    tiny_families.paligemma.write(folder, request.param)
    yield folder
    kept.free()


PICTURES = (noise((100, 60)), noise((50, 90)))
PROMPT = " detect cat "


def asked(folder, **fields):
    return Request(PICTURES, PROMPT, str(folder), device="cpu", **fields)


def test_it_reads_what_the_stock_processor_makes_of_pictures_and_a_prompt(folder):
    loaded = models.load(str(folder), "cpu")
    tokenizer = loaded.processor.tokenizer
    stock = PaliGemmaProcessor(SiglipImageProcessorPil.from_pretrained(folder), tokenizer)
    expected = stock(images=[list(PICTURES)], text=[f"<image><image>{PROMPT}"], return_tensors="pt")
    content = [{"type": "text", "text": PROMPT}, {"type": "image"}, {"type": "image"}]
    inputs = loaded.family.prepare(loaded.processor, [{"role": "user", "content": content}], list(PICTURES), None)
    assert set(expected) == {*inputs.tensors, "labels"}
    assert all(torch.equal(tensor, expected[name]) for name, tensor in inputs.tensors.items())
    said = [token for token, role in zip(inputs.ids, inputs.roles, strict=True) if role == "prompt"]
    assert tokenizer.decode(said) == PROMPT


@pytest.mark.parametrize("system", [None, "be kind"])
def test_a_conversation_and_a_prompt_without_a_picture_are_refused(folder, system, tmp_path):
    pictures = () if system is None else PICTURES
    with pytest.raises(InvalidRequest, match="Give one"):
        extract(Request(pictures, PROMPT, str(folder), device="cpu", system=system), tmp_path / "run")


def test_pictures_and_prompt_read_each_other_and_an_answer_reads_in_order(folder, tmp_path):
    with extract(asked(folder, answer="red"), tmp_path / "run") as run:
        n = run.info["prompt_tokens"]
        q, k = np.indices((run.keys(), run.keys()))
        for layer in run.layers():
            seen = (run.dense(layer) > 0).any(axis=0)
            assert not (seen & ~((k <= q) | ((q < n) & (k < n)))).any()
            is_sliding = "gemma2" in str(folder) and layer != 1
            assert seen[0, n - 1] and seen[n + 2, 0] != is_sliding


def test_the_second_ones_rows_and_logits_are_an_eager_models(tmp_path):
    folder = tmp_path / "model"
    tiny_families.paligemma.write(folder, "gemma2")
    checks = {check.name: check for check in verify(str(folder), device="cpu")}
    assert all(check.passed is not False for check in checks.values())
    assert checks["logits = an eager model's, of the largest"].passed
    kept.free()


def test_the_second_one_answers_as_an_eager_model_does(tmp_path):
    """With its cache: the answer that is read is that of a model whose scores are capped."""
    folder = tmp_path / "model"
    tiny_families.paligemma.write(folder, "gemma2")
    request = asked(folder, mode="generate", max_new_tokens=6)
    with extract(request, tmp_path / "run") as run:
        check_answer(run, folder)
        with safe_open(run.layer_file(0), "np") as file:
            assert float(file.metadata()["softcap"]) == tiny_families.paligemma.OF_GEMMA_2["attn_logit_softcapping"]
            assert "tanh" in file.metadata()["how_to_read"]
        check_format_reader(run)
        check_capped(run)
    kept.free()


def check_format_reader(run):
    """The reader of FORMAT.md, on a mask of its own and on capped scores."""
    page = (ROOT / "attention" / "runs" / "FORMAT.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for layer, token in ((0, 3), (1, run.keys() - 2)):
        command = [sys.executable, "-c", code, str(run.folder), str(layer), "2", str(token)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8", cwd=ROOT)
        row = run.row(layer, token, source="factors")[2]
        said = [float(line.split()[0]) for line in done.stdout.splitlines()]
        assert np.allclose(said, np.sort(row)[:-6:-1], atol=6e-5)


def check_capped(run):
    """By definition, in float64, from the file: and a row without the cap would be another."""
    with safe_open(run.layer_file(1), "np") as file:
        query, key = (file.get_tensor(name).astype(np.float64) for name in ("query", "key"))
        scaling, cap = (float(file.metadata()[name]) for name in ("scaling", "softcap"))
    token = run.keys() - 1
    scores = np.einsum("hd,hkd->hk", query[:, token], key.repeat(2, axis=0)) * scaling

    def softmax(scores):
        return np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)

    assert np.abs(run.row(1, token, source="factors") - softmax(cap * np.tanh(scores / cap))).max() < 1e-6
    assert np.abs(softmax(scores) - softmax(cap * np.tanh(scores / cap))).max() > 0.05


def test_what_rows_read_of_words_that_are_not_in_common_is_compared_as_a_whole(folder, tmp_path):
    """A prefix is read both ways: rows of words in common read others after them, which differ by their places."""
    for name, prompt in (("one", "detect cat"), ("other", "detect red cars")):
        extract(Request(PICTURES, prompt, str(folder), device="cpu", answer="a"), tmp_path / name).close()
    with compare_runs([tmp_path / "one", tmp_path / "other"], tmp_path / "both") as both:
        shared, base, other = both.info["shared_tokens"], *both.runs.values()
        for row in (both.queries()[0], 3):  # measured beforehand, and when it is asked for
            rows = [run.exact_rows(row).astype(np.float64) for run in (base, other)]
            p, q = (np.concatenate([own[..., :shared], own[..., shared:].sum(-1, keepdims=True)], -1) for own in rows)
            assert row < shared and p[..., -1].max() > 0.01
            assert both.change("tv_row", 0, row) == pytest.approx(np.abs(p - q).sum(axis=-1) / 2, abs=2e-5)
