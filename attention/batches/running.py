"""A batch: a set read, every item of it made once by every model, and a summary of what came of it.

Owns the order of the work and what is done again. A row is known by the content of its pictures, its words, its places
and the settings; what was done is never done again, by no shard and in no later call.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from attention.comparisons.members import BASE_ITSELF, Member
from attention.errors import InvalidRequest, quoted
from attention.limits import Limits
from attention.locks import take_lock
from attention.request import Request
from attention.scoring.published import check_form
from attention.sets.reading import read_set
from attention.sets.record import Record, RecordSet

from .batch import Batch
from .cost import ItemCost, cost_of_item
from .folder import ShardFiles, batch_folder, rows_in
from .items import BatchItem, Reading, items_in
from .local import Engine, run_here
from .readings import Asked, asked_readings
from .settings import Settings, Sweep, check, limits_of, name_of, record_of
from .summary import write_summaries
from .worker import Outcome, Plan, key_in

READERS = 4  # threads that read pictures for their digests


@dataclass
class Counts:
    """Numbers of what a call did: items that were made, that were there already, and that have a reason why not.

    `alone` counts reasons why answers were written alone, where batches were asked for; `otherwise` answers that were
    other in a batch than alone.
    """

    made: int = 0
    known: int = 0
    failed: int = 0
    otherwise: int = 0
    alone: Counter[str] = field(default_factory=Counter)


Watch = Callable[[str, Counts, int | None], None]


def run_batch(
    source: str | os.PathLike[str] | Iterable[dict],
    folder: str | os.PathLike[str],
    request: Request | None = None,
    members: Sequence[Member] = (),
    *,
    rows: str = "first",
    keep: str = "scores",
    readings: Sequence[str] | Asked = (),
    shard: tuple[int, int] = (1, 1),
    batch: int = 1,
    images: str | os.PathLike[str] | None = None,
    reading: Reading | None = None,
    split: str | None = None,
    limits: Limits | None = None,
    engine: Engine = run_here,
    watch: Watch = lambda what, counts, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Batch, Counts]:
    """Run the base and `members` over a set, into a folder, and return what lies there and what this call did.

    `source` is a file or a folder as `read_set` takes it, or records. `request` says the model and what else holds for
    all, with no picture and no words. `keep` is one of `settings.KEPT`, `rows` names the measured row. `readings` are
    made of every item besides: kinds of `readings.USUAL`, or with what is asked of each, {"forecast": {"target":
    "first"}}. What is there is not run again. `shard` (2, 8) takes every eighth item from the second on; several may
    write into one folder at once.
    `batch` answers are written together. `watch(what, counts, total)` is called after each item, where a phase begins,
    and with `model` while one is downloaded.

    Raises AttentionError: for a set without any item, settings that are none, another batch in the folder, and what
    keeps every item from being run.
    """
    settings = Settings(request or Request(), rows, keep, (BASE_ITSELF, *members), asked_readings(readings))
    check(settings)
    check_parts(shard, batch)
    reading = reading or Reading()
    check_form(reading.form, reading.wording)
    record = record_of(settings)
    path, limits = batch_folder(folder, record), limits or limits_of(settings)
    counts = Counts()
    source = source if isinstance(source, str | os.PathLike) else list(source)
    with closing(ShardFiles(path, shard)) as files:
        for sweep in settings.sweeps:
            given = read_set(source, images, split) if isinstance(source, str | os.PathLike) else _records(source)
            total = _total(given, shard)
            plan = Plan(sweep, rows, keep, path, limits, batch, settings.readings)
            what = sweep.members[0].label if sweep.name else "items"
            run = _Run(plan, files, counts, lambda: watch(what, counts, total))  # noqa: B023 - called in this turn alone
            watch(what, counts, total)
            with ThreadPoolExecutor(READERS, thread_name_prefix="read") as pool:
                found = items_in(_some(given), _shard(reading, shard), name_of(record), limits, pool)
                left = run.left(found, {row["key"] for row in rows_in(path)})
                engine(plan, left, run.done, stop, _tell(watch))
    lock = take_lock(path / ".lock.summary")  # the last one to hold it has seen the rows of all
    try:
        finished = Batch(path)
        write_summaries(finished)
    finally:
        lock.release()
    return finished, counts


def cost_of_batch(
    source: str | os.PathLike[str] | Iterable[dict],
    folder: str | os.PathLike[str],
    request: Request | None = None,
    members: Sequence[Member] = (),
    *,
    keep: str = "scores",
    readings: Sequence[str] | Asked = (),
    shard: tuple[int, int] = (1, 1),
    images: str | os.PathLike[str] | None = None,
    reading: Reading | None = None,
    split: str | None = None,
    limits: Limits | None = None,
) -> ItemCost:
    """Work out what the first item of a set costs that can be used, with its readings; no weight is loaded.

    Arguments are those of `run_batch`; `folder` is not written. Raises LimitExceeded, with the numbers, for what does
    not fit, and InvalidRequest where no item can be used.
    """
    settings = Settings(
        request or Request(), keep=keep, members=(BASE_ITSELF, *members), readings=asked_readings(readings)
    )
    check(settings)
    limits, own, reason = limits or limits_of(settings), settings.sweeps[0], ""
    source = source if isinstance(source, str | os.PathLike) else list(source)
    given = read_set(source, images, split) if isinstance(source, str | os.PathLike) else _records(source)
    with ThreadPoolExecutor(READERS, thread_name_prefix="read") as pool:
        for item in items_in(_some(given), _shard(reading or Reading(), shard), "", limits, pool):
            if item.reason is None:
                total, place = _total(given, shard), Path(folder)
                return cost_of_item(item, own.request, settings.readings, keep, len(own.members), limits, place, total)
            reason = reason or item.reason
    raise InvalidRequest(f"No item of the set can be used. The first: {reason}")


def check_parts(shard: tuple[int, int], batch: int) -> None:
    """Raise InvalidRequest for a shard that is none, or a batch of none."""
    which, count = shard
    if not 1 <= which <= count:
        raise InvalidRequest(f"The shard is {which}/{count}; it is one from 1/N to N/N, as 2/8.")
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise InvalidRequest(f"The batch is {quoted(batch)} answers; it must be at least 1.")


class _Run:
    """One way through the set: which items are left to do, and where what comes of each goes."""

    def __init__(self, plan: Plan, files: ShardFiles, counts: Counts, tell: Callable[[], None]):
        self._plan, self._files, self._counts, self._tell = plan, files, counts, tell

    def left(self, items: Iterable[BatchItem], known: set[str]) -> Iterator[BatchItem]:
        """The items that are not done; of several with one content the first."""
        for item in items:
            if item.reason is not None and self._plan.sweep.name:
                continue  # said on the first way through
            key = key_in(self._plan.sweep, item.id)
            if item.reason is None and key in known:
                self._counts.known += 1
                self._tell()
                continue
            known.add(key)
            yield item

    def done(self, outcome: Outcome) -> None:
        """Write what came of an item."""
        item, counts = outcome.item, self._counts
        if outcome.row is not None and outcome.numbers is not None:
            self._files.add(outcome.row, outcome.numbers)
            counts.made += 1
        else:
            counts.failed += 1
            named = {"name": item.name, "number": item.number, "images": item.named, "reason": outcome.reason}
            self._files.add_error({"key": _error_key(self._plan.sweep, item)} | named)
        if outcome.otherwise is not None:
            counts.otherwise += 1
            self._files.add_otherwise(outcome.otherwise)
        if outcome.alone is not None:
            counts.alone[outcome.alone] += 1
        self._tell()


def _error_key(sweep: Sweep, item: BatchItem) -> str:
    """A key of an error: that of the item's row, or where there is none its place in the set."""
    return key_in(sweep, item.id or f"number {item.number}")


def _total(given: RecordSet, shard: tuple[int, int]) -> int | None:
    """Number of a shard's lines, where it is known."""
    return None if given.total is None else len(range(shard[0] - 1, given.total, shard[1]))


def _shard(reading: Reading, shard: tuple[int, int]) -> Reading:
    return Reading(reading.form, reading.wording, reading.addresses, shard)


def _records(given: Sequence[dict]) -> RecordSet:
    """Records of a script, as those of a file."""
    return RecordSet([Record(f"item {number}", dict(each)) for number, each in enumerate(given, 1)], len(given))


def _some(given: RecordSet) -> Iterator[Record]:
    """The records of a set that has some. Raises InvalidRequest for one that has none."""
    records = iter(given)
    first = next(records, None)
    if first is None:
        raise InvalidRequest("The set has no line. Each is an object with image and prompt, or messages.")
    return chain([first], records)


def _tell(watch: Watch) -> Callable[[str, int, int], None]:
    """Bytes of a download as progress: so many done of so many, in the counts' place."""
    return lambda phase, done, total: watch(phase, Counts(made=done), total)
