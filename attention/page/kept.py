"""List of saved runs or comparisons, as a row of its tab: open one, delete one, take in a zip.

Knows what is kept and which tab it belongs to. What is on a tab when something is opened, the tab knows.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from typing import Literal

import gradio as gr

from attention.errors import AttentionError
from attention.visitors.service import Service

from . import QUIET
from .inputs import RunUpload, take_zip
from .manifests import TABS, tab_of
from .sentences import OPEN_IN, in_words, kept_line

HIDE_BOTH = "() => [{__type__: 'update', visible: false}, {__type__: 'update', visible: false}]"


class Kept:
    """The row, a note below it, and the question before anything is deleted for good.

    It is made where it is to stand; `connect` follows once the tab has made what shows a run or a comparison.
    """

    def __init__(self, service: Service, kind: Literal["run", "comparison"]):
        self.service, self.kind, self.tab = service, kind, TABS[kind]
        is_local = not service.is_hosted
        with gr.Row(elem_id=f"{self.tab}-kept", elem_classes="kept"):
            self.list = gr.Dropdown([], value=None, label=f"Kept {kind}s", visible=is_local, scale=2, min_width=400)
            self.open = gr.Button("Open", size="sm", visible=is_local, scale=0, min_width=64)
            self.delete = gr.Button("Delete", size="sm", visible=is_local, scale=0, min_width=64)
            self.upload = RunUpload(f"Open a {kind} zip", file_types=[".zip"], size="sm", scale=0, min_width=128)
        self.note = gr.Textbox(
            label="Note", visible=False, interactive=False, show_label=False, container=False, max_lines=4,
            elem_id=f"{self.tab}-note", elem_classes="note",
        )  # fmt: skip
        with gr.Row(visible=False) as self.question:
            self.delete_for_good = gr.Button("Delete for good", variant="stop", size="sm", scale=0, min_width=130)
            self.keep = gr.Button("Keep it", size="sm", scale=0, min_width=80)
        self.asked_about = gr.State()  # the ticket of what may be deleted
        self.noted = [self.note, self.question]

    def rows(self, **more) -> dict:
        """The list as it is now."""
        rows = [row for row in self.service.runs() if row["kind"] == self.kind]
        label = f"Kept {self.kind}s ({f'{len(rows):,}' if rows else 'none yet'})"
        return {self.list: gr.Dropdown([(kept_line(row), row["ticket"]) for row in rows], label=label, **more)}

    def saying(self, words: str | None = None) -> dict:
        """The note, or none; nothing is asked any more."""
        return {self.note: gr.Textbox(words, visible=bool(words)), self.question: gr.Row(visible=False)}

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
        show: Callable[[str], dict],
        clear: Callable[[], dict],
    ) -> None:
        """Changes that each event makes.

        `show` puts a ticket on screen and `clear` takes it off, as changes of the components `opened` and of the note.
        `shown` is the ticket on screen, `passed_on` that of a zip which was opened in the tab where it does not belong.
        """

        def open_zip(path: str | None, request: gr.Request) -> Iterator[dict]:
            yield self.saying(f"Unpacking the {self.kind} ...")
            try:
                ticket = take_zip(self.service, path, request.session_hash)
                tab = tab_of(self.service, ticket)
                changes = (
                    {**self.saying(), **show(ticket), **self.rows()} if tab == self.tab
                    else {**self.saying(OPEN_IN[tab]), passed_on: ticket}
                )  # fmt: skip
            except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
                changes = self.refused(error)
            yield changes

        def take(ticket: str) -> dict:
            """A zip of this tab's kind was opened in the other one."""
            is_mine = tab_of(self.service, ticket) == self.tab
            return {**self.saying(), **show(ticket), **self.rows()} if is_mine else {shown: gr.skip()}

        def open_kept(ticket: str | None) -> dict:
            if ticket is None:
                return self.saying(f"Choose one of the kept {self.kind}s first.")
            try:
                self.service.open_kept(ticket)
                return {**self.saying(), **show(ticket)}
            except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
                return {**self.refused(error), **self.rows()}

        def ask(ticket: str | None) -> dict:
            line = next((kept_line(row) for row in self.service.runs() if row["ticket"] == ticket), None)
            if line is None:
                return self.saying(f"Choose one of the kept {self.kind}s first.")
            words = f"Delete this {self.kind} for good?  {line}"
            return {**self.saying(words), self.question: gr.Row(visible=True), self.asked_about: ticket}

        def delete(ticket: str | None, on_screen: str | None) -> dict:
            try:
                self.service.remove(ticket)
            except AttentionError as error:
                return {**self.refused(error), **self.rows()}
            gone = {**clear(), shown: None} if ticket == on_screen else {}
            return {**self.saying("Deleted."), **gone, **self.rows(value=None)}

        changed = [*opened, *self.noted, self.list]
        self.upload.upload(open_zip, self.upload, [*changed, passed_on], **QUIET)
        passed_on.change(take, passed_on, changed, **QUIET)
        self.open.click(open_kept, self.list, changed, **QUIET)
        self.delete.click(ask, self.list, [*self.noted, self.asked_about], **QUIET)
        self.delete_for_good.click(delete, [self.asked_about, shown], changed, **QUIET)
        # in the page itself: an answer of the server could come late, and hide what was asked since
        gr.on([self.keep.click, self.list.input], None, None, self.noted, js=HIDE_BOTH, queue=False, **QUIET)
        demo.load(self.rows, None, self.list, **QUIET)
