"""The logit lens: words after each layer, what they rest on, and how they are spelled."""

import json

import numpy as np
import pytest
import tiny_families
import torch
from pictures import noise

from attention import Request, extract
from attention.capture import lens as lens_pass
from attention.capture.asked_again import asked_again
from attention.capture.direct_path import decoder_layers
from attention.capture.lens import final_norm, read_lens
from attention.capture.vocabulary import spelled
from attention.environment import EXAMPLES, POCKET
from attention.errors import CaptureError, NotInRun, UnsupportedModel
from attention.models import loading as models
from attention.runs.partial import PartialRun


def run_of(folder, prompt, place):
    asked = Request(EXAMPLES / "shapes.png", prompt, str(folder), mode="generate", device="cpu", vision=False)
    return extract(asked, place)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_of(POCKET, "what color is the star?", tmp_path_factory.mktemp("runs") / "run")


def test_after_the_last_layer_the_words_are_the_models_own(run):
    lens = read_lens(run, model=models.load(str(POCKET), "cpu"))
    first, last = run.info["prompt_tokens"], lens.layers_read[-1]
    text, logprob = lens.words(last, first - 1)[0]
    assert text == run.info["answer"] and logprob == pytest.approx(run.info["logprobs"][0], abs=1e-4)
    ids, logprobs = lens.tables
    assert ids.shape == (len(lens.layers_read), len(run.info["tokens"]), 5) == logprobs.shape
    assert (np.diff(logprobs, axis=-1) <= 0).all() and (np.exp(logprobs.astype(float)).sum(axis=-1) <= 1 + 1e-5).all()
    assert [row["index"] for row in run.info["towers"]["language"]["layers"]] == lens.layers_read
    with pytest.raises(NotInRun, match="no token 4000"):
        lens.words(last, 4000)
    with pytest.raises(NotInRun, match="no layer 99"):
        lens.words(99, 0)


def test_the_words_of_a_layer_are_its_hidden_state_through_norm_and_head(run):
    loaded = models.load(str(POCKET), "cpu")
    lens = read_lens(run, model=loaded)
    hidden = torch.randn(3, loaded.model.get_output_embeddings().weight.shape[1])
    norm = final_norm(loaded)
    assert torch.equal(norm(hidden), loaded.model.model.language_model.norm(hidden))
    assert len({tuple(row) for row in lens.tables[0][:, 10].tolist()}) > 1  # layers say different things


@pytest.mark.sample(1)
@pytest.mark.parametrize("name", ["hy_v4_vl", "qwen4_exp", "inkling2", "gemma4", "idefics2"])
def test_the_words_of_a_layer_are_those_of_the_model_that_ends_with_it(tmp_path, monkeypatch, name):
    """Several streams, blocks of layers, a cap, a resampler before it: cut off, the model says the same."""
    folder = tiny_families.write(name, tmp_path / "model")
    asked = Request(noise((64, 48)), "what?", str(folder), answer="red", device="cpu", vision=False)
    run, loaded = extract(asked, tmp_path / "run"), models.load(str(folder), "cpu")
    ids, logprobs = read_lens(run, model=loaded, folder=tmp_path / "lens").tables
    stack = decoder_layers(loaded)
    holder = next(module for module in loaded.model.modules() if any(each is stack for each in module.children()))
    with asked_again(run, PartialRun.create(tmp_path / "cut"), loaded, about=("language",)) as again:
        tensors = again.tensors
    for n in range(1, len(stack) + 1):
        with monkeypatch.context() as cut, torch.no_grad():
            cut.setitem(holder._modules, "layers", stack[:n])
            own = torch.log_softmax(loaded.model(**tensors, use_cache=False).logits[0].float(), dim=-1)
        top = own.topk(5)
        assert np.allclose(logprobs[n - 1], top.values, atol=2e-5), n
        assert np.allclose(logprobs[n - 1], own.gather(-1, torch.from_numpy(ids[n - 1]).long()), atol=2e-5), n


def test_a_model_whose_states_are_no_words_is_refused(run, tmp_path, monkeypatch):
    loaded = models.load(str(POCKET), "cpu")
    layer = loaded.model.model.language_model.layers[0]
    with monkeypatch.context() as changed, pytest.raises(UnsupportedModel, match="The norm after the last layer of"):
        changed.setattr(lens_pass, "final_norm", lambda loaded: None)
        read_lens(run, model=loaded, folder=tmp_path / "lens")
    monkeypatch.setattr(lens_pass, "final_norm", lambda loaded: layer.self_attn.q_norm)
    monkeypatch.setattr(lens_pass, "decoder_layers", lambda loaded: [layer.self_attn.q_norm])
    with pytest.raises(UnsupportedModel, match="several states for each token"):
        read_lens(run, model=loaded, folder=tmp_path / "lens")


def test_logits_that_are_more_than_norm_and_head_are_refused(run, tmp_path, monkeypatch):
    loaded = models.load(str(POCKET), "cpu")
    head = loaded.model.lm_head.forward
    monkeypatch.setattr(loaded.model.lm_head, "forward", lambda hidden: head(hidden) * (2 if hidden.dim() == 3 else 1))
    with pytest.raises(UnsupportedModel, match="more than its final norm and its head"):
        read_lens(run, model=loaded, folder=tmp_path / "lens")


def test_a_prompts_lens_is_held_against_its_queries_and_keys(tmp_path):
    asked = Request(EXAMPLES / "shapes.png", "what color is the star?", str(POCKET), device="cpu", vision=False)
    prompt, loaded = extract(asked, tmp_path / "run"), models.load(str(POCKET), "cpu")
    lens = read_lens(prompt, model=loaded)
    assert lens.info["difference"] < 1e-6 and "no answer" in lens.caution
    weight = loaded.model.model.language_model.layers[1].mlp.down_proj.weight
    before = weight.detach().clone()
    try:
        with torch.no_grad():
            weight.mul_(1.01)
        with pytest.raises(CaptureError, match="Layer 2 of the language tower now has other queries and keys"):
            read_lens(prompt, model=loaded, folder=tmp_path / "lens")
    finally:
        with torch.no_grad():
            weight.copy_(before)


@pytest.mark.sample(1)
@pytest.mark.parametrize(("name", "field", "value"), [
    ("paligemma", "final_logit_softcapping", 0.5), ("cohere_compass", "logit_scale", 4.0),
])  # fmt: skip
def test_what_is_done_to_the_heads_logits_is_done_after_every_layer(tmp_path, monkeypatch, name, field, value):
    folder = tiny_families.write(name, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"][field] = value
    (folder / "config.json").write_text(json.dumps(config))
    prompt = extract(Request(EXAMPLES / "shapes.png", "what?", str(folder), vision=False), tmp_path / "run")
    loaded = models.load(str(folder), "cpu")
    assert len(read_lens(prompt, model=loaded, folder=tmp_path / "lens").layers_read) == 3
    monkeypatch.setattr(lens_pass, "logits_of_head", lambda config: [lambda logits: logits])
    with pytest.raises(UnsupportedModel, match="more than its final norm and its head"):
        read_lens(prompt, model=loaded)


def test_words_of_a_layer_travel_together_with_what_is_no_word(run):
    lens = read_lens(run, model=models.load(str(POCKET), "cpu"))
    layer, token = lens.layers_read[1], 10
    sent = json.loads(json.dumps(lens.of_layer(layer)))
    told = [sent["texts"][word] for word in sent["words"][token]]
    assert [text for text, _ in lens.words(layer, token)] == told and len(sent["words"]) == len(run.info["tokens"])
    assert sent["logprobs"][token] == pytest.approx([value for _, value in lens.words(layer, token)], abs=1e-4)


class Spelling:
    """A tokenizer of a control token, a word, the same with its space, two parts of a sign, and an id of none."""

    pieces = ("<|end|>", "star", "Ġstar", "âĺ", "<0xE2>", None, "a")
    all_special_ids, added_tokens_decoder = [0], {0: None}

    def __call__(self, text, add_special_tokens):
        return {"input_ids": [self.pieces.index(text)]}

    def decode(self, ids):
        known = {0: "<|end|>", 1: "star", 2: " star", 3: "\ufffd", 4: "\ufffd", 5: "", 6: "a"}
        return "".join(known[each] for each in ids)

    def convert_ids_to_tokens(self, each):
        return self.pieces[each]


def test_spaces_control_tokens_and_bytes_of_a_sign_can_be_read():
    texts, unspelled = spelled(Spelling(), [5, 0, 1, 2, 3, 4])
    assert texts == {0: "<|end|>", 1: "star", 2: " star", 3: "bytes E2 98", 4: "bytes E2", 5: "id 5"}
    assert unspelled == [3, 4, 5]
