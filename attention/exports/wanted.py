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
REGION, READING, ZIP = "a region", "a reading", "a zip"
OF_FORMATS = {HTML: "html", ZIP: "zip"}  # fields that one format alone has


@dataclass(frozen=True)
class Wanted:
    """The choice of an export. None is not given: `select` and `write_comparison_figure` say what is usual then.

    `layer` and `head` are numbers, `mean` (of one map the default) or `max`; `until` makes a row or column the mean
    over the positions from query (or key) to that. `look` has the fields of `Look` that are not to be their default.
    """

    tower: str = row("language", str, "tower whose attention it is (default: language)", "language|cross|vision", MAP)
    layer: Choice = row(
        None, int | str, "layer, by its index in the model, or a reduction over all (default: mean; of dense all)",
        "N|mean|max", MAP,
    )  # fmt: skip
    head: Choice = row(None, int | str, "attention head, or a reduction over all (default: mean)", "N|mean|max", MAP)
    query: int | None = row(
        None,
        int,
        "position of the row, what it reads (default: the row that predicts the answer)",
        "P",
        MAP,
    )
    key: int | None = row(None, int, "position of a column instead, who reads it", "P", MAP)
    received: bool = row(False, bool, "what every key receives instead, mean over all queries", None, MAP)
    until: int | None = row(None, int, "mean over the positions from query (or key) to this one", "P", MAP)
    grid: int | None = row(None, int, "picture, tile or frame, from 0 (default: the tower's first)", "G", MAP)
    scale: float | None = row(None, float, "size of a png, 0.25 to 4 times the picture's (default: 1)", "S", DRAWING)
    width: int | None = row(None, int, "width of a png in pixels, instead of scale", "W", DRAWING)
    caption: bool = row(False, bool, "colour bar and caption on a png, as svg and pdf always have them", None, DRAWING)
    left: str | None = row(None, str, "first member: base, adapter_1, ... (default: base)", "MEMBER", COMPARISON)
    right: str | None = row(
        None, str, "member that is set against it (default: the first after the base)", "MEMBER", COMPARISON
    )
    show: Sequence[str] | str | None = row(
        None, list, "which of left, right, difference and wipe (default: the first three; side by side the first two)",
        "PANEL,...", COMPARISON,
    )  # fmt: skip
    split: float | None = row(None, float, "position of the wipe's line, 0 to 1 (default: 0.5)", "0..1", COMPARISON)
    difference_high: float | str | None = row(
        None, float | str, "where the difference's colours end, or largest (default: the scale of the maps)",
        "V|largest", COMPARISON,
    )  # fmt: skip
    tokens: str | None = row(None, str, "tokens whose rows it holds; default: what fits", "answer|all|P-P,...", HTML)
    layers: str | None = row(None, str, "layers it holds beside their mean and max; default: all", "N-N,...", HTML)
    heads: str | None = row(None, str, "heads it holds beside their mean and max; default: all", "N-N,...", HTML)
    megabytes: float | None = row(None, float, "how large it may be (default 10)", "MB", HTML)
    box: Sequence[float] | str | None = row(
        None, list, "box to measure, in pixels of its picture: drawn, said below the map; of csv every head's numbers",
        "X0,Y0,X1,Y1", REGION,
    )  # fmt: skip
    point: Sequence[float] | str | None = row(None, list, "point instead: the cell that it lies in", "X,Y", REGION)
    image: int | None = row(None, int, "picture that box or point lies on, from 0 (default: 0)", "N", REGION)
    label: str | None = row(None, str, "what box or point is called where it is drawn", "TEXT", REGION)
    right_layer: Choice = row(
        None, int | str, "the second member's own layer, of members side by side (default: mean)", "N|mean|max",
        COMPARISON,
    )  # fmt: skip
    right_head: Choice = row(
        None, int | str, "the second member's own head, likewise (default: mean)", "N|mean|max", COMPARISON
    )
    right_high: float | None = row(
        None, float, "where the second member's colours end, likewise (default: as high says, or its largest value)",
        "V", COMPARISON,
    )  # fmt: skip
    reading: str | None = row(
        None, str, "reading of the run whose numbers it has instead of attention: forecast, or the name of one",
        "forecast|NAME", READING,
    )  # fmt: skip
    without_readings: bool = row(False, bool, "leave out what was read of the run later, as its forecast", None, ZIP)
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


def refuse_others(format: str, wanted: Wanted) -> None:  # noqa: A002 - the word of every way in
    """Refuse fields that only another format has. Raises InvalidRequest."""
    for group, own in OF_FORMATS.items():
        for name, value in wanted.of(group).items() if format != own else ():
            if is_given(value):
                raise InvalidRequest(
                    f"{name} is of {group.replace('a zip', 'a zip file')}: leave it out, or use the format {own}."
                )


FIELDS = rows(Wanted)
NAMES = (*FIELDS, *LOOK_FIELDS)  # as an address or a command line has them, each setting of the look by its own name


def is_given(value: Any) -> bool:
    """True if a field of an export was set: 0 is a layer or a head, and not nothing."""
    return value is not None and value is not False and value != {}
