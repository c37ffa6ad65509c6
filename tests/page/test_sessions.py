"""Sessions take little, and those that nobody listens to do not stop the others."""

import asyncio
import json
from copy import copy

import gradio as gr
from coroutines import finish
from gradio.state_holder import SessionState, StateHolder

from attention.page.calls import SpokenBlocks
from attention.page.sessions import UNDELIVERED, Undelivered
from attention.serving.connections import Connections
from attention.visitors.presence import Presence


def test_a_session_sees_the_page_and_describes_nothing():
    with SpokenBlocks() as demo:
        box = gr.Textbox("hello")
        gr.State("mine")
    (described,) = [each for each in demo.get_config_file()["components"] if each["id"] == box._id]
    assert described["props"]["value"] == "hello"
    session = SessionState(demo)
    assert session[box._id] is box and not list(session.components)
    session[box._id] = changed = gr.Textbox("other", render=False)
    session._update_value_in_config(box._id, "x" * 1000)
    assert session[box._id] is changed and demo.blocks[box._id] is box
    assert copy(demo.default_config).fns == demo.fns and not list(session.components)


def test_the_session_of_a_scripts_call_ends_with_it_and_a_pages_stays():
    with SpokenBlocks() as demo:
        box = gr.Textbox()
        box.change(lambda: "done", None, box)
    holder = StateHolder()
    holder.set_blocks(demo)

    async def call(session, event):
        state = holder[session]
        return await demo.process_api(block_fn=0, inputs=[], state=state, session_hash=session, event_id=event)

    for session in ("page", "event"):
        assert finish(call(session, "event"))["data"] == ["done"]
    assert list(holder.session_data) == list(holder.time_last_used) == ["page"]


def test_messages_that_nobody_fetches_are_forgotten_and_one_who_listens_is_not():
    events = {}
    messages = Undelivered(events)
    for number in range(3 * UNDELIVERED):
        messages[str(number)] = asyncio.Queue()
        events[str(number)] = {"event"}
        messages["0"].put_nowait(number)
    assert len(messages) == len(events) == UNDELIVERED and messages["0"].qsize() == 3 * UNDELIVERED
    messages["1"].put_nowait("to nobody")
    assert "1" not in messages and "1" not in events
    assert isinstance(SpokenBlocks()._queue.pending_messages_per_session, Undelivered)


class Reader:
    """A page's requests, by the app's own ASGI interface: it reads what has come when it gets to it, and may leave."""

    def __init__(self, app, path, query=b"", body=None):
        self.read, self.left = asyncio.Queue(), asyncio.Event()
        self._body = None if body is None else json.dumps(body).encode()
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {
            "type": "http", "method": "GET" if body is None else "POST", "path": "/gradio_api/queue/" + path,
            "raw_path": b"", "query_string": query, "headers": headers, "scheme": "http", "root_path": "",
            "server": ("localhost", 80), "client": ("127.0.0.1", 1), "http_version": "1.1",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }  # fmt: skip
        self.request = asyncio.create_task(app(scope, self._receive, self.read.put))

    async def _receive(self):
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def next(self):
        """The next message: what was called, or an event of a stream."""
        while not (text := (await self.read.get()).get("body", b"").decode()):
            pass
        return json.loads(text.removeprefix("data: "))

    async def until(self, msg):
        while (message := await self.next())["msg"] != msg:
            pass
        return message


def test_a_call_that_comes_while_the_stream_closes_is_answered_when_the_page_has_read_that():
    called = []
    with SpokenBlocks() as demo:
        box = gr.Textbox()
        box.change(lambda: called.append("done"), None, box)
    demo.queue()
    presence = Presence()
    demo.is_open = lambda session: presence.is_held(("stream", session))
    app = Connections(demo.app, presence)

    def join():
        return Reader(app, "join", body={"data": [], "fn_index": 0, "session_hash": "page"})

    async def visit():
        demo._queue.start()
        first = await join().next()
        stream = Reader(app, "data", b"session_hash=page")
        completed = await stream.until("process_completed")
        assert completed["event_id"] == first["event_id"]
        second = join()  # the stream has said that it closes; nobody has read it yet
        while len(called) < 2:
            await asyncio.sleep(0.001)
        assert second.read.empty(), "the page would take its stream for open"
        await stream.until("close_stream")
        stream.left.set()
        answer = await second.next()
        again = Reader(app, "data", b"session_hash=page")
        assert (await again.until("process_completed"))["event_id"] == answer["event_id"]
        again.left.set()
        await asyncio.wait([stream.request, again.request])
        demo._queue.close()

    finish(visit())
