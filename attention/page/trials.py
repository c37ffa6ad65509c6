"""Trials on the page: the viewer asks for one, is told how far it is and what came of it, and may stop it.

Owns what travels between the viewer and the service. How it looks and what it says is in assets/viewer/.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from attention.visitors.service import Service

from . import JOB, QUIET
from .logins import login_of
from .sentences import in_words, status_line
from .viewer import AttentionViewer, Mounted
from .visitors import visitor_of


class TriedChannel(Mounted):
    """Channel to the viewer, for the trial that it asked for: {number, text}, {number, tried} or {number, why}."""

    TEMPLATE, MODULE = "tried.html", "tried.js"

    def styles(self) -> str:
        return ""

    def preprocess(self, payload: Any) -> Any:
        return payload

    def postprocess(self, value: dict | None) -> dict | None:
        return value

    def api_info(self) -> dict:
        return {"type": "object", "description": "what came of a trial"}

    def example_payload(self) -> None:
        return None

    def example_value(self) -> None:
        return None


def build_trials(service: Service, viewer: AttentionViewer) -> None:
    """Let the viewer of runs ask for trials: its event `apply` begins one, `stop` ends it."""
    told = TriedChannel(visible="hidden")

    async def trying(event: gr.EventData, request: gr.Request, login: gr.OAuthToken | None) -> AsyncIterator[dict]:
        asked = event._data if isinstance(event._data, dict) else {}
        number = asked.get("number")
        try:
            with service.trial(asked.get("ticket"), asked, visitor_of(request), login_of(service, login)) as job:
                async for progress in job.follow():
                    yield {"number": number, "text": status_line(progress)}
                yield {"number": number, "tried": job.result()}
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            yield {"number": number, "why": in_words(error)}

    begun = viewer.apply(trying, None, told, trigger_mode="multiple", **QUIET, **JOB)
    viewer.stop(None, None, None, cancels=[begun], queue=False, **QUIET)
