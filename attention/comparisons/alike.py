"""Two runs, and the first thing in which their tokens, pictures and towers differ, so that rows cannot be set beside.

Reads the content of run.json alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

SIZES = ("image", "tower", "kind", "box_px", "rows", "cols", "row_edges_px", "col_edges_px", "width", "height")


class Unlike(NamedTuple):
    """A thing that differs: where, what it is, and what it must be (None: what the other's is)."""

    where: str
    value: Any
    wanted: Any
    rule: str | None = None


def first_unlike(run: dict[str, Any], base: dict[str, Any], shared: int) -> Unlike | None:
    """The first thing in which a run differs from the base's in its first `shared` tokens, its pictures or towers."""
    return next(_unlike(run, base, shared), None)


def _unlike(run: dict[str, Any], base: dict[str, Any], shared: int) -> Iterator[Unlike]:
    read = [[(token["id"], *_place(token)) for token in each["tokens"][:shared]] for each in (run, base)]
    for at, (token, wanted) in enumerate(zip(*read, strict=False)):
        if token != wanted:
            yield Unlike(f"token {at}", token, wanted)
    later = next((token["index"] for token in run["tokens"][shared:] if token["grid"] is not None), None)
    if later is not None:
        yield Unlike(f"token {later}", "a cell of a picture", None, f"shared, as tokens 0 to {shared - 1:,} are")
    for what in ("grids", "images"):
        sizes = [[{name: each.get(name) for name in SIZES} for each in other[what]] for other in (run, base)]
        if sizes[0] != sizes[1]:
            yield Unlike(f"the list of {what}", sizes[0], sizes[1])
    yield from unlike_towers(run["towers"], base["towers"])


def unlike_towers(towers: dict[str, Any], base: dict[str, Any]) -> Iterator[Unlike]:
    """Everything in which towers of run.json differ: which there are, heads, layers with a file, keys and queries."""
    if list(towers) != list(base):
        yield Unlike("the list of towers", list(towers), list(base))
        return
    for tower, wanted in base.items():
        found = towers[tower]
        for what, values in (
            ("the number of heads", [each["heads"] for each in (found, wanted)]),
            ("the list of layers", [_layers(each) for each in (found, wanted)]),
            ("the list of keys", [[] if tower == "language" else each["keys"] for each in (found, wanted)]),
            ("the number of queries", [each.get("queries") if tower == "vision" else 0 for each in (found, wanted)]),
        ):
            if values[0] != values[1]:
                yield Unlike(f"{what} of tower {tower}", values[0], values[1])


def _place(token: dict[str, Any]) -> tuple[Any, ...]:
    return token["grid"], token["row"], token["col"]


def _layers(tower: dict[str, Any]) -> list[int]:
    return [layer["index"] for layer in tower["layers"] if layer.get("file")]
