"""Connections that are open now, told to whoever waits for a visitor to come back, or must not remove what is read.

By its address a request is a stream of answers, a page that is open, or the reading of a run or of a file; all of it as
long as the answer is being sent. Gradio itself notices a client that has gone only where it has something to tell it.

A page leaves its stream of answers when it has read there that it closes; until then the stream is held open. By that
it can be known that the page opens another one for what it asks next (`SpokenBlocks.queue`).
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol
from urllib.parse import parse_qs

from starlette.datastructures import Headers

from attention.client_address import address_of

from .responses import PREFIX

CALL = re.compile(r"/gradio_api/call/(?:v2/)?[^/]+/([^/]+)/?$")
HEARTBEAT = re.compile(r"/gradio_api/heartbeat/([^/]+)$")
RUN = re.compile(rf"{PREFIX}/([^/]+)/")
FILE = re.compile(r"/gradio_api/file=(.+)$")
STREAM = "/gradio_api/queue/data"
LEAVING_S = 1.0  # for which a page's stream is held open once all is said: not every proxy tells that somebody has gone


class Held(Protocol):
    def held(self, *names: tuple[str, str]) -> AbstractContextManager[None]: ...


class Connections:
    """The app, as ASGI middleware that tells `presence` of its requests."""

    def __init__(self, app: Any, presence: Held):
        self.app, self.presence = app, presence

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        names = names_of(scope) if scope["type"] == "http" else []
        if not names:
            await self.app(scope, receive, send)
            return
        if scope["path"].endswith(STREAM):
            send = _ended_when_read(receive, send)
        with self.presence.held(*names):
            await self.app(scope, receive, send)


def _ended_when_read(receive: Any, send: Any) -> Any:
    """`send` of a stream, which ends when its reader has left it, or a while later."""

    async def reader_left() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def send_and_end(message: Any) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            with suppress(TimeoutError):
                await asyncio.wait_for(reader_left(), LEAVING_S)
        await send(message)

    return send_and_end


def names_of(scope: Any) -> list[tuple[str, str]]:
    """Names under which a request is there: {stream, page, address, run, file} and which; most requests have none."""
    path = scope["path"]
    if scope["method"] != "GET" or "/gradio_api/" not in path:
        return []
    if found := RUN.search(path):
        return [("run", found[1])]
    if found := FILE.search(path):
        return [("file", found[1])]
    if path.endswith(STREAM):
        names = [("stream", name) for name in parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [])]
    elif found := CALL.search(path):
        names = [("stream", found[1])]
    elif found := HEARTBEAT.search(path):
        names = [("page", found[1])]
    else:
        return []
    return [*names, ("address", address_of(Headers(scope=scope), scope.get("client")))]
