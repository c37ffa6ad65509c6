"""A worker: one model in memory, which makes runs of items and rows of runs.

This is all that another engine needs: a `Plan`, which crosses a process border, a `Worker` made of it once, and
`worker(items)`, which gives an `Outcome` for each in their order. `local` gives its three steps to threads, so that
pictures are prepared and runs measured while the model computes; what comes of an item is the same either way.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from attention.capture.answering import NotItsOwn
from attention.capture.answering_together import fits_with, written_together
from attention.capture.extraction import fill
from attention.capture.forecast import estimate
from attention.capture.images import open_pictures
from attention.capture.in_use import in_use
from attention.capture.inputs import Prepared, prepare
from attention.comparisons.members import Member
from attention.comparisons.running import run_members
from attention.errors import (
    AttentionError,
    Cancelled,
    CaptureError,
    InvalidRequest,
    NotInRun,
    fault,
    is_refused_by_system,
    words_for,
)
from attention.limits import Limits
from attention.models import loading as models
from attention.models.kept import INFERENCE, LoadedModel
from attention.models.offered import default_model
from attention.readings.reading import readings_beside
from attention.request import Request
from attention.runs.partial import SUFFIX, PartialRun
from attention.runs.run import Run

from .folder import ROWS, RUNS
from .items import BatchItem
from .measured import answer_ids, keep_rows, measured
from .readings import Asked, lacks_answer, make_readings
from .settings import Sweep

OF_ITEMS = (InvalidRequest, NotInRun, CaptureError)  # errors that are of one item, also of the first
FAULTS_IN_A_ROW = 10  # of ours or of a library's, until they are taken for those of every item
NOT_OF_A_KIND = "its pictures or its words do not fit into a batch with the others"
FAILS_TOGETHER = "a batch of them failed, which alone they need not"
NOT_PROVED = "the pass that reads the answer would have written another"
SELDOM_PROVED = "most answers that were written in batches were not proved"
ENOUGH = 8  # answers that were not proved, until no more batches are tried where most were not
Stop = Callable[[], bool]
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Plan:
    """All that a worker needs to know, which crosses a process border.

    `batch` answers are written together at most. `folder` is the batch's, into which kept runs and rows go; `readings`
    are made of each run.
    """

    sweep: Sweep
    rows: str
    keep: str
    folder: Path
    limits: Limits
    batch: int = 1
    readings: Asked = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The end of an item: a row of items.jsonl and its numbers, or the reason why not.

    `otherwise` is a row of an answer that was other in a batch than alone; `alone` is why its answer was written alone,
    where batches were asked for.
    """

    item: BatchItem
    row: dict[str, Any] | None = None
    numbers: np.ndarray | None = None
    reason: str | None = None
    otherwise: dict[str, Any] | None = None
    alone: str | None = None


@dataclass
class Ready:
    """An item with its inputs prepared, or the reason why that was not possible."""

    item: BatchItem
    request: Request | None = None
    prepared: Prepared | None = None
    reason: str | None = None


@dataclass
class Made:
    """An item whose runs lie in folders, by the names of their members; `space` goes once they are measured."""

    item: BatchItem
    runs: list[tuple[str, Path]] = field(default_factory=list)
    space: Path | None = None
    reason: str | None = None
    guessed: list[list[int]] | None = None  # ids of the answers as a batch wrote them, where these were not proved
    alone: str | None = None


@dataclass
class Worker:
    """The steps of a sweep, for one model. `prepare` and `measure` may be called from other threads than `make`.

    Raises AttentionError where the model cannot be loaded.
    """

    plan: Plan
    stop: Stop = lambda: False
    tell: Tell = lambda phase, done, total: None
    _has_run: bool = field(default=False, init=False)
    _faults: int = field(default=0, init=False)
    _proved: Counter[bool] = field(default_factory=Counter, init=False)
    _known: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        request = self.plan.sweep.request
        watch = lambda done, total: self.tell("model", done, total)  # noqa: E731
        with INFERENCE:
            self._loaded = models.load(
                request.model or default_model(), request.device, request.dtype, request.model_type, watch
            )

    def __call__(self, items: Sequence[BatchItem]) -> list[Outcome]:
        """All three steps, one after the other."""
        return [self.measure(made) for made in self.make([self.prepare(item) for item in items])]

    def prepare(self, item: BatchItem) -> Ready:
        """Decode an item's pictures, and make model inputs of them and its words; what does not fit is refused here."""
        question = item.question
        if question is None:
            return Ready(item, reason=item.reason)
        request = replace(
            self.plan.sweep.request, images=question.images, prompt=question.prompt, messages=question.messages,
            answer=question.answer,
        )  # fmt: skip
        lacks = lacks_answer(self.plan.readings, request.mode)
        if lacks is not None:
            return Ready(item, reason=lacks)
        if self.plan.keep != "all":
            request = replace(request, vision=request.vision is True)
        family, processor, limits = self._loaded.family, self._loaded.processor, self.plan.limits
        try:
            pictures = open_pictures(request, limits)
            prepared = prepare(request, pictures, family, processor, limits)
            config, path, device = self._loaded.model.config, self._loaded.path, self._loaded.device
            estimate(request, family, config, prepared, path, device, limits, self._loaded.dtype)
            return Ready(item, request, prepared)
        except AttentionError as error:
            if not isinstance(error, OF_ITEMS) and not self._has_run:
                raise
            return Ready(item, reason=str(error))

    def make(self, group: Sequence[Ready]) -> list[Made]:
        """Let the model answer a group of items, together where that can be, and read each one alone."""
        written, alone = self._written([ready for ready in group if ready.reason is None])
        return [self._made(ready, written.get(ready.item.id), alone.get(ready.item.id)) for ready in group]

    def measure(self, made: Made) -> Outcome:
        """Measure the runs of an item, and let go of what is not kept."""
        item = made.item
        if made.reason is not None:
            return Outcome(item, reason=made.reason)
        try:
            members, numbers = measured(made.runs, item, self.plan.rows, self.plan.readings)
            otherwise, kept = self._otherwise(made), self._keep(made)
        except AttentionError as error:
            if self.plan.keep == "all":
                _remove(self._run_folder(item))
            return Outcome(item, reason=str(error))
        finally:
            if made.space is not None:
                shutil.rmtree(made.space, ignore_errors=True)
        question = item.question
        assert question is not None
        row = {
            "key": self._key(item), "id": item.id, "number": item.number, "name": item.name, "images": item.named,
            "pictures": item.pictures, "size": item.size, "prompt": question.prompt, "messages": question.messages,
            "kept": kept, "members": members,
        }  # fmt: skip
        return Outcome(item, row, numbers, None, otherwise, made.alone)

    # How it is done

    def _key(self, item: BatchItem) -> str:
        return key_in(self.plan.sweep, item.id)

    def _written(self, group: Sequence[Ready]) -> tuple[dict[str, list[list[int]]], dict[str, str]]:
        """By an item's id: answers of each member that were written in a batch, or why they are to be written alone."""
        asked = [ready for ready in group if ready.request and ready.request.mode == "generate"]
        asked = [ready for ready in asked if ready.request and ready.request.answer is None]
        if self.plan.batch < 2 or not asked:
            return {}, {}
        if self._proved[False] >= max(ENOUGH, self._proved[True]):
            return {}, {ready.item.id: SELDOM_PROVED for ready in asked}
        kinds: dict[Any, list[Ready]] = {}
        for ready in asked:
            assert ready.prepared is not None
            kinds.setdefault(fits_with(ready.prepared.inputs, self._loaded), []).append(ready)
        written: dict[str, list[list[int]]] = {}
        alone: dict[str, str] = {}
        for kind, several in kinds.items():
            if kind is None or (len(several) == 1 and len(asked) > 1):
                alone |= {ready.item.id: NOT_OF_A_KIND for ready in several}
            elif len(several) > 1:
                found = self._together(several)
                if found is None:
                    self._proved[False] += len(several)
                    alone |= {ready.item.id: FAILS_TOGETHER for ready in several}
                else:
                    written |= {ready.item.id: ids for ready, ids in zip(several, found, strict=True)}
        return written, alone

    def _together(self, several: Sequence[Ready]) -> list[list[list[int]]] | None:
        """The answers of each member to each of some items; None where the model fails on the batch."""
        most, by_member = self.plan.sweep.request.max_new_tokens, []
        inputs = [ready.prepared.inputs for ready in several if ready.prepared is not None]
        try:
            with INFERENCE, in_use(self._loaded):
                for member in self.plan.sweep.members:
                    with member.on(self._loaded):
                        by_member.append(written_together(inputs, most, self._loaded, lambda said: self._check()))
        except Cancelled:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it is met again where each is asked alone
            return None
        return [list(answers) for answers in zip(*by_member, strict=True)]

    def _check(self) -> None:
        if self.stop():
            raise Cancelled("Stopped.")

    def _made(self, ready: Ready, written: list[list[int]] | None, alone: str | None) -> Made:
        if ready.reason is not None:
            return Made(ready.item, reason=ready.reason)
        members = self.plan.sweep.members
        space = None if self.plan.keep == "all" else Path(tempfile.mkdtemp(prefix="batch-"))
        proofs: list[bool] = []
        try:
            if space is not None:
                runs = [(member.folder, space / member.folder) for member in members]
                for number, (member, (_, folder)) in enumerate(zip(members, runs, strict=True)):
                    proofs.append(self._proved_run(ready, [member], folder, written and [written[number]]))
            else:
                folder = self._run_folder(ready.item)
                proofs.append(self._proved_run(ready, members, folder, written))
                several = len(members) > 1
                runs = [(member.folder, folder / member.folder if several else folder) for member in members]
            for member, (_, folder) in zip(members, runs, strict=True):
                self._read(member, folder)
        except BaseException as error:  # noqa: BLE001 - raised again unless it is of this item
            _remove(space or self._run_folder(ready.item))
            return Made(ready.item, reason=self._reason_of(error))
        self._has_run, self._faults = True, 0
        if written is None:
            return Made(ready.item, runs, space, alone=alone)
        self._proved[all(proofs)] += 1
        return Made(ready.item, runs, space, None, *((None, alone) if all(proofs) else (written, NOT_PROVED)))

    def _proved_run(
        self, ready: Ready, members: Sequence[Member], folder: Path, written: list[list[int]] | None
    ) -> bool:
        """Make a run of one member, or the comparison of several; False where what was written was not proved."""
        try:
            self._fill(ready, members, folder, written)
        except NotItsOwn:
            self._fill(ready, members, folder, None)
            return False
        return True

    def _fill(self, ready: Ready, members: Sequence[Member], folder: Path, written: list[list[int]] | None) -> None:
        """Make the run of an item, or the comparison of its members, each reading its own answer."""
        assert ready.request is not None
        _remove(folder)  # left by a process that was stopped
        partial = _Quiet.create(folder)
        partial.stop, partial.id = self.stop, ready.item.id
        limits, prepared = self.plan.limits, ready.prepared
        if len(members) > 1:
            others = [self._told_once(member) for member in members[1:]]
            run_members(ready.request, others, partial, "own", limits, prepared, self._loaded, written)
        else:
            own = written[0] if written is not None else None
            fill(ready.request, partial, self._loaded, limits, members[0].on, prepared, written=own)

    def _read(self, member: Member, folder: Path) -> None:
        """Make the readings of a member's run, beside it."""
        if self.plan.readings:
            whole = _Quiet(folder)
            whole.stop = self.stop
            with Run(folder) as run:
                make_readings(run, self.plan.readings, self._loaded, member.on, whole, self.plan.limits)

    def _told_once(self, member: Member) -> Member:
        """A member of which the same is known for every item, asked for once: all its weights are looked at for it."""

        def about(loaded: LoadedModel, model_type: str | None) -> dict[str, Any]:
            if member.folder not in self._known:
                self._known[member.folder] = member.about(loaded, model_type)
            return self._known[member.folder]

        return replace(member, about=about)

    def _reason_of(self, error: BaseException) -> str:
        """The reason of an item that failed; what would fail every item is raised again."""
        if isinstance(error, Cancelled) or not isinstance(error, Exception):
            raise error
        if isinstance(error, AttentionError):
            is_of_all = isinstance(error, CaptureError) and is_refused_by_system(error.__cause__)  # a full disk, say
            if is_of_all or not (self._has_run or isinstance(error, OF_ITEMS)):
                raise error
            return str(error)
        self._faults += 1
        if words_for(error) is not None or not self._has_run or self._faults >= FAULTS_IN_A_ROW:
            raise error  # a full disk, say
        return fault(error, in_detail=True)

    def _otherwise(self, made: Made) -> dict[str, Any] | None:
        """A row on answers that were other in a batch than alone, if any were."""
        if made.guessed is None:
            return None
        others = {}
        for (member, _), together, alone in zip(made.runs, made.guessed, answer_ids(made.runs), strict=True):
            if together != alone:
                same = next((at for at, (a, b) in enumerate(zip(together, alone, strict=False)) if a != b), None)
                at = min(len(together), len(alone)) if same is None else same
                others[member] = {"from_token": at, "in_a_batch": together, "alone": alone}
        return {"key": self._key(made.item), "name": made.item.name, "members": others} if others else None

    def _keep(self, made: Made) -> str | None:
        """Keep of an item what is to be kept, and return where, from the batch's folder on."""
        if self.plan.keep == "rows":
            place = f"{ROWS}/{self._key(made.item)}.safetensors"
            keep_rows(made.runs, self.plan.folder / place, self.plan.rows, self.plan.readings)
            return place
        return f"{RUNS}/{self._key(made.item)}" if self.plan.keep == "all" else None

    def _run_folder(self, item: BatchItem) -> Path:
        return self.plan.folder / RUNS / self._key(item)


def key_in(sweep: Sweep, item_id: str) -> str:
    """The key of an item's row in a sweep: its id, and after it the whole model that is not the first."""
    return f"{item_id}.{sweep.name}" if sweep.name else item_id


def _remove(folder: Path) -> None:
    """Remove a run, what of it was being written, and its readings."""
    for each in (folder, folder.with_name(f"{folder.name}{SUFFIX}"), readings_beside(folder)):
        shutil.rmtree(each, ignore_errors=True)


class _Quiet(PartialRun):
    """The run of an item, of which nobody follows the progress."""

    stop: Stop
    id: str

    def report(self, phase: str, done: int = 0, total: int = 0, answer: str | None = None) -> None:
        """Say nothing: a million items would."""

    @property
    def is_cancelled(self) -> bool:
        return self.stop()

    def commit(self, info: dict[str, Any], index: str = "run.json") -> Path:
        """Commit it under the id of its content, which is the same whenever it is made."""
        return super().commit(info | {"id": self.id}, index)
