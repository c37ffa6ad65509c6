"""A visitor's login, which counts where this app's own page asks, and is not there where a page of another site does.

The cookie that it is in comes along with every request of the visitor's browser, as the page lies in a frame of the
Hub's; and Gradio lets pages of every site call and read the answers. Knows no login but that there is a session.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers


class OwnPages:
    """The app behind that, as ASGI middleware, within the one that reads the cookie."""

    def __init__(self, app: Any):
        self.app = app
        self._names = {name.strip().lower() for name in os.environ.get("SPACE_HOST", "").split(",") if name.strip()}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not self._is_own(Headers(scope=scope)):
            scope = {**scope, "session": {}}  # a copy: the cookie itself stays as it is
        await self.app(scope, receive, send)

    def _is_own(self, headers: Headers) -> bool:
        """True if no page of another site asks; a browser names the page's with every call that is not looking only."""
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") != "cross-site" or headers.get("sec-fetch-mode") == "navigate"
        try:
            netloc = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return bool(netloc) and netloc in {headers.get("host", "").lower(), *self._names}
