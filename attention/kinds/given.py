"""Values of fields as they come, as what they stand for: JSON has 3.0 for 3, and a form has nothing for None."""

from __future__ import annotations

import re
from typing import Any

from attention.errors import InvalidRequest, quoted
from attention.readings.reading import check_asked_again
from attention.readings.target import Target
from attention.runs.run import Run


def number(name: str, value: Any, default: int | None = None) -> int:
    """A whole number that is not negative. Raises InvalidRequest for anything else."""
    if value is None and default is not None:
        return default
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    if not is_whole or value < 0:
        raise InvalidRequest(f"{name} is {quoted(value)}; it must be a whole number, 0 or more.")
    return int(value)


def numbers(name: str, value: Any) -> list[int] | None:
    """Several such numbers, or one, or a text of some with commas between; None where none are given."""
    if value is None or value in ("", []):
        return None
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}(,\d{1,9})*", value):
        return [int(each) for each in value.split(",")]
    return [number(name, each) for each in _listed(value)]


def words(name: str, value: Any) -> list[str] | None:
    """Several words, as a list or with commas between; None where none are given."""
    if value is None or value in ("", []):
        return None
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InvalidRequest(f"{name} is {quoted(value)}; it must be a list of words.")
    return given


def target_of(run: Run, given: Any) -> Target:
    """The target that `tokens` and `against` name, of a run whose model can be asked again."""
    check_asked_again(run)
    against = given.get("against")
    return Target.of(
        run, numbers("tokens", given.get("tokens")), None if against is None else number("against", against)
    )


def _listed(value: Any) -> list:
    return value if isinstance(value, list) else [value]
