"""Parameters of a query string: numbers, words and towers, or a sentence that says what is wrong with them.

Knows no run.
"""

from __future__ import annotations

import re

from attention.drawing.look import LOOK_FIELDS
from attention.errors import quoted
from attention.exports.wanted import FIELDS, Wanted


class BadQuery(Exception):
    """A query parameter that is missing or is not what it should be; the message says which."""


def take_only(request, names: tuple[str, ...]) -> None:
    for name in request.query_params:
        if name not in names:
            raise BadQuery(f"There is no field {quoted(name)} of an export. There is {', '.join(names)}.")


def read_wanted(request) -> Wanted:
    """Read which map is asked for, and how it is drawn; what of it may be given, the caller has checked."""
    given = request.query_params
    fields = {name: READERS[field.kind](request, name) for name, field in FIELDS.items() if name in given}
    return Wanted.read(fields | {"look": {name: given[name] for name in LOOK_FIELDS if name in given}})


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


def _read_text(request, name: str) -> str:
    return request.query_params[name]


READERS: dict = {  # by the kind of a field
    int: read_number,
    float: read_decimal,
    bool: lambda request, name: read_word(request, name, ("0", "1"), "0") == "1",
    str: _read_text,
    list: _read_text,  # names with commas between
    int | str: read_number_or_word,
    float | str: lambda request, name: (
        "largest" if request.query_params[name] == "largest" else read_decimal(request, name)
    ),
}
