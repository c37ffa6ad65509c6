"""The routes of scores that a person shows: a table, and the pictures of its items. Both need the library's key.

Knows scores by the methods of the service, and no folder.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from .responses import FRESH, KEEP, PREFIX, as_json, keyed

PLACE = f"{PREFIX}/scores"


def scores_routes(service: Any) -> list[Route]:
    """The routes of a service's scores; none where none are shown."""

    def table(request: Any) -> Response:
        return as_json(service.scores.table(request.path_params["number"]))

    def picture(request: Any) -> Response:
        found = service.scores.picture(request.path_params["number"], request.path_params["item"])
        if found is None:  # it has gone, or is another one by now: nothing is shown, and nothing is wrong
            return Response(status_code=204, headers=FRESH)
        return Response(found, media_type="image/jpeg", headers=KEEP)

    if not service.scores.folders:
        return []
    return [
        Route(f"{PLACE}/{{number:int}}", keyed(service, "Scores", table)),
        Route(f"{PLACE}/{{number:int}}/picture/{{item:int}}", keyed(service, "Scores", picture)),
    ]
