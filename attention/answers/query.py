"""Fields of a query: numbers, words and towers, or a sentence that says what is wrong with them.

A query is a mapping of names to texts. Knows no run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attention.errors import quoted

Query = Mapping[str, str]


class BadQuery(Exception):
    """A field of a query that is missing or is not what it should be; the message says which."""


def read_tower(query: Query) -> str:
    return query.get("tower", "language")


def read_number(query: Query, name: str, *default) -> int:
    text = query.get(name)
    if text is None and default:
        return default[0]
    if text is None or not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise BadQuery(
            f"{name} is {quoted(text)}; it must be a whole number."
            if text is not None
            else f"Give {name}=..., a whole number."
        )
    return int(text)


def read_decimal(query: Query, name: str) -> float | None:
    text = query.get(name)
    if text is not None and not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise BadQuery(f"{name} is {quoted(text)}; it must be a number.")
    return None if text is None else float(text)


def read_number_or_word(query: Query, name: str, optional: bool = False) -> int | str | None:
    text = query.get(name)
    return text if text in ("mean", "max") or (optional and text is None) else read_number(query, name)


def read_word(query: Query, name: str, words: tuple[str, ...], default: str) -> str:
    text = query.get(name, default)
    if text not in words:
        raise BadQuery(f"{name} is {quoted(text)}; it must be one of {', '.join(words)}.")
    return text


def read_place(query: Query) -> tuple[list[float], int]:
    """A box=x0,y0,x1,y1 or a point=x,y, and the image that it is on."""
    given = [name for name in ("box", "point") if name in query]
    if len(given) != 1:
        raise BadQuery("Give box=x0,y0,x1,y1 or point=x,y, one of the two, in pixels of the picture.")
    (name,), count = given, 4 if "box" in given else 2
    parts = query[name].split(",", count)
    if len(parts) != count or not all(re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", part) for part in parts):
        raise BadQuery(f"{name} is {quoted(query[name])}; it must be {count} numbers with commas between them.")
    return [float(part) for part in parts], read_number(query, "image", 0)
