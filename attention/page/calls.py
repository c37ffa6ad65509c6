"""Calls that the page or an endpoint cannot take: refused in words, where Gradio would answer nothing.

Gradio shows a client only the errors that are raised for people. Its own checks of what was sent raise others, and the
client is told `{"error": null}`; here they become a sentence. Knows no endpoint by its name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from inspect import signature
from typing import Any

import gradio as gr
from pydantic import ValidationError

from attention.client_address import address_of
from attention.errors import InvalidRequest, fault, quoted, words_for

from .sessions import PageConfig, Undelivered, answered_when_closed

A_FILE = 'a file as /gradio_api/upload or handle_file gives it: {"path": ..., "meta": {"_type": "gradio.FileData"}}'
SEND_IT = "send the file itself, with gradio_client.handle_file(...); with curl, upload it to /gradio_api/upload first"

log = logging.getLogger("app")


class SpokenBlocks(gr.Blocks):
    """Blocks whose refusals of what was sent are sentences, and whose sessions are small.

    `begin_with` is what changes the first examples of the page, tickets by what they are called; `is_open` tells
    whether a session's stream of answers is still open.
    """

    reads_addresses = True  # of the Web: Gradio fetches what a file's path says then, however large it is
    begin_with: Callable[[dict[str, str]], None]
    is_open: Callable[[str], bool] = staticmethod(lambda _: False)

    def __init__(self, **settings):
        super().__init__(**settings)
        self.default_config = PageConfig(self)

    def queue(self, **settings) -> SpokenBlocks:
        super().queue(**settings)
        self._queue.pending_messages_per_session = Undelivered(self._queue.pending_event_ids_session)
        self._queue.push = answered_when_closed(self)
        return self

    async def process_api(self, *given, session_hash: str | None = None, event_id: str | None = None, **settings):
        """Answer a call. A script's call is a session of its own, by the call's name: it ends with it."""
        try:
            return await super().process_api(*given, session_hash=session_hash, event_id=event_id, **settings)
        finally:
            if session_hash is not None and session_hash == event_id:
                self.state_holder.session_data.pop(session_hash, None)
                self.state_holder.time_last_used.pop(session_hash, None)

    def waiting_calls(self, address: str) -> int:
        """Calls of a network address that Gradio has not handed on yet."""
        lines = self._queue.event_queue_per_concurrency_id.values()
        return sum(
            address_of(event.request.headers, event.request.client) == address for line in lines for event in line.queue
        )

    def show_first(self, examples: dict[str, str]) -> None:
        """Let pages that are opened from now on begin with these finished examples; open ones keep theirs."""
        self.begin_with(examples)
        self.config = self.get_config_file()

    async def preprocess_data(self, block_fn, inputs: list[Any], *more, **settings) -> list[Any]:
        if words := _no_text(block_fn, inputs):
            raise gr.Error(words, print_exception=False)
        try:
            if not self.reads_addresses and (named := _web_address(inputs)):
                raise InvalidRequest(f"{quoted(named)} is an address; none is read here. Upload the file: {SEND_IT}.")
            return await super().preprocess_data(block_fn, inputs, *more, **settings)
        except gr.Error:
            raise
        except Exception as error:
            words = words_for(error) if isinstance(error, InvalidRequest) else None
            words = words or _refusal(block_fn, inputs) or words_for(error)
            if words is None:
                log.error("a call could not be read", exc_info=error)
                words = f"{fault(error)} The app's log has the details."
            raise gr.Error(words, print_exception=False) from None


def _names(block_fn) -> list[str]:
    return list(signature(block_fn.fn).parameters)[: len(block_fn.inputs)] if block_fn.fn else []


def _no_text(block_fn, inputs: list[Any]) -> str | None:
    """A sentence on a list or an object in a text's place, which Gradio would write down as Python does."""
    for name, block, value in zip(_names(block_fn), block_fn.inputs, inputs, strict=False):
        if isinstance(block, gr.Textbox) and isinstance(value, list | dict):
            return f"{name} is {quoted(value)}; it must be a text."
    return None


def _web_address(value: Any) -> str | None:
    """The first address of the Web that stands where a file's path is due."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            path = each.get("path")
            if "meta" in each and isinstance(path, str) and "://" in path:
                return path
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
    return None


def _refusal(block_fn, inputs: list[Any]) -> str | None:
    """A sentence on what was sent wrongly, where it can be told from what the endpoint takes."""
    names = _names(block_fn)
    if len(inputs) < len(block_fn.inputs):
        return f"This call has {len(inputs)} of {len(block_fn.inputs)} values; in order they are {', '.join(names)}."
    for name, block, value in zip(names, block_fn.inputs, inputs, strict=False):
        model = getattr(block, "data_model", None)
        if model is None or value is None:
            continue
        try:
            model.model_validate(value)
        except ValidationError:
            is_or_has, values = ("has", value) if isinstance(value, list) else ("is", [value])
            for text in (each for each in values if isinstance(each, str)):
                return f"{name} {is_or_has} {quoted(text)}, a string: {SEND_IT}."
            return f"{name} is {quoted(value)}; it must be {A_FILE}."
        if isinstance(block, gr.File | gr.Image | gr.UploadButton):
            return f"{name} is {quoted(value)}; it must be a file that was uploaded here before."
    return None
