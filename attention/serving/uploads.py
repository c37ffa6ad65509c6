"""Uploads of strangers, judged before they are read: by what each file is, by all that lies there, and by who sends how
much a minute.

What is refused is answered in words, and nothing of it is written. Gradio takes in what passes, and removes it again.

The page shows these words. gradio_client drops them and shows the status alone (413 Request Entity Too Large); it is
therefore told of `UploadLimits.one_file` before, and says of a larger file what the limit is, unsent.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.responses import PlainTextResponse

from attention.client_address import address_of
from attention.errors import InvalidRequest, quoted
from attention.limits import HOSTED_PICTURE_MB, HOSTED_UPLOADED_ZIP_MB, HOSTED_UPLOADS_MB, MB_A_MINUTE, PAGE_PICTURES

from .responses import FRESH

ADDRESS = "/gradio_api/upload"
FILE_NAME = re.compile(rb'filename="((?:[^"\\\r\n]|\\.)*)"')
LENGTH = re.compile(r"[0-9]{1,15}")
HEAD_BYTES = 8192  # of a body, in which the first file's name stands
FRAME_BYTES = 16_384  # of a body: what stands around its files
NO_ROOM = "This server has no room for uploads at the moment. Try again in some minutes."
MINUTE_S = 60
LEAST_BYTES = 250_000  # that an upload counts within a minute: each is a folder, however small it is
MAX_VISITORS = 10_000  # that are remembered for a minute


@dataclass(frozen=True)
class UploadLimits:
    """Bytes: of a picture, of a run's zip, of all that lies there, and of what a visitor sends a minute."""

    picture: int
    zip: int
    together: int
    a_minute: int = MB_A_MINUTE * 1_000_000

    @property
    def one_file(self) -> int:
        """Bytes that no single file may exceed, whatever it is: Gradio's `max_file_size`."""
        return max(self.picture * PAGE_PICTURES, self.zip)

    @classmethod
    def of_environment(cls) -> UploadLimits:
        """Limits of a server. Raises InvalidRequest for what the environment has and is no number."""
        return cls(
            megabytes("ATTENTION_PICTURE_MB", HOSTED_PICTURE_MB),
            megabytes("ATTENTION_ZIP_MB", HOSTED_UPLOADED_ZIP_MB),
            megabytes("ATTENTION_UPLOADS_MB", HOSTED_UPLOADS_MB),
        )


class Uploads:
    """The app behind its limits of uploads, as ASGI middleware.

    `room(n)` makes room for n bytes as far as it can, and returns how many more may lie where uploads lie.
    """

    def __init__(
        self, app: Any, room: Callable[[int], int], limits: UploadLimits, clock: Callable[[], float] = time.monotonic
    ):
        self.app, self.room, self.limits, self._clock = app, room, limits, clock
        self._sent: dict[str, deque[tuple[float, int]]] = {}
        self._free, self._arriving = 0, 0  # bytes that may be received, and those that are being received

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not scope["path"].endswith(ADDRESS):
            if headers.get("content-type", "").strip().lower().startswith("multipart/"):
                await _said(404, f"Files are uploaded to {ADDRESS}.")(scope, receive, send)
            else:
                await self.app(scope, _bounded(receive, self._together), send)
            return
        length = headers.get("content-length", "")
        # in chunks a body is as long as it likes, whatever length is named beside them
        if "transfer-encoding" in headers or not LENGTH.fullmatch(length):
            await _said(411, "An upload must say how long it is (Content-Length).")(scope, receive, send)
        else:
            await self._upload(scope, receive, send, headers, int(length))

    @property
    def _together(self) -> int:
        """Bytes of pictures that come in one body."""
        return self.limits.picture * PAGE_PICTURES

    async def _upload(self, scope: Any, receive: Any, send: Any, headers: Headers, length: int) -> None:
        head, messages = b"", []
        while len(head) < HEAD_BYTES:
            messages.append(await receive())
            head += messages[-1].get("body", b"")
            if not messages[-1].get("more_body") or FILE_NAME.search(head):
                break
        refusal = self._too_large(length, head)
        if refusal is None:  # only then: what others have may be removed for it
            self._free = await asyncio.to_thread(self.room, self._arriving + length)
            refusal = self._refusal(address_of(headers, scope.get("client")), length)
        if refusal is not None:
            await _said(*refusal)(scope, receive, send)
            return
        received, is_whole = 0, False

        async def receive_again() -> Any:
            nonlocal received, is_whole
            message = messages.pop(0) if messages else await receive()
            if is_whole:
                return message
            if message["type"] == "http.disconnect":
                raise MultiPartException("The upload broke off.")  # at which Gradio removes what it has written
            received += len(message.get("body", b""))
            self._arriving += len(message.get("body", b""))
            if self._arriving > self._free:  # many have begun while there was room
                raise MultiPartException(NO_ROOM)
            is_whole = not message.get("more_body")
            return message

        try:
            await self.app(scope, receive_again, send)
        finally:
            self._arriving -= received
            self._free -= received if is_whole else 0  # until all is counted again

    def _too_large(self, n_bytes: int, head: bytes) -> tuple[int, str] | None:
        """A status and words for an upload that is larger than any of its kind may be."""
        found = FILE_NAME.search(head)
        name = found[1].decode("utf-8", "replace") if found else ""
        is_zip = name.lower().endswith(".zip")
        most = self.limits.zip if is_zip else self._together
        if n_bytes > most + FRAME_BYTES:
            what = f"The zip {quoted(name)}" if is_zip else "What is uploaded"
            advice = "Export the run with less in it" if is_zip else "Give smaller pictures, or fewer at once"
            return 413, f"{what} has {_mb(n_bytes)}; the limit here is {_mb(most)}. {advice}."
        return None

    def _refusal(self, visitor: str, n_bytes: int) -> tuple[int, str] | None:
        """A status and words for an upload for which there is no room; None where there is, and then it counts.

        Called in the event loop alone, one upload after the other.
        """
        if self._arriving + n_bytes > self._free:
            return 503, NO_ROOM
        now = self._clock()
        for other in [other for other, sent in self._sent.items() if sent[-1][0] < now - MINUTE_S]:
            del self._sent[other]
        sent = self._sent.pop(visitor, deque())
        while sent and sent[0][0] < now - MINUTE_S:
            sent.popleft()
        n_bytes = max(n_bytes, LEAST_BYTES)
        a_minute = max(self.limits.a_minute, self.limits.one_file + FRAME_BYTES)  # one must fit
        fits = sum(size for _, size in sent) + n_bytes <= a_minute
        if fits:
            sent.append((now, n_bytes))
        self._sent[visitor] = sent  # the last to be forgotten
        if len(self._sent) > MAX_VISITORS:  # of names made up there are as many as anybody likes
            del self._sent[next(iter(self._sent))]
        return None if fits else (429, f"That is more than {_mb(a_minute)} within a minute. Try again in a minute.")


def _bounded(receive: Any, most: int) -> Any:
    """The same messages, as long as their bodies have no more bytes together: pictures may be written into a chat."""
    received = 0

    async def bounded() -> Any:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(413, f"What is sent has more than {_mb(most)}. Give smaller pictures, or fewer.")
        return message

    return bounded


def megabytes(name: str, usual: int) -> int:
    """Bytes that the environment allows under this name, in megabytes there. Raises InvalidRequest for no number."""
    said = os.environ.get(name, str(usual))
    if not re.fullmatch(r"[1-9][0-9]{0,8}", said):
        raise InvalidRequest(f"{name} is {quoted(said)}; it must be a number of megabytes, such as {usual}.")
    return int(said) * 1_000_000


def _said(status: int, words: str) -> PlainTextResponse:
    """An answer as Gradio's own to an upload are: its page shows the words."""
    return PlainTextResponse(words, status, FRESH)


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
