"""A job leaves neither thread nor folder behind, however it ends."""

import contextvars
import gc
import os
import threading
import weakref
from pathlib import Path

import pytest
from coroutines import finish

from attention import decoder_pool
from attention.errors import Cancelled, InvalidRequest
from attention.runs.partial import PartialRun
from attention.visitors import service
from attention.visitors.jobs import Job, wait_for
from attention.visitors.store import RunCache


@pytest.fixture
def partial(tmp_path):
    return PartialRun.create(tmp_path / "run")


async def followed(job):
    return [progress async for progress in job.follow()]


def job_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("job ")]


def test_progress_and_result_reach_the_one_who_follows(partial):
    seen = threading.Event()

    def work():
        partial.report("answer", 1, 2, answer="re")
        assert seen.wait(60)
        return {"run": str(partial.commit({"format": 1}))}

    async def scenario():
        job = Job(partial, work)
        progress = []
        async for line in job.follow():
            progress.append(line)
            seen.set()
        return job, progress

    job, progress = finish(scenario())
    assert progress[0] == {"phase": "answer", "done": 1, "total": 2, "answer": "re", "process": os.getpid()}
    assert job.result() == {"run": str(partial.final)}
    assert (partial.final / "run.json").exists()
    assert not partial.folder.exists()
    assert job_threads() == []


def test_a_job_for_which_there_is_no_thread_leaves_no_folder(partial, monkeypatch):
    def none(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        Job(partial, dict)
    assert not partial.folder.exists()


def test_a_cancelled_job_takes_its_folder_along(partial):
    started = threading.Event()

    def work():
        started.set()
        while True:
            partial.check_cancelled()

    job = Job(partial, work)
    assert started.wait(60)
    job.cancel()
    finish(followed(job))
    with pytest.raises(Cancelled):
        job.result()
    assert not partial.folder.exists()
    assert job_threads() == []


def test_a_stop_that_comes_too_late_leaves_nothing_in_the_finished_run(partial, monkeypatch):
    replace = Path.replace

    def stopped_just_before(path, target):
        partial.cancel()
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", stopped_just_before)
    assert [path.name for path in partial.commit({"format": 1}).iterdir()] == ["run.json"]


def test_an_error_is_handed_on_and_nothing_is_left(partial):
    def work():
        raise InvalidRequest("no")

    job = Job(partial, work)
    finish(followed(job))
    with pytest.raises(InvalidRequest, match="no"):
        job.result()
    assert not partial.folder.exists()


def test_an_error_that_is_kept_keeps_nothing_that_the_work_had_in_hand(partial):
    had = []

    def work():
        pictures = {1, 2}  # of a kind to which one can point weakly
        had.append(weakref.ref(pictures))
        try:
            raise ValueError
        except ValueError:
            raise InvalidRequest("no") from None

    gc.disable()
    try:
        job = Job(partial, work)
        finish(followed(job))
        with pytest.raises(InvalidRequest, match="no"):
            job.result()
        assert had[0]() is None
    finally:
        gc.enable()


def test_pictures_of_a_zip_are_its_owners(tmp_path, monkeypatch):
    asks = []

    def unpack(*_):
        asks.append(decoder_pool._ASKING.get()[0])
        raise InvalidRequest("no")

    monkeypatch.setattr(service, "unpack", unpack)
    (tmp_path / "a.zip").touch()
    opens = service.Service(RunCache(tmp_path / "runs", library=False, sweep_every=None), dict, is_hosted=True)
    with pytest.raises(InvalidRequest, match="no"):
        opens.open_zip(tmp_path / "a.zip", "somebody")
    assert asks == ["somebody"] and decoder_pool._ASKING.get()[0] is None
    opens.close()


def test_the_work_sees_the_context_of_whoever_asked(partial):
    visitor = contextvars.ContextVar("visitor")
    visitor.set("somebody")
    job = Job(partial, lambda: {"visitor": visitor.get()})
    finish(followed(job))
    assert job.result() == {"visitor": "somebody"}


def test_who_waits_for_an_event_can_be_cancelled(partial):
    partial.cancel()
    with pytest.raises(Cancelled):
        wait_for(threading.Event(), partial)
