"""Sessions as Gradio keeps them, made small and safe for an app that many call.

Each call of a script is a session of its own. For each Gradio describes every component anew and keeps that; and where
many have called and never listened, it forgets the oldest one's messages, fails at the next message to it, and never
hands on a call again. What is told here are Gradio's own parts by their names, of the version that is required.
"""

from __future__ import annotations

import asyncio
from asyncio import Queue
from collections.abc import Awaitable, Callable
from typing import Any

from gradio.blocks import BlocksConfig
from gradio.queueing import Queue as Line
from gradio.utils import LRUCache

UNDELIVERED = 500  # sessions whose messages wait for somebody who listens
NOTHING: dict[str, Any] = {}
CLOSED_AFTER_S, LOOKED_EVERY_S = 2.0, 0.01  # how long a stream that closes is waited for


class SessionConfig(BlocksConfig):
    """A session's own view of the page, without what is only needed for links to its state, which are not offered.

    Each call of a script is a session: Gradio would describe every component anew for it, and keep that.
    """

    @staticmethod
    def config_for_block(*_) -> dict:
        return NOTHING


class PageConfig(BlocksConfig):
    """The page, whose copies are views of sessions."""

    def __copy__(self) -> SessionConfig:
        session = SessionConfig(self.root_block)
        for name, value in vars(super().__copy__()).items():
            setattr(session, name, value)
        return session


class Undelivered(LRUCache):
    """Messages by session, as many as wait; those of a session that nobody knows any more go nowhere.

    `events` are the events of each session, which are forgotten with it.
    """

    def __init__(self, events: dict[str, set[str]]):
        super().__init__(UNDELIVERED)
        self._events = events

    def __getitem__(self, session: str) -> Queue:
        if session not in self:
            return Queue()
        self.move_to_end(session)
        return super().__getitem__(session)

    def popitem(self, last: bool = True) -> tuple[str, Queue]:
        session, messages = super().popitem(last)
        self._events.pop(session, None)
        return session, messages


def answered_when_closed(blocks: Any) -> Callable[..., Awaitable[tuple]]:
    """`push` of the line of calls, which answers a session's next call when the stream of those before it is closed.

    A stream closes when the last call is answered. A page that is told of its next call before it has read that takes
    the stream for open, opens none, and never hears of the call.
    """
    line: Line = blocks._queue
    push = line.push

    async def push_and_wait(body, *more, **named) -> tuple:
        is_first = not line.pending_event_ids_session.get(body.session_hash)
        answer = await push(body, *more, **named)
        end = asyncio.get_running_loop().time() + CLOSED_AFTER_S
        while is_first and blocks.is_open(body.session_hash) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(LOOKED_EVERY_S)
        return answer

    return push_and_wait
