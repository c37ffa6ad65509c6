"""Sessions take little, and those that nobody listens to do not stop the others."""

import asyncio
from copy import copy

import gradio as gr
from coroutines import finish
from gradio.state_holder import SessionState, StateHolder

from attention.page.calls import SpokenBlocks
from attention.page.sessions import UNDELIVERED, Undelivered


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
