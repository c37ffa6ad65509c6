"""Start of an app: what it is waiting for, and for how long so far, in words.

Owns the thread that brings in what takes seconds or minutes while nobody needs it yet: the libraries, and on a server
the model that comes first. Knows neither by itself: both are functions that it is given.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from attention.errors import words_for
from attention.words import in_one_line, phase_words

LIBRARIES = "The app is starting: it loads PyTorch and transformers"

log = logging.getLogger(__name__)


class Starting:
    """The start of an app. Every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._begun: float | None = None
        self._what: str | None = None
        self.has_libraries = threading.Event()
        self.is_over = threading.Event()

    def begin(self, libraries: Callable[[], None], model: Callable[[Callable[[int, int], None]], None] | None) -> None:
        """Bring in the libraries, then the model, if any, in a thread; `model` is given what to tell of a download.

        What fails is logged: whoever needs it then fails with the reason.
        """
        self._begun, self._what = self._clock(), LIBRARIES
        threading.Thread(target=self._run, args=(libraries, model), name="start", daemon=True).start()

    @property
    def is_under_way(self) -> bool:
        """True from `begin` until its thread has nothing more to do."""
        return self._begun is not None and not self.is_over.is_set()

    def words(self) -> str | None:
        """A sentence on what is waited for, and for how long so far; None before the start and once all is there."""
        what, begun = self._what, self._begun
        return None if what is None or begun is None else f"{what}, {self._clock() - begun:.0f} s so far."

    def _run(self, libraries: Callable[[], None], model: Callable[[Callable[[int, int], None]], None] | None) -> None:
        try:
            libraries()
            self.has_libraries.set()
            if model is not None:
                self._downloaded(0, 0)
                model(self._downloaded)
        except Exception as error:  # noqa: BLE001 - said in the log, and to whoever needs it
            log.warning("At the start: %s", words_for(error) or error)
        finally:
            self._what = None
            self.has_libraries.set()
            self.is_over.set()

    def _downloaded(self, done: int, total: int) -> None:
        what = in_one_line(*phase_words({"phase": "model", "done": done, "total": total}))
        self._what = f"The app is starting: {what[0].lower()}{what[1:]}"
