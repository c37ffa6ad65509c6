"""`region`: how much of each head's attention lies in a box or at a point, and how much chance would put there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from attention.errors import InvalidRequest, quoted
from attention.words import ONE_INPUT, ONE_INPUT_MEANS

from .help import add_command
from .of_a_run import add_place, check_place, place_of
from .output import add_output, print_json

EXAMPLES = (
    "python -m attention region assets/examples/window --answer --top 5",
    "python -m attention region assets/examples/window --box 300 200 420 240 --csv window.csv",
    "python -m attention region assets/examples/compared --point 310 140 --by change",
)
ABOUT = (
    "For the heads that put most of their attention on pictures there: the share, and what chance would put there: a "
    "row that reads every cell alike, one that reads the middle, and random heads. Of a comparison: for every adapter "
    "the base's and its own."
)
COLUMNS = ("layer", "head", "in it", "lift", "peak", "rank", "IoU")
CHANGED = ("layer", "head", "before", "after", "change", "lift", "peak", "rank", "IoU")


def add_region(commands) -> None:
    parser = add_command(
        commands, "region", "say how much of the attention lies in a box or at a point of a picture", EXAMPLES,
        "RUN --box X0 Y0 X1 Y1 | --point X Y | --answer", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_region)
    group = parser.add_argument_group("region", "In pixels of the picture as it was given.")
    group.add_argument("run", metavar="RUN", help="folder of a finished run, or of a comparison")
    add_place(group)
    group = parser.add_argument_group("row", "Whose attention.")
    group.add_argument("--query", type=int, help="the row (default: that which predicts the answer)")
    group.add_argument("--until", type=int, help="the last of several rows, of which the mean is taken")
    group.add_argument("--tower", default="language", help="language or vision (default: language)")
    group = parser.add_argument_group("heads", "Which are listed, and a table of all of them.")
    group.add_argument("--top", type=int, default=10, help="heads that are listed (default: 10)")
    group.add_argument(
        "--by", metavar="change|share", help="their order; of a comparison first those that changed most"
    )
    group.add_argument("--csv", metavar="FILE", help="write every head of every member, with chance, as a table")
    add_output(parser)


def _region(options) -> int:
    from attention.exports.files import new_file
    from attention.exports.regions import (
        known_floors,
        member_scores,
        region_record,
        row_of_answer,
        write_region_csv,
    )
    from attention.folders import open_folder

    check_place(options)
    if options.top < 1:
        raise InvalidRequest(f"--top is {options.top}; it must be at least 1.")
    with open_folder(options.run) as found:
        region = place_of(options, found)
        query = row_of_answer(found, options.tower, options.query)
        scores = member_scores(found, region, query, options.tower, options.until)
        floors = known_floors(found, region, query, options.tower, options.until)
        record = region_record(found, scores, options.tower, options.top, options.by, floors)
        if options.csv:
            with new_file(Path(options.csv)) as beside, open(beside, "wb") as file:
                write_region_csv(found, scores, options.tower, file, floors)
    if options.json:
        print_json({**record, "folder": options.run, **({"file": options.csv} if options.csv else {})})
        return 0
    if "side_by_side" in record and not options.quiet:
        print(record["side_by_side"], file=sys.stderr)
    for member in record["members"]:
        if record["kind"] == "run" or "side_by_side" in record:
            _print_run(member, options.quiet, record["kind"] != "run")
        elif "changes" in member:
            _print_change(member, options.quiet)
    if floors and not options.quiet:
        print(f"{ONE_INPUT}. {ONE_INPUT_MEANS}", file=sys.stderr)
    if options.csv:
        print(options.csv)
    return 0


def _print_run(member: dict[str, Any], is_quiet: bool, is_named: bool) -> None:
    """A run's line and its table; of one of several with its name."""
    heads, name = member["heads"], f"{member['member']}: " if is_named else ""
    if not heads:
        print(f"{name}No head of the {member['tower']} tower reads this picture in row {member['query']}.")
    else:
        share, who = heads[0]["region_share"], f"layer {heads[0]['layer']} head {heads[0]['head']}"
        where = f"{name}{'in' if name else 'In'} {_where(member)}"
        print(f"{where}: {share:.1%} of the image attention of {who} (chance {member['uniform']:.1%}).")
    if not is_quiet:
        print(_chance(member, heads[0] if heads else None), file=sys.stderr)
    _print_table(COLUMNS, [(str(head["layer"]), str(head["head"]), *_measures(head)) for head in heads])


def _print_change(member: dict[str, Any], is_quiet: bool) -> None:
    """An adapter's line, before -> after, and its table."""
    changes = member["changes"]
    if not changes:
        print(f"{member['member']}: no head of both reads this picture in row {member['query']}.")
        return
    first = changes[0]
    shares = " -> ".join(f"{first[when]['region_share']:.1%}" for when in ("before", "after"))
    print(
        f"{member['member']}: in {_where(member)} {shares} of the image attention of layer {first['layer']} head "
        f"{first['head']} (chance {member['uniform']:.1%})."
    )
    if not is_quiet:
        print(_chance(member, first["after"]), file=sys.stderr)
    rows = []
    for head in changes:
        (before, *was), (after, *now) = _measures(head["before"]), _measures(head["after"])
        both = [there if there == here else f"{there} -> {here}" for there, here in zip(was, now, strict=True)]
        change = f"{100 * head['change']['region_share']:+.1f}"
        times = [_times(of_kind["region_share"]) for of_kind in head.get("times", {}).values()]
        rows.append((str(head["layer"]), str(head["head"]), before, after, change, *both, *times))
    _print_table((*CHANGED, *(f"x {kind} floor" for kind in first.get("times", {}))), rows)


def _times(value: float | None) -> str:
    """A change as a multiple of a noise floor; - of a floor of 0, and where it is not known."""
    return "-" if value is None else f"{value:,.{0 if value >= 100 else 1}f}"


def _where(member: dict[str, Any]) -> str:
    if member["label"]:
        return quoted(member["label"])
    return "the box" if len(member["region"]) == 4 else "the cell at the point"


def _chance(member: dict[str, Any], head: dict[str, Any] | None) -> str:
    said = f"Chance: every cell alike {member['uniform']:.1%}, the middle {member['central']:.1%}"
    if head is not None and head["random_heads"]:
        said += f", {head['random_heads']} random heads {head['random_mean']:.1%} ± {head['random_spread']:.1%}"
    return f"{said}."


def _measures(head: dict[str, Any]) -> tuple[str, ...]:
    """Share, lift, peak, rank and IoU as texts."""
    return (
        f"{head['region_share']:.1%}", f"{head['region_lift']:.2f}", "inside" if head["region_peak"] else "outside",
        f"{head['region_rank']:.0f}", f"{head['region_iou']:.2f}",
    )  # fmt: skip


def _print_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    for row in (columns, *rows):
        print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))
