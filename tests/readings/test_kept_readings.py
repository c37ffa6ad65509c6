"""Readings that are opened, damaged, stopped or made of borrowed models; and their formulas where rows are extreme."""

import contextlib
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from attention import Request, extract
from attention.capture import knock_out_forecast
from attention.capture.direct_attribution import attribute_directly
from attention.capture.forecast import DescribedModel
from attention.capture.kept_reading import kept_beside
from attention.capture.knock_out_forecast import fill_forecast, forecast_knock_outs
from attention.capture.lens import read_lens
from attention.capture.reading_forecast import forecast_reading
from attention.capture.room_for_reading import check_room
from attention.capture.tried import trials, try_without
from attention.effects.cost import cost_of_agreeing
from attention.environment import EXAMPLES, POCKET
from attention.errors import (
    Cancelled,
    CaptureError,
    DamagedRun,
    InvalidRequest,
    LimitExceeded,
    NotInRun,
    UnsupportedModel,
)  # fmt: skip
from attention.limits import Limits
from attention.models import loading as models
from attention.readings.cost import cost_of_forecast, cost_of_trials
from attention.readings.forecast import Forecast
from attention.readings.lens import Lens
from attention.readings.reading import readings_folder
from attention.readings.target import Target
from attention.readings.trial import Silence
from attention.runs.partial import SUFFIX, PartialRun
from attention.runs.regions import Region

QUESTION = "what color is the star?"


def run_in(place, dtype="float32"):
    asked = Request(
        EXAMPLES / "shapes.png", QUESTION, str(POCKET), mode="generate", device="cpu", dtype=dtype, vision=False
    )
    return extract(asked, place)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_in(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def forecast(run):
    return forecast_knock_outs(run, model=of_pocket())


def of_pocket(dtype="float32"):
    return models.load(str(POCKET), "cpu", dtype)


def copied(reading, place, **changes):
    """A copy of a reading, with other fields in its index."""
    shutil.copytree(reading.folder, place)
    (place / "reading.json").write_text(json.dumps(reading.info | changes), encoding="utf-8")
    return place


class Rows:
    """A run of one layer whose scores are given, [heads, queries, keys], and the logit of a learned sink."""

    def __init__(self, scores, cross=False, sink=-np.inf):
        self._scores, self._cross, self._sink = scores, cross, sink

    def rows(self, hidden=()):
        """Rows float64 without some keys."""
        scores = self._scores.copy()
        scores[:, :, hidden] = -np.inf
        peak = np.maximum(scores.max(axis=-1, keepdims=True), self._sink)
        peak = np.where(np.isfinite(peak), peak, 0)
        weights = np.exp(scores - peak)
        total = weights.sum(axis=-1, keepdims=True) + np.exp(self._sink - peak)
        return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)

    def heads(self, tower):
        return len(self._scores)

    def queries(self, tower):
        return self._scores.shape[1]

    def keys(self, tower):
        return self._scores.shape[2]

    def queries_are_tokens(self, tower):
        return True

    def keys_are_tokens(self, tower):
        return not self._cross

    def dense_chunks(self, layer, tower, first=0, last=None):
        yield first, self.rows().astype(np.float32)[:, first:last]

    def rows_without(self, layer, tower, start, stop, keys):
        return self.rows(keys).astype(np.float32)[:, start:stop]


def forecast_of(run, rng):
    """A forecast over a run's rows with random values and pulls, and these as arrays."""
    rows = run.rows()
    heads, n, keys = rows.shape
    data = {"value": rng.normal(size=(heads // 2, keys, 8)), "pull": rng.normal(size=(heads, n, 8))}
    value = data["value"].repeat(2, axis=0)
    data["pull_output"] = (data["pull"] * (rows @ value)).sum(axis=-1)
    made = object.__new__(Forecast)
    made.__dict__.update(
        run=run,
        info={"towers": {"language": {"layers": [{"index": 0}]}}},
        _kept=((0, "language"), {name: each.astype(np.float32) for name, each in data.items()}),
    )
    return made, value, data["pull"]


def knocked_out(run, value, pull, keys):
    """Change of pull . output when rows outside of the keys are left with the others, in float64."""
    inside = np.isin(np.arange(run.keys("language")), keys)
    change = (pull * ((run.rows(inside) - run.rows()) @ value)).sum(axis=-1)
    return change[:, ~inside[: change.shape[1]]].sum(axis=1) if run.keys_are_tokens("language") else change.sum(axis=1)


@pytest.mark.parametrize("kind", [{}, {"cross": True}, {"sink": -1.0}], ids=["tokens", "cross", "sink"])
def test_rows_that_have_nearly_all_of_their_mass_on_a_region(kind):
    """Their rest is computed anew: 1 less the mass would be rounding, and what is below float32 would be nothing."""
    rng = np.random.default_rng(0)
    n = 12
    scores = rng.normal(size=(4, n, n))
    scores[0, :, 3], scores[1, :, 3], scores[2, :, 4] = 14, 40, 200  # 1e-6 of a row is left, 1e-17, or 1e-87
    scores[3, :2, 5:] = -np.inf
    scores[3, :2, :5] = -np.inf, -np.inf, -np.inf, 0, 0  # rows that see no other key than the first region's
    run = Rows(scores, **kind)
    made, value, pull = forecast_of(run, rng)
    regions = [[3, 4], [5], list(range(n - 1))]
    found = made.knock_outs(regions)
    for region, values in zip(regions, found, strict=True):
        expected = knocked_out(run, value, pull, region)
        assert np.allclose(values[0], expected, atol=2e-5 * np.abs(expected).max()), region
        assert np.array_equal(made.knock_out(region), values)


def test_what_is_no_key_or_row_is_refused_by_name(forecast):
    for keys, words in (([], "empty region"), ([1.5], "no key 1.5"), ([True], "no key True"), ([10**6], "no key 10")):
        with pytest.raises(NotInRun, match=words):
            forecast.knock_out(keys)
    for query in (-1, 10**6, 0.5):
        with pytest.raises(NotInRun, match="no row"):
            forecast.score_gradient(0, query)
        with pytest.raises(NotInRun, match="no row"):
            forecast.gradient_times_attention(0, query)


def test_a_foreign_or_damaged_reading_is_refused(run, forecast, tmp_path):
    towers = json.loads(json.dumps(forecast.info["towers"]))
    elsewhere = json.loads(json.dumps(towers))
    elsewhere["language"]["layers"][0]["file"] = "../../run/language/layer_00.safetensors"
    short = {"language": {"layers": towers["language"]["layers"][1:]}}
    wrong = {
        "other": {"run": "another"}, "path": {"towers": elsewhere}, "layers": {"towers": short},
        "tower": {"towers": {"cross": towers["language"]}}, "none": {"towers": None},
        "target": {"target": {"tokens": [0], "against": None}}, "text": {"target": "red"},
    }  # fmt: skip
    said = {"other": "made of another run", "path": r"\.\./run", "tower": "no tower 'cross'"}
    for name, changes in wrong.items():
        with pytest.raises(DamagedRun, match=said.get(name, name)):
            Forecast(run, copied(forecast, tmp_path / name, **changes))
    for name, changes in {"format": {"format": 99}, "kind": {"kind": "lens"}}.items():
        with pytest.raises(DamagedRun, match="is no forecast that this version reads"):
            Forecast(run, copied(forecast, tmp_path / name, **changes))
    (tmp_path / "kind" / "reading.json").write_text("{")
    with pytest.raises(DamagedRun, match=r"reading\.json in kind cannot be read"):
        Forecast(run, tmp_path / "kind")
    place = copied(forecast, tmp_path / "sizes")
    data = forecast._read(0, "language")
    file = place / "language" / "layer_00.safetensors"
    for broken in (
        data | {"pull": data["pull"][:, :-1]},
        {"value": data["value"]},
        data | {"value": data["value"][:0]},
    ):
        save_file({name: np.ascontiguousarray(each) for name, each in broken.items()}, file)
        with pytest.raises(DamagedRun, match="Layer 0"):
            Forecast(run, place).keys(0)
    file.unlink()
    with pytest.raises(DamagedRun, match="cannot be opened"):
        Forecast(run, place).keys(0)


def test_a_lens_that_does_not_fit_is_refused(run, tmp_path):
    lens = read_lens(run, model=of_pocket())
    for name, changes in (("texts", {"texts": {}}), ("layers", {"layers": lens.layers_read[1:]})):
        with pytest.raises(DamagedRun, match="Remove it"):
            Lens(run, copied(lens, tmp_path / name, **changes)).words(lens.layers_read[-1], 0)
    with pytest.raises(DamagedRun):
        Lens(run, copied(lens, tmp_path / "none", layers=None))


def test_a_folder_with_another_question_is_not_taken_for_this_one(run, tmp_path):
    model, token = of_pocket(), run.info["prompt_tokens"]
    for made in (forecast_knock_outs, attribute_directly):
        folder = tmp_path / made.__name__
        first = made(run, token, model=model, folder=folder)
        assert made(run, token, folder=folder).info == first.info
        with pytest.raises(InvalidRequest, match="other tokens or towers"):
            made(run, token, 5, model=model, folder=folder)


@pytest.mark.parametrize(
    "tokens, against, words",
    [
        (0, None, "Token 0 is no token of the answer"),
        (True, None, "Token True is no token"),
        ([10**6], None, "Token 1000000 is no token"),
        ([], None, "No token of the answer was named"),
        (None, -1, "other token is -1; it must be an id"),
        (None, True, "other token is True"),
    ],
)
def test_a_target_that_is_none_is_refused_in_words(run, tokens, against, words):
    with pytest.raises(InvalidRequest, match=words):
        Target.of(run, tokens, against)


def test_one_token_is_set_against_another(run):
    first, n = run.info["prompt_tokens"], len(run.info["tokens"])
    with pytest.raises(InvalidRequest, match=f"One token is set against another; {n - first} were named"):
        Target.of(run, range(first, n), 5)
    assert n - first > 1 and Target.of(run, np.int64(first), 5) == Target((first,), 5)


def test_a_reading_has_no_layer_and_no_tower_that_the_run_has_not(forecast):
    with pytest.raises(NotInRun, match=r"no tower 'vision'; it has language"):
        forecast.layers("vision")
    with pytest.raises(NotInRun, match="no layer 99 in its language tower"):
        forecast.keys(99)


def test_a_run_that_cannot_be_asked_again_is_refused_by_name(run, monkeypatch):
    for field, value, words in (
        ("adapter", {"id": "me/it"}, "was made with adapter 'me/it'; pass the adapted model"),
        ("videos", [{}, {}], "of several videos"),
        ("prompt_tokens", None, "does not say what was asked"),
    ):
        with monkeypatch.context() as patch, pytest.raises(InvalidRequest, match=words):
            patch.setitem(run.info, field, value)
            try_without(run, [])


def test_another_dtype_or_other_weights_than_the_runs_are_named(run, tmp_path):
    with pytest.raises(CaptureError, match="computes in bfloat16 and the run's did in float32"):
        try_without(run, [], model=of_pocket("bfloat16"))
    loaded = of_pocket()
    weight = loaded.model.lm_head.weight
    before = weight.detach().clone()
    try:
        with torch.no_grad():
            weight[:] += 0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
        with pytest.raises(CaptureError, match="other queries and keys than the run has"):  # its embeddings are these
            read_lens(run, model=loaded, folder=tmp_path / "lens")
    finally:
        weight.data.copy_(before)
    assert not list(tmp_path.iterdir())


def test_gradients_in_float16_are_not_below_its_least_number(tmp_path):
    """A sure answer has tiny gradients: they are those of the same weights in float32, not zeros and steps."""
    half = run_in(tmp_path / "half", "float16")
    loaded = of_pocket("float16")
    whole = models.load(str(POCKET), "cpu", "float32")
    before = {name: weight.detach().clone() for name, weight in whole.model.named_parameters()}
    try:
        for name, weight in whole.model.named_parameters():
            weight.data.copy_(dict(loaded.model.named_parameters())[name].float())
        same = extract(
            Request(EXAMPLES / "shapes.png", QUESTION, str(POCKET), answer=half.info["answer"], vision=False),
            tmp_path / "whole", model=whole,
        )  # fmt: skip
        expected = forecast_knock_outs(same, same.info["prompt_tokens"], model=whole)
    finally:
        for name, weight in whole.model.named_parameters():
            weight.data.copy_(before[name])
    found = forecast_knock_outs(half, half.info["prompt_tokens"], model=loaded)
    ratio = np.expm1(found.info["value"]) / np.expm1(expected.info["value"])  # gradients go with how sure it is
    for layer in found.layers():
        pull, exact = (each._read(layer, "language")["pull"] for each in (found, expected))
        exact = ratio * exact[:, : pull.shape[1]]
        assert np.linalg.norm(pull[:, : exact.shape[1]] - exact) <= 3e-3 * np.linalg.norm(exact)


def test_a_model_that_lets_no_gradient_through_is_refused_by_name(run, tmp_path):
    loaded = of_pocket()
    layer = loaded.model.model.language_model.layers[2]
    with detached(layer), pytest.raises(UnsupportedModel, match=r"No gradient reaches layer [012] of the language"):
        forecast_knock_outs(run, model=loaded, folder=tmp_path / "forecast")
    with detached(loaded.model.lm_head), pytest.raises(UnsupportedModel, match="No gradient can be computed"):
        forecast_knock_outs(run, model=loaded, folder=tmp_path / "forecast")
    assert not list(tmp_path.iterdir())


@contextlib.contextmanager
def detached(module):
    """Let no gradient through the output of a module."""

    def cut(_, args, output):
        return output.detach() if isinstance(output, torch.Tensor) else (output[0].detach(), *output[1:])

    handle = module.register_forward_hook(cut)
    try:
        yield
    finally:
        handle.remove()


def test_several_may_make_the_same_reading_and_one_that_was_killed_is_in_no_way(run):
    model, token = of_pocket(), run.info["prompt_tokens"]
    place = readings_folder(run) / Target((token,), 7).name("forecast", ("language",))
    place.with_name(place.name + SUFFIX).mkdir(parents=True)
    first = forecast_knock_outs(run, token, 7, model=model)
    assert first.folder == place

    def slower(own):
        return fill_forecast(run, Target((token,), 7), ["language"], own, model)

    assert kept_beside(place, slower) == place and Forecast(run, place).info == first.info
    assert {each.name for each in place.parent.glob(f"{place.name}*")} == {place.name, place.name + SUFFIX}


class StoppedAfter(PartialRun):
    """A folder whose job is stopped at so many-th time that it asks."""

    left = 10**9

    @property
    def is_cancelled(self):
        self.left -= 1
        return self.left < 0


def test_a_stop_ends_the_backward_pass_too(run, tmp_path, monkeypatch):
    """Each layer asks, on the way there and back; nothing is left of the folder or of the model's hooks."""
    loaded, asked = of_pocket(), []
    monkeypatch.setattr(knock_out_forecast, "write_gradients", ends_within(asked, knock_out_forecast.write_gradients))
    partial = StoppedAfter.create(tmp_path / "forecast")
    asked.append(partial)
    with pytest.raises(Cancelled):
        fill_forecast(run, Target.of(run), ["language"], partial, loaded)
    assert partial.left == -1 and not list(tmp_path.iterdir())
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in loaded.model.modules())
    partial = StoppedAfter.create(tmp_path / "trial")
    with pytest.raises(Cancelled), trials(run, model=loaded, partial=partial) as ready:
        partial.left = 3  # within the first pass
        ready.without([])


def ends_within(asked, write):
    """The same function, with a stop at the third layer whose gradient comes."""

    def written(*given):
        asked[0].left = 2
        return write(*given)

    return written


def test_a_lent_model_is_as_it_was_and_inference_mode_around_it_does_no_harm(run, tmp_path):
    loaded = of_pocket()
    model = loaded.model.train()
    weights = list(model.parameters())
    before = [weight.requires_grad for weight in weights]
    for i, weight in enumerate(weights):
        weight.requires_grad_(i % 3 > 0)
    weights[1].grad = torch.ones_like(weights[1])
    try:
        state = state_of(model)
        lent = model, loaded.processor
        with torch.inference_mode():
            first = forecast_knock_outs(run, model=lent, folder=tmp_path / "one")
            tried = try_without(run, [], model=lent)
        assert first.info["difference"] == 0 and tried.value == pytest.approx(first.info["value"], abs=1e-6)
        assert state_of(model) == state
        with detached(model.model.language_model.layers[2]), pytest.raises(UnsupportedModel):
            forecast_knock_outs(run, model=lent, folder=tmp_path / "two")
        assert state_of(model) == state
    finally:
        weights[1].grad = None
        for weight, needs in zip(weights, before, strict=True):
            weight.requires_grad_(needs)
        model.eval()


def state_of(model):
    """All of a model that a reading could change."""
    return (
        [
            (weight.requires_grad, None if weight.grad is None else float(weight.grad.sum()))
            for weight in model.parameters()
        ],
        [(module.training, len(module._forward_hooks), len(module._forward_pre_hooks)) for module in model.modules()],
        model.config._attn_implementation,
    )


def test_trials_of_a_model_that_takes_no_batch_are_the_same(run, monkeypatch):
    """Heads of several layers too: their mean is that of the unchanged input, and not of one already changed."""
    loaded = of_pocket()
    silences = [Silence(tuple((layer, 1) for layer in run.layers()), by) for by in ("mean", "zero")]
    together = try_without(run, silences, model=loaded)

    @contextlib.contextmanager
    def refused(*_):
        raise RuntimeError("no batch")
        yield

    monkeypatch.setattr("attention.capture.tried._parting", refused)
    alone = try_without(run, silences, model=loaded)
    assert np.allclose(alone.changes, together.changes, rtol=1e-3) and (np.abs(alone.changes) > 1e-5).all()


def test_a_region_is_painted_in_known_ways_alone(run):
    with trials(run, model=of_pocket()) as ready, pytest.raises(InvalidRequest, match="not 'pink'"):
        ready.painted([Region((0.0, 0.0, 60.0, 60.0))], "pink")


def test_what_has_no_room_is_refused_with_numbers_before_anything_is_computed(run, monkeypatch, tmp_path):
    cost, n = cost_of_forecast(run, run.towers()), len(run.info["tokens"])

    def refused(words):
        with pytest.raises(LimitExceeded, match=words):
            forecast_reading(run, cost)
        with pytest.raises(LimitExceeded, match=words):
            forecast_knock_outs(run, folder=tmp_path / "place", model=of_pocket())
        assert not list(tmp_path.iterdir())

    with monkeypatch.context() as changed:
        changed.setattr("attention.capture.room_for_reading.available_memory", lambda device: 10**6)
        refused(f"needs about [0-9]+ MB of memory on cpu .* for {n} tokens, most of it what a pass back needs")
    with monkeypatch.context() as changed:
        changed.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=1000))
        refused("would take [0-9]+ kB on disk; 1 kB are free there")
    loaded = of_pocket()
    described = DescribedModel(loaded.family, loaded.model.config, "cpu", torch.float32)
    with pytest.raises(LimitExceeded, match=rf"would take [0-9]+ kB on disk \({n} tokens\); the limit is [0-9]+ kB"):
        check_room(run, cost, described, Limits(run_bytes=cost.n_bytes - 1))
    assert check_room(run, cost, described, Limits(run_bytes=cost.n_bytes)) > cost.n_bytes


def test_the_work_of_a_reading_is_its_passes_and_the_members_of_its_batches(run):
    whole = forecast_reading(run, cost_of_agreeing(run, 4, paints=True))
    assert whole.tokens == len(run.info["tokens"]) and whole.work.new_tokens == 0
    assert whole.work.passes == 3 + 1 + 17 and (whole.work.members, whole.work.batches) == (17, 1)
    assert whole.bytes_on_disk == whole.work.bytes_on_disk == cost_of_forecast(run, run.towers()).n_bytes
    hidden = forecast_reading(run, cost_of_trials(2000)).work
    assert hidden.batches > 1 and hidden.members == 2000 + hidden.batches
