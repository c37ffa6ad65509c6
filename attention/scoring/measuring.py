"""One item read by one model: a run, measured at the item's place, and no more of it unless it is kept.

Owns which row is measured and when an answer names the place. The run is made by `attention.capture`, measures are
taken by `attention.runs.regions`.
"""

from __future__ import annotations

import re
from dataclasses import replace
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

from .checked import CheckedItem
from .names import MEASURES, ROWS, TOUCH

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
    tower = run.picture_tower()
    region = Region(checked.place)
    scores = region_scores(run, region, query, tower, until)
    tables = scores.tables | {TOUCH: region_touches(run, region, query, tower, until)}
    elsewhere = None
    if checked.elsewhere is not None:
        other = Region(checked.elsewhere)
        try:
            found = region_scores(run, other, query, tower, until).tables
            elsewhere = {name: _listed(found[name]) for name in ("region_share", "region_peak")}
            elsewhere[TOUCH] = _listed(region_touches(run, other, query, tower, until))
        except NotInRun:  # a part of the picture that the model was not shown
            elsewhere = None
    info = run.info
    return {
        "model_id": info["model"]["id"],
        "revision": info["model"]["revision"],
        "adapter": info["adapter"],
        "tower": tower,
        "layers": scores.layers,
        "row": query,
        "until": until,
        "answer": info["answer"],
        "forced": info["forced"],
        "outcome": outcome(info, checked) if info["mode"] == "generate" and not info["forced"] else None,
        "uniform": scores.uniform,
        "central": scores.central,
        "measures": {name: _listed(tables[name]) for name in MEASURES},
        "elsewhere": elsewhere,
    }


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


def outcome(info: dict[str, Any], checked: CheckedItem) -> str:
    """Outcome of an answer's first place against the item's: one of `names.OUTCOMES`.

    A point hits the box in which it lies; a box hits one with which it has an intersection over union of 0.5, or a
    click that lies in it. A point against a click is uncertain, as is a place that can be read in two ways: nobody says
    how near is near enough.
    """
    places = [("point", place) for place in info["points"]] + [("box", place) for place in info["boxes"]]
    if not places:
        return "uncertain" if info.get("unplaced") else "nothing"
    kind, place = places[0]
    if place.get("ambiguous") or (kind == "point" and checked.item.kind == "click"):
        return "uncertain"
    if kind == "point":
        is_hit = _is_in((place["x"], place["y"]), checked.place)
    elif checked.item.kind == "click":
        is_hit = _is_in(checked.place, _sides(place))
    else:
        is_hit = _iou(_sides(place), checked.place) >= ENOUGH_IOU
    return "hit" if is_hit else "miss"


def _sides(place: dict[str, Any]) -> tuple[float, ...]:
    return tuple(place[side] for side in ("x0", "y0", "x1", "y1"))


def _is_in(point: tuple[float, ...], box: tuple[float, ...]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    common = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return common / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - common)


def _listed(table: np.ndarray) -> list[list[float | None]]:
    """A table [layers, heads] as JSON has it: six digits, None for NaN."""
    return [[None if np.isnan(value) else float(f"{value:.6g}") for value in row] for row in table]
