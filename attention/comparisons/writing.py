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

from .comparison import FORMAT, INDEX, TABLES, compared_rows, measure


def common_length(answers: Sequence[Sequence[int]]) -> int:
    """Number of tokens that all answers have in common, from the first on."""
    together = 0
    for tokens in zip(*answers, strict=False):
        if len(set(tokens)) > 1:
            break
        together += 1
    return together


def write_comparison(partial: PartialRun, members: list[dict[str, Any]], n_shared: int, words: str | int) -> Path:
    """Measure what lies between the runs of a folder, and commit it; return the finished folder.

    `members` are the records of comparison.json, of which each names the folder of its run, the one that the others are
    measured against first. `n_shared` tokens of the answers are the same; `words` is whose answer was read.
    """
    runs = [Run(partial.folder / record["folder"]) for record in members]
    base, others = runs[0], runs[1:]
    try:
        n_prompt = base.info["prompt_tokens"]
        shared = n_prompt + n_shared
        queries = {tower: compared_rows(base, tower, shared) for tower in base.towers()}
        total = sum(len(base.layers(tower)) for tower in queries) * len(others)
        tables: dict[str, np.ndarray] = {}
        done = 0
        for tower, rows in queries.items():

            def report(step: int, before: int = done) -> None:
                partial.check_cancelled()
                partial.report("compare", before + step, total)

            found = measure(base, others, tower, rows, report)
            tables |= {f"{tower}.{name}": values for name, values in found.items()}
            done += len(base.layers(tower)) * len(others)
        logprobs = [run.info.get("logprobs", [])[:n_shared] for run in runs]
        tables["logprob"] = np.array(logprobs, np.float32).reshape(len(runs), n_shared)
        info = {
            "format": FORMAT,
            "id": secrets.token_hex(6),
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
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
