"""Requests that are open are known while they are, and since when they are not."""

import asyncio

import pytest
from coroutines import finish

from attention.serving.connections import Connections, names_of
from attention.visitors.presence import Presence


def scope(path, query=b"", method="GET"):
    headers = [(b"x-forwarded-for", b"8.8.8.8")]
    return {"type": "http", "method": method, "path": path, "query_string": query, "headers": headers}


@pytest.mark.parametrize("prefix", ["", "/below/a/proxy"])
def test_requests_are_known_by_their_address(prefix):
    at = ("address", "8.8.8.8")
    for path, query, names in (
        ("/gradio_api/queue/data", b"session_hash=abc", [("stream", "abc"), at]),
        ("/gradio_api/call/analyze/ev1", b"", [("stream", "ev1"), at]),
        ("/gradio_api/call/v2/analyze/ev1", b"", [("stream", "ev1"), at]),
        ("/gradio_api/heartbeat/abc", b"", [("page", "abc"), at]),
        ("/gradio_api/attention/ticket/row", b"layer=1", [("run", "ticket")]),
        ("/gradio_api/attention/ticket/base/row", b"", [("run", "ticket")]),
        ("/gradio_api/file=/tmp/a/b.zip", b"", [("file", "/tmp/a/b.zip")]),
        ("/", b"", []),
        ("/gradio_api/info", b"", []),
    ):
        assert names_of(scope(prefix + path, query)) == names
    assert names_of(scope("/gradio_api/call/analyze/ev1", method="POST")) == []


def test_a_stream_is_there_until_it_ends_however_it_ends():
    now = [100.0]
    presence, name = Presence(lambda: now[0]), ("stream", "abc")

    async def app(scope, receive, send):
        assert presence.is_held(name) and presence.away([name, ("stream", "other")], 0.0) == 0
        raise asyncio.CancelledError

    async def request():
        await Connections(app, presence)(scope("/gradio_api/queue/data", b"session_hash=abc"), None, None)

    assert presence.away([name], 98.0) == 2, "since it was first asked for"
    with pytest.raises(asyncio.CancelledError):
        finish(request())
    now[0] += 7
    assert not presence.is_held(name) and presence.away([name], 0.0) == 7
    with presence.held(name), presence.held(name):
        pass
    assert presence.away([name], 0.0) == 0


def test_of_those_who_left_only_so_many_are_remembered(monkeypatch):
    monkeypatch.setattr("attention.visitors.presence.MAX_REMEMBERED", 3)
    presence = Presence()
    for n in range(10):
        with presence.held(("stream", str(n))):
            pass
    assert len(presence._closed) == 3 and not presence._open


def test_a_stream_ends_when_its_reader_has_left_or_a_while_later(monkeypatch):
    presence, sent = Presence(), []

    async def app(scope, receive, send):
        for more in (True, False):
            await send({"type": "http.response.body", "body": b"", "more_body": more})

    async def read(path, leaves):
        left = asyncio.Event()

        async def receive():
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message["more_body"])

        request = asyncio.create_task(Connections(app, presence)(scope(path, b"session_hash=abc"), receive, send))
        await asyncio.sleep(0)
        if leaves:
            assert sent == [True] and presence.is_held(("stream", "abc")), "all is said, and not yet read"
            left.set()
        await request
        assert sent == [True, False] and not presence.is_held(("stream", "abc"))
        sent.clear()

    finish(read("/gradio_api/queue/data", leaves=True))
    monkeypatch.setattr("attention.serving.connections.LEAVING_S", 0)
    finish(read("/gradio_api/queue/data", leaves=False))
    monkeypatch.setattr("attention.serving.connections.LEAVING_S", 1000)
    finish(read("/gradio_api/call/analyze/ev1", leaves=False))
