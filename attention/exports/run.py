"""A run, or one map of it, in the format that is asked for.

Owns which fields a format takes. Knows runs by the methods of `attention.runs.run.Run`; how a file is written is the
business of `layers`, `tables`, `folder_zip` and `attention.drawing`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from attention.drawing.card import SIZE, write_card
from attention.drawing.look import Look
from attention.drawing.run_map import write_figure, write_png
from attention.errors import InvalidRequest, quoted
from attention.kinds.kept import run_as_read
from attention.runs.regions import region_scores
from attention.runs.run import Run
from attention.runs.selection import Selection, run_name, select

from .files import Folder, new_file, refuse_inside
from .folder_zip import write_zip
from .layers import write_bin, write_dense_files
from .regions import ONE_RUN, wanted_region, write_region_csv
from .tables import write_csv, write_npz
from .wanted import COMPARISON, MAP, READING, REGION, Wanted, is_given

NUMBERS, FIGURES = ("npz", "csv"), ("png", "svg", "pdf")  # of one row, column or map
CARD = "card"  # of one map
SUFFIXES = {CARD: "card.png"}  # of files that are not named as their format
FORMATS = ("dense", "bin", *NUMBERS, *FIGURES, CARD, "html", "zip")


def export_run(run: Run, format: str, path: Path, wanted: Wanted) -> Path:  # noqa: A002 - the word of every way in
    """Write a run, or a part of it: see `attention.exports.export.export`."""
    for name, value in wanted.of(COMPARISON).items():
        if is_given(value):
            raise InvalidRequest(f"{name} is of a comparison, and this is one run: leave it out.")
    if format not in FORMATS:
        raise InvalidRequest(f"There is no format {quoted(format)}. There is {', '.join(FORMATS)}.")
    refuse_inside(run, path)
    if format in (*NUMBERS, *FIGURES, CARD):
        selection = selected(run, wanted)
        with new_file(path) as beside, open(beside, "wb") as file:
            write_selection(selection, format, file, wanted.drawing())
        return path
    drawing = wanted.drawing()
    one = {name: getattr(wanted, name) for name in ("head", "query", "key", "until", "received")}
    for name, value in (one | drawing | wanted.of(REGION) | wanted.of(READING)).items():
        if is_given(value):
            what = "draws nothing" if name in drawing else "holds every head, query and key"
            raise InvalidRequest(
                f"Format {format} {what}: leave {name} out, or use {'png' if name in drawing else 'npz'}."
            )
    if format == "dense":
        return write_dense_files(run, path, wanted.tower, wanted.layer)
    if wanted.layer is not None or wanted.tower != "language":
        what = "every layer of the language tower" if format == "bin" else "the whole run"
        raise InvalidRequest(f"Format {format} holds {what}: leave layer and tower out, or use dense.")
    return write_bin(run, path) if format == "bin" else write_zip(run, path, not wanted.without_readings)


def selected(run: Run, wanted: Wanted) -> Selection:
    """The map of a run that is asked for, with the region that it is measured at. Raises InvalidRequest or NotInRun."""
    return select(run_as_read(run, wanted.reading), **wanted.of(MAP), region=wanted_region(run, wanted))


def write_selection(selection: Selection, format: str, file: BinaryIO, drawing: dict[str, Any]) -> None:  # noqa: A002
    """Write one row, column or map into an open file, in a format of NUMBERS or FIGURES, or as a card.

    `drawing` has look, scale, width and caption, as `Wanted.drawing` gives them.
    """
    if format in NUMBERS:
        for name, value in drawing.items():
            if is_given(value):
                raise InvalidRequest(f"Format {format} holds numbers and draws nothing: leave {name} out, or use png.")
        if selection.region is not None:
            return _write_region(selection, format, file)
        return write_npz(selection, file) if format == "npz" else write_csv(selection, file)
    look = Look.read(drawing["look"])
    if format == "png":
        write_png(selection, look, file, drawing["scale"], drawing["width"], drawing["caption"])
        return None
    if format == CARD:
        for name in ("scale", "width", "caption"):
            if is_given(drawing[name]):
                size = "x".join(map(str, SIZE))
                raise InvalidRequest(f"A card is {size}, with its colour bar and words: leave {name} out, or use png.")
        return write_card(selection, look, file)
    for name in ("scale", "width"):
        if drawing[name] is not None:
            raise InvalidRequest(f"Format {format} is sharp in any size: leave {name} out, or use png.")
    return write_figure(selection, look, file, format)


def _write_region(selection: Selection, format: str, file: BinaryIO) -> None:  # noqa: A002
    """Write what every head has in the region of a selection."""
    run, region, query = selection.run, selection.region, selection.query
    assert region is not None
    if format != "csv":
        raise InvalidRequest(f"Format {format} holds one row or column: leave box and point out, or use csv.")
    if not run.is_attention:
        raise InvalidRequest("A table of a region is of attention: leave reading out, or box and point.")
    if query is None:
        raise InvalidRequest("A region is measured in what a row reads: give a query.")
    if (selection.layer, selection.head) != ("mean", "mean"):
        raise InvalidRequest("A table of a region holds every layer and head: leave layer and head out.")
    scores = {ONE_RUN: region_scores(run, region, query, selection.tower, selection.until)}
    write_region_csv(run, scores, selection.tower, file)


def file_name(run: Folder, format: str, selection: Selection | None = None) -> str:  # noqa: A002
    """Name of an exported file, in plain ASCII: 3f2a_language_L12_H3_row69.svg."""
    return f"{run_name(run.info) if selection is None else selection.name()}.{SUFFIXES.get(format, format)}"
