"""Bytes that are kept for visitors, and which of them go first where there are too many.

In this order: exports, which can be written again; what visitors have left who are gone; then what was used longest
ago, whoever's it is. What is being read or written goes never. Knows neither runs nor files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

EXPORT, GONE, IDLE = range(3)  # in the order in which they go


@dataclass(frozen=True, order=True)
class Kept:
    """Something that may go. The least of all goes first."""

    order: int
    last_use: float
    n_bytes: int = field(compare=False)
    remove: Callable[[], None] = field(compare=False)


@dataclass(frozen=True)
class KeptLimits:
    """Limits of what is kept for one visitor, a session; their address may have as much as `people` of them."""

    runs: int
    n_bytes: int
    people: int = 3


def free(kept: Iterable[Kept], n_bytes: int) -> int:
    """Remove in order until so many bytes are free; return how many were freed."""
    freed = 0
    for each in sorted(kept):
        if freed >= n_bytes:
            break
        each.remove()
        freed += each.n_bytes
    return freed
