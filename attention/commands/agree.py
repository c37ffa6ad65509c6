"""`agree`: how far maps of a run, or of a set, agree with what hiding and painting regions does to the answer."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from attention.errors import InvalidRequest
from attention.request import ANSWER

from .flags import GROUPS, add_fields
from .help import add_command
from .of_a_run import add_model, check_model, model_of
from .output import add_output, print_json
from .progress import LOADING, Progress, quiet_transformers
from .reading import adapter_of

EXAMPLES = (
    "python -m attention agree star",
    "python -m attention agree --jsonl assets/examples/set.jsonl --model pocket --sample 4",
    "python -m attention agree --jsonl assets/examples/set.jsonl --model pocket --curves hidden --silence 4 "
    "--output-dir agreed",
)
ABOUT = (
    "Each picture is cut into regions; each is hidden from all other tokens, and painted over, and the answer's "
    "log-probability is measured. Of every map is said how it orders the regions (Spearman's rank correlation) and how "
    "often it finds the most harmful one. No map is an explanation: what was read, what hiding does and what painting "
    "does are three questions."
)
TRUTHS = ("hidden", "painted")
COLUMNS = ("map", "hidden: rank", "found", "painted: rank", "found")


def add_agree(commands) -> None:
    parser = add_command(
        commands, "agree", "say how far maps agree with what hiding and painting regions does", EXAMPLES,
        "RUN | --jsonl FILE", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_agree)
    group = parser.add_argument_group("inputs", "A finished run, or a set of questions.")
    group.add_argument("run", nargs="?", metavar="RUN", help="folder of a finished run with an answer")
    group.add_argument("--jsonl", metavar="FILE", help="set: lines as for `score`, each with a box or a click")
    group.add_argument("--sample", type=int, metavar="N", help="so many of its questions, drawn at random")
    group.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    group.add_argument("--sides", type=int, default=4, metavar="N", help="regions along each side (default: 4)")
    group.add_argument("--no-paint", action="store_true", help="hide only: painting takes a pass for each region")
    group.add_argument("--head", nargs=2, type=int, metavar=("L", "H"), help="of a run: this head's attention as well")
    group = parser.add_argument_group("of a set", "Measured besides, and reported: nothing here is passed or failed.")
    group.add_argument(
        "--curves", nargs="+", choices=TRUTHS, default=[], metavar="WAY",
        help="hidden, painted: deletion and insertion curves of every map, up to 200 passes each for a picture",
    )  # fmt: skip
    group.add_argument(
        "--silence", type=int, default=0, metavar="N",
        help="what silencing the N heads of the largest forecast costs, beside as many that read as much",
    )  # fmt: skip
    group.add_argument(
        "--reinitialise", action="store_true",
        help="how maps change as layers are drawn anew, the last ones first; in a copy of these layers",
    )  # fmt: skip
    group.add_argument("--output-dir", metavar="FOLDER", help="keep each question's numbers there, and go on from them")
    group.add_argument("--csv", metavar="FILE", help="write all tables and curves as one CSV file as well")
    add_model(parser)
    add_fields(parser.add_argument_group(ANSWER, GROUPS[ANSWER]), "max_new_tokens")
    add_output(parser)


def _agree(options) -> int:
    if (options.run is None) == (options.jsonl is None):
        raise InvalidRequest("Name a run, or a set with --jsonl: one of the two.")
    if options.run is None and options.head is not None:
        raise InvalidRequest("--head is of one run; over a set the best head is chosen. Leave it out.")
    if options.run is not None and options.seed:
        raise InvalidRequest("--seed is of what is drawn from a set; of one run nothing is drawn. Leave it out.")
    of_sets = ("curves", "silence", "reinitialise", "output_dir", "csv", "sample")
    if options.run is not None and (given := next((name for name in of_sets if getattr(options, name)), None)):
        raise InvalidRequest(f"--{given.replace('_', '-')} is of a set: name one with --jsonl, or leave it out.")
    if options.silence < 0:
        raise InvalidRequest(f"--silence is {options.silence}; it must be a number of heads, 1 or more.")
    if not 2 <= options.sides <= 16:
        raise InvalidRequest(f"--sides is {options.sides}; it must be from 2 to 16.")
    if options.run is not None:
        check_model(options)
    progress = Progress(options.quiet)
    progress.show(LOADING)
    quiet_transformers()
    try:
        if options.run is not None:
            return _of_run(options, progress)
        from .agree_set import of_set

        return of_set(options, progress)
    finally:
        progress.end()


def _of_run(options, progress: Progress) -> int:
    from attention.effects.keeping_agreement import keep_agreement
    from attention.readings.agreement import NAMES
    from attention.runs.run import open_run

    run = open_run(options.run)
    model = model_of(options)
    found = keep_agreement(
        run, sides=options.sides, paints=not options.no_paint, model=model,
        adapted=adapter_of(run) if model is None else None,
        on_done=lambda done, total: progress.show("regions", f"{done} of {total}"),
    )  # fmt: skip
    progress.end()
    table = {NAMES[name]: row for name, row in found.table().items() if name != "random"}
    if options.head is not None:
        layer, head = options.head
        table = {f"attention, layer {layer} head {head}": found.of_head(layer, head), **table}
    said = found.summary()
    if options.json:
        record = {"run": options.run, **said, "regions": _regions(found)}
        if options.head is not None:
            own = next(iter(table.values()))
            record["head"] = {truth: plain(asdict(each)) for truth, each in own.items()}
        print_json(record)
        return 0
    n = said["n_regions"]
    print(f"{n} regions; the answer has a log-probability of {said['value']:.3f}.")
    print("n = 1, descriptive: one input says little.")
    rows = [
        (name, *(text for truth in TRUTHS for text in (_of_one(row[truth]) if truth in row else ("", ""))))
        for name, row in table.items()
    ]
    chance = said["chance"]
    by_chance = [(f"within {rank_words(each['rank'])}", f"1 in {n}") for each in chance.values()]
    rows.append(("a random order, 19 times of 20", *(text for pair in by_chance for text in pair)))
    print_table(rows, 1 + 2 * len(chance))
    for line in filter(None, (said["caution"], said["note"], said["paths"])):
        print(line)
    return 0


def _of_one(each: Any) -> tuple[str, str]:
    return rank_words(each.rank), "yes" if each.hits else "no"


def _regions(found: Any) -> list[dict[str, Any]]:
    """Every region: its box, what became of the answer, and what maps expect."""
    numbers = {**found.maps, **found.measured}
    return [
        {"image": region["image"], "box": region["box"]} | {name: float(each[i]) for name, each in numbers.items()}
        for i, region in enumerate(found.info["regions"])
    ]


def rank_words(value: float | None) -> str:
    """A correlation or a share in words: - where there is none."""
    return "-" if value is None or math.isnan(value) else f"{value:.2f}"


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """A record for JSON, which has no NaN."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in record.items()}


def print_table(rows: list[tuple[str, ...]], n_columns: int, columns: tuple[str, ...] = COLUMNS) -> None:
    """Print rows under their columns, the first aligned left."""
    columns = columns[:n_columns]
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(n_columns)]
    for row in (columns, *rows):
        first, *others = (text for text, _ in zip(row, columns, strict=False))
        aligned = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *aligned]))
