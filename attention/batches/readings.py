"""Readings that are made of every item: which may be asked for, what is asked of each run, and how they are made.

Owns what of an answer a batch may ask about: positions of tokens are each item's own, so that they are named as rows
are (`attention.scoring.names.ROWS`). A reading is made by the same function as for a single run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attention.capture.extraction import Adapted
from attention.errors import AttentionError, Cancelled, InvalidRequest, NotInRun, UnsupportedModel, quoted
from attention.kinds.kind import Kind, Making
from attention.kinds.relative import MOST_SIGNS
from attention.kinds.table import KINDS
from attention.limits import MOST_SIDES, Limits
from attention.readings.agreement import SIDES
from attention.readings.lens import ABOUT as OF_WORDS
from attention.readings.reading import Reading, check_asked_again, place_of
from attention.readings.relative import GENERAL
from attention.runs.partial import PartialRun
from attention.runs.run import Run
from attention.scoring.measuring import row_of

from .tables import AGREEMENT, FORECAST, LENS, OF_READINGS, RELATIVE

TARGETS = {
    "answer": "all tokens of the answer",
    "first": "its first token",
    "place": "the first digit of the place that it names",
}
USUAL: dict[str, dict[str, Any]] = {
    FORECAST: {"target": "answer"},
    RELATIVE: {"prompt": GENERAL},
    LENS: {},
    AGREEMENT: {"target": "answer", "sides": SIDES},
}
OF_AN_ANSWER = (FORECAST, AGREEMENT)
Asked = Mapping[str, Mapping[str, Any]]  # by its kind: what is asked of a reading, alike for every item
NO_ANSWER = "It has no answer, and {kind} is of one: let the model answer (mode generate), or give the line an answer."


def asked_readings(readings: Sequence[str] | Asked) -> dict[str, dict[str, Any]]:
    """Readings by their kinds, in the order of `OF_READINGS`, each with all that is asked of it.

    `readings` are kinds, or with what is asked otherwise than usual: {"forecast": {"target": "first"}}. Raises
    InvalidRequest.
    """
    given = readings if isinstance(readings, Mapping) else {kind: {} for kind in readings}
    for kind, asked in given.items():
        if kind not in USUAL:
            raise InvalidRequest(f"A batch makes no reading {quoted(kind)}; it makes {', '.join(USUAL)}.")
        _check(kind, {**USUAL[kind], **asked})
    return {kind: {**USUAL[kind], **given[kind]} for kind in OF_READINGS if kind in given}


def _check(kind: str, asked: Mapping[str, Any]) -> None:
    unknown = next((name for name in asked if name not in USUAL[kind]), None)
    if unknown is not None:
        has = ", ".join(USUAL[kind]) or "nothing"
        raise InvalidRequest(f"Of every item's {kind} {quoted(unknown)} is not asked; what is asked is {has}.")
    target, sides, prompt = (asked.get(name) for name in ("target", "sides", "prompt"))
    if "target" in asked and target not in TARGETS:
        raise InvalidRequest(f"The target is {quoted(target)}; it is {', '.join(TARGETS)}.")
    is_number = isinstance(sides, int) and not isinstance(sides, bool) and 2 <= sides <= MOST_SIDES
    if "sides" in asked and not is_number:
        raise InvalidRequest(f"sides is {quoted(sides)}; it must be from 2 to {MOST_SIDES} regions along each side.")
    if "prompt" in asked and not (isinstance(prompt, str) and prompt.strip() and len(prompt) <= MOST_SIGNS):
        raise InvalidRequest(
            f"The general question is {quoted(prompt)}; it must be a text of at most {MOST_SIGNS:,} characters."
        )


def lacks_answer(asked: Asked, mode: str) -> str | None:
    """The reason why an item that is read in this mode cannot be asked for these readings; None where it can."""
    kind = next((kind for kind in asked if kind in OF_AN_ANSWER), None)
    return NO_ANSWER.format(kind=f"its {kind}") if kind is not None and mode == "prefill" else None


def make_readings(
    run: Run, asked: Asked, loaded: Any, adapted: Adapted, partial: PartialRun, limits: Limits | None = None
) -> None:
    """Make the readings of a run beside it, by a model in memory and what makes it the run's member.

    Raises UnsupportedModel where it is the model of which one cannot be made, and what the kinds' `make` raises; the
    sentence says which reading it was.
    """
    for kind in asked:
        try:
            _check_model(run, kind)
            row, own = _of(run, kind, asked[kind])
            row.make(Making(run, own, None, partial, limits, adapted, loaded))
        except Cancelled:
            raise
        except AttentionError as error:
            error.args = (f"No {kind}: {error}", *error.args[1:])
            raise


def _check_model(run: Run, kind: str) -> None:
    """Raise UnsupportedModel for a run whose model is never asked this again: no item of it could be."""
    try:
        check_asked_again(run, OF_WORDS if kind == LENS else None)
    except InvalidRequest as error:
        raise UnsupportedModel(str(error)) from None


def open_readings(run: Run, asked: Asked) -> dict[str, Any]:
    """The readings of a run that were made of it, by their kinds."""
    found: dict[str, Reading] = {}
    for kind, of_all in asked.items():
        row, own = _of(run, kind, of_all)
        found[kind] = row.reader(run, place_of(run, row.name_of(run, own)))
    return found


def _of(run: Run, kind: str, asked: Mapping[str, Any]) -> tuple[Kind, dict[str, Any]]:
    """A kind, and what is asked of this run as the kind reads it."""
    fields = {name: value for name, value in asked.items() if name != "target"}
    if "target" in asked:
        fields["tokens"] = tokens_of(run, str(asked["target"]))
    return KINDS[kind], KINDS[kind].read(run, fields)


def tokens_of(run: Run, target: str) -> list[int] | None:
    """Positions of the tokens that a target names, None for all of the answer. Raises NotInRun where there is none."""
    if target == "answer":
        return None
    row, _ = row_of(run, target)
    if row + 1 >= len(run.info["tokens"]):
        raise NotInRun("There is no answer, and so no first token of it.")
    return [row + 1]
