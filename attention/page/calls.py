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

from attention.errors import fault, quoted, words_for

A_FILE = 'a file as /gradio_api/upload or handle_file gives it: {"path": ..., "meta": {"_type": "gradio.FileData"}}'
SEND_IT = "send the file itself, with gradio_client.handle_file(...); with curl, upload it to /gradio_api/upload first"

log = logging.getLogger("app")


class SpokenBlocks(gr.Blocks):
    """Blocks whose refusals of what was sent are sentences.

    `begin_with` is what changes the first examples of the page, tickets by what they are called.
    """

    begin_with: Callable[[dict[str, str]], None]

    def show_first(self, examples: dict[str, str]) -> None:
        """Let pages that are opened from now on begin with these finished examples; open ones keep theirs."""
        self.begin_with(examples)
        self.config = self.get_config_file()

    async def preprocess_data(self, block_fn, inputs: list[Any], *more, **settings) -> list[Any]:
        if words := _no_text(block_fn, inputs):
            raise gr.Error(words, print_exception=False)
        try:
            return await super().preprocess_data(block_fn, inputs, *more, **settings)
        except gr.Error:
            raise
        except Exception as error:
            words = _refusal(block_fn, inputs) or words_for(error)
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
