"""The routes from which the page reads a run or a comparison: what each address answers.

Owns the addresses below /gradio_api/attention/. Nothing that a client sends becomes a path: tickets, asset names and
pictures are looked up, layers and tokens are numbers. Knows runs by the methods of `Run`, and no model. How numbers are
drawn is the business of assets/viewer/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from starlette.responses import FileResponse, Response
from starlette.routing import Route

from attention.answers.of_comparison import COMPARISON_ANSWERS
from attention.answers.of_run import PICTURE_TYPES, RUN_ANSWERS, picture_file, places
from attention.errors import NotInRun
from attention.kinds.kept import content_of, find_reading, kept_readings
from attention.limits import WALK_WAIT_S, WALKS_AT_ONCE, WALKS_WAITING
from attention.words import GONE

from .assets import asset
from .exports import changes_table, export, export_found, layer_file
from .few import Few
from .received import OverAllRows
from .responses import KEEP, PREFIX, UnknownTicket, as_json, guarded, sent

WALKS = Few(
    WALKS_AT_ONCE, WALKS_WAITING, WALK_WAIT_S,
    "The server is computing maps of readings for others. Try again in a moment.",
)  # fmt: skip


def routes(
    resolve: Callable[[str], object],
    library: Sequence[Route] = (),
    room: Callable[..., AbstractContextManager] = lambda *_: nullcontext(),
) -> list[Route]:
    """The routes of every run, for `demo.launch(app_kwargs={"routes": routes(resolve)})`.

    `resolve(ticket)` returns the Run or the Comparison that a ticket gives access to, and raises KeyError when there is
    none (any more). `{member}` in an address is one of a comparison's runs. `library` are routes that are no run's,
    `room(run, format, fields)` has room for an export that is written as a file.
    """
    all_rows = OverAllRows(WALKS.place)

    def route(path: str, find: Callable, answer: Callable) -> Route:
        return Route(f"{PREFIX}/{{ticket}}/{path}", guarded(lambda request: answer(find(resolve, request), request)))

    runs = {
        "run.json": lambda run, _: as_json(run.info),
        "places": lambda run, request: as_json(places(run, request.query_params)),
        "image/{index:int}": lambda run, request: _picture(run, request, "file"),
        "preview/{index:int}": lambda run, request: _picture(run, request, "preview"),
        **{path: _sending(answer, may_walk=path != "words") for path, answer in RUN_ANSWERS.items()},
        **{path: _over_all_rows(all_rows, RUN_ANSWERS[path]) for path in ("row", "atlas")},
        "received": all_rows.received,
        "readings.json": lambda run, _: as_json(kept_readings(run)),
        "reading/{name}": lambda run, request: as_json(content_of(find_reading(run, request.path_params["name"]))),
        "reading/{name}/{tower}/{layer:int}": _reading_layer,
        "layer/{tower}/{layer:int}": lambda run, request: layer_file(run, request, room),
    }
    return [
        Route(f"{PREFIX}/assets/{{hash}}/{{file:path}}", guarded(asset)),
        *library,
        *(route(path, _find_run, answer) for path, answer in runs.items()),
        route("export", _find, export_found),
        route("comparison.json", _find_comparison, lambda comparison, _: as_json(comparison.info)),
        route("changes.csv", _find_comparison, changes_table),
        *(route(path, _find_comparison, _sending(answer)) for path, answer in COMPARISON_ANSWERS.items()),
        *(route(f"{{member}}/{path}", _find_run, answer) for path, answer in runs.items()),
        route("{member}/export", _find_run, export),
        Route(f"{PREFIX}/{{rest:path}}", guarded(_nothing)),
    ]


def _sending(answer: Callable, may_walk: bool = False) -> Callable:
    def send(found, request) -> Response:
        asked = request.query_params
        # of a reading and not of one row: a walk through whole layers
        is_walk = may_walk and "reading" in asked and ("query" not in asked or "until" in asked)
        with WALKS.place() if is_walk else nullcontext():
            return sent(answer(found, asked))

    return send


def _over_all_rows(all_rows: OverAllRows, answer: Callable) -> Callable:
    """The same of what may be over all rows of a forecast: then it says how far it is while it computes."""
    send = _sending(answer, may_walk=True)

    return lambda run, request: all_rows.effects(run, request) or send(run, request)


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


def _reading_layer(run, request) -> Response:
    """A layer's file of a reading, to be kept: a reading does not change."""
    name, tower, layer = (request.path_params[each] for each in ("name", "tower", "layer"))
    path = find_reading(run, name).layer_path(layer, tower)
    return FileResponse(path, media_type="application/octet-stream", filename=path.name, headers=KEEP)


def _nothing(request):
    raise NotInRun("There is nothing at this address.")


def _picture(run, request, which: str) -> Response:
    path = picture_file(run, request.path_params["index"], which)
    return FileResponse(path, media_type=PICTURE_TYPES[path.suffix], headers=KEEP)
