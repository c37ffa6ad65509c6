"""Captures are exact in every family: every layer of every tower, against the model's own eager attention."""

import dataclasses
import functools
import gc
import json
import sys

import numpy as np
import pytest
import tiny_families
import torch
from peft import LoraConfig, get_peft_model
from pictures import coarse_noise
from transformers import AutoModelForImageTextToText

from attention import Request, extract, open_run
from attention.capture.images import open_pictures
from attention.capture.inputs import prepare
from attention.capture.recorder import Capture
from attention.errors import InvalidRequest
from attention.limits import Limits
from attention.models import loading as models
from attention.models.config import read_config
from attention.models.hook import ATTENTION, attention_of
from attention.models.kept import free
from attention.runs.checks.run import check_run
from attention.runs.schema import RUN

pytestmark = pytest.mark.slow

PROMPT, ANSWER = "what is it?", "red and blue"


def request(folder, **fields):
    pictures = (coarse_noise(400, 150), coarse_noise(170, 330, 1))[: most_images(folder)]
    return Request(images=pictures, prompt=PROMPT, answer=ANSWER, device="cpu", vision=True, **fields)


@functools.cache
def most_images(folder):
    return read_config(str(folder))[1].most_images


def own_part(run, layer, tower):
    """The rows of a layer, of the queries that have one, on the keys that are read; nothing is anywhere else."""
    dense = run.dense(layer, tower)
    part = dense[:, run.queries_with_rows(tower)][:, :, run.keys_with_columns(tower)]
    assert np.count_nonzero(dense) == np.count_nonzero(part)
    return part


WITH_LOGITS_TO_KEEP = ("florence2", "mllama", "qwen3_vl", "video_llama_3")  # as asked, or whichever were asked for
one_of_each_kind = pytest.mark.parametrize("folder", tiny_families.of_each_kind(), indirect=True, scope="module")


@pytest.fixture(scope="module", params=tiny_families.of_unlike_code())
def folder(request, tmp_path_factory):
    yield tiny_families.write(request.param, tmp_path_factory.mktemp(request.param))
    free()
    gc.freeze()  # what this family has imported is passed over by the collections of the next


class Eager:
    """Eager attention on the very tensors that each layer was given, beside the capture."""

    def __init__(self, monkeypatch):
        self.blocks = {}
        take = Capture.take

        def also_eager(capture, module, query, key, value, mask, kwargs, output):
            if id(module) in capture._names:
                place = capture._names[id(module)]
                is_cut = capture.towers[place[0]].lengths is not None
                self.see(place, module, query, key, mask, kwargs, is_cut)
            return take(capture, module, query, key, value, mask, kwargs, output)

        monkeypatch.setattr(Capture, "take", also_eager)

    def see(self, place, module, query, key, mask, kwargs, is_cut):
        _, heads, n_queries, _ = query.shape
        n_keys = key.shape[2]
        causal = kwargs.get("is_causal")
        causal = getattr(module, "is_causal", True) if causal is None else causal
        if mask is None and causal and n_queries > 1:
            mask = torch.ones(n_queries, n_keys, dtype=torch.bool).tril()[None, None]
        if mask is not None and mask.dtype == torch.bool:
            mask = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
        eager = sys.modules[type(module).__module__].eager_attention_forward
        scaling = kwargs.get("scaling") or query.shape[-1] ** -0.5
        added = {name: kwargs[name] for name in ("position_bias", "sinks") if name in kwargs}
        weights = eager(module, query, key, key, mask, scaling=scaling, **added)[1]
        repeated = key.repeat_interleave(heads // key.shape[1], dim=1)
        largest = (query @ repeated.transpose(2, 3) * scaling).abs().max().item()
        for entry, block in enumerate(weights):
            n = None
            if is_cut and mask is not None:  # keys at the end that no query reads are padding
                seen = (mask[entry if len(mask) > 1 else 0, 0] == 0).any(dim=0)
                n = int(seen.nonzero().max()) + 1
            self.blocks.setdefault(place, []).append((block[:, :n, :n].numpy(), largest))

    def layers(self):
        """(tower, layer), what eager computes [heads, queries, keys], and how far from it a row may be."""
        for (tower, layer), blocks in self.blocks.items():
            shapes = np.array([block.shape[1:] for block, _ in blocks])
            whole = np.zeros((len(blocks[0][0]), *shapes.sum(axis=0)), np.float32)
            for (block, _), (row, col) in zip(blocks, np.cumsum(shapes, axis=0) - shapes, strict=True):
                whole[:, row : row + block.shape[1], col : col + block.shape[2]] = block
            yield (tower, layer), whole, 1e-6 + 2e-7 * max(largest for _, largest in blocks)


def plain_model(folder, dtype):
    """A model without capture: with SDPA, or where that leaves out what layers do to scores with our function."""
    model_type = json.loads((folder / "config.json").read_text())["model_type"]
    function = ATTENTION if model_type in ("got_ocr2", "hy_v4_vl", "inkling2") else "sdpa"
    return AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype, attn_implementation=function)


def has_learned(run, tower):
    return run.has_learned_sink("mean", tower)


def test_rows_and_columns_equal_eager_in_every_layer_of_every_tower(folder, tmp_path, monkeypatch):
    eager = Eager(monkeypatch)
    with extract(request(folder, model=str(folder)), tmp_path / "run") as run:
        places = {(tower, layer) for tower in run.towers() for layer in run.layers(tower)}
        shapes = read_config(str(folder))[1].towers(read_config(str(folder))[0])
        assert places == set(eager.blocks) == {(tower, layer) for tower in shapes for layer in shapes[tower].layers}
        peaked = {}
        for (tower, layer), weights, bound in eager.layers():
            where = f"layer {layer} of the {tower} tower"
            rows = own_part(run, layer, tower)
            queries, keys = run.queries_with_rows(tower), run.keys_with_columns(tower)
            assert rows.shape == weights.shape == (run.heads(tower), len(queries), len(keys)), where
            assert np.abs(rows - weights).max() <= bound, where
            assert rows[weights == 0].max(initial=0) == 0, f"{where}: nothing on hidden keys"
            assert np.abs(rows.sum(axis=-1) - (weights.sum(axis=-1) if has_learned(run, tower) else 1)).max() <= 1e-5
            for at in {0, len(queries) // 2, len(queries) - 1}:
                row = run.row(layer, queries[at], tower, "factors")[:, keys]
                assert np.abs(row - weights[:, at]).max() <= bound, where
            for at in {0, len(keys) // 3, len(keys) - 1}:
                column = run.column(layer, keys[at], tower)[:, queries]
                assert np.abs(column - weights[:, :, at]).max() <= bound, where
            for query in run.stored_positions(tower)[-3:]:
                stored = run.stored_row(layer, int(query), tower).astype(np.float32)[:, keys]
                assert np.abs(stored - weights[:, np.searchsorted(queries, query)]).max() <= 2.5e-4 + bound, where
            received = run.received(layer, tower)[:, keys]
            assert np.abs(received - weights.mean(axis=1)).max() <= 1e-5, where
            peaked.setdefault(tower, []).append((weights.max(axis=-1) > 0.9).mean())
        for tower, shares in peaked.items():
            assert np.mean(shares) >= 0.1, f"flat rows would hide errors: {tower}, {shares}"


def beside(run, query, tower):
    """The query that has a row in a tower and is next to this one."""
    own = run.queries_with_rows(tower)
    return int(own[np.abs(own - query).argmin()])


@one_of_each_kind
def test_the_folder_says_what_is_in_it(folder, tmp_path):
    extract(request(folder, model=str(folder)), tmp_path / "run").close()
    with open_run(tmp_path / "run") as run:
        query = run.info["prompt_tokens"] - 1
        for index, grid in enumerate(run.info["grids"]):
            cells = run.cells(index)
            assert cells.shape == (grid["rows"], grid["cols"])
            layer = run.layers(grid["tower"])[-1]
            shown = run.map(layer, "mean", beside(run, query, grid["tower"]), index, grid["tower"])
            assert shown.shape == cells.shape and shown.min() >= 0 and shown.sum() <= 1 + 1e-3
        for tower in run.towers():
            masses = run.masses(beside(run, query, tower), tower)
            groups = [group for group in run.info["groups"][tower] if group["name"] != "sink"]
            assert sum(stop - start for group in groups for start, stop in group["spans"]) == len(
                run.keys_with_columns(tower)
            )
            whole = masses[..., : len(groups)].sum(axis=-1)
            assert has_learned(run, tower) or np.abs(whole - 1).max() <= 1e-5
        pictured = [
            tower
            for tower in ("language", "cross", "resampler")
            if tower in run.towers() and run.score("image_mass", tower).any()
        ]
        assert pictured, "some tower's rows lie on the pictures"


@one_of_each_kind
def test_logits_and_answers_are_the_same_bits_with_and_without_capture(folder, tmp_path):
    check_bits(folder, torch.float32, tmp_path)


@one_of_each_kind
def test_logits_and_answers_are_the_same_bits_in_half_precision(folder, tmp_path):
    check_bits(folder, torch.bfloat16, tmp_path)


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param(name, marks=[] if name in WITH_LOGITS_TO_KEEP else pytest.mark.full)
        for name in tiny_families.all_types()
    ],
    indirect=True,
    scope="module",
)
def test_the_answers_log_probabilities_are_the_models_own(folder, tmp_path):
    """Some models give all logits, whichever were asked for."""
    loaded, seen = models.load(str(folder), "cpu"), {}
    hook = loaded.model.register_forward_pre_hook(lambda *given: seen.update(given[2]), with_kwargs=True)
    try:
        run = extract(request(folder), tmp_path / "run", model=loaded)
    finally:
        hook.remove()
    seen.pop("logits_to_keep")
    with torch.inference_mode(), attention_of(loaded.model):
        logits = loaded.model(**seen).logits[0].float().log_softmax(-1)
    ids = [token["id"] for token in run.info["tokens"]]
    first = run.info["prompt_tokens"]
    before = len(ids) - len(logits)  # those that an encoder reads
    expected = [float(logits[token - 1 - before, ids[token]]) for token in range(first, len(ids))]
    assert np.allclose(run.info["logprobs"], expected, atol=1e-4) and len(expected) > 2


def check_bits(folder, dtype, tmp_path):
    plain = plain_model(folder, dtype).eval()
    seen = {}

    def remember(module, args, kwargs, output):
        seen.update(inputs=kwargs, logits=output.logits)

    loaded = models.load(str(folder), "cpu", str(dtype).removeprefix("torch."))
    hook = loaded.model.register_forward_hook(remember, with_kwargs=True)
    try:
        extract(request(folder), tmp_path / "run", model=loaded).close()
    finally:
        hook.remove()
    inputs = seen["inputs"]
    with torch.inference_mode():
        assert torch.equal(seen["logits"], plain(**inputs).logits)
        for name in ("use_cache", "logits_to_keep"):
            inputs.pop(name)
        options = {"max_new_tokens": 5, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
        answers = [model.generate(**inputs, **options) for model in (plain, loaded.model)]
    assert torch.equal(answers[0].sequences, answers[1].sequences)
    assert all(torch.equal(a, b) for a, b in zip(answers[0].logits, answers[1].logits, strict=True))


@one_of_each_kind
def test_a_model_is_found_as_it_was_after_a_run_and_after_a_failure(folder, tmp_path, monkeypatch):
    model = plain_model(folder, torch.float32).train()
    with torch.no_grad():
        model(**tensors_of(model, folder))  # some families' own code leaves hooks of its own on the first pass
    before = state(model)
    extract(request(folder), tmp_path / "run", model=model).close()
    assert state(model) == before

    def fail(*_):
        raise RuntimeError("on the way")

    monkeypatch.setattr(Capture, "_keep", fail)
    with pytest.raises(RuntimeError, match="on the way"):
        extract(request(folder), tmp_path / "failed", model=model)
    assert state(model) == before
    assert not (tmp_path / "failed").exists() and not (tmp_path / "failed.partial").exists()


def tensors_of(model, folder):
    loaded = models.wrap(model)
    pictures = open_pictures(request(folder), Limits())
    return prepare(request(folder), pictures, loaded.family, loaded.processor, Limits()).inputs.tensors


def state(model):
    configs = {id(module.config): module.config for module in model.modules() if hasattr(module, "config")}.values()
    return {
        "functions": [getattr(config, "_attn_implementation", None) for config in configs],
        "hooks": [(len(module._forward_hooks), len(module._forward_pre_hooks)) for module in model.modules()],
        "training": [module.training for module in model.modules()],
        "weights": [(name, weight.sum().item(), weight.requires_grad) for name, weight in model.named_parameters()],
    }


def test_an_answer_that_holds_a_picture_is_refused(folder, tmp_path):
    loaded = models.load(str(folder), "cpu")
    config = loaded.model.config
    image = getattr(config, "image_token_id", None) or config.image_token_index
    answer = f"red {loaded.processor.tokenizer.decode([image])}"
    is_written = image < loaded.model.get_output_embeddings().weight.shape[0]
    for pictures in (request(folder).images, *([()] if not is_written else [])):
        with pytest.raises(InvalidRequest, match="stands for a part of a picture"):
            extract(
                dataclasses.replace(request(folder), answer=answer, images=pictures), tmp_path / "run", model=loaded
            )
    assert not any(tmp_path.iterdir())


def said(loaded, inputs):
    """The role of an answer's first words: of a template for thinking they are a thought."""
    return "thinking" if loaded.processor.tokenizer.decode(inputs.ids).endswith("<think>\n") else "answer"


def test_control_tokens_of_an_answer_are_no_words_of_it(folder):
    loaded = models.load(str(folder), "cpu")
    tokenizer, family = loaded.processor.tokenizer, loaded.family
    prepared = prepare(
        request(folder), [(each, []) for each in request(folder).images], family, loaded.processor, Limits()
    )
    control = family.control_tokens(tokenizer)  # of Florence-2 not the locations, which its tokenizer calls special
    added = [token for token, each in tokenizer.added_tokens_decoder.items() if each.special and token in control]
    extended = family.extend(loaded.processor, prepared.inputs, [*added, tokenizer.convert_tokens_to_ids("a")])
    assert extended.roles[len(prepared.inputs.roles) :] == ["special"] * len(added) + [said(loaded, prepared.inputs)]


@one_of_each_kind
def test_a_lora_on_it_captures_and_is_exact(folder, tmp_path, monkeypatch):
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    family = read_config(str(folder))[1]
    attention = {id(m) for layers in family.attention_modules(model).values() for m in layers.values()}
    targets = [
        f"{name}.{part}"
        for name, module in model.named_modules()
        if id(module) in attention
        for part, linear in module.named_modules()
        if isinstance(linear, torch.nn.Linear)
    ]
    torch.manual_seed(0)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=targets, init_lora_weights=False)).eval()
    eager = Eager(monkeypatch)
    with extract(request(folder), tmp_path / "adapted", model=adapted) as run:
        for (tower, layer), weights, bound in eager.layers():
            assert np.abs(own_part(run, layer, tower) - weights).max() <= bound, (tower, layer)
        eager.blocks.clear()
        with adapted.disable_adapter(), extract(request(folder), tmp_path / "base", model=adapted) as base:
            changed = [
                np.abs(own_part(run, layer, tower) - own_part(base, layer, tower)).max()
                for tower in run.towers()
                for layer in run.layers(tower)
            ]
    assert min(changed) > 1e-3, "the adapter is at work in every layer"


@one_of_each_kind
def test_maps_are_the_same_where_the_vision_tower_is_left_out(folder, tmp_path):
    check_maps(folder, tmp_path, 3)


@one_of_each_kind
def test_maps_of_a_single_picture_are_the_same_without_the_vision_tower(folder, tmp_path):
    check_maps(folder, tmp_path, 1)


def check_maps(folder, tmp_path, count):
    pictures = (coarse_noise(400, 150), coarse_noise(170, 330, 1), coarse_noise(200, 200, 2))[:count][
        : most_images(folder)
    ]

    def maps(vision):
        asked = Request(pictures, PROMPT, str(folder), answer=ANSWER, device="cpu", vision=vision)
        with extract(asked, tmp_path / f"vision {vision}") as run:
            check_run(run)
            assert RUN.validate_python(run.info) == run.info  # and nothing that is not in the schema
            towers = [tower for tower in ("language", "cross", "resampler") if tower in run.info["towers"]]
            return [
                (
                    grid["image"],
                    grid["box_px"],
                    run.map("mean", "mean", beside(run, run.info["prompt_tokens"], tower), index, tower=tower),
                )
                for index, grid in enumerate(run.info["grids"])
                for tower in towers
                if index in run.grids(tower)
            ]

    kept, left_out = maps(True), maps(False)
    assert {image for image, _, _ in kept} == set(range(count)[: most_images(folder)])
    for (image, box, values), (other, other_box, others) in zip(kept, left_out, strict=True):
        assert (image, box) == (other, other_box)
        np.testing.assert_array_equal(values, others)
