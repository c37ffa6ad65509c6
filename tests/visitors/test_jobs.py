"""A job leaves neither thread nor folder behind, however it ends."""

import contextvars
import os
import threading

import pytest
from coroutines import finish

from attention.errors import Cancelled, InvalidRequest
from attention.runs.partial import PartialRun
from attention.visitors.jobs import Job, wait_for


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
        assert seen.wait(10)
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
    assert started.wait(10)
    job.cancel()
    finish(followed(job))
    with pytest.raises(Cancelled):
        job.result()
    assert not partial.folder.exists()
    assert job_threads() == []


def test_an_error_is_handed_on_and_nothing_is_left(partial):
    def work():
        raise InvalidRequest("no")

    job = Job(partial, work)
    finish(followed(job))
    with pytest.raises(InvalidRequest, match="no"):
        job.result()
    assert not partial.folder.exists()


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
