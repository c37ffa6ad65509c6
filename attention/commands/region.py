"""`region`: how much of each head's attention lies in a box or at a point, and how much chance would put there."""

from __future__ import annotations

import sys
from typing import Any

from attention.coordinates import SETTINGS
from attention.errors import InvalidRequest, NotInRun

from .help import add_command
from .output import add_output, print_json

EXAMPLES = (
    "python -m attention region assets/examples/window --answer --top 5",
    "python -m attention region assets/examples/window --box 300 200 420 240",
    "python -m attention region assets/examples/compared --point 310 140 --json",
)
ABOUT = (
    "For the heads that put most of their attention on pictures there: the share, and what chance would put there: a "
    "row that reads every cell alike, one that reads the middle, and random heads. Of a comparison: every member."
)
COLUMNS = ("layer", "head", "in it", "lift", "peak", "rank", "IoU")


def add_region(commands) -> None:
    parser = add_command(
        commands, "region", "say how much of the attention lies in a box or at a point of a picture", EXAMPLES,
        "RUN --box X0 Y0 X1 Y1 | --point X Y | --answer", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_region)
    group = parser.add_argument_group("region", "In pixels of the picture as it was given.")
    group.add_argument("run", metavar="RUN", help="folder of a finished run, or of a comparison")
    place = group.add_mutually_exclusive_group(required=True)
    place.add_argument("--box", nargs=4, type=float, metavar=("X0", "Y0", "X1", "Y1"), help="left, top, right, bottom")
    place.add_argument("--point", nargs=2, type=float, metavar=("X", "Y"), help="the cell that it lies in counts")
    place.add_argument("--answer", action="store_true", help="the first place that the answer names")
    group.add_argument(
        "--coordinates", choices=SETTINGS, help="with --answer: read its numbers anew (default: as the run has them)"
    )
    group.add_argument("--image", type=int, default=0, help="which picture, from 0 (default: 0)")
    group = parser.add_argument_group("row", "Whose attention.")
    group.add_argument("--query", type=int, help="the row (default: that which predicts the answer)")
    group.add_argument("--until", type=int, help="the last of several rows, of which the mean is taken")
    group.add_argument("--tower", default="language", help="language or vision (default: language)")
    group.add_argument("--top", type=int, default=10, help="heads that are listed (default: 10)")
    add_output(parser)


def _region(options) -> int:
    from attention.folders import open_folder

    if options.coordinates and not options.answer:
        raise InvalidRequest("--coordinates is how the answer's numbers count: give --answer with it.")
    if options.top < 1:
        raise InvalidRequest(f"--top is {options.top}; it must be at least 1.")
    with open_folder(options.run) as found:
        runs = (
            {"run": found}
            if found.kind == "run"
            else {m["folder"]: found.run(m["folder"]) for m in found.info["members"]}
        )
        records = {name: _record(run, options) for name, run in runs.items()}
    if options.json:
        print_json({"folder": options.run, "kind": found.kind, "members": list(records.values())})
        return 0
    for name, record in records.items():
        if found.kind != "run":
            print(f"{name}:")
        print(_sentence(record))
        if not options.quiet:
            print(_chance(record), file=sys.stderr)
        _print_table(record["heads"])
    return 0


def _record(run, options) -> dict[str, Any]:
    """One run's heads at the region, those that put most there first."""
    from attention.places.of_run import run_places
    from attention.runs.regions import answer_regions, read_region, region_scores

    if options.answer:
        places = run_places(run, options.coordinates) if options.coordinates else None
        named = answer_regions(run, places.fields() if places else None)
        if not named and places:
            raise NotInRun(" ".join(["The answer names no place that is certain then.", *places.notes]))
        if not named:
            raise NotInRun("The answer names no place that is certain: give --box or --point.")
        region = named[0]
    else:
        region = read_region(run, options.box or options.point, options.image)
    if options.query is None and options.tower == "vision":
        raise InvalidRequest("Give --query, a patch: no row of the vision tower predicts the answer.")
    if options.query is None and not run.info.get("prompt_tokens"):
        raise InvalidRequest("Give --query: this run does not say where its answer begins.")
    query = run.info["prompt_tokens"] - 1 if options.query is None else options.query
    scores = region_scores(run, region, query, options.tower, options.until)
    heads = [
        {"layer": layer, "head": head, **scores.of_head(layer, head)} for layer, head in scores.best(n=options.top)
    ]
    return {
        "region": list(region.place), "image": region.image, "label": region.label, "query": query,
        "tower": options.tower, "uniform": scores.uniform, "central": scores.central, "heads": heads,
    }  # fmt: skip


def _sentence(record: dict[str, Any]) -> str:
    where = record["label"] or ("the box" if len(record["region"]) == 4 else "the cell at the point")
    if not record["heads"]:
        return f"No head of the {record['tower']} tower reads this picture in row {record['query']}."
    first = record["heads"][0]
    return (
        f"In {where}: {first['region_share']:.1%} of the image attention of layer {first['layer']} head "
        f"{first['head']} (chance {record['uniform']:.1%})."
    )


def _chance(record: dict[str, Any]) -> str:
    heads = record["heads"]
    if not heads:
        return f"Chance: every cell alike {record['uniform']:.1%}, the middle {record['central']:.1%}."
    random = (
        f", {heads[0]['random_heads']} random heads {heads[0]['random_mean']:.1%} ± {heads[0]['random_spread']:.1%}"
    )
    return f"Chance: every cell alike {record['uniform']:.1%}, the middle {record['central']:.1%}{random}."


def _print_table(heads: list[dict[str, Any]]) -> None:
    rows = [
        (
            str(head["layer"]), str(head["head"]), f"{head['region_share']:.1%}", f"{head['region_lift']:.2f}",
            "inside" if head["region_peak"] else "outside", f"{head['region_rank']:.0f}", f"{head['region_iou']:.2f}",
        )
        for head in heads
    ]  # fmt: skip
    widths = [max(len(row[i]) for row in (COLUMNS, *rows)) for i in range(len(COLUMNS))]
    for row in (COLUMNS, *rows):
        print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))
