"""Work of a job, in its thread: from its turn to what the model gave.

Owns what is refused before a device is asked for, what is read of the Hub meanwhile, and the room on the disk. Knows
nobody who waits for it; where a model runs is known by the function it is given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from attention.capture.images import open_pictures
from attention.comparisons.asked_beside import Beside, asked_beside
from attention.decoder_pool import ask_for
from attention.effects.cost import cost_of_trying
from attention.environment import POCKET_ID
from attention.errors import AttentionError, InvalidRequest, LimitExceeded, shortened
from attention.limits import Limits
from attention.models.hub_login import HubLogin
from attention.readings.cost import Cost
from attention.request import Request
from attention.runs.partial import PartialRun
from attention.runs.run import Run

from .asked_readings import OfRun, OneAtATime, record_of
from .hub_logins import HubLogins
from .jobs import wait_for
from .presence import Visitor
from .store import RunCache
from .turns import Turn

FindAdapters = Callable[[list[dict], str, Callable[[int, int], None], bool, HubLogin | None], list[dict]]

BESIDE = ("floors", "paraphrases", "parts")  # of what a comparison is asked


class Begun(NamedTuple):
    """A job that has entered the line, as its thread knows it."""

    partial: PartialRun
    visitor: Visitor
    turn: Turn
    login: HubLogin | None  # the visitor's own to the Hub


class JobWork:
    """Runs, trials and readings, each made in the thread of its job."""

    def __init__(
        self,
        run_job: Callable[[dict, Any], dict],
        find_adapters: FindAdapters | None,
        *,
        is_hosted: bool,
        limits: Limits | None,
        cache: RunCache,
        hub_logins: HubLogins,
        loaded: threading.Event,
        checked_model: Callable[[Any], str],
    ):
        """
        Args:
            run_job, find_adapters: as `Service` takes them.
            limits: None: what this machine's device can take.
            loaded: set once the heavy libraries are there.
            checked_model: says which model is meant, and refuses one that may not be had here.
        """
        self.run_job, self._find_adapters = run_job, find_adapters
        self._is_hosted, self.limits, self._cache, self._hub_logins = is_hosted, limits, cache, hub_logins
        self._loaded, self._checked_model = loaded, checked_model
        self._being_read = OneAtATime()

    def run(self, begun: Begun, fields: dict, comparison: dict | None) -> dict:
        """In the job's thread: wait for its turn, open the pictures while another may have the device, run."""
        limits, (partial, visitor, turn, _) = self.limits, begun
        Request(**fields).validate(limits or Limits())  # which needs no turn
        turn.begin(partial.check_cancelled)
        partial.report("inputs")  # which may take many seconds
        ask_for(visitor.session, partial.check_cancelled)
        pictures = open_pictures(Request(**fields), limits or Limits())  # what is wrong at first sight is said at once
        partial.report("queue")
        wait_for(self._loaded, partial)
        with self._hub_logins.of(visitor, begun.login) as login:
            job, prepared, n_bytes = self._ready(partial, fields, pictures, comparison, login)
            partial.report("queue")
            with self._cache.room(n_bytes), turn.device(partial.check_cancelled):  # what is refused takes no device
                done = self.run_job(job, prepared)
        if "error" in done:
            raise AttentionError(done["error"])
        return {"ticket": self._cache.add(done["run"], visitor)}

    def _ready(
        self, partial: PartialRun, fields: dict, pictures: Any, comparison: dict | None, login: HubLogin | None
    ) -> tuple[dict, Any, int]:
        """Refuse what cannot fit before a GPU is asked for; return the job, its inputs, and its bytes on disk."""
        from attention.capture.forecast import download_reporter, forecast

        limits = self.limits
        fields["model"] = self._checked_model(fields.get("model"))
        if not self._is_hosted:
            self._take_adapter(fields, comparison, download_reporter(partial))
        if self._is_hosted and fields.get("vision") is None:
            fields["vision"] = fields["model"] == POCKET_ID  # a large model's vision tower fills a shared disk
        request = Request(**fields)
        partial.report("model")
        expected = forecast(request, limits, download_reporter(partial), pictures)
        partial.check_cancelled()
        own = {
            "id": request.adapter,
            "scale": request.adapter_scale,
            "rename": request.adapter_rename,
            "alone": request.adapter_alone,
        }
        wanted = comparison["adapters"] if comparison is not None else [own] if request.adapter else []
        beside = beside_of(comparison)
        n_runs = len(wanted) + 1 + beside.passes(len(wanted)) if comparison is not None else 1
        check_together(n_runs, expected.bytes_on_disk, limits or Limits())
        assert expected.work is not None  # a forecast has it
        job: dict[str, Any] = {
            "partial": str(partial.folder),
            "request": request.to_dict(),
            "adapters": self._adapters(
                wanted, fields["model"], download_reporter(partial), comparison is not None, login
            ),
            "words": comparison["words"] if comparison is not None else None,
            **({"beside": beside.to_job()} if comparison is not None else {}),
            "work": asdict(expected.work),
        }
        return job, expected.prepared, expected.bytes_on_disk * n_runs

    def trial(self, begun: Begun, ticket: str, run: Run, asked: dict) -> dict:
        """In the job's thread: put a run's question to its model again, without what is asked."""
        readings = self._cache.readings(ticket)
        tried = asked | {"folder": str(run.folder), "readings": str(readings)}
        self._wait_to_ask(begun)
        try:
            return self._ask_again(begun, run, {"tried": tried}, cost_of_trying(run, asked["paint"] is not None))[
                "tried"
            ]
        finally:
            self._cache.count_readings(ticket, readings)

    def reading(self, begun: Begun, ticket: str, parts: list[OfRun]) -> dict:
        """In the job's thread: make what is not there yet of some readings."""
        self._wait_to_ask(begun)
        records = []
        for part in parts:
            with self._being_read.at(part.place, begun.partial.check_cancelled):
                record = part.found()  # another may have made it meanwhile
                if record is None:
                    cost = part.kind.cost(part.run, part.asked)
                    reading = {
                        "folder": str(part.run.folder), "readings": str(part.place.parent), "kind": part.kind.name,
                        "asked": part.asked,
                    }  # fmt: skip
                    try:
                        done = self._ask_again(begun, part.run, {"reading": reading}, cost)
                    finally:  # what was stopped may have kept a part
                        self._cache.count_readings(ticket, part.place.parent)
                    record = done["reading"]
            records.append(record)
        return record_of(parts, records)

    def _wait_to_ask(self, begun: Begun) -> None:
        begun.turn.begin(begun.partial.check_cancelled)
        ask_for(begun.visitor.session, begun.partial.check_cancelled)
        begun.partial.report("queue")
        wait_for(self._loaded, begun.partial)

    def _ask_again(self, begun: Begun, run: Run, what: dict[str, dict], cost: Cost) -> dict:
        """Put a run's question to its model again as a job with `what`. Raises LimitExceeded for what has no room."""
        from attention.capture.asked_again import request_of
        from attention.capture.forecast import download_reporter
        from attention.capture.reading_forecast import forecast_reading

        partial = begun.partial
        request, adapter, model = request_of(run), run.info.get("adapter"), run.info["model"]["id"]
        watch = download_reporter(partial)
        expected = forecast_reading(run, cost, self.limits, watch)
        wanted = []
        if adapter is not None:
            alone = bool(adapter.get("without"))
            wanted.append({"id": adapter["id"], "scale": adapter["scale"], "rename": False, "alone": alone})
        job: dict[str, Any] = {
            "partial": str(partial.folder),
            "request": request.to_dict(),
            "words": None,
            "work": asdict(expected.work),
            **what,
        }
        with self._hub_logins.of(begun.visitor, begun.login) as login:
            job["adapters"] = self._adapters(wanted, model, watch, may_be_models=False, login=login)
            partial.report("queue")
            with self._cache.room(expected.bytes_on_disk), begun.turn.device(partial.check_cancelled):
                done = self.run_job(job, expected.prepared)
        if "error" in done:
            raise AttentionError(done["error"])
        return done

    def _take_adapter(self, fields: dict, comparison: dict | None, watch: Callable[[int, int], None]) -> None:
        """Put an adapter that was named as the model on its base."""
        from attention.models.download import base_of_adapter

        base, name = base_of_adapter(fields["model"], watch), fields["model"]
        if base is None:
            return
        if fields.get("adapter"):
            raise InvalidRequest(
                f"{shortened(name)} is an adapter, and so is {shortened(fields['adapter'])}: a run has one. Choose the "
                "base as the model, or compare them."
            )
        adapter = str(Path(name).resolve()) if Path(name).is_dir() else name
        fields["model"] = base
        if comparison is None:
            fields["adapter"] = adapter
        else:
            comparison["adapters"] = [*comparison["adapters"], adapter]  # last: `words` names the others by number

    def _adapters(
        self,
        wanted: list[dict],
        model: str,
        watch: Callable[[int, int], None],
        may_be_models: bool,
        login: HubLogin | None,
    ) -> list[dict]:
        if not wanted:
            return []
        if self._find_adapters is None:
            raise InvalidRequest("There are no adapters here: leave the adapter out.")
        return self._find_adapters(wanted, model, watch, may_be_models, login)


def beside_of(comparison: dict | None) -> Beside:
    """Read what a comparison is asked beside its members. Raises InvalidRequest."""
    return asked_beside(**{name: value for name, value in (comparison or {}).items() if name in BESIDE})


def check_together(n_runs: int, run_bytes: int, limits: Limits) -> None:
    """Refuse runs that each fit and together do not. Raises LimitExceeded."""
    if n_runs * run_bytes > limits.run_bytes:
        raise LimitExceeded(
            f"{n_runs} runs of {run_bytes / 1e9:.1f} GB each lie on the disk together; the limit is "
            f"{limits.run_bytes / 1e9:.1f} GB. Choose fewer adapters, no floors or parts, a smaller picture, or leave "
            "the vision tower out."
        )
