"""Tokens, layers and heads that are named for a file: `answer`, `all`, or positions as `12,40-43`.

Owns which rows belong to a token. Knows no file.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Any

from attention.errors import InvalidRequest, NotInRun, quoted

MOST = 100_000  # numbers that a range may name


def read_ranges(name: str, text: str, allowed: Sequence[int], passed: Container[int] = ()) -> list[int]:
    """Numbers and ranges as they were written, each once, in that order. Raises InvalidRequest or NotInRun.

    Ranges pass over the numbers of `passed`.
    """
    found: dict[int, None] = {}
    for part in str(text).replace(" ", "").split(","):
        bounds = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part)
        first, last = (int(bounds[1]), int(bounds[2] or bounds[1])) if bounds else (1, 0)
        if not first <= last < first + MOST:
            raise InvalidRequest(f"{name} is {quoted(text)}; write numbers and ranges, as 3 or 3,8-12.")
        found |= dict.fromkeys(number for number in range(first, last + 1) if first == last or number not in passed)
    known = set(allowed)
    for number in found:
        if number not in known:
            has = f"{min(allowed)} to {max(allowed)}" if allowed else "none"
            raise NotInRun(f"{name} names {number}, which is not in this run: there are {has}.")
    return list(found)


def prompt_length(tokens: Sequence[dict[str, Any]]) -> int:
    """The first token that the model wrote; the number of tokens where there is none."""
    start = len(tokens)
    for index in range(len(tokens) - 1, -1, -1):
        if tokens[index]["role"] in ("answer", "thinking"):
            start = index
        elif tokens[index]["role"] != "special":
            break
    return start


def read_tokens(text: str, tokens: Sequence[dict[str, Any]]) -> list[int]:
    """The tokens that are named: `answer`, `all`, or positions."""
    if text == "all":
        return list(range(len(tokens)))
    if text == "answer":
        return list(range(prompt_length(tokens), len(tokens))) or [len(tokens) - 1]
    return read_ranges("tokens", text, range(len(tokens)))


def rows_of(named: Sequence[int], tokens: Sequence[dict[str, Any]]) -> list[int]:
    """The rows of tokens: each its own, and of one that the model wrote first the one that predicts it."""
    written = prompt_length(tokens)
    rows: dict[int, None] = {}
    for token in named:
        if token >= written and token > 0:
            rows[token - 1] = None
    return list(rows | dict.fromkeys(named))


def by_interest(tokens: Sequence[dict[str, Any]]) -> list[list[int]]:
    """Every token once, those first that people look at first: the answer, the prompt's words, the rest, cells."""
    written = prompt_length(tokens)
    answer = list(range(written, len(tokens)))
    before = range(written)
    words = [index for index in before if tokens[index]["role"] in ("prompt", "system")]
    cells = [index for index in before if tokens[index]["role"] == "image"]
    seen = {*words, *cells}
    return [answer, words, [index for index in before if index not in seen], cells]
