"""Run and Stop of a tab: one request run, its progress said, stopped, and what went wrong said.

Knows how a job of the service is followed, and no other component of the tab than those it is given.
"""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import AsyncIterator, Callable

import gradio as gr

from attention.errors import confirmed_by
from attention.visitors.service import Service
from attention.words import PHASE_WORDS

from . import JOB, QUIET
from .ask import StatusLine
from .inputs import BOXES
from .logins import login_of
from .sentences import LAST_PROGRESS_SECONDS, STOPPED, in_words, status_line
from .visitors import visitor_of

# In the page itself: who has clicked sees it at once.
BEGIN = f"""() => [
  {{ __type__: 'update', value: 'Run', visible: false }}, {{ __type__: 'update', visible: true }},
  {{ text: {json.dumps(PHASE_WORDS["queue"][0])} }},
]"""


STARTING_SECONDS = 0.5  # between two looks at what an app that has just been started waits for


class Controls:
    """The two buttons, of which one is there, and the line that says how far the run is."""

    def __init__(
        self,
        service: Service,
        run: gr.Button,
        stop: gr.Button,
        status: StatusLine,
        confirmations: dict[str, gr.Checkbox],
    ):
        self.service, self.run, self.stop, self.status = service, run, stop, status
        self.confirmations = confirmations  # by the word with which a refusal asks for one
        self.changed = [run, stop, status, *confirmations.values()]
        self.started: list = []

    def _ended(self, line: str) -> dict:
        return {self.run: gr.Button(visible=True), self.stop: gr.Button(visible=False), self.status: line}

    async def changes(
        self,
        request: gr.Request,
        asked: Callable[[], dict],
        finished: Callable[[str], dict],
        compared: Callable[[], dict] | None = None,
        login: gr.OAuthToken | None = None,
    ) -> AsyncIterator[dict]:
        """Run what is `asked` for; `finished(ticket)` are the changes that show it. Of a comparison also `compared`.
        `login` is the visitor's own to the Hub.

        Raises:
            gr.Error: Whatever went wrong, in words, after the page has said it.
        """
        try:
            while words := self.service.starting.words():
                yield {self.status: words}
                await asyncio.sleep(STARTING_SECONDS)
            await self.service.loaded()
            fields = asked()
            own = login_of(self.service, login)
            with self.service.job(fields, visitor_of(request), compared and compared(), own) as job:
                async for progress in job.follow():
                    yield {self.status: said_of(progress)}
                ticket = job.result()["ticket"]
            made = finished(ticket)
        except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
            said = confirmed_by(in_words(error), **BOXES)
            boxes = [box for word, box in self.confirmations.items() if word in said.lower()]
            shown = {box: gr.Checkbox(visible=True) for box in boxes}
            yield {**self._ended(said), **shown}
            raise gr.Error(html.escape(said), print_exception=False) from None  # the toast would render HTML
        yield {**self._ended(gr.skip()), **made}

    def start(
        self,
        event: Callable[..., gr.events.Dependency],
        run: Callable[..., AsyncIterator[dict]],
        inputs: list[gr.components.Component],
        shown: list[gr.components.Component],
    ) -> None:
        """Let an event start `run`, a function that yields `changes`; `shown` is what these change besides.

        `event` takes a function, its inputs and outputs, as `Button.click` does.
        """
        begun = [self.run, self.stop, self.status]
        outputs = list(dict.fromkeys([*self.changed, *shown]))
        running = event(None, None, begun, js=BEGIN, queue=False, **QUIET).then(run, inputs, outputs, **QUIET, **JOB)
        running.failure(lambda: self._ended(gr.skip()), None, begun, queue=False, **QUIET)
        self.started.append(running)

    def let_stop(self) -> None:
        """Let Stop end whatever `start` was told of before."""

        async def wait() -> None:
            await asyncio.sleep(LAST_PROGRESS_SECONDS)

        buttons = [self.run, self.stop, self.status]
        ending = self.stop.click(
            lambda: self._ended(STOPPED), None, buttons, cancels=self.started, queue=False, **QUIET
        )
        waited = ending.then(wait, None, None, queue=False, **QUIET)
        waited.then(self.say_again, self.status, buttons, queue=False, **QUIET)

    def say_again(self, line: dict, request: gr.Request) -> dict:
        """Say that it was stopped once more where the line says progress: it was on its way, and came afterwards.

        A run that was begun since then is not stopped, and what it has left there stands.
        """
        if "done" not in line or self.service.is_working(request.session_hash):
            return {self.status: gr.skip()}
        return self._ended(STOPPED)


def said_of(progress: dict) -> dict:
    """Say how far a run is: words, steps, and the answer as far as it is written."""
    answer = f"\n“{progress['answer']}”" if progress["answer"] else ""
    return {"text": status_line(progress) + answer, "done": progress["done"], "total": progress["total"]}
