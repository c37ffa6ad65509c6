"""Runs and comparisons as pages that need no other: what notebooks frame while an app runs in their process.

Owns their addresses, which nobody can guess; a run of any folder gets one when a notebook shows it.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from attention.exports.html.page import html_file
from attention.folders import open_folder
from attention.words import GONE

from .exports import DRAWN
from .responses import FRESH, PREFIX, UnknownTicket, guarded

MEGABYTES = 100  # ten times a file's: it goes no further than this machine's browser
ALONE = {"Content-Security-Policy": "sandbox allow-scripts allow-downloads"}  # as in a frame: of no origin


class Shown:
    """Folders that notebooks have shown, by ticket."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}

    def route(self) -> Route:
        """The route of their pages, each with all rows that find room."""
        return Route(f"{PREFIX}/shown/{{ticket}}", guarded(self._page))

    def address(self, app: Any, found: Any) -> str | None:
        """The address at which a launched Gradio app shows a finished run; None once the app is closed."""
        if not app.is_running:
            return None
        folder = found.folder.resolve()
        ticket = next((ticket for ticket, each in self._folders.items() if each == folder), secrets.token_urlsafe(24))
        self._folders[ticket] = folder
        return f"{app.local_url.rstrip('/')}{PREFIX}/shown/{ticket}"

    def _page(self, request: Request) -> Response:
        folder = self._folders.get(request.path_params["ticket"])
        if folder is None or not folder.is_dir():  # a temporary one goes with its run
            raise UnknownTicket(GONE)
        with DRAWN.place(), open_folder(folder) as found:
            return HTMLResponse(html_file(found, megabytes=MEGABYTES).text, headers=FRESH | ALONE)
