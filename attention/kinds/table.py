"""The kinds of readings by their names: the one table of which page, endpoints and command line are made."""

from __future__ import annotations

from typing import Any

from attention.errors import InvalidRequest, quoted
from attention.fields import Field

from .agreement import AGREEMENT
from .cells import CELLS
from .direct import DIRECT
from .forecast import FORECAST
from .kind import Kind
from .lens import LENS
from .relative import RELATIVE

KINDS: dict[str, Kind] = {kind.name: kind for kind in (FORECAST, DIRECT, LENS, RELATIVE, CELLS, AGREEMENT)}


def kind_of(name: Any) -> Kind:
    """The kind of a name. Raises InvalidRequest for one that there is not."""
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise InvalidRequest(f"There is no reading {quoted(name)}. There is {', '.join(KINDS)}.")
    return kind


def fields() -> dict[str, Field]:
    """The fields of all kinds, each once."""
    return {name: field for kind in KINDS.values() for name, field in kind.fields.items()}
