"""A reading made as a job: plain data in, plain data out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attention.runs.run import Run, open_run

from .kept import find_reading, reading_record
from .kind import Making
from .table import kind_of

if TYPE_CHECKING:
    from attention.capture.extraction import Adapted
    from attention.limits import Limits
    from attention.runs.partial import PartialRun


def make_reading(
    run: Run,
    kind: str,
    asked: dict[str, Any],
    *,
    partial: PartialRun | None = None,
    limits: Limits | None = None,
    adapted: Adapted | None = None,
    model: Any = None,
    processor: Any = None,
) -> dict[str, Any]:
    """Make a reading of a run, or find it where it was made before; return its record.

    `asked` is what the kind's `read` gave. Raises what its `make` raises.
    """
    row = kind_of(kind)
    name = row.name_of(run, asked)
    row.make(Making(run, asked, None, partial, limits, adapted, model, processor))
    return reading_record(find_reading(run, name))


def make_job(
    job: dict[str, Any], partial: PartialRun, limits: Limits | None = None, adapted: Adapted | None = None
) -> dict[str, Any]:
    """Make what {folder, readings, kind, asked} says, and return its record; `readings` is where they are kept."""
    with open_run(job["folder"]) as run:
        run.readings_at = Path(job["readings"])
        return make_reading(run, job["kind"], job["asked"], partial=partial, limits=limits, adapted=adapted)
