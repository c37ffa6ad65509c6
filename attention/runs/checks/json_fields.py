"""Checks of the fields of a JSON file that somebody else wrote: types, ranges, lengths, in words.

Owns the limits of any such file and how a wrong value is told of. Knows no field by its name, and no file's layout.
"""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from typing import Any, NoReturn

from attention.errors import DamagedRun, quoted
from attention.limits import MAX_JSON_DEPTH, MAX_NAME, MAX_TEXT, MAX_WHOLE

FIRST_YEAR, LAST_YEAR = 1970, 2200  # of a time: what calendars of every system and zone can write
A_TIME = f"a time as 2026-01-31T12:00:00+00:00, of the years {FIRST_YEAR} to {LAST_YEAR}"


def parse_json(data: bytes) -> Any:
    """JSON as Python values. Raises ValueError, also for what is not finite or nested too deeply."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no number in JSON")

    def finite(text: str) -> float:
        return value if math.isfinite(value := float(text)) else refuse(text)

    try:
        return json.loads(data.decode("utf-8"), parse_constant=refuse, parse_float=finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def zoned_time(text: str) -> datetime:
    """A time as ISO 8601 with its zone. Raises ValueError, also for years that not every calendar can write."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None or not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise ValueError(f"{text} is not {A_TIME}")
    return time


class Fields:
    """The checks of one file's fields; `file` is what it is called, as in "run.json of this run".

    Each method returns the value, or raises DamagedRun: which field has what, and what it must be.
    """

    def __init__(self, file: str):
        self.file = file

    def wrong(self, where: str, value: object, wanted: str) -> DamagedRun:
        """Make the error for a field that has another value than it may."""
        return DamagedRun(f"{self.file} is damaged: {where} is {quoted(value)}; it must be {wanted}.")

    def whole(self, value: object, where: str, first: int, end: int) -> int:
        """A whole number of [first, end)."""
        if isinstance(value, bool) or not isinstance(value, int) or not first <= value < end:
            if end == first + 1:
                wanted = f"{first:,}"
            else:
                wanted = f"a whole number from {first:,} to {end - 1:,}" if first < end else "left out: there are none"
            raise self.wrong(where, value, wanted)
        return value

    def number(
        self, value: object, where: str, most: float = MAX_WHOLE, least: float | None = None, optional: bool = False
    ) -> float | None:
        """A number from `least` to `most`; where no least one is named, no further from 0 than `most`."""
        if value is None and optional:
            return None
        least = -most if least is None else least
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self.wrong(
                where, value, f"a number {f'up to {most:,}' if least < 0 else f'from {least:,} to {most:,}'}"
            )
        return value

    def text(self, value: object, where: str, most: int, optional: bool = False) -> str | None:
        """A text of at most so many characters."""
        if value is None and optional:
            return None
        if not isinstance(value, str):
            raise self.wrong(where, value, "a text")
        if len(value) > most:
            raise self.wrong(where, value, f"at most {most:,} characters long, and has {len(value):,}")
        if re.search("[\ud800-\udfff]", value):
            raise self.wrong(where, value, "whole signs: it has half of one")
        return value

    def time(self, value: object, where: str) -> datetime:
        """A time that says its zone, as 2026-01-31T12:00:00+00:00."""
        try:
            return zoned_time(self.text(value, where, MAX_NAME) or "")
        except ValueError:
            raise self.wrong(where, value, A_TIME) from None

    def listed(self, value: object, where: str, most: int) -> list[Any]:
        """A list of at most so many values."""
        if not isinstance(value, list):
            raise self.wrong(where, value, "a list")
        if len(value) > most:
            raise self.wrong(where, f"{len(value):,} long", f"a list of at most {most:,}")
        return value

    def record(self, value: object, where: str) -> dict[str, Any]:
        """A record of named fields."""
        if not isinstance(value, dict):
            raise self.wrong(where, value, "a record of named fields")
        return value

    def plain(self, info: dict[str, Any]) -> None:
        """Nothing that could not be sent on as JSON: no endless numbers, no halves of signs, no lists without end."""
        level, depth = [("", info)], 0  # each value with the field that it lies in
        while level:
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise DamagedRun(f"{self.file} is damaged: {level[0][0]} is nested too deeply.")
            below = []
            for field, value in level:
                if isinstance(value, dict):
                    for name in value:
                        self._whole_signs(name, "a name")
                    below += [(field or name, each) for name, each in value.items()]
                elif isinstance(value, list):
                    below += [(field, each) for each in value]
                elif isinstance(value, str):
                    self._whole_signs(value, f"a text of {field}")
                elif isinstance(value, int | float) and not abs(value) <= MAX_WHOLE:  # NaN is not
                    raise self.wrong(f"a number of {field}", value, f"finite and at most {MAX_WHOLE:,}")
            level = below

    def _whole_signs(self, value: str, where: str) -> None:
        if not value.isascii() or len(value) > MAX_TEXT:
            self.text(value, where, MAX_TEXT)
