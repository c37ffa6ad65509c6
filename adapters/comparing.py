"""Run base and adapters on one input, one after the other, and write what lies between them.

Owns the order of the steps and the content of comparison.json. The runs are made by `attention.capture`, adapters are
switched by `attach`, measures are taken by `attention.comparisons`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from attention.capture.extraction import Extraction, all_or_nothing
from attention.comparisons.comparison import BASE, FORMAT, INDEX, TABLES, Comparison, compared_rows, measure
from attention.errors import InvalidRequest, LimitExceeded, quoted
from attention.limits import MAX_ADAPTERS, Limits
from attention.measures import differences
from attention.request import Request
from attention.runs.partial import PartialRun
from attention.runs.run import Run

from .attach import adapted, adapters_of
from .choosing import AdapterChoice
from .files import read_tensors
from .weight_change import weight_changes

NOT_SHOWN = ("keys", "modules", "copies", "also", "same")  # of a card: as many lines as the adapter has weights
WORDS = ("base", "own")  # or the number of an adapter, from 1


def compare(
    request: Request,
    adapters: Sequence[AdapterChoice],
    output_dir: str | os.PathLike,
    words: str | int = "base",
    limits: Limits | None = None,
) -> Comparison:
    """Run the base and one to twelve adapters on a request and keep all of it in `output_dir`.

    `words` says whose answer is read by all: `base` (the default), the number of an adapter from 1, or `own`: each its
    own, of which only what they have in common is compared. A request with an `answer` has it read by all. Raises
    AttentionError with a sentence that says what to do; nothing is left behind then.
    """
    partial = PartialRun.create(output_dir)
    return Comparison(fill_comparison(request, adapters, partial, words, limits))


def fill_comparison(
    request: Request,
    adapters: Sequence[AdapterChoice],
    partial: PartialRun,
    words: str | int = "base",
    limits: Limits | None = None,
) -> Path:
    """The whole job, into a folder that the caller has made; returns the finished folder, or leaves none."""
    words = int(words) if isinstance(words, str) and words.isdigit() else words
    with all_or_nothing(partial):
        _check(request, adapters, words)
        members, n_shared = _run_all(request, adapters, partial, words, limits)
        return _write(partial, members, n_shared, words if request.answer is None else "typed")


def _check(request: Request, adapters: Sequence[AdapterChoice], words: str | int) -> None:
    if not adapters:
        raise InvalidRequest("A comparison needs an adapter besides the base: choose one.")
    if len(adapters) > MAX_ADAPTERS:
        raise LimitExceeded(f"{len(adapters)} adapters were given; a comparison has {MAX_ADAPTERS} at most.")
    is_number = isinstance(words, int) and not isinstance(words, bool)
    if words not in WORDS and not (is_number and 1 <= words <= len(adapters)):
        raise InvalidRequest(
            f"The words to read are {quoted(words)}; they are base, own, or the number of an adapter, "
            f"1 to {len(adapters)}."
        )
    if request.adapter is not None:
        raise InvalidRequest("A comparison's adapters are given beside its request; leave the request's adapter out.")


class _Member(PartialRun):
    """One run of a comparison while it is being written: told of, and stopped, through the whole."""

    def __init__(self, folder: Path, whole: PartialRun):
        super().__init__(folder)
        self._whole = whole
        self.folder.mkdir(mode=0o700)

    def report(self, *args, **kwargs) -> None:
        self._whole.report(*args, **kwargs)

    @property
    def is_cancelled(self) -> bool:
        return self._whole.is_cancelled


def _run_all(request, adapters, partial, words, limits) -> tuple[list[dict], int]:
    """Make every run, one pass over prompt and answer each.

    Returns the members of comparison.json, and how many tokens of the answers they have in common.
    """
    names = [BASE, *(f"adapter_{n}" for n in range(1, len(adapters) + 1))]
    choices = [None, *adapters]
    with Extraction(request, partial, limits=limits) as extraction:

        def member(choice: AdapterChoice | None) -> AbstractContextManager[dict | None]:
            return adapted(choice)(extraction.loaded)

        said: list[list[int]] = []
        for choice in choices:
            if request.answer is not None and said:
                said.append(said[0])
                continue
            with member(choice):
                said.append(extraction.answer())
        read = said if words == "own" else [said[0 if words == "base" else words]] * len(said)
        members = []
        for name, choice, own, ids in zip(names, choices, said, read, strict=True):
            folder = _Member(partial.folder / f"{name}.partial", partial)
            with member(choice) as record:
                is_forced = request.answer is not None or ids is not own
                extraction.keep(folder, ids, record, is_forced)
            members.append(
                {
                    "folder": name,
                    "adapter": choice and choice.record,
                    "answer": extraction.text(own),
                    **_known(choice, extraction),
                }
            )
    return members, _common_length(read)


def _known(choice: AdapterChoice | None, extraction: Extraction) -> dict:
    """Record of an adapter: its card, and how far it changes each weight at strength 1."""
    if choice is None:
        return {}
    adapters = adapters_of(extraction.loaded)
    card = adapters.card(adapters.attach(choice))
    changes = weight_changes(card, read_tensors(choice.files), extraction.loaded.model, extraction.request.model_type)
    shown = {name: value for name, value in card.to_dict().items() if name not in NOT_SHOWN}
    return {"card": shown, "changes": [change.to_dict() for change in changes]}


def _common_length(answers: list[list[int]]) -> int:
    """Number of tokens that all answers have in common, from the first on."""
    together = 0
    for tokens in zip(*answers, strict=False):
        if len(set(tokens)) > 1:
            break
        together += 1
    return together


def _write(partial: PartialRun, members: list[dict], n_shared: int, words: str | int) -> Path:
    """Measure what lies between the runs, and commit the folder. `n_shared` tokens of the answers are the same."""
    runs = [Run(partial.folder / record["folder"]) for record in members]
    base, others = runs[0], runs[1:]
    try:
        n_prompt = base.info["prompt_tokens"]
        shared = n_prompt + n_shared
        queries = {tower: compared_rows(base, tower, shared) for tower in base.towers()}
        total = sum(len(base.layers(tower)) for tower in queries) * len(others)
        done, tables = 0, {}
        for tower, rows in queries.items():

            def report(step: int, before: int = done) -> None:
                partial.check_cancelled()
                partial.report("compare", before + step, total)

            found = measure(base, others, tower, rows, report)
            tables |= {f"{tower}.{name}": values for name, values in found.items()}
            done += len(base.layers(tower)) * len(others)
        tables["logprob"] = np.array([run.info["logprobs"][:n_shared] for run in runs], np.float32)
        tables["logprob"] = tables["logprob"].reshape(len(runs), n_shared)
        info = {
            "format": FORMAT,
            "id": secrets.token_hex(6),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "model": base.info["model"],
            "prompt": base.info["prompt"],
            "answer": members[0]["answer"],
            "words": words,
            "members": members,
            "shared_tokens": shared,
            "answer_rows": [n_prompt - 1, max(n_prompt - 1, shared - 2)],
            "measures": {name: {"unit": differences.UNITS[name]} for name in differences.NAMES},
            "queries": queries,
            "layers": {tower: base.layers(tower) for tower in queries},
            "bytes": sum(run.info["bytes"] for run in runs),
        }
    finally:
        for run in runs:
            run.close()
    save_file(tables, partial.folder / TABLES)
    return partial.commit(info, INDEX)
