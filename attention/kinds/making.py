"""A reading made as a job: plain data in, plain data out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attention.errors import DamagedRun, InvalidRequest, NotInRun, quoted
from attention.readings.reading import Reading
from attention.runs.run import Run, open_run

from .kept import find_reading, reading_record
from .kind import Asked, Kind, Making
from .other_token import with_id
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


def ask_reading(
    run: Run, kind: str = "forecast", *, model: Any = None, processor: Any = None, **fields: Any
) -> Reading:
    """Ask a run for a reading by its kind: `forecast`, `direct`, `lens`, ...; found beside the run, or made there.

    `fields` are those of the kind, as `tokens=[93]` of a forecast; `model` is the run's, where it is not to be loaded
    by its name, as to `extract`. What has maps is read like a run by `run_as_read`. Raises InvalidRequest or NotInRun
    for what the run or the kind does not have, and what `extract` raises.
    """
    row = kind_of(kind)
    for name in fields:
        if name not in row.fields:
            has = ", ".join(row.fields) or "none"
            raise InvalidRequest(f"A {kind} has no field {quoted(name)}; it has {has}.")
    asked = row.read(run, with_id(run, fields, processor))
    record = make_reading(run, kind, asked, model=model, processor=processor)
    return find_reading(run, record["name"])


def found_reading(run: Run, kind: Kind, asked: Asked) -> dict[str, Any] | None:
    """The record of a reading that is there already; None where there is none, a part of one, or a damaged one."""
    try:
        reading = find_reading(run, kind.name_of(run, asked))
        return reading_record(reading) if kind.is_whole(reading, asked) else None
    except (NotInRun, DamagedRun):
        return None


def make_job(
    job: dict[str, Any], partial: PartialRun, limits: Limits | None = None, adapted: Adapted | None = None
) -> dict[str, Any]:
    """Make what {folder, readings, kind, asked} says, and return its record; `readings` is where they are kept."""
    with open_run(job["folder"]) as run:
        run.readings_at = Path(job["readings"])
        return make_reading(run, job["kind"], job["asked"], partial=partial, limits=limits, adapted=adapted)
