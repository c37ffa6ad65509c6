"""A run or a comparison in the format `html`: which fields of an export it takes, and the file written."""

from __future__ import annotations

from pathlib import Path

from attention.comparisons.comparison import Comparison
from attention.errors import InvalidRequest
from attention.exports.files import new_file, refuse_inside
from attention.exports.regions import wanted_region
from attention.exports.wanted import COMPARISON, HTML, MAP, Wanted, is_given
from attention.runs.run import Run

from .page import HtmlFile, html_file

OPENS_AT = ("layer", "head", "query")


def export_html(found: Run | Comparison, path: Path, wanted: Wanted) -> HtmlFile:
    """Write a file. Raises InvalidRequest, NotInRun or LimitExceeded."""
    refuse_inside(found, path, found.kind)
    made = wanted_html(found, wanted)
    with new_file(path) as beside:
        beside.write_text(made.text, encoding="utf-8", newline="")
    return made


def wanted_html(found: Run | Comparison, wanted: Wanted) -> HtmlFile:
    """Make the file that is asked for. Raises InvalidRequest for a field that it does not take."""
    others = wanted.of(MAP) | wanted.of(COMPARISON) | wanted.drawing()
    if others.pop("tower") != "language":
        raise InvalidRequest("Format html holds every tower in which text reads: leave tower out.")
    for name, value in others.items():
        if name not in OPENS_AT and is_given(value):
            raise InvalidRequest(f"Format html opens at a layer, a head and a query: leave {name} out.")
    region = wanted_region(found, wanted)
    return html_file(
        found, **{name: others[name] for name in OPENS_AT}, **wanted.of(HTML), region=region, reading=wanted.reading
    )
