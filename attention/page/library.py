"""Library of saved runs or comparisons, as a part of its tab: open one, delete one and have it back, take in a zip.

The list itself is a component that reads the library's routes; here is what opening or deleting one changes on the tab.
What is on a tab when something is opened, the tab knows.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Literal

import gradio as gr

from attention.errors import InvalidRequest
from attention.visitors.service import Service

from . import QUIET
from .inputs import RunUpload, take_zip
from .manifests import TABS, passing, tab_of
from .sentences import OPEN_BESIDE, OPEN_IN, in_words
from .viewer import LibraryPanel
from .visitors import visitor_of

_changes = count(1)


def build_library(service: Service, kind: Literal["run", "comparison"]) -> Library:
    """Build the library of a kind where it is to stand; `connect` follows once the tab has what shows one."""
    return Library(service, kind)


class Library:
    """The list, a button that takes in a zip, and a note below them."""

    def __init__(self, service: Service, kind: Literal["run", "comparison"]):
        self.service, self.kind, self.tab = service, kind, TABS[kind]
        self.list = LibraryPanel(
            {"kind": kind, "changed": 0}, visible=not service.is_hosted, elem_id=f"{self.tab}-library",
        )  # fmt: skip
        with gr.Row(elem_id=f"{self.tab}-kept", elem_classes="kept"):
            self.upload = RunUpload(f"Open a {kind} zip", file_types=[".zip"], size="sm", scale=0, min_width=160)
        self.note = gr.Textbox(
            label="Note", visible=False, interactive=False, show_label=False, container=False, max_lines=4,
            elem_id=f"{self.tab}-note", elem_classes="note",
        )  # fmt: skip
        self.noted = [self.note]

    def rows(self) -> dict:
        """The list, told that there is something new to be read."""
        return {self.list: {"kind": self.kind, "changed": next(_changes)}}

    def saying(self, words: str | None = None) -> dict:
        """The note, or none."""
        return {self.note: gr.Textbox(words, visible=bool(words))}

    def refused(self, error: Exception) -> dict:
        """Said in the note, where it stays, and over the page; what is on screen stays as it is."""
        words = in_words(error)
        gr.Warning(html.escape(words))  # the toast would render HTML
        return self.saying(words)

    def connect(
        self,
        demo: gr.Blocks,
        shown: gr.State,
        passed_on: gr.State,
        opened: list[gr.components.Component],
        show: Callable[..., dict],
        clear: Callable[[], dict],
    ) -> None:
        """Changes that each event makes.

        `show(ticket, view)` puts one on screen and `clear` takes it off, as changes of the components `opened` and of
        the note. `shown` is the ticket on screen, `passed_on` what was opened in a tab where it does not belong.
        """

        def open_zip(path: str | None, request: gr.Request) -> Iterator[dict]:
            yield self.saying(f"Unpacking the {self.kind} ...")
            try:
                ticket = take_zip(self.service, path, visitor_of(request))
                tab = tab_of(self.service, ticket)
                changes = (
                    {**self.saying(), **show(ticket), **self.rows()} if tab == self.tab
                    else {**self.saying(OPEN_IN[tab]), passed_on: passing(ticket)}
                )  # fmt: skip
            except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
                changes = self.refused(error)
            yield changes

        def take(passed: dict) -> dict:
            """Show what another tab opened, where it is of this tab's kind."""
            is_mine = tab_of(self.service, passed["ticket"]) == self.tab
            if not is_mine:
                return {shown: gr.skip()}
            return {**self.saying(), **show(passed["ticket"], passed["view"]), **self.rows()}

        def open_kept(event: gr.EventData) -> dict:
            try:
                ticket = _ticket_of(event)
                self.service.open_kept(ticket)
                return {**self.saying(), **show(ticket)}
            except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
                return {**self.refused(error), **self.rows()}

        def beside(on_screen: str | None, event: gr.EventData, request: gr.Request) -> Iterator[dict]:
            """A kept run is to be set beside the one on screen: their comparison goes to the tab where it belongs."""
            yield self.saying("Comparing the two runs ...")
            try:
                if on_screen is None:
                    raise InvalidRequest("Open a run first: the other is set beside it.")
                if on_screen == _ticket_of(event):
                    raise InvalidRequest("This run is on screen already: choose another to set beside it.")
                made = self.service.compare_runs([on_screen, _ticket_of(event)], visitor_of(request))
                yield {**self.saying(OPEN_BESIDE), passed_on: passing(made)}
            except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
                yield self.refused(error)

        def deleted(on_screen: str | None, event: gr.EventData) -> dict:
            """The list has deleted one: if it is on screen, it goes from there too."""
            gone = {**clear(), shown: None} if _ticket_of(event) == on_screen else {}
            return {**self.saying(), **gone}

        changed = [*opened, *self.noted, self.list]
        self.upload.upload(open_zip, self.upload, [*changed, passed_on], **QUIET)
        passed_on.change(take, passed_on, changed, **QUIET)
        self.list.select(open_kept, None, changed, **QUIET)
        self.list.delete(deleted, shown, changed, **QUIET)
        self.list.expand(beside, shown, [*self.noted, passed_on], **QUIET)


def _ticket_of(event: gr.EventData) -> Any:
    return (event._data or {}).get("ticket")
