"""The viewer's own files: their names, their hash, and the route that sends them."""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import cache
from pathlib import Path

from starlette.responses import Response

from attention.environment import VIEWER
from attention.errors import NotInRun

from .responses import FOR_EVER, MEDIA_TYPES


@cache
def assets() -> tuple[str, dict[str, bytes]]:
    """A hash of the viewer's files, and the files by their paths below assets/viewer/.

    The hash is in their addresses, so that they cache for ever.
    """
    paths = sorted(path for path in VIEWER.rglob("*") if path.suffix in MEDIA_TYPES)
    files = {path.relative_to(VIEWER).as_posix(): path.read_bytes() for path in paths}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16], files


@cache
def modules_of(entry: str) -> list[str]:
    """The modules that an entry imports, and those that they import: so that a page asks for all of them at once."""
    _, files = assets()
    found, waiting = {entry}, [entry]
    while waiting:
        name = waiting.pop()
        for other in re.findall(r"^(?:import|export)\b[^;]*?from '(\.[^']+)'", files[name].decode(), re.MULTILINE):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), other))
            if path not in found:
                found.add(path)
                waiting.append(path)
    return sorted(found)


def asset(request) -> Response:
    digest, files = assets()
    name = request.path_params["file"]
    if request.path_params["hash"] != digest or name not in files:
        raise NotInRun("The page is older than the server. Reload it.")
    return Response(files[name], media_type=MEDIA_TYPES[Path(name).suffix], headers=FOR_EVER)
