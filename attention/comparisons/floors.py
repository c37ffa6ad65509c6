"""Noise floors of a comparison: how far the base moves by itself, in each head, and a change as a multiple of that.

A floor is of a kind (`asked_beside.FLOORS`): the base once more, in another number format, or asked the same in other
words. Of several runs of a kind it is the mean of how far each moved. Owns that rule; which tables there are says
`tables_beside`. Needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attention.errors import NotInRun, quoted

from .asked_beside import FLOORS
from .tables_beside import floor_table

if TYPE_CHECKING:
    from .comparison import Comparison

NO_FLOORS = "Noise floors were not asked for: compare anew, with floors (compare --floors dtype,paraphrase)."


def measured_floors(comparison: Comparison) -> list[dict[str, Any]]:
    """The floors that were measured, in the order of their tables: {kind, and of a kind `dtype` or `prompt`}."""
    return [record for record in comparison.info.get("floors", []) if "why" not in record]


def floor_kinds(comparison: Comparison) -> list[str]:
    """Their kinds, each once, in the order of FLOORS."""
    kinds = {record["kind"] for record in measured_floors(comparison)}
    return sorted(kinds, key=lambda kind: FLOORS.index(kind) if kind in FLOORS else len(FLOORS))


def floor_change(
    comparison: Comparison,
    kind: str,
    measure: str,
    query: int | str = "mean",
    tower: str = "language",
) -> np.ndarray:
    """Movement of each head of the base by itself: float32 [layers, heads], 0 and more, in the measure's unit.

    Of one row that was compared beforehand, or of the mean over the answer's rows, as `Comparison.change`; NaN where it
    is not known. Of a region it is `region_floors.region_floor`. Raises NotInRun.
    """
    places = floor_places(comparison, kind)
    comparison.require_heads()
    if measure not in comparison.measures(tower):
        raise NotInRun(f"There is no measure {quoted(measure)}; there is {', '.join(comparison.measures(tower))}.")
    queries = comparison.queries(tower)
    rows = comparison.rows_of_change(query, tower)
    if not set(rows) <= set(queries):
        raise NotInRun(f"A noise floor is known of the rows that were compared, and row {quoted(query)} was not.")
    table = comparison.read_table(floor_table(measure, tower))[places][..., [queries.index(row) for row in rows]]
    return mean_of_floors(table)


def mean_of_floors(moved: np.ndarray) -> np.ndarray:
    """The mean over floors of how far each moved over rows, [floors, layers, heads, rows]: float32 [layers, heads]."""
    return _mean(np.abs(_mean(moved)), axis=0)


def times_floor(
    comparison: Comparison,
    kind: str,
    measure: str,
    adapter: int,
    query: int | str = "mean",
    tower: str = "language",
    part: str | None = None,
) -> np.ndarray:
    """A change as a multiple of a floor, without its sign: float32 [layers, heads].

    1 is as far as the base moves by itself. Infinite where the floor is 0 and the change is not, NaN where both are 0
    or one is not known. Raises NotInRun.
    """
    change = comparison.change(measure, adapter, query, tower, part)
    return multiples(change, floor_change(comparison, kind, measure, query, tower))


def multiples(change: np.ndarray | float, floor: np.ndarray) -> np.ndarray:
    """Changes as multiples of a floor, as `times_floor` has them."""
    with np.errstate(invalid="ignore", divide="ignore"):
        multiple: np.ndarray = np.abs(change) / floor
    return multiple


def floor_logprob(comparison: Comparison, kind: str) -> np.ndarray:
    """Movement of the log-probability of each shared token of the answer by itself: float32 [tokens], nats."""
    table = comparison.read_table(floor_table("logprob"))[floor_places(comparison, kind)]
    mean: np.ndarray = np.abs(table - comparison.logprobs()[0]).mean(axis=0, dtype=np.float64)
    return mean.astype(np.float32)


def multiples_words(times: Mapping[str, float | None]) -> list[str]:
    """Words for multiples of floors by their kinds: "3.1x the dtype floor", "0.8x the paraphrase floor (below it)"."""
    return [
        f"{value:,.{0 if value >= 100 else 1}f}x the {kind} floor{'' if value > 1 else ' (below it)'}"
        for kind, value in times.items()
        if value is not None
    ]


def unmeasured_words(record: Mapping[str, str]) -> str:
    """Sentence on a noise floor of comparison.json that could not be measured, and why."""
    return f"The noise floor {record['kind']} could not be measured: {record['why']}"


def floor_places(comparison: Comparison, kind: str) -> list[int]:
    """Places of the floors of a kind in the tables. Raises NotInRun with the reason where there is none."""
    measured = measured_floors(comparison)
    places = [at for at, record in enumerate(measured) if record["kind"] == kind]
    if places:
        return places
    left_out = [each for each in comparison.info.get("floors", []) if each["kind"] == kind]
    if left_out:
        raise NotInRun(unmeasured_words(left_out[0]))
    if not measured:
        raise NotInRun(NO_FLOORS)
    raise NotInRun(f"There is no noise floor {quoted(kind)}; there is {', '.join(floor_kinds(comparison))}.")


def _mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """The mean of what is known, NaN where nothing is: float32."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = np.where(known, values, 0).sum(axis=axis, dtype=np.float64) / known.sum(axis=axis)
    return mean.astype(np.float32)
