"""Maps and scores of a training, step by step, in folders that the app opens.

Owns which steps stay when there are more than one comparison holds. Knows neither model nor trainer.

    steps.jsonl  item_1/  item_2/ ...   each the run of the first step, from the second on a comparison of all steps
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention.comparisons.comparison import INDEX
from attention.comparisons.finished import compare_runs
from attention.limits import MAX_ADAPTERS

STEPS = "steps.jsonl"
MOST = MAX_ADAPTERS + 1  # steps of a series


def keep_step(folder: Path, run: Path, step: int) -> None:
    """Add a finished run to the series in a folder: one run as `step_0`, from the second on a comparison of all.

    Of more steps than a comparison holds some are let go of, with their maps: the first and the last stay, and those
    between them are thinned out evenly. Steps at or after this one are of a training that was gone back from.
    """
    before = {number: place for number, place in _series(folder).items() if number < step}
    runs = before | {step: run}
    kept = thinned(list(runs), MOST)
    if len(kept) == 1:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        run.rename(folder / f"step_{step}")
        return
    new = run.with_name(folder.name)
    compare_runs([runs[number] for number in kept], new, [f"step {number}" for number in kept], kept).close()
    old = folder.rename(run.with_name(f"{folder.name}.before"))
    try:
        new.rename(folder)
    except OSError:
        old.rename(folder)
        raise


def _series(folder: Path) -> dict[int, Path]:
    """The runs of a series by their steps."""
    index = folder / INDEX
    if index.exists():
        members = json.loads(index.read_bytes())["members"]
        return {member["step"]: folder / member["folder"] for member in members}
    return {int(place.name.removeprefix("step_")): place for place in folder.glob("step_*")}


def thinned(steps: Sequence[int], most: int) -> list[int]:
    """At most so many steps, ascending: the first, the last, and of the others those that lie farthest apart."""
    kept = sorted(steps)
    while len(kept) > most:
        del kept[min(range(1, len(kept) - 1), key=lambda i: kept[i + 1] - kept[i - 1])]
    return kept


def write_step(file: Path, line: dict[str, Any]) -> None:
    """Add a step's line to the file of steps, instead of what a training that was gone back from had there."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    lines = [each for each in lines if json.loads(each)["step"] < line["step"]]
    part = file.with_suffix(".part")
    part.write_text("\n".join([*lines, json.dumps(line, allow_nan=False), ""]), encoding="utf-8")
    part.replace(file)
