"""Parameters of an export's query string: which map, and how it is drawn, or what is wrong with them. Knows no run."""

from __future__ import annotations

from attention.answers.query import BadQuery, Query, read_decimal, read_number, read_number_or_word, read_word
from attention.drawing.look import LOOK_FIELDS
from attention.errors import quoted
from attention.exports.wanted import FIELDS, Wanted


def take_only(request, names: tuple[str, ...]) -> None:
    for name in request.query_params:
        if name not in names:
            raise BadQuery(f"There is no field {quoted(name)} of an export. There is {', '.join(names)}.")


def read_wanted(request) -> Wanted:
    """Read which map is asked for, and how it is drawn; what of it may be given, the caller has checked."""
    given = request.query_params
    fields = {name: READERS[field.kind](given, name) for name, field in FIELDS.items() if name in given}
    return Wanted.read(fields | {"look": {name: given[name] for name in LOOK_FIELDS if name in given}})


def _read_text(query: Query, name: str) -> str:
    return query[name]


READERS: dict = {  # by the kind of a field
    int: read_number,
    float: read_decimal,
    bool: lambda query, name: read_word(query, name, ("0", "1"), "0") == "1",
    str: _read_text,
    list: _read_text,  # names with commas between
    int | str: read_number_or_word,
    float | str: lambda query, name: "largest" if query[name] == "largest" else read_decimal(query, name),
}
