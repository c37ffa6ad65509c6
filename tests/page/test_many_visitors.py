"""Many visitors of one app: turns, places that are told, clients that are gone, and looking that waits for no job."""

import gc
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from pictures import noise
from served import cancel, hold_at, job_threads, seconds_until, served

import app
from attention.errors import InvalidRequest
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
    reached = hold_at(monkeypatch, "capture")  # on the device: the next job is prepared meanwhile, and waits for that
    other = Client(address, verbose=False)
    jobs = [ask(client, picture) for _ in range(4)]
    assert reached.wait(120)
    seconds_until(lambda: len(job_threads()) == 4)
    waits = ask(other, picture)
    seconds_until(lambda: told(waits).startswith("Waiting for its turn: "))
    assert " before yours" in told(waits)
    with pytest.raises(AppError, match=r"You have 4 jobs here that run or wait, as many as one visitor may have"):
        ask(client, picture).result()
    _, values = other.predict(ticket="example-shapes", api_name="/heatmap")
    assert values
    assert other.predict(ticket="example-shapes", format="npz", api_name="/export")
    with pytest.raises(AppError, match="prompt is empty"):
        other.predict(images=None, prompt="", api_name="/analyze")
    row = httpx.get(f"{address}gradio_api/attention/example-shapes/row?layer=0&query=5")
    assert row.status_code == 200 and len(job_threads()) == 5
    for job in (*jobs, waits):
        cancel(job)
    seconds_until(lambda: no_jobs(service))
    assert service.turns.waiting == 0
    monkeypatch.undo()
    assert ask(other, picture).result()["answer"] == "red"
    other.close()


def test_a_job_that_nobody_listens_to_is_stopped_whether_it_runs_or_waits(running, picture, monkeypatch):
    service, address = running

    def patience(seconds):
        monkeypatch.setattr(visitors_service, "GONE_SECONDS", seconds)

    reached = hold_at(monkeypatch, "model")
    patience(1000)  # on a machine that has much to do
    (uploaded,) = httpx.post(f"{address}gradio_api/upload", files={"files": picture.read_bytes()}).json()
    file = {"path": uploaded, "meta": {"_type": "gradio.FileData"}}
    call = {"images": file, "prompt": "what?"}
    for _ in range(3):
        assert httpx.post(f"{address}gradio_api/call/v2/analyze", json=call).status_code == 200
    assert reached.wait(120)
    seconds_until(lambda: len(job_threads()) == 3)
    patience(0)
    seconds_until(lambda: no_jobs(service))
    patience(1000)
    reached.clear()
    event = httpx.post(f"{address}gradio_api/call/v2/analyze", json=call).json()["event_id"]
    with httpx.stream("GET", f"{address}gradio_api/call/analyze/{event}", timeout=120):
        seconds_until(lambda: len(job_threads()) == 1)
        assert service.presence.is_held(("stream", event))
        patience(0)
        assert reached.wait(120) and len(job_threads()) == 1, "it has come to its model, as it is listened to"
    seconds_until(lambda: no_jobs(service))


def test_uploads_of_the_same_bytes_lie_apart_and_none_is_fetched_from_an_address(running, client, picture):
    service, address = running
    files = {"files": ("same.png", picture.read_bytes())}
    one, two = (httpx.post(f"{address}gradio_api/upload?upload_id=x", files=files).json()[0] for _ in range(2))
    assert one != two and Path(one).read_bytes() == Path(two).read_bytes() == picture.read_bytes()
    assert Path(one).name == "same.png" and service.files.n_bytes("127.0.0.1") >= 2 * len(picture.read_bytes())
    assert httpx.get(f"{address}gradio_api/file={one}").content == picture.read_bytes()
    broken = httpx.post(f"{address}gradio_api/upload", content=b"x", headers={"content-type": "multipart/form-data"})
    assert broken.status_code == 400
    elsewhere = {"path": "https://example.org/a.png", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(AppError, match=r"'https://example\.org/a\.png' is an address; none is read here"):
        client.predict(images=elsewhere, prompt="what?", api_name="/analyze")


def test_an_export_is_refused_with_numbers_or_goes_once_it_was_fetched(running, client, monkeypatch):
    service, _ = running
    asked = {"ticket": "example-shapes", "format": "dense", "api_name": "/export"}
    monkeypatch.setattr(service, "export_bytes", 1000)
    with pytest.raises(AppError, match=r"This export has \d+ MB; the limit here is 0 MB\. Instead, take npz"):
        client.predict(**asked)
    row = f"{running[1]}gradio_api/attention/example-shapes/layer/language/0?dense=1"
    assert httpx.get(row).status_code == 400 and "the limit here is 0 MB" in httpx.get(row).json()["error"]
    monkeypatch.setattr(service, "export_bytes", 10**9)
    before = service.files.n_bytes()
    assert client.predict(**asked).endswith("attention.zip")
    assert len(httpx.get(row).content) > 1000 and service.files.n_bytes() > before
    gc.collect()
    seconds_until(lambda: service.cache._reserved == 0)  # once the last byte is sent
    monkeypatch.setattr("attention.visitors.files.FETCHED_S", -1)

    def is_gone():  # what is still being sent, as the server has it, stays
        service.cache.sweep()
        return not [entry for entry in list(service.files._entries.values()) if entry.is_export]

    seconds_until(is_gone)


def test_a_ticket_is_told_to_its_own_session_alone_and_an_expired_run_says_so(running, client, picture):
    service, address = running
    ticket = ask(client, picture).result()["ticket"]
    other = Client(address, verbose=False)
    assert other.predict(api_name="/runs") == []
    for place in ("library/list", "library/find?id=" + service.run(ticket).info["id"], "library/beside"):
        assert ticket not in httpx.get(f"{address}gradio_api/attention/{place}").text
    with pytest.raises(InvalidRequest, match="Runs are not deleted here by hand; they expire"):
        service.remove(ticket)
    service.cache._entries[ticket].deadline = 0
    with pytest.raises(AppError, match="This run is not here any more: it has expired"):
        other.predict(ticket=ticket, api_name="/heatmap")
    answer = httpx.get(f"{address}gradio_api/attention/{ticket}/row?layer=0&query=5")
    assert answer.status_code == 404 and answer.json()["expired"]
    other.close()


@pytest.mark.parametrize("path", ["/etc/passwd", app.__file__, "README.md", ".git/config"])
def test_no_file_of_the_machine_is_fetched(running, path):
    assert httpx.get(f"{running[1]}gradio_api/file={path}").status_code in (403, 404)


def test_a_call_cannot_pass_by_the_queue(running):
    answer = httpx.post(f"{running[1]}gradio_api/run/analyze", json={"data": []})
    assert answer.status_code == 404
