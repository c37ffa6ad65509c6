"""`reading`: what is asked of a finished run beyond its attention, made once and kept beside it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attention.comparisons.comparison import Comparison
from attention.errors import DamagedRun, Interrupted, InvalidRequest, NotInRun, quoted
from attention.fields import Field
from attention.kinds.kept import kept_readings
from attention.kinds.kind import Kind
from attention.kinds.other_token import with_id
from attention.kinds.table import KINDS, fields, kind_of
from attention.runs.run import Run

from .flags import add_flag, flag
from .help import add_command
from .of_a_run import add_model, check_model, model_of
from .output import add_output, print_json
from .progress import Progress, ReportedRun, make, size

EXAMPLES = (
    "python -m attention reading star forecast",
    "python -m attention reading star forecast --tokens 93 --json",
    "python -m attention reading star",
)
ABOUT = (
    "Runs the model again over what a finished run has read, and keeps what is found in RUN.readings/, beside it. What "
    "is there already is found, and no model runs. Without a kind it lists what there is. No reading is an explanation."
)


def add_reading(commands) -> None:
    parser = add_command(
        commands, "reading", "make a forecast, a lens or another reading of a finished run", EXAMPLES,
        f"RUN [{'|'.join(KINDS)}]", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_reading)
    group = parser.add_argument_group("reading", "What is asked of the run; each kind takes the fields that it has.")
    group.add_argument("run", metavar="RUN", help="folder of a finished run, or of a comparison: then of each member")
    kinds = " ".join(f"{kind.name}: {kind.answers}" for kind in KINDS.values())
    group.add_argument("kind", nargs="?", metavar="KIND", help=kinds)
    group.add_argument("--member", help="of a comparison one run: base, adapter_1, ... (default: each)")
    for field in fields().values():
        add_flag(group, field, None)
    group.add_argument("--dry-run", action="store_true", help="say what it costs, or why it has no room; run no model")
    add_model(parser)
    add_output(parser)


def _reading(options) -> int:
    from attention.folders import open_folder, runs_of

    if options.kind is None:
        return _list(options)
    kind = kind_of(options.kind)
    given = given_fields(options, kind)
    check_model(options)
    with open_folder(options.run) as found:
        runs, model = runs_of(found, options.member), getattr(options, "model", None)
        asked = [(run, name, kind.read(run, with_id(run, given, model=model))) for run, name in runs]
        if options.dry_run:
            return _say_cost(options, kind, asked)
        records = [(name, run, made_reading(run, kind, fields, options)) for run, name, fields in asked]
    if options.json:
        each = [record | {"folder": str(_place(run, record))} for _, run, record in records]
        members = {name: record for (name, _, _), record in zip(records, each, strict=True)}
        print_json(each[0] if len(each) == 1 else {"kind": kind.name, "members": members})
        return 0
    for _, run, record in records:
        if "other" in record and not options.quiet:
            print(f"Set against the token {quoted(record['other'])}.", file=sys.stderr)
        print(_place(run, record))
    return 0


def _say_cost(options, kind: Kind, asked: list[tuple[Run, str | None, dict[str, Any]]]) -> int:
    """Print what a reading of each run costs. Raises LimitExceeded for one that has no room."""
    from attention.capture.reading_forecast import forecast_reading

    expected = {name: forecast_reading(run, kind.cost(run, fields)) for run, name, fields in asked}
    if options.json:
        members = {name: each.to_dict() for name, each in expected.items()}
        print_json(members.get(None, {"kind": kind.name, "members": members}))
        return 0
    for name, each in expected.items():
        print(f"{name}: {each.words}" if name else each.words)
    return 0


def given_fields(options, kind: Kind) -> dict[str, Any]:
    """The fields of a kind as flags have them. Raises InvalidRequest for one that is another kind's."""
    every: Mapping[str, Field] = fields()
    for name in every:
        if name not in kind.fields and getattr(options, name) not in (None, False):
            has = ", ".join(map(flag, kind.fields)) or "none"
            raise InvalidRequest(f"A {kind.name} takes no {flag(name)}; it takes {has}.")
    return {name: getattr(options, name) for name in kind.fields}


def made_reading(run: Run, kind: Kind, asked: dict[str, Any], options) -> dict[str, Any]:
    """Make a reading of a run, or find it; with progress, and nothing left of one that is stopped. Return its record.

    The run's own adapter is found by its name and switched on, unless another model is named.
    """
    from attention.kinds.making import found_reading, make_reading
    from attention.runs.temporary import temporary_place

    if record := found_reading(run, kind, asked):
        return record
    progress, place, made = Progress(options.quiet), temporary_place(), dict[str, Any]()

    def work(partial: ReportedRun) -> Path:
        from attention.capture.forecast import download_reporter
        from attention.capture.reading_forecast import forecast_reading

        if not getattr(options, "model", None):
            progress.say(forecast_reading(run, kind.cost(run, asked), watch=download_reporter(partial)).words)
        model = model_of(options) if getattr(options, "model", None) else None
        adapted = None if model is not None else adapter_of(run)
        made.update(make_reading(run, kind.name, asked, partial=partial, model=model, adapted=adapted))
        return partial.folder

    try:
        make(str(place), work, progress)
    except KeyboardInterrupt:
        if (kept := _kept_of(run, kind, asked)) is None:
            raise
        raise Interrupted(f"Stopped: a part is kept in {kept}. The same command goes on from there.") from None
    finally:
        shutil.rmtree(place.parent, ignore_errors=True)
    return made


def _kept_of(run: Run, kind: Kind, asked: dict[str, Any]) -> Path | None:
    """The folder of what a reading that was stopped has kept."""
    from attention.kinds.kept import find_reading

    try:
        return find_reading(run, kind.name_of(run, asked)).folder
    except (NotInRun, DamagedRun):
        return None


def make_named(found: Run | Comparison, options) -> None:
    """Make the reading that an export names by its kind, where it has maps and is not there yet.

    Of a comparison for the members that are drawn.
    """
    kind = KINDS.get(options.reading)
    if kind is None or kind.rows is None:
        return
    runs = [found] if found.kind == "run" else [found.run(name) for name in _drawn(found, options)]
    for run in runs:
        made_reading(run, kind, kind.read(run, {}), options)


def _drawn(comparison: Comparison, options) -> list[str]:
    first, second, *_ = comparison.runs
    left, right = (getattr(options, name, None) for name in ("left", "right"))
    return [left or first, right or second]


def adapter_of(run: Run) -> Any:
    """Switch for the adapter that a run was made with; None for a run without one."""
    adapter = run.info.get("adapter")
    if adapter is None:
        return None
    from adapters.attach import adapted
    from adapters.choosing import choose

    wanted = {"id": adapter["id"], "scale": adapter["scale"], "rename": False, "alone": bool(adapter.get("without"))}
    (choice,) = choose([wanted], run.info["model"]["id"])
    return adapted(choice)


def _place(run: Run, record: dict[str, Any]) -> Path:
    from attention.kinds.kept import find_reading

    return find_reading(run, record["name"]).folder


def _list(options) -> int:
    """Print what there is of a run, or of each member."""
    from attention.folders import open_folder, runs_of

    with open_folder(options.run) as found:
        there = {name: kept_readings(run) for run, name in runs_of(found, options.member)}
    if options.json:
        print_json(there.get(None, {"members": there}))
        return 0
    for name, kept in there.items():
        for each in kept["readings"]:
            target = (each["target"] or {}).get("tokens")
            of = f"tokens {', '.join(map(str, target))}" if target else ""
            print("  ".join(filter(None, [name, each["name"], each["kind"], of, size(each["bytes"])])))
        for line in kept["unread"]:
            print(line)
    if not any(kept["readings"] or kept["unread"] for kept in there.values()):
        print(f"There is none yet: name a kind ({', '.join(KINDS)}).")
    return 0
