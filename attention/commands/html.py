"""`html`: a run or a comparison as one HTML file, which opens in any browser without the app."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from attention.exports.wanted import FIELDS, HTML, Wanted

from .flags import add_flag
from .help import add_command
from .output import add_output, print_json
from .reading import make_named

OPENS_AT = {"layer": "at which layer it opens (default: mean)", "head": "at which head (default: mean)",
            "query": "at which row (default: that which predicts the answer)"}  # fmt: skip
MEASURED = {"box": "box that it opens with, and measures in every row, in pixels of its picture",
            "point": "point instead", "image": "picture that box or point lies on, from 0"}  # fmt: skip
EXAMPLES = (
    "python -m attention html star --output star.html",
    "python -m attention html star --output star.html --layer 3 --head 1",
    "python -m attention html star --output small.html --tokens answer --layers 0-3 --heads 1,2",
)
ABOUT = (
    "It opens from disk in any browser, and asks no server and no network for anything. What is named is held. "
    "Otherwise it holds, as far as --megabytes allow, the answer's rows in every layer and head, then those of the "
    "prompt's words, who reads these, and the other tokens. The page says what it leaves out."
)


def add_html(commands) -> None:
    parser = add_command(
        commands, "html", "write a run or a comparison as one page that needs no server", EXAMPLES,
        "RUN --output PATH", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_html)
    group = parser.add_argument_group("file", "What is written, and where.")
    group.add_argument("run", metavar="RUN", help="folder of a finished run, or of a comparison")
    group.add_argument("--output", required=True, metavar="PATH", help="the file")
    group = parser.add_argument_group("view", "Where it opens.")
    for name, words in (OPENS_AT | MEASURED).items():
        add_flag(group, dataclasses.replace(FIELDS[name], words=words), None)
    group = parser.add_argument_group("content", "What it holds; by default what fits.")
    for field in FIELDS.values():
        if field.group == HTML:
            add_flag(group, field, None)
    words = "reading whose effects it holds as well, and opens with; a forecast is made where there is none yet"
    add_flag(group, dataclasses.replace(FIELDS["reading"], words=words), None)
    add_output(parser)


def _html(options) -> int:
    from attention.exports.html.export import export_html
    from attention.folders import open_folder

    names = [*OPENS_AT, *MEASURED, "reading", *(name for name, field in FIELDS.items() if field.group == HTML)]
    with open_folder(options.run) as found:
        make_named(found, options)
        made = export_html(found, Path(options.output), Wanted.read({name: getattr(options, name) for name in names}))
    if options.json:
        size = Path(options.output).stat().st_size
        record = {"file": options.output, "kind": found.kind, "bytes": size}
        print_json(record | {"holds": made.holds, "left_out": made.left_out})
        return 0
    if not options.quiet:
        print(made.holds, made.left_out, sep="\n", file=sys.stderr)
    print(options.output)
    return 0
