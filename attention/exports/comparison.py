"""Files made of a comparison: its folder as a zip, its numbers as a table, its maps as pictures and figures.

Owns what can be asked for. How a file is written is the business of `export` and `attention.comparisons.figure`.
Knows neither models nor Gradio.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from attention.comparisons.comparison import BASE, Comparison
from attention.drawing.look import Look
from attention.errors import InvalidRequest, quoted
from attention.runs.run import Run
from attention.runs.selection import Choice

from .export import FIGURES, export_run, is_given
from .files import new_file, refuse_inside
from .folder_zip import write_zip

FORMATS = (*FIGURES, "csv", "zip")
OWN_FIELDS = ("left", "right", "show", "split", "difference_high")  # of an export, that a single run does not have


def export_found(found: Run | Comparison, format: str, path: str | os.PathLike, **fields) -> Path:  # noqa: A002
    """Write a run or a comparison, with the fields of `export_run` or of `export_comparison`; None is not given."""
    if found.kind == "comparison":
        return export_comparison(found, format, path, **fields)
    for name in OWN_FIELDS:
        if is_given(fields.pop(name, None)):
            raise InvalidRequest(f"{name} is of a comparison, and this is one run: leave it out.")
    return export_run(found, format, path, **fields)


def export_comparison(
    comparison: Comparison,
    format: str,  # noqa: A002 - the word that every way in uses
    path: str | os.PathLike,
    tower: str = "language",
    layer: Choice = None,
    head: Choice = None,
    query: int | None = None,
    key: int | None = None,
    grid: int | None = None,
    *,
    until: int | None = None,
    received: bool = False,
    look: Mapping[str, object] | None = None,
    scale: float | None = None,
    width: int | None = None,
    caption: bool = False,
    left: str | None = None,
    right: str | None = None,
    show: Sequence[str] | str | None = None,
    split: float | None = None,
    difference_high: float | str | None = None,
) -> Path:
    """Write a comparison, or the same map of two of its members, to `path` and return that.

    | format | what it is |
    | --- | --- |
    | png, svg, pdf | two members' maps and their difference, side by side on the picture |
    | csv | every measure of every head, means over the answer's rows; of one tower |
    | zip | the whole folder |

    A map is chosen and drawn as by `export_run`; `left` (by default the base) and `right` (the first adapter) are
    members: base, adapter_1, ...; `show`, `split` and `difference_high` are those of `write_comparison_figure`.
    With csv and zip they are to be left out. Raises InvalidRequest or NotInRun.
    """
    path = Path(path)
    if format not in FORMATS:
        raise InvalidRequest(
            f"A comparison is exported as {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, not as {quoted(format)}. "
            f"For another format export one of its runs: {', '.join(comparison.runs)}."
        )
    refuse_inside(comparison, path, "comparison")
    which = {"layer": layer, "head": head, "query": query, "key": key, "grid": grid, "until": until}
    which |= {"received": received, "left": left, "right": right}
    drawing = {"show": show, "difference_high": difference_high, "scale": scale, "width": width, "caption": caption}
    if format in FIGURES:
        which |= {"left": BASE if left is None else left, "right": "adapter_1" if right is None else right}
        maps = comparison.maps(tower=tower, **which)
        drawing["split"] = 0.5 if split is None else split
        with new_file(path) as beside, open(beside, "wb") as file:
            maps.write(Look.read(look or {}), file, format, **drawing)
        return path
    if format == "zip" and tower != "language":
        raise InvalidRequest("Format zip holds the whole comparison: leave tower out.")
    for name, value in (which | drawing | {"split": split, "look": look}).items():
        if is_given(value):
            holds = "the whole comparison" if format == "zip" else "every layer and head"
            raise InvalidRequest(f"Format {format} of a comparison holds {holds}: leave {name} out.")
    if format == "zip":
        return write_zip(comparison, path)
    text = comparison.csv(tower)
    with new_file(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="")
    return path
