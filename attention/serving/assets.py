"""The route that sends the viewer's own files."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response

from attention.errors import NotInRun
from attention.viewer_files import BUNDLE, TYPES, bundle, viewer_files

from .responses import FOR_EVER


def asset(request) -> Response:
    digest, files = viewer_files()
    name = request.path_params["file"]
    if request.path_params["hash"] != digest or name not in (*files, BUNDLE):
        raise NotInRun("The page is older than the server. Reload it.")
    content = bundle()[0] if name == BUNDLE else files[name]
    return Response(content, media_type=TYPES[Path(name).suffix], headers=FOR_EVER)
