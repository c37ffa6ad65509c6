"""A reading on its way into its folder: found there, or made beside it and moved; and the index that every kind has."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attention.readings.reading import FORMAT, INDEX, place_of
from attention.runs.partial import SUFFIX, PartialPart, PartialRun
from attention.runs.run import Run

from .called_with import with_processor


def found_or_made(
    run: Run,
    name: str,
    folder: str | os.PathLike | None,
    fill: Callable[[PartialRun, Any], Path],
    model=None,
    processor=None,
    whole: PartialRun | None = None,
) -> Path:
    """The folder of a reading, by its name beside the run or the one that a caller names.

    Where there is none yet, `fill` makes it, in the folder and with the model that it is given; `whole` is the job that
    waits for it. Raises InvalidRequest for a folder that holds something else.
    """
    place = place_of(run, name) if folder is None else Path(folder)
    if (place / INDEX).is_file():
        return place
    given = with_processor(model, processor) if processor is not None else model
    if folder is not None and whole is None:
        return fill(PartialRun.create(place), given)
    return kept_beside(place, lambda own: fill(own, given), whole)


def kept_beside(place: Path, fill: Callable[[PartialRun], Path], whole: PartialRun | None = None) -> Path:
    """Let `fill` make a reading in a folder of its own, and move it to its place; return that.

    Several may make it at once, and one that was killed is in nobody's way: the first that is ready stays. `whole` is
    the job that waits for it.
    """
    own = place.with_name(f"{place.name}-{secrets.token_hex(4)}")
    made = fill(PartialRun.create(own) if whole is None else PartialPart(own.with_name(own.name + SUFFIX), whole))
    try:
        made.replace(place)
    except OSError:  # somebody was quicker
        shutil.rmtree(made, ignore_errors=True)
    return place


def commit_reading(partial: PartialRun, run: Run, kind: str, began: float, fields: dict[str, Any]) -> Path:
    """Finish a reading whose files are written: its index has `fields`, and what the index of each kind has.

    `began` is the reading of `time.perf_counter` as the work began.
    """
    partial.report("write")
    info = {
        "format": FORMAT,
        "kind": kind,
        "run": run.info["id"],
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **fields,
        "bytes": sum(file.stat().st_size for file in partial.folder.rglob("*.safetensors")),
        "seconds": round(time.perf_counter() - began, 3),
    }
    return partial.commit(info, INDEX)
