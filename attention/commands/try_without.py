"""`try`: what an answer's probability becomes without a region or without heads, beside controls and the forecast."""

from __future__ import annotations

from typing import Any

import numpy as np

from attention.errors import InvalidRequest

from .help import add_command
from .of_a_run import add_model, add_place, check_model, check_place, model_of, place_of
from .output import add_output, print_json
from .progress import LOADING, Progress, quiet_transformers
from .try_cells import try_cells

EXAMPLES = (
    "python -m attention try star --box 200 80 400 200",
    "python -m attention try star --top-heads 4",
    "python -m attention try star --box 200 80 400 200 --paint mean --model pocket",
    "python -m attention try star --cells",
)
ABOUT = (
    "Runs the model again with the tokens of a region hidden from all others, or with heads silenced, and says how the "
    "answer's log-probability changes: beside other regions of the same size and about the same attention, or other "
    "heads, and beside the forecast. It says what happens then, not why."
)


def add_try(commands) -> None:
    parser = add_command(
        commands, "try", "say what becomes of the answer without a region, or without heads", EXAMPLES,
        "RUN --box X0 Y0 X1 Y1 | --point X Y | --answer | --head L H | --top-heads N | --cells", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_try)
    group = parser.add_argument_group("what is left out", "Places in pixels of the picture as it was given.")
    group.add_argument("run", metavar="RUN", help="folder of a finished run with an answer")
    what = add_place(group)
    what.add_argument("--head", nargs=2, type=int, action="append", metavar=("L", "H"), help="layer and head; repeated")
    what.add_argument("--top-heads", type=int, metavar="N", help="the N heads of the largest forecast")
    what.add_argument("--cells", action="store_true", help="every cell by itself: a map, kept beside the run")
    group.add_argument(
        "--blocks", nargs=2, type=int, metavar=("R", "C"),
        help="with --cells: rows and columns that are hidden together (default: 1 1, more of large pictures)",
    )  # fmt: skip
    group.add_argument("--paint", choices=("mean", "blur"), help="paint the region over as well, and read it again")
    group.add_argument(
        "--silence", choices=("zero", "mean"), default="zero", help="heads: by 0, or by their mean (default: zero)"
    )
    group.add_argument("--seed", type=int, default=0, help="of the controls that are drawn (default: 0)")
    add_model(parser)
    add_output(parser)


def _try(options) -> int:
    is_heads = options.head is not None or options.top_heads is not None
    if is_heads and options.paint:
        raise InvalidRequest("--paint is for a region: leave it out, or name a box.")
    if options.blocks and not options.cells:
        raise InvalidRequest("--blocks is how many cells are hidden together: give --cells with it.")
    check_place(options)
    check_model(options)
    progress = Progress(options.quiet)
    progress.show(LOADING)
    quiet_transformers()
    if options.cells:
        try:
            return try_cells(options, progress)
        finally:
            progress.end()
    from attention.effects.beside_controls import try_heads, try_region
    from attention.effects.record import tried_record
    from attention.runs.run import open_run

    try:
        run = open_run(options.run)
        model = model_of(options)
        record: dict[str, Any] = {"run": options.run}
        if is_heads:
            asked = options.top_heads if options.head is None else [(layer, head) for layer, head in options.head]
            heads, found = try_heads(run, asked, options.silence, model=model, seed=options.seed)
            record |= tried_record(found, heads=heads)
            what = ", ".join(f"{layer}.{head}" for layer, head in heads)
            done, others = f"Without {'head' if len(heads) == 1 else 'heads'} {what}", "other heads"
        else:
            region = place_of(options, run)
            found = try_region(run, region, paint=options.paint, model=model, seed=options.seed)
            record |= tried_record(found, region=region)
            done, others = f"With {region} hidden", "other regions of its size"
    finally:
        progress.end()
    if options.json:
        print_json(record)
        return 0
    print(f"{done} the answer's log-probability changes by {found.change:+.3g} (it is {found.value:.3g}).")
    print(" ".join(filter(None, [f"Forecast: {found.forecast:+.3g}.", record["caution"]])))
    if found.painted is not None:
        print(f"Painted over, and read again: {found.painted:+.3g}.")
    n = len(found.controls)
    if n:
        low, middle, high = np.quantile(found.controls, (0, 0.5, 1))
        alike = (
            "with about as much attention" if found.gap <= 0.2 else f"whose attention differs by up to {found.gap:.0%}"
        )
        print(f"{n} {others}, {alike}: {middle:+.3g} in the middle, {low:+.3g} to {high:+.3g}.")
    else:
        print("There is nothing like it elsewhere to set beside it.")
    if found.first_other is None:
        print("The likeliest answer stays.")
    else:
        at, was, now = found.first_other
        print(f"The likeliest answer changes at its token {at + 1}: {now!r} where {was!r} was the likeliest.")
    if found.paths:
        print(found.paths)
    return 0
