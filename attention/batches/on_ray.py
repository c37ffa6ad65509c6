"""The engine of a cluster, or of all cards of one machine: workers as actors of Ray, where that is installed.

Owns how items become tasks. Restarts of a worker that is killed, and retries of what it was at, are Ray's own: a worker
is restarted however often it ends, and a task that ends it again and again is given up, and its items are written with
that reason. Rows are written by the process that calls; kept runs by the workers, so that the batch's folder, the
pictures and the models must lie on a disk that all of them see.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from attention.errors import AttentionError, Cancelled, InvalidRequest, quoted, shortened
from attention.sets.record import not_installed

from .items import BatchItem
from .worker import Outcome, Plan, Stop, Tell, Worker

RETRIES = 2  # of a task whose worker ended
AT_ONCE = 2  # tasks of a worker: the inputs of one are prepared while the model is at the other


@dataclass(frozen=True)
class Ray:
    """Workers on a Ray that is there, at `address`, or on one of this machine.

    `workers` are as many as there are graphics cards, or where there are none processors, unless they are said.
    """

    address: str | None = None
    workers: int | None = None

    def __call__(
        self, plan: Plan, items: Iterator[BatchItem], done: Callable[[Outcome], None], stop: Stop, tell: Tell
    ) -> None:
        """Run a sweep: see `attention.batches.local.Engine`."""
        ray = _started(self.address)
        from ray.exceptions import RayActorError
        from ray.util import ActorPool

        options, count = _share(ray.cluster_resources(), self.workers)
        settings = {"max_restarts": -1, "max_task_retries": RETRIES, "max_concurrency": AT_ONCE}
        there = replace(plan, folder=plan.folder.resolve())
        actor = ray.remote(**options, **settings)(_Actor)
        workers = [actor.remote(there, str(Path.cwd())) for _ in range(count)]
        pool = ActorPool(workers * AT_ONCE)
        waiting: list[list[BatchItem]] = []

        def finish() -> None:
            group = waiting.pop(0)
            try:
                _write(pool.get_next(), done)
            except RayActorError as error:
                for item in group:
                    done(Outcome(item, reason=_ended(error)))

        try:
            while group := list(islice(items, plan.batch)):
                if stop():
                    raise Cancelled("Stopped.")
                while not pool.has_free():
                    finish()
                pool.submit(lambda worker, some: worker.run.remote(some), group)
                waiting.append(group)
            while waiting:
                finish()
        finally:
            for worker in workers:
                ray.kill(worker)


class _Actor:
    """A worker in a process of its own. The model is loaded with the first task, whose error can be told."""

    def __init__(self, plan: Plan, folder: str):
        os.chdir(folder)  # paths of the set are the caller's
        self._plan, self._mutex = plan, threading.Lock()
        self._worker: Worker | None = None

    def run(self, items: list[BatchItem]) -> list[Outcome] | AttentionError:
        """Give what comes of some items, or the error that keeps every item from being run."""
        try:
            with self._mutex:
                self._worker = worker = self._worker or Worker(self._plan)
            ready = [worker.prepare(item) for item in items]
            with self._mutex:
                made = worker.make(ready)
            return [worker.measure(each) for each in made]
        except AttentionError as error:
            return AttentionError(str(error))


def _started(address: str | None) -> Any:
    """Ray, connected to. Raises InvalidRequest where it is not installed, or there is none at the address."""
    try:
        import ray
    except ImportError:
        raise not_installed("ray", "A batch on several workers", "--shard to processes of your own") from None
    if ray.is_initialized():
        return ray
    try:
        ray.init(address=address or "local", include_dashboard=False if address is None else None, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InvalidRequest(
            f"There is no Ray at {quoted(address)}: {shortened(str(error), 200)}. Start one (ray start --head), or "
            "leave --address out."
        ) from None
    return ray


def _share(has: dict[str, float], workers: int | None) -> tuple[dict[str, float], int]:
    """Share of the machine that a worker is given, and their number: one for each graphics card, or processor."""
    cards, processors = int(has.get("GPU", 0)), int(has.get("CPU", 1))
    if workers is not None and workers < 1:
        raise InvalidRequest(f"The workers are {workers}; there must be at least 1.")
    if cards:
        count = workers or cards
        return {"num_gpus": min(1.0, cards / count), "num_cpus": 0.0}, count
    count = workers or processors
    return {"num_cpus": min(1.0, processors / count)}, count


def _write(found: Any, done: Callable[[Outcome], None]) -> None:
    if isinstance(found, AttentionError):
        raise found
    for outcome in found:
        done(outcome)


def _ended(error: Exception) -> str:
    """The reason of an item whose worker ended whenever it was at it."""
    why = shortened(str(error).strip().partition("\n")[0], 200)
    return (
        f"Its worker ended {RETRIES + 1} times while it was at it, or at another that it had beside it, for lack of "
        f"memory perhaps ({why}). The same command tries it again."
    )
