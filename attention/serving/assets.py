"""The viewer's own files: their names, their hash, and the route that sends them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.responses import Response

from attention.environment import VIEWER
from attention.errors import NotInRun

from .answers import FOR_EVER, MEDIA_TYPES


@cache
def assets() -> tuple[str, dict[str, bytes]]:
    """A hash of the viewer's files and the files by name. The hash is in their address, so that they cache for ever."""
    files = {path.name: path.read_bytes() for path in sorted(VIEWER.iterdir()) if path.suffix in MEDIA_TYPES}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16], files


def asset(request) -> Response:
    digest, files = assets()
    name = request.path_params["file"]
    if request.path_params["hash"] != digest or name not in files:
        raise NotInRun("The page is older than the server. Reload it.")
    return Response(files[name], media_type=MEDIA_TYPES[Path(name).suffix], headers=FOR_EVER)
