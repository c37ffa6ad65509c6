"""`export`: a run or a comparison, or one map of it, as a file."""

from __future__ import annotations

import argparse

from attention.drawing.look import LOOK_FIELDS
from attention.errors import InvalidRequest
from attention.exports.wanted import COMPARISON, DRAWING, FIELDS, HTML, MAP, is_given

from .flags import add_flag, flag

NO_FLAG = ("width",)  # --scale does
ONE_OF = ("query", "key", "received")


def add_export(commands) -> None:
    parser = commands.add_parser("export", help="write a run, or one map of it, as a file")
    parser.set_defaults(command=_export)
    add = parser.add_argument
    add("run", metavar="RUN", help="the folder of a finished run, or of a comparison")
    add("--format", required=True, metavar="dense|bin|npz|csv|png|svg|pdf|html|zip", help="what to write")
    add("--output", required=True, metavar="PATH", help="a file; a folder for bin, and for dense without --layer")
    _add_fields(parser, MAP, parser.add_mutually_exclusive_group())
    group = parser.add_argument_group("how png, svg and pdf are drawn")
    _add_fields(group, DRAWING)
    for field in LOOK_FIELDS.values():
        add_flag(group, field, None)
    _add_fields(parser.add_argument_group("what an html file holds (see the command `html`)"), HTML)
    _add_fields(
        parser.add_argument_group("of a comparison: csv (its measures), zip, and png, svg, pdf of two members"),
        COMPARISON,
    )


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
        for name, field in FIELDS.items():
            if field.group == COMPARISON and is_given(fields[name]) and found.kind == "run":
                raise InvalidRequest(f"{flag(name)} is of a comparison, and {options.run} is none: leave it out.")
        print(export(found, options.format, options.output, look=look, **fields))
    return 0
