"""Questions to a finished run on the page: trials and readings, asked for by the viewer, told how far, stopped.

Owns what travels between the viewers and the service. How it looks and what it says is in assets/viewer/.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from attention.visitors.service import Service

from . import JOB, QUIET
from .sentences import in_words, status_line
from .viewer import Mounted
from .visitors import visitor_of


class TriedChannel(Mounted):
    """Channel to a viewer, for what it asked for.

    Of a trial {number, text}, {number, tried} or {number, why}; of a reading {number, reading: its kind} and `text`,
    `partial`, `made` or `why`.
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


def build_trials(service: Service, viewer: gr.HTML) -> None:
    """Let a viewer ask for trials and readings: its event `apply` begins one, `stop` ends it."""
    told = TriedChannel(visible="hidden")
    working: dict[tuple[Any, ...], Any] = {}  # jobs by who asks, and by what

    async def asking(event: gr.EventData, request: gr.Request) -> AsyncIterator[dict]:
        asked = event._data if isinstance(event._data, dict) else {}
        of = {"number": asked.get("number")} | ({"reading": asked["reading"]} if asked.get("reading") else {})
        visitor = visitor_of(request)
        begin, made = (service.asked_reading, "made") if "reading" in of else (service.trial, "tried")
        name = (visitor.session, *map(str, of.items()))
        partial = None
        try:
            with begin(asked.get("ticket"), asked, visitor) as job:
                working[name] = job
                async for progress in job.follow():
                    found = job.told()
                    more = {"partial": found} if found is not None and found != partial else {}
                    partial = found or partial
                    yield {**of, "text": status_line(progress), **more}
                yield {**of, made: job.result()}
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            yield {**of, "why": in_words(error)}
        finally:
            working.pop(name, None)

    def stopping(event: gr.EventData, request: gr.Request) -> None:
        """Stop what was asked for; its last answer then says so."""
        asked = event._data if isinstance(event._data, dict) else {}
        of = {name: asked[name] for name in ("number", "reading") if asked.get(name)}
        job = working.get((visitor_of(request).session, *map(str, of.items())))
        if job is not None:
            job.cancel()

    viewer.apply(asking, None, told, trigger_mode="multiple", **QUIET, **JOB)
    viewer.stop(stopping, None, None, trigger_mode="multiple", queue=False, **QUIET)
