"""Many visitors of one app: turns, places that are told, clients that are gone, and looking that waits for no job."""

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from pictures import noise
from served import hold_at, job_threads, seconds_until, served

from attention.visitors import service as visitors_service

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with served(tmp_path_factory.mktemp("app"), is_hosted=True) as running:
        yield running


@pytest.fixture
def client(running):
    client = Client(running[1], verbose=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "noise.png"
    noise().save(path)
    return path


def ask(client, picture):
    return client.submit(images=handle_file(picture), prompt="what?", answer="red", api_name="/analyze")


def no_jobs(service):
    return not job_threads() and not list(service.cache.new_folder().parent.glob("*.partial"))


def told(job):
    steps = job.status().progress_data
    return steps[0].desc if steps else ""


def test_while_jobs_wait_others_are_told_their_place_and_finished_runs_are_looked_at(
    running, client, picture, monkeypatch
):
    service, address = running
    reached = hold_at(monkeypatch, "model")
    other = Client(address, verbose=False)
    jobs = [ask(client, picture) for _ in range(4)]
    assert reached.wait(30)
    seconds_until(lambda: len(job_threads()) == 4)
    waits = ask(other, picture)
    seconds_until(lambda: told(waits).startswith("Waiting for its turn: "))
    assert " before yours" in told(waits)
    with pytest.raises(AppError, match=r"You have 4 jobs here that run or wait, as many as one visitor may have"):
        ask(client, picture).result()
    _, values = other.predict(ticket="example-shapes", api_name="/heatmap")
    assert values
    assert other.predict(ticket="example-shapes", format="npz", api_name="/export")
    row = httpx.get(f"{address}gradio_api/attention/example-shapes/row?layer=0&query=5")
    assert row.status_code == 200 and len(job_threads()) == 5
    for job in (*jobs, waits):
        job.cancel()
    seconds_until(lambda: no_jobs(service))
    assert service.turns.waiting == 0
    monkeypatch.undo()
    assert ask(other, picture).result()["answer"] == "red"
    other.close()


def test_a_job_that_nobody_listens_to_is_stopped_whether_it_runs_or_waits(running, picture, monkeypatch):
    service, address = running
    reached = hold_at(monkeypatch, "model")
    monkeypatch.setattr(visitors_service, "GONE_SECONDS", 0.6)
    (uploaded,) = httpx.post(f"{address}gradio_api/upload", files={"files": picture.read_bytes()}).json()
    file = {"path": uploaded, "meta": {"_type": "gradio.FileData"}}
    call = {"images": file, "prompt": "what?"}
    for _ in range(3):
        assert httpx.post(f"{address}gradio_api/call/v2/analyze", json=call).status_code == 200
    assert reached.wait(30)
    seconds_until(lambda: len(job_threads()) == 3)
    seconds_until(lambda: no_jobs(service), limit=10)
    event = httpx.post(f"{address}gradio_api/call/v2/analyze", json=call).json()["event_id"]
    with httpx.stream("GET", f"{address}gradio_api/call/analyze/{event}", timeout=30):
        seconds_until(lambda: len(job_threads()) == 1)
        assert service.presence.is_held(("stream", event))
    seconds_until(lambda: no_jobs(service), limit=10)


def test_a_call_cannot_pass_by_the_queue(running):
    answer = httpx.post(f"{running[1]}gradio_api/run/analyze", json={"data": []})
    assert answer.status_code == 404
