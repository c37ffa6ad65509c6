"""Run the members of a comparison on one input, one after the other.

Owns the order of the steps. The runs are made by `attention.capture`; what lies between them is measured and written by
`writing`. A member says by itself how the model becomes its own, and what is known of it: this module knows no adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attention.capture.extraction import Extraction, all_or_nothing
from attention.capture.inputs import Prepared
from attention.errors import InvalidRequest, quoted
from attention.limits import Limits
from attention.models.kept import LoadedModel
from attention.request import Request
from attention.runs.partial import PartialRun

from .comparison import BASE
from .writing import common_length, write_comparison

WORDS = ("base", "own")  # or the number of a member after the base, from 1


@dataclass(frozen=True)
class Member:
    """One model of a comparison, made of the base in memory for a while.

    `folder` names its run; `adapter` is its record in comparison.json, None of the base. Within `on(loaded)` the model
    in memory is the member; what that gives is what the run's own run.json says of it. `about(loaded, model_type)` is
    what is known of it besides, as further fields of its record.
    """

    folder: str
    adapter: dict[str, Any] | None
    on: Callable[[LoadedModel], AbstractContextManager[dict[str, Any] | None]]
    about: Callable[[LoadedModel, str | None], dict[str, Any]]


BASE_ITSELF = Member(BASE, None, lambda loaded: nullcontext(), lambda loaded, model_type: {})


def run_members(
    request: Request,
    others: Sequence[Member],
    partial: PartialRun,
    words: str | int = "base",
    limits: Limits | None = None,
    prepared: Prepared | None = None,
) -> Path:
    """Run the base and other members, into a folder that the caller has made; return the finished folder.

    `words` says whose answer is read by all: `base`, the number of a member from 1, or `own`: each its own, of which
    only what they have in common is compared. A request with an `answer` has it read by all. `prepared` are inputs
    that a forecast has made of this request. Raises AttentionError with a sentence that says what to do; nothing is
    left behind then.
    """
    words = int(words) if isinstance(words, str) and words.isdigit() else words
    with all_or_nothing(partial):
        _check_words(words, len(others))
        members, n_shared = _run_all(request, [BASE_ITSELF, *others], partial, words, limits, prepared)
        return write_comparison(partial, members, n_shared, words if request.answer is None else "typed")


def _check_words(words: str | int, n_others: int) -> None:
    is_member = isinstance(words, int) and not isinstance(words, bool) and 1 <= words <= n_others
    if words not in WORDS and not is_member:
        raise InvalidRequest(
            f"The words to read are {quoted(words)}; they are base, own, or the number of an adapter, 1 to {n_others}."
        )


class _MemberRun(PartialRun):
    """One run of a comparison while it is being written: told of, and stopped, through the whole."""

    def __init__(self, folder: Path, whole: PartialRun):
        super().__init__(folder)
        self._whole = whole
        self.folder.mkdir(mode=0o700)

    def report(self, *args: Any, **kwargs: Any) -> None:
        self._whole.report(*args, **kwargs)

    @property
    def is_cancelled(self) -> bool:
        return self._whole.is_cancelled


def _run_all(
    request: Request,
    members: Sequence[Member],
    partial: PartialRun,
    words: str | int,
    limits: Limits | None,
    prepared: Prepared | None,
) -> tuple[list[dict[str, Any]], int]:
    """Make every run, one pass over prompt and answer each.

    Returns the members of comparison.json, and how many tokens of the answers they have in common.
    """
    with Extraction(request, partial, limits=limits, prepared=prepared) as extraction:
        loaded = extraction.loaded
        said: list[list[int]] = []
        for member in members:
            if request.answer is not None and said:
                said.append(said[0])
                continue
            with member.on(loaded):
                said.append(extraction.answer())
        read = said if words == "own" else [said[words if isinstance(words, int) else 0]] * len(said)
        records = []
        for member, own, ids in zip(members, said, read, strict=True):
            folder = _MemberRun(partial.folder / f"{member.folder}.partial", partial)
            with member.on(loaded) as record:
                is_forced = request.answer is not None or ids is not own
                extraction.keep(folder, ids, record, is_forced)
            known = {"folder": member.folder, "adapter": member.adapter, "answer": extraction.text(own)}
            records.append(known | member.about(loaded, request.model_type))
    return records, common_length(read)
