"""A running app with a tiny random model, which answers at length, and ways to look at its jobs."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tiny import qwen3_vl_folder

import app
from attention.models.kept import INFERENCE, free
from attention.runs.partial import PartialRun
from attention.visitors.service import Service
from attention.visitors.store import RunCache


@contextmanager
def served(
    folder: Path, is_hosted: bool = False, adapters_dir: Path | None = None, is_brief: bool = False
) -> Iterator[tuple[Service, str]]:
    """The service and the address of an app that keeps its runs below `folder`. `is_brief`: answers end at once."""
    model = qwen3_vl_folder(folder / "model", seed=3)  # one that writes no token of a picture into its answer
    if is_brief:
        end_at_any_token(model)
    cache = RunCache(folder / "runs", library=not is_hosted)
    service = app.new_service(cache, is_hosted=is_hosted, model=str(model), adapters_dir=adapters_dir)
    demo = app.launch(service, quiet=True)
    service.starting.is_over.wait()
    try:
        yield service, demo.local_url
    finally:
        demo.close()
        service.close()
        free()


def end_at_any_token(model: Path) -> None:
    """Let the answers of a model's folder be one token long."""
    settings, config = model / "generation_config.json", json.loads((model / "config.json").read_text())
    every = list(range(config["text_config"]["vocab_size"]))
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"eos_token_id": every}))


def job_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("job ")]


def nothing_is_left(service: Service) -> bool:
    """No thread, no lock, no folder of a job. Readings of examples stay as long as the process."""
    names = [path.name for path in service.cache.new_folder().parent.iterdir()]
    left = [name for name in names if not name.endswith(".readings") and name != "examples"]
    return not job_threads() and not INFERENCE.locked() and left == ["lock"]


def seconds_until(condition, limit: float = 120) -> float:
    """Seconds until something was so. The limit is for what never comes: no machine is so slow."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < limit, "it never came"
        threading.Event().wait(0.005)
    return time.monotonic() - start


def cancel(job) -> None:
    """Cancel a client's job, once the client knows the name by which the server has it: it may have begun before."""
    seconds_until(lambda: job.communicator.event_id)
    job.cancel()


def hold_at(monkeypatch, phase: str) -> threading.Event:
    """Hold jobs at the first report of a phase until they are cancelled; the event says that one is there."""
    reached, report = threading.Event(), PartialRun.report

    def reporting(partial, name, *args, **kwargs):
        report(partial, name, *args, **kwargs)
        if name == phase:
            reached.set()
            seconds_until(lambda: partial.is_cancelled, 600)  # however long its test looks at it

    monkeypatch.setattr(PartialRun, "report", reporting)
    return reached
