"""The questions that the viewer asks about a row or a column, as it asks them: `assets/viewer/data/source.js`.

Owns which questions belong together, so that whatever can be chosen of a token is there. Knows no answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from attention.comparisons.asked_beside import PARTS
from attention.comparisons.comparison import Comparison
from attention.comparisons.region_floors import known_measures
from attention.coordinates import SPACES
from attention.errors import NotInRun
from attention.measures import regions
from attention.runs.regions import Region
from attention.runs.run import Run

REDUCED = ("mean", "max")
SCORES = ("image_mass", "entropy", "spatial_entropy")  # by which the viewer orders heads, of those in a run's tables
# the small maps of an atlas, as the viewer asks for them: `assets/viewer/state/follow.js`
ATLAS_VALUES, LEAST_CELLS, MOST_CELLS = 200_000, 256, 4096


@dataclass(frozen=True)
class Question:
    """An address below a run's or a comparison's: its path, its fields, and of a comparison whose run."""

    path: str
    fields: tuple[tuple[str, str], ...] = ()
    member: str | None = None

    @classmethod
    def of(cls, path: str, member: str | None = None, **fields: Any) -> Question:
        named = tuple(sorted((name, str(value)) for name, value in fields.items() if value is not None))
        return cls(path, named, member)

    @property
    def key(self) -> str:
        """The address by which the file knows the answer: fields in the order of their names."""
        path = self.path if self.member is None else f"{self.member}/{self.path}"
        return path + ("?" + "&".join(f"{name}={value}" for name, value in self.fields) if self.fields else "")


@dataclass(frozen=True)
class Part:
    """The layers and heads that are wanted: numbers; heads None are all, in one answer."""

    layers: dict[str, list[int]]  # by tower
    heads: Sequence[int] | None = None


def text_towers(run: Run) -> list[str]:
    """The towers of which a token has a row."""
    return [tower for tower in run.towers() if run.queries_are_tokens(tower) and run.layers(tower)]


def row_questions(
    run: Run, query: int, part: Part, member: str | None = None, until: int | None = None
) -> Iterator[Question]:
    """The questions about one token's row, or the mean of the rows to `until`, in every tower that has one."""
    exact = "factors" if member else None  # rows that are compared are never a mixture
    rows = {"query": query, "until": until}
    span = np.arange(query, (query if until is None else until) + 1)
    for tower in text_towers(run):
        if not np.isin(span, run.queries_with_rows(tower)).all():
            continue
        for layer, head in _reads(part, tower):
            yield Question.of("row", member, tower=tower, layer=layer, head=head, source=exact, **rows)
        for grid in run.grids(tower):
            cells = _atlas_cells(run, tower)
            yield Question.of("atlas", member, tower=tower, grid=grid, max_cells=cells, **rows)
        if not member and run.info["groups"].get(tower):
            yield Question.of("masses", tower=tower, query=query)
        if run.grids(tower) and until is None:
            for name in ("image_mass",) if member else _tabled(run, tower, query):
                yield Question.of("scores", member, tower=tower, name=name, query=query)


def column_questions(run: Run, key: int, part: Part, member: str | None = None) -> Iterator[Question]:
    """The questions about who reads one token."""
    for tower in text_towers(run):
        if not run.keys_are_tokens(tower) or key not in run.keys_with_columns(tower):
            continue
        for layer, head in _reads(part, tower):
            yield Question.of("column", member, tower=tower, layer=layer, head=head, key=key)
        for grid in run.grids(tower) if run.cells_read(tower) else ():
            yield Question.of("atlas", member, tower=tower, key=key, grid=grid, max_cells=_atlas_cells(run, tower))


def effect_questions(
    run: Run, part: Part, reading: str, query: int | None = None, region: Region | None = None
) -> Iterator[Question]:
    """The questions about effects of one token's row that a reading has, or without one of all rows together."""
    for tower in text_towers(run):
        if query is not None and query not in run.queries_with_rows(tower):
            continue
        of: dict[str, Any] = {"tower": tower, "query": query, "reading": reading}
        for layer, head in _reads(part, tower):
            yield Question.of("row", layer=layer, head=head, **of)
        for grid in run.grids(tower):
            yield Question.of("atlas", grid=grid, max_cells=_atlas_cells(run, tower), **of)
        if region is not None and query is None:
            yield Question.of("region", **of, **placed(region))


def read_effect_questions(run: Run, key: int, part: Part, reading: str) -> Iterator[Question]:
    """The questions about effects of each row's reading one token."""
    for question in column_questions(run, key, part):
        yield Question.of(question.path, reading=reading, **dict(question.fields))


def place_questions(run: Run, member: str | None = None) -> Iterator[Question]:
    """The questions about the answer's places, with its numbers read in each space that can be chosen."""
    if run.info.get("named_places") and run.info.get("place_habit"):
        for space in SPACES:
            yield Question.of("places", member, coordinates=space)


def line_questions(run: Run, tower: str, part: Part) -> Iterator[Question]:
    """The questions about image mass along the answer, in each layer and head."""
    heads = range(run.heads(tower)) if part.heads is None else part.heads
    for layer in (*REDUCED, *part.layers[tower]):
        for head in (*REDUCED, *heads):
            yield Question.of("scores", tower=tower, name="image_mass", layer=layer, head=head)


def change_questions(comparison: Comparison, query: int | None, region: Region | None = None) -> Iterator[Question]:
    """The questions about how far heads moved in one row; None is the mean over the answer's."""
    place = {} if region is None else placed(region)
    for tower in text_towers(comparison.base):
        for adapter in range(len(comparison.adapters)):
            for measure in comparison.measures(tower):
                yield Question.of("change", tower=tower, measure=measure, adapter=adapter, query=query)
            for measure in regions.NAMES if place else ():
                yield Question.of("change", tower=tower, measure=measure, adapter=adapter, query=query, **place)
            for part in PARTS if comparison.parts() else ():
                for measure in comparison.measures(tower):
                    yield Question.of("change", tower=tower, measure=measure, adapter=adapter, query=query, part=part)
        for floor in comparison.floor_kinds():
            fields: dict[str, Any] = {"tower": tower, "adapter": 0, "query": query, "floor": floor}
            for measure in comparison.measures(tower):
                yield Question.of("change", measure=measure, **fields)
            for measure in known_measures(comparison, "mean" if query is None else query, tower) if place else ():
                yield Question.of("change", measure=measure, **fields, **place)


def logprob_questions(comparison: Comparison) -> Iterator[Question]:
    """The questions about how probable the answer's tokens are, and how far that moves by itself."""
    yield Question.of("logprobs")
    for floor in comparison.floor_kinds():
        yield Question.of("logprobs", floor=floor)


def region_questions(
    run: Run, query: int, region: Region, member: str | None = None, until: int | None = None
) -> Iterator[Question]:
    """The questions about what lies in a region in one row, or several, and of a run the orders of heads by it."""
    for tower in text_towers(run):
        yield Question.of("region", member, tower=tower, query=query, until=until, **placed(region))
        for name in () if member else regions.NAMES:
            yield Question.of("scores", tower=tower, name=name, query=query, **placed(region))


def placed(region: Region) -> dict[str, str]:
    """A region as fields of an address, to a millionth of a pixel."""
    sides = ",".join(f"{side:.6f}".rstrip("0").rstrip(".") for side in region.place)
    return {"box" if len(region.place) == 4 else "point": sides, "image": str(region.image)}


def _reads(part: Part, tower: str) -> Iterator[tuple[int | str, int | str | None]]:
    """Layer and head of every row: a layer's with all its heads, over all layers both reductions in both orders."""
    heads: Sequence[int | None] = [None] if part.heads is None else part.heads
    for layer in part.layers[tower]:
        yield from ((layer, head) for head in (heads if part.heads is None else (*heads, *REDUCED)))
    for reduction in REDUCED:
        yield from ((reduction, head) for head in (*heads, *REDUCED))


def _tabled(run: Run, tower: str, query: int) -> list[str]:
    """The scores of a row that were made with the run: any other takes torch, which an export does without."""
    if query not in run.stored_positions(tower):
        return []
    found = []
    for name in SCORES:
        with suppress(NotInRun):
            run.score(name, tower)
            found.append(name)
    return found


def _atlas_cells(run: Run, tower: str) -> int:
    each = ATLAS_VALUES // (len(run.layers(tower)) * run.heads(tower))
    return min(MOST_CELLS, max(LEAST_CELLS, each))
