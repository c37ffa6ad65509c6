"""Base, adapters and other models run on one input and compared.

Owns what an adapter is as a member of a comparison. How members are run is the business of
`attention.comparisons.running`, whole models that of `attention.comparisons.other_models`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention.capture.extraction import all_or_nothing
from attention.capture.forecast import download_reporter, forecast
from attention.capture.inputs import Prepared
from attention.comparisons.asked_beside import NOTHING, Beside, asked_beside
from attention.comparisons.comparison import Comparison
from attention.comparisons.members import Member
from attention.comparisons.other_models import ModelChoice, members_alone, model_members
from attention.comparisons.running import run_members
from attention.environment import new_run_folder
from attention.errors import InvalidRequest, LimitExceeded
from attention.limits import MAX_ADAPTERS, Limits
from attention.models.kept import LoadedModel
from attention.request import Request
from attention.runs.partial import PartialRun

from .attach import adapted, attached, from_job, paused, to_job
from .choosing import AdapterChoice, Choice
from .files import read_tensors
from .weight_change import weight_changes

NOT_SHOWN = ("keys", "modules", "copies", "also", "same")  # of a card: as many lines as the adapter has weights


def compare(
    request: Request,
    adapters: Sequence[Choice],
    output_dir: str | os.PathLike[str] | None = None,
    words: str | int = "base",
    limits: Limits | None = None,
    *,
    floors: str | Sequence[str] = (),
    paraphrases: Sequence[str] = (),
    parts: bool = False,
) -> Comparison:
    """Run the base and one to twelve others on a request and keep all of it in `output_dir`.

    By default that is a new folder in the library of `python app.py`, as `extract` takes one. The others are adapters,
    or whole models that read the same tokens, as `choose_members` gives them. One with other layers or heads than the
    base is shown side by side with it, and no change of heads is measured then.

    `words` says whose answer is read by all: `base` (the default), the number of another from 1, or `own`: each its
    own, of which what stands for each other is compared. A request with an `answer` has it read by all.

    `floors` are noise floors that changes are set beside (`Comparison.floor`): `zero` (the base once more), `dtype`
    (the base in another number format), `paraphrase` (the base asked the same in other words: `paraphrases`, else two
    of a table). With `parts` the change of each adapter's heads is told apart too: by a layer's own weights, and by
    what enters it (`Comparison.change(part=...)`). Each costs passes. Raises AttentionError with a sentence that says
    what to do; nothing is left behind then.
    """
    beside = asked_beside(floors, paraphrases, parts)
    partial = PartialRun.create(new_run_folder() if output_dir is None else output_dir)
    return Comparison(fill_comparison(request, adapters, partial, words, limits, beside=beside))


def fill_comparison(
    request: Request,
    adapters: Sequence[Choice],
    partial: PartialRun,
    words: str | int = "base",
    limits: Limits | None = None,
    prepared: Prepared | None = None,
    beside: Beside = NOTHING,
) -> Path:
    """The whole job, into a folder that the caller has made; returns the finished folder, or leaves none.

    `prepared` are inputs that a forecast has made of this request, `beside` is what is measured beside the members.
    """
    with all_or_nothing(partial):
        _check(request, adapters)
        models = [(number, each) for number, each in enumerate(adapters, 1) if isinstance(each, ModelChoice)]
        others: dict[int, Member] = {}
        if models:
            if prepared is None:
                prepared = forecast(request, limits, download_reporter(partial)).prepared
            others = model_members(models, request, prepared.pictures, prepared, limits, download_reporter(partial))
    return run_members(request, _in_order(adapters, others), partial, words, limits, prepared, beside=beside)


def choice_to_job(choice: Choice) -> dict[str, Any]:
    """A choice as plain data, as it crosses a process border."""
    return {"model": choice.id, "dtype": choice.dtype} if isinstance(choice, ModelChoice) else to_job(choice)


def choice_from_job(record: dict[str, Any]) -> Choice:
    """The same choice. Raises AdapterRefused when an adapter's files are no longer what was checked."""
    return ModelChoice(record["model"], record["dtype"]) if "model" in record else from_job(record)


def _check(request: Request, adapters: Sequence[Choice]) -> None:
    if not adapters:
        raise InvalidRequest("A comparison needs an adapter or another model besides the base: choose one.")
    if len(adapters) > MAX_ADAPTERS:
        raise LimitExceeded(f"{len(adapters)} were given to compare; a comparison has {MAX_ADAPTERS} at most.")
    if request.adapter is not None:
        raise InvalidRequest("A comparison's adapters are given beside its request; leave the request's adapter out.")


def members_of(choices: Sequence[Choice], request: Request) -> list[Member]:
    """Adapters and whole models as members, in their order, as `attention.score_items` takes them beside the base.

    `request` is that of the set. No token and no head of a whole model need stand for one of the base's.
    """
    models = [(number, each) for number, each in enumerate(choices, 1) if isinstance(each, ModelChoice)]
    others = members_alone(models, request)
    return _in_order(choices, others)


def _in_order(choices: Sequence[Choice], others: dict[int, Member]) -> list[Member]:
    """Members of adapters, and those of whole models by their numbers."""
    return [
        adapter_member(number, each) if isinstance(each, AdapterChoice) else others[number]
        for number, each in enumerate(choices, 1)
    ]


def adapter_member(number: int, choice: AdapterChoice) -> Member:
    """An adapter as a member: switched on while it is run; its card, and how far it changes each weight."""

    def about(loaded: LoadedModel, model_type: str | None) -> dict[str, Any]:
        with attached(choice, loaded) as (adapters, name):
            card = adapters.card(name)
            changes = weight_changes(card, read_tensors(choice.files), loaded.model, model_type)
        shown = {name: value for name, value in card.to_dict().items() if name not in NOT_SHOWN}
        return {"card": shown, "changes": [change.to_dict() for change in changes]}

    return Member(f"adapter_{number}", choice.record, adapted(choice), about, off=paused)
