"""A callback that watches where a model looks while it is trained: region numbers and maps, every N steps.

    from attention import AttentionCallback, Item

    items = [Item("kitchen.png", "Where is the cup?", place=(40, 60, 120, 150))]
    watch = AttentionCallback(items, every=100, output_dir="looks", heads=[(18, 3)])
    trainer = Trainer(model, args, train_dataset=data, processing_class=processor, callbacks=[watch])
    trainer.train()

The same with TRL's `SFTTrainer` and others. The numbers go to whatever the trainer reports to (`report_to`), and into
`looks/steps.jsonl`; `python app.py looks` opens the maps as a series with a curve over the steps.

Owns when a model is scored, what is told of it, and that the training goes on as if nothing had been: modes, hooks,
random states, gradients, autocast. Runs are made by `attention.capture`, measures taken by `attention.runs.regions`.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback
from transformers.trainer_callback import CallbackHandler

from attention.capture.extraction import extract
from attention.environment import new_run_folder
from attention.errors import InvalidRequest, fault, quoted, shown_path, words_for
from attention.limits import Limits
from attention.models.kept import LoadedModel
from attention.models.loading import wrap
from attention.models.undisturbed import check_whole, undisturbed
from attention.request import Request
from attention.runs.regions import Region, RegionScores, region_scores
from attention.runs.run import Run

from .checked import CheckedItem, check_items
from .items import BadItem, Item
from .measuring import outcome
from .series import STEPS, keep_step, write_step

UNFINISHED = ".unfinished"  # runs that are being made; a library does not look there

log = logging.getLogger(__name__)


class AttentionCallback(TrainerCallback):
    """Score some items every N steps of a training, log the numbers and keep the maps as a series.

    `items` are questions whose place on the picture is known; an item's answer, where it has one, is read with its
    prompt, and the row that is measured is the one that predicts the answer's first token. The model is scored before
    the first step, every `every` steps and after the last one, on the process with rank zero, without autocast: the
    numbers are those that `extract` gives for these weights. `output_dir` is by default a new folder in the library of
    `python app.py`. `processor` is needed where the trainer's `processing_class` is a tokenizer alone. `heads` are
    [(layer, head)] whose own numbers are logged. With `max_new_tokens` the model itself answers items without an
    answer, by at most so many tokens. `vision` keeps the vision tower's maps too.

    Logged, each a mean over the items: `attention/region_share/mean` (all heads), `.../best_head` (the head with the
    most), `.../chance` (what a row that reads every cell alike would give), `.../L3H1` (a named head);
    `attention/answer_logprob` (of the given answers' tokens, nats); `attention/answer_hits` (of the model's own answers
    those that name the item's place, as `measuring.outcome` judges; uncertain ones are left out).

    A failure is logged as one warning and the training goes on; a failure of the first scoring ends the watching, as
    later ones would fail alike. With `strict` both are raised. Raises InvalidRequest at once for what is no item.
    """

    def __init__(
        self,
        items: Sequence[Item],
        every: int = 100,
        output_dir: str | os.PathLike[str] | None = None,
        processor: Any = None,
        heads: Sequence[tuple[int, int]] = (),
        *,
        max_new_tokens: int | None = None,
        model_type: str | None = None,
        vision: bool = False,
        strict: bool = False,
    ):
        self.items, self.heads = list(items), list(heads)
        _check_settings(self.items, every, self.heads)
        self.every, self.processor, self.strict = every, processor, strict
        self.folder = new_run_folder() if output_dir is None else Path(output_dir)
        self.model_type, self.vision, self.max_new_tokens = model_type, vision, max_new_tokens
        self._handler: CallbackHandler | None = None
        self._is_on = False
        self._scored: int | None = None  # the last step that was tried

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, processing_class: Any = None, **_: Any
    ) -> None:
        """Check model, processor and folder, and score the model as it begins."""
        self._is_on, self._scored = state.is_world_process_zero, None
        if not self._is_on:
            return
        self._handler = _calling_handler()
        if self._handler is None:
            log.warning("The trainer's loggers cannot be reached: region numbers go into %s alone.", STEPS)

        def begin() -> None:
            self._check(state, model, processing_class)
            self._score(args, state, control, model)

        self._is_on = self._guarded("Nothing of this training is scored", begin)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Score every N steps, and after the last one."""
        if self._is_on and (state.global_step % self.every == 0 or state.global_step >= state.max_steps):
            self._guarded(f"Step {state.global_step} is not scored", lambda: self._score(args, state, control, model))

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Score where training ended early; not where the weights of a better checkpoint have been loaded since."""
        is_another = args.load_best_model_at_end and state.best_model_checkpoint is not None
        if self._is_on and self._scored != state.global_step and not is_another:
            self._handler = None  # loggers have closed by now
            self._guarded(f"Step {state.global_step} is not scored", lambda: self._score(args, state, control, model))
        self._is_on = False

    def _guarded(self, what: str, job: Callable[[], None]) -> bool:
        """Do a job that must not stop the training; False where it failed, which is said."""
        try:
            job()
        except Exception as error:
            if self.strict:
                raise
            where = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
            log.warning("%s%s: %s", what, where, words_for(error) or fault(error, in_detail=True))
            return False
        return True

    def _check(self, state: Any, model: Any, processing_class: Any) -> None:
        """Refuse what cannot be scored before the first step."""
        self._processor = _processor_of(self.processor, processing_class)
        self._checked = _check_pictures(self.items)
        check_whole(model)
        with lent(model) as own:
            _check_heads(self.heads, wrap(own, self.model_type, self._processor))
        if state.global_step == 0 and self.folder.exists() and any(self.folder.iterdir()):
            raise InvalidRequest(
                f"{shown_path(self.folder)} is not empty, and this training begins anew. Give another output_dir."
            )

    def _score(self, args: Any, state: Any, control: Any, model: Any) -> None:
        """Make a run of each item, measure it, tell the numbers, and add its maps to the item's series."""
        new, self._scored = self.folder / UNFINISHED, state.global_step
        shutil.rmtree(new, ignore_errors=True)  # of a training that was ended in the middle
        try:
            with lent(model) as own:
                found = [self._read(own, item, new / f"run_{n}", n) for n, item in enumerate(self._checked, 1)]
            self._tell(args, state, control, _numbers(found, self.heads))
            line = {"step": state.global_step, "epoch": state.epoch, "layers": found[0].scores.layers}
            write_step(self.folder / STEPS, line | {"items": [each.to_dict() for each in found]})
            for n in range(1, len(self.items) + 1):
                keep_step(self.folder / f"item_{n}", new / f"run_{n}", state.global_step)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _read(self, own: torch.nn.Module, checked: CheckedItem, folder: Path, n: int) -> ItemScores:
        """Run an item and measure its place; what fails says which item it was."""
        item, how = checked.item, dict[str, Any]()
        if self.max_new_tokens is not None:
            how = {"mode": "generate", "max_new_tokens": self.max_new_tokens}
        try:
            request = Request(
                item.image, item.prompt, model_type=self.model_type, answer=item.answer, vision=self.vision, **how
            )
            model = own if self._processor is None else (own, self._processor)
            with extract(request, folder, model) as run:
                return _measured(run, checked)
        except Exception as error:
            error.add_note(f"item {n}")
            raise

    def _tell(self, args: Any, state: Any, control: Any, numbers: dict[str, float]) -> None:
        """Tell every logger of the trainer.

        Not by `trainer.log`: TRL's trainers write with it, and forget, what they have counted since they logged last.
        The trainer's own control is left alone: a log switches off the one that is due.
        """
        logs = numbers if state.epoch is None else {**numbers, "epoch": state.epoch}
        state.log_history.append({**logs, "step": state.global_step})
        if self._handler is not None:
            self._handler.on_log(args, state, copy.copy(control), logs)


@dataclass(frozen=True)
class ItemScores:
    """Numbers of one item at one step; None for what was not asked of it."""

    name: str
    scores: RegionScores
    answer_logprob: float | None
    answer_hits: bool | None

    def to_dict(self) -> dict[str, Any]:
        """One item as the file of scores has it: shares [layers, heads], None where a head reads no picture."""
        share = self.scores.tables["region_share"].tolist()
        table = [[None if math.isnan(value) else round(value, 5) for value in heads] for heads in share]
        return {
            "name": self.name, "region_share": table, "chance": self.scores.uniform,
            "answer_logprob": self.answer_logprob, "answer_hits": self.answer_hits,
        }  # fmt: skip


def _measured(run: Run, checked: CheckedItem) -> ItemScores:
    """Measure a run of an item, in the row that predicts its answer's first token."""
    info, tower = run.info, run.picture_tower()
    region = Region(checked.place, label=checked.item.name)
    scores = region_scores(run, region, info["prompt_tokens"] - 1, tower)
    if info["forced"]:
        return ItemScores(region.label, scores, float(np.mean(info["logprobs"])), None)
    named = outcome(info, checked.place) if info["mode"] == "generate" else "uncertain"
    return ItemScores(region.label, scores, None, None if named == "uncertain" else named == "hit")


def _numbers(found: Sequence[ItemScores], heads: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Means over the items, as they are logged; what has no value is left out."""
    share = _mean([each.scores.tables["region_share"] for each in found])
    layers = found[0].scores.layers
    numbers = {
        "region_share/mean": _mean(share.ravel()),
        "region_share/best_head": np.nanmax(share) if np.isfinite(share).any() else np.nan,
        "region_share/chance": _mean([each.scores.uniform for each in found]),
        **{f"region_share/L{layer}H{head}": share[layers.index(layer), head] for layer, head in heads},
        "answer_logprob": _mean([each.answer_logprob for each in found]),
        "answer_hits": _mean([each.answer_hits for each in found]),
    }
    return {f"attention/{name}": float(value) for name, value in numbers.items() if not np.isnan(value)}


def _mean(values: Any) -> Any:
    """The mean over the first axis of what is neither NaN nor None, in float64; NaN where nothing is."""
    values = np.asarray(values, np.float64)
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)


# The model as it is while it is trained


@contextlib.contextmanager
def lent(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """A model in training lent for reading, unwrapped and without autocast, and given back as it was, come what may."""
    from accelerate.utils import extract_model_from_parallel

    with undisturbed(model):
        own = extract_model_from_parallel(model, keep_fp32_wrapper=False, keep_torch_compile=False)
        for module in own.modules():
            module.__dict__.pop("_compiled_call_impl", None)
        yield own


def _calling_handler() -> CallbackHandler | None:
    """The trainer's handler, found among those who are calling: it alone reaches all loggers, and no event names it."""
    frame = inspect.currentframe()
    while frame is not None:
        if isinstance(owner := frame.f_locals.get("self"), CallbackHandler):
            return owner
        frame = frame.f_back
    return None


# What is refused


def _check_settings(items: Sequence[Any], every: Any, heads: Sequence[Any]) -> None:
    if not items:
        raise InvalidRequest("There is no item to score. Give some, as Item(image, prompt, place).")
    for n, item in enumerate(items, 1):
        if not isinstance(item, Item):
            reason = getattr(item, "reason", None) or f"It is of type {type(item).__name__}; it must be an Item."
            raise InvalidRequest(f"Item {n} cannot be scored. {reason}")
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise InvalidRequest(f"every is {quoted(every)}; it is a whole number of steps, from 1.")
    for pair in heads:
        is_pair = isinstance(pair, tuple | list) and len(pair) == 2
        if not is_pair or not all(isinstance(n, int) and not isinstance(n, bool) for n in pair):
            raise InvalidRequest(f"heads has {quoted(pair)}; each is a pair (layer, head) of whole numbers.")


def _check_pictures(items: Sequence[Item]) -> list[CheckedItem]:
    """The items with their pictures looked at. Raises InvalidRequest for the first that cannot be used."""
    checked = check_items(items, Limits())
    for n, item in enumerate(checked, 1):
        if isinstance(item, BadItem):
            raise InvalidRequest(f"Item {n} cannot be scored. {item.reason}")
    return [item for item in checked if isinstance(item, CheckedItem)]


def _processor_of(given: Any, processing_class: Any) -> Any:
    """The processor that is given, else the trainer's; None where the model's own folder is to be asked."""
    if given is not None or processing_class is None:
        return given
    if not hasattr(processing_class, "image_processor"):
        raise InvalidRequest(
            f"The trainer's processing_class is a {type(processing_class).__name__}, which reads no pictures. Give the "
            "callback the model's whole processor: processor=AutoProcessor.from_pretrained(...)."
        )
    return processing_class


def _check_heads(heads: Sequence[tuple[int, int]], loaded: LoadedModel) -> None:
    towers = loaded.family.towers(loaded.model.config)
    shape = towers.get("cross") or towers["language"]
    for layer, head in heads:
        if layer not in shape.layers or not 0 <= head < shape.heads:
            raise InvalidRequest(
                f"There is no layer {layer} head {head}: the layers with softmax attention are "
                f"{quoted(list(shape.layers))}, with heads 0 to {shape.heads - 1} each."
            )
