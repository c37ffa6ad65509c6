"""Run the members of a comparison on one input, one after the other.

Owns the order of the steps. The runs are made by `attention.capture`; what lies between them is measured and written by
`writing`. A member says by itself how the model becomes its own, and what is known of it: this module knows no adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention.capture.extraction import Extraction, all_or_nothing
from attention.capture.inputs import Prepared
from attention.errors import InvalidRequest, quoted
from attention.limits import Limits
from attention.models.kept import LoadedModel
from attention.places.of_run import places_of
from attention.request import Request
from attention.runs.partial import PartialPart, PartialRun
from attention.runs.run import Run

from .asked_beside import NOTHING, ZERO, Beside
from .members import BASE_ITSELF, Member
from .runs_beside import RunsBeside, run_again, run_floors, run_parts
from .writing import write_comparison

WORDS = ("base", "own")  # or the number of a member after the base, from 1


def run_members(
    request: Request,
    others: Sequence[Member],
    partial: PartialRun,
    words: str | int = "base",
    limits: Limits | None = None,
    prepared: Prepared | None = None,
    model: LoadedModel | None = None,
    written: Sequence[list[int]] | None = None,
    beside: Beside = NOTHING,
) -> Path:
    """Run the base and other members, into a folder that the caller has made; return the finished folder.

    `words` says whose answer is read by all: `base`, the number of a member from 1, or `own`: each its own, of which
    what they begin with alike is compared, and what stands for each other after that (`aligning`). A request with an
    `answer` has it read by all. `prepared` are inputs that a forecast has made of this request, `model` is the base's
    in memory, and `written` the ids of each member's own answer where these were written before: with the words `own`
    each is proved as it is read. `beside` is what is measured beside the members. Raises AttentionError with a sentence
    that says what to do; nothing is left behind then.
    """
    words = int(words) if isinstance(words, str) and words.isdigit() else words
    with all_or_nothing(partial):
        _check_words(words, len(others))
        runs = RunsBeside()
        asked = [BASE_ITSELF, *others]
        members = _run_all(request, asked, partial, words, limits, prepared, model, written, beside, runs)
        return write_comparison(partial, members, words if request.answer is None else "typed", runs)


def _check_words(words: str | int, n_others: int) -> None:
    is_member = isinstance(words, int) and not isinstance(words, bool) and 1 <= words <= n_others
    if words not in WORDS and not is_member:
        raise InvalidRequest(
            f"The words to read are {quoted(words)}; they are base, own, or the number of an adapter, 1 to {n_others}."
        )


def _run_all(
    request: Request,
    members: Sequence[Member],
    partial: PartialRun,
    words: str | int,
    limits: Limits | None,
    prepared: Prepared | None,
    model: LoadedModel | None,
    written: Sequence[list[int]] | None,
    beside: Beside,
    runs: RunsBeside,
) -> list[dict[str, Any]]:
    """Make every run, one pass over prompt and answer each, one model after the other in memory.

    Returns the members of comparison.json, and fills `runs` with those that are asked beside them. The model whose
    words all read comes first.
    """
    said: dict[int, list[int]] = {}
    words_read = ""
    records: dict[int, dict[str, Any]] = {}
    owner = words if isinstance(words, int) else 0
    for places in _by_model(members, owner):
        own = members[places[0]].request or request
        inputs = members[places[0]].prepared or prepared
        is_base = members[places[0]].request is None
        with Extraction(own, partial, model if is_base else None, limits=limits, prepared=inputs) as extraction:
            loaded = extraction.loaded
            for place in places:
                if written is not None:
                    said[place] = written[place]
                    continue
                if request.answer is not None and said:
                    said[place] = next(iter(said.values()))
                    continue
                with members[place].on(loaded):
                    said[place] = extraction.answer()
            if words != "own":
                words_read = _same_words(extraction, said[owner], words_read or extraction.text(said[owner]))
            for place in places:
                member, ids = members[place], said[place if words == "own" else owner]
                folder = PartialPart(partial.folder / f"{member.folder}.partial", partial)
                with member.on(loaded) as record:
                    is_forced = request.answer is not None or ids is not said[place]
                    kept = extraction.keep(
                        folder, ids, record, is_forced, is_proved=written is not None and not is_forced
                    )
                records[place] = {
                    "folder": member.folder, "adapter": member.adapter, "answer": extraction.text(said[place]),
                    **_named(member, kept), **member.about(loaded, request.model_type),
                    **({} if ids == said[place] else _own_places(kept, extraction, said[place])),
                }  # fmt: skip
            if places[0] != 0:
                continue
            read = {place: said[place if words == "own" else owner] for place in places}
            if beside.parts:
                adapted = [(members[place], read[place]) for place in places]
                runs.parts = run_parts(extraction, adapted, read[0], partial)
            if ZERO in beside.floors:
                runs.floors.append(run_again(extraction, read[0], partial))
            given, dtype = extraction.prepared, str(loaded.dtype)
        runs.floors += run_floors(request, beside, read[0], dtype, partial, limits, given)
    return [records[place] for place in range(len(members))]


def _same_words(extraction: Extraction, ids: list[int], text: str) -> str:
    """The text that a model reads in an answer's tokens: the one that was written. InvalidRequest for another."""
    read = extraction.text(ids)
    if read != text:
        raise InvalidRequest(
            f"{extraction.loaded.id} reads the answer's tokens as {quoted(read)}, and they were written as "
            f"{quoted(text)}: its tokenizer is another. Compare models with the same one."
        )
    return text


def _by_model(members: Sequence[Member], owner: int) -> list[list[int]]:
    """Places of the members of each model, that of the owner of the words first: the base's are together."""
    of_base = [place for place, member in enumerate(members) if member.request is None]
    groups = [of_base, *([place] for place, member in enumerate(members) if member.request is not None)]
    return sorted(groups, key=lambda places: owner not in places)


def _own_places(folder: Path, extraction: Extraction, ids: list[int]) -> dict[str, Any]:
    """Fields of the places that a member's own answer names, where it has read another's."""
    with Run(folder) as run:
        info = run.info
    tokens = [*info["tokens"][: info["prompt_tokens"]], *extraction.spelled(ids)]
    found = places_of({**info, "tokens": tokens}, extraction.request.coordinates).fields()
    return {name: found[name] for name in ("points", "boxes", "unplaced")}


def _named(member: Member, folder: Path) -> dict[str, Any]:
    """Fields of a model of its own: its name, and what its run says of it."""
    if member.name is None:
        return {}
    with Run(folder) as run:
        return {"name": member.name, "model": run.info["model"]}
