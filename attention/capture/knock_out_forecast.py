"""Forecast of knock-outs: one forward and one backward pass over a run's sequence, into a folder beside the run.

Owns the job: its folder, the check that the pass is the run's own, and the index of what is kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from attention.errors import InvalidRequest, quoted
from attention.limits import Limits
from attention.readings.cost import cost_of_forecast
from attention.readings.forecast import KIND, Forecast
from attention.readings.target import Target
from attention.runs.partial import PartialRun
from attention.runs.run import Run

from .asked_again import asked_again
from .backward import Differentiable, check_same, frozen, value_of, write_gradients
from .extraction import Adapted, all_or_nothing
from .kept_reading import commit_reading, found_or_made
from .plan import plan_towers
from .vocabulary import spelled


def forecast_knock_outs(
    run: Run,
    tokens: int | Sequence[int] | None = None,
    against: int | None = None,
    *,
    towers: Sequence[str] = ("language",),
    model=None,
    processor=None,
    limits: Limits | None = None,
    folder: str | os.PathLike | None = None,
    partial: PartialRun | None = None,
    adapted: Adapted | None = None,
) -> Forecast:
    """Forecast what an answer's log-probability would lose if places or heads of a run were not read.

    One forward and one backward pass of the run's model, which is loaded by its name unless the caller gives it (as to
    `extract`). `tokens` are positions of the answer (default: all of it); with `against`, an id of the vocabulary, the
    difference of two logits is asked about. `towers` are those whose layers are differentiated. The result lies beside
    the run, or in `folder`, and is found there when it is asked for again. `partial` is the job that waits for it:
    where progress is told and a stop is asked for; `adapted` switches the run's adapter on.

    Raises InvalidRequest for a token that is none of the answer, CaptureError where the model does not read what the
    run says, and what `extract` raises.
    """
    target = Target.of(run, tokens, against)
    towers = _towers(run, towers)

    def fill(own: PartialRun, given) -> Path:
        return fill_forecast(run, target, towers, own, given, limits, adapted)

    place = found_or_made(run, target.name(KIND, towers), folder, fill, model, processor, partial)
    return Forecast(run, place).asked_for(target, towers)


def fill_forecast(
    run: Run,
    target: Target,
    towers: Sequence[str],
    partial: PartialRun,
    model=None,
    limits: Limits | None = None,
    adapted: Adapted | None = None,
) -> Path:
    """The whole job, into a folder that the caller has made; returns the finished reading's folder, or leaves none."""
    cost = cost_of_forecast(run, towers)
    with all_or_nothing(partial), asked_again(run, partial, model, limits, adapted, cost) as asked:
        vocabulary = asked.loaded.model.get_output_embeddings().weight.shape[0]
        if target.against is not None and target.against >= vocabulary:
            raise InvalidRequest(
                f"The other token is {target.against}; the model's vocabulary has {vocabulary:,} tokens."
            )
        plans = plan_towers(asked.loaded, asked.inputs, asked.first, "vision" in towers, asked.limits)
        plans = {name: plan for name, plan in plans.items() if name in towers}
        total = sum(len(plan.modules) for plan in plans.values())

        began = time.perf_counter()
        with torch.inference_mode(False), torch.enable_grad(), frozen(asked.loaded.model):
            with Differentiable(plans, partial.steps("capture", total), partial.check_cancelled) as passed:
                logits = asked.logits()[0]
            difference = check_same(asked, passed.passed)
            value = value_of(target, logits, asked.ids, asked.first)
            partial.check_cancelled()
            records = write_gradients(passed.passed, value, partial.folder)
        fields = {
            "target": target.to_dict(), "value": float(value.detach()), "towers": records, "difference": difference,
        }  # fmt: skip
        if target.against is not None:  # for people
            texts, _ = spelled(asked.loaded.processor.tokenizer, [target.against])
            fields["other"] = texts[target.against]
        return commit_reading(partial, run, KIND, began, fields)


def _towers(run: Run, towers: Sequence[str]) -> list[str]:
    unknown = [tower for tower in towers if tower not in run.towers()]
    if unknown or not towers:
        has = ", ".join(run.towers())
        raise InvalidRequest(f"There is no tower {quoted(unknown[0] if unknown else '')} in this run; it has {has}.")
    return [tower for tower in run.towers() if tower in towers]
