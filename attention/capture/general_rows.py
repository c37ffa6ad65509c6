"""A general question about a run's pictures, put to its model: the rows over which the run's own are set.

Owns the job and its proof. Both questions begin alike, with all that comes before their first other word; what a model
computes of that is the same in both passes, layer by layer, where no token reads what comes after it. Where it does,
the run's own question is read once more and held against the run.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attention.errors import CaptureError, InvalidRequest, quoted
from attention.limits import Limits
from attention.readings.relative import (
    FILE,
    FLOOR,
    GENERAL,
    KIND,
    Relative,
    answering,
    check_same_cells,
    name_of,
    rows_of,
    source_of,
    towers_of,
)
from attention.request import Request
from attention.runs.partial import SUFFIX, PartialPart, PartialRun
from attention.runs.run import Run, open_run

from .asked_again import asked_again, check_adapter, request_of
from .extraction import Adapted, all_or_nothing, fill
from .kept_reading import commit_reading, found_or_made
from .layer_writer import save_tensors
from .plan import plan_towers
from .same_pass import EQUAL, EQUAL_16, FACTORS, SamePass

ONCE_MORE = "general"  # the run of the general question, for the time of the job


def read_relative(
    run: Run,
    prompt: str = GENERAL,
    *,
    model=None,
    processor=None,
    limits: Limits | None = None,
    folder: str | os.PathLike | None = None,
    partial: PartialRun | None = None,
    adapted: Adapted | None = None,
) -> Relative:
    """Set a run's rows over those of a general question about the same pictures; its rows are kept beside the run.

    A run that asks the general question itself is set over itself: every ratio is 1. Raises NotInRun for a run without
    a picture's place, CaptureError where the model computes something else than the run has, and what `extract` raises.
    """
    check_prompt(prompt)

    def make(own: PartialRun, given) -> Path:
        return fill_relative(run, prompt, own, given, limits, adapted)

    place = found_or_made(run, name_of(prompt), folder, make, model, processor, partial)
    found = Relative(run, place)
    if found.prompt != prompt:
        raise InvalidRequest(f"{place.name} has another general question. Name another folder.")
    return found


def check_prompt(prompt: Any) -> None:
    """Raise InvalidRequest for what is no question."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidRequest(f"The general question is {quoted(prompt)}; it must be a text, such as {quoted(GENERAL)}.")


def fill_relative(
    run: Run, prompt: str, partial: PartialRun, model=None, limits: Limits | None = None, adapted: Adapted | None = None
) -> Path:
    """The whole job, into a folder that the caller has made; returns the finished reading's folder, or leaves none."""
    with all_or_nothing(partial):
        began = time.perf_counter()
        towers = towers_of(run)
        check_adapter(run, model, adapted)
        request, limits = general_request(run, prompt), limits and limits.of_kept_pictures()
        is_same = request.conversation() == run.info["messages"]
        if is_same:
            rows, proof = {tower: rows_of(run, tower) for tower in towers}, "same"
        else:
            place = partial.folder / (ONCE_MORE + SUFFIX)
            done = fill(request, PartialPart(place, partial), model, limits, adapted)
            with open_run(done) as general:
                check_same_cells(run, general)
                rows = {tower: rows_of(general, tower) for tower in towers}
                proof = "shared" if shares_its_beginning(run, general) else ""
            shutil.rmtree(done)
            if not proof:
                check_own_pass(run, partial, model, limits, adapted)
                proof = "own pass"
        tables = {tower: torch.from_numpy(np.ascontiguousarray(values)) for tower, values in rows.items()}
        save_tensors(tables, partial.folder / FILE)
        fields = {
            "prompt": prompt, "query": answering(run), "floor": FLOOR, "proof": proof, "target": None,
            "towers": {tower: {"cells": values.shape[-1]} for tower, values in rows.items()},
        }  # fmt: skip
        return commit_reading(partial, run, KIND, began, fields)


def general_request(run: Run, prompt: str) -> Request:
    """The request of a run with a general question in place of its own, and no turns before it.

    System messages stay, and pictures in their order; the question takes the place of the first words about them.
    """
    asked = request_of(run)
    messages = asked.conversation()
    entries = [entry for message in messages if message["role"] == "user" for entry in message["content"]]
    kept: list[dict] = []
    is_asked = False
    for entry in entries:
        if entry["type"] != "text":
            kept.append(entry)
        elif not is_asked:
            kept.append({"type": "text", "text": prompt})
            is_asked = True
    system = [message for message in messages if message["role"] == "system"]
    return replace(asked, messages=[*system, {"role": "user", "content": kept}], vision=False)


def shares_its_beginning(run: Run, general: Run) -> bool:
    """True where both passes computed the same of the tokens with which both begin, pictures among them."""
    if general.info["model"]["dtype"] != run.info["model"]["dtype"]:
        raise CaptureError(
            f"The model computes in {general.info['model']['dtype']} and the run's did in "
            f"{run.info['model']['dtype']}: their rows are not to be set over each other. Load it in the run's dtype."
        )
    pairs = zip(run.info["tokens"], general.info["tokens"], strict=False)
    n = len(list(takewhile(lambda pair: pair[0]["id"] == pair[1]["id"], pairs)))
    last = max((token["index"] for token in run.info["tokens"] if token["grid"] is not None), default=n)
    towers = [tower for tower in run.towers() if source_of(run, tower) == "factors" and run.keys_are_tokens(tower)]
    if n <= last or not towers:
        return False
    most = EQUAL if run.info["model"]["dtype"] == "float32" else EQUAL_16
    for tower in towers:
        for layer in run.layers(tower):
            for name in FACTORS:
                kept, now = (each.factor(name, layer, tower)[:, :n] for each in (run, general))
                if not np.linalg.norm(now - kept) <= most * np.linalg.norm(kept):
                    return False
    return True


def check_own_pass(
    run: Run, partial: PartialRun, model=None, limits: Limits | None = None, adapted: Adapted | None = None
) -> None:
    """Read the run's own question once more. Raises CaptureError where the model computes other queries and keys."""
    with asked_again(run, partial, model, limits, adapted) as asked:
        plans = plan_towers(asked.loaded, asked.inputs, asked.first, False, asked.limits)
        with SamePass(asked, plans):
            asked.logits()
