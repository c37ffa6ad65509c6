"""Trials: what hiding tokens and silencing heads does to a model is what it says, alone and in a batch."""

import shutil

import numpy as np
import pytest
import tiny_families
import torch
from pictures import noise
from PIL import Image

from attention import Request, extract, open_run
from attention.capture.asked_again import asked_again
from attention.capture.knock_out_forecast import forecast_knock_outs
from attention.capture.tried import try_without
from attention.environment import EXAMPLES, POCKET
from attention.errors import CaptureError, InvalidRequest
from attention.limits import Limits
from attention.models import loading as models
from attention.models.edits import LayerEdit, edited
from attention.models.hook import _attention, attention_of
from attention.models.kept import free
from attention.readings.target import Target
from attention.readings.trial import Hide, Silence
from attention.runs.partial import PartialRun


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    asked = Request(EXAMPLES / "shapes.png", "what color is the star?", str(POCKET), mode="generate", device="cpu")
    return extract(asked, tmp_path_factory.mktemp("runs") / "run")


def of_pocket():
    return models.load(str(POCKET), "cpu")


def blocks(run, n=2):
    """Regions of the picture, n x n of them, as keys."""
    cells = run.cells(0)
    parts = [np.array_split(half, n, axis=1) for half in np.array_split(cells, n)]
    return [tuple(part.reshape(-1).tolist()) for row in parts for part in row]


def test_nothing_tried_gives_the_same_bits(run):
    tried = try_without(run, [], model=of_pocket())
    assert tried.value == pytest.approx(sum(run.info["logprobs"][:-1]), abs=0) and len(tried.values) == 0
    assert tried.said[0].tolist() == [token["id"] for token in run.info["tokens"][run.info["prompt_tokens"] :]]


@pytest.mark.slow
@pytest.mark.sample(4)
@pytest.mark.parametrize(
    "kind", [each for each in tiny_families.of_each_kind() if each.values[0] not in tiny_families.IN_PARTS]
)
def test_members_of_a_batch_equal_each_alone(kind, tmp_path):
    folder = tiny_families.write(kind, tmp_path / "model")
    pictures = (noise((160, 96)), noise((96, 128)))
    asked = Request(images=pictures, prompt="what is it?", answer="red", device="cpu", model=str(folder), vision=False)
    run = extract(asked, tmp_path / "run")
    tower = "cross" if "cross" in run.towers() else "language"
    keys = tuple(range(3, 9))
    layers = run.layers(tower)
    trials = [
        Hide(keys, tower=tower),
        Hide(keys, layers=(layers[-1],), heads=(0,), tower=tower),
        Hide((1,), rows=(run.info["prompt_tokens"] - 1,)),
        Silence(((run.layers()[0], 0),)),
        Silence(((layers[-1], 1),), by="mean", tower=tower),
    ]
    model = models.load(str(folder), "cpu")
    together = try_without(run, trials, model=model)
    alone = [try_without(run, [trial], model=model).values[0] for trial in trials]
    assert together.value == pytest.approx(sum(run.info["logprobs"]), abs=1e-4)
    assert np.allclose(together.values, alone, atol=2e-4)
    assert (abs(together.changes) > 1e-6).sum() >= 3
    free()


def test_a_token_that_nobody_reads_is_as_good_as_not_there(run, tmp_path):
    """Hidden from every later row, it leaves the other rows as they are without it at the same positions."""
    hidden = run.find("color")[0]
    seen = {}

    def keep(module, args, kwargs, output):
        seen.update(kwargs, output=output[0].detach())

    limits = Limits(picture_bytes=1000)  # of what is uploaded: a run's own are larger
    with asked_again(run, PartialRun.create(tmp_path / "place"), of_pocket(), limits) as asked:
        text = asked.loaded.model.model.language_model
        handle = text.register_forward_hook(keep, with_kwargs=True)
        modules = asked.loaded.family.attention_modules(asked.loaded.model)["language"].values()
        n = len(asked.ids)
        edges = torch.zeros(1, 1, n, n, dtype=torch.bool)
        edges[..., hidden + 1 :, hidden] = True
        with edited({module: LayerEdit(edges) for module in modules}):
            asked.logits()
        handle.remove()
        left = [i for i in range(n) if i != hidden]
        without = text(
            inputs_embeds=seen["inputs_embeds"][:, left],
            position_ids=seen["position_ids"][..., left],
            visual_pos_masks=seen["visual_pos_masks"][:, left],
            deepstack_visual_embeds=seen["deepstack_visual_embeds"],
            use_cache=False,
        )[0]
    assert torch.allclose(seen["output"][:, left], without, atol=1e-5 * float(without.abs().max()))


def test_a_row_with_all_but_itself_hidden_is_its_own_value_and_one_with_nothing_is_zero():
    loaded = of_pocket()
    modules = loaded.family.attention_modules(loaded.model)["language"]
    module = modules[0]
    query, key, value = torch.randn(1, 4, 6, 16), torch.randn(1, 2, 6, 16), torch.randn(1, 2, 6, 16)
    hidden = torch.zeros(1, 1, 6, 6, dtype=torch.bool)
    hidden[..., 4, :4] = True
    hidden[..., 5, :] = True
    with attention_of(loaded.model), edited({module: LayerEdit(hidden)}):
        output, _ = _attention(module, query, key, value, None, scaling=0.25)
    assert torch.equal(output[0, 5], torch.zeros(4, 16))
    assert torch.allclose(output[0, 4], value[0].repeat_interleave(2, dim=0)[:, 4], atol=1e-6)


def test_a_silenced_head_is_one_without_an_output_projection(run, tmp_path):
    loaded = of_pocket()
    heads = [(layer, head) for layer in run.layers() for head in range(run.heads())]
    by_head = try_without(run, [Silence((each,)) for each in heads], model=loaded).values
    (layer, head), silenced = heads[by_head.argmin()], by_head.min()
    module = loaded.family.attention_modules(loaded.model)["language"][layer]
    width = module.head_dim
    weight = module.o_proj.weight
    before = weight.detach().clone()
    try:
        with torch.no_grad():
            weight[:, head * width : (head + 1) * width] = 0
        with pytest.raises(CaptureError, match="more or less probable than the run has"):
            try_without(run, [], model=loaded)
        other = extract(
            Request(EXAMPLES / "shapes.png", "what color is the star?", answer=run.info["answer"], vision=False),
            tmp_path / "other", model=loaded,
        )  # fmt: skip
    finally:
        weight.data.copy_(before)
    assert silenced == pytest.approx(sum(other.info["logprobs"]), abs=1e-4)


def test_the_forecast_finds_what_knock_outs_do(run):
    """A first order, so no equal numbers: but the order of regions, and of heads, is that of the knock-outs."""
    model = of_pocket()
    forecast = forecast_knock_outs(run, model=model)
    regions = blocks(run, 4)
    measured = try_without(run, [Hide(keys) for keys in regions], model=model).changes
    expected = [forecast.knock_out(keys).sum() for keys in regions]
    assert np.corrcoef(_ranks(measured), _ranks(expected))[0, 1] > 0.8
    heads = [(layer, head) for layer in run.layers() for head in range(run.heads())]
    silenced = try_without(run, [Silence((head,)) for head in heads], model=model).changes
    assert np.corrcoef(_ranks(silenced), _ranks(forecast.silenced().reshape(-1)))[0, 1] > 0.5


def _ranks(values):
    return np.argsort(np.argsort(values))


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        (Hide(()), "No token was named"),
        (Hide((4000,)), "no key 4000"),
        (Hide((4,), heads=(9,)), "no head 9"),
        (Hide((4,), layers=(70,)), "Layer 70"),
        (Hide((4,), tower="vision"), "not from 'vision'"),
        (Silence(()), "No head was named"),
        (Silence(((0, 9),)), "no head 9"),
        (Silence(((0, 1),), by="noise"), "not by 'noise'"),
    ],
)
def test_what_a_run_does_not_have_is_refused_by_name(run, trial, words):
    with pytest.raises(InvalidRequest, match=words):
        try_without(run, [trial], model=of_pocket())


@pytest.mark.parametrize(
    ("tokens", "against", "words"), [(3, None, "Token 3 is no token"), (None, -1, "must be an id")]
)
def test_a_target_that_is_no_token_of_the_answer_is_refused(run, tokens, against, words):
    with pytest.raises(InvalidRequest, match=words):
        Target.of(run, tokens, against)


def test_another_picture_than_the_runs_is_noticed(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    picture = Image.open(tmp_path / "run" / "image_0.png")
    Image.eval(picture, lambda value: 255 - value).save(tmp_path / "run" / "image_0.png")
    with pytest.raises(CaptureError, match="other queries and keys than the run has"):
        forecast_knock_outs(open_run(tmp_path / "run"), model=of_pocket())
