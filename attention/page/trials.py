"""Questions to a finished run on the page: trials and readings, asked for by the viewer, told how far, stopped.

Owns what travels between the viewers and the service. How it looks and what it says is in assets/viewer/.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from attention.visitors.presence import Visitor
from attention.visitors.service import Service

from . import JOB, QUIET
from .logins import login_of
from .sentences import in_words, status_line
from .viewer import AttentionViewer, ComparisonViewer, Mounted
from .visitors import visitor_of

MAX_STOPPED = 1000  # that are remembered of what never begins, or had ended


class TriedChannel(Mounted):
    """Channel to a viewer, for what it asked for.

    Of a trial {number, text}, {number, tried} or {number, why}; of a reading {number, reading: its kind} and `text`,
    `partial`, `made` or `why`. `viewer` is there too where that is not the one of runs.
    """

    TEMPLATE, MODULE = "tried.html", "tried.js"

    def styles(self) -> str:
        return ""

    def preprocess(self, payload: Any) -> Any:
        return payload

    def postprocess(self, value: dict | None) -> dict | None:
        return value

    def api_info(self) -> dict:
        return {"type": "object", "description": "what came of a trial or a reading"}

    def example_payload(self) -> None:
        return None

    def example_value(self) -> None:
        return None


class Asking:
    """Questions of one viewer on their way: begun, and stopped by their numbers."""

    def __init__(self, service: Service, viewer: str = AttentionViewer.KIND):
        self._service, self._viewer = service, viewer
        self._working: dict[bytes, Any] = {}  # jobs by who asks, and by what
        self._stopped: OrderedDict[bytes, None] = OrderedDict()  # the same, also where none has begun yet

    async def begin(self, asked: Any, visitor: Visitor, login: gr.OAuthToken | None = None) -> AsyncIterator[dict]:
        """Ask for a trial, or with `reading` for one of that kind; yield what the channel is told.

        `login` is the visitor's own to the Hub.
        """
        asked = asked if isinstance(asked, dict) else {}
        of, name = _named(asked, visitor)
        of |= {"viewer": self._viewer} if self._viewer != AttentionViewer.KIND else {}
        is_reading = "reading" in of
        ask, made = (self._service.asked_reading, "made") if is_reading else (self._service.trial, "tried")
        partial = None
        try:
            asked = await asyncio.to_thread(self._service.with_id, asked.get("ticket"), asked)
            with ask(asked.get("ticket"), asked, visitor, login_of(self._service, login)) as job:
                self._working[name] = job
                if name in self._stopped:  # while it waited to be handed on
                    job.cancel()
                async for progress in job.follow():
                    found = job.told()
                    more = {"partial": found} if found is not None and found != partial else {}
                    partial = found or partial
                    yield {**of, "text": status_line(progress), **more}
                yield {**of, made: job.result()}
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            yield {**of, "why": in_words(error)}
        finally:
            self._working.pop(name, None)
            self._stopped.pop(name, None)

    def stop(self, asked: Any, visitor: Visitor) -> None:
        """Stop what has this number; the last that is told of it then says so."""
        _, name = _named(asked if isinstance(asked, dict) else {}, visitor)
        self._stopped[name] = None  # first: it may begin just now
        if len(self._stopped) > MAX_STOPPED:
            self._stopped.popitem(last=False)
        job = self._working.get(name)
        if job is not None:
            job.cancel()


def _named(asked: dict, visitor: Visitor) -> tuple[dict, bytes]:
    """Number and kind of what is asked, as the channel says them again; and the name of its job.

    Names are remembered, so that one has few bytes whatever a stranger calls a number.
    """
    of = {name: asked[name] for name in ("number", "reading") if asked.get(name)}
    return of, hashlib.sha256(repr((visitor.session, of)).encode("utf-8", "surrogatepass")).digest()


def build_trials(service: Service, viewer: AttentionViewer | ComparisonViewer) -> None:
    """Let a viewer ask for trials and readings: its event `apply` begins one, `stop` ends it."""
    told, asking = TriedChannel(visible="hidden"), Asking(service, viewer.KIND)

    async def begin(event: gr.EventData, request: gr.Request, login: gr.OAuthToken | None) -> AsyncIterator[dict]:
        async for said in asking.begin(event._data, visitor_of(request), login):
            yield said

    def stop(event: gr.EventData, request: gr.Request) -> None:
        asking.stop(event._data, visitor_of(request))

    viewer.apply(begin, None, told, trigger_mode="multiple", **QUIET, **JOB)
    viewer.stop(stop, None, None, trigger_mode="multiple", queue=False, **QUIET)
