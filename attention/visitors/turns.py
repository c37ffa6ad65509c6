"""Turns of jobs: whose job is next where many wait, how many of them a visitor may have, and how long it takes.

A visitor is a session at a network address. Addresses take turns, and so do the sessions of one address: a hundred
sessions of one address together have the turn of one, and several people behind one address share it evenly. Two steps:
`begin` lets in one job more than there are devices, so that the next one's inputs are there in time; `device` is for
those alone that run a model. Knows neither jobs nor what they do.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from attention.errors import Busy
from attention.limits import TurnLimits
from attention.words import about_seconds

from .presence import Visitor

LOOK_SECONDS = 1.0  # at most, until one who waits looks again, where nobody wakes it
MEASURED = 20  # jobs whose time tells how long the next ones take
SOON_S = 5  # what is told where a job takes longer than those before it

T = TypeVar("T")


@dataclass(eq=False)
class Turn:
    """One job's place, from `Turns.enter` to `leave`."""

    visitor: Visitor
    turns: Turns = field(repr=False)
    has_begun: bool = False
    since: float | None = None  # when it got a device
    _woken: threading.Event = field(default_factory=threading.Event, repr=False)

    def begin(self, check: Callable[[], None]) -> None:
        """Wait until it is this job's turn; `check` is called meanwhile, and may raise."""
        self._wait_until(lambda: self.has_begun, check)

    @contextmanager
    def device(self, check: Callable[[], None]) -> Iterator[None]:
        """Hold one of the devices, after waiting for one; `check` as before."""
        self._wait_until(lambda: self.turns.take_device(self), check)
        try:
            yield
        finally:
            self.turns.give_device(self)

    def wake(self) -> None:
        """Let it look again at once."""
        self._woken.set()

    def _wait_until(self, condition: Callable[[], bool], check: Callable[[], None]) -> None:
        while True:
            self._woken.clear()
            check()
            if condition():
                return
            self._woken.wait(LOOK_SECONDS)  # many wait, each in a thread of its own: none may look often

    def leave(self) -> None:
        """End it, whether it waits or runs. Does nothing the second time."""
        self.turns.leave(self)

    def place(self) -> dict | None:
        """{before, seconds}: jobs before it, and seconds until it gets a device, None while nothing is known of that.

        None for a job that has one.
        """
        return self.turns.place(self)


class Turns:
    """Every method may be called from any thread."""

    def __init__(self, limits: TurnLimits, devices: int = 1, clock: Callable[[], float] = time.monotonic):
        """`devices`: jobs that run a model at once."""
        self.limits, self.devices, self._clock = limits, devices, clock
        self._mutex = threading.Lock()
        # by address and session; who is next comes first
        self._waiting: OrderedDict[str, OrderedDict[str, deque[Turn]]] = OrderedDict()
        self._begun: list[Turn] = []
        self._on_device: list[Turn] = []
        self._seconds: deque[float] = deque(maxlen=MEASURED)

    def enter(self, visitor: Visitor) -> Turn:
        """Take a place. Raises Busy, with numbers, where this visitor, their address or all together have enough."""
        with self._mutex:
            self._refuse(visitor)
            turn = Turn(visitor, self)
            sessions = self._waiting.setdefault(visitor.address, OrderedDict())
            sessions.setdefault(visitor.session, deque()).append(turn)
            self._let_in()
            return turn

    def leave(self, turn: Turn) -> None:
        with self._mutex:
            if turn in self._begun:
                self._begun.remove(turn)
            else:
                self._remove_waiting(turn)
            self._let_in()

    def take_device(self, turn: Turn) -> bool:
        """Give a job that has begun a device, if one is free."""
        with self._mutex:
            is_free = len(self._on_device) < self.devices
            if is_free:
                turn.since = self._clock()
                self._on_device.append(turn)
            return is_free

    def give_device(self, turn: Turn) -> None:
        with self._mutex:
            self._on_device.remove(turn)
            if turn.since is not None:
                self._seconds.append(self._clock() - turn.since)
            for each in self._begun:
                each.wake()

    def place(self, turn: Turn) -> dict | None:
        with self._mutex:
            ahead = [other for other in self._begun if other.since is None]
            line = [*ahead, *self._order()]
            if turn not in line:
                return None
            number = line.index(turn)
            return {"before": number + len(self._on_device), "seconds": self._seconds_until(number)}

    @property
    def waiting(self) -> int:
        """Jobs that have no device yet."""
        with self._mutex:
            return len(self._order()) + sum(turn.since is None for turn in self._begun)

    # Under the lock

    def _refuse(self, visitor: Visitor) -> None:
        limits, waiting = self.limits, self._order()
        n_own = sum(_is_session(turn, visitor) for turn in chain(waiting, self._begun))
        again = f"Try again in about {about_seconds(self._seconds_until(0) or SOON_S)}."
        if n_own >= limits.waiting + limits.running:
            raise Busy(
                f"You have {n_own} jobs here that run or wait, as many as one visitor may have. Wait until one has "
                f"ended, or stop one. {again}"
            )
        at_address = sum(turn.visitor.address == visitor.address for turn in chain(waiting, self._begun))
        if at_address >= limits.at_address:
            raise Busy(
                f"{at_address} jobs from your network address run or wait, as many as one address may have; people "
                f"behind the same address share them. {again}"
            )
        if len(waiting) >= limits.together:
            all_of_it = about_seconds(self._seconds_until(len(waiting)) or SOON_S)
            raise Busy(
                f"The queue is full: {len(waiting)} jobs wait, which takes about {all_of_it}, and no more are taken. "
                f"{again} Finished runs and examples can be looked at meanwhile."
            )

    def _let_in(self) -> None:
        """Let jobs begin as long as there is room, each address and each session of it in its turn."""
        while len(self._begun) < self.devices + self.limits.ahead:
            turn = next((turn for turn in self._order() if self._may_begin(turn.visitor)), None)
            if turn is None:
                break
            self._remove_waiting(turn)
            turn.has_begun = True
            turn.wake()
            self._begun.append(turn)
            address, session = turn.visitor.address, turn.visitor.session  # the last ones now
            if address in self._waiting:
                self._waiting.move_to_end(address)
                if session in self._waiting[address]:
                    self._waiting[address].move_to_end(session)

    def _may_begin(self, visitor: Visitor) -> bool:
        return sum(_is_session(turn, visitor) for turn in self._begun) < self.limits.running

    def _remove_waiting(self, turn: Turn) -> None:
        address, session = turn.visitor.address, turn.visitor.session
        sessions = self._waiting.get(address, OrderedDict())
        if turn in sessions.get(session, ()):
            sessions[session].remove(turn)
            if not sessions[session]:
                del sessions[session]
            if not sessions:
                del self._waiting[address]

    def _order(self) -> list[Turn]:
        """Jobs that wait, in the order in which they would begin if all took the same time."""
        return one_each([one_each(sessions.values()) for sessions in self._waiting.values()])

    def _seconds_until(self, number: int) -> float | None:
        """Seconds until the job with this many others before it gets a device; None while none has been measured."""
        if not self._seconds:
            return None
        usual, now = sum(self._seconds) / len(self._seconds), self._clock()
        ends = [max(SOON_S if usual > SOON_S else 0.0, usual - (now - (turn.since or now))) for turn in self._on_device]
        ends += [0.0] * (self.devices - len(ends))
        heapq.heapify(ends)
        for _ in range(number):
            heapq.heapreplace(ends, ends[0] + usual)
        return ends[0]


def one_each(lines: Iterable[Sequence[T]]) -> list[T]:
    """The first of each, then the second of each, and so on."""
    lines = list(lines)
    rounds = range(max(map(len, lines), default=0))
    return [line[number] for number in rounds for line in lines if number < len(line)]


def _is_session(turn: Turn, visitor: Visitor) -> bool:
    return (turn.visitor.session, turn.visitor.address) == (visitor.session, visitor.address)
