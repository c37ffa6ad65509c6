"""Calls that wait to be handed on, as many of one address as it may have: the line is one for all, and looking at a
finished run stands in it too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers

from attention.client_address import address_of
from attention.limits import CALLS_OF_ADDRESS

from .responses import as_json

DEEP_LINK = "/gradio_api/deep_link"  # for each of which Gradio keeps a file that nothing removes
CALL = re.compile(r"/gradio_api/(queue/join|call/.+)$")


class Calls:
    """The app behind that limit, as ASGI middleware. `waiting(address)` counts an address's calls in the line."""

    def __init__(self, app: Any, waiting: Callable[[str], int]):
        self.app, self.waiting = app, waiting

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].endswith(DEEP_LINK):
            await as_json({"detail": "There are no links to a page's state here."}, 404)(scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] == "POST" and CALL.search(scope["path"]):
            n_waiting = self.waiting(address_of(Headers(scope=scope), scope.get("client")))
            if n_waiting >= CALLS_OF_ADDRESS:
                words = f"{n_waiting} calls from your network address wait to be answered. Try again in a few seconds."
                await as_json({"detail": words}, 503)(scope, receive, send)
                return
        await self.app(scope, receive, send)
