"""Fields that a person sets, each declared once as a row of a dataclass.

Flags of the command line, parameters of the endpoints and of the routes are made of these rows. Knows no field itself.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from types import UnionType
from typing import Any


@dataclass(frozen=True)
class Field:
    """A field of a request, of an export or of a look, as every way in takes it.

    `kind` is the type of its values where one is given, `words` say what it is, `metavar` what may be written, `group`
    what it belongs to.
    """

    name: str
    kind: type | UnionType
    default: Any
    words: str | None = None
    metavar: str | None = None
    group: str | None = None


def row(
    default: Any, kind: type | UnionType, words: str | None = None, metavar: str | None = None, group: str | None = None
) -> Any:
    """Declare a field of a dataclass with what `Field` says of it."""
    about = {"kind": kind, "words": words, "metavar": metavar, "group": group}
    return dataclasses.field(default=default, metadata=about)


def rows(of: type) -> dict[str, Field]:
    """The fields of a dataclass that were declared by `row`, by their names, in its order."""
    return {
        each.name: Field(each.name, default=each.default, **each.metadata)
        for each in dataclasses.fields(of)
        if each.metadata
    }
