"""The engine of this process: pictures are prepared, and runs measured and written, while the model computes.

Owns the threads. Items are handed on in their order at every step, so that what comes of a batch does not depend on
which thread was faster.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Protocol

from attention.errors import Cancelled

from .items import BatchItem
from .worker import Made, Outcome, Plan, Ready, Stop, Tell, Worker

PREPARERS = 2  # threads: decoding leaves Python's lock most of the time
BEHIND = 4  # runs that wait to be measured: each holds a folder


class Engine(Protocol):
    """A way to run a sweep: every item goes through a `Worker(plan)`, and `done` is called with what came of it.

    `done` is called for each item once, in the order of the items, and from one thread at a time; what it raises ends
    the work. `tell` is told of a model's download, `stop` says that somebody wants all this to end.
    """

    def __call__(
        self, plan: Plan, items: Iterator[BatchItem], done: Callable[[Outcome], None], stop: Stop, tell: Tell
    ) -> None: ...


def run_here(plan: Plan, items: Iterator[BatchItem], done: Callable[[Outcome], None], stop: Stop, tell: Tell) -> None:
    """Run a sweep in this process; the model stays in the thread that calls."""
    first = next(items, None)
    if first is None:
        return  # nothing is left to do: no model is loaded for it
    worker = Worker(plan, stop, tell)
    behind: deque[Future[None]] = deque()
    with (
        ThreadPoolExecutor(PREPARERS, thread_name_prefix="prepare") as preparers,
        ThreadPoolExecutor(1, thread_name_prefix="measure") as measurer,
    ):
        ready = _prepared(worker, _again(first, items), preparers, 2 * plan.batch + PREPARERS)
        try:
            while group := list(islice(ready, plan.batch)):
                for made in worker.make(group):
                    behind.append(measurer.submit(_finish, worker, made, done))
                    while len(behind) > BEHIND:
                        behind.popleft().result()
                if stop():
                    raise Cancelled("Stopped.")
            while behind:
                behind.popleft().result()
        except BaseException:
            preparers.shutdown(wait=False, cancel_futures=True)
            raise  # what is made is still measured and written


def _again(first: BatchItem, items: Iterator[BatchItem]) -> Iterator[BatchItem]:
    yield first
    yield from items


def _finish(worker: Worker, made: Made, done: Callable[[Outcome], None]) -> None:
    done(worker.measure(made))


def _prepared(worker: Worker, items: Iterator[BatchItem], preparers: ThreadPoolExecutor, ahead: int) -> Iterator[Ready]:
    waiting: deque[Future[Ready]] = deque()
    for item in items:
        waiting.append(preparers.submit(worker.prepare, item))
        while len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
