"""A set read from its file: JSON lines, or one JSON list; every line an item, several, or the reason why none.

Owns the file alone. What a line says is asked of `published`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention.errors import AttentionError, InvalidRequest, quoted, shown_path
from attention.runs.checks.json_fields import parse_json

from .items import BadItem, Item
from .published import NAMES, items_of


def read_items(
    path: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    form: str | None = None,
    wording: str = "{}",
) -> list[Item | BadItem]:
    """The items of a file, in its order; a line that is none is a BadItem, and nothing is left out.

    Pictures are named relative to the folder `images`, by default the file's own. `form` is one of `published.NAMES`,
    by default each line's own, by its fields; `wording` has each question in place of `{}`. Raises InvalidRequest where
    the file cannot be read or has no line, and for an unknown form or a wording without `{}`.
    """
    if form is not None and form not in NAMES:
        raise InvalidRequest(f"The form {quoted(form)} is not known; there is {', '.join(NAMES)}.")
    if not isinstance(wording, str) or "{}" not in wording:
        raise InvalidRequest(f"The wording is {quoted(wording)}; it must have {{}} where the question is to stand.")
    path = Path(path)
    folder = path.parent if images is None else Path(images)
    found: list[Item | BadItem] = []
    for name, line in _lines(path):
        try:
            found += items_of(_record(line), folder, name, form, wording)
        except AttentionError as error:
            found.append(BadItem(name, str(error)))
    return found


def sampled(items: Sequence[Item | BadItem], n: int, seed: int = 0) -> list[Item | BadItem]:
    """So many of the items, drawn at random, in their order; all where there are no more. Raises InvalidRequest."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InvalidRequest(f"The sample is {quoted(n)} items; it must be at least 1.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InvalidRequest(f"The seed is {quoted(seed)}; it is a whole number from 0 on.")
    drawn = np.random.default_rng(seed).permutation(len(items))[:n]
    return [items[i] for i in sorted(drawn)]


def _lines(path: Path) -> list[tuple[str, Any]]:
    """Contents of a file one after the other, each with its name: lines as bytes, or the values of a list."""
    try:
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")  # some editors begin with a byte order mark
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"{shown_path(path)} cannot be read: {reason}.") from None
    found: list[tuple[str, Any]] = []
    if content.lstrip()[:1] == b"[":
        try:
            found = [(f"entry {number}", value) for number, value in enumerate(parse_json(content), 1)]
        except ValueError:  # a line that begins like a list
            found = []
    found = found or [(f"line {number}", line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    if not found:
        raise InvalidRequest(f"{shown_path(path)} has no line. Each is an object with image, prompt, and box or click.")
    return found


def _record(line: Any) -> dict[str, Any]:
    """A line as an object. Raises InvalidRequest."""
    try:
        record = parse_json(line) if isinstance(line, bytes) else line
    except UnicodeDecodeError:
        raise InvalidRequest("It is not written in UTF-8.") from None
    except ValueError as error:
        raise InvalidRequest(f"It is not JSON: {error}.") from None
    if not isinstance(record, dict):
        raise InvalidRequest(f"It is {quoted(record)}; it must be an object with image, prompt, and box or click.")
    return record
