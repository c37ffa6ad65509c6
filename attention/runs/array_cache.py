"""Arrays kept in memory up to so many bytes; those that nobody asked for longest go first.

Knows not what the arrays are. An array that one thread is making is waited for by the others that want it: a page asks
for several things at once that are made of the same rows.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np


class ArrayCache:
    """Arrays by name, a tuple that begins with their owner. They are shared: who gets one does not write into it."""

    def __init__(self, byte_limit: int):
        self.byte_limit = byte_limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[Any, ...], np.ndarray] = OrderedDict()
        self._making: dict[tuple[Any, ...], threading.Lock] = {}
        self._bytes = 0

    def get(self, name: tuple[Any, ...], make: Callable[[], np.ndarray]) -> np.ndarray:
        """The array of this name, from `make()` where it is not kept."""
        value, making = self._look(name)
        if value is not None:
            return value
        assert making is not None  # where nothing is kept
        with making:
            value, _ = self._look(name)
            if value is not None:
                return value
            try:
                value = make()
                self._keep(name, value)
            finally:
                with self._lock:
                    self._making.pop(name, None)
        return value

    def forget(self, owner: Hashable) -> None:
        with self._lock:
            for name in [name for name in self._entries if name[0] == owner]:
                self._bytes -= self._entries.pop(name).nbytes

    def names(self) -> list[tuple[Any, ...]]:
        with self._lock:
            return list(self._entries)

    @property
    def nbytes(self) -> int:
        return self._bytes

    def _look(self, name: tuple[Any, ...]) -> tuple[np.ndarray | None, threading.Lock | None]:
        """Get what is kept of this name, or the lock to hold while making it."""
        with self._lock:
            value = self._entries.get(name)
            if value is None:
                return None, self._making.setdefault(name, threading.Lock())
            self._entries.move_to_end(name)
            return value, None

    def _keep(self, name: tuple[Any, ...], value: np.ndarray) -> None:
        with self._lock:
            if name in self._entries:  # made twice, after somebody's making of it had failed
                return
            self._entries[name] = value
            self._bytes += value.nbytes
            while self._bytes > self.byte_limit and len(self._entries) > 1:
                self._bytes -= self._entries.popitem(last=False)[1].nbytes
