"""One map of two members of a comparison: which rows are meant, their numbers, how they and their difference are drawn.

Knows comparisons and selections of runs; knows no picture, neither models nor Gradio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from attention.drawing.colour_range import (
    Drawn,
    DrawnDifference,
    MapCells,
    drawn_difference,
    drawn_together,
    signed_together,
)
from attention.drawing.look import LARGEST, Look
from attention.errors import InvalidRequest, NotInRun, quoted
from attention.kinds.kept import run_as_read
from attention.measures import differences
from attention.runs.run import Run
from attention.runs.selection import Choice, Selection, plain, select

from .comparison import BASE, Comparison
from .measuring import on_common_keys

OWN = "largest"  # of a difference's range: it ends at the largest difference


@dataclass(frozen=True)
class ComparedMaps:
    """The same row, column or mean of two members, `left` and `right`. Made by `compared_maps`."""

    comparison: Comparison
    left: str
    right: str
    before: Selection
    after: Selection

    @property
    def is_side_by_side(self) -> bool:
        """True if each is of a layer and a head of its own: then nothing is measured between them."""
        return self.comparison.is_side_by_side

    @cached_property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Of `left` and of `right` with their own words: float32 [keys], or of a column [queries]."""
        return self.before.values(exact=True)[0], self.after.values(exact=True)[0]

    @cached_property
    def values(self) -> tuple[np.ndarray, np.ndarray]:
        """Of `left` and of `right`: float32 [shared keys], or of a column [shared queries], from queries and keys."""
        end = self.comparison.shared(self.before.tower) if self.before.are_of_tokens else None
        return self.rows[0][:end], self.rows[1][:end]

    @cached_property
    def image_keys(self) -> np.ndarray:
        """The keys that are cells of pictures."""
        where, _ = self.comparison.base.pictures(self.before.tower)
        return np.arange(self.before.run.keys(self.before.tower))[where]

    def sinks(self, selection: Selection) -> np.ndarray:
        """The keys of a member's sinks, of those that both have."""
        return np.asarray([key for key in selection.sinks if key < len(self.values[0])], np.int64)

    @property
    def stands_for(self) -> dict[str, Any] | None:
        """The record of aligned rows that its rows are of; None of those that both have in common."""
        shared, other = self.comparison.shared(self.before.tower), self.right if self.right != BASE else self.left
        if self.before.tower == "vision" or self.before.query is None or self.after.query is None:
            return None
        which, query = ("base", self.before.query) if self.left == BASE else ("other", self.after.query)
        groups = self.comparison.aligned(other)
        return next((each for each in groups if each[which][0] == query and each[which][1] >= shared), None)

    @property
    def is_signed(self) -> bool:
        """True if the values are effects of a forecast, in the place of attention."""
        return self.before.run.is_signed

    @property
    def predicts_the_same(self) -> bool:
        """True if the tokens that its rows predict are the same for both."""
        last = self.before.position if self.before.until is None else self.before.until
        group = self.stands_for
        return group["how"] == "text" if group else last is None or last + 1 < self.comparison.shared(self.before.tower)

    @property
    def is_same(self) -> bool:
        """Not one number differs, of maps that stand for each other."""
        return not self.is_side_by_side and np.array_equal(*self.values)

    def divergences(self) -> tuple[float, float]:
        """The Jensen-Shannon divergence in bits of the whole rows, and of what lies on pictures divided by its mass.

        NaN of columns, of the largest of many rows and of what is received, which are no shares of one row, where one
        has no image mass, and side by side.
        """
        if not self.are_shares or self.is_side_by_side:
            return np.nan, np.nan
        both = self.before, self.after
        more = any(each.run.has_learned_sink(each.layer, each.tower) for each in both), self.stands_for is not None
        p, q = (on_common_keys(row.astype(np.float64), len(self.values[0]), *more) for row in self.rows)
        on_p, on_q = p[self.image_keys], q[self.image_keys]
        has_image = on_p.sum() > 0 and on_q.sum() > 0
        on_image = differences.jensen_shannon(on_p / on_p.sum(), on_q / on_q.sum()) if has_image else np.nan
        return float(differences.jensen_shannon(p, q)), float(on_image)

    @property
    def are_shares(self) -> bool:
        """True if the values are shares of one row."""
        return self.before.are_shares and self.after.are_shares and not self.before.received

    def masses(self) -> tuple[float, float]:
        """Mass of each row on pictures."""
        there, here = (float(values[self.image_keys].sum(dtype=np.float64)) for values in self.values)
        return there, here

    def drawn(
        self, look: Look, difference_high: float | str | None = None, right_high: float | None = None
    ) -> tuple[Drawn, Drawn, DrawnDifference]:
        """Both maps on one range, and their difference, right less left: on that range, or up to `difference_high`.

        `difference_high` is a number of the maps' unit, or `largest`: the largest difference. What is hidden in one of
        the two is hidden in the difference. Side by side each map has a range of its own, the right one's up to
        `right_high`, and no difference means anything. Raises InvalidRequest.
        """
        if self.before.key is not None and look.unit == "uniform":
            raise InvalidRequest("A column holds shares of many rows: there is no even attention to compare them with.")
        if self.is_signed and look.unit == "uniform":
            raise InvalidRequest("A forecast holds effects in nats: there is no even attention to compare them with.")
        together: Callable[..., Sequence[Drawn]] = signed_together if self.is_signed else drawn_together
        cells = self.before.cells()
        maps = [
            MapCells(values[cells], np.isin(cells, self.sinks(of)), of.sink_mass(values, self.sinks(of)))
            for values, of in zip(self.values, (self.before, self.after), strict=True)
        ]
        if self.is_side_by_side:
            if right_high is not None:
                self._check_end(right_high)
            own = look if right_high is None else replace(look, low=None, high=right_high)
            before, after = (together([each], how)[0] for each, how in zip(maps, (look, own), strict=True))
        elif right_high is not None:
            raise InvalidRequest("The two maps have one range: leave right_high out.")
        else:
            before, after = together(maps, look)
        if difference_high is not None and self.is_side_by_side:
            raise InvalidRequest(f"{self.comparison.why_side_by_side()} Leave difference_high out.")
        if difference_high is None:
            return before, after, drawn_difference(before, after)
        largest = np.abs((after.values - before.values)[~(before.hidden | after.hidden)]).max(initial=0)
        return before, after, drawn_difference(before, after, self._own_high(difference_high, largest))

    @staticmethod
    def _check_end(given: float) -> None:
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= LARGEST:
            raise InvalidRequest(f"right_high is {quoted(given)}; it must be a number from 0 to {LARGEST:g}.")

    @staticmethod
    def _own_high(given: float | str, largest: float) -> float:
        if given == OWN:
            return float(largest)
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= 1e9:
            raise InvalidRequest(f"difference_high is {quoted(given)}; it must be a number above 0, or {OWN}.")
        return float(given)

    def settings(self) -> dict[str, Any]:
        """Description of what they are of, in words and numbers that find them again."""
        own = ("run", "adapter", *(() if self.predicts_the_same else ("predicts",)))
        one = {name: value for name, value in self.before.settings().items() if name not in own}
        members = {member["folder"]: member for member in self.comparison.info["members"]}
        sides = {
            side: {"member": name} | _about(members[name])
            for side, name in (("left", self.left), ("right", self.right))
        }
        if self.is_side_by_side:
            sides["right"] |= {"layer": self.after.layer, "head": self.after.head}
        return {"comparison": self.comparison.info["id"], **sides, **one}

    def name(self) -> str:
        """Name of a file of them, in plain ASCII: 3f2a_base_adapter_1_language_L12_H3_row69."""
        own = f"_and_{self.after.place_name()}" if self.is_side_by_side else ""
        members = f"{self.left}_{self.right}"
        return f"comparison-{plain(self.comparison.info['id'])}_{members}_{self.before.place_name()}{own}"


def compared_maps(
    comparison: Comparison,
    left: str = BASE,
    right: str | None = None,
    right_layer: Choice = None,
    right_head: Choice = None,
    reading: str | None = None,
    **which: Any,
) -> ComparedMaps:
    """The maps of two members (base, adapter_1, ...) that the fields of `attention.runs.selection.select` name.

    Without `right` it is the first after the base. Of members side by side `layer` and `head` are the left one's, and
    `right_layer` and `right_head` the right one's. With `reading`, by its kind or its name, they are of what each
    member has by it: without a row then of all rows together.
    Raises InvalidRequest or NotInRun: also where a position is not in what both have in common.
    """
    own = {"layer": right_layer, "head": right_head}
    if not comparison.is_side_by_side:
        for name, value in own.items():
            if value is not None:
                raise InvalidRequest(f"The members have the same layers and heads: leave right_{name} out.")
        own = {}
    right = right or list(comparison.runs)[1]
    if left == right:
        raise InvalidRequest(f"left and right are both {quoted(left)}: name two members.")
    runs = [run_as_read(comparison.run(name), reading) for name in (left, right)]
    _check_target(*runs)
    asked = comparison.base if reading is None else runs[0]
    before = select(asked, **which | ({"layer": None, "head": None} if own else {}))
    rows = _own_rows(comparison, (left, right), before)
    before, after = select(runs[0], **which | rows[0]), select(runs[1], **which | rows[1] | own)
    shared = comparison.shared(before.tower)
    if before.key is not None and before.points_at_tokens and max(before.key, before.until or 0) >= shared:
        last = max(before.key, before.until or 0)
        raise NotInRun(f"Position {last} is not compared: the members have the first {shared} positions in common.")
    if before.received and runs[0].queries(before.tower) != runs[1].queries(before.tower):
        raise InvalidRequest(
            "What keys receive is a mean over all queries, and these members read answers of different lengths: "
            "compare one row."
        )
    return ComparedMaps(comparison, left, right, before, after)


def _check_target(one: Run, other: Run) -> None:
    """Raise InvalidRequest where readings of two members ask about different tokens: no effect stands for another."""
    ids = [
        [run.info["tokens"][token]["id"] for token in run.reading_settings().get("target", ())] for run in (one, other)
    ]
    if ids[0] != ids[1] or one.SOURCE != other.SOURCE:
        raise InvalidRequest(
            "The two members were asked about different words: name the reading of tokens that both have written."
        )


def _own_rows(comparison: Comparison, names: tuple[str, str], asked: Selection) -> list[dict[str, int | None]]:
    """The rows of two members that stand for those of the base's that are asked for, as `select` takes them.

    Raises NotInRun for a row that stands for none.
    """
    query, last = asked.query, asked.query if asked.until is None else asked.until
    if query is None or last is None or asked.tower == "vision" or last < comparison.shared(asked.tower):
        return [{"query": query}, {"query": query}]
    rows = []
    for name in names:
        other = name if name != BASE else next(each for each in names if each != BASE)
        first, end = (comparison.rows_of(other, row, whose=name) for row in (query, last))
        rows.append({"query": first[0], "until": end[1] if end[1] > first[0] else None})
    return rows


def _about(member: dict[str, Any]) -> dict[str, Any]:
    """Fields that say which adapter or other model a member is."""
    adapter, model = member["adapter"], member.get("model")
    found = {field: adapter[field] for field in ("id", "scale")} if adapter else {}
    return found | ({"name": member["name"]} if member.get("name") else {}) | ({"model": model["id"]} if model else {})
