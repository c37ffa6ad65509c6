"""Files made of a run or a comparison, for other programs and for papers: one way in for all formats.

Knows runs and comparisons by their kind; knows neither models nor Gradio.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from attention.comparisons.comparison import Comparison
from attention.drawing.look import Look
from attention.drawing.run_map import write_png
from attention.kinds.kept import run_as_read
from attention.runs.run import Run
from attention.runs.selection import Choice, select

from .comparison import export_comparison
from .files import new_file
from .html.export import export_html
from .run import export_run
from .wanted import Wanted, refuse_others


def export(
    found: Run | Comparison,
    format: str,  # noqa: A002 - the word that every way in uses
    path: str | os.PathLike,
    **fields: Any,
) -> Path:
    """Write a run or a comparison, or one map of it, to `path` and return that.

    | format | what it is of a run | fields |
    | --- | --- | --- |
    | dense | safetensors: `attention` float16 [heads, queries, keys]; a folder of all layers | tower, layer or none: all |
    | bin | a folder for the original viewer: meta.json, attn_layer_XX.bin, image.jpg | none |
    | npz | one row and its map (or with `key` one column), float32, with its settings | of one map |
    | csv | the map as a table of cells and their pixels; without a picture the row, as keys and their texts | of one map |
    | csv | with `box` or `point`: what every head has there, and chance | tower, query, until, of a region |
    | png | one map on its picture, in its size; `scale` or `width` change that, `caption` adds words | and of drawing, of a region |
    | svg, pdf | the same as a figure with a colour bar and a caption | look, of a region |
    | card | a PNG of 1200x630 to show others: the map, question, answer, and the maps of all layers and heads | of one map, look |
    | html | a page of its own: the viewer and what it shows; it opens at layer, head and query | and tokens, layers, heads, megabytes |
    | zip | the run's folder, and its readings beside it | without_readings |

    | format | what it is of a comparison | fields |
    | --- | --- | --- |
    | png, svg, pdf | two members' maps and their difference, side by side on the picture | all |
    | csv | every measure of every head, means over the answer's rows; of one tower | tower |
    | csv | with `box` or `point`: what every head of every member has there, and its noise floors | tower, query, until, of a region |
    | html | as of a run | as of a run |
    | zip | the whole folder, with readings of its runs | without_readings |

    The fields are those of `Wanted`; None is not given. Raises InvalidRequest or NotInRun.
    """  # noqa: E501
    wanted = Wanted.read(fields)
    refuse_others(format, wanted)
    if format == "html":
        export_html(found, Path(path), wanted)
        return Path(path)
    if found.kind == "comparison":
        return export_comparison(found, format, Path(path), wanted)
    return export_run(found, format, Path(path), wanted)


def heatmap_png(
    run: Run,
    tower: str,
    layer: Choice,
    head: Choice,
    query: int | None,
    grid: int | None,
    path: str | os.PathLike,
    key: int | None = None,
    reading: str | None = None,
) -> tuple[Path, np.ndarray]:
    """Lay one map over its picture, in the picture's own width and height; return the path and the values [rows, cols].

    A cell covers exactly the pixels that its token was made from, unsmoothed; the higher a value, the more its cell
    covers of the picture, so that what gets no attention stays visible. With `key` instead of `query` the map is of
    what each cell's token reads from that key; with `reading` it has that reading's numbers. The settings are in the
    file, as its text `attention`.
    """
    path = Path(path)
    selection = select(run_as_read(run, reading), tower, layer, head, query, key, grid=grid)
    with new_file(path) as beside, open(beside, "wb") as file:
        values = write_png(selection, Look(), file)
    return path, values
