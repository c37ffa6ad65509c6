"""Forecasts of knock-outs: the gradient to every score, against autograd through eager attention."""

from contextlib import ExitStack, nullcontext
from dataclasses import replace

import numpy as np
import pytest
import tiny_families
import torch
from held_memory import HeldMemory
from pictures import coarse_noise
from PIL import Image
from safetensors.torch import load_file
from torch.overrides import TorchFunctionMode
from transformers import AttentionInterface, AttentionMaskInterface, AutoModelForImageTextToText
from transformers.masking_utils import sdpa_mask

from attention import Request, extract
from attention.capture.backward import Differentiable, gradients, tensors_of, value_of
from attention.capture.direct_attribution import attribute_directly
from attention.capture.knock_out_forecast import forecast_knock_outs
from attention.capture.plan import plan_towers
from attention.capture.reading_memory import reading_memory
from attention.environment import POCKET
from attention.errors import InvalidRequest, NotInRun, UnsupportedModel
from attention.limits import Limits
from attention.models import loading as models
from attention.models.hook import ATTENTION, attention_function
from attention.models.kept import free
from attention.readings.cost import cost_of_forecast
from attention.readings.forecast import open_forecast
from attention.readings.target import Target

PROMPT, ANSWER = "what is it?", "red and blue"


class Oracle:
    """Attention written out, score by score, which keeps every score of the graph to ask for its gradient."""

    def __init__(self):
        self.calls = []
        self.bias = {}  # {module: what is added to the scores of its first call}

    def __call__(self, module, query, key, value, attention_mask=None, **kwargs):
        mask = attention_mask
        scaling = kwargs.get("scaling") or query.shape[-1] ** -0.5
        n_groups = query.shape[1] // key.shape[1]
        keys, values = (each.repeat_interleave(n_groups, dim=1) for each in (key, value))
        scores = query @ keys.transpose(2, 3) * scaling
        cap = kwargs.get("softcap")
        if cap:
            scores = torch.tanh(scores / cap) * cap
        if kwargs.get("position_bias") is not None:
            scores = scores + kwargs["position_bias"]
        if module in self.bias:
            scores = scores + self.bias.pop(module)
        if not scores.requires_grad:
            scores = scores.detach().requires_grad_()
        scores.retain_grad()
        causal = kwargs.get("is_causal")
        causal = getattr(module, "is_causal", True) if causal is None else causal
        if mask is None and causal and query.shape[2] > 1:
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()[None, None]
        indices = kwargs.get("indices")
        if indices is not None:
            chosen = torch.zeros(*indices.shape[:2], key.shape[2], dtype=torch.bool).scatter_(-1, indices, True)
            mask = mask & chosen[:, None]
        hidden = None if mask is None else ~mask if mask.dtype == torch.bool else mask != 0
        seen = scores if hidden is None else scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
        sinks = kwargs.get("s_aux") if kwargs.get("sinks") is None else kwargs["sinks"]
        if sinks is not None:
            sinks = sinks[None, :, None, None] if sinks.dim() == 1 else sinks  # or of each query
            seen = torch.cat([seen, sinks.to(seen.dtype).expand(*seen.shape[:3], 1)], dim=-1)
        rows = torch.softmax(seen, dim=-1)
        rows = rows if sinks is None else rows[..., :-1]
        if hidden is not None:  # a query that sees no key reads nothing
            rows = rows * ~hidden.all(dim=-1, keepdim=True)
        self.calls.append((module, scores, rows.detach()))
        return (rows @ values).transpose(1, 2).contiguous(), None

    def layers(self, plans):
        """{(tower, layer): (dL/ds, rows)}, float64 [heads, queries, keys] each, blocks of calls on the diagonal."""
        names = {id(module): (tower, i) for tower, plan in plans.items() for i, (_, module) in plan.modules.items()}
        found = {}
        for module, scores, rows in self.calls:
            if id(module) in names:
                gradient = torch.zeros_like(scores) if scores.grad is None else scores.grad
                found.setdefault(names[id(module)], []).extend(zip(gradient, rows, strict=True))
        return {name: _diagonal(blocks, plans[name[0]].lengths) for name, blocks in found.items()}


def _diagonal(blocks, lengths):
    """Blocks one after the other on both axes, as far as they are no padding."""
    if lengths is not None:
        blocks = [[each[:, :n, :n] for each in block] for block, n in zip(blocks, lengths, strict=True)]
    parts = []
    for each in zip(*blocks, strict=True):
        heads = [torch.block_diag(*(block[head].double() for block in each)) for head in range(len(each[0]))]
        parts.append(torch.stack(heads).numpy())
    return parts


class InDouble(TorchFunctionMode):
    """Computes in float64 what a model of float64 weights would cast to float32 in between, as its norms do."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is torch.Tensor.float:
            return args[0].double()
        args = tuple(torch.float64 if each is torch.float32 else each for each in args)
        kwargs = {name: torch.float64 if each is torch.float32 else each for name, each in (kwargs or {}).items()}
        return function(*args, **kwargs)


oracle = None
AttentionInterface.register("oracle", lambda *given, **named: oracle(*given, **named))  # noqa: PLW0108 - that of now
AttentionMaskInterface.register("oracle", sdpa_mask)


class Case:
    """A run of a tiny model, its forecast, and what autograd says of every score, in float64 and in float32."""

    def __init__(self, folder, place):
        self.folder = folder
        pictures = (coarse_noise(400, 150), coarse_noise(170, 330, 1))
        asked = Request(images=pictures, prompt=PROMPT, answer=ANSWER, device="cpu", vision=True, model=str(folder))
        self.run = extract(asked, place)
        self.forecast = forecast_knock_outs(self.run, towers=self.run.towers(), model=models.load(str(folder), "cpu"))
        self.loaded = models.load(str(folder), "cpu")
        n = self.run.info["prompt_tokens"]
        self.ids = [token["id"] for token in self.run.info["tokens"]]
        shown = [Image.open(self.run.folder / image["file"]) for image in self.run.info["images"]]
        family = self.loaded.family
        prompt = family.prepare(self.loaded.processor, self.run.info["messages"], shown, None)
        self.inputs = family.extend(self.loaded.processor, prompt, self.ids[n:])
        of_first = [key for key in self.run.info["towers"]["vision"]["keys"] if key and self.image_of(key) == 0]
        self.first_picture = len(of_first)  # keys of the vision tower

    def image_of(self, key):
        return self.run.info["grids"][key["grid"]]["image"]

    def plans(self, model):
        return plan_towers(
            replace(self.loaded, model=model), self.inputs, self.run.info["prompt_tokens"], True, Limits()
        )

    def model(self, dtype):
        model = AutoModelForImageTextToText.from_pretrained(self.folder, dtype=dtype)
        model.set_experts_implementation("eager")  # by a loop: their kernels have no float64
        return model.eval().requires_grad_(False)

    def logits(self, model):
        """Logits of a pass through the model with whatever attention it has."""
        tensors = self.inputs.tensors
        dtype = next(model.parameters()).dtype
        tensors = {name: each.to(dtype) if each.is_floating_point() else each for name, each in tensors.items()}
        return model(**tensors, use_cache=False).logits[0]

    def target(self, model):
        first = self.run.info["prompt_tokens"]
        return value_of(self.forecast.target, self.logits(model)[first - 1 :], self.ids, first)

    def by_autograd(self, dtype):
        """L, and {(tower, layer): (dL/ds, rows)}."""
        global oracle
        oracle, model = Oracle(), self.model(dtype)
        with attention_function(model, "oracle"), InDouble() if dtype == torch.float64 else nullcontext():
            value = self.target(model)
        value.backward()
        return float(value.detach()), oracle.layers(self.plans(model))


KINDS = ("gemma4", "mllama", "qwen2_5_vl")  # padding and shared keys; cross-attention; windows


# Held to autograd in float32 alone: code that computes a part in float32 whatever its weights are, or by a kernel that
# has no float64. And not here: models without a vision tower of which a score could be nudged.
NO_DOUBLE = ("hy_v4_vl", "inkling2")
NO_VISION = ("gemma4_unified", "got_ocr2", "inkling_mm_model")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if name in KINDS else pytest.mark.full)
        for name in tiny_families.all_types()
        if name not in (*NO_DOUBLE, *NO_VISION, *tiny_families.IN_PARTS)
    ],
)
def case(request, tmp_path_factory):
    folder = tiny_families.write(request.param, tmp_path_factory.mktemp(request.param))
    yield Case(folder, tmp_path_factory.mktemp("runs") / "run")
    free()


@pytest.fixture(scope="module")
def exact(case):
    return case.by_autograd(torch.float64)


def test_the_formula_equals_autograd_in_float64(case, exact):
    model = case.model(torch.float64)
    with attention_function(model, ATTENTION), InDouble(), Differentiable(case.plans(model)) as passed:
        value = case.target(model)
        pulls = gradients(passed.passed, value)
    expected_value, expected = exact
    assert float(value.detach()) == pytest.approx(expected_value, abs=1e-9)
    found = {(tower, layer.index): layer for tower, layers in passed.passed.items() for layer in layers}
    assert set(found) == set(expected) and any(abs(gradient).max() > 0 for gradient, _ in expected.values())
    with InDouble():
        for name, (gradient, rows) in expected.items():
            kept = {each: tensor.numpy() for each, tensor in tensors_of(found[name], pulls).items()}
            pull = kept["pull"].reshape(len(kept["value"]), -1, kept["pull"].shape[-1])
            seen = (pull @ kept["value"].swapaxes(1, 2)).reshape(gradient.shape)
            assert (
                np.abs(rows * (seen - kept["pull_output"][..., None]) - gradient).max() <= 1e-9 * np.abs(gradient).max()
            )


def test_gradients_from_disk_are_as_exact_as_float32_is(case, exact):
    """Against float64, no further away than eager attention in float32 is, and from that 1e-5 of the largest."""
    (value, expected), (value_in_float32, in_float32) = exact, case.by_autograd(torch.float32)
    run, forecast = case.run, case.forecast
    assert forecast.info["value"] == pytest.approx(value, abs=1e-4 + 3 * abs(value_in_float32 - value))
    assert {(tower, layer) for tower in run.towers() for layer in forecast.layers(tower)} == set(expected)
    for (tower, layer), (gradient, _) in expected.items():
        rounding = np.abs(in_float32[tower, layer][0] - gradient).max()
        found = np.concatenate([part for _, part, _ in forecast._chunks(layer, tower)], axis=1)
        assert np.abs(found - gradient).max() <= 1e-5 * np.abs(gradient).max() + 3 * rounding, (tower, layer)
        for row in (0, run.queries(tower) - 1):
            alone = forecast.score_gradient(layer, row, tower)  # of a product of another shape, which rounds otherwise
            assert np.abs(alone - found[:, row]).max() <= 1e-6 * np.abs(found).max() + rounding / 10


def test_its_cost_is_known_before_to_the_byte_on_disk_and_from_above_in_memory(case, tmp_path):
    run, towers, model = case.run, case.run.towers(), case.loaded
    cost = cost_of_forecast(run, towers)
    with HeldMemory() as held:
        made = forecast_knock_outs(run, towers=towers, folder=tmp_path / "again", model=model)
    kept = [each for file in made.folder.rglob("*.safetensors") for each in load_file(file).values()]
    assert sum(each.nbytes for each in kept) == cost.n_bytes
    config = model.model.config
    expected = reading_memory(run, cost, config, model.family.towers(config), model.model.dtype.itemsize)
    assert held.peak <= expected <= 6 * held.peak


@pytest.mark.full
@pytest.mark.parametrize("kind", NO_DOUBLE)
def test_the_formula_equals_autograd_in_float32(kind, tmp_path):
    """As far as float32 goes; biases by position and sinks of each query too."""
    case = Case(tiny_families.write(kind, tmp_path / "model"), tmp_path / "run")
    value, expected = case.by_autograd(torch.float32)
    assert case.forecast.info["value"] == pytest.approx(value, abs=1e-3)
    for (tower, layer), (gradient, _) in expected.items():
        found = np.concatenate([part for _, part, _ in case.forecast._chunks(layer, tower)], axis=1)
        assert np.abs(found - gradient).max() <= 5e-3 * np.abs(gradient).max() > 0, (tower, layer)
    free()


@pytest.fixture(scope="module")
def pocket(tmp_path_factory):
    case = Case(POCKET, tmp_path_factory.mktemp("runs") / "run")
    yield case
    free()


def test_a_key_read_a_little_less_changes_the_target_as_the_forecast_says(pocket):
    """Central differences of a bias on one key in one head, in float64: minus the sum over rows of dL/ds."""
    global oracle
    _, expected = pocket.by_autograd(torch.float64)
    oracle, model = Oracle(), pocket.model(torch.float64)
    step = 1e-4
    for tower, layer, head, key in (("language", 3, 1, 30), ("language", 0, 2, 5), ("vision", 1, 0, 17)):
        module = pocket.plans(model)[tower].modules[layer][1]
        values = []
        for sign in (-1, 1):
            bias = torch.zeros(pocket.run.heads(tower), 1, pocket.run.keys(tower), dtype=torch.float64)
            bias[head, 0, key] = sign * step
            oracle.bias = {module: bias if tower == "language" else bias[..., : pocket.first_picture]}
            with attention_function(model, "oracle"), InDouble(), torch.no_grad():
                values.append(float(pocket.target(model)))
        slope = (values[1] - values[0]) / (2 * step)
        exact = expected[tower, layer][0][head, :, key].sum()
        assert slope == pytest.approx(exact, rel=1e-6)
        largest = float(np.abs(pocket.forecast.keys(layer, tower)).max())
        assert pocket.forecast.keys(layer, tower)[head, key] == pytest.approx(-exact, abs=1e-4 * largest)


def test_sums_that_hold_by_definition(pocket):
    run, forecast = pocket.run, pocket.forecast
    for tower in run.towers():
        for layer in forecast.layers(tower):
            data = forecast._read(layer, tower)
            for _, gradient, _ in forecast._chunks(layer, tower):
                assert np.abs(gradient.sum(axis=-1)).max() <= 1e-6 * np.abs(gradient).sum(axis=-1).max()
            row = run.queries(tower) - 1
            total = forecast.gradient_times_attention(layer, row, tower).sum(axis=-1)
            assert np.allclose(total, data["pull_output"][:, row], atol=1e-5 * np.abs(data["pull_output"]).max())
            everything = forecast.silenced("zero", tower)[forecast.layers(tower).index(layer)]
            assert np.allclose(
                everything, -data["pull_output"].sum(axis=1), atol=1e-5 * np.abs(everything).max() + 1e-9
            )


def test_a_head_at_its_mean_gives_what_its_outputs_are_away_from_it(pocket):
    """Outputs written out: rows of weights times values, of each head, and their mean over all rows."""
    run, forecast = pocket.run, pocket.forecast
    for tower in run.towers():
        found = forecast.silenced("mean", tower)
        for index, layer in enumerate(forecast.layers(tower)):
            data = {name: each.astype(np.float64) for name, each in forecast._read(layer, tower).items()}
            values = data["value"].repeat(run.heads(tower) // len(data["value"]), axis=0)
            outputs = np.einsum("hqk,hkd->hqd", run.dense(layer, tower), values)
            assert np.allclose((data["pull"] * outputs).sum(-1), data["pull_output"], atol=1e-4)
            away = (data["pull"] * (outputs.mean(axis=1, keepdims=True) - outputs)).sum(axis=(1, 2))
            assert np.allclose(found[index], away, atol=1e-4 * np.abs(data["pull_output"]).sum(axis=1).max())
            assert tower == "vision" or np.abs(away).max() > 1e-4
    with pytest.raises(NotInRun, match="zero or by its mean, not by 'noise'"):
        forecast.silenced("noise")


def test_a_region_that_holds_all_of_a_rows_mass_takes_its_whole_output(pocket):
    """A head all of whose keys are hidden is a head silenced by zero; one of which nothing is hidden is untouched."""
    run, forecast = pocket.run, pocket.forecast
    vision = forecast.knock_out(range(run.keys("vision")), "vision")
    assert np.allclose(vision, 0)  # no row is outside of the region
    layer = forecast.layers()[-1]
    last = run.queries() - 2
    data = forecast._read(layer, "language")
    _, gradient, rows = next(forecast._chunks(layer, "language", last, last + 1))
    for keys in (range(last), [3, 4, 5]):
        inside = np.isin(np.arange(run.keys()), list(keys))
        left = rows[:, 0, ~inside].sum(axis=1)
        seen = rows[:, 0] * (data["pull"][:, last, None] * data["value"][np.arange(4) // 2]).sum(axis=-1)
        after = seen[:, ~inside].sum(axis=1) / left
        change = after - data["pull_output"][:, last]
        assert np.allclose(-gradient[:, 0, inside].sum(axis=1) / left, change, atol=1e-4 * np.abs(change).max() + 1e-7)


def test_the_pass_keeps_the_models_numbers_and_grows_with_tokens_alone(pocket):
    run, forecast = pocket.run, pocket.forecast
    assert forecast.info["value"] == pytest.approx(sum(run.info["logprobs"]), abs=1e-5)
    assert forecast.info["difference"] == 0
    for tower in run.towers():
        values = sum(each.size for each in forecast._read(forecast.layers(tower)[0], tower).values())
        assert values <= (run.queries(tower) + run.keys(tower)) * run.heads(tower) * 40


def test_one_token_against_another_is_the_difference_of_their_logits(pocket):
    run = pocket.run
    token = run.info["prompt_tokens"]
    model = models.load(str(POCKET), "cpu")
    itself = forecast_knock_outs(run, token, against=pocket.ids[token], model=model)
    assert itself.info["value"] == 0 and np.abs(itself.keys(2)).max() == 0
    other = forecast_knock_outs(run, token, against=5, model=model)
    back = open_forecast(run, Target((token,), 5))
    assert other.info == back.info and other.info["value"] != 0
    with pytest.raises(InvalidRequest, match="vocabulary has"):
        forecast_knock_outs(run, token, against=10**6, model=model)


def test_the_parts_of_a_logit_sum_to_it(pocket):
    """Cells sum to heads, and heads, MLPs and embedding to the logit."""
    run = pocket.run
    direct = attribute_directly(run, run.info["prompt_tokens"], model=models.load(str(POCKET), "cpu"))
    budget, heads = direct.budget, direct.heads()
    whole = budget["embedding"] + sum(budget["others"].values()) + heads.sum()
    cells = sum(float(direct.cells(layer)[:, run.pictures("language")[0]].sum()) for layer in direct.layers())
    assert budget["image"] == pytest.approx(cells, abs=1e-4)
    layer, head = (budget["strongest"][0][name] for name in ("layer", "head"))
    assert heads[direct.layers().index(layer), head] == pytest.approx(budget["strongest"][0]["added"], abs=1e-6)
    assert abs(heads).max() == pytest.approx(abs(budget["strongest"][0]["added"]), abs=1e-6)
    assert whole == pytest.approx(budget["logit"], abs=1e-5 * float(np.abs(heads).sum() + 1))
    logits = pocket.logits(models.load(str(POCKET), "cpu").model)[run.info["prompt_tokens"] - 1]
    assert budget["logit"] == pytest.approx(float(logits[pocket.ids[run.info["prompt_tokens"]]]), abs=1e-4)
    for index, layer in enumerate(direct.layers()):
        cells = direct.cells(layer)
        assert np.allclose(cells.sum(axis=-1), heads[index], atol=1e-5 * np.abs(heads).max())
        assert not cells[:, run.info["prompt_tokens"] :].any()  # keys after the row that predicts


def test_a_head_without_an_output_adds_nothing_and_pulls_nothing(pocket, tmp_path):
    loaded = models.load(str(POCKET), "cpu")
    module = loaded.family.attention_modules(loaded.model)["language"][2]
    before = module.o_proj.weight.detach().clone()
    width = module.head_dim
    try:
        with torch.no_grad():
            module.o_proj.weight[:, width : 2 * width] = 0
        run = extract(PROMPT, tmp_path / "run", model=loaded, images=coarse_noise(96, 96), answer=ANSWER, vision=False)
        forecast, direct = forecast_knock_outs(run, model=loaded), attribute_directly(run, model=loaded)
    finally:
        module.o_proj.weight.data.copy_(before)
    assert not forecast.keys(2)[1].any() and not forecast._read(2, "language")["pull"][1].any()
    assert not direct.cells(2)[1].any() and forecast.keys(2)[0].any() and direct.cells(2)[0].any()


def of_family(name, place):
    """A run of a tiny model, and the model."""
    folder = tiny_families.write(name, place / "model")
    asked = Request(coarse_noise(96, 96), PROMPT, str(folder), answer=ANSWER, vision=False, device="cpu")
    return extract(asked, place / "run"), models.load(str(folder), "cpu")


def test_layers_of_gemma_4_scale_what_earlier_ones_added(tmp_path, monkeypatch):
    """Heads by hand: through their norm, the scales of all layers after, the final norm, the head and its cap."""
    run, loaded = of_family("gemma4", tmp_path)
    text, row = loaded.model.model.language_model, run.info["prompt_tokens"] - 1
    cap, outputs, norms = 0.5, {}, {}
    monkeypatch.setattr(loaded.model.config.get_text_config(), "final_logit_softcapping", cap)
    scales = [0.5, 2.0, 1.5, 0.25, 3.0, 0.8]
    with ExitStack() as hooks:
        for index, (layer, scale) in enumerate(zip(text.layers, scales, strict=True)):
            monkeypatch.setitem(layer._buffers, "layer_scalar", torch.tensor([scale]))
            keep = lambda module, given, index=index: outputs.__setitem__(index, given[0][0, row])  # noqa: E731
            hooks.callback(layer.self_attn.o_proj.register_forward_pre_hook(keep).remove)
        for index, norm in enumerate([*(layer.post_attention_layernorm for layer in text.layers), text.norm]):
            keep = lambda module, given, index=index: norms.__setitem__(index, given[0][0, row])  # noqa: E731
            hooks.callback(norm.register_forward_pre_hook(keep).remove)
        picture = coarse_noise(96, 96)
        run = extract(PROMPT, tmp_path / "scaled", model=loaded, images=picture, answer=ANSWER, vision=False)
        direct = attribute_directly(run, row + 1, model=loaded)
    root = lambda at: (norms[at].pow(2).mean() + text.config.rms_norm_eps).rsqrt()  # noqa: E731
    token = loaded.model.lm_head.weight[run.info["tokens"][row + 1]["id"]] * text.norm.weight * root(len(text.layers))
    logit = direct.budget["logit"]
    token = token * (logit / (cap * np.arctanh(logit / cap)))
    assert abs(logit) < cap and abs(direct.budget["rest"]) <= 1e-5 * np.abs(direct.heads()).sum()
    for index, layer in enumerate(text.layers):
        heads = torch.zeros(run.heads(), len(outputs[index]))
        for head, part in enumerate(outputs[index].chunk(run.heads())):
            heads[head, head * len(part) : (head + 1) * len(part)] = part
        added = layer.self_attn.o_proj(heads) * layer.post_attention_layernorm.weight * root(index)
        expected = (added @ token * np.prod(scales[index:])).detach().numpy()
        found = direct.heads()[index]
        assert np.allclose(found, expected, rtol=1e-4, atol=1e-6) and np.abs(found).max() > 1e-6, index


@pytest.mark.sample(1)
@pytest.mark.parametrize("name", ["hy_v4_vl", "qwen4_exp", "gemma4_unified"])
def test_streams_and_caps_are_frozen_and_the_parts_sum_to_the_logit(tmp_path, name):
    run, loaded = of_family(name, tmp_path)
    direct = attribute_directly(run, model=loaded)
    budget, others = direct.budget, direct.budget["others"].values()
    sizes = float(np.abs(direct.heads()).sum()) + sum(map(abs, others))
    assert abs(budget["rest"]) <= 1e-5 * sizes and np.abs(direct.heads()).min(axis=1).all()
    assert sum(others) + direct.heads().sum() + budget["embedding"] == pytest.approx(budget["logit"], abs=1e-5 * sizes)


def test_a_model_whose_layers_do_more_than_add_is_refused(pocket, tmp_path, monkeypatch):
    monkeypatch.setattr("attention.capture.direct_path.Frozen", nullcontext)  # norms are no scale then
    with pytest.raises(UnsupportedModel, match="do more than add to each other"):
        attribute_directly(pocket.run, model=models.load(str(POCKET), "cpu"), folder=tmp_path / "direct")


@pytest.mark.full
@pytest.mark.parametrize("name", ["inkling2", "inkling_mm_model"])
def test_heads_whose_output_goes_through_a_convolution_have_no_part_of_their_own(tmp_path, name):
    run, loaded = of_family(name, tmp_path)
    with pytest.raises(UnsupportedModel, match="such as a convolution over tokens, before it is added"):
        attribute_directly(run, model=loaded)
    assert not list((tmp_path / "run.readings").iterdir())
