"""A comparison in the format that is asked for: its folder as a zip, its measures as a table, its maps as figures.

Owns which fields a format takes. How a figure is drawn is the business of `attention.comparisons.figure`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from attention.comparisons.comparison import BASE, Comparison
from attention.comparisons.figure import write_comparison_figure
from attention.comparisons.maps import ComparedMaps, compared_maps
from attention.drawing.look import Look
from attention.errors import InvalidRequest, quoted

from .files import new_file, refuse_inside
from .folder_zip import write_zip
from .regions import known_floors, member_scores, row_of_answer, wanted_region, write_region_csv
from .run import FIGURES
from .wanted import COMPARISON, MAP, REGION, Wanted, is_given

FORMATS = (*FIGURES, "csv", "html", "zip")


def export_comparison(comparison: Comparison, format: str, path: Path, wanted: Wanted) -> Path:  # noqa: A002
    """Write a comparison, or the same map of two members: see `attention.exports.export.export`."""
    if format not in FORMATS:
        raise InvalidRequest(
            f"A comparison is exported as {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, not as {quoted(format)}. "
            f"For another format export one of its runs: {', '.join(comparison.runs)}."
        )
    refuse_inside(comparison, path, "comparison")
    if format not in FIGURES:
        refuse_reading(comparison, wanted)
    if format in FIGURES:
        maps = wanted_maps(comparison, wanted)
        with new_file(path) as beside, open(beside, "wb") as file:
            write_compared(maps, format, file, wanted)
        return path
    if format == "csv" and wanted_region(comparison, wanted) is not None:
        with new_file(path) as beside, open(beside, "wb") as file:
            write_compared_region(comparison, file, wanted)
        return path
    if format == "zip" and wanted.tower != "language":
        raise InvalidRequest("Format zip holds the whole comparison: leave tower out.")
    given = wanted.of(MAP) | wanted.of(COMPARISON) | wanted.of(REGION) | wanted.drawing()
    del given["tower"]
    for name, value in given.items():
        if is_given(value):
            holds = "the whole comparison" if format == "zip" else "every layer and head"
            raise InvalidRequest(f"Format {format} of a comparison holds {holds}: leave {name} out.")
    if format == "zip":
        return write_zip(comparison, path, not wanted.without_readings)
    if comparison.is_side_by_side:
        raise InvalidRequest(
            f"{comparison.why_side_by_side()} So there is no table of changes: name a box or a point, of which every "
            "member's heads are written."
        )
    text = comparison.csv(wanted.tower)
    with new_file(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="")
    return path


def refuse_reading(comparison: Comparison, wanted: Wanted) -> None:
    """Raise InvalidRequest for a reading, which is of one run."""
    if is_given(wanted.reading):
        raise InvalidRequest(
            "Of a comparison a reading is drawn as png, svg or pdf; otherwise name the member whose it is: one of "
            f"{', '.join(comparison.runs)}."
        )


def wanted_maps(comparison: Comparison, wanted: Wanted) -> ComparedMaps:
    """The same map of the two members that are asked for; by default of the base and the first adapter."""
    left, right = wanted.left or BASE, wanted.right
    own = {name: getattr(wanted, name) for name in ("right_layer", "right_head", "reading")}
    return compared_maps(comparison, left, right, **wanted.of(MAP), **own, region=wanted_region(comparison, wanted))


def write_compared_region(comparison: Comparison, file: BinaryIO, wanted: Wanted) -> None:
    """Write what every head of every member has in a region, in one row. Raises InvalidRequest or NotInRun."""
    refuse_reading(comparison, wanted)
    region = wanted_region(comparison, wanted)
    if region is None:
        raise InvalidRequest("Name a region: a box or a point.")
    row = ("tower", "query", "until")
    for name, value in (wanted.of(MAP) | wanted.of(COMPARISON) | wanted.drawing()).items():
        if name not in row and is_given(value):
            raise InvalidRequest(f"A table of a region holds every head of every member: leave {name} out.")
    query = row_of_answer(comparison, wanted.tower, wanted.query)
    scores = member_scores(comparison, region, query, wanted.tower, wanted.until)
    floors = known_floors(comparison, region, query, wanted.tower, wanted.until)
    write_region_csv(comparison, scores, wanted.tower, file, floors)


def write_compared(maps: ComparedMaps, format: str, file: BinaryIO, wanted: Wanted) -> None:  # noqa: A002
    """Draw two members' maps and their difference into an open file, in a format of FIGURES."""
    drawing: dict[str, Any] = {"show": wanted.show, "difference_high": wanted.difference_high}
    drawing["right_high"] = wanted.right_high
    drawing["split"] = 0.5 if wanted.split is None else wanted.split
    drawing |= {"scale": wanted.scale, "width": wanted.width, "caption": wanted.caption}
    write_comparison_figure(maps, Look.read(wanted.look), file, format, **drawing)
