"""Uploads are judged by their size, their kind, all that lies there and the minute, before they are read."""

import asyncio
import errno
import functools
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from coroutines import finish
from gradio.route_utils import upload_fn
from made_runs import scene, write_run
from starlette.applications import Starlette
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import app
from attention.errors import InvalidRequest
from attention.page import uploads as page_uploads
from attention.page.uploads import upload_route
from attention.serving.uploads import UploadLimits, Uploads
from attention.visitors.files import Files, bytes_of
from attention.visitors.presence import Presence
from attention.visitors.store import RunCache

LIMITS = UploadLimits(picture=1_000_000, zip=4_000_000, together=50_000_000, a_minute=30_000_000)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


async def take(request):
    async with request.form() as form:
        return JSONResponse([len(await file.read()) for file in form.getlist("files")])


async def count(request):
    return JSONResponse(len(await request.body()))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(tmp_path, clock):
    routes = [Route("/gradio_api/upload", take, methods=["POST"]), Route("/json", count, methods=["POST"])]
    behind = Middleware(Uploads, room=room_in(tmp_path), limits=LIMITS, clock=clock)
    return TestClient(Starlette(routes=routes, middleware=[behind]))


def room_in(folder):
    """Room beside the uploads that have arrived: each lies in a folder of its own."""
    return lambda _: LIMITS.together - bytes_of(folder)


def upload(client, name, n_bytes, n=1, address="/gradio_api/upload", **headers):
    return client.post(address, files=[("files", (name, b"x" * n_bytes))] * n, headers=headers)


def test_what_fits_arrives_whole(client):
    assert upload(client, "a.png", 999_999).json() == [999_999]
    assert upload(client, "a.png", 900_000, n=8).json() == [900_000] * 8
    assert upload(client, 'odd "name".ZIP', 3_999_999).json() == [3_999_999]


def test_what_is_too_large_is_refused_with_both_numbers_before_it_is_read(client):
    for name, n_bytes, words in (
        ("a.png", 9_000_000, "has 9 MB; the limit here is 8 MB. Give smaller pictures"),
        ("a.zip", 5_000_000, "The zip 'a.zip' has 5 MB; the limit here is 4 MB. Export the run with less"),
        ("a.zip.png", 9_000_000, "the limit here is 8 MB"),
    ):
        answer = upload(client, name, n_bytes)
        assert answer.status_code == 413 and words in answer.text, answer.text


def test_of_a_body_that_is_too_large_only_the_head_is_read(tmp_path):
    read, said = [], []

    async def receive():
        read.append(1)
        head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        return {"type": "http.request", "body": head + b"x" * 1000, "more_body": True}

    async def send(message):
        said.append(message)

    scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "client": ("1.2.3.4", 5)}
    scope["headers"] = [(b"content-length", b"2000000000")]
    finish(Uploads(None, room_in(tmp_path), LIMITS)(scope, receive, send))
    assert said[0]["status"] == 413 and len(read) == 1
    in_chunks = [(b"content-length", b"100"), (b"transfer-encoding", b"chunked")]  # the length means nothing then
    for headers in ([], in_chunks, [(b"content-length", b"9" * 5000)]):
        scope["headers"], said[:] = headers, []
        finish(Uploads(None, room_in(tmp_path), LIMITS)(scope, receive, send))
        assert said[0]["status"] == 411 and len(read) == 1


def test_nothing_is_removed_for_an_upload_that_is_refused_by_its_size(tmp_path):
    cache = RunCache(tmp_path / "runs", library=False, byte_limit=50_000_000, sweep_every=None)
    ticket = cache.add(write_run(cache.new_folder(), [scene(40, 30)], [(3, 4)]), "somebody")
    room = functools.partial(cache.upload_room, most=LIMITS.together)
    answers = Starlette(
        routes=[Route("/gradio_api/upload", take, methods=["POST"])],
        middleware=[Middleware(Uploads, room=room, limits=LIMITS)],
    )
    said = TestClient(answers).post("/gradio_api/upload", content=b"x", headers={"Content-Length": "9" * 15})
    assert said.status_code == 413 and cache.run(ticket)
    cache.close()


def test_bodies_that_are_no_uploads_are_bounded_too_and_hold_no_files(client, tmp_path):
    assert upload(client, "a.png", 10, address="/other").status_code == 404

    def chunks():
        yield from [b"x" * 1_000_000] * 9

    assert client.post("/json", content=b"x" * 8_000_000).json() == 8_000_000
    for content in (b"x" * 8_000_001, chunks()):
        answer = client.post("/json", content=content)
        assert answer.status_code == 413 and "more than 8 MB" in answer.text


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path):
    """By what Gradio takes uploads in with: alone it keeps what has arrived, which nothing removes."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    messages = [
        {"type": "http.request", "body": head + b"x" * 100_000, "more_body": True},
        {"type": "http.request", "body": b"x" * 100_000, "more_body": True},
        {"type": "http.disconnect"},
    ]
    there, left = [], iter(messages)

    async def receive():
        there.append(len(list(tmp_path.iterdir())))
        return next(left)

    async def send(message):
        pass

    async def gradio(scope, receive, send):
        with pytest.raises(MultiPartException):
            await upload_fn(Request(scope, receive), str(tmp_path), float("inf"), None)

    scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "client": ("1.2.3.4", 5)}
    scope["headers"] = [(b"content-length", b"900000"), (b"content-type", b"multipart/form-data; boundary=x")]
    finish(Uploads(gradio, room_in(tmp_path), LIMITS)(scope, receive, send))
    assert there == [0, 1, 1], "it was being written"
    assert not list(tmp_path.iterdir())


def test_uploads_that_began_while_there_was_room_do_not_fill_more_than_that(tmp_path):
    part = {"type": "http.request", "body": bytes(4_000_000), "more_body": True}

    async def receive():
        await asyncio.sleep(0)
        return part

    async def gradio(scope, receive, send):
        own = 0
        try:
            for _ in range(3):
                own += len((await receive())["body"])
                being_written[scope["headers"][1]] = own
                most.append(sum(being_written.values()))
        except MultiPartException as error:
            assert "no room for uploads" in str(error)
        del being_written[scope["headers"][1]]

    def scope(n):
        headers = [(b"content-length", b"8000000"), (b"x-forwarded-for", b"1.2.3.%d" % n)]
        return {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": headers}

    async def send(message):
        pass

    async def many():
        uploads = Uploads(gradio, room_in(tmp_path), LIMITS)
        await asyncio.gather(*(uploads(scope(n), receive, send) for n in range(30)))

    being_written, most = {}, []
    finish(many())
    assert 40_000_000 < max(most) <= LIMITS.together


def test_visitors_of_made_up_names_keep_nobody_out(client, monkeypatch):
    monkeypatch.setattr("attention.serving.uploads.MAX_VISITORS", 5)
    for n in range(20):
        assert upload(client, "a.png", 10, **{"X-Forwarded-For": f"1.2.3.{n}"}).status_code == 200


def test_all_that_lies_there_is_bounded(client, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a").write_bytes(b"x" * 49_500_000)
    answer = upload(client, "a.png", 900_000)
    assert answer.status_code == 503 and "no room for uploads" in answer.text
    (tmp_path / "there" / "a").unlink()
    assert upload(client, "a.png", 900_000).status_code == 200


def test_a_visitor_sends_so_much_a_minute_and_another_is_not_kept_waiting(client, clock):
    for _ in range(7):
        assert upload(client, "a.zip", 3_900_000, **{"X-Forwarded-For": "1.2.3.4"}).status_code == 200
    answer = upload(client, "a.zip", 3_900_000, **{"X-Forwarded-For": "1.2.3.4"})
    assert answer.status_code == 429 and "more than 30 MB within a minute" in answer.text
    assert upload(client, "a.zip", 3_900_000, **{"X-Forwarded-For": "5.6.7.8"}).status_code == 200
    clock.now += 61
    assert upload(client, "a.zip", 3_900_000, **{"X-Forwarded-For": "1.2.3.4"}).status_code == 200


def test_tiny_uploads_count_too_for_each_is_a_folder(client):
    answers = [upload(client, "a.png", 1).status_code for _ in range(121)]
    assert answers == [200] * 120 + [429]


def test_what_is_no_file_and_what_the_disk_does_not_take_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    files = Files(Presence(), keeps_uploads=False)
    client = TestClient(Starlette(routes=[upload_route(SimpleNamespace(files=files), 1000)]))
    sent = {"files": {"beside": ("a.png", b"x")}}
    answer = client.post("/gradio_api/upload", data={"files": "a text"}, **sent)
    assert answer.status_code == 400 and "files must be files" in answer.text

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    for owner, name in ((files, "new_folder"), (page_uploads, "upload_fn")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, full)
            answer = client.post("/gradio_api/upload", **sent)
        assert answer.status_code == 503 and "cannot keep an upload" in answer.text and "/" not in answer.text
    assert client.post("/gradio_api/upload", **sent).json() == []
    assert files.n_bytes() == 0 and not any(tmp_path.iterdir())


def test_the_environment_sets_the_limits_and_nonsense_is_refused(monkeypatch):
    monkeypatch.setenv("ATTENTION_PICTURE_MB", "40")
    assert UploadLimits.of_environment().picture == app.server_limits().picture_bytes == 40_000_000, "a run's too"
    monkeypatch.setenv("ATTENTION_ZIP_MB", "7")
    assert UploadLimits.of_environment().zip == 7_000_000
    for nonsense in ("-1", "0", "much", "1e9", ""):
        monkeypatch.setenv("ATTENTION_ZIP_MB", nonsense)
        with pytest.raises(InvalidRequest, match=r"ATTENTION_ZIP_MB is .* number of megabytes"):
            UploadLimits.of_environment()


def test_uploads_lie_in_a_folder_of_the_process_also_where_the_environment_names_one(tmp_path, monkeypatch):
    killed = tmp_path / "1-00000000"
    killed.mkdir()
    for name in ("lock", "upload.png"):
        (killed / name).touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    own = page_uploads.own_uploads()
    assert own.path == Path(os.environ["GRADIO_TEMP_DIR"]) and own.path.parent == tmp_path
    assert not killed.exists() and own.path.is_dir()
    own.remove()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
