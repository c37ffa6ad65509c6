"""Service behind page and endpoints: from the fields of a Request to a kept run, for one visitor of many.

Owns the jobs in progress by owner, what a visitor may ask for, and when the heavy libraries are there. Knows nothing of
Gradio, and not where a model runs: that is the function it is given.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import copy_context
from pathlib import Path
from typing import Any

from attention.decoder_pool import ask_for
from attention.environment import is_zero_gpu, offers_login
from attention.errors import AttentionError, InvalidRequest, quoted, shortened
from attention.folders import check, runs_of, unpack
from attention.kinds.other_token import with_id
from attention.limits import HOSTED_ZIP_BYTES, LOCAL_ZIP_BYTES, Limits, TurnLimits
from attention.models.hub_login import HubLogin
from attention.runs.partial import PartialRun
from attention.runs.run import Run
from attention.words import GONE

from .asked_readings import Answered, read_asked, record_of
from .asked_trials import read_trial
from .files import bytes_of
from .hub_logins import HubLogins
from .job_work import Begun, FindAdapters, JobWork, beside_of
from .jobs import Job
from .key import Key
from .presence import RUN, STREAM, Visitor
from .scores import ShownScores
from .sent_fields import files_of, refuse_paths
from .starting import Starting
from .store import RunCache
from .turns import Turns

log = logging.getLogger(__name__)


GONE_SECONDS = 10  # without a listener, until a job is nobody's: a script calls first and listens then
DEVICES_OF_ZERO_GPU = 4  # that it lends to one app at once
LOOK_SECONDS = 0.1
CLOSING_SECONDS = 2  # a job that is deep in a large model's layer is not waited for longer


class Service:
    """Runs for visitors. Importing it is cheap; `load` brings in torch and transformers, in a thread of its own."""

    def __init__(
        self,
        cache: RunCache,
        run_job: Callable[[dict, Any], dict],
        *,
        is_hosted: bool,
        limits: Limits | None = None,
        model: str | None = None,
        adapters_dir: Path | None = None,
        find_adapters: FindAdapters | None = None,
        key: Key | None = None,
        scores: Sequence[Path] = (),
        export_bytes: int | None = None,
    ):
        """
        Args:
            run_job: makes the run, or the comparison, that {partial, request, adapters, words, beside, work} describes,
                and returns {run} or {error}; given the inputs too where they are made already. `work` is that of one
                run.
            adapters_dir: the folder below which a person's adapters lie.
            find_adapters: finds the adapters that are asked for, [{id, scale, rename, alone}], for a model, checks and
                downloads them, and returns what `run_job` needs of them; told of a download, and of the visitor's own
                login where one is offered. None: there are none here.
            is_hosted: strangers come here: only the models on offer, and the limits of a server.
            limits: another server's than the usual ones.
            model: the model to offer first, instead of the machine's default.
            key: what a request must have that asks for the library; None: everybody who reaches the app may.
            scores: folders of scores to show; on a server none are.
            export_bytes: bytes that one export may have; None: what the disk has room for.
        """
        self.key, self.export_bytes = key or Key(), export_bytes
        self.cache, self.is_hosted, self._model = cache, is_hosted, model
        self.limits = limits or (Limits.hosted() if is_hosted else None)  # None: what this machine's device can take
        self.adapters_dir = adapters_dir
        self.turns = Turns(
            TurnLimits.hosted() if is_hosted else TurnLimits(), DEVICES_OF_ZERO_GPU if is_zero_gpu() else 1
        )
        self.presence, self.files = cache.presence, cache.files
        self.offers_login = is_hosted and offers_login()
        self.hub_logins = HubLogins(cache.files, cache.new_folder().parent / "by_login", cache.room)
        self._jobs: dict[str, set[Job]] = defaultdict(set)
        self.starting = Starting()
        self._loaded = self.starting.has_libraries
        self.scores = ShownScores(() if is_hosted else scores, cache)
        self._beside: dict[tuple[Any, ...], str] = {}  # comparisons that were made of kept runs
        self.work = JobWork(
            run_job, find_adapters, is_hosted=is_hosted, limits=self.limits, cache=cache, hub_logins=self.hub_logins,
            loaded=self._loaded, checked_model=self.checked_model,
        )  # fmt: skip

    # Models

    def load(self) -> None:
        """Import what takes seconds, and on a server load the model that comes first, while nobody waits for it yet."""

        def libraries() -> None:
            from attention.capture import extraction  # noqa: F401 - imported for its effect
            from attention.models.devices import device_notice

            if device_notice():
                log.warning(device_notice())

        def model(watch: Callable[[int, int], None]) -> None:
            from attention.models import loading
            from attention.models.kept import INFERENCE

            with INFERENCE:
                loading.load(self.default_model(), watch=watch)

        self.starting.begin(libraries, model if self.is_hosted and not is_zero_gpu() else None)

    def wait_until_loaded(self) -> None:
        self._loaded.wait()

    async def loaded(self) -> None:
        """Wait for the same without a thread: a few dozen pages that are opened at the start would take them all."""
        while not self._loaded.is_set():
            await asyncio.sleep(LOOK_SECONDS)

    def models(self) -> list[dict]:
        """The models on offer, {id, label, family, note}, the one to begin with first."""
        from attention.models.offered import offered_models

        offered = offered_models()
        first = self.default_model()
        if first not in [model["id"] for model in offered]:
            offered.append({"id": first, "label": first, "family": None, "note": None})
        return sorted(offered, key=lambda model: model["id"] != first)

    def default_model(self) -> str:
        from attention.models.offered import default_model

        return self._model or default_model()

    def checked_model(self, model: Any) -> str:
        """The model a visitor asks for, if it may be had here; the default for none."""
        if model is None or model == "":
            return self.default_model()
        if not isinstance(model, str):
            raise InvalidRequest(f"The model is {quoted(model)}; it must be a name.")
        offered = self.offered()
        if offered is not None and model not in offered:
            raise InvalidRequest(f"{shortened(model)} is not offered here. There is {', '.join(offered)}.")
        return model.strip()

    def offered(self) -> list[str] | None:
        """The models that strangers may have; None on a person's own machine: any."""
        return [offer["id"] for offer in self.models()] if self.is_hosted else None

    # Runs

    def run(self, ticket: Any) -> Run:
        """The run behind a ticket; InvalidRequest when there is none (any more)."""
        found = self.found(ticket)
        if found.kind != "run":
            raise InvalidRequest("This is a comparison, not a single run: open it in the tab Compare.")
        return found

    def comparison(self, ticket: Any) -> Any:
        """The comparison behind a ticket; InvalidRequest when there is none (any more)."""
        found = self.found(ticket)
        if found.kind == "run":
            raise InvalidRequest("This is a single run, nothing is compared in it: open it in the tab Explore.")
        return found

    def found(self, ticket: Any) -> Any:
        """The run or the comparison behind a ticket; InvalidRequest when there is none (any more)."""
        try:
            return self.cache.run(ticket)
        except (KeyError, TypeError):
            raise InvalidRequest(GONE) from None

    def is_public(self, ticket: str) -> bool:
        """True if this is one of the examples, which everyone may see."""
        try:
            return self.cache.is_public(ticket)
        except (KeyError, TypeError):
            raise InvalidRequest(GONE) from None

    @property
    def zip_bytes(self) -> int:
        """Bytes that a run, or a comparison, that comes as a zip may have, packed or unpacked."""
        return HOSTED_ZIP_BYTES if self.is_hosted else LOCAL_ZIP_BYTES

    def open_zip(self, path: str | Path, owner: Visitor | str) -> str:
        """Take in a run, or a comparison, that comes as a zip, and return its ticket.

        Raises what `folders.unpack` raises; of what is refused nothing is left.
        """

        def taken_in() -> str:
            ask_for(Visitor.of(owner).session, lambda: None)  # its pictures take turns with those of jobs
            return self.cache.add(unpack(path, self.cache.new_folder(), self.zip_bytes), owner)

        with self.files.held([path]), self.cache.room(bytes_of(path)):  # numbers hardly shrink in a zip
            return copy_context().run(taken_in)

    def compare_runs(self, tickets: Sequence[Any], owner: Visitor | str, names: Sequence[str] | None = None) -> str:
        """Set finished runs beside the first of them, without a model; return the comparison's ticket.

        Raises what `attention.comparisons.finished.compare_runs` raises, and InvalidRequest for a ticket of no run.
        """
        from attention.comparisons.finished import fill_from_runs

        folders = [self.run(ticket).folder for ticket in tickets]
        with self.reading(*tickets), self.cache.room(sum(map(bytes_of, folders))):
            return self.cache.add(fill_from_runs(folders, PartialRun.create(self.cache.new_folder()), names), owner)

    def compare_kept(self, tickets: Sequence[Any], owner: Visitor | str, names: Sequence[str] | None = None) -> str:
        """The same, once: asked again, what was made is found again as long as it is there."""
        made = self._beside.get(tuple(tickets))
        try:
            self.found(made)
        except InvalidRequest:
            self._beside[tuple(tickets)] = made = self.compare_runs(tickets, owner, names)
        assert made is not None
        return made

    def reading(self, *tickets: Any) -> AbstractContextManager[None]:
        """Keep what is behind these tickets from being removed meanwhile."""
        return self.presence.held(*((RUN, str(ticket)) for ticket in tickets))

    def room_for_export(self, found: Any, format: str, fields: dict) -> AbstractContextManager[None]:  # noqa: A002
        """Have room for an export with these fields. Raises LimitExceeded for one that is too large, and Busy."""
        if self.export_bytes is None:
            return nullcontext()  # what is written looks itself at what the disk has free
        from attention.exports.forecast import check_export
        from attention.exports.wanted import Wanted

        return self.cache.room(check_export(found, format, Wanted.read(fields), self.export_bytes))

    def runs(self) -> list[dict]:
        """The runs kept on a person's own machine, newest first. A server tells nobody what others look at."""
        return [] if self.is_hosted else self.cache.listing()

    def open_kept(self, ticket: Any) -> Any:
        """A run or a comparison of the library, looked over: its folder was within reach of other programs since.

        Raises what `folders.check` raises, and InvalidRequest when there is nothing behind the ticket (any more).
        """
        found = self.found(ticket)
        check(found)
        return found

    def remove(self, ticket: Any) -> None:
        """Delete a run of the library, because a person said so. On a server nobody does: runs expire."""
        if self.is_hosted:
            raise InvalidRequest("Runs are not deleted here by hand; they expire.")
        try:
            self.cache.remove(ticket)
        except (KeyError, TypeError):
            raise InvalidRequest(GONE) from None

    def restore(self, ticket: Any) -> None:
        """Undo `remove`, for an hour."""
        try:
            self.cache.restore(ticket)
        except (KeyError, TypeError):
            raise InvalidRequest("This is not among what was deleted here.") from None

    @contextmanager
    def job(
        self, fields: dict, owner: Visitor | str, comparison: dict | None = None, login: HubLogin | None = None
    ) -> Iterator[Job]:
        """Start a job that makes a run from a Request's fields. Leaving the block stops it if it still works.

        With `comparison`, {adapters: [{id, scale, rename, alone}], words}, a run of the base and of each adapter, and
        what it asks besides, as `asked_beside` takes it: floors, paraphrases, parts. What not everybody may read of the
        Hub is read by the owner's own `login`, where one is offered. The result is {ticket}. On a server it stops too
        when its owner is told of it on no stream for some seconds; an owner that is named by its session alone has
        none. Raises Busy where the owner, or everybody, has enough jobs.
        """
        refuse_paths(fields.get("messages"))
        beside_of(comparison)
        work = functools.partial(self.work.run, fields=fields, comparison=comparison)
        paths = files_of(fields)
        kept = self.reading(*self.cache.tickets_of_files(paths))
        with self.files.held(paths), kept, self._begun(work, owner, login) as job:
            yield job

    @contextmanager
    def trial(self, ticket: Any, given: dict, owner: Visitor | str, login: HubLogin | None = None) -> Iterator[Job]:
        """Start a job that tries a run's answer without what fields name, as `job` does; the result is its record.

        Raises what `asked_trials.read_trial` raises, and InvalidRequest for a ticket of no run.
        """
        run = self.run(ticket)
        asked = read_trial(run, given)
        self.checked_model(run.info["model"]["id"])
        work = functools.partial(self.work.trial, ticket=ticket, run=run, asked=asked)
        with self.reading(ticket), self._begun(work, owner, login) as job:
            yield job

    def with_id(self, ticket: Any, given: dict) -> dict:
        """Fields of a reading, the other token of its target as an id where it is named by its text.

        It may load a processor, so it is called in a thread. Raises what `other_token.with_id` raises.
        """
        if not isinstance(given.get("against"), str):
            return given
        self.wait_until_loaded()
        found = self.found(ticket)
        run, _ = runs_of(found, given.get("member") or None)[0]  # what is set beside each other has one vocabulary
        self.checked_model(run.info["model"]["id"])
        return dict(with_id(run, given))

    @contextmanager
    def asked_reading(
        self, ticket: Any, given: dict, owner: Visitor | str, login: HubLogin | None = None
    ) -> Iterator[Job | Answered]:
        """Start a job that makes a reading of a run, as `job` does, or find it; the result is its record.

        `given` is {reading: its kind, member, ...fields of the kind}. Raises what `asked_readings.read_asked` raises,
        and InvalidRequest for a ticket of no run, or for words of a stranger's own beside what everybody sees.
        """
        parts = read_asked(self.found(ticket), given)
        if self.is_hosted and self.is_public(ticket) and any(part.kind.has_own_words(part.asked) for part in parts):
            raise InvalidRequest(
                "Everybody sees what is asked of an example, so it is not asked with words of your own. Leave prompt "
                "out, or run the example's picture yourself and ask that run."
            )
        found = [part.found() for part in parts]
        if all(found):
            yield Answered(record_of(parts, [each for each in found if each]))
            return
        for part in parts:
            self.checked_model(part.run.info["model"]["id"])
            part.kind.cost(part.run, part.asked)  # refuses what cannot be had
        work = functools.partial(self.work.reading, ticket=ticket, parts=parts)
        with self.reading(ticket), self._begun(work, owner, login) as job:
            yield job

    @contextmanager
    def _begun(self, work: Callable[[Begun], dict], owner: Visitor | str, login: HubLogin | None) -> Iterator[Job]:
        """A job that has entered the line. Leaving the block stops it if it still works."""
        visitor = Visitor.of(owner)
        owner, since = visitor.session, self.presence.now()
        streams = [(STREAM, name) for name in visitor.names if self.is_hosted]  # a person may call now and listen later
        turn = self.turns.enter(visitor)
        try:
            partial = self._new_folder()
            job = Job(
                partial,
                lambda: work(Begun(partial, visitor, turn, login)),
                turn,
                lambda: bool(streams) and self.presence.away(streams, since) > GONE_SECONDS,
            )
        except BaseException:
            turn.leave()
            raise
        self._jobs[owner].add(job)
        try:
            yield job
        finally:
            job.cancel()
            self._jobs[owner].discard(job)
            if not self._jobs[owner]:
                del self._jobs[owner]

    def _new_folder(self) -> PartialRun:
        """Folder of a run that is about to be made. Strangers are not told where it lies."""
        try:
            return PartialRun.create(self.cache.new_folder())
        except InvalidRequest as error:
            if not self.is_hosted:
                raise
            log.error("No run can be kept: %s", error)
            raise AttentionError("This server cannot keep a run at the moment. Try again later.") from None

    def is_working(self, owner: str) -> bool:
        """True if a job of this visitor is in progress."""
        return any(not job.is_done for job in tuple(self._jobs.get(owner, ())))

    def session_closed(self, session: str) -> None:
        """A page or a client has gone: its runs wait less long, and what its login has fetched goes."""
        self.cache.session_closed(session)
        self.hub_logins.session_closed(session)

    @property
    def is_at_work(self) -> bool:
        """True while a thread of the start or of a job runs."""
        return self.starting.is_under_way or any(map(self.is_working, tuple(self._jobs)))

    def close(self) -> None:
        """Stop every job, and leave the cache as it is to be found next time."""
        jobs = [job for jobs in tuple(self._jobs.values()) for job in tuple(jobs)]  # others may begin and end meanwhile
        for job in jobs:
            job.cancel()
        for job in jobs:
            job.join(CLOSING_SECONDS)
        self.cache.close()
