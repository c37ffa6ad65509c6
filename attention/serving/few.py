"""Places for the few that may do something costly at once; so many wait for one, and others are refused in words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from attention.errors import Busy


class Few:
    """`at_once` are at work, `waiting` wait up to `wait_s`, each in a thread that others have need of."""

    def __init__(self, at_once: int, waiting: int, wait_s: float, words: str):
        self._places, self._waiting = threading.BoundedSemaphore(at_once), threading.BoundedSemaphore(waiting)
        self._wait_s, self._words = wait_s, words

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place, after waiting for one. Raises Busy where none comes."""
        if not self._waiting.acquire(blocking=False):
            raise Busy(self._words)
        try:
            if not self._places.acquire(timeout=self._wait_s):
                raise Busy(self._words)
        finally:
            self._waiting.release()
        try:
            yield
        finally:
            self._places.release()
