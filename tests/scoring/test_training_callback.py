"""The callback of a training: the training stays as it was, its loggers hear the numbers, its maps are a series."""

import json
import logging
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from accelerate.utils import extract_model_from_parallel
from peft import PromptTuningConfig, get_peft_model
from small_trainings import Listener, losses, questions, state_of, trainer_of, weights
from transformers import TrainerCallback

from adapters import demo
from attention import AttentionCallback, Item, Request, extract, open_run, read_region, region_scores
from attention.comparisons.check import check_comparison
from attention.comparisons.comparison import open_comparison
from attention.environment import POCKET
from attention.errors import AttentionError, CaptureError, InvalidRequest, UnsupportedModel
from attention.models.hook import attention_of
from attention.models.loading import wrap
from attention.models.undisturbed import check_whole
from attention.pocket.held_out import held_out
from attention.scoring import callback, series
from attention.scoring.callback import lent
from attention.scoring.series import MOST, thinned

ITEMS = [asked.item for asked in questions(2, seed=99)]
SHARE = "attention/region_share/mean"
BATCHES = {"gradient_accumulation_steps": 2}


@pytest.fixture
def looks(tmp_path):
    return tmp_path / "looks"


# Nothing changes


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"lora": True, "bf16": True, "max_steps": 2}, id="LoRA with autocast"),
        pytest.param({"lora": False, "bf16": True, "max_steps": 2}, id="autocast", marks=pytest.mark.full),
        pytest.param({"lora": True, "max_steps": 8}, id="LoRA in float32", marks=pytest.mark.full),
        pytest.param(
            {"lora": True, "dtype": torch.bfloat16, "gradient_checkpointing_kwargs": {"use_reentrant": True}},
            id="LoRA in float32 on bfloat16, reentrant checkpoints", marks=pytest.mark.full,
        ),
        pytest.param(
            {"lora": False, "gradient_checkpointing": False, "neftune_noise_alpha": 5, "max_steps": 2} | BATCHES,
            id="all weights, noise on the embeddings, two batches a step",
        ),
    ],
)  # fmt: skip
def test_a_training_is_the_same_bit_for_bit(tiny_folder, tmp_path, looks, settings):
    alone = trainer_of(tiny_folder, tmp_path / "alone", **settings)
    watch = AttentionCallback(ITEMS[:1], 1, looks, strict=True)
    watched = trainer_of(tiny_folder, tmp_path / "watched", [watch], **settings)
    ends = []
    for trainer in (alone, watched):
        torch.manual_seed(0), random.seed(0), np.random.seed(0)
        trainer.train()
        ends.append((torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()))
    assert losses(watched) == losses(alone) and len(set(losses(alone))) > 1
    after, wanted = weights(watched), weights(alone)
    assert [name for name in wanted if not torch.equal(after[name], wanted[name])] == []
    assert ends[0] == ends[1]
    assert len(watched.state.log_history) == len(alone.state.log_history) + alone.state.max_steps + 1


class Look(TrainerCallback):
    """Looks at everything before and after the callback that stands between two of it."""

    def __init__(self):
        self.seen = []

    def on_step_end(self, args, state, control, model=None, **_):
        for part in list(model.modules())[::3]:
            part.eval()  # a part may be in evaluation while the rest is trained
        for n, weight in enumerate(weight for weight in model.parameters() if weight.requires_grad):
            weight.grad = torch.full_like(weight, n)
        self.seen.append(state_of(model) | {"control": dict(vars(control))})


class LookAgain(Look):
    def on_step_end(self, args, state, control, model=None, **_):
        self.seen.append(state_of(model) | {"control": dict(vars(control))})


@pytest.mark.parametrize("lora", [True, False])
def test_modes_hooks_gradients_and_control_are_given_back(tiny_folder, tmp_path, looks, lora):
    before, after = Look(), LookAgain()
    callbacks = [before, AttentionCallback(ITEMS[:1], 1, looks, strict=True), after]
    trainer_of(tiny_folder, tmp_path / "out", callbacks, lora, bf16=True, max_steps=2).train()
    assert len(before.seen) == 2 and any(before.seen[0]["grads"]) and before.seen[0]["control"]["should_log"]
    for seen, again in zip(before.seen, after.seen, strict=True):
        assert [name for name in seen if seen[name] != again[name]] == []


def test_a_model_is_given_back_when_reading_it_fails(tiny_folder, tmp_path):
    model = trainer_of(tiny_folder, tmp_path / "out").model.train()
    model._compiled_call_impl = len
    before = state_of(model)
    with pytest.raises(ValueError, match="in the middle"), lent(model) as own, attention_of(own):
        assert "_compiled_call_impl" not in own.__dict__
        own.eval()
        own.new, own.base_model.model.model.rope_deltas = torch.rand(2), torch.rand(1)
        random.random(), np.random.random(), torch.rand(1)
        own.register_forward_hook(lambda *_: None)
        raise ValueError("in the middle")
    after = state_of(model)
    assert [name for name in before if before[name] != after[name]] == []


def test_what_a_callers_model_keeps_of_a_run_may_be_trained_with(tiny_folder, tmp_path):
    trainer = trainer_of(tiny_folder, tmp_path / "out", lora=False)
    kept = []
    hook = trainer.model.model.language_model.rotary_emb.register_forward_hook(lambda m, args, out: kept.extend(out))
    own, request = (trainer.model, trainer.processing_class), Request(ITEMS[0].image, "what?")
    with torch.autocast("cpu", torch.bfloat16), extract(request, tmp_path / "run", own):
        hook.remove()
    assert kept and not any(each.is_inference() for each in kept)
    with extract(request, tmp_path / "plain", own) as run, open_run(tmp_path / "run") as other:
        assert np.array_equal(run.exact_rows(9), other.exact_rows(9))


def test_a_model_that_accelerate_lets_autocast_is_refused_until_it_is_unwrapped(tiny_folder, tmp_path):
    trainer = trainer_of(tiny_folder, tmp_path / "out", lora=False, bf16=True, max_steps=1)
    trainer.train()
    request = Request(ITEMS[0].image, "what?")
    with pytest.raises(CaptureError, match=r"computes under autocast.*Unwrap it first"):
        extract(request, tmp_path / "run", (trainer.model, trainer.processing_class))
    own = extract_model_from_parallel(trainer.model, keep_fp32_wrapper=False)
    assert extract(request, tmp_path / "run", (own, trainer.processing_class)).info["tokens"]


# What is told


def test_loggers_hear_what_extract_gives_for_the_same_weights(tiny_folder, tmp_path, looks):
    listener, after = Listener(), Listener()
    item = Item(ITEMS[1].image, ITEMS[1].prompt, ITEMS[1].place)
    watch = AttentionCallback([ITEMS[0], item], 2, looks, heads=[(1, 2), [0, 3]], strict=True)
    trainer = trainer_of(tiny_folder, tmp_path / "out", [listener, watch, after], bf16=True, max_steps=3)
    trainer.train()
    heard = [line for line in listener.heard if SHARE in line]
    assert listener.heard == after.heard and [line["step"] for line in heard] == [0, 2, 3]
    assert [line["step"] for line in trainer.state.log_history if SHARE in line] == [0, 2, 3]
    assert [line["step"] for line in listener.heard if "loss" in line] == [1, 2, 3]
    trainer.model.eval()
    tables, logprobs = [], []
    for n, each in enumerate(watch.items):
        request = Request(each.image, each.prompt, answer=each.answer)
        with extract(request, tmp_path / f"run {n}", (wrap(trainer.model).model, trainer.processing_class)) as run:
            pass
        with open_run(tmp_path / f"run {n}") as run:
            scores = region_scores(run, read_region(run, each.place), run.info["prompt_tokens"] - 1)
            tables.append(scores.tables["region_share"])
            logprobs += [run.info["logprobs"]] if each.answer else []
    share = np.mean(tables, axis=0)
    wanted = {
        SHARE: share.mean(), "attention/region_share/best_head": share.max(),
        "attention/region_share/L1H2": share[1, 2], "attention/region_share/L0H3": share[0, 3],
        "attention/answer_logprob": np.mean(logprobs),
    }  # fmt: skip
    assert {name: heard[-1][name] for name in wanted} == pytest.approx(wanted, rel=1e-3)
    assert 0 < heard[-1]["attention/region_share/chance"] < 0.5 and "attention/answer_hits" not in heard[-1]
    lines = [json.loads(line) for line in (looks / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 2, 3]
    assert np.allclose([item["region_share"] for item in lines[-1]["items"]], tables, atol=1e-3)


def test_answers_of_the_models_own_are_held_against_the_box(tmp_path, looks):
    case = next(held_out("click", 1, 5))
    width, height = case.images[0].size
    box = case.boxes(0, height, width)[case.question.looks[0].thing]
    inside = Item(case.images[0], case.question.text, tuple(box))
    outside = Item(case.images[0], case.question.text, (0, 0, 1, 1))
    listener = Listener()
    watch = AttentionCallback([inside, outside], 9, looks, max_new_tokens=40, strict=True)
    trainer_of(POCKET, tmp_path / "out", [listener, watch], max_steps=1, n=2).train()
    assert listener.heard[0]["attention/answer_hits"] == 0.5
    assert "attention/answer_logprob" not in listener.heard[0]


# The maps


def test_maps_are_kept_as_a_series_that_opens(tiny_folder, tmp_path, looks):
    steps = []

    class Kept(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            with open_comparison(looks / "item_2") as found:
                steps.append([member["step"] for member in found.info["members"]])

    watch = AttentionCallback(ITEMS, 1, looks, strict=True)
    trainer_of(tiny_folder, tmp_path / "out", [watch, Kept()], max_steps=2).train()
    assert steps == [[0, 1], [0, 1, 2]]  # an interrupted training has what it came to
    assert sorted(path.name for path in looks.iterdir()) == ["item_1", "item_2", "steps.jsonl"]
    for name in ("item_1", "item_2"):
        check_comparison(looks / name)
        with open_comparison(looks / name) as found:
            assert [member["name"] for member in found.info["members"]] == ["step 0", "step 1", "step 2"]
            assert found.change("tv_row", 1).max() > 0 and found.base.towers() == ["language"]


def test_a_training_that_goes_on_continues_its_series(tiny_folder, tmp_path, looks):
    for every, checkpoint in ((1, None), (4, str(tmp_path / "out" / "checkpoint-2"))):
        watch = AttentionCallback(ITEMS[:1], every, looks, strict=True)
        trainer = trainer_of(tiny_folder, tmp_path / "out", [watch], save_strategy="steps", save_steps=2)
        trainer.processing_class = None  # made without a video processor, it cannot be saved
        trainer.train(resume_from_checkpoint=checkpoint)
    with open_comparison(looks / "item_1") as found:
        assert [member["step"] for member in found.info["members"]] == [0, 1, 2, 4]
    lines = [json.loads(line) for line in (looks / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 2, 4]


def test_a_training_that_ends_early_has_its_last_step(tiny_folder, tmp_path, looks):
    class Enough(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            control.should_training_stop = state.global_step == 3

    listener = Listener()
    watch = AttentionCallback(ITEMS[:1], 2, looks, strict=True)
    trainer = trainer_of(tiny_folder, tmp_path / "out", [listener, watch, Enough()])
    trainer.callback_handler.processing_class = None  # then the one in the model's own folder is taken
    trainer.train()
    assert [line["step"] for line in trainer.state.log_history if SHARE in line] == [0, 2, 3]
    assert [line["step"] for line in listener.heard if SHARE in line] == [0, 2]  # loggers have closed
    with open_comparison(looks / "item_1") as found:
        assert [member["step"] for member in found.info["members"]] == [0, 2, 3]


def test_more_steps_than_a_comparison_holds_are_thinned_out_evenly():
    for n in (2, 13, 14, 40, 200):
        kept = []
        for step in range(0, n * 10, 10):
            kept = thinned([*kept, step], MOST)
        gaps = np.diff(kept)
        assert kept[0] == 0 and kept[-1] == (n - 1) * 10 and len(kept) == min(n, MOST)
        assert gaps[:-1].max() <= 2 * gaps[:-1].min() if len(kept) > 2 else True


def test_a_series_of_many_steps_lets_go_of_maps_and_keeps_its_ends(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(series, "MOST", 4)
    for step in range(0, 70, 10):
        shutil.copytree(tiny_run, tmp_path / "new" / "run")
        series.keep_step(tmp_path / "item", tmp_path / "new" / "run", step)
        shutil.rmtree(tmp_path / "new")
    check_comparison(tmp_path / "item")
    with open_comparison(tmp_path / "item") as found:
        assert [member["step"] for member in found.info["members"]] == [0, 20, 40, 60]
    assert len(list((tmp_path / "item").glob("*/run.json"))) == 4


# What fails, and what is refused


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "error, words",
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "The device ran out of memory"),
        (RuntimeError("a kernel is missing"), "RuntimeError: a kernel is missing"),
    ],
)
def test_a_failure_is_a_warning_and_the_training_goes_on(
    tiny_folder, tmp_path, looks, monkeypatch, caplog, error, words
):
    real, calls = callback.extract, []

    def fails_at_step_two(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(callback, "extract", fails_at_step_two)
    alone = trainer_of(tiny_folder, tmp_path / "alone", max_steps=3)
    alone.train()
    trainer = trainer_of(tiny_folder, tmp_path / "out", [AttentionCallback(ITEMS[:1], 1, looks)], max_steps=3)
    with caplog.at_level(logging.WARNING, "attention"):
        trainer.train()
    said = [record.getMessage() for record in caplog.records if record.name.startswith("attention")]
    assert len(said) == 1 and said[0].startswith("Step 2 is not scored (item 1): ") and words in said[0]
    assert [line["step"] for line in trainer.state.log_history if SHARE in line] == [0, 1, 3]
    assert losses(trainer) == losses(alone)
    with open_comparison(looks / "item_1") as found:
        assert [member["step"] for member in found.info["members"]] == [0, 1, 3]


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "given, words",
    [
        (
            {"processing_class": "tokenizer"},
            r"processing_class is a \w+Tokenizer\w*, which reads no pictures.*processor=",
        ),
        ({"heads": [(7, 0)]}, r"no layer 7 head 0: .* \[0, 1, 2\], with heads 0 to 3"),
        ({"items": [Item(ITEMS[0].image, "what?", (0, 0, 9999, 9))]}, "leaves its picture"),
        ({"items": [Item("missing.png", "what?", (0, 0, 9, 9))]}, "missing.png"),
        ({"folder": "in use"}, "is not empty, and this training begins anew"),
    ],
)
def test_what_cannot_be_scored_is_said_before_the_first_step(tiny_folder, tmp_path, looks, caplog, given, words):
    if "folder" in given:
        looks.mkdir()
        (looks / "note.txt").write_text("mine")
    for strict in (False, True):
        watch = AttentionCallback(given.get("items", ITEMS), 1, looks, heads=given.get("heads", ()), strict=strict)
        trainer = trainer_of(tiny_folder, tmp_path / f"out {strict}", [watch], max_steps=1)
        if "processing_class" in given:
            trainer.callback_handler.processing_class = trainer.processing_class.tokenizer
        if strict:
            with pytest.raises(AttentionError, match=words):
                trainer.train()
            assert trainer.state.global_step == 0
            continue
        with caplog.at_level(logging.WARNING, "attention"):
            trainer.train()
        (said,) = (record.getMessage() for record in caplog.records if record.name.startswith("attention"))
        assert said.startswith("Nothing of this training is scored")
        assert trainer.state.global_step == 1 and len(losses(trainer)) == 1
        assert not any(SHARE in line for line in trainer.state.log_history)


def test_models_that_one_process_cannot_run_are_refused_by_name(tiny_folder, tmp_path):
    model = trainer_of(tiny_folder, tmp_path / "out", lora=False).model
    check_whole(model)
    tuned = get_peft_model(model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2, token_dim=48))
    with pytest.raises(UnsupportedModel, match="Prompt and prefix tuning put tokens"):
        check_whole(tuned)
    weight = next(model.parameters())
    weight.ds_id = 0  # as DeepSpeed marks them
    with pytest.raises(UnsupportedModel, match=r"DeepSpeed ZeRO-3.* Train with DDP or ZeRO-2"):
        check_whole(model)
    sharded = type("FullyShardedDataParallel", (torch.nn.Module,), {})()
    with pytest.raises(UnsupportedModel, match="FSDP"):
        check_whole(sharded)


def test_only_the_first_process_scores(tiny_folder, tmp_path, looks):
    trainer = trainer_of(tiny_folder, tmp_path / "out", [AttentionCallback(ITEMS, 1, looks, strict=True)], max_steps=1)

    class Second(TrainerCallback):
        def on_train_begin(self, args, state, control, **_):
            state.is_world_process_zero = False

    trainer.callback_handler.callbacks.insert(0, Second())
    trainer.train()
    assert not looks.exists() and losses(trainer)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"items": []}, "There is no item to score"),
        ({"items": ["cup.png"]}, "Item 1 cannot be scored. It is of type str; it must be an Item"),
        ({"every": 0}, "every is 0; it is a whole number of steps"),
        ({"every": True}, "every is True"),
        ({"heads": [3]}, r"heads has 3; each is a pair"),
        ({"heads": [(1, "a")]}, r"each is a pair \(layer, head\)"),
    ],
)
def test_settings_that_are_none_are_refused_at_once(looks, given, words):
    with pytest.raises(InvalidRequest, match=words):
        AttentionCallback(**{"items": ITEMS, "output_dir": looks, **given})


def test_the_package_is_imported_without_transformers():
    code = "import sys, attention; sys.exit('transformers' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert AttentionCallback.__mro__[1] is TrainerCallback


# A real one


@pytest.mark.slow
def test_the_bundled_model_learns_to_look_at_the_largest_object(tmp_path, looks):
    learns(tmp_path, looks, steps=12, n_items=2, rise=1.1, every=6, per_device_train_batch_size=4, learning_rate=6e-3)


@pytest.mark.full
def test_a_training_of_two_minutes(tmp_path, looks):
    learns(tmp_path, looks, steps=120, n_items=6, rise=1.5, every=8, per_device_train_batch_size=8, learning_rate=4e-3)


def learns(tmp_path, looks, steps, n_items, rise, every, **settings):
    """Train the bundled model as the adapter `largest` was, and watch the share in the largest object's box rise."""
    asked = questions(n_items, seed=demo.HELD_OUT_SEED)
    listener = Listener()
    watch = AttentionCallback([each.item for each in asked], every, looks, strict=True)
    trainer = trainer_of(
        POCKET, tmp_path / "out", [listener, watch], n=steps * settings["per_device_train_batch_size"],
        max_steps=steps, dropout=0.0, warmup_steps=steps // 10, gradient_checkpointing=False, **settings,
    )  # fmt: skip
    trainer.train()
    heard = [line for line in listener.heard if SHARE in line]
    curve = [(line["step"], line[SHARE], line["attention/answer_logprob"]) for line in heard]
    assert heard[-1]["attention/answer_logprob"] > heard[0]["attention/answer_logprob"] + 1, curve
    assert heard[-1][SHARE] > rise * heard[0][SHARE], curve
    for n in range(1, n_items + 1):
        check_comparison(looks / f"item_{n}")
        with open_comparison(looks / f"item_{n}") as found:
            shown = [member["step"] for member in found.info["members"]]
        assert (shown[0], shown[-1]) == (0, steps) and len(shown) == min(MOST, len(heard))
