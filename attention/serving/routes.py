"""The page's view of a run and of a comparison: the canvas components, and the HTTP routes their numbers come from.

Owns the addresses below /gradio_api/attention/ and what they answer. Nothing that a client sends becomes a path:
tickets, asset names and pictures are looked up, layers and tokens are numbers. Knows runs only by the methods of
`attention.runs.run.Run`, and no model. How the numbers are drawn is the business of assets/viewer/.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import cache, wraps
from pathlib import Path
from typing import ClassVar

import gradio as gr
import numpy as np
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from attention.drawing.look import LOOK_NAMES, Look
from attention.environment import VIEWER, is_debugging
from attention.errors import AttentionError, InvalidRequest, NotInRun, fault, quoted, words_for
from attention.exports.export import FIGURES, file_name, write_dense, write_selection, zipped, zipped_bytes
from attention.runs.pooling import pooled_shape
from attention.runs.selection import select

PREFIX = "/gradio_api/attention"  # other prefixes do not pass Gradio's server-side-rendering proxy
MANIFEST_BYTES = 2048
RECEIVED_WAIT_S = 0.25  # a short computation is answered at once instead of with "ask again"
STREAM_BYTES = 1 << 20
EXPORTS_AT_ONCE, EXPORT_WAIT_S = 2, 10  # a large figure takes hundreds of megabytes while it is drawn
EXPORT_TYPES = {
    "png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf", "npz": "application/octet-stream",
    "csv": "text/csv; charset=utf-8", "zip": "application/zip",
}  # fmt: skip
EXPORT_FIELDS = (
    "format", "tower", "layer", "head", "query", "key", "until", "received", "grid", "scale", "width", "caption",
    *LOOK_NAMES,
)  # fmt: skip
COMPARED_FIELDS = (*EXPORT_FIELDS, "left", "right", "show", "split", "difference_high")  # of two members' maps

_MEDIA_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".png": "image/png",
    ".jpg": "image/jpeg",
}
_KEEP = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}
_FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}

log = logging.getLogger(__name__)


# The components


@cache
def assets() -> tuple[str, dict[str, bytes]]:
    """A hash of the viewer's files and the files by name. The hash is in their address, so that they cache for ever."""
    files = {path.name: path.read_bytes() for path in sorted(VIEWER.iterdir()) if path.suffix in _MEDIA_TYPES}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16], files


def _styles(files: dict[str, bytes]) -> str:
    """All style sheets as one: the common one first, then those of single views."""
    names = sorted((name for name in files if name.endswith(".css")), key=lambda name: (name != "viewer.css", name))
    return "\n".join(files[name].decode() for name in names)


# Not async: Gradio runs this as a plain function. What goes wrong is written into the component: Gradio only logs it.
_ON_LOAD = """
/* events: 'select' */
const address = window.gradio_config.root + '%s/assets/%s/%s';
import(address).then((viewer) => viewer.mount({ element, props, watch, trigger })).catch((error) => {
  const place = element.querySelector('.av-message') || element;
  place.textContent = 'The viewer could not be loaded (' + error.message + '). Reload the page.';
  console.error(error);
});
"""


class _Canvas(gr.HTML):
    """A page of canvases, made of a template and a module of assets/viewer/. Its value is None or a manifest."""

    TEMPLATE: ClassVar[str]
    MODULE: ClassVar[str]
    KIND: ClassVar[str]

    def __init__(self, value: dict | None = None, **kwargs):
        digest, files = assets()
        super().__init__(
            value,
            html_template=files[self.TEMPLATE].decode(),
            css_template=_styles(files),
            js_on_load=_ON_LOAD % (PREFIX, digest, self.MODULE),
            apply_default_css=False,
            **kwargs,
        )

    def preprocess(self, payload: dict | None) -> dict | None:
        return payload

    def postprocess(self, value: dict | None) -> dict | None:
        assert value is None or len(json.dumps(value)) <= MANIFEST_BYTES, (
            "numbers travel over the routes, not in the value"
        )
        return value

    def api_info(self) -> dict:
        return {"type": "object", "description": f"id, ticket and kind of the {self.KIND} on screen"}

    def example_payload(self) -> dict:
        return {"id": "example", "ticket": "example", "kind": self.KIND}

    def example_value(self) -> None:
        return None


class AttentionViewer(_Canvas):
    """The canvas that shows a run.

    Its value is a manifest: None, or {id, ticket, kind: "run"} and optionally view: {layer, head, query}, where to
    begin (`layer` and `head` a number, "mean" or "max"). Everything else the page reads from the routes. The event
    `select` is sent when a person chose another token, layer or head, with {layer, head, query, token}.
    """

    TEMPLATE, MODULE, KIND = "template.html", "viewer.js", "run"


class ComparisonViewer(_Canvas):
    """The canvases that set a base and its adapters against each other, on the same tokens.

    Its value is a manifest: None, or {id, ticket, kind: "comparison"} and optionally view: {layer, head, query,
    adapter, measure}, where to begin (`adapter` counts from 0). The event `select` is sent when a person chose another
    token, layer, head, pair or measure, with {layer, head, query, token, left, right, names, measure, of}; `left` and
    `right` are members, 0 the base.
    """

    TEMPLATE, MODULE, KIND = "comparison_template.html", "comparison.js", "comparison"


# The routes


class _BadQuery(Exception):
    """A query parameter that is missing or is not what it should be; the message says which."""


def routes(resolve: Callable[[str], object]) -> list[Route]:
    """The routes of every run, for `demo.launch(app_kwargs={"routes": routes(resolve)})`.

    `resolve(ticket)` returns the Run or the Comparison that a ticket gives access to, and raises KeyError when there is
    none (any more). `{member}` in an address is one of a comparison's runs.
    """
    received = _Received()

    def route(path: str, find: Callable, answer: Callable) -> Route:
        return Route(f"{PREFIX}/{{ticket}}/{path}", _guarded(lambda request: answer(find(resolve, request), request)))

    runs = {
        "run.json": lambda run, _: _json(run.info),
        "image/{index:int}": lambda run, request: _picture(run, request, "file"),
        "preview/{index:int}": lambda run, request: _picture(run, request, "preview"),
        "row": _row,
        "column": _column,
        "atlas": _atlas,
        "masses": _masses,
        "received": received.answer,
        "scores": _scores,
        "layer/{tower}/{layer:int}": _layer,
    }
    return [
        Route(f"{PREFIX}/assets/{{hash}}/{{file}}", _guarded(_asset)),
        *(route(path, _find_run, answer) for path, answer in runs.items()),
        route("export", _find, _export_found),
        route("comparison.json", _find_comparison, lambda comparison, _: _json(comparison.info)),
        route("change", _find_comparison, _change),
        route("changes.csv", _find_comparison, _changes_table),
        route("logprobs", _find_comparison, lambda comparison, _: _numbers(comparison.logprobs(), "factors")),
        *(route(f"{{member}}/{path}", _find_run, answer) for path, answer in runs.items()),
        route("{member}/export", _find_run, _export),
        Route(f"{PREFIX}/{{rest:path}}", _guarded(_nothing)),
    ]


def _guarded(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """The edge: whatever goes wrong becomes a status and one sentence, never a stack trace."""

    @wraps(answer)
    def endpoint(request: Request) -> Response:
        try:
            return answer(request)
        except _BadQuery as error:
            return _json({"error": str(error)}, 400)
        except _UnknownTicket as error:
            return _json({"error": str(error), "expired": True}, 404)
        except NotInRun as error:
            return _json({"error": str(error)}, 404)
        except InvalidRequest as error:
            return _json({"error": str(error)}, 400)
        except _Busy as error:
            return _json({"error": str(error)}, 503)
        except AttentionError as error:
            return _json({"error": str(error)}, 500)
        except Exception as error:
            if words_for(error) is not None:
                return _json({"error": words_for(error)}, 500)
            log.exception("%s failed", request.url.path.rsplit("/", 1)[-1])  # without the ticket
            if is_debugging():
                raise
            return _json({"error": f"{fault(error)} The app's log has the details."}, 500)

    return endpoint


class _UnknownTicket(NotInRun):
    pass


def _find(resolve, request):
    try:
        return resolve(request.path_params["ticket"])
    except KeyError:
        raise _UnknownTicket(
            "This run is not here any more: it has expired, or its ticket is wrong. Run it again."
        ) from None


def _find_run(resolve, request):
    """The run that is asked for: a ticket's own, or one member of several."""
    found, member = _find(resolve, request), request.path_params.get("member")
    if (found.kind == "comparison") == (member is None):
        raise NotInRun(
            "Behind this ticket there are several runs, base and adapters: name one of them." if member is None
            else "Behind this ticket there is one run: it has no members."
        )  # fmt: skip
    return found if member is None else found.run(member)


def _find_comparison(resolve, request):
    found = _find(resolve, request)
    if found.kind == "run":
        raise NotInRun("Behind this ticket there is one run: nothing is compared in it.")
    return found


def _nothing(request):
    raise NotInRun("There is nothing at this address.")


def _row(run, request) -> Response:
    """What one query reads. `layer` and `head` may be `mean` or `max`: over heads first, then layers, as in `run.map`.

    Without `head` the answer is [heads, keys], with one [1, keys]. A stored row is sent as it lies on disk, in float16;
    what is computed, from factors or over heads, layers and positions, in float32; the header X-Attention-Source says
    from what. With `until`: the mean of the rows of positions query to until, stored where all of them are.
    """
    tower, query, until = _tower(request), _number(request, "query"), _number(request, "until", None)
    source = _word(request, "source", ("auto", "stored", "factors"), "auto")
    layer, head = _number_or_word(request, "layer"), _number_or_word(request, "head", optional=True)
    layers = run.layers(tower) if isinstance(layer, str) else [layer]
    found = run.row_source(layers[0], query, tower, source, until) if layers else "factors"
    if head is not None:
        values = run.reduced_row(layer, head, query, tower, source, until)[None]
    elif isinstance(layer, str):
        values = getattr(np, layer)(np.stack(run.rows(query, tower, source, until)), axis=0)
    elif found == "stored" and until in (None, query):
        values = run.stored_row(layer, query, tower)
    else:
        values = run.row(layer, query, tower, found, until)
    return _numbers(values, found)


def _column(run, request) -> Response:
    """Who reads one key: float32 [heads, queries], with `head` [1, queries]; `layer` and `head` as in `_row`.

    With `until`: the mean of the columns of positions key to until.
    """
    tower, key, until = _tower(request), _number(request, "key"), _number(request, "until", None)
    layer, head = _number_or_word(request, "layer"), _number_or_word(request, "head", optional=True)
    if head is not None:
        values = run.reduced_column(layer, head, key, tower, until)[None]
    elif isinstance(layer, str):
        values = getattr(np, layer)(np.stack(run.columns(key, tower, until)), axis=0)
    else:
        values = run.column(layer, key, tower, until)
    return _numbers(values, "factors")


def _atlas(run, request) -> Response:
    """One token's maps in every layer and head: float16 [layers, heads, rows, cols].

    With `key` instead of `query`: what each cell's token reads from that key. With `until`: the mean over the positions
    from query (or key) to until. Maps of more than `max_cells` cells come as area means.
    """
    tower, grid, until = _tower(request), _number(request, "grid", 0), _number(request, "until", None)
    query, key = _number(request, "query", None), _number(request, "key", None)
    max_cells = _number(request, "max_cells", None)
    if (query is None) == (key is None):
        raise _BadQuery("An atlas is of one query or of one key: give one of the two.")
    if max_cells is not None and max_cells < 1:
        raise _BadQuery(f"max_cells is {max_cells}; it must be at least 1.")
    maps = run.atlas(query, grid, tower, key, until, max_cells=max_cells)
    shape = run.cells(grid).shape
    maps = maps.reshape(*maps.shape[:2], *(shape if max_cells is None else pooled_shape(*shape, max_cells)))
    layers = run.layers(tower)
    by_query = query is not None and layers
    return _numbers(maps, run.row_source(layers[0], query, tower, until=until) if by_query else "factors")


def _masses(run, request) -> Response:
    """One row's sums over the groups of run.json: float32 [layers, heads, groups]; with `until`, of a span's mean."""
    query, until = _number(request, "query"), _number(request, "until", None)
    return _numbers(run.masses(query, _tower(request), until), "factors")


def _scores(run, request) -> Response:
    """A score by its `name`: with `query` (and `until`) of that row in every layer and head, float32 [layers, heads].

    Which scores a row has, says `run.row_scores`; `value` is the row's value at `key`. Without `query`: the table of
    the stored rows, float32 [layers, heads, rows], or with `layer` and `head` (as in `_row`) [rows]; the positions of
    its rows are in the header X-Attention-Positions, as `69-71` or `0-12,40`.
    """
    name, tower = request.query_params.get("name"), _tower(request)
    if not name:
        raise _BadQuery("Give name=..., the score to read.")
    query, until, key = (_number(request, parameter, None) for parameter in ("query", "until", "key"))
    if query is not None:
        if name == "value" and key is None:
            raise _BadQuery("Give key=..., the position whose value is asked for.")
        return _numbers(run.row_scores(name, query, tower, until, key), "factors")
    layer, head = (_number_or_word(request, parameter, optional=True) for parameter in ("layer", "head"))
    if (layer is None) != (head is None):
        raise _BadQuery("Give both layer=... and head=... (a number, mean or max), or neither.")
    values = run.score(name, tower) if layer is None else run.reduced_score(name, layer, head, tower)
    response = _numbers(values, "factors")
    response.headers["X-Attention-Positions"] = _ranges(run.stored_positions(tower))
    return response


def _change(comparison, request) -> Response:
    """How far each head moved by a `measure` under an `adapter` (from 0): float32 [layers, heads].

    Of the row of position `query`, or without it (or with `query=mean`) as a mean over the answer's rows.
    """
    name = request.query_params.get("measure")
    if not name:
        raise _BadQuery("Give measure=..., what is compared.")
    is_mean = request.query_params.get("query", "mean") == "mean"
    query = "mean" if is_mean else _number(request, "query")
    return _numbers(comparison.change(name, _number(request, "adapter", 0), query, _tower(request)), "factors")


def _changes_table(comparison, request) -> Response:
    """Every measure of every head, means over the answer's rows, as a table to keep."""
    headers = _attachment(f"comparison-{file_name(comparison, 'csv')}", _FRESH)
    return Response(comparison.csv(_tower(request)), media_type="text/csv; charset=utf-8", headers=headers)


def _layer(run, request) -> Response:
    tower, layer = request.path_params["tower"], request.path_params["layer"]
    path = run.layer_file(layer, tower)
    name = f"{tower}_layer_{layer:02}"
    if _word(request, "dense", ("0", "1"), "0") == "1":
        return _dense(run, layer, tower, f"{name}_dense.safetensors")
    return FileResponse(path, media_type="application/octet-stream", filename=f"{name}.safetensors", headers=_KEEP)


def _dense(run, layer, tower, name) -> Response:
    """Every row of a layer as one safetensors file, float16 [heads, tokens, tokens].

    Rows are computed for all heads at once and leave head by head, so they wait in an unnamed file on disk: memory
    stays bounded however long the sequence is.
    """
    return _download(lambda file: write_dense(run, layer, tower, file), name, "application/octet-stream", _KEEP)


_exports = threading.BoundedSemaphore(EXPORTS_AT_ONCE)


def _export(run, request) -> Response:
    """One row, column or map as a file to keep, or the whole run as a zip: `format` png, svg, pdf, npz, csv or zip.

    The fields are those of `export.export_run`, and of its look each by its own name; nothing else is taken.
    """
    _take_only(request, EXPORT_FIELDS)
    wanted = _word(request, "format", tuple(EXPORT_TYPES), "")
    if wanted == "zip":
        return _zip(run, file_name(run, "zip"))
    selection = select(run, **_which(request))
    return _drawn(
        request, wanted, file_name(run, wanted, selection),
        lambda file, look, **drawing: write_selection(selection, wanted, file, look, **drawing),
    )  # fmt: skip


def _export_found(found, request) -> Response:
    """What a ticket itself gives access to: a run, see `_export`, or several.

    Of several `zip` is all of them, `csv` their measures as a table, and png, svg or pdf the same map of two members
    and their difference, with the fields of `attention.exports.comparison.export_comparison`.
    """
    if found.kind == "run":
        return _export(found, request)
    wanted = request.query_params.get("format", "")
    if wanted in ("zip", "csv"):
        taken = ("format",) if wanted == "zip" else ("format", "tower")
        for name in request.query_params:
            if name not in taken:
                raise _BadQuery(f"Format {wanted} of several runs together holds all of them: leave {name} out.")
        return (
            _changes_table(found, request) if wanted == "csv" else _zip(found, f"comparison-{file_name(found, 'zip')}")
        )
    if wanted not in FIGURES:
        raise _BadQuery(
            f"format is {quoted(wanted)}; of several runs together it must be {', '.join(FIGURES)}, zip or csv. For "
            "another name one of them: base/export."
        )
    _take_only(request, COMPARED_FIELDS)
    given = request.query_params
    maps = found.maps(**_which(request), **{name: given[name] for name in ("left", "right") if name in given})
    split, high = _decimal(request, "split"), given.get("difference_high")
    more = {"show": given.get("show"), "split": 0.5 if split is None else split}
    more["difference_high"] = high if high == "largest" else _decimal(request, "difference_high")
    return _drawn(
        request, wanted, f"{maps.name()}.{wanted}",
        lambda file, look, **drawing: maps.write(Look.read(look), file, wanted, **drawing, **more),
    )  # fmt: skip


def _take_only(request, names: tuple[str, ...]) -> None:
    for name in request.query_params:
        if name not in names:
            raise _BadQuery(f"There is no field {quoted(name)} of an export. There is {', '.join(names)}.")


def _which(request) -> dict:
    """Which row, column or map is asked for."""
    layer, head = (_number_or_word(request, name, optional=True) for name in ("layer", "head"))
    query, key, until, grid = (_number(request, name, None) for name in ("query", "key", "until", "grid"))
    return {
        "tower": _tower(request), "layer": layer, "head": head, "query": query, "key": key, "until": until,
        "received": _word(request, "received", ("0", "1"), "0") == "1", "grid": grid,
    }  # fmt: skip


def _drawn(request, wanted: str, name: str, write: Callable) -> Response:
    """What `write(file, look, scale=, width=, caption=)` draws, by so many at a time as memory has room for."""
    given = request.query_params
    drawing = {
        "look": {name: given[name] for name in LOOK_NAMES if name in given},
        "scale": _decimal(request, "scale"), "width": _number(request, "width", None),
        "caption": _word(request, "caption", ("0", "1"), "0") == "1",
    }  # fmt: skip
    if not _exports.acquire(timeout=EXPORT_WAIT_S):
        raise _Busy("The server is drawing other figures. Try again in a moment.")
    try:
        return _download(lambda file: write(file, **drawing), name, EXPORT_TYPES[wanted], _FRESH)
    finally:
        _exports.release()


def _zip(found, name: str) -> Response:
    """A whole folder, sent while it is being read."""
    size = zipped_bytes(found)
    headers = _attachment(name, _FRESH) | ({} if size is None else {"Content-Length": str(size)})
    return StreamingResponse(zipped(found), media_type=EXPORT_TYPES["zip"], headers=headers)


class _Busy(Exception):
    pass


def _download(write: Callable, name: str, media_type: str, headers: dict) -> Response:
    """What `write` puts into a file, sent as one to be kept. On the server it has no name and ends when it was sent."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the last byte has left, or the client
    try:
        write(file)
        size = file.seek(0, os.SEEK_END)
    except BaseException:
        file.close()
        raise

    def content() -> Iterator[bytes]:
        with file:
            file.seek(0)
            while block := file.read(STREAM_BYTES):
                yield block

    headers = _attachment(name, headers) | {"Content-Length": str(size)}
    return StreamingResponse(content(), media_type=media_type, headers=headers)


def _attachment(name: str, headers: dict) -> dict:
    """Headers of a file to be kept; its name is plain ASCII."""
    return {**headers, "Content-Disposition": f'attachment; filename="{name}"'}


class _Received:
    """What every key receives: computed by a thread of ours while the page asks how far it is.

    The run keeps what was computed, as long as there is room; a job is forgotten with its answer.
    """

    def __init__(self):
        self._jobs: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def answer(self, run, request) -> Response:
        """float32 [heads, keys], with `head` [1, keys]; `layer` and `head` may be `mean` or `max`, as in `_row`.

        202 with {done, total}, in queries of all layers that are asked for, while it is computed.
        """
        tower = _tower(request)
        layer, head = _number_or_word(request, "layer"), _number_or_word(request, "head", optional=True)
        layers = run.layers(tower) if isinstance(layer, str) else [layer]
        for index in layers:
            run.layer_file(index, tower)  # refuses a layer that is not there before a thread is started for it
        with self._lock:
            jobs = self._jobs.setdefault(run, {})
            job = jobs.get((tower, layer, head))
            if job is None:
                job = {"done": 0, "total": len(layers) * run.queries(tower), "ended": threading.Event()}
                jobs[tower, layer, head] = job
                threading.Thread(target=self._compute, args=(run, tower, layer, head, job), daemon=True).start()
        if not job["ended"].wait(RECEIVED_WAIT_S):
            return _json({"done": job["done"], "total": job["total"]}, 202)
        with self._lock:
            if jobs.get((tower, layer, head)) is job:
                del jobs[tower, layer, head]
        if "error" in job:
            raise job["error"]
        return _numbers(job["values"] if head is None else job["values"][None], "factors")

    def _compute(self, run, tower, layer, head, job) -> None:
        try:
            job["values"] = run.received(layer, tower, lambda done, total: job.update(done=done, total=total), head)
        except Exception as error:  # noqa: BLE001 - raised again in the request that asks for the result
            job["error"] = error
        finally:
            job["ended"].set()


def _picture(run, request, which: str) -> Response:
    index, pictures = request.path_params["index"], run.info["images"]
    if index >= len(pictures):
        raise NotInRun(f"There is no image {index} in this run: it has {len(pictures)}.")
    name = pictures[index].get(which) or pictures[index]["file"]
    path = run.folder / name
    # The name comes from run.json, which may come from somebody else's zip.
    if name != Path(name).name or path.suffix not in (".png", ".jpg") or not path.is_file():
        raise NotInRun(f"Image {index} of this run is missing.")
    return FileResponse(path, media_type=_MEDIA_TYPES[path.suffix], headers=_KEEP)


def _asset(request) -> Response:
    digest, files = assets()
    name = request.path_params["file"]
    if request.path_params["hash"] != digest or name not in files:
        raise NotInRun("The page is older than the server. Reload it.")
    return Response(files[name], media_type=_MEDIA_TYPES[Path(name).suffix], headers=_FOR_EVER)


# What a request asks, and how it is answered


def _tower(request) -> str:
    return request.query_params.get("tower", "language")


def _number(request, name: str, *default) -> int:
    text = request.query_params.get(name)
    if text is None and default:
        return default[0]
    if text is None or not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise _BadQuery(
            f"{name} is {quoted(text)}; it must be a whole number."
            if text is not None
            else f"Give {name}=..., a whole number."
        )
    return int(text)


def _decimal(request, name: str) -> float | None:
    text = request.query_params.get(name)
    if text is not None and not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise _BadQuery(f"{name} is {quoted(text)}; it must be a number.")
    return None if text is None else float(text)


def _number_or_word(request, name: str, optional: bool = False) -> int | str | None:
    text = request.query_params.get(name)
    return text if text in ("mean", "max") or (optional and text is None) else _number(request, name)


def _word(request, name: str, words: tuple[str, ...], default: str) -> str:
    text = request.query_params.get(name, default)
    if text not in words:
        raise _BadQuery(f"{name} is {quoted(text)}; it must be one of {', '.join(words)}.")
    return text


def _numbers(values: np.ndarray, source: str) -> Response:
    """An array as its bytes, little-endian, in C order."""
    dtype = "float16" if values.dtype == np.float16 else "float32"
    headers = {
        **_KEEP,
        "X-Attention-Dtype": dtype,
        "X-Attention-Source": source,
        "X-Attention-Shape": ",".join(map(str, values.shape)),
    }
    content = np.ascontiguousarray(values, "<f2" if dtype == "float16" else "<f4").tobytes()
    return Response(content, media_type="application/octet-stream", headers=headers)


def _ranges(positions: np.ndarray) -> str:
    """Ascending positions as a reader of a header would write them: 0-12,40."""
    parts = np.split(positions, np.flatnonzero(np.diff(positions) != 1) + 1) if len(positions) else []
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts)


def _json(content, status: int = 200) -> JSONResponse:
    return JSONResponse(content, status, headers=_FRESH)
