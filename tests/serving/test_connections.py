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
