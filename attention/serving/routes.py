"""The routes from which the page reads a run or a comparison: what each address answers.

Owns the addresses below /gradio_api/attention/. Nothing that a client sends becomes a path: tickets, asset names and
pictures are looked up, layers and tokens are numbers. Knows runs by the methods of `Run`, and no model. How numbers are
drawn is the business of assets/viewer/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from attention.errors import NotInRun
from attention.runs.pooling import pooled_shape
from attention.words import GONE

from .assets import asset
from .exports import changes_table, export, export_found, layer_file
from .parameters import BadQuery, read_number, read_number_or_word, read_tower, read_word
from .received import Received
from .responses import KEEP, MEDIA_TYPES, PREFIX, UnknownTicket, as_json, guarded, numbers, position_ranges


def routes(resolve: Callable[[str], object], library: Sequence[Route] = ()) -> list[Route]:
    """The routes of every run, for `demo.launch(app_kwargs={"routes": routes(resolve)})`.

    `resolve(ticket)` returns the Run or the Comparison that a ticket gives access to, and raises KeyError when there is
    none (any more). `{member}` in an address is one of a comparison's runs. `library` are routes that are no run's.
    """
    received = Received()

    def route(path: str, find: Callable, answer: Callable) -> Route:
        return Route(f"{PREFIX}/{{ticket}}/{path}", guarded(lambda request: answer(find(resolve, request), request)))

    runs = {
        "run.json": lambda run, _: as_json(run.info),
        "image/{index:int}": lambda run, request: _picture(run, request, "file"),
        "preview/{index:int}": lambda run, request: _picture(run, request, "preview"),
        "row": _row,
        "column": _column,
        "atlas": _atlas,
        "masses": _masses,
        "received": received.answer,
        "scores": _scores,
        "layer/{tower}/{layer:int}": layer_file,
    }
    return [
        Route(f"{PREFIX}/assets/{{hash}}/{{file:path}}", guarded(asset)),
        *library,
        *(route(path, _find_run, answer) for path, answer in runs.items()),
        route("export", _find, export_found),
        route("comparison.json", _find_comparison, lambda comparison, _: as_json(comparison.info)),
        route("change", _find_comparison, _change),
        route("changes.csv", _find_comparison, changes_table),
        route("logprobs", _find_comparison, lambda comparison, _: numbers(comparison.logprobs(), "factors")),
        *(route(f"{{member}}/{path}", _find_run, answer) for path, answer in runs.items()),
        route("{member}/export", _find_run, export),
        Route(f"{PREFIX}/{{rest:path}}", guarded(_nothing)),
    ]


def _find(resolve, request):
    try:
        return resolve(request.path_params["ticket"])
    except KeyError:
        raise UnknownTicket(GONE) from None


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
    """Row of one query. `layer` and `head` may be `mean` or `max`: over heads first, then layers, as in `run.map`.

    Without `head` the answer is [heads, keys], with one [1, keys]. A stored row is sent as it lies on disk, in float16;
    what is computed, from factors or over heads, layers and positions, in float32; the header X-Attention-Source says
    from what. With `until`: the mean of the rows of positions query to until, stored where all of them are.
    """
    tower, query, until = read_tower(request), read_number(request, "query"), read_number(request, "until", None)
    source = read_word(request, "source", ("auto", "stored", "factors"), "auto")
    layer, head = read_number_or_word(request, "layer"), read_number_or_word(request, "head", optional=True)
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
    return numbers(values, found)


def _column(run, request) -> Response:
    """Column of one key: float32 [heads, queries], with `head` [1, queries]; `layer` and `head` as in `_row`.

    With `until`: the mean of the columns of positions key to until.
    """
    tower, key, until = read_tower(request), read_number(request, "key"), read_number(request, "until", None)
    layer, head = read_number_or_word(request, "layer"), read_number_or_word(request, "head", optional=True)
    if head is not None:
        values = run.reduced_column(layer, head, key, tower, until)[None]
    elif isinstance(layer, str):
        values = getattr(np, layer)(np.stack(run.columns(key, tower, until)), axis=0)
    else:
        values = run.column(layer, key, tower, until)
    return numbers(values, "factors")


def _atlas(run, request) -> Response:
    """One token's maps in every layer and head: float16 [layers, heads, rows, cols].

    With `key` instead of `query`: what each cell's token reads from that key. With `until`: the mean over the positions
    from query (or key) to until. Maps of more than `max_cells` cells come as area means.
    """
    tower, grid, until = read_tower(request), read_number(request, "grid", 0), read_number(request, "until", None)
    query, key = read_number(request, "query", None), read_number(request, "key", None)
    max_cells = read_number(request, "max_cells", None)
    if (query is None) == (key is None):
        raise BadQuery("An atlas is of one query or of one key: give one of the two.")
    if max_cells is not None and max_cells < 1:
        raise BadQuery(f"max_cells is {max_cells}; it must be at least 1.")
    maps = run.atlas(query, grid, tower, key, until, max_cells=max_cells)
    rows, cols = run.cells(grid).shape
    maps = maps.reshape(*maps.shape[:2], *((rows, cols) if max_cells is None else pooled_shape(rows, cols, max_cells)))
    layers = run.layers(tower)
    by_query = query is not None and layers
    return numbers(maps, run.row_source(layers[0], query, tower, until=until) if by_query else "factors")


def _masses(run, request) -> Response:
    """One row's sums over the groups of run.json: float32 [layers, heads, groups]; with `until`, of a span's mean."""
    query, until = read_number(request, "query"), read_number(request, "until", None)
    return numbers(run.masses(query, read_tower(request), until), "factors")


def _scores(run, request) -> Response:
    """A score by its `name`: with `query` (and `until`) of that row in every layer and head, float32 [layers, heads].

    Which scores a row has, says `run.row_scores`; `value` is the row's value at `key`. Without `query`: the table of
    the stored rows, float32 [layers, heads, rows], or with `layer` and `head` (as in `_row`) [rows]; the positions of
    its rows are in the header X-Attention-Positions, as `69-71` or `0-12,40`.
    """
    name, tower = request.query_params.get("name"), read_tower(request)
    if not name:
        raise BadQuery("Give name=..., the score to read.")
    query, until, key = (read_number(request, parameter, None) for parameter in ("query", "until", "key"))
    if query is not None:
        if name == "value" and key is None:
            raise BadQuery("Give key=..., the position whose value is asked for.")
        return numbers(run.row_scores(name, query, tower, until, key), "factors")
    layer, head = (read_number_or_word(request, parameter, optional=True) for parameter in ("layer", "head"))
    if (layer is None) != (head is None):
        raise BadQuery("Give both layer=... and head=... (a number, mean or max), or neither.")
    values = run.score(name, tower) if layer is None else run.reduced_score(name, layer, head, tower)
    response = numbers(values, "factors")
    response.headers["X-Attention-Positions"] = position_ranges(run.stored_positions(tower))
    return response


def _change(comparison, request) -> Response:
    """Change of each head by a `measure` under an `adapter` (from 0): float32 [layers, heads].

    Of the row of position `query`, or without it (or with `query=mean`) as a mean over the answer's rows.
    """
    name = request.query_params.get("measure")
    if not name:
        raise BadQuery("Give measure=..., what is compared.")
    is_mean = request.query_params.get("query", "mean") == "mean"
    query = "mean" if is_mean else read_number(request, "query")
    return numbers(comparison.change(name, read_number(request, "adapter", 0), query, read_tower(request)), "factors")


def _picture(run, request, which: str) -> Response:
    index, pictures = request.path_params["index"], run.info["images"]
    if index >= len(pictures):
        raise NotInRun(f"There is no image {index} in this run: it has {len(pictures)}.")
    name = pictures[index].get(which) or pictures[index]["file"]
    path = run.folder / name
    # The name comes from run.json, which may come from somebody else's zip.
    if name != Path(name).name or path.suffix not in (".png", ".jpg") or not path.is_file():
        raise NotInRun(f"Image {index} of this run is missing.")
    return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers=KEEP)
