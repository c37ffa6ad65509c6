"""Files made of a run, for other programs and for papers.

Owns what can be asked for: `dense` and `bin` (every row of the layers), `npz` and `csv` (one exact map with its
settings), `png`, `svg` and `pdf` (one map on its picture, drawn by `attention.drawing.run_map`), `zip` (the run's
folder). Knows runs by the methods of `attention.runs.run.Run`; knows neither models nor Gradio.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from attention.drawing.look import Look
from attention.drawing.run_map import write_figure, write_png
from attention.errors import InvalidRequest, quoted
from attention.runs.run import Run
from attention.runs.selection import Choice, Selection, run_name, select

from .files import Folder, new_file, refuse_inside
from .folder_zip import write_zip
from .layers import write_bin, write_dense_files
from .tables import write_csv, write_npz

NUMBERS, FIGURES = ("npz", "csv"), ("png", "svg", "pdf")  # of one row, column or map
FORMATS = ("dense", "bin", *NUMBERS, *FIGURES, "zip")


def export_run(
    run: Run,
    format: str,  # noqa: A002 - the word that every way in uses
    path: str | os.PathLike,
    tower: str = "language",
    layer: Choice = None,
    head: Choice = None,
    query: int | None = None,
    key: int | None = None,
    grid: int | None = 0,
    *,
    until: int | None = None,
    received: bool = False,
    look: Mapping[str, object] | None = None,
    scale: float | None = None,
    width: int | None = None,
    caption: bool = False,
) -> Path:
    """Write a run, or a part of it, to `path` and return that.

    | format | what it is | layer, head, query, key, grid |
    | --- | --- | --- |
    | dense | safetensors: `attention` float16 [heads, queries, keys]; a folder of all layers | layer, or none: all |
    | bin | a folder for the original viewer: meta.json, attn_layer_XX.bin, image.jpg | none |
    | npz | one row and its map (or with `key` one column), float32, with its settings | each |
    | csv | the map as a table of cells and their pixels; without a picture the row, as keys and their texts | each |
    | png | one map on its picture, in its size; `scale` or `width` change that, `caption` adds words | each |
    | svg, pdf | the same as a figure with a colour bar and a caption | each |
    | zip | the run's folder | none |

    For one map, `layer` and `head` are numbers, `mean` (the default) or `max`; `query` is by default the row that
    predicts the answer's first token; `until` makes it the mean over the positions from query (or key) to that;
    `received` is what every key receives; `grid` None is the tower's first. `look` has the fields of `Look` that are
    not to be their default. Raises InvalidRequest or NotInRun.
    """
    if format not in FORMATS:
        raise InvalidRequest(f"There is no format {quoted(format)}. There is {', '.join(FORMATS)}.")
    path = Path(path)
    refuse_inside(run, path)
    drawing = {"look": look, "scale": scale, "width": width, "caption": caption}
    if format in (*NUMBERS, *FIGURES):
        selection = select(run, tower, layer, head, query, key, until, received, grid)
        with new_file(path) as beside, open(beside, "wb") as file:
            write_selection(selection, format, file, **drawing)
        return path
    one = {"head": head, "query": query, "key": key, "until": until, "received": received}
    for name, value in (one | drawing).items():
        if is_given(value):
            what = "draws nothing" if name in drawing else "holds every head, query and key"
            raise InvalidRequest(
                f"Format {format} {what}: leave {name} out, or use {'png' if name in drawing else 'npz'}."
            )
    if format == "dense":
        return write_dense_files(run, path, tower, layer)
    if layer is not None or tower != "language":
        what = "every layer of the language tower" if format == "bin" else "the whole run"
        raise InvalidRequest(f"Format {format} holds {what}: leave layer and tower out, or use dense.")
    return write_bin(run, path) if format == "bin" else write_zip(run, path)


def is_given(value) -> bool:
    """True if a field of an export was set: 0 is a layer or a head, and not nothing."""
    return value is not None and value is not False and value != {}


def file_name(run: Folder, format: str, selection: Selection | None = None) -> str:  # noqa: A002
    """Name of an exported file, in plain ASCII: 3f2a_language_L12_H3_row69.svg."""
    return f"{run_name(run) if selection is None else selection.name()}.{format}"


def write_selection(
    selection: Selection,
    format: str,  # noqa: A002
    file: BinaryIO,
    look: Mapping[str, object] | None = None,
    scale: float | None = None,
    width: int | None = None,
    caption: bool = False,
) -> None:
    """Write one row, column or map into an open file, in a format of NUMBERS or FIGURES."""
    if format in NUMBERS:
        for name, value in (("look", look), ("scale", scale), ("width", width), ("caption", caption)):
            if is_given(value):
                raise InvalidRequest(f"Format {format} holds numbers and draws nothing: leave {name} out, or use png.")
        return write_npz(selection, file) if format == "npz" else write_csv(selection, file)
    if format == "png":
        write_png(selection, Look.read(look or {}), file, scale, width, caption)
        return None
    for name, value in (("scale", scale), ("width", width)):
        if value is not None:
            raise InvalidRequest(f"Format {format} is sharp in any size: leave {name} out, or use png.")
    return write_figure(selection, Look.read(look or {}), file, format)


def heatmap_png(
    run: Run,
    tower: str,
    layer: int | str,
    head: int | str,
    query: int | None,
    grid: int,
    path: str | os.PathLike,
    key: int | None = None,
) -> tuple[Path, np.ndarray]:
    """Lay one map over its picture, in the picture's own width and height; return the path and the values [rows, cols].

    A cell covers exactly the pixels that its token was made from, unsmoothed; the higher a value, the more its cell
    covers of the picture, so that what gets no attention stays visible. With `key` instead of `query` the map is of
    what each cell's token reads from that key. The settings are in the file, as its text `attention`.
    """
    path = Path(path)
    selection = select(run, tower, layer, head, query, key, grid=grid)
    with new_file(path) as beside, open(beside, "wb") as file:
        values = write_png(selection, Look(), file)
    return path, values
