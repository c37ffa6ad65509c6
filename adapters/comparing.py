"""Base and adapters run on one input and compared.

Owns what an adapter is as a member of a comparison. How members are run is the business of
`attention.comparisons.running`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention.capture.extraction import all_or_nothing
from attention.capture.inputs import Prepared
from attention.comparisons.comparison import Comparison
from attention.comparisons.running import Member, run_members
from attention.environment import new_run_folder
from attention.errors import InvalidRequest, LimitExceeded
from attention.limits import MAX_ADAPTERS, Limits
from attention.models.kept import LoadedModel
from attention.request import Request
from attention.runs.partial import PartialRun

from .attach import adapted, adapters_of
from .choosing import AdapterChoice
from .files import read_tensors
from .weight_change import weight_changes

NOT_SHOWN = ("keys", "modules", "copies", "also", "same")  # of a card: as many lines as the adapter has weights


def compare(
    request: Request,
    adapters: Sequence[AdapterChoice],
    output_dir: str | os.PathLike[str] | None = None,
    words: str | int = "base",
    limits: Limits | None = None,
) -> Comparison:
    """Run the base and one to twelve adapters on a request and keep all of it in `output_dir`.

    By default that is a new folder in the library of `python app.py`, as `extract` takes one.

    `words` says whose answer is read by all: `base` (the default), the number of an adapter from 1, or `own`: each its
    own, of which only what they have in common is compared. A request with an `answer` has it read by all. Raises
    AttentionError with a sentence that says what to do; nothing is left behind then.
    """
    partial = PartialRun.create(new_run_folder() if output_dir is None else output_dir)
    return Comparison(fill_comparison(request, adapters, partial, words, limits))


def fill_comparison(
    request: Request,
    adapters: Sequence[AdapterChoice],
    partial: PartialRun,
    words: str | int = "base",
    limits: Limits | None = None,
    prepared: Prepared | None = None,
) -> Path:
    """The whole job, into a folder that the caller has made; returns the finished folder, or leaves none.

    `prepared` are inputs that a forecast has made of this request.
    """
    with all_or_nothing(partial):
        _check(request, adapters)
    members = [adapter_member(number, choice) for number, choice in enumerate(adapters, 1)]
    return run_members(request, members, partial, words, limits, prepared)


def _check(request: Request, adapters: Sequence[AdapterChoice]) -> None:
    if not adapters:
        raise InvalidRequest("A comparison needs an adapter besides the base: choose one.")
    if len(adapters) > MAX_ADAPTERS:
        raise LimitExceeded(f"{len(adapters)} adapters were given; a comparison has {MAX_ADAPTERS} at most.")
    if request.adapter is not None:
        raise InvalidRequest("A comparison's adapters are given beside its request; leave the request's adapter out.")


def adapter_member(number: int, choice: AdapterChoice) -> Member:
    """An adapter as a member: switched on while it is run; its card, and how far it changes each weight."""

    def about(loaded: LoadedModel, model_type: str | None) -> dict[str, Any]:
        adapters = adapters_of(loaded)
        card = adapters.card(adapters.attach(choice))
        changes = weight_changes(card, read_tensors(choice.files), loaded.model, model_type)
        shown = {name: value for name, value in card.to_dict().items() if name not in NOT_SHOWN}
        return {"card": shown, "changes": [change.to_dict() for change in changes]}

    return Member(f"adapter_{number}", choice.record, adapted(choice), about)
