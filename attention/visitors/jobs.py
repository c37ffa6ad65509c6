"""A run being made while somebody waits: one thread that works, anyone who follows it, anyone who stops it.

Owns the thread and the end of the partial folder: whichever way the work ends, no thread and no partial folder is left.
Knows nothing of what the work is, nor of Gradio. The two sides speak through the partial folder alone
(`progress.jsonl`, `cancel`), so the work may happen in another process.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable

from attention.runs.partial import PartialRun, read_progress, read_told

from .turns import Turn

FOLLOW_SECONDS = 0.1
WAIT_SECONDS = 0.3  # likewise, as long as others are before it: many wait, and looking is to stay quick
REPEAT_SECONDS = 1.0


class Job:
    """One piece of work on one partial run.

    `work` runs in a thread of its own under a copy of the caller's context, so that what hangs on the context (whose
    request this is) holds there too. It has a `turn`, which ends with it, and is stopped once `is_gone` says that
    nobody waits for it any more.
    """

    def __init__(
        self,
        partial: PartialRun,
        work: Callable[[], dict],
        turn: Turn | None = None,
        is_gone: Callable[[], bool] = lambda: False,
    ):
        self.partial, self._turn, self._is_gone = partial, turn, is_gone
        self._work = work
        self._result: dict | None = None
        self._error: BaseException | None = None
        self._context = contextvars.copy_context()
        self._thread = threading.Thread(target=self._run, name=f"job {partial.final.name}", daemon=True)
        try:
            self._thread.start()
        except BaseException:  # there may be no thread to have
            partial.discard()
            raise

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Ask the work to stop. It does so at its next token or layer, and takes its folder along; nobody need wait."""
        if not self.is_done:
            self.partial.cancel()
            if self._turn is not None:
                self._turn.wake()

    def join(self, seconds: float) -> None:
        """Wait until the work has ended, but no longer than so many seconds."""
        self._thread.join(seconds)

    def result(self) -> dict:
        """Result of the work, once it is done. Raises what it raised."""
        assert self.is_done
        if self._error is not None:
            raise self._error
        assert self._result is not None  # work returns what it made, or raises
        return self._result

    def told(self) -> dict | None:
        """Say what the work has found so far, where it tells that and is not done."""
        return read_told(self.partial.folder)

    async def follow(self) -> AsyncIterator[dict]:
        """Yield every change of {phase, done, total, answer} until the work has ended.

        While it waits for its turn also {before, seconds}, see `Turn.place`. What has not changed is said again every
        second: whoever passes it on notices only then that nobody listens.
        """
        last, said = None, 0.0
        while not self.is_done:
            if self._is_gone():
                self.cancel()
            progress = self._progress()
            if progress is not None and (progress != last or time.monotonic() - said > REPEAT_SECONDS):
                last, said = progress, time.monotonic()
                yield progress
            has_begun = self._turn is None or self._turn.has_begun
            await asyncio.sleep(FOLLOW_SECONDS if has_begun else WAIT_SECONDS)

    def _progress(self) -> dict | None:
        place = self._turn.place() if self._turn is not None else None
        is_first_of_all = self._turn is None or self._turn.has_begun
        progress = read_progress(self.partial.folder) if is_first_of_all else None
        if place is None or (progress is not None and progress["phase"] != "queue"):
            return progress
        return {"phase": "queue", "done": 0, "total": 0, "answer": None} | place

    def _run(self) -> None:
        try:
            self.partial.check_cancelled()
            self._result = self._context.run(self._work)
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
            self._error = error
            _let_go(error)
        finally:
            if self._turn is not None:
                self._turn.leave()
            self.partial.discard()  # does nothing after a commit: the folder has its final name then


def _let_go(error: BaseException | None) -> None:
    """Empty the functions that an error went through: it is kept, and they would keep their pictures with it."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def wait_for(event: threading.Event, partial: PartialRun) -> None:
    """Wait, and stop waiting when the run is cancelled."""
    while not event.wait(FOLLOW_SECONDS):
        partial.check_cancelled()
