"""The fields of an export: which map of a run or a comparison, and how it is drawn.

Every field is a row once: flags, the endpoint and the route are made of these rows. Which of them a format takes,
`run` and `comparison` say. Knows no run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attention.drawing.look import LOOK_FIELDS
from attention.errors import InvalidRequest, quoted
from attention.fields import row, rows
from attention.runs.selection import Choice

MAP, DRAWING, COMPARISON, HTML = "one map", "drawing", "a comparison", "an html file"


@dataclass(frozen=True)
class Wanted:
    """The choice of an export. None is not given: `select` and `write_comparison_figure` say what is usual then.

    `layer` and `head` are numbers, `mean` (of one map the default) or `max`; `until` makes a row or column the mean
    over the positions from query (or key) to that. `look` has the fields of `Look` that are not to be their default.
    """

    tower: str = row("language", str, metavar="language|cross|vision", group=MAP)
    layer: Choice = row(None, int | str, "default: mean for one map, all for dense", "N|mean|max", MAP)
    head: Choice = row(None, int | str, "default: mean", "N|mean|max", MAP)
    query: int | None = row(None, int, "the row of position P; default: it predicts the answer", "P", MAP)
    key: int | None = row(None, int, "the column of position P: who reads it", "P", MAP)
    received: bool = row(False, bool, "what every key receives, mean over all queries", None, MAP)
    until: int | None = row(None, int, "the mean over the positions from --query or --key to P", "P", MAP)
    grid: int | None = row(None, int, "which picture, tile or frame; default: the tower's first", "G", MAP)
    scale: float | None = row(None, float, "of a png: 0.25 to 4 times the picture's size (default 1)", "S", DRAWING)
    width: int | None = row(None, int, "of a png: its width in pixels, instead of scale", "W", DRAWING)
    caption: bool = row(
        False, bool, "a png with a colour bar and words, as svg and pdf always have them", None, DRAWING
    )
    left: str | None = row(None, str, "the first: base (default), adapter_1, ...", "MEMBER", COMPARISON)
    right: str | None = row(None, str, "what is set against it; default: adapter_1", "MEMBER", COMPARISON)
    show: Sequence[str] | str | None = row(
        None, list, "of left, right, difference and wipe; default: the first three", "WHAT,...", COMPARISON
    )
    split: float | None = row(None, float, "where the line of the wipe stands (default 0.5)", "0..1", COMPARISON)
    difference_high: float | str | None = row(
        None, float | str, "where the colours of the difference end; default: as those of the maps", "V|largest",
        COMPARISON,
    )  # fmt: skip
    tokens: str | None = row(None, str, "tokens whose rows it holds; default: what fits", "answer|all|P-P,...", HTML)
    layers: str | None = row(None, str, "layers it holds beside their mean and max; default: all", "N-N,...", HTML)
    heads: str | None = row(None, str, "heads it holds beside their mean and max; default: all", "N-N,...", HTML)
    megabytes: float | None = row(None, float, "how large it may be (default 10)", "MB", HTML)
    look: Mapping[str, object] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Wanted:
        """Fields by their names; None is left out. Raises InvalidRequest for one that does not exist."""
        names = [field.name for field in dataclasses.fields(cls)]
        for name in given:
            if name not in names:
                raise InvalidRequest(f"There is no field {quoted(name)} of an export. There is {', '.join(names)}.")
        look = given.get("look")
        if look is not None and not isinstance(look, Mapping):
            raise InvalidRequest(
                f'look is {quoted(look)}; it must be settings by their names, as {{"palette": "magma"}}.'
            )
        return cls(**{name: value for name, value in given.items() if value is not None})

    def of(self, group: str) -> dict[str, Any]:
        """The fields of one group by their names."""
        return {name: getattr(self, name) for name, field in FIELDS.items() if field.group == group}

    def drawing(self) -> dict[str, Any]:
        """The fields that only a drawn map has: its look, its size, its words."""
        return {"look": self.look, **self.of(DRAWING)}


FIELDS = rows(Wanted)
NAMES = (*FIELDS, *LOOK_FIELDS)  # as an address or a command line has them, each setting of the look by its own name


def is_given(value: Any) -> bool:
    """True if a field of an export was set: 0 is a layer or a head, and not nothing."""
    return value is not None and value is not False and value != {}
