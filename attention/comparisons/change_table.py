"""Every measure of every head of a comparison as a table of texts. Needs NumPy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .asked_beside import PARTS

if TYPE_CHECKING:
    from .comparison import Comparison


def change_csv(comparison: Comparison, tower: str = "language") -> str:
    """Every measure of every head under each adapter, means over the answer's rows; the first line names the columns.

    After the measures come those of the two parts of a change (`direct_tv_row`, ...) and the noise floors
    (`floor_dtype_tv_row`, ...), where they were asked for, and last `n`, on how many inputs all rest: 1. Raises
    NotInRun of members side by side.
    """
    comparison.require_heads()
    measures = comparison.measures(tower)
    parts = [(part, name) for part in PARTS for name in measures] if comparison.parts() else []
    floors = [(kind, name) for kind in comparison.floor_kinds() for name in measures]
    names = [*measures, *(f"{part}_{name}" for part, name in parts), *(f"floor_{kind}_{name}" for kind, name in floors)]
    lines = [",".join(["adapter", "scale", "tower", "layer", "head", *names, "n"])]
    of_base = [comparison.floor(kind, name, tower=tower) for kind, name in floors]
    for index, member in enumerate(comparison.info["members"][1:]):
        tables = [comparison.change(name, index, tower=tower) for name in measures]
        tables += [comparison.change(name, index, tower=tower, part=part) for part, name in parts]
        tables += of_base
        adapter = member["adapter"] or {}
        name = _quoted(member.get("name") or adapter["id"])
        scale = f"{adapter['scale']:g}" if adapter else ""
        for i, layer in enumerate(comparison.base.layers(tower)):
            for head in range(comparison.base.heads(tower)):
                values = [f"{table[i, head]:.6g}" for table in tables]
                lines.append(",".join([name, scale, tower, str(layer), str(head), *values, "1"]))
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text as a cell of a table; one that a spreadsheet would take for a formula is kept a text."""
    text = f"'{text}" if text[:1] in "=+-@\t\r" else text
    return '"' + text.replace('"', '""') + '"'
