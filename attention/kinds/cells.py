"""The kind `cells`: every cell of the pictures hidden by itself, and what the answer lost by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from attention.errors import InvalidRequest, quoted
from attention.fields import Field
from attention.readings.cells import HIDDEN, KIND, MEASURES, Cells, CellsAsked, tensor_shapes
from attention.readings.cost import cost_of_trials
from attention.readings.reading import INDEX, place_of
from attention.readings.target import Target
from attention.runs.run import Run

from .forecast import AGAINST, TOKENS
from .given import numbers, target_of
from .kind import Asked, Cost, Given, Kind, Making

ROWS = Field("rows", list, None, "tokens from which alone each is hidden (default: all others)")
PAINTS = ("none", "mean", "blur")
PAINT = Field("paint", str, "none", "none, mean or blur: paint each over as well, and read the picture again")
BLOCKS = Field(
    "blocks",
    list,
    None,
    "rows and columns of cells that are hidden together (default: one, more of large pictures)",
)
ITEM = 8  # bytes of a number


def read(run: Run, given: Given) -> Asked:
    """Read {tokens, against, rows, blocks, paint} as `make` takes it."""
    paint = given.get("paint") or "none"
    if paint not in PAINTS:
        raise InvalidRequest(f"paint is {quoted(paint)}; it must be one of {', '.join(PAINTS)}.")
    if paint != "none" and run.info.get("videos"):
        raise InvalidRequest("Frames of a video are not painted over. Leave paint out, to hide the cells alone.")
    block = numbers("blocks", given.get("blocks"))
    sides = block[0] if block and len(block) == 1 else block
    asked = CellsAsked.of(run, target_of(run, given), sides, numbers("rows", given.get("rows")))
    return {
        **asked.target.to_dict(), "rows": None if asked.rows is None else [*asked.rows], "block": [*asked.block],
        "paint": None if paint == "none" else paint,
    }  # fmt: skip


def make(making: Making) -> Cells:
    """Make it, or go on where it was stopped; what was measured is told after every batch."""
    from attention.effects.cells import measure_cells

    def tell(found: Cells, seconds_left: float | None) -> None:
        making.tell({**found.to_dict(), "name": found.folder.name, "seconds_left": seconds_left})

    return measure_cells(
        making.run, asked_of(making.run, making.asked), paint=making.asked["paint"], model=making.model,
        processor=making.processor, limits=making.limits, partial=making.partial, adapted=making.adapted, on_found=tell,
    )  # fmt: skip


def asked_of(run: Run, asked: Asked) -> CellsAsked:
    """The map that is asked for."""
    return CellsAsked.of(run, Target(tuple(asked["tokens"]), asked["against"]), asked["block"], asked["rows"])


def cost(run: Run, asked: Asked) -> Cost:
    """A pass for each block that was not measured before; one that is painted over is read by the vision tower too."""
    map_asked = asked_of(run, asked)
    place, done = place_of(run, map_asked.name()), dict[str, int]()
    shapes = tensor_shapes(run, map_asked.block)
    total = sum(shape[0] * shape[1] for name, shape in shapes.items() if name.startswith(HIDDEN))
    if (place / INDEX).is_file():
        kept = Cells(run, place)
        done = {measure: kept.measured(measure) for measure in MEASURES}
    painted = total - done.get(asked["paint"], 0) if asked["paint"] else 0
    return replace(cost_of_trials(total - done.get(HIDDEN, 0), painted), n_bytes=3 * ITEM * total)


def is_whole(reading: Cells, asked: Asked) -> bool:
    """True where all that is asked was measured: a map that was stopped has less."""
    return all(reading.measured(each) == reading.total for each in (HIDDEN, asked["paint"]) if each)


def describe(reading: Cells) -> dict[str, Any]:
    content = reading.to_dict()
    return {name: content[name] for name in ("rows", "block", "value", "total", "measured", "seconds")}


CELLS = Kind(
    KIND,
    "What does the answer lose if nothing else may read this cell? Measured, one by one.",
    {"tokens": TOKENS, "against": AGAINST, "rows": ROWS, "blocks": BLOCKS, "paint": PAINT},
    read,
    lambda run, asked: asked_of(run, asked).name(),
    make,
    Cells,
    cost,
    describe,
    content=Cells.to_dict,
    is_whole=is_whole,
)
