"""Parameters of a query string: numbers, words and towers, or a sentence that says what is wrong with them.

Knows no run.
"""

from __future__ import annotations

import re

from attention.errors import quoted


class BadQuery(Exception):
    """A query parameter that is missing or is not what it should be; the message says which."""


def take_only(request, names: tuple[str, ...]) -> None:
    for name in request.query_params:
        if name not in names:
            raise BadQuery(f"There is no field {quoted(name)} of an export. There is {', '.join(names)}.")


def read_choice(request) -> dict:
    """Read which row, column or map is asked for."""
    layer, head = (read_number_or_word(request, name, optional=True) for name in ("layer", "head"))
    query, key, until, grid = (read_number(request, name, None) for name in ("query", "key", "until", "grid"))
    return {
        "tower": read_tower(request), "layer": layer, "head": head, "query": query, "key": key, "until": until,
        "received": read_word(request, "received", ("0", "1"), "0") == "1", "grid": grid,
    }  # fmt: skip


def read_tower(request) -> str:
    return request.query_params.get("tower", "language")


def read_number(request, name: str, *default) -> int:
    text = request.query_params.get(name)
    if text is None and default:
        return default[0]
    if text is None or not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise BadQuery(
            f"{name} is {quoted(text)}; it must be a whole number."
            if text is not None
            else f"Give {name}=..., a whole number."
        )
    return int(text)


def read_decimal(request, name: str) -> float | None:
    text = request.query_params.get(name)
    if text is not None and not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise BadQuery(f"{name} is {quoted(text)}; it must be a number.")
    return None if text is None else float(text)


def read_number_or_word(request, name: str, optional: bool = False) -> int | str | None:
    text = request.query_params.get(name)
    return text if text in ("mean", "max") or (optional and text is None) else read_number(request, name)


def read_word(request, name: str, words: tuple[str, ...], default: str) -> str:
    text = request.query_params.get(name, default)
    if text not in words:
        raise BadQuery(f"{name} is {quoted(text)}; it must be one of {', '.join(words)}.")
    return text
