"""`html`: a run or a comparison as one HTML file, which opens in any browser without the app."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from attention.exports.wanted import FIELDS, HTML, Wanted

from .flags import add_flag

OPENS_AT = {"layer": "at which layer it opens (default: mean)", "head": "at which head (default: mean)",
            "query": "at which row (default: that which predicts the answer)"}  # fmt: skip
EXAMPLES = """examples:
  python -m attention html star --output star.html
  python -m attention html star --output star.html --layer 3 --head 1
  python -m attention html star --output small.html --tokens answer --layers 0-3 --heads 1,2
  python -m attention html star --output large.html --tokens all --megabytes 50

One file with the viewer and its numbers, which opens from disk in any browser: it asks no server and no network for
anything. What is named is held. Otherwise it holds, as far as --megabytes allow, the answer's rows in every layer and
head, then those of the prompt's words, who reads these, and the other tokens. The page says what it leaves out.
"""


def add_html(commands) -> None:
    parser = commands.add_parser(
        "html", help="write a run or a comparison as one page that needs no server", description=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(command=_html)
    parser.add_argument("run", metavar="RUN", help="the folder of a finished run, or of a comparison")
    parser.add_argument("--output", required=True, metavar="PATH", help="the file")
    for name, words in OPENS_AT.items():
        add_flag(parser, dataclasses.replace(FIELDS[name], words=words), None)
    for field in FIELDS.values():
        if field.group == HTML:
            add_flag(parser, field, None)


def _html(options) -> int:
    from attention.exports.html.export import export_html
    from attention.folders import open_folder

    names = [*OPENS_AT, *(name for name, field in FIELDS.items() if field.group == HTML)]
    with open_folder(options.run) as found:
        made = export_html(found, Path(options.output), Wanted.read({name: getattr(options, name) for name in names}))
    print(made.holds, made.left_out, sep="\n", file=sys.stderr)
    print(options.output)
    return 0
