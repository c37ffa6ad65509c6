"""Runs on the same tokens become a comparison: measured against the first, and committed as one folder.

Owns the content of comparison.json and of comparison.safetensors. How the runs came to be is the business of `running`
(models that are run here) and of `finished` (runs that are there already).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from attention.measures import differences
from attention.runs.partial import PartialRun
from attention.runs.run import Run

from .aligning import aligned_rows
from .alike import has_own_towers
from .comparison import INDEX, OWN_TOWERS, TABLES, answering_rows
from .measuring import compared_rows, measure
from .runs_beside import RunsBeside
from .tables_beside import ON_CELLS, floor_table, floor_tables, part_tables


def common_length(answers: Sequence[Sequence[int]]) -> int:
    """Number of tokens that all answers have in common, from the first on."""
    together = 0
    for tokens in zip(*answers, strict=False):
        if len(set(tokens)) > 1:
            break
        together += 1
    return together


def write_comparison(
    partial: PartialRun, members: list[dict[str, Any]], words: str | int, beside: RunsBeside | None = None
) -> Path:
    """Measure what lies between the runs of a folder, and commit it; return the finished folder.

    `members` are the records of comparison.json, of which each names the folder of its run, the one that the others are
    measured against first; `words` is whose answer was read. Tokens in common are those with which all begin alike;
    after them rows are aligned (`aligning`). Where a run has towers of its own, no change of heads is measured.
    `beside` are runs that are measured too and then removed.
    """
    beside = beside or RunsBeside()
    runs = [Run(partial.folder / record["folder"]) for record in members]
    base, others = runs[0], runs[1:]
    try:
        n_prompt = base.info["prompt_tokens"]
        shared = common_length([[token["id"] for token in run.info["tokens"]] for run in runs])
        n_shared = max(0, shared - n_prompt)
        aligned = [aligned_rows(base.info, run.info, shared) for run in others]
        beyond = [group for groups in aligned for group in groups]
        queries = {tower: compared_rows(base, tower, shared, beyond) for tower in base.towers()}
        are_own = [has_own_towers(run.info, base.info) for run in runs]
        members = [
            {**record, "own_towers": True} if is_own else record
            for record, is_own in zip(members, are_own, strict=True)
        ]
        measured = () if any(are_own) else differences.NAMES
        answer_rows = [n_prompt - 1, max(n_prompt - 1, shared - 2, *(group["base"][1] for group in beyond))]
        n_beside = sum(folder is not None for _, folder in beside.floors) + sum(map(len, beside.parts.values()))
        total = sum(len(base.layers(tower)) for tower in queries) * (len(others) + n_beside)
        steps = partial.steps("compare", total)

        def report(_: int) -> None:
            steps()

        tables: dict[str, np.ndarray] = {}
        for tower, rows in queries.items() if measured else ():
            found = measure(base, others, tower, rows, report, aligned, shared)
            tables |= {f"{tower}.{name}": values for name, values in found.items()}
        answering = {tower: answering_rows(tower, rows, answer_rows) for tower, rows in queries.items()}
        floors, more = floor_tables(base, beside.floors, queries, answering, n_shared, measured, report)
        tables |= more
        with_rows = [tower for tower in queries if floor_table(ON_CELLS, tower) in more]
        if beside.parts and measured:
            by_member = _by_member(members, aligned)
            tables |= part_tables(base, list(by_member), beside.parts, queries, by_member, shared, report)
        logprobs = [run.info.get("logprobs", [])[:n_shared] for run in runs]
        tables["logprob"] = np.array(logprobs, np.float32).reshape(len(runs), n_shared)
        info = {
            "format": OWN_TOWERS if any(are_own) else 1,
            "id": secrets.token_hex(6),
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "model": base.info["model"],
            "prompt": base.info["prompt"],
            "answer": members[0]["answer"],
            "words": words,
            "members": members,
            "shared_tokens": shared,
            "answer_rows": answer_rows,
            "measures": {name: {"unit": differences.UNITS[name]} for name in measured},
            **({"aligned": _by_member(members, aligned)} if beyond else {}),
            **({"floors": floors} if floors else {}),
            **({"floor_regions": with_rows} if with_rows else {}),
            **({"parts": list(beside.parts)} if beside.parts and measured else {}),
            "queries": queries,
            "layers": {tower: base.layers(tower) for tower in queries},
            "bytes": sum(run.info.get("bytes") or 0 for run in runs),
        }
    finally:
        for run in runs:
            run.close()
    beside.remove()
    save_file(tables, partial.folder / TABLES)
    return partial.commit(info, INDEX)


def _by_member(members: Sequence[dict[str, Any]], aligned: Sequence[list[dict[str, Any]]]) -> dict[str, Any]:
    """Aligned rows by the folders of the others."""
    return {member["folder"]: groups for member, groups in zip(members[1:], aligned, strict=True)}
