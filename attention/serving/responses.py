"""Answers of a route: arrays, JSON, files to keep, and errors as one sentence with a status."""

from __future__ import annotations

import logging
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial, wraps
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from attention.answers.numbers import Answer
from attention.answers.query import BadQuery
from attention.environment import is_debugging
from attention.errors import AttentionError, Busy, DamagedReading, InvalidRequest, NotInRun, fault, quoted, words_for
from attention.words import NEEDS_KEY

PREFIX = "/gradio_api/attention"  # other prefixes do not pass Gradio's server-side-rendering proxy
STREAM_BYTES = 1 << 20
KEEP = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}
FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
log = logging.getLogger(__name__)


def guarded(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """The edge: whatever goes wrong becomes a status and one sentence, never a stack trace."""

    @wraps(answer)
    def endpoint(request: Request) -> Response:
        try:
            _check_once(request)
            return answer(request)
        except BadQuery as error:
            return as_json({"error": str(error)}, 400)
        except UnknownTicket as error:
            return as_json({"error": str(error), "expired": True}, 404)
        except NotInRun as error:
            return as_json({"error": str(error)}, 404)
        except DamagedReading as error:
            return as_json({"error": str(error)}, 422)
        except InvalidRequest as error:
            return as_json({"error": str(error)}, 400)
        except Busy as error:
            return as_json({"error": str(error)}, 503)
        except AttentionError as error:
            return as_json({"error": str(error)}, 500)
        except Exception as error:
            if words_for(error) is not None:
                return as_json({"error": words_for(error)}, 500)
            log.exception("%s failed", request.url.path.rsplit("/", 1)[-1])  # without the ticket
            if is_debugging():
                raise
            return as_json({"error": f"{fault(error)} The app's log has the details."}, 500)

    return endpoint


def _check_once(request: Request) -> None:
    """Raise BadQuery for a field that is given twice: no answer is of both."""
    for name in request.query_params:
        if len(request.query_params.getlist(name)) > 1:
            raise BadQuery(f"{quoted(name)} is given more than once in this address: give it once.")


def keyed(service: Any, what: str, answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """The same edge for whoever has the library's key; others are told that `what` is not shown here."""

    def checked(request: Request) -> Response:
        if not service.key.is_in(request):
            return as_json({"error": f"{what} are not shown here. {NEEDS_KEY}", "locked": True}, 403)
        return answer(request)

    return guarded(checked)


class UnknownTicket(NotInRun):
    pass


class _Kept(StreamingResponse):
    """A stream that ends what it holds once it was sent, or the client has left."""

    def __init__(self, content: Iterator[bytes], held: ExitStack, **given: Any) -> None:
        super().__init__(content, **given)
        self.end = weakref.finalize(self, held.close)  # also where nobody ever asks for it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.end()


def download(
    write: Callable, name: str, media_type: str, headers: dict, until_sent: ExitStack | None = None
) -> Response:
    """Send what `write` puts into a file, as one to be kept. On the server it has no name and ends when it was sent.

    What `until_sent` holds by then ends with it.
    """
    with ExitStack() as held:
        if until_sent is not None:
            held.enter_context(until_sent.pop_all())
        file = held.enter_context(tempfile.TemporaryFile())
        write(file)
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        headers = attachment(name, headers) | {"Content-Length": str(size)}
        content = iter(partial(file.read, STREAM_BYTES), b"")
        return _Kept(content, held.pop_all(), media_type=media_type, headers=headers)


def attachment(name: str, headers: dict) -> dict:
    """Headers of a file to be kept; its name is plain ASCII."""
    return {**headers, "Content-Disposition": f'attachment; filename="{name}"'}


def sent(answer: Answer) -> Response:
    """An array, to be kept by whoever asked."""
    return Response(answer.content, media_type="application/octet-stream", headers=KEEP | answer.headers)


def as_json(content, status: int = 200) -> JSONResponse:
    return JSONResponse(content, status, headers=FRESH)
