"""One item read by one model: a run, measured at the item's place, and no more of it unless it is kept.

Owns which row is measured and when an answer names the place. The run is made by `attention.capture`, measures are
taken by `attention.runs.regions`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from attention.capture.extraction import fill
from attention.comparisons.members import Member
from attention.errors import InvalidRequest, NotInRun, quoted
from attention.limits import Limits
from attention.request import Request
from attention.runs.partial import PartialRun
from attention.runs.regions import Region, region_scores, region_touches
from attention.runs.run import Run

from .checked import CheckedItem, Place
from .items import SIDES
from .names import BY, MEASURES, ROWS, TOUCH

BEGINS = re.compile(r"[\[(]\s*(?=\d)")  # of a place's numbers, as the page finds them
ENOUGH_IOU = 0.5  # of a box that an answer names: as RefCOCO is scored


def check_rows(rows: str) -> None:
    """Raise InvalidRequest for a name that is none of ROWS."""
    if rows not in ROWS:
        raise InvalidRequest(f"The rows are {quoted(rows)}; they are {', '.join(ROWS)}.")


def request_for(checked: CheckedItem, request: Request) -> Request:
    """The request for one item: its picture and words, and what holds for all. The vision tower is not recorded."""
    item, vision = checked.item, request.vision is True
    return replace(request, images=(item.image,), prompt=item.prompt, answer=item.answer, vision=vision)


def measure_item(
    checked: CheckedItem, request: Request, member: Member, rows: str, partial: PartialRun, limits: Limits | None = None
) -> dict[str, Any]:
    """Run a member on an item, into a folder that the caller has made, and measure that run.

    Returns measures [layers, heads], chance, the row and the answer. Raises AttentionError; nothing is left behind
    then.
    """
    folder = fill(request_for(checked, request), partial, limits=limits, adapted=member.on)
    with Run(folder) as run:
        return measure_run(run, checked, rows)


def measure_run(run: Run, checked: CheckedItem, rows: str) -> dict[str, Any]:
    """Measure a run of an item at its place. Raises NotInRun where it has no such row, or shows nothing there."""
    query, until = row_of(run, rows)
    found = measure_place(run, checked.place, checked.elsewhere, query, until)
    info = run.info
    return {
        **of_run(run),
        "row": query,
        "until": until,
        "outcome": outcome(info, checked.place) if info["mode"] == "generate" and not info["forced"] else None,
        "uniform": found.uniform,
        "central": found.central,
        "measures": {name: listed(found.tables[name]) for name in MEASURES},
        "elsewhere": {name: listed(table) for name, table in found.elsewhere.items()} if found.elsewhere else None,
    }


def of_run(run: Run) -> dict[str, Any]:
    """Fields of a row that say which run was measured, and what it answered."""
    info, tower = run.info, run.picture_tower()
    return {
        "model_id": info["model"]["id"],
        "revision": info["model"]["revision"],
        "adapter": info["adapter"],
        "tower": tower,
        "layers": run.layers(tower),
        "answer": info["answer"],
        "forced": info["forced"],
    }


@dataclass(frozen=True)
class PlaceMeasures:
    """Measures of a row at a place: `tables` has float32 [layers, heads] of MEASURES.

    `elsewhere` has those of BY at another place, None where there is none or the model was shown nothing there;
    `uniform` and `central` are the shares of a row that reads every cell alike, and of one that reads the middle.
    """

    tables: dict[str, np.ndarray]
    elsewhere: dict[str, np.ndarray] | None
    uniform: float
    central: float


def measure_place(run: Run, place: Place, elsewhere: Place | None, query: int, until: int | None) -> PlaceMeasures:
    """Measure a row, or the mean of several to `until`, at a place. Raises NotInRun where nothing is shown there."""
    tower = run.picture_tower()
    region = Region(place)
    scores = region_scores(run, region, query, tower, until)
    tables = scores.tables | {TOUCH: region_touches(run, region, query, tower, until)}
    other = None
    if elsewhere is not None:
        region = Region(elsewhere)
        try:
            found = region_scores(run, region, query, tower, until).tables
            touches = region_touches(run, region, query, tower, until)
            other = {**{name: found[name] for name in BY if name != TOUCH}, TOUCH: touches}
        except NotInRun:  # a part of the picture that the model was not shown
            other = None
    return PlaceMeasures({name: tables[name] for name in MEASURES}, other, scores.uniform, scores.central)


def row_of(run: Run, rows: str) -> tuple[int, int | None]:
    """The row to measure, by its name in `names.ROWS`, and the last of several, of which the mean is taken.

    Raises NotInRun where the run has no such row.
    """
    first = run.info["prompt_tokens"] - 1
    if rows == "first":
        return first, None
    said = run.info["tokens"][first + 1 :]
    if not said:
        raise NotInRun("There is no answer, whose rows were asked for: let the model answer, or give one.")
    if rows == "answer":
        return first, first + len(said) - 1
    said = [token for token in said if token["role"] == "answer"]
    begin = BEGINS.search("".join(token["text"] for token in said))
    if begin is None or not (run.info["points"] or run.info["boxes"]):
        raise NotInRun("The answer names no place in numbers, whose row was asked for.")
    left = begin.end()
    for token in said:
        left -= len(token["text"])
        if left < 0:
            return token["index"] - 1, None
    raise AssertionError("the digit stands in one of the tokens")


def outcome(info: dict[str, Any], place: Place) -> str:
    """Outcome of an answer's first place against the one that is asked for: one of `names.OUTCOMES`.

    A point hits the box in which it lies; a box hits one with which it has an intersection over union of 0.5, or a
    click that lies in it. A point against a click is uncertain, as is a place that can be read in two ways: nobody says
    how near is near enough.
    """
    named = [("point", each) for each in info["points"]] + [("box", each) for each in info["boxes"]]
    if not named:
        return "uncertain" if info.get("unplaced") else "nothing"
    kind, answer = named[0]
    is_click = len(place) == len(SIDES["click"])
    if answer.get("ambiguous") or (kind == "point" and is_click):
        return "uncertain"
    if kind == "point":
        is_hit = _is_in((answer["x"], answer["y"]), place)
    elif is_click:
        is_hit = _is_in(place, _sides(answer))
    else:
        is_hit = _iou(_sides(answer), place) >= ENOUGH_IOU
    return "hit" if is_hit else "miss"


def _sides(place: dict[str, Any]) -> tuple[float, ...]:
    return tuple(place[side] for side in ("x0", "y0", "x1", "y1"))


def _is_in(point: tuple[float, ...], box: tuple[float, ...]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    common = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return common / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - common)


def listed(table: np.ndarray) -> list[list[float | None]]:
    """A table [layers, heads] as JSON has it: six digits, None for NaN."""
    return [[None if np.isnan(value) else float(f"{value:.6g}") for value in row] for row in table]
