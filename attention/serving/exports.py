"""The routes of files to keep: a view as a figure or a table, a layer, a whole folder as a zip."""

from __future__ import annotations

import threading
from collections.abc import Callable

from starlette.responses import FileResponse, Response, StreamingResponse

from attention.drawing.look import LOOK_NAMES, Look
from attention.errors import quoted
from attention.exports.export import FIGURES, file_name, write_selection
from attention.exports.folder_zip import zipped, zipped_bytes
from attention.exports.layers import write_dense
from attention.limits import EXPORT_WAIT_S, EXPORTS_AT_ONCE
from attention.runs.selection import select

from .answers import FRESH, KEEP, Busy, attachment, download
from .parameters import BadQuery, read_choice, read_decimal, read_number, read_tower, read_word, take_only

EXPORT_TYPES = {
    "png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf", "npz": "application/octet-stream",
    "csv": "text/csv; charset=utf-8", "zip": "application/zip",
}  # fmt: skip
EXPORT_FIELDS = (
    "format", "tower", "layer", "head", "query", "key", "until", "received", "grid", "scale", "width", "caption",
    *LOOK_NAMES,
)  # fmt: skip
COMPARED_FIELDS = (*EXPORT_FIELDS, "left", "right", "show", "split", "difference_high")  # of two members' maps


def changes_table(comparison, request) -> Response:
    """Every measure of every head, means over the answer's rows, as a table to keep."""
    headers = attachment(f"comparison-{file_name(comparison, 'csv')}", FRESH)
    return Response(comparison.csv(read_tower(request)), media_type="text/csv; charset=utf-8", headers=headers)


def layer_file(run, request) -> Response:
    tower, layer = request.path_params["tower"], request.path_params["layer"]
    path = run.layer_file(layer, tower)
    name = f"{tower}_layer_{layer:02}"
    if read_word(request, "dense", ("0", "1"), "0") == "1":
        return _dense(run, layer, tower, f"{name}_dense.safetensors")
    return FileResponse(path, media_type="application/octet-stream", filename=f"{name}.safetensors", headers=KEEP)


def _dense(run, layer, tower, name) -> Response:
    """Every row of a layer as one safetensors file, float16 [heads, tokens, tokens].

    Rows are computed for all heads at once and leave head by head, so they wait in an unnamed file on disk: memory
    stays bounded however long the sequence is.
    """
    return download(lambda file: write_dense(run, layer, tower, file), name, "application/octet-stream", KEEP)


_exports = threading.BoundedSemaphore(EXPORTS_AT_ONCE)


def export(run, request) -> Response:
    """One row, column or map as a file to keep, or the whole run as a zip: `format` png, svg, pdf, npz, csv or zip.

    The fields are those of `export.export_run`, and of its look each by its own name; nothing else is taken.
    """
    take_only(request, EXPORT_FIELDS)
    wanted = read_word(request, "format", tuple(EXPORT_TYPES), "")
    if wanted == "zip":
        return _zip(run, file_name(run, "zip"))
    selection = select(run, **read_choice(request))
    return _drawn(
        request, wanted, file_name(run, wanted, selection),
        lambda file, look, **drawing: write_selection(selection, wanted, file, look, **drawing),
    )  # fmt: skip


def export_found(found, request) -> Response:
    """Export what a ticket itself gives access to: a run, see `export`, or several.

    Of several `zip` is all of them, `csv` their measures as a table, and png, svg or pdf the same map of two members
    and their difference, with the fields of `attention.exports.comparison.export_comparison`.
    """
    if found.kind == "run":
        return export(found, request)
    wanted = request.query_params.get("format", "")
    if wanted in ("zip", "csv"):
        taken = ("format",) if wanted == "zip" else ("format", "tower")
        for name in request.query_params:
            if name not in taken:
                raise BadQuery(f"Format {wanted} of several runs together holds all of them: leave {name} out.")
        return (
            changes_table(found, request) if wanted == "csv" else _zip(found, f"comparison-{file_name(found, 'zip')}")
        )
    if wanted not in FIGURES:
        raise BadQuery(
            f"format is {quoted(wanted)}; of several runs together it must be {', '.join(FIGURES)}, zip or csv. For "
            "another name one of them: base/export."
        )
    take_only(request, COMPARED_FIELDS)
    given = request.query_params
    maps = found.maps(**read_choice(request), **{name: given[name] for name in ("left", "right") if name in given})
    split, high = read_decimal(request, "split"), given.get("difference_high")
    more = {"show": given.get("show"), "split": 0.5 if split is None else split}
    more["difference_high"] = high if high == "largest" else read_decimal(request, "difference_high")
    return _drawn(
        request, wanted, f"{maps.name()}.{wanted}",
        lambda file, look, **drawing: maps.write(Look.read(look), file, wanted, **drawing, **more),
    )  # fmt: skip


def _drawn(request, wanted: str, name: str, write: Callable) -> Response:
    """Send what `write(file, look, scale=, width=, caption=)` draws, as many at a time as memory has room for."""
    given = request.query_params
    drawing = {
        "look": {name: given[name] for name in LOOK_NAMES if name in given},
        "scale": read_decimal(request, "scale"), "width": read_number(request, "width", None),
        "caption": read_word(request, "caption", ("0", "1"), "0") == "1",
    }  # fmt: skip
    if not _exports.acquire(timeout=EXPORT_WAIT_S):
        raise Busy("The server is drawing other figures. Try again in a moment.")
    try:
        return download(lambda file: write(file, **drawing), name, EXPORT_TYPES[wanted], FRESH)
    finally:
        _exports.release()


def _zip(found, name: str) -> Response:
    """A whole folder, sent while it is being read."""
    size = zipped_bytes(found)
    headers = attachment(name, FRESH) | ({} if size is None else {"Content-Length": str(size)})
    return StreamingResponse(zipped(found), media_type=EXPORT_TYPES["zip"], headers=headers)
