"""Faults of the machine under a job: no half run stays, the visitor is told in words, and the next job works."""

import errno
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest
import torch
from made_runs import scene, write_run
from pictures import noise
from served import job_threads, seconds_until
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention.capture.extraction import fill
from attention.errors import words_for
from attention.models import kept
from attention.request import Request
from attention.runs.partial import PartialRun, read_progress
from attention.runs.run import open_run
from attention.serving.responses import PREFIX
from attention.serving.routes import routes
from attention.visitors import job_work
from attention.visitors import service as service_module
from attention.visitors.presence import RUN, Visitor
from attention.visitors.process_folder import remove_abandoned
from attention.visitors.service import Service
from attention.visitors.store import RunCache

ROOT = Path(__file__).parents[2]
PROMPT = "what color is the star?"


def run_job(job, prepared):
    """The app's own, in this process and without adapters."""
    request, partial = Request.from_dict(job["request"]), PartialRun.open(job["partial"])
    try:
        return {"run": str(fill(request, partial, prepared=prepared))}
    except Exception as error:
        words = words_for(error)
        if words is None:
            raise
        return {"error": words}


@pytest.fixture(scope="module", autouse=True)
def freed():
    yield
    kept.free()


@pytest.fixture
def service(tmp_path, tiny_folder):
    cache = RunCache(tmp_path / "runs", library=False, sweep_every=None)
    service = Service(cache, run_job, is_hosted=True, model=tiny_folder)
    service._loaded.set()
    yield service
    service.close()


@pytest.fixture
def ask(service, tmp_path):
    """Make a run as a visitor does; return its ticket, or what the visitor is told."""
    noise((96, 64)).save(tmp_path / "picture.png")
    fields = {"images": [str(tmp_path / "picture.png")], "prompt": PROMPT, "answer": "red", "mode": "generate"}

    def ask(**more):
        try:
            with service.job(fields | more, "somebody") as job:
                seconds_until(lambda: job.is_done, 120)
            return job.result()["ticket"]
        except Exception as error:
            words = words_for(error)
            if words is None:
                raise
            return words

    return ask


@pytest.fixture
def still_works(service, ask):
    """Assert that nothing of a job is left, and that the next one is well."""

    def still_works():
        seconds_until(lambda: not job_threads() and not kept.INFERENCE.locked())  # nor of a job of another test
        assert not service._jobs
        assert not [*service.cache.new_folder().parent.glob("*.partial")]
        found = service.run(ask())
        assert len(found.info["tokens"]) > 5 and found.row(0, 3).sum() > 0

    return still_works


@pytest.mark.skipif(sys.platform == "win32", reason="the limit of a file's bytes is Unix's")
@pytest.mark.sample(2)
@pytest.mark.parametrize("n_bytes", [0, 400, 4_000, 40_000])
def test_a_disk_that_takes_no_more_leaves_no_half_run(ask, still_works, n_bytes):
    """The system itself refuses what is written beyond the limit: of progress, of a layer, of the index."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        words = ask()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "no file may be so large there" in words and "/" not in words
    still_works()


@pytest.mark.sample(1)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_what_the_system_refuses_of_the_last_file_is_said(ask, still_works, monkeypatch, number):
    def refuse(descriptor):
        raise OSError(number, os.strerror(number), "run.json")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        words = ask()
    assert "run.json" in words and "/" not in words
    still_works()


def test_a_run_with_which_a_chat_goes_on_stays_until_its_job_has_ended(service):
    folder = write_run(service.cache.new_folder(), [scene(40, 30)], [(3, 4)])
    ticket = service.cache.add(folder, "somebody")
    for read in ({"images": [str(folder / "image_0.png")]}, {"videos": (folder,)}):
        with service.job(read | {"prompt": "and then?", "model": "nonsense"}, "somebody"):
            assert service.presence.is_held((RUN, ticket))
        assert not service.presence.is_held((RUN, ticket))
    seconds_until(lambda: not job_threads())


@pytest.mark.parametrize("is_hosted", [True, False])
def test_a_job_that_nobody_listens_to_is_nobodys_on_a_server_alone(tmp_path, monkeypatch, is_hosted):
    monkeypatch.setattr(service_module, "GONE_SECONDS", -1)
    cache = RunCache(tmp_path / "runs", library=not is_hosted, sweep_every=None)
    service = Service(cache, run_job, is_hosted=is_hosted)
    with service.job({"prompt": PROMPT}, Visitor("session", "1.1.1.1", frozenset({"event"}))) as job:
        assert job._is_gone() == is_hosted
    seconds_until(lambda: not job_threads())
    service.close()


def test_a_run_for_which_there_is_no_room_takes_no_device(service, ask, still_works):
    service.cache.byte_limit = 10
    assert "has no room for it at the moment" in ask()
    assert not service.turns._seconds, "what was refused tells nobody how long a job takes"
    assert service.cache._reserved == 0
    service.cache.byte_limit = None
    still_works()


def test_pictures_that_are_being_opened_are_not_said_to_wait(service, tmp_path, monkeypatch):
    noise((96, 64)).save(tmp_path / "picture.png")
    seen, opened = [], job_work.open_pictures

    def opening(request, limits):
        (partial,) = service.cache.new_folder().parent.glob("*.partial")
        seen.append(read_progress(partial)["phase"])
        return opened(request, limits)

    monkeypatch.setattr(job_work, "open_pictures", opening)
    with service.job({"images": [str(tmp_path / "picture.png")], "prompt": PROMPT}, "somebody"):
        seconds_until(lambda: seen)
    seconds_until(lambda: not job_threads())
    assert seen == ["inputs"]


def test_a_place_that_cannot_be_written_is_said(service, ask, still_works, monkeypatch):
    make = os.mkdir

    def refuse(path, *args, **kwargs):
        if str(path).endswith(".partial"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        make(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", refuse)
        words = ask()
    assert words == "This server cannot keep a run at the moment. Try again later."
    still_works()


@pytest.mark.sample(2)
@pytest.mark.parametrize("phase", ["model", "answer", "capture", "write"])
def test_a_folder_that_is_removed_under_a_job_ends_it(ask, still_works, monkeypatch, phase):
    report = PartialRun.report

    def report_and_remove(partial, name, *args, **kwargs):
        report(partial, name, *args, **kwargs)
        if name == phase:
            shutil.rmtree(partial.folder)

    with monkeypatch.context() as patch:
        patch.setattr(PartialRun, "report", report_and_remove)
        words = ask(answer=None, max_new_tokens=3)
    assert words.startswith("Stopped") or "was removed" in words
    still_works()


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("step", ["answer", "capture"])
def test_a_model_that_runs_out_of_memory_is_said_and_stays(ask, still_works, error, step):
    ask()
    model = kept.kept().model

    def run_out(module, args, kwargs):
        if (step == "answer") == bool(kwargs.get("use_cache", True)):
            raise error

    hook = model.register_forward_pre_hook(run_out, with_kwargs=True)
    words = ask(answer=None, max_new_tokens=3)
    hook.remove()
    assert "ran out of memory" in words and "a smaller picture" in words
    still_works()
    assert kept.kept().model is model


def test_a_run_that_vanished_is_said_to_be_gone(service, ask, still_works):
    ticket = ask()
    shutil.rmtree(service.run(ticket).folder)
    app = Starlette(routes=routes(service.cache.run))
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get(f"{PREFIX}/{ticket}/row?layer=1&query=3")
    assert answer.status_code == 404 and answer.json()["error"]
    assert service.run(ask()).row(0, 3).sum() > 0


CHILD = """
import signal, sys
from attention.capture.extraction import fill
from attention.request import Request
from attention.runs.partial import PartialRun
from attention.visitors.store import RunCache

root, model, picture, phase = sys.argv[1:]
cache = RunCache(root, library=True, sweep_every=None)
report = PartialRun.report

def report_and_die(partial, name, *args, **kwargs):
    report(partial, name, *args, **kwargs)
    if name == phase:
        signal.raise_signal(signal.SIGKILL)

PartialRun.report = report_and_die
request = Request(picture, "what color is the star?", model, answer="red", device="cpu")
cache.add(str(fill(request, PartialRun.create(cache.new_folder()))), "somebody")
cache.close()
"""


@pytest.mark.slow
@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="a process is killed by a signal")
@pytest.mark.parametrize("phase", ["capture", "nothing"])
def test_a_killed_process_leaves_no_half_run_to_others_of_the_same_library(tmp_path, tiny_folder, phase):
    noise((96, 64)).save(tmp_path / "picture.png")
    library = RunCache(tmp_path / "runs", library=True, sweep_every=None)  # of another process, which lives
    command = [sys.executable, "-c", textwrap.dedent(CHILD), tmp_path / "runs", tiny_folder, tmp_path / "picture.png"]
    children = [subprocess.Popen([*command, phase], cwd=ROOT) for _ in range(2)]
    assert [child.wait(120) for child in children] == [0 if phase == "nothing" else -signal.SIGKILL] * 2
    assert [row["error"] for row in library.listing()] == [None] * (2 if phase == "nothing" else 0)
    remove_abandoned(library.root)  # as its janitor does, and the next start
    assert not list(library.root.rglob("*.partial"))
    library.close()


# Very many


def held_things() -> tuple[int, int]:
    gc.collect()
    return threading.active_count(), psutil.Process().num_fds() if hasattr(psutil.Process, "num_fds") else 0


def no_more_is_held_than(before: tuple[int, int]) -> bool:
    """True if neither threads nor files are more: what other tests have left may end meanwhile."""
    return all(now <= then for now, then in zip(held_things(), before, strict=True))


MANY = [50, pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.slow])]


@pytest.mark.parametrize("count", MANY)
def test_very_many_refused_jobs_leave_nothing(service, ask, still_works, count):
    still_works()
    before = held_things()
    said = {ask(prompt="") for _ in range(count)}
    assert len(said) == 1 and "prompt" in said.pop()
    seconds_until(lambda: no_more_is_held_than(before) and not job_threads())
    assert not service._jobs
    still_works()


@pytest.mark.parametrize("count", MANY)
def test_very_many_small_requests_leave_nothing(tmp_path, count):
    folder = write_run(tmp_path / "run", [scene(60, 40)], [(2, 3)], layers=(0, 1))
    with open_run(folder) as run:
        app = Starlette(routes=routes({"ticket": run}.__getitem__))
        with TestClient(app, raise_server_exceptions=False) as client:
            n = len(run.info["tokens"])

            def ask(number):
                path = ("row?layer=1&query={}", "column?layer=0&key={}", "row?layer=9&query={}", "atlas?query={}")
                return client.get(f"{PREFIX}/ticket/{path[number % 4].format(number % n)}")

            statuses = [ask(number).status_code for number in range(40)]
            before, memory = held_things(), psutil.Process().memory_info().rss
            for number in range(count):
                answer = ask(number)
                assert answer.status_code == statuses[number % 4], answer.text
                assert number % 4 != 2 or json.loads(answer.text)["error"]
            seconds_until(lambda: no_more_is_held_than(before))
            assert psutil.Process().memory_info().rss - memory < 50e6
