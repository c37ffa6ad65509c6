"""The routes of files to keep: a view as a figure or a table, a layer, a whole folder as a zip."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from starlette.responses import FileResponse, Response, StreamingResponse

from attention.answers.query import BadQuery, read_tower, read_word
from attention.errors import quoted
from attention.exports.comparison import wanted_maps, write_compared, write_compared_region
from attention.exports.folder_zip import packed_files, zipped, zipped_bytes
from attention.exports.forecast import check_free, layer_bytes
from attention.exports.html.export import wanted_html
from attention.exports.layers import write_dense
from attention.exports.run import FIGURES, file_name, selected, write_selection
from attention.exports.wanted import COMPARISON, FIELDS, NAMES, refuse_others
from attention.limits import EXPORT_WAIT_S, EXPORTS_AT_ONCE, EXPORTS_WAITING

from .few import Few
from .parameters import read_wanted, take_only
from .responses import FRESH, KEEP, attachment, download

EXPORT_TYPES = {
    "png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf", "card": "image/png",
    "npz": "application/octet-stream",
    "csv": "text/csv; charset=utf-8", "html": "text/html; charset=utf-8", "zip": "application/zip",
}  # fmt: skip

OCTETS = "application/octet-stream"
OTHERS = "The server is drawing other figures. Try again in a moment."
OF_COMPARISON = tuple(name for name, field in FIELDS.items() if field.group == COMPARISON)


def changes_table(comparison, request) -> Response:
    """Every measure of every head, means over the answer's rows, as a table to keep."""
    headers = attachment(f"comparison-{file_name(comparison, 'csv')}", FRESH)
    return Response(
        comparison.csv(read_tower(request.query_params)), media_type="text/csv; charset=utf-8", headers=headers
    )


def layer_file(run, request, room: Callable[..., AbstractContextManager]) -> Response:
    """A layer's own file; with `dense=1` every row of it, for which there must be room."""
    tower, layer = request.path_params["tower"], request.path_params["layer"]
    path = run.layer_file(layer, tower)
    name = f"{tower}_layer_{layer:02}"
    if read_word(request.query_params, "dense", ("0", "1"), "0") == "1":
        return _dense(run, layer, tower, f"{name}_dense.safetensors", room)
    return FileResponse(path, media_type="application/octet-stream", filename=f"{name}.safetensors", headers=KEEP)


def _dense(run, layer, tower, name, room) -> Response:
    """Every row of a layer as one safetensors file, float16 [heads, tokens, tokens].

    Rows are computed for all heads at once and leave head by head, so they wait in an unnamed file on disk: memory
    stays bounded however long the sequence is.
    """
    check_free(layer_bytes(run, tower), Path(tempfile.gettempdir()))
    with ExitStack() as until_sent:
        until_sent.enter_context(room(run, "dense", {"tower": tower, "layer": layer}))
        with DRAWN.place():
            return download(lambda file: write_dense(run, layer, tower, file), name, OCTETS, KEEP, until_sent)


DRAWN = Few(EXPORTS_AT_ONCE, EXPORTS_WAITING, EXPORT_WAIT_S, OTHERS)


def export(run, request) -> Response:
    """One row, column or map as a file to keep, or the whole run as a zip: `format` png, svg, pdf, card,
    npz, csv, html or zip.

    The fields are those of `Wanted` that a run has, and of its look each by its own name; nothing else is taken.
    """
    take_only(request, ("format", *(name for name in NAMES if name not in OF_COMPARISON)))
    format = read_word(request.query_params, "format", tuple(EXPORT_TYPES), "")  # noqa: A001 - the word of every way in
    wanted = read_wanted(request)
    refuse_others(format, wanted)
    if format == "zip":
        return _zip(run, file_name(run, "zip"), wanted)
    if format == "html":
        return _drawn(file_name(run, "html"), format, lambda file: _write_html(run, wanted, file))
    selection = selected(run, wanted)
    name = file_name(run, format, selection)
    return _drawn(name, format, lambda file: write_selection(selection, format, file, wanted.drawing()))


def export_found(found, request) -> Response:
    """Export what a ticket itself gives access to: a run, see `export`, or several.

    Of several `zip` is all of them, `html` a page that shows them, `csv` their measures as a table, and png, svg or pdf
    the same map of two members and their difference, with the fields of `Wanted`.
    """
    if found.kind == "run":
        return export(found, request)
    format = request.query_params.get("format", "")  # noqa: A001 - as above
    if format == "csv" and {"box", "point"} & set(request.query_params):
        take_only(request, ("format", *NAMES))
        wanted = read_wanted(request)
        name = f"comparison-{file_name(found, 'csv').removesuffix('.csv')}_region.csv"
        return _drawn(name, format, lambda file: write_compared_region(found, file, wanted))
    if format in ("zip", "csv"):
        taken = ("format", "without_readings" if format == "zip" else "tower")
        for name in request.query_params:
            if name not in taken:
                raise BadQuery(f"Format {format} of several runs together holds all of them: leave {name} out.")
        return (
            changes_table(found, request) if format == "csv"
            else _zip(found, f"comparison-{file_name(found, 'zip')}", read_wanted(request))
        )  # fmt: skip
    if format not in (*FIGURES, "html"):
        raise BadQuery(
            f"format is {quoted(format)}; of several runs together it must be {', '.join(FIGURES)}, html, zip or csv. "
            "For another name one of them: base/export."
        )
    take_only(request, ("format", *NAMES))
    wanted = read_wanted(request)
    refuse_others(format, wanted)
    if format == "html":
        return _drawn(f"comparison-{file_name(found, 'html')}", format, lambda file: _write_html(found, wanted, file))
    maps = wanted_maps(found, wanted)
    return _drawn(f"{maps.name()}.{format}", format, lambda file: write_compared(maps, format, file, wanted))


def _write_html(found, wanted, file) -> None:
    file.write(wanted_html(found, wanted).text.encode())


def _drawn(name: str, format: str, write: Callable) -> Response:  # noqa: A002
    """Send what `write(file)` draws, as many at a time as memory has room for."""
    with DRAWN.place():
        return download(write, name, EXPORT_TYPES[format], FRESH)


def _zip(found, name: str, wanted) -> Response:
    """A whole folder, sent while it is being read."""
    files = packed_files(found, not wanted.without_readings)
    size = zipped_bytes(files)
    headers = attachment(name, FRESH) | ({} if size is None else {"Content-Length": str(size)})
    return StreamingResponse(zipped(files), media_type=EXPORT_TYPES["zip"], headers=headers)
