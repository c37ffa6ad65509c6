"""The captured attention is the model's own: exact, complete, and without any effect on the model."""

import shutil
import threading

import numpy as np
import pytest
import torch
from pictures import coarse_noise
from safetensors import safe_open
from tiny import qwen3_vl_folder, sharpen
from transformers import AutoModelForImageTextToText
from transformers.models.qwen3_vl import modeling_qwen3_vl

from attention import Request, extract, open_run
from attention.capture.images import open_pictures
from attention.capture.inputs import prepare
from attention.capture.plan import TowerPlan
from attention.capture.recorder import Capture
from attention.environment import POCKET
from attention.errors import CaptureError
from attention.limits import Limits
from attention.models import loading as models
from attention.models.hook import ATTENTION, attention_of

HEADS = [(6, 2), (4, 4), (8, 1)]
DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.fixture(scope="module", params=["pocket", *HEADS], ids=str)
def sharp_folder(request, tmp_path_factory):
    """The bundled model and tiny random ones, sharpened: flat rows would hide errors."""
    folder = tmp_path_factory.mktemp("model")
    if request.param == "pocket":
        shutil.copytree(POCKET, folder, dirs_exist_ok=True)
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
        # its scores are large already: more, and sums in another order differ
        sharpen(model.model.language_model, 2.2)
        sharpen(model.model.visual, 0.36)
        model.save_pretrained(folder)
        return folder
    heads, kv_heads = request.param
    return qwen3_vl_folder(folder, heads=heads, kv_heads=kv_heads, layers=3, sharpness=2.4)


@pytest.fixture(scope="module", params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(scope="module")
def run_and_tensors(sharp_folder, device, tmp_path_factory):
    """A run on two pictures with a forced answer, and the tensors that its forward pass was given."""
    request = Request(
        images=(coarse_noise(300, 200), coarse_noise(180, 260, 1)),
        prompt="what color is the star?",
        model=str(sharp_folder),
        answer="red and blue",
        device=device,
    )
    run = extract(request, tmp_path_factory.mktemp("runs") / "run")
    loaded = models.load(str(sharp_folder), device)
    prepared = prepare(request, open_pictures(request, Limits()), loaded.family, loaded.processor, Limits())
    answer = [token["id"] for token in run.info["tokens"][run.info["prompt_tokens"] :]]
    tensors = loaded.family.extend(loaded.processor, prepared.inputs, answer).tensors
    yield run, {name: tensor.to(device) for name, tensor in tensors.items()}
    run.close()


def eager_attention(folder, tensors, monkeypatch, dtype=torch.float32):
    """Rows of eager attention in every layer of an untouched model: {tower: [[heads, queries, keys], ...]}."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
    model.to(tensors["input_ids"].device)
    eager, seen = modeling_qwen3_vl.eager_attention_forward, {}

    def record(module, *args, **kwargs):
        output, weights = eager(module, *args, **kwargs)
        seen.setdefault(id(module), []).append(weights[0].cpu().numpy())
        return output, weights

    monkeypatch.setattr(modeling_qwen3_vl, "eager_attention_forward", record)
    with torch.inference_mode():
        model(**tensors, use_cache=False)
    towers = {
        "language": [layer.self_attn for layer in model.model.language_model.layers],
        "vision": [block.attn for block in model.model.visual.blocks],
    }
    return {
        name: [block_diagonal(seen[id(module)]) for module in modules if id(module) in seen]
        for name, modules in towers.items()
    }


def block_diagonal(blocks):
    """[heads, n, n] blocks, one a picture, on the diagonal of one [heads, keys, keys]."""
    n = sum(block.shape[-1] for block in blocks)
    whole, start = np.zeros((len(blocks[0]), n, n), np.float32), 0
    for block in blocks:
        stop = start + block.shape[-1]
        whole[:, start:stop, start:stop] = block
        start = stop
    return whole


@pytest.mark.sample(4)
@pytest.mark.parametrize("tower", ["language", "vision"])
def test_every_row_equals_eager_in_every_layer(run_and_tensors, sharp_folder, tower, monkeypatch):
    """1e-4 covers two models whose sums were taken in different orders, layer after layer; a later test is closer."""
    run, tensors = run_and_tensors
    expected = eager_attention(sharp_folder, tensors, monkeypatch)[tower]
    assert run.layers(tower) == list(range(len(expected)))
    peaked = np.mean([(weights.max(axis=-1) > 0.9).mean() for weights in expected])
    assert peaked >= 0.1, "flat rows would hide errors"
    for layer, weights in enumerate(expected):
        rows = run.dense(layer, tower)
        large = weights > 1e-3
        assert np.abs(rows - weights).max() <= 1e-4
        assert (np.abs(rows - weights)[large] / weights[large]).max() <= 1e-4


def test_stored_rows_are_within_float16_of_eager(run_and_tensors, sharp_folder, monkeypatch):
    run, tensors = run_and_tensors
    expected = eager_attention(sharp_folder, tensors, monkeypatch)["language"]
    assert list(run.stored_positions()) == list(range(run.keys()))
    for layer, weights in enumerate(expected):
        stored = np.stack([run.stored_row(layer, query) for query in range(run.keys())], axis=1).astype(np.float32)
        large = weights > 1e-3
        assert np.abs(stored - weights).max() <= 6e-4
        assert (np.abs(stored - weights)[large] / weights[large]).max() <= 6e-4


@pytest.mark.sample(2)
def test_rows_equal_eager_on_the_same_queries_and_keys_to_the_promised_bound(
    sharp_folder, device, tmp_path, monkeypatch
):
    """Eager on the very tensors that the layer was given: 1e-6 + 2e-7 x the layer's largest score."""
    seen = {}
    take = Capture.take

    def also_eager(self, module, query, key, value, mask, kwargs, output):
        n = query.shape[2]
        if mask is None and module.is_causal:
            future = torch.ones(n, n, dtype=torch.bool, device=query.device).triu(1)
            mask = torch.zeros(n, n, device=query.device).masked_fill(future, float("-inf"))[None, None]
        weights = modeling_qwen3_vl.eager_attention_forward(module, query, key, key, mask, kwargs["scaling"])[1]
        repeated = key[0].repeat_interleave(query.shape[1] // key.shape[1], dim=0)
        largest = (query[0] @ repeated.transpose(1, 2) * kwargs["scaling"]).abs().max().item()
        tower, layer = self._names[id(module)]
        seen.setdefault((tower, layer), []).append((weights[0].cpu().numpy(), largest))
        mask = mask if mask is not None and not module.is_causal else None
        return take(self, module, query, key, value, mask, kwargs, output)

    monkeypatch.setattr(Capture, "take", also_eager)
    request = Request(
        images=(coarse_noise(200, 140), coarse_noise(96, 200, 1)),
        prompt="is there a red star?",
        model=str(sharp_folder),
        device=device,
    )
    with extract(request, tmp_path / "run") as run:
        assert len(seen) == len(run.layers("language")) + len(run.layers("vision"))
        for (tower, layer), parts in seen.items():
            weights = block_diagonal([part for part, _ in parts])
            bound = 1e-6 + 2e-7 * max(largest for _, largest in parts)
            assert np.abs(run.dense(layer, tower) - weights).max() <= bound
            columns = np.stack([run.column(layer, key, tower) for key in range(run.keys(tower))], axis=-1)
            assert np.abs(columns - weights).max() <= 2 * bound  # one product with many queries: a third order of sums
            rows = np.stack([run.row(layer, query, tower, "factors") for query in range(run.keys(tower))], axis=1)
            assert np.abs(rows - weights).max() <= bound


@pytest.mark.sample(2)
def test_rows_of_a_bfloat16_model_equal_a_float64_softmax_of_its_own_factors(sharp_folder, device, tmp_path):
    request = Request(
        images=(coarse_noise(200, 140),),
        prompt="what shape is red?",
        model=str(sharp_folder),
        dtype="bfloat16",
        device=device,
    )
    with extract(request, tmp_path / "run") as run:
        for tower in ("language", "vision"):
            for layer in run.layers(tower):
                with safe_open(run.layer_file(layer, tower), "pt") as file:
                    query, key = file.get_tensor("query"), file.get_tensor("key")
                    scaling = float(file.metadata()["scaling"])
                assert query.dtype == key.dtype == torch.bfloat16
                scores = (
                    query.double() @ key.double().repeat_interleave(len(query) // len(key), 0).transpose(1, 2) * scaling
                )
                bound = 1e-6 + 2e-7 * scores.abs().max().item()
                if tower == "language":
                    scores.masked_fill_(torch.ones(scores.shape[1:], dtype=torch.bool).triu(1), float("-inf"))
                assert np.abs(run.dense(layer, tower) - scores.softmax(-1).numpy()).max() <= bound


def test_rows_sum_to_one_and_never_read_the_future(run_and_tensors):
    run, _ = run_and_tensors
    for layer in run.layers():
        rows = run.dense(layer)
        assert np.abs(rows.sum(axis=-1) - 1).max() <= 1e-5
        assert rows[:, np.triu_indices(run.keys(), 1)[0], np.triu_indices(run.keys(), 1)[1]].max() == 0
        stored = np.stack([run.stored_row(layer, query) for query in range(run.keys())]).astype(np.float32)
        assert np.abs(stored.sum(axis=-1) - 1).max() <= 3e-3


def test_patches_of_one_picture_never_read_another(run_and_tensors):
    run, _ = run_and_tensors
    first = run.cells(2).size
    for layer in run.layers("vision"):
        rows = run.dense(layer, "vision")
        assert np.abs(rows.sum(axis=-1) - 1).max() <= 1e-5
        assert rows[:, :first, first:].max() == 0 == rows[:, first:, :first].max()


@pytest.mark.sample(4)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_and_answers_are_the_same_bits_with_and_without_capture(
    run_and_tensors, sharp_folder, device, tmp_path, dtype
):
    _, tensors = run_and_tensors
    plain = (
        AutoModelForImageTextToText.from_pretrained(sharp_folder, dtype=dtype, attn_implementation="sdpa")
        .eval()
        .to(device)
    )
    ours = (
        AutoModelForImageTextToText.from_pretrained(sharp_folder, dtype=dtype, attn_implementation=ATTENTION)
        .eval()
        .to(device)
    )
    plans = {"language": plan_of(ours, tensors)}
    with torch.inference_mode():
        expected = plain(**tensors, use_cache=False).logits
        assert torch.equal(ours(**tensors, use_cache=False).logits, expected)
        with Capture(tmp_path, plans):
            assert torch.equal(ours(**tensors, use_cache=False).logits, expected)
        options = {"max_new_tokens": 12, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
        answers = [model.generate(**tensors, **options) for model in (plain, ours)]
    assert torch.equal(answers[0].sequences, answers[1].sequences)
    assert all(torch.equal(a, b) for a, b in zip(answers[0].logits, answers[1].logits, strict=True))


def plan_of(model, tensors):
    modules = {i: (f"layers.{i}", layer.self_attn) for i, layer in enumerate(model.model.language_model.layers)}
    n = tensors["input_ids"].shape[1]
    return TowerPlan(modules, n, rows=torch.arange(n), stores_all_rows=True)


def test_left_padding_is_hidden_and_the_rest_equals_the_run_without_it(sharp_folder, tmp_path, monkeypatch):
    model = AutoModelForImageTextToText.from_pretrained(
        sharp_folder, dtype=torch.float32, attn_implementation=ATTENTION
    ).eval()
    ids = torch.randint(0, 200, (1, 14), generator=torch.Generator().manual_seed(0))
    pad = 5
    padded = {
        "input_ids": torch.cat([torch.full((1, pad), model.config.text_config.pad_token_id or 0), ids], dim=1),
        "attention_mask": torch.tensor([[0] * pad + [1] * 14]),
    }
    bare = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    rows = {}
    for name, tensors in {"bare": bare, "padded": padded}.items():
        folder = tmp_path / name
        folder.mkdir()
        with torch.inference_mode(), Capture(folder, {"language": plan_of(model, tensors)}) as capture:
            model(**tensors, use_cache=False)
        rows[name] = as_run(folder, capture, tensors["input_ids"].shape[1])
    expected = eager_attention(sharp_folder, padded, monkeypatch)["language"]
    for layer in rows["bare"].layers():
        bare_rows, padded_rows = rows["bare"].dense(layer), rows["padded"].dense(layer)
        assert padded_rows[:, :, :pad].max() == 0
        assert np.abs(padded_rows[:, pad:, pad:] - bare_rows).max() <= 1e-4
        assert np.abs(padded_rows[:, pad:] - expected[layer][:, pad:]).max() <= 1e-4
        assert np.abs(padded_rows[:, pad:].sum(axis=-1) - 1).max() <= 1e-5
        assert padded_rows[:, :pad].max() == 0, "a row that sees nothing reads nothing"
        for key in (0, pad, pad + 3):
            assert np.abs(rows["padded"].column(layer, key) - padded_rows[:, :, key]).max() <= 1e-5


def as_run(folder, capture, n):
    """The smallest run.json around captured layers."""
    import json

    layers = [capture.layers["language"][i] for i in sorted(capture.layers["language"])]
    heads = next(iter(capture.towers["language"].modules.values()))[1].config.num_attention_heads
    towers = {"language": {"heads": heads, "keys": n, "layers": layers}}
    (folder / "run.json").write_text(
        json.dumps({"format": 1, "model": {"id": "x"}, "tokens": [], "grids": [], "towers": towers})
    )
    return open_run(folder)


def test_a_model_of_the_caller_is_found_as_it_was(sharp_folder, tmp_path):
    model = AutoModelForImageTextToText.from_pretrained(sharp_folder, dtype=torch.float32, attn_implementation="sdpa")
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    request = Request(images=(coarse_noise(96, 64),), prompt="is there a red star?", device="cpu")
    with extract(request, tmp_path / "run", model=model) as run:
        assert run.info["model"]["id"] == str(sharp_folder)
    with pytest.raises(RuntimeError, match="inside"), attention_of(model):
        assert model.config.text_config._attn_implementation == ATTENTION
        assert not model.training
        raise RuntimeError("inside")
    names = {
        config._attn_implementation for config in (model.config, model.config.text_config, model.config.vision_config)
    }
    assert names == {"sdpa"}
    assert model.training and model.model.visual.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_two_captures_in_two_threads_do_not_meet(sharp_folder, tmp_path):
    model = AutoModelForImageTextToText.from_pretrained(
        sharp_folder, dtype=torch.float32, attn_implementation=ATTENTION
    ).eval()
    inputs = [torch.randint(0, 200, (1, n), generator=torch.Generator().manual_seed(n)) for n in (9, 17)]
    folders = [tmp_path / str(ids.shape[1]) for ids in inputs]
    barrier, errors = threading.Barrier(2), []

    def work(ids, folder):
        try:
            folder.mkdir()
            with torch.inference_mode(), Capture(folder, {"language": plan_of(model, {"input_ids": ids})}):
                barrier.wait(60)
                model(input_ids=ids, use_cache=False)
                barrier.wait(60)
        except BaseException as error:  # noqa: BLE001 - looked at below
            errors.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(inputs, folders, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for ids, folder in zip(inputs, folders, strict=True):
        with safe_open(folder / "language" / "layer_00.safetensors", "pt") as file:
            assert file.get_slice("query").get_shape()[1] == ids.shape[1]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda q, k: (q.repeat(2, 1, 1, 1), k.repeat(2, 1, 1, 1), k, None, {}), "2 sequences"),
        (lambda q, k: (q[:, :, -1:], k, k, None, {}), "key-value cache"),
        (lambda q, k: (q, k, k, None, {"position_bias": torch.zeros(1)}), "position_bias"),
        (lambda q, k: (q, k, k, torch.rand(1, 1, 6, 6), {}), "more than a mask"),
        (lambda q, k: (q[:, :, :4], k[:, :, :4], k[:, :, :4], None, {}), "4 keys and 4 queries where 6 and 6"),
        (lambda q, k: (q, k, k, torch.full((1, 1, 6, 6), -1e30), {}), "hides every key"),
    ],
)
def test_what_would_not_be_exact_is_refused_by_name(tmp_path, call, reason):
    module = torch.nn.Identity()
    module.is_causal = True
    query, key = torch.randn(1, 4, 6, 8), torch.randn(1, 2, 6, 8)
    with (
        pytest.raises(CaptureError, match=reason),
        Capture(tmp_path, {"language": TowerPlan({0: ("attn", module)}, 6)}) as capture,
    ):
        capture.take(module, *call(query, key))


@pytest.mark.parametrize("lengths", [[6], [6, 8]])
def test_blocks_that_are_more_or_shorter_than_was_said_are_refused(tmp_path, lengths):
    module = torch.nn.Identity()
    module.is_causal = False
    query, key = torch.randn(2, 4, 6, 8), torch.randn(2, 2, 6, 8)
    plan = TowerPlan({0: ("attn", module)}, sum(lengths), has_blocks=True, lengths=lengths)
    with (
        pytest.raises(CaptureError, match=r"2 blocks of 6 keys where blocks of \[6"),
        Capture(tmp_path, {"vision": plan}) as capture,
    ):
        capture.take(module, query, key, key, torch.ones(2, 1, 6, 6, dtype=torch.bool), {})


@pytest.mark.parametrize(("length", "found"), [(0.05, [2]), (3.0, [])])
def test_a_planted_sink_is_found_where_its_value_is_short(tmp_path, length, found):
    """Key 2 has what all queries have in common; 20 cells, then a row before the question and 17 of words."""
    module = torch.nn.Identity()
    module.is_causal = True
    generator = torch.Generator().manual_seed(4)
    query, key = torch.randn(1, 4, 40, 8, generator=generator), torch.randn(1, 2, 40, 8, generator=generator) * 0.4
    value = torch.randn(1, 2, 40, 8, generator=generator)
    query[..., 0] += 3
    key[:, :, 2] = 0
    key[:, :, 2, 0] = 3
    value[:, :, 2] *= length
    plan = TowerPlan(
        {0: ("attn", module)},
        40,
        rows=torch.tensor([39]),
        cells=torch.arange(2, 22),
        grid_sizes=[(4, 5)],
        sink_rows=torch.arange(22, 40),
        sink_rows_before=1,
        spatial_from=39,
    )
    with Capture(tmp_path, {"language": plan}) as capture:
        capture.take(module, query, key, value, None, {})
    assert capture.sinks == {"language": {"0": found}}


def test_a_layer_that_does_not_come_by_is_missed(tmp_path):
    with (
        pytest.raises(CaptureError, match=r"Layers \[0\] .* did not pass"),
        Capture(tmp_path, {"language": TowerPlan({0: ("attn", torch.nn.Identity())}, 6)}),
    ):
        pass


def test_a_full_disk_is_said_in_words(tmp_path, monkeypatch):
    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("attention.capture.layer_writer.save_file", no_space)
    module = torch.nn.Identity()
    with (
        pytest.raises(CaptureError, match="The disk is full: a file could not be written"),
        Capture(tmp_path, {"language": TowerPlan({0: ("attn", module)}, 6)}) as capture,
    ):
        capture.take(module, torch.randn(1, 4, 6, 8), *torch.randn(2, 1, 2, 6, 8), None, {})
    assert not [thread for thread in threading.enumerate() if thread.name == "layer writer"]


def test_what_every_patch_receives_is_the_mean_of_the_rows(run_and_tensors):
    run, _ = run_and_tensors
    for layer in run.layers("vision"):
        assert np.abs(run.received(layer, "vision") - run.dense(layer, "vision").mean(axis=1)).max() <= 1e-6
