"""A batch on workers of a local Ray: the same bytes as in one process, also where a worker is killed in the middle."""

import json
import os
import signal
from dataclasses import replace

import psutil
import pytest
from made_batches import READINGS, read_batch, read_items
from shared import once

from attention import Request, run_batch
from attention.batches.on_ray import Ray
from attention.environment import EXAMPLES
from attention.errors import AttentionError

pytestmark = pytest.mark.full

ANSWERS = Request(model="pocket", device="cpu", mode="generate", max_new_tokens=24)
FILES = ("items.jsonl", "scores.f32", "summary.npz", "batch.json")


@pytest.fixture(scope="module")
def ray():
    found = pytest.importorskip("ray", reason="A batch on several workers needs the optional package ray")
    found.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield found
    found.shutdown()


@pytest.fixture(scope="module")
def questions():
    def write(folder):
        folder.mkdir()
        lines = [json.loads(line) for line in (EXAMPLES / "set.jsonl").read_text(encoding="utf-8").splitlines()]
        lines = [line | {"image": str(EXAMPLES / line["image"])} for line in lines] + [{"prompt": "?"}]
        (folder / "set.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")

    return once("questions for workers", write) / "set.jsonl"


@pytest.fixture(scope="module")
def whole(questions):
    """The same in this process. Not to be changed."""
    return once("batch of one process", lambda folder: run_batch(questions, folder, ANSWERS))


def content(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def workers():
    """Processes of actors that live."""
    alive = [each for each in psutil.Process().children(recursive=True) if each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in alive if "ray::_Actor" in " ".join(each.cmdline())]


@pytest.mark.parametrize("kills", [0, 2])
def test_two_workers_give_the_bytes_of_one_process(ray, questions, whole, tmp_path, kills):
    killed = []

    def watch(what, counts, total):
        if len(killed) < kills and counts.made > 3 * len(killed) and (running := workers()):
            killed.append(running[0].pid)
            os.kill(running[0].pid, signal.SIGKILL)

    _, counts = run_batch(questions, tmp_path / "b", ANSWERS, batch=2, engine=Ray(workers=2), watch=watch)
    assert len(killed) == kills and (counts.made, counts.failed) == (12, 1)
    assert content(tmp_path / "b") == content(whole)


def test_readings_of_workers_are_those_of_one_process(ray, tmp_path):
    of = {"request": ANSWERS, "readings": READINGS, "keep": "all"}
    run_batch(read_items(), tmp_path / "b", **of, engine=Ray(workers=2))
    assert content(tmp_path / "b") == content(read_batch())
    assert len(list((tmp_path / "b" / "runs").glob("*.readings/*"))) == 8


def test_an_error_of_every_item_stops_the_work_with_its_words(ray, tmp_path):
    (tmp_path / "model").mkdir()
    request = replace(ANSWERS, model=str(tmp_path / "model"))
    with pytest.raises(AttentionError, match=r"config\.json"):
        run_batch([{"image": str(EXAMPLES / "shapes.png"), "prompt": "?"}], tmp_path / "b", request, engine=Ray())
