"""The memory of decoded pictures in this process: so many bytes at once, and given back to the system.

Whoever decodes a picture holds its bytes as long as the picture lives. Knows no pixels, and not who asks.
"""

from __future__ import annotations

import ctypes
import gc
import math
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import Image

from attention.errors import LimitExceeded
from attention.limits import PICTURES_BYTES

BYTES_A_PIXEL = 4  # of Pillow's RGB
LOOK_SECONDS = 0.1
COLLECT_SECONDS = 10.0  # between two times that garbage is collected for who waits: each holds up everybody
TRIM_SECONDS = 2.0  # after a picture has gone
TRIM_BYTES = 16 << 20  # smaller ones leave nothing to speak of
M_ARENA_MAX, HEAPS = -8, 2  # the C library's own number of that setting


class PictureMemory:
    """Bytes that are held at once, `total` at most; one that is larger than all is let in alone."""

    def __init__(self, total: int = PICTURES_BYTES):
        self.total, self.held = total, 0
        self._changed = threading.Condition(threading.RLock())  # a picture may go while this thread holds it
        self._collected = -math.inf

    @contextmanager
    def taken(
        self, n_bytes: int, check: Callable[[], None] = lambda: None, most_seconds: float = math.inf
    ) -> Iterator[Held]:
        """Wait until there is room for so many bytes, and hold them; in the `with` what is passed on to no picture.

        `check` is called while it waits; what it raises ends the wait. Raises LimitExceeded after `most_seconds`.
        """
        held = self._take(n_bytes, check, most_seconds)
        try:
            yield held
        finally:
            self.give_back(held.n_bytes)

    def _take(self, n_bytes: int, check: Callable[[], None], most_seconds: float) -> Held:
        until = time.monotonic() + most_seconds
        while True:
            check()
            self._collect_for(n_bytes)
            with self._changed:
                if self._has_room(n_bytes):
                    self.held += n_bytes
                    return Held(self, n_bytes)
                self._changed.wait(LOOK_SECONDS)
            if time.monotonic() >= until:
                raise LimitExceeded("The server is busy with other pictures. Try again in a moment.")

    def _has_room(self, n_bytes: int) -> bool:
        return not self.held or self.held + n_bytes <= self.total

    def _collect_for(self, n_bytes: int) -> None:
        """Collect garbage where there is no room: an error holds the pictures of its functions, and may hold itself."""
        with self._changed:
            now = time.monotonic()
            if self._has_room(n_bytes) or now - self._collected < COLLECT_SECONDS:
                return
            self._collected = now
        gc.collect()

    def give_back(self, n_bytes: int) -> None:
        with self._changed:
            self.held -= n_bytes
            self._changed.notify_all()


class Held:
    """Bytes that are held: until the pictures have gone to which they were passed on."""

    def __init__(self, memory: PictureMemory, n_bytes: int):
        self._memory, self.n_bytes = memory, n_bytes

    def until_gone(self, picture: Image.Image, n_bytes: int | None = None) -> None:
        """Pass on to a picture its own bytes, or so many; they are given back with it."""
        own = picture.width * picture.height * BYTES_A_PIXEL if n_bytes is None else n_bytes
        passed_on = min(self.n_bytes, own)
        self.n_bytes -= passed_on
        weakref.finalize(picture, _gone, self._memory, passed_on).atexit = False


MEMORY = PictureMemory()


def _gone(memory: PictureMemory, n_bytes: int) -> None:
    memory.give_back(n_bytes)
    if n_bytes >= TRIM_BYTES:
        _trim_soon()


_trim: threading.Timer | None = None


def _trim_soon() -> None:
    """Give freed memory back to the system, once the picture that goes just now has gone."""
    global _trim  # noqa: PLW0603 - one for the process
    if sys.platform != "linux" or (_trim is not None and _trim.is_alive()):
        return
    _trim = threading.Timer(TRIM_SECONDS, _trim_now)
    _trim.daemon = True
    _trim.start()


def few_heaps() -> None:
    """Let the threads that a server begins from now on share two of the C library's heaps.

    Else nearly every thread has its own, and each keeps what was freed in it: after a burst 120 MB that nobody uses.
    """
    try:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, HEAPS)
    except (AttributeError, OSError, TypeError):  # another C library, another system
        pass


def _trim_now() -> None:
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):  # another C library
        pass
