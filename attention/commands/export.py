"""`export`: a run or a comparison, or one map of it, as a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from attention.drawing.look import LOOK_FIELDS
from attention.errors import InvalidRequest
from attention.exports.wanted import COMPARISON, DRAWING, FIELDS, HTML, MAP, READING, REGION, ZIP, is_given

from .flags import add_flag, flag
from .help import add_command
from .output import add_output, print_json
from .reading import make_named

NO_FLAG = ("width",)  # --scale does
ONE_OF = ("query", "key", "received")
EXAMPLES = (
    "python -m attention export assets/examples/shapes --format png --layer 3 --head 1 --output star.png",
    "python -m attention export assets/examples/shapes --format npz --layer mean --output star.npz",
    "python -m attention export assets/examples/compared --format pdf --show left,right,difference --output both.pdf",
)
FORMATS = (
    "npz (row and map, in numbers), csv (map as a table), png, svg or pdf (map on its picture), card (a PNG to show "
    "others: map, question, answer, all layers and heads), dense or bin (whole layers), html (one page that needs no "
    "server), zip (whole folder, and readings of it)"
)


def add_export(commands) -> None:
    parser = add_command(
        commands, "export", "write a run or a comparison, or one map of it, as a file", EXAMPLES,
        "RUN --format FORMAT --output PATH", "Prints the path of what was written.",
    )  # fmt: skip
    parser.set_defaults(command=_export)
    add = parser.add_argument_group("file", "What is written, and where.").add_argument
    add("run", metavar="RUN", help="folder of a finished run, or of a comparison")
    add("--format", required=True, metavar="dense|bin|npz|csv|png|svg|pdf|card|html|zip", help=FORMATS)
    add("--output", required=True, metavar="PATH", help="a file; a folder for bin, and for dense without --layer")
    group = parser.add_argument_group("map", "Which row or column, of npz, csv, png, svg, pdf, card; layers of dense.")
    _add_fields(group, MAP, group.add_mutually_exclusive_group())
    _add_fields(
        parser.add_argument_group(
            "reading", "Numbers of a reading instead of attention. A forecast is made where there is none yet."
        ),
        READING,
    )
    group = parser.add_argument_group("drawing", "How png, svg, pdf and card are drawn.")
    _add_fields(group, DRAWING)
    for field in LOOK_FIELDS.values():
        add_flag(group, field, None)
    group = parser.add_argument_group("region", "A place to measure: of csv, png, svg, pdf, card; html opens with it.")
    _add_fields(group, REGION)
    _add_fields(parser.add_argument_group("html", "What an html file holds; see the command html."), HTML)
    _add_fields(parser.add_argument_group("zip", "What a zip holds."), ZIP)
    _add_fields(
        parser.add_argument_group(
            "comparison", "Of a comparison: two members' maps, as png, svg or pdf; csv and zip need none of these."
        ),
        COMPARISON,
    )
    add_output(parser)


def _add_fields(group: argparse._ActionsContainer, of: str, one: argparse._ActionsContainer | None = None) -> None:
    """Add the flags of the fields of a group; those of which one may be given go to `one`."""
    for name, field in FIELDS.items():
        if field.group == of and name not in NO_FLAG:
            add_flag(one if one is not None and name in ONE_OF else group, field, None)


def _export(options) -> int:
    from attention.exports.export import export
    from attention.folders import open_folder

    fields = {name: getattr(options, name) for name in FIELDS if name not in NO_FLAG}
    look = {name: getattr(options, name) for name in LOOK_FIELDS if getattr(options, name) is not None}
    with open_folder(options.run) as found:
        make_named(found, options)
        for name, field in FIELDS.items():
            if field.group == COMPARISON and is_given(fields[name]) and found.kind == "run":
                raise InvalidRequest(f"{flag(name)} is of a comparison, and {options.run} is none: leave it out.")
        path = export(found, options.format, options.output, look=look, **fields)
        if options.json:
            print_json({"file": str(path), "format": options.format, "kind": found.kind, "bytes": _bytes(path)})
        else:
            print(path)
    return 0


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
