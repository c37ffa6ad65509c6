"""Errors in words: one sentence or two, the same everywhere, a fault only where it is one."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import chat, scene, write_run
from safetensors import SafetensorError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from attention import open_run
from attention.errors import DamagedRun, InvalidRequest, fault, quoted, words_for
from attention.exports.export import export
from attention.page.sentences import in_words
from attention.runs import partial
from attention.runs.partial import PartialRun
from attention.serving.responses import PREFIX
from attention.serving.routes import routes

ROOT = Path(__file__).parent.parent
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/somebody/runs/run.json")
FULL_TENSORS = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize(
    "error, words",
    [
        (FULL, "The disk is full: run.json could not be written. Make room, or name another folder."),
        (FULL_TENSORS, "The disk is full: a file could not be written. Make room, or name another folder."),
        (
            OSError(errno.EFBIG, "", "/x/a.png"),
            "The system refuses a.png: no file may be so large there. Name another folder.",
        ),
        (PermissionError(errno.EACCES, "", "/x/y"), "The system refuses y: permission denied."),
        (OSError(errno.ENAMETOOLONG, "", "/x/" + "n" * 999), "n…: the name is too long. Give a shorter one."),
        (MemoryError(), "This computer ran out of memory. Give a smaller picture"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "This computer ran out of memory."),
        (InvalidRequest("The prompt is empty."), "The prompt is empty."),
    ],
)
def test_what_the_system_refuses_is_said_with_what_to_do(error, words):
    assert words in words_for(error) and words_for(error) == in_words(error)
    assert len(words_for(error)) < 250 and "/home" not in words_for(error)


def test_a_fault_of_ours_is_called_so_in_one_form(caplog):
    error = KeyError("x")
    assert words_for(error) is None
    assert fault(error, in_detail=True) == "Internal error (please report): KeyError: 'x'."
    assert in_words(error).startswith("Internal error (please report): KeyError. ") and "KeyError: 'x'" in caplog.text
    assert len(fault(ValueError("long\n" * 1000), in_detail=True)) < 400


def test_a_quoted_value_is_one_short_line():
    for value in ("x" * 5000, "a\nb", b"x" * 5000, 10**5000, ["y" * 500] * 500, {"k" * 900: [[[1]]]}, "\ud800"):
        assert len(quoted(value)) <= 80 and quoted(value).isprintable()


@pytest.fixture
def made(tmp_path):
    return write_run(tmp_path / "made", [scene(60, 40)], [(2, 3)], tokens=chat([(2, 3)]), prompt="what?", answer="red.")


def test_a_full_disk_ends_every_export_in_words_and_leaves_nothing(made, tmp_path):
    """The system's own limit of a file's size stands for a disk that is full."""
    code = f"""
import resource, sys
from attention.commands.main import main
import matplotlib.font_manager
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
for kind in ("npz", "csv", "png", "svg", "zip", "dense"):
    assert main(["export", {str(made)!r}, "--format", kind, "--output", {str(tmp_path / "out")!r}]) in (1, 2), kind
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert len(lines) == 6 and all("no file may be so large there. Name another folder." in line for line in lines), (
        lines
    )
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_full_disk_while_a_run_is_finished_or_unpacked_is_said_and_leaves_nothing(made, tmp_path, monkeypatch):
    from attention.folders import unpack_run

    with open_run(made) as run:
        export(run, "zip", tmp_path / "run.zip")
    monkeypatch.setattr(partial.os, "fsync", raising(FULL))
    with pytest.raises(InvalidRequest, match=r"run\.zip cannot be written: No space left on device"):
        unpack_run(tmp_path / "run.zip", tmp_path / "new", 1 << 30)
    assert not list(tmp_path.glob("new*"))


def test_a_full_disk_or_memory_while_a_figure_is_drawn_is_said_by_its_route(made, monkeypatch):
    from attention.serving import exports as viewer

    with open_run(made) as run:
        client = TestClient(Starlette(routes=routes({"t": run}.__getitem__)))
        for error in (FULL, MemoryError(), FULL_TENSORS):
            monkeypatch.setattr(viewer, "write_selection", raising(error))
            answer = client.get(f"{PREFIX}/t/export?format=png")
            assert (answer.status_code, answer.json()["error"]) == (500, words_for(error))
        monkeypatch.setattr(viewer, "write_selection", raising(ZeroDivisionError("secret")))
        answer = client.get(f"{PREFIX}/t/export?format=png").json()["error"]
        assert answer.startswith("Internal error (please report): ZeroDivisionError.") and "secret" not in answer


def test_a_job_is_stopped_on_a_full_disk_too(tmp_path, monkeypatch):
    job = PartialRun.create(tmp_path / "run")
    monkeypatch.setattr(Path, "touch", raising(FULL))
    job.cancel()
    assert job.is_cancelled and not job.folder.exists()


def test_whoever_reads_only_the_first_line_of_an_output_sees_no_complaint(made):
    for command in ("--help", "extract --help"):
        done = subprocess.run(
            f"{sys.executable} -m attention {command} | head -c 1", cwd=ROOT, shell=True, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.stderr == "" and len(done.stdout) == 1, command


def test_a_damaged_run_is_said_on_the_command_line_as_in_python(made):
    (made / "run.json").write_text("{}")
    with pytest.raises(DamagedRun) as caught:
        open_run(made)
    done = subprocess.run(
        [sys.executable, "-m", "attention", "export", str(made), "--format", "csv", "--output", "x.csv"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == f"{caught.value}\n" and shutil.which("head")
