"""The tab of scores over a set, which opens the kept run of an item in the tab where it belongs.

The table itself is a component that reads the scores' routes; here is what opening a run or a comparison leads to.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from attention.visitors.service import Service

from . import QUIET
from .inputs import whole_number
from .manifests import passing
from .sentences import in_words
from .viewer import ScorePanel
from .visitors import visitor_of


def build_scores(service: Service, passed_on: gr.State) -> None:
    """The tab's content. `passed_on` is what another tab is to open."""
    panel = ScorePanel({"names": [folder.name for folder in service.scores.folders]}, elem_id="scores")
    note = gr.Textbox(
        label="Note", visible=False, interactive=False, show_label=False, container=False, max_lines=4,
        elem_id="scores-note", elem_classes="note",
    )  # fmt: skip

    def saying(words: str | None = None) -> gr.Textbox:
        return gr.Textbox(words, visible=bool(words))

    def refused(error: Exception) -> dict:
        words = in_words(error)
        gr.Warning(html.escape(words))  # the toast would render HTML
        return {note: saying(words)}

    def open_run(event: gr.EventData) -> dict:
        try:
            ticket, view = service.scores.run(*_asked(event))
            service.open_kept(ticket)
            return {note: saying(), passed_on: passing(ticket, view)}
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            return refused(error)

    def open_pair(event: gr.EventData, request: gr.Request) -> Iterator[dict]:
        yield {note: saying("Comparing the two runs ...")}
        try:
            tickets, names, view = service.scores.pair(*_asked(event))
            made = service.compare_kept(tickets, visitor_of(request), names)
            yield {note: saying(), passed_on: passing(made, view)}
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            yield refused(error)

    panel.select(open_run, None, [note, passed_on], **QUIET)
    panel.expand(open_pair, None, [note, passed_on], **QUIET)


def _asked(event: gr.EventData) -> tuple[int, int, int]:
    """The scores, item and model that an event names, as numbers. Raises InvalidRequest."""
    data: Any = event._data or {}
    scores, item, model = (whole_number(name, data.get(name)) for name in ("scores", "item", "model"))
    return scores, item, model
