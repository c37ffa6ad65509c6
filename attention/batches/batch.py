"""A batch as it lies in its folder, finished or growing: its rows, and its numbers as arrays. Needs no model.

Owns how the files of several shards are one batch: items in the order of the set, each once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention.errors import DamagedRun, NotInRun, quoted, shown_path

from .folder import ERRORS, ITEMS, NUMBER, OTHERWISE, read_index, rows_in
from .tables import PLACED, names_of, of_item, of_place

BASE = "base"


def open_batch(folder: str | os.PathLike[str]) -> Batch:
    """Open the folder of a batch, also one that is still worked on. Raises DamagedRun where it holds none."""
    return Batch(folder)


class Batch:
    """Items and their numbers. `info` is the content of batch.json, `folder` where it lies.

    What is written later is seen by who opens it again. `rows` are the items, without their numbers.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self.info = read_index(self.folder)
        self._maps: dict[str, np.ndarray] = {}
        found: dict[str, dict[str, Any]] = {}
        for row in rows_in(self.folder, ITEMS):
            found.setdefault(row["key"], row)
        self._rows: dict[str, list[dict[str, Any]]] = {member: [] for member in self.members}
        for row in sorted(found.values(), key=lambda row: row["number"]):
            for member in row["members"]:
                if member["member"] in self._rows:
                    self._rows[member["member"]].append({**row, **member})
        self._keys = set(found)

    def __len__(self) -> int:
        return len(self.rows())

    @property
    def members(self) -> list[str]:
        """The members, the base first: `base`, `adapter_1`, `model_2` and so on."""
        return [member["member"] for member in self.info["members"]]

    @property
    def readings(self) -> list[str]:
        """The kinds of readings that are made of every item."""
        return list(self.info.get("readings") or ())

    def rows(self, member: str = BASE) -> list[dict[str, Any]]:
        """The finished items of a member, in the order of the set. Raises NotInRun for a member that is none."""
        if member not in self._rows:
            raise NotInRun(f"There is no model {quoted(member)} in this batch; there is {', '.join(self.members)}.")
        return self._rows[member]

    def errors(self) -> list[dict[str, Any]]:
        """Lines that could not be used and items that could not be run, with their `reason`, in order."""
        found = {row["key"]: row for row in rows_in(self.folder, ERRORS) if row["key"] not in self._keys}
        return sorted(found.values(), key=lambda row: row["number"])

    def otherwise(self) -> list[dict[str, Any]]:
        """Answers that were other in a batch than alone: each was taken as it was alone."""
        return list({row["key"]: row for row in rows_in(self.folder, OTHERWISE)}.values())

    def shape(self, member: str = BASE) -> tuple[int, int]:
        """Numbers of layers and heads of a member's tables; (0, 0) where it has no item yet."""
        row = next(iter(self.rows(member)), None)
        return (len(row["layers"]), row["heads"]) if row is not None else (0, 0)

    def names(self, member: str = BASE) -> list[str]:
        """Names of the tables that `table` gives of a member."""
        at_places = of_place(self.readings) if any(row["places"] for row in self.rows(member)) else []
        return of_item(self._is_compared(member), self.readings) + at_places

    def table(self, name: str, member: str = BASE, rows: Sequence[dict[str, Any]] | None = None) -> np.ndarray:
        """Table of every head on every item: float32 [items, layers, heads], NaN where it has no value.

        Those of a place are of an item's first one; `tables_at` has them all. `rows` are some of the member's.
        """
        if name not in self.names(member):
            raise NotInRun(f"There is no table {quoted(name)}; there is {', '.join(self.names(member))}.")
        shape = self.shape(member)
        result = np.full((len(self.rows(member) if rows is None else rows), *shape), np.nan, np.float32)
        for number, row in enumerate(self.rows(member) if rows is None else rows):
            found = self.tables_of(row)
            values = found.get(f"0.{name}" if name in PLACED else name)
            if values is not None and values.shape == shape:
                result[number] = values
        return result

    def tables_of(self, row: dict[str, Any]) -> dict[str, np.ndarray]:
        """All tables of one row, float32 [layers, heads] by name; those of a place begin with its number, `0.`."""
        names = names_of(self._is_compared(row["member"]), len(row["places"]), self.readings)
        shape = len(row["layers"]), row["heads"]
        if len(names) != row["tables"]:
            raise DamagedRun(
                f"The row of {quoted(row['name'])} in {shown_path(self.folder)} has other tables than it says."
            )
        begin = row["begin"]
        content = self.numbers_of(row)[begin : begin + len(names) * shape[0] * shape[1]]
        try:
            return dict(zip(names, content.reshape(len(names), *shape), strict=True))
        except ValueError:
            raise DamagedRun(f"{row['numbers']['file']} in {shown_path(self.folder)} has lost numbers.") from None

    def numbers_of(self, row: dict[str, Any]) -> np.ndarray:
        """All numbers of an item, those of its members one behind another: float32."""
        numbers = row["numbers"]
        begin = numbers["at"] // NUMBER.itemsize
        return self._map(numbers["file"])[begin : begin + numbers["bytes"] // NUMBER.itemsize]

    def by_place(self, member: str = BASE) -> Iterator[tuple[dict[str, Any], int | None]]:
        """Each row with each of its places by number, and once with None where it has none."""
        for row in self.rows(member):
            yield from ((row, place) for place in range(len(row["places"]))) if row["places"] else [(row, None)]

    def _is_compared(self, member: str) -> bool:
        """True for members that were run beside the base, as adapters are."""
        record = next(each for each in self.info["members"] if each["member"] == member)
        return record["adapter"] is not None

    def _map(self, name: str) -> np.ndarray:
        if name not in self._maps:
            try:
                if Path(name).name != name:
                    raise FileNotFoundError
                self._maps[name] = np.memmap(self.folder / name, NUMBER, "r")
            except (OSError, ValueError):
                raise DamagedRun(f"{name} in {shown_path(self.folder)} cannot be read.") from None
        return self._maps[name]
