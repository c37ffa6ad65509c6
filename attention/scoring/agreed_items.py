"""Agreement on every item of a set, once: what is done is kept, and the same command goes on from there.

Owns which measures are made of an item, and the rows in which they are kept. How they are averaged is the business of
`attention.effects`.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from attention.capture.extraction import extract
from attention.capture.tried import trials
from attention.effects.agreeing import Agreeing, agree
from attention.effects.beside_controls import try_heads
from attention.effects.curves import Curves, curves_record, measure_curves, read_curves
from attention.effects.reinitialised import Cascade, Reinitialised
from attention.errors import AttentionError
from attention.models.kept import LoadedModel
from attention.readings.agreement import HIDDEN
from attention.readings.target import Target
from attention.runs.run import Run

from .item_rows import ItemRows
from .items import Item
from .row_file import key_of

ROW_FORMAT = 1


@dataclass(frozen=True)
class Measures:
    """The measures of each item besides agreement.

    `curves` are ways to take regions away (`hidden`, `painted`), `silence` so many heads of the largest forecast,
    `reinitialise`: layers are drawn anew.
    """

    sides: int = 4
    paints: bool = True
    curves: tuple[str, ...] = ()
    silence: int = 0
    reinitialise: bool = False
    max_new_tokens: int = 64
    seed: int = 0


@dataclass(frozen=True)
class Agreed:
    """One item's measures. `group` is the same for items that share a picture; `silenced` {heads, change, controls}."""

    name: str
    group: str
    agreeing: Agreeing
    curves: dict[str, Curves] = field(default_factory=dict)
    silenced: dict[str, Any] | None = None
    cascade: Cascade | None = None


def agree_on_items(
    items: Sequence[Item],
    model: LoadedModel,
    measures: Measures,
    folder: Path | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Agreed], dict[str, str]]:
    """Measure every item; return those that could be, and why the others could not, by their names.

    In `folder` is kept what is done, and found again by its content: with the same measures, model and picture nothing
    is measured twice. `tell` is told of items done, of all.
    """
    found, refused = list[Agreed](), dict[str, str]()
    with tempfile.TemporaryDirectory() as own:
        rows = ItemRows(folder or Path(own))
        again = Reinitialised(model) if measures.reinitialise else None
        for number, item in enumerate(items):
            tell(number, len(items))
            try:
                group = digest(item.image)
                key = _key(item, group, model, measures, number)
                row = rows.get(key)
                if row is None:
                    row = {"key": key, **_measured(item, model, measures, measures.seed + number, again)}
                    rows.add(row)
                found.append(_read(row, item.name, group))
            except AttentionError as error:
                refused[item.name] = str(error)
    return found, refused


def digest(image: Any) -> str:
    """The same for the same picture: of a file's bytes, of a data: URL, or of a Pillow image's pixels."""
    if isinstance(image, Image.Image):
        return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()
    if isinstance(image, str) and image.startswith("data:"):
        return hashlib.sha256(base64.b64encode(image.encode())).hexdigest()
    try:
        return hashlib.sha256(Path(image).read_bytes()).hexdigest()
    except (OSError, TypeError, ValueError):  # what is wrong with it the run says
        return str(image)


def _key(item: Item, picture: str, model: LoadedModel, measures: Measures, number: int) -> str:
    weights = [model.id, model.revision, [str(each) for each in model.stamp], model.dtype]
    return key_of(ROW_FORMAT, picture, item.prompt, item.answer, weights, asdict(measures), number)


def _measured(
    item: Item, model: LoadedModel, measures: Measures, seed: int, again: Reinitialised | None
) -> dict[str, Any]:
    fields: dict[str, Any] = {"max_new_tokens": measures.max_new_tokens, "vision": False, "mode": "generate"}
    with extract(item.prompt, images=item.image, model=model, answer=item.answer, **fields) as run:
        found = agree(run, sides=measures.sides, paints=measures.paints, model=model, seed=seed)
        return {
            "target": found.target.to_dict(), "value": found.value, "heads": found.heads.tolist(),
            "maps": {name: each.tolist() for name, each in found.maps.items()},
            "measured": {name: each.tolist() for name, each in found.measured.items()},
            "curves": {by: _curves(run, found, by, model) for by in measures.curves},
            "silenced": _silenced(run, measures.silence, model, seed) if measures.silence else None,
            "cascade": None if again is None else asdict(again.cascade(run, seed=measures.seed)),
        }  # fmt: skip


def _curves(run: Run, found: Agreeing, by: str, model: LoadedModel) -> dict[str, Any]:
    maps = {**found.maps, HIDDEN: found.measured[HIDDEN]}
    with trials(run, found.target, model=model) as ready:
        return curves_record(measure_curves(ready, found.blocks, maps, by, run.picture_tower()))


def _silenced(run: Run, n: int, model: LoadedModel, seed: int) -> dict[str, Any]:
    heads, found = try_heads(run, n, model=model, seed=seed)
    return {
        "heads": [list(head) for head in heads], "change": found.change, "controls": found.controls.tolist(),
        "gap": found.gap, "forecast": found.forecast, "changes_answer": found.first_other is not None,
    }  # fmt: skip


def _read(row: dict[str, Any], name: str, group: str) -> Agreed:
    maps, measured = ({key: np.array(each) for key, each in row[kind].items()} for kind in ("maps", "measured"))
    target = Target(tuple(row["target"]["tokens"]), row["target"]["against"])
    agreeing = Agreeing([], target, row["value"], maps, measured, np.array(row["heads"]))
    return Agreed(
        name,
        group,
        agreeing,
        {by: read_curves(each) for by, each in row["curves"].items()},
        row["silenced"],
        None if row["cascade"] is None else Cascade(**row["cascade"]),
    )
