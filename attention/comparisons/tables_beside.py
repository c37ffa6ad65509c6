"""Measures of runs beside a comparison's members: tables of noise floors and of the two parts of a change.

Owns the names of these tables, their shapes, and which rows of a floor's run stand for rows of the base's. Needs NumPy
alone; what a floor says of a change is the business of `floors`.

    floor.<tower>.<measure>      float32 [floors, layers, heads, rows]: the floor's run against the base's
    floor.<tower>.cells_mass     float32 [floors, layers, heads, cells]: by how much what cells have changed
    floor.<tower>.cells_share    of rows divided by their mass on pictures; both are means over the answer's rows
    floor.<tower>.cells          float32 [floors, layers, heads, answer's rows, cells]: what the floor's rows have there
    floor.logprob                float32 [floors, tokens of the answer in common]
    direct.<tower>.<measure>     float32 [others, layers, heads, rows], NaN of members that are no adapters
    inherited.<tower>.<measure>  likewise
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention.limits import MAX_TABLE_VALUES
from attention.measures import differences
from attention.runs.run import Run

from .aligning import aligned_rows
from .alike import first_unlike
from .asked_beside import PARTS
from .measuring import measure, range_of

Step = Callable[[int], None]
CELLS = ("cells_mass", "cells_share")
ON_CELLS = "cells"  # the rows themselves, where they are no more than MAX_TABLE_VALUES


def floor_table(name: str, tower: str | None = None) -> str:
    """Name of a table of floors: of a measure, of CELLS or ON_CELLS in a tower, or `logprob`."""
    return f"floor.{name}" if tower is None else f"floor.{tower}.{name}"


def part_table(part: str, name: str, tower: str) -> str:
    """Name of a table of a part of the change."""
    return f"{part}.{tower}.{name}"


class Floor:
    """A floor's run, and the rows of it that stand for rows of the base's."""

    def __init__(self, base: Run, run: Run):
        self.base, self.run = base, run
        ids = [[token["id"] for token in each.info["tokens"]] for each in (base, run)]
        pairs = enumerate(zip(*ids, strict=False))
        self.shared = next((at for at, (one, other) in pairs if one != other), min(map(len, ids)))
        is_same = ids[0] == ids[1]
        self.aligned = [] if is_same else aligned_rows(base.info, run.info, self.shared)

    def why_not(self) -> str | None:
        """The reason why its rows cannot be set against the base's; None where they can."""
        unlike = first_unlike(self.run.info, self.base.info, self.shared)
        towers = self.base.towers()
        is_read_before = "encoder" in towers and self.base.keys_with_columns("encoder")[-1] >= self.shared
        if unlike is None and not is_read_before:
            return None
        what = "other words stand before what is read of the picture"
        return f"Its rows stand for none of the base's: {what if is_read_before or unlike is None else unlike.where}."

    def measured(self, tower: str, rows: Sequence[int], step: Step) -> dict[str, np.ndarray]:
        """Every measure of some rows of a tower: float32 [layers, heads, rows] each."""
        found = measure(self.base, [self.run], tower, rows, step, [self.aligned], self.shared)
        return {name: values[0] for name, values in found.items()}

    def spans(self, tower: str, rows: Sequence[int]) -> dict[int, tuple[tuple[int, int], tuple[int, int]]]:
        """Of those of the base's rows that have a counterpart: first and last row of both that are taken together."""
        found = {}
        for row in rows:
            if tower == "vision" or row < self.shared:
                found[row] = (row, row), (row, row)
                continue
            group = next((each for each in self.aligned if row in range_of(each["base"])), None)
            if group is not None:
                found[row] = (group["base"][0], group["base"][1]), (group["other"][0], group["other"][1])
        return found

    def together(self) -> list[list[int]]:
        """First and last of each of the base's rows that are taken together, ascending."""
        return [list(group["base"]) for group in self.aligned if group["base"][1] > group["base"][0]]

    def cells(self, tower: str, rows: Sequence[int], are_kept: bool) -> dict[str, np.ndarray]:
        """Tables of what cells have, by their names: those of CELLS, and if the rows are kept ON_CELLS.

        CELLS float32 [layers, heads, cells] are by how much cells have more than in the base's rows, means over rows,
        of shares over those that read pictures in both; ON_CELLS [layers, heads, rows, cells] is NaN of a row that
        stands for none.
        """
        where, _ = self.base.pictures(tower)
        where = np.arange(self.base.keys(tower))[where]
        found = np.zeros((2, len(self.base.layers(tower)), self.base.heads(tower), len(where)), np.float32)
        kept = np.full((*found.shape[1:3], len(rows) if are_kept else 0, len(where)), np.nan, np.float32)
        spans = self.spans(tower, rows) if len(where) else {}
        for at, layer in enumerate(self.base.layers(tower)) if spans else ():
            mass, share = np.zeros((2, *found.shape[2:]), np.float64)
            known = np.zeros((found.shape[2], 1))
            for row, pair in spans.items():
                before, after = (
                    _mean_row(run, layer, tower, *span)[:, where]
                    for run, span in zip((self.base, self.run), pair, strict=True)
                )
                if are_kept:
                    kept[at, :, rows.index(row)] = after
                mass += after - before
                sums = before.sum(axis=-1, keepdims=True), after.sum(axis=-1, keepdims=True)
                is_known = (sums[0] > 0) & (sums[1] > 0)
                with np.errstate(invalid="ignore", divide="ignore"):
                    share += np.where(is_known, after / sums[1] - before / sums[0], 0)
                known += is_known
            with np.errstate(invalid="ignore", divide="ignore"):
                found[:, at] = mass / len(spans), np.where(known > 0, share / known, np.nan)
        return dict(zip(CELLS, found, strict=True)) | ({ON_CELLS: kept} if are_kept else {})


def _mean_row(run: Run, layer: int, tower: str, first: int, last: int) -> np.ndarray:
    rows = np.concatenate([rows for _, rows in run.dense_chunks(layer, tower, first, last + 1)], axis=1)
    mean: np.ndarray = rows.mean(axis=1, dtype=np.float64)
    return mean


def floor_tables(
    base: Run,
    floors: Sequence[tuple[dict[str, Any], Path | None]],
    queries: Mapping[str, Sequence[int]],
    answering: Mapping[str, Sequence[int]],
    n_shared: int,
    measured: Sequence[str],
    step: Step,
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Records of floors for comparison.json, and their tables; `step` is told of layers done.

    `queries` are the rows by tower that were compared, `answering` those of them over which a mean is taken. A floor
    whose rows stand for none of the base's is left out, and its record says `why`; so do those that were not run.
    """
    records, tables = [], []
    with_rows = towers_with_rows(base, answering, sum(folder is not None for _, folder in floors))
    for record, folder in floors:
        if folder is None:
            records.append(record)
            continue
        with Run(folder) as run:
            floor = Floor(base, run)
            why = floor.why_not()
            if why is not None:
                records.append(record | {"why": why})
                continue
            of_run = {floor_table("logprob"): np.array(run.info.get("logprobs", [])[:n_shared], np.float32)}
            for tower, rows in queries.items() if measured else ():
                for name, values in floor.measured(tower, rows, step).items():
                    of_run[floor_table(name, tower)] = values
                for name, values in floor.cells(tower, answering[tower], tower in with_rows).items():
                    of_run[floor_table(name, tower)] = values
            together = floor.together()
            records.append(record | ({"together": together} if together else {}))
            tables.append(of_run)
    records.sort(key=lambda record: "why" in record)
    return records, {name: np.stack([each[name] for each in tables]) for name in (tables[0] if tables else ())}


def towers_with_rows(base: Run, answering: Mapping[str, Sequence[int]], n_floors: int) -> list[str]:
    """The towers in which the rows of so many floors are kept: those where they have room in a table."""
    found = []
    for tower, rows in answering.items():
        n_cells = len(np.arange(base.keys(tower))[base.pictures(tower)[0]])
        n_values = n_floors * len(base.layers(tower)) * base.heads(tower) * len(rows) * n_cells
        if 0 < n_values <= MAX_TABLE_VALUES:
            found.append(tower)
    return found


def part_tables(
    base: Run,
    folders: Sequence[str],
    parts: Mapping[str, Mapping[str, Path]],
    queries: Mapping[str, Sequence[int]],
    aligned: Mapping[str, Sequence[dict[str, Any]]],
    shared: int,
    step: Step,
) -> dict[str, np.ndarray]:
    """Tables of the parts of each member's change; `folders` are the members after the base, `aligned` their rows."""
    tables = {
        part_table(part, name, tower): np.full(
            (len(folders), len(base.layers(tower)), base.heads(tower), len(rows)), np.nan, np.float32
        )
        for part in PARTS for tower, rows in queries.items() for name in differences.NAMES
    }  # fmt: skip
    for at, folder in enumerate(folders):
        for part, place in parts.get(folder, {}).items():
            with Run(place) as run:
                is_same = [token["id"] for token in run.info["tokens"]] == [t["id"] for t in base.info["tokens"]]
                common = len(base.info["tokens"]) if is_same else shared
                rows_of_run = [] if is_same else aligned[folder]
                for tower, rows in queries.items():
                    for name, values in measure(base, [run], tower, rows, step, [rows_of_run], common).items():
                        tables[part_table(part, name, tower)][at] = values[0]
    return tables
