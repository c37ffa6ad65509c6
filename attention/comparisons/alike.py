"""Two runs: the first thing in which tokens, pictures and towers differ, and whether heads stand for each other.

Reads the content of run.json alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

SIZES = ("image", "tower", "kind", "box_px", "rows", "cols", "row_edges_px", "col_edges_px", "width", "height")

WITHOUT_VISION = "Without the vision tower (--no-vision) they can be compared: its patches alone differ."


class Unlike(NamedTuple):
    """A thing that differs: where, what it is, and what it must be (None: what the other's is)."""

    where: str
    value: Any
    wanted: Any
    rule: str | None = None


def first_unlike(
    run: dict[str, Any], base: dict[str, Any], shared: int, may_have_own_towers: bool = False
) -> Unlike | None:
    """The first thing in which a run differs from the base's in its first `shared` tokens, its pictures or towers.

    Towers that may be its own differ in layers and heads, see `has_own_towers`, and in nothing else.
    """
    return next(_unlike(run, base, shared, may_have_own_towers), None)


def has_own_towers(run: dict[str, Any], base: dict[str, Any]) -> bool:
    """True if a tower has other layers or another number of heads than the base's: no head stands for another then."""
    return any(
        (tower["heads"], layers_of(tower)) != (base["towers"][name]["heads"], layers_of(base["towers"][name]))
        for name, tower in run["towers"].items()
    )


def _unlike(
    run: dict[str, Any], base: dict[str, Any], shared: int, may_have_own_towers: bool
) -> Iterator[Unlike]:  # fmt: skip
    read = [[(token["id"], *_place(token)) for token in each["tokens"][:shared]] for each in (run, base)]
    for at, (token, wanted) in enumerate(zip(*read, strict=False)):
        if token != wanted:
            yield Unlike(f"token {at}", token, wanted)
    later = next((token["index"] for token in run["tokens"][shared:] if token["grid"] is not None), None)
    if later is not None:
        yield Unlike(f"token {later}", "a cell of a picture", None, f"shared, as tokens 0 to {shared - 1:,} are")
    towers = [list(each["towers"]) for each in (run, base)]
    if towers[0] != towers[1]:
        yield Unlike("the list of towers", towers[0], towers[1])
        return
    for what in ("grids", "images"):
        sizes = [[{name: each.get(name) for name in SIZES} for each in _kept(other, what)] for other in (run, base)]
        if sizes[0] != sizes[1]:
            yield Unlike(f"the list of {what}", sizes[0], sizes[1])
    yield from _unlike_towers(run["towers"], base["towers"], may_have_own_towers)


def _unlike_towers(towers: dict[str, Any], base: dict[str, Any], are_own: bool) -> Iterator[Unlike]:
    """Everything in which the same towers differ: keys, queries, and where these are not own heads and layers."""
    for tower, wanted in base.items():
        found = towers[tower]
        sizes = (
            ("the number of heads", [each["heads"] for each in (found, wanted)]),
            ("the list of layers", [layers_of(each) for each in (found, wanted)]),
        )
        for what, values in (
            *(() if are_own else sizes),
            ("the list of keys", [[] if isinstance(each["keys"], int) else each["keys"] for each in (found, wanted)]),
            ("the number of queries", [each.get("queries") if tower == "vision" else 0 for each in (found, wanted)]),
        ):
            if values[0] != values[1]:
                yield Unlike(f"{what} of tower {tower}", values[0], values[1])


def _kept(run: dict[str, Any], what: str) -> list[dict[str, Any]]:
    """Pictures, or grids of towers that were kept; those of others none reads."""
    return [each for each in run[what] if what == "images" or each["tower"] in run["towers"]]


def _place(token: dict[str, Any]) -> tuple[Any, ...]:
    return token["grid"], token["row"], token["col"]


def layers_of(tower: dict[str, Any]) -> list[int]:
    """The layers of a tower of run.json that have maps."""
    return [layer["index"] for layer in tower["layers"] if layer.get("file")]
