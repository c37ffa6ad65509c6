"""Uploads of strangers, judged before they are read: by what each file is, by all that lies there, and by who sends how
much a minute.

What is refused is answered in words, and nothing of it is written. Gradio takes in what passes, and removes it again.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from attention.errors import InvalidRequest, quoted
from attention.limits import HOSTED_PICTURE_MB, HOSTED_UPLOADED_ZIP_MB, HOSTED_UPLOADS_MB, MB_A_MINUTE, PAGE_PICTURES

from .responses import FRESH

ADDRESS = "/gradio_api/upload"
FILE_NAME = re.compile(rb'filename="((?:[^"\\\r\n]|\\.)*)"')
HEAD_BYTES = 8192  # of a body, in which the first file's name stands
FRAME_BYTES = 16_384  # of a body: what stands around its files
MINUTE_S = 60
MAX_VISITORS = 10_000  # that are remembered for a minute


@dataclass(frozen=True)
class UploadLimits:
    """Bytes: of a picture, of a run's zip, of all that lies there, and of what a visitor sends a minute."""

    picture: int
    zip: int
    together: int
    a_minute: int = MB_A_MINUTE * 1_000_000

    @classmethod
    def of_environment(cls) -> UploadLimits:
        """Limits of a server. Raises InvalidRequest for what the environment has and is no number."""
        return cls(
            _megabytes("ATTENTION_PICTURE_MB", HOSTED_PICTURE_MB),
            _megabytes("ATTENTION_ZIP_MB", HOSTED_UPLOADED_ZIP_MB),
            _megabytes("ATTENTION_UPLOADS_MB", HOSTED_UPLOADS_MB),
        )


class Uploads:
    """The app behind its limits of uploads, as ASGI middleware. `folder` is where uploads lie."""

    def __init__(self, app: Any, folder: Path, limits: UploadLimits, clock: Callable[[], float] = time.monotonic):
        self.app, self.folder, self.limits, self._clock = app, folder, limits, clock
        self._sent: dict[str, deque[tuple[float, int]]] = {}
        self._mutex = threading.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_upload = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith(ADDRESS)
        if not is_upload:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if not length.isdecimal():
            await _said(411, "An upload must say how long it is (Content-Length).")(scope, receive, send)
            return
        head, messages = b"", []
        while len(head) < HEAD_BYTES:
            messages.append(await receive())
            head += messages[-1].get("body", b"")
            if not messages[-1].get("more_body") or FILE_NAME.search(head):
                break
        refusal = self._refusal(_visitor(scope, headers), int(length), head)
        if refusal is not None:
            await _said(*refusal)(scope, receive, send)
            return
        left = iter(messages)

        async def receive_again() -> Any:
            return next(left, None) or await receive()

        await self.app(scope, receive_again, send)

    def _refusal(self, visitor: str, n_bytes: int, head: bytes) -> tuple[int, str] | None:
        """A status and words for an upload that is not taken; None for one that is, which then counts."""
        found = FILE_NAME.search(head)
        name = found[1].decode("utf-8", "replace") if found else ""
        is_zip = name.lower().endswith(".zip")
        limit = self.limits.zip if is_zip else self.limits.picture
        most = (limit if is_zip else limit * PAGE_PICTURES) + FRAME_BYTES  # pictures come several at once
        if n_bytes > most:
            what = f"The zip {quoted(name)}" if is_zip else "What is uploaded"
            advice = "Export the run with less in it" if is_zip else "Give smaller pictures, or fewer at once"
            return 413, f"{what} has {_mb(n_bytes)}; the limit here is {_mb(most - FRAME_BYTES)}. {advice}."
        if _bytes_below(self.folder) + n_bytes > self.limits.together:
            return 503, "This server has no room for uploads at the moment. Try again in some minutes."
        with self._mutex:
            now = self._clock()
            for other in [other for other, sent in self._sent.items() if sent[-1][0] < now - MINUTE_S]:
                del self._sent[other]
            sent = self._sent.get(visitor) or deque()
            while sent and sent[0][0] < now - MINUTE_S:
                sent.popleft()
            if sum(size for _, size in sent) + n_bytes > self.limits.a_minute or len(self._sent) >= MAX_VISITORS:
                return 429, f"That is more than {_mb(self.limits.a_minute)} within a minute. Try again in a minute."
            sent.append((now, n_bytes))
            self._sent[visitor] = sent
        return None


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # removed while it was counted
            total += path.stat().st_size if path.is_file() else 0
    return total


def _megabytes(name: str, usual: int) -> int:
    """Bytes that the environment allows under this name, in megabytes there. Raises InvalidRequest for no number."""
    said = os.environ.get(name, str(usual))
    if not re.fullmatch(r"[1-9][0-9]{0,8}", said):
        raise InvalidRequest(f"{name} is {quoted(said)}; it must be a number of megabytes, such as {usual}.")
    return int(said) * 1_000_000


def _said(status: int, words: str) -> PlainTextResponse:
    """An answer as Gradio's own to an upload are: its page shows the words."""
    return PlainTextResponse(words, status, FRESH)


def _visitor(scope: Any, headers: Headers) -> str:
    """The sender, by the proxy in front or the connection: for a name made up the limit of all still holds."""
    return headers.get("x-forwarded-for") or (scope.get("client") or ("",))[0]


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
