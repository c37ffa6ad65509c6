"""Origin of each token of a rendered conversation: what somebody wrote, or the model's chat template.

Owns the way from a message to the tokens of its text, by characters: nothing is recognised by what it says. Knows no
tokenizer and no family.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence

from attention.errors import InvalidRequest

MARK = "\ue000{}\ue001"  # of the private use area: no template has it
VEILS = range(0xF0000, 0xFFFFE)  # another private use area


def marked(messages: list[dict]) -> list[dict]:
    """The same conversation with a mark instead of each text, numbered in order."""
    messages = copy.deepcopy(messages)
    for k, entry in enumerate(_texts(messages)):
        entry["text"] = MARK.format(k)
    return messages


def veiled(messages: list[dict], reserved: Sequence[str]) -> tuple[list[dict], dict[str, str]]:
    """The same conversation with none of `reserved` in its texts, and {veil: the sign it stands for}.

    The first sign of each is exchanged for a private one that no text has, so positions in the texts stay.
    """
    if not any(word in entry["text"] for entry in _texts(messages) for word in reserved):
        return messages, {}
    messages = copy.deepcopy(messages)
    entries = _texts(messages)
    taken = set().union(*(entry["text"] for entry in entries))
    free = (chr(code) for code in VEILS if chr(code) not in taken)
    veils = dict(zip(sorted({word[0] for word in reserved}), free, strict=False))
    for entry in entries:
        while found := [word for word in reserved if word in entry["text"]]:
            longest = max(found, key=len)
            entry["text"] = entry["text"].replace(longest, veils[longest[0]] + longest[1:])
    return messages, {veil: sign for sign, veil in veils.items()}


def written_parts(messages: list[dict], rendered: str, rendered_marks: str) -> list[tuple[int, int, str]]:
    """Find where a rendered conversation holds what its messages say: [(start, stop, role of the message)], ascending.

    `rendered_marks` is the rendering of `marked(messages)`: what stands between the marks is the template's. Templates
    trim texts, or leave a part of an earlier turn out; what they put between two marks is then found by its own words.
    Raises InvalidRequest when both renderings do not fit together.
    """
    texts = [(entry["text"], message["role"]) for message in messages for entry in _texts([message])]
    first, *rest = re.split(MARK.format(r"(\d+)"), rendered_marks)
    position = len(first)
    parts = []
    if not rendered.startswith(first):
        raise _unlike()
    for index, after in zip(rest[::2], rest[1::2], strict=True):
        text, role = texts[int(index)]
        stop = next(
            (position + len(form) for form in (text, text.strip()) if rendered.startswith(form + after, position)), None
        )
        if stop is None:
            stop = rendered.find(after, position) if after else len(rendered)
        if stop < 0:
            raise _unlike()
        parts.append((position, stop, role))
        position = stop + len(after)
    return parts


def token_roles(
    spans: Sequence[tuple[int, int]], parts: list[tuple[int, int, str]], replaced: Sequence[dict]
) -> list[str]:
    """The role of every token, `system`, `prompt` or `special` (the template's, and what stands for images).

    `spans` are the tokens' characters in the text whose placeholders were `replaced` (each {span, new_span}: before
    and after, ascending); `parts` count in the text before that. What an assistant said in an earlier turn is part of
    the prompt: it is given, not answered.
    """
    written = []
    for start, stop, role in parts:
        gained = sum(_length(r["new_span"]) - _length(r["span"]) for r in replaced if r["span"][1] <= start)
        written.append((start + gained, stop + gained, "system" if role == "system" else "prompt"))
    roles, at = [], 0
    for first, last in spans:
        while at < len(written) and last > first and written[at][1] <= first:
            at += 1
        is_written = last > first and at < len(written) and written[at][0] < last
        roles.append(written[at][2] if is_written else "special")
    return roles


def _texts(messages: list[dict]) -> list[dict]:
    return [entry for message in messages for entry in message["content"] if entry.get("type") == "text"]


def _length(span: tuple[int, int]) -> int:
    return span[1] - span[0]


def _unlike() -> InvalidRequest:
    return InvalidRequest(
        "The chat template of this model changes with what is said, so its own words cannot be told from yours. "
        "Give the conversation in fewer parts."
    )
