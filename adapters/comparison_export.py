"""Files made of a comparison: its folder as a zip, and its numbers as a table.

Owns what can be asked for. How a file is written is the business of `attention.export`; single maps are of the runs.
Knows neither models nor Gradio.
"""

from __future__ import annotations

import os
from pathlib import Path

from attention.errors import InvalidRequest
from attention.export import is_given, new_file, refuse_inside, write_zip

from .comparison import Comparison

FORMATS = ("zip", "csv")


def export_comparison(
    comparison: Comparison,
    format: str,  # noqa: A002 - the word that every way in uses
    path: str | os.PathLike,
    tower: str = "language",
    **selection,
) -> Path:
    """Write a comparison to `path` and return that: `zip` is its whole folder, `csv` every measure of every head.

    The table is of one tower, means over the answer's rows. `selection` has the fields of `export_run` that choose or
    draw one map of one run; they are to be left out or empty. Raises InvalidRequest, and for a tower NotInRun.
    """
    path = Path(path)
    if format not in FORMATS:
        raise InvalidRequest(
            f"A comparison is exported as {' or '.join(FORMATS)}, not as {format!r}. For another format export one of "
            f"its runs: {', '.join(comparison.runs)}."
        )
    if format == "zip" and tower != "language":
        raise InvalidRequest("Format zip holds the whole comparison: leave tower out.")
    for name, value in selection.items():
        if is_given(value):
            holds = "the whole comparison" if format == "zip" else "every layer and head"
            raise InvalidRequest(f"Format {format} of a comparison holds {holds}: leave {name} out.")
    refuse_inside(comparison, path, "comparison")
    if format == "zip":
        return write_zip(comparison, path)
    text = comparison.csv(tower)
    with new_file(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="")
    return path
