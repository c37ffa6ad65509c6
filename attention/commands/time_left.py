"""Time that is left of a phase, from the rate that was measured in it, where that says anything.

Knows phases by their names; knows no terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# Phases whose steps take alike long, and how the time is said: an answer may end before its last token. Layers are
# those of several towers, one after another: the first say nothing of how long the others take.
EVEN = {"answer": "about {} left at most", "model": "about {} left", "score": "about {} left", "batch": "about {} left"}
LEAST_STEPS, LEAST_SECONDS = 3, 1.0  # that must be measured before anything is said


class TimeLeft:
    """The rate of one phase at a time, measured from its first step on: what comes before that is another thing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._measured: tuple[str, int] | None = None
        self._first = (0, 0.0)
        self._steps = 0

    def words(self, phase: str, done: int, total: int) -> str:
        """Time that is left of this phase, in words; nothing where that is not known."""
        if phase not in EVEN or not 0 < done < total:
            self._measured = None
            return ""
        now = self._clock()
        if self._measured != (phase, total) or done < self._first[0]:
            self._measured, self._first, self._steps = (phase, total), (done, now), 0
            return ""
        self._steps += 1
        steps, seconds = done - self._first[0], now - self._first[1]
        if self._steps < LEAST_STEPS or seconds < LEAST_SECONDS or steps <= 0:
            return ""
        return EVEN[phase].format(roughly((total - done) * seconds / steps))


def roughly(seconds: float) -> str:
    """A time in words, no finer than an estimate is."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
