"""The answer that a served model gave, from what was pasted or saved: its text, or a chat completion as it came.

Knows OpenAI's form of a completion, which vLLM and others send; knows no request.
"""

from __future__ import annotations

import json
from typing import Any

from attention.errors import InvalidRequest, quoted


def answer_of(text: str, name: str = "The pasted answer") -> str:
    """The answer in a text: the text itself without a last line break, or what a completion object holds, all of it.

    `name` is what the text is called in an error. Raises InvalidRequest for a completion that does not hold one whole
    answer in the words that the model wrote.
    """
    text = text.removeprefix("\ufeff")  # with which some editors begin
    completion = _completion(text)
    if completion is None:
        return text.removesuffix("\n").removesuffix("\r")
    choices = completion["choices"]
    if len(choices) != 1:
        raise InvalidRequest(f"{name} is a completion with {len(choices)} choices; give one with one.")
    (choice,) = choices
    message = choice.get("message")
    if message is None and isinstance(choice.get("text"), str):
        message = {"content": choice["text"]}
    if not isinstance(message, dict):
        raise InvalidRequest(f"{name} is a completion without a message: a piece of a stream. Give the whole answer.")
    for part in ("reasoning_content", "reasoning", "tool_calls", "refusal"):
        if message.get(part):
            raise InvalidRequest(
                f"{name} is a completion with {part}, which the server cut out of what the model wrote, and how is not "
                "known. Have the server leave the answer whole, or give the answer's text itself."
            )
    content = message.get("content")
    if not isinstance(content, str) or not content:
        raise InvalidRequest(f"{name} is a completion whose content is {quoted(content)}; it must be a text.")
    return content


def _completion(text: str) -> dict[str, Any] | None:
    """The completion object that a text is, None where it is none: an answer may be any other JSON."""
    if not text.lstrip().startswith("{") or '"choices"' not in text:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    choices = found.get("choices") if isinstance(found, dict) else None
    is_one = isinstance(choices, list) and all(
        isinstance(choice, dict) and {"message", "text", "delta"} & choice.keys() for choice in choices
    )
    return found if is_one else None
