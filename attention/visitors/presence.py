"""Visitors and readers, and which of them are there: streams of answers, pages, runs and files that are open now, and
since when they are not.

Told of requests by whoever sees them come and go; knows no address of the app. A name is a pair: of what, and which.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

STREAM, PAGE, ADDRESS, RUN, FILE = "stream", "page", "address", "run", "file"
ASKED_OF = (STREAM, PAGE, ADDRESS)  # since when they are away
MAX_REMEMBERED = 20_000  # names that were open once

Name = tuple[str, str]


@dataclass(frozen=True)
class Visitor:
    """Somebody who asks: a session, at an address. `names` are those of the streams on which answers are awaited."""

    session: str
    address: str = ""
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, owner: Visitor | str | None) -> Visitor:
        """The same, where it may be a session alone, or nobody."""
        return owner if isinstance(owner, Visitor) else cls(owner or "")


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
                    if name[0] in ASKED_OF:
                        self._closed.pop(name, None)
                        self._closed[name] = self.now()
                while len(self._closed) > MAX_REMEMBERED:
                    self._closed.popitem(last=False)

    def is_held(self, *names: Name) -> bool:
        """True while somebody is there under one of these names."""
        with self._mutex:
            return any(name in self._open for name in names)

    def open(self, kind: str) -> list[str]:
        """All that are open of a kind."""
        with self._mutex:
            return [which for of, which in self._open if of == kind]

    def away(self, names: Iterable[Name], since: float) -> float:
        """Seconds for which nobody has been there under any of these names, from `since` on at most; 0 while one is."""
        with self._mutex:
            if any(name in self._open for name in names):
                return 0.0
            return self.now() - max([since, *(self._closed.get(name, since) for name in names)])
