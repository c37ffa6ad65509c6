"""The routes of a person's library: its runs page by page, one found by its id, deleted and brought back.

What they answer needs the key. Knows the library by the methods of the service, and no folder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from attention.answers.query import read_number, read_word
from attention.errors import AttentionError, InvalidRequest, NotInRun, quoted, shortened
from attention.limits import MAX_LISTED, MAX_LISTED_TEXT
from attention.words import NEEDS_KEY

from .responses import KEEP, PREFIX, as_json, guarded, keyed

KINDS = ("run", "comparison")
ORDERS = ("newest", "oldest", "model", "folder")
WAIT_S = 0.4  # for the folders to be looked through; what takes longer is told of as it comes
PLACE = f"{PREFIX}/library"


def library_routes(service: Any, manifest: Callable[[str], dict]) -> list[Route]:
    """The routes of a service's library; `manifest(ticket)` makes what a viewer is told of a run.

    On a server for strangers there is no library: then an address opens nothing that its tab has not made.
    """
    cache = service.cache

    def find(request: Any) -> Response:
        """A run by the id that an address names, as a manifest; 404 with a sentence where it may not be had."""
        kind, run_id = read_word(request.query_params, "kind", KINDS, "run"), request.query_params.get("id", "")
        named = f"{kind.capitalize()} {shortened(run_id, 40)}"
        if not service.key.is_in(request):
            return as_json({"error": f"{named} is not open in this tab. {NEEDS_KEY}", "library": True}, 403)
        try:
            ticket = cache.find(kind, run_id)
        except KeyError:
            return as_json({"error": f"{named} is not among your kept {kind}s.", "library": True}, 404)
        try:
            service.open_kept(ticket)
        except AttentionError as error:
            return as_json({"error": f"{named} cannot be shown: {error}", "library": True}, 500)
        return as_json(manifest(ticket))

    def matching(request: Any) -> list:
        order = read_word(request.query_params, "order", ORDERS, "newest")
        search = request.query_params.get("search", "")
        return cache.shelves.matching(read_word(request.query_params, "kind", KINDS, "run"), search, order)

    def listing(request: Any) -> Response:
        """Rows of the library from `offset` on, how many match and how many there are, and how far a look is.

        With `around` it is the page that has the run of that ticket.
        """
        offset, limit = read_number(request.query_params, "offset", 0), read_number(request.query_params, "limit", 20)
        scanning = (
            cache.shelves.look(WAIT_S) if read_number(request.query_params, "look", 1) else cache.shelves.progress()
        )
        lines = matching(request)
        place = place_of(lines, request.query_params.get("around"))
        if place is not None:
            offset = place // max(1, limit) * limit
        rows = [_row(line, cache.ticket_of(line), len(cache.shelves.roots)) for line in
                lines[max(0, offset) : max(0, offset) + max(0, min(limit, MAX_LISTED))]]  # fmt: skip
        of_kind = len(cache.shelves.matching(request.query_params.get("kind", "run")))
        return as_json({
            "rows": rows, "offset": offset, "total": len(lines), "all": of_kind, "notes": cache.shelves.notes,
            "looking": None if scanning is None else {"done": scanning[0], "total": scanning[1]},
        })  # fmt: skip

    def beside(request: Any) -> Response:
        """The run before or after one, in the order and the search of the list, as a manifest; of none the first.

        What cannot be shown is stepped over: the list says of it why not.
        """
        if not cache.shelves.lines():
            cache.shelves.look()
        lines, step = matching(request), 1 if read_number(request.query_params, "by", 1) > 0 else -1
        place = place_of(lines, request.query_params.get("ticket"))
        at = 0 if place is None else place + step
        while 0 <= at < len(lines):
            ticket = cache.ticket_of(lines[at])
            try:
                service.open_kept(ticket)
                return as_json(manifest(ticket))
            except AttentionError:
                at += step
        raise NotInRun("There is no other kept run in this direction." if lines else "No kept run is listed.")

    def place_of(lines: list, ticket: str | None) -> int | None:
        try:
            folder = cache.folder(ticket)
        except KeyError:
            return None
        return next((place for place, line in enumerate(lines) if line.folder == folder), None)

    def thumbnail(request: Any) -> Response:
        try:
            found = cache.thumbnail(request.path_params["ticket"])
        except KeyError:
            found = None
        if found is None:
            raise NotInRun("There is no picture.")
        return Response(found, media_type="image/jpeg", headers=KEEP)

    def change(work: Callable[[Any], None]) -> Callable[[Any], Response]:
        def answer(request: Any) -> Response:
            ticket = request.query_params.get("ticket", "")
            if not ticket:
                raise InvalidRequest(f"The ticket is {quoted(ticket)}; name the run by its ticket.")
            work(ticket)
            return as_json({})

        return answer

    if service.is_hosted or cache.shelves is None:
        return []
    return [
        Route(f"{PLACE}/find", guarded(find)),
        Route(f"{PLACE}/list", keyed(service, "Kept runs", listing)),
        Route(f"{PLACE}/beside", keyed(service, "Kept runs", beside)),
        Route(f"{PLACE}/thumbnail/{{ticket}}", keyed(service, "Kept runs", thumbnail)),
        Route(f"{PLACE}/delete", keyed(service, "Kept runs", change(service.remove)), methods=["POST"]),
        Route(f"{PLACE}/restore", keyed(service, "Kept runs", change(service.restore)), methods=["POST"]),
    ]


def _row(line: Any, ticket: str, n_roots: int) -> dict:
    """A line as the page shows it: texts no longer than there is room for."""
    texts = {
        name: shortened(" ".join((line.row[name] or "").split()), MAX_LISTED_TEXT) for name in ("prompt", "answer")
    }
    is_below = n_roots > 1 and line.folder != line.root
    return {
        "ticket": ticket, **line.row, **texts, "folder": f"{line.root.name}/{line.place}" if is_below else line.place,
    }  # fmt: skip
