"""Presence of visitors and readers: which streams of answers, pages, runs and files are open now, and since when not.

Told of requests by whoever sees them come and go; knows no address of the app. A name is a pair: of what, and which.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

STREAM, PAGE, ADDRESS, RUN, FILE = "stream", "page", "address", "run", "file"
MAX_REMEMBERED = 20_000  # names that were open once

Name = tuple[str, str]


class Presence:
    """Every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.now = clock
        self._open: Counter[Name] = Counter()
        self._closed: OrderedDict[Name, float] = OrderedDict()
        self._mutex = threading.Lock()

    @contextmanager
    def held(self, *names: Name) -> Iterator[None]:
        """Be there under these names."""
        with self._mutex:
            self._open.update(names)
        try:
            yield
        finally:
            with self._mutex:
                for name in names:
                    self._open[name] -= 1
                    if not self._open[name]:
                        del self._open[name]
                    self._closed.pop(name, None)
                    self._closed[name] = self.now()
                while len(self._closed) > MAX_REMEMBERED:
                    self._closed.popitem(last=False)

    def is_held(self, *names: Name) -> bool:
        """True while somebody is there under one of these names."""
        with self._mutex:
            return any(name in self._open for name in names)

    def away(self, names: Iterable[Name], since: float) -> float:
        """Seconds for which nobody has been there under any of these names, from `since` on at most; 0 while one is."""
        with self._mutex:
            if any(name in self._open for name in names):
                return 0.0
            return self.now() - max([since, *(self._closed.get(name, since) for name in names)])
