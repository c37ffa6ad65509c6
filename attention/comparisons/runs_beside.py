"""Runs that a comparison measures and does not keep: of its noise floors, and of the two parts of a change.

Owns how each is made of the base and its adapters, and the reason where one cannot be. What is measured of them is the
business of `tables_beside`.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial as partial_of
from pathlib import Path
from typing import Any

import torch

from attention.capture.extraction import Extraction
from attention.capture.inputs import Prepared
from attention.errors import AttentionError, Cancelled, OutOfMemory
from attention.limits import Limits
from attention.request import Request
from attention.runs.partial import PartialPart, PartialRun

from .asked_beside import DIRECT, DTYPE, INHERITED, OTHER_DTYPE, PARAPHRASE, ZERO, Beside, prompt_of, rephrased
from .members import Member


@dataclass
class RunsBeside:
    """Runs in folders of the comparison's that go when it is measured.

    `floors` are records of comparison.json, each with the folder of its run, None where its record says `why`; `parts`
    {member's folder: {`direct` or `inherited`: folder}}.
    """

    floors: list[tuple[dict[str, Any], Path | None]] = field(default_factory=list)
    parts: dict[str, dict[str, Path]] = field(default_factory=dict)

    def remove(self) -> None:
        """Remove them."""
        for folder in [folder for _, folder in self.floors if folder] + [
            folder for of in self.parts.values() for folder in of.values()
        ]:
            shutil.rmtree(folder, ignore_errors=True)


def run_parts(
    extraction: Extraction, members: Sequence[tuple[Member, list[int]]], base_ids: list[int], partial: PartialRun
) -> dict[str, dict[str, Path]]:
    """Run each adapter's layers on the base's inputs (`direct`), and the base's on the adapter's (`inherited`).

    `members` come with the tokens of the answer that each has read, `base_ids` those that the base has.
    """
    made = {}
    for member, ids in members:
        if member.off is None:
            continue
        loaded = extraction.loaded
        place = _part(partial, f"{member.folder}_{DIRECT}")
        with member.on(loaded), member.off(loaded) as on_again:
            direct = extraction.keep(place, base_ids, is_forced=True, other=on_again)
        place = _part(partial, f"{member.folder}_{INHERITED}")
        with member.on(loaded):
            inherited = extraction.keep(place, ids, is_forced=True, other=partial_of(member.off, loaded))
        made[member.folder] = {DIRECT: direct, INHERITED: inherited}
    return made


def run_again(extraction: Extraction, ids: list[int], partial: PartialRun) -> tuple[dict[str, Any], Path]:
    """Run the base once more: what differs then is noise of the machine, and no change."""
    return {"kind": ZERO}, extraction.keep(_part(partial, ZERO), ids, is_forced=True)


def run_floors(
    request: Request,
    beside: Beside,
    ids: list[int],
    dtype: str,
    partial: PartialRun,
    limits: Limits | None,
    prepared: Prepared,
) -> list[tuple[dict[str, Any], Path | None]]:
    """Run the base on paraphrases, and then in the other number format than `dtype`, each on the same answer.

    The model that has the other number format takes the base's place in memory, so it comes last. One that cannot be
    run, for want of memory say, has no folder, and its record says `why`.
    """
    asked: list[tuple[dict[str, Any], Request | None]] = []
    if PARAPHRASE in beside.floors:
        texts = beside.phrasings(prompt_of(request))
        asked += [({"kind": PARAPHRASE, "prompt": text}, rephrased(request, text)) for text in texts]
    if DTYPE in beside.floors:
        other = OTHER_DTYPE.get(dtype)
        as_other = dataclasses.replace(request, dtype=other) if other else None
        asked.append(({"kind": DTYPE, "dtype": other}, as_other))
    made: list[tuple[dict[str, Any], Path | None]] = []
    for number, (record, own) in enumerate(asked):
        if own is None:
            made.append(({"kind": DTYPE, "why": f"{dtype} has no other number format to be read in."}, None))
            continue
        folder = _part(partial, f"{record['kind']}_{number}")
        try:
            with Extraction(
                own, partial, limits=limits, prepared=prepared if record["kind"] == DTYPE else None,
                pictures=prepared.pictures,
            ) as extraction:  # fmt: skip
                made.append((record, extraction.keep(folder, ids, is_forced=True)))
        except Cancelled:
            raise
        except (AttentionError, torch.OutOfMemoryError) as error:
            folder.discard()
            why = str(error if isinstance(error, AttentionError) else OutOfMemory())
            made.append((record | {"why": why}, None))
    return made


def _part(partial: PartialRun, name: str) -> PartialPart:
    return PartialPart(partial.folder / f"beside_{name}.partial", partial)
