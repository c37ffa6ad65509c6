"""Measures of a region of a picture, head by head: as an object for programs, and as a table to keep.

Owns the fields of both, and how a region is read from what a person wrote. How it is measured is the business of
`attention.runs.regions` and `attention.comparisons.regions`.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from attention.comparisons.comparison import BASE, Comparison
from attention.comparisons.floors import multiples
from attention.comparisons.region_floors import region_floors
from attention.errors import InvalidRequest, NotInRun, quoted
from attention.measures.regions import NAMES
from attention.places.of_run import run_places
from attention.runs.regions import Region, RegionScores, answer_regions, read_region, region_scores
from attention.runs.run import Run

from .tables import without_formula
from .wanted import REGION, Wanted, is_given

ORDERS = ("share", "change")
LABEL_SIGNS = 200
CHANCE = ("random_mean", "random_spread", "random_heads", "uniform", "central")
ONE_RUN = "run"  # the member's name, where there is one alone

Floors = Mapping[str, Mapping[str, np.ndarray]]  # by kind and measure: float32 [layers, heads]


def wanted_region(found: Run | Comparison, wanted: Wanted) -> Region | None:
    """The region that an export names, on a picture of the run or of all members; None where it names none.

    Raises InvalidRequest or NotInRun.
    """
    named = wanted.of(REGION)
    places = {name: named[name] for name in ("box", "point") if named[name] is not None}
    if not places:
        for name in ("image", "label"):
            if is_given(named[name]):
                raise InvalidRequest(f"{name} is of a region: name a box or a point too, or leave it out.")
        return None
    return read_place(found, label=named["label"] or "", image=named["image"] or 0, **places)


def read_place(
    found: Run | Comparison,
    box: Sequence[float] | str | None = None,
    point: Sequence[float] | str | None = None,
    image: int = 0,
    label: str = "",
) -> Region:
    """A box or a point, as numbers or as a text with commas between them. Raises InvalidRequest or NotInRun."""
    if (box is None) == (point is None):
        raise InvalidRequest("Name a box or a point, one of the two.")
    if not isinstance(label, str) or len(label) > LABEL_SIGNS:
        raise InvalidRequest(f"label is {quoted(label)}; it must be a text of up to {LABEL_SIGNS} signs.")
    name, given, count = ("box", box, 4) if point is None else ("point", point, 2)
    sides = _sides(given)
    if len(sides) != count:
        raise InvalidRequest(f"{name} is {quoted(given)}; it must be {count} numbers: {'x0, y0, x1, y1'[: count * 4]}.")
    return read_region(base_of(found), sides, image, label)


def _sides(given: Any) -> list[Any]:
    if not isinstance(given, str):
        return list(given) if isinstance(given, Sequence | np.ndarray) else []
    try:
        return [float(part) for part in given.split(",")]
    except ValueError:
        return []


def base_of(found: Run | Comparison) -> Run:
    return found.base if isinstance(found, Comparison) else found


def place_of_answer(found: Run | Comparison, coordinates: str | None = None) -> Region:
    """The first place that the answer names; of several answers the base's, or else the first that names one.

    With `coordinates` its numbers are read anew, as `attention.run_places` does. Raises InvalidRequest or NotInRun.
    """
    runs = list(found.runs.values()) if isinstance(found, Comparison) else [found]
    anew = [run_places(run, coordinates) for run in runs] if coordinates else [None for _ in runs]
    infos = [found.info_of(name) for name in found.runs] if isinstance(found, Comparison) else [found.info]
    for run, info, places in zip(runs, infos, anew, strict=True):
        if named := answer_regions(run, places.fields() if places else info):
            return named[0]
    if coordinates:
        notes = [note for places in anew if places for note in places.notes]
        raise NotInRun(" ".join(["The answer names no place that is certain then.", *dict.fromkeys(notes)]))
    raise NotInRun("The answer names no place that is certain: give a box or a point.")


def row_of_answer(found: Run | Comparison, tower: str, query: int | None) -> int:
    """The row that is asked for, or the one that predicts the answer. Raises InvalidRequest."""
    if query is None and tower == "vision":
        raise InvalidRequest("Give a query, a patch: no row of the vision tower predicts the answer.")
    run = base_of(found)
    if query is None and not run.info.get("prompt_tokens"):
        raise InvalidRequest("Give a query: this run does not say where its answer begins.")
    return int(run.info["prompt_tokens"]) - 1 if query is None else query


def member_scores(
    found: Run | Comparison, region: Region, query: int, tower: str = "language", until: int | None = None
) -> dict[str, RegionScores]:
    """Every member's measures of one row on a region, by the members' folders; of a run its own.

    Of a row beyond those in common each member's is that which stands for it. Raises NotInRun where one has none.
    """
    if not isinstance(found, Comparison):
        return {ONE_RUN: region_scores(found, region, query, tower, until)}
    rows = [found.rows_of_change(row, tower)[0] for row in (query, query if until is None else until)]
    beside, scores = found.member_of(0), {}
    for name, run in found.runs.items():
        begin, end = (found.span_of(name, row, tower, beside) or found.rows_of(name, row) for row in rows)
        scores[name] = region_scores(run, region, begin[0], tower, end[1] if end[1] > begin[0] else None)
    return scores


def known_floors(
    found: Run | Comparison, region: Region, query: int, tower: str = "language", until: int | None = None
) -> Floors:
    """The noise floors of one row on a region; empty where they are not known, as of the mean of several rows."""
    if not isinstance(found, Comparison) or found.is_side_by_side or until not in (None, query):
        return {}
    return region_floors(found, region, query, tower)


def region_record(
    found: Run | Comparison,
    scores: Mapping[str, RegionScores],
    tower: str,
    top: int,
    by: str | None = None,
    floors: Floors | None = None,
) -> dict[str, Any]:
    """Describe the heads with the most in a region, for programs: {folder, kind, members}.

    Of a comparison every member but the base has `changes` too: heads with their measures `before`, in the base, and
    `after`. Their order is `by` the size of the share's change (of a comparison the default), or the share itself.
    With `floors` each has `times`, {kind: {measure: the change as a multiple}}, None of a floor of 0.
    Members side by side have no `changes`, each its own heads, and `side_by_side` says why.
    """
    if by is not None and by not in ORDERS:
        raise InvalidRequest(f"by is {quoted(by)}; it must be one of {', '.join(ORDERS)}.")
    if by == "change" and not isinstance(found, Comparison):
        raise InvalidRequest("One run has no change: leave by out, or name a comparison.")
    has_changes = isinstance(found, Comparison) and not found.is_side_by_side
    if by == "change" and isinstance(found, Comparison):
        found.require_heads()
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise InvalidRequest(f"top is {quoted(top)}; it must be at least 1.")
    members = []
    for name, own in scores.items():
        member = {"member": name, **_about(own, tower), "heads": _heads(own, own.best(n=top))}
        if has_changes and name != BASE:
            member["changes"] = _changes(scores[BASE], own, top, by or "change", floors or {})
        members.append(_without_nan(member))
    why = {"side_by_side": found.why_side_by_side()} if isinstance(found, Comparison) and not has_changes else {}
    return {"folder": str(found.folder), "kind": found.kind, **why, "members": members}


def _about(scores: RegionScores, tower: str) -> dict[str, Any]:
    region = scores.region
    return {
        "region": list(region.place), "image": region.image, "label": region.label, "query": scores.query,
        "tower": tower, "uniform": scores.uniform, "central": scores.central,
    }  # fmt: skip


def _heads(scores: RegionScores, places: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    return [{"layer": layer, "head": head, **scores.of_head(layer, head)} for layer, head in places]


def _changes(before: RegionScores, after: RegionScores, top: int, by: str, floors: Floors) -> list[dict[str, Any]]:
    """The heads that changed most, or have most now: [{layer, head, before, after, change, times}]."""
    shares = after.tables["region_share"], after.tables["region_share"] - before.tables["region_share"]
    size = np.nan_to_num(shares[0] if by == "share" else np.abs(shares[1]), nan=-1)
    found = []
    for place in np.argsort(-size, axis=None, kind="stable")[:top]:
        i, head = divmod(int(place), size.shape[1])
        if np.isnan(shares[1][i, head]):
            continue
        there, here = (before.of_head(before.layers[i], head), after.of_head(after.layers[i], head))
        change = {name: here[name] - there[name] for name in NAMES}
        times = {
            kind: {name: float(multiples(change[name], table[i, head])) for name, table in of_kind.items()}
            for kind, of_kind in floors.items()
        }
        record = {"layer": after.layers[i], "head": head, "before": there, "after": here, "change": change}
        found.append(record | ({"times": times} if times else {}))
    return found


def _without_nan(content: Any) -> Any:
    """The same with None for what is no number: JSON has none."""
    if isinstance(content, dict):
        return {name: _without_nan(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_region_csv(
    found: Run | Comparison,
    scores: Mapping[str, RegionScores],
    tower: str,
    file: BinaryIO,
    floors: Floors | None = None,
) -> None:
    """Write as comments, `# name: JSON`, what it is of, then every head of every member: its measures, and chance.

    With `floors` columns such as `floor_dtype_region_share` follow: how far the base moves by itself.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    about = {
        found.kind: found.info["id"],
        "model": found.info["model"]["id"],
        **_about(next(iter(scores.values())), tower),
    }
    if isinstance(found, Comparison):
        members = found.info["members"]
        about["members"] = {m["folder"]: m.get("name") or (m.get("adapter") or {}).get("id", "") for m in members}
    for name, value in about.items():
        if name not in ("uniform", "central"):
            said = json.dumps(value, ensure_ascii=False)
            text.write(f"# {name}: {without_formula(said)}\n")
    of_floors = {f"floor_{kind}_{name}": each for kind, of in (floors or {}).items() for name, each in of.items()}
    text.write(f"member,layer,head,{','.join((*NAMES, *CHANCE, *of_floors))}\n")
    rows = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    for name, own in scores.items():
        chance = {"uniform": own.uniform, "central": own.central}
        for i, layer in enumerate(own.layers):
            for head in range(own.tables[NAMES[0]].shape[1]):
                values = own.of_head(layer, head) | chance
                moved = [float(table[i, head]) for table in of_floors.values()]
                rows.writerow(
                    [name, layer, head, *map(_written, [*(values[each] for each in (*NAMES, *CHANCE)), *moved])]
                )
    text.detach()  # which leaves the file open, as it was


def _written(value: float) -> float | str:
    """A number with what float32 holds of it; nothing for none."""
    return "" if math.isnan(value) else value if isinstance(value, int) else float(f"{value:.7g}")
