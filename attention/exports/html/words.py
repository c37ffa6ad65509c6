"""Sentences about what a file holds, and what it leaves out: in the page, and for whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attention.answers.numbers import position_ranges
from attention.comparisons.comparison import Comparison
from attention.drawing.effect_words import target_name
from attention.readings.forecast import Forecast
from attention.runs.run import Run

from .addresses import Part
from .fill import Filled

MOST_SPANS = 8  # of positions that a sentence lists


def what_it_holds(found: Run | Comparison, filled: Filled, effects: Forecast | None = None) -> str:
    """One sentence: rows, layers, heads; and of which tokens a forecast's effects are there as well."""
    base = found.base if isinstance(found, Comparison) else found
    rows = _positions(filled.rows, filled.tokens, "the rows of")
    readers = f", and who reads {_positions(filled.columns, filled.tokens, '')}" if filled.columns else ""
    each = ""
    layers = _layers(base, filled.part)
    if isinstance(found, Comparison):
        own = {name: _layers(run, filled.parts[name]) for name, run in found.runs.items()}
        if len(set(own.values())) == 1:
            each = f", for each of {len(own)} members"
        else:
            layers = " and ".join(f"{said} of {name}" for name, said in own.items())
    forecast = ""
    if effects is not None:
        named = target_name([token["text"] for token in base.info["tokens"]], effects.target.tokens)
        forecast = f" The forecast of {named} is there beside each, and of all rows together."
    words = " What tokens read as after these layers is there." if filled.has_words else ""
    return f"This file holds {rows}{readers}, in {layers}{each}.{forecast}{words}"


def _layers(run: Run, part: Part) -> str:
    """Layers and heads that are held of a run."""
    layers = []
    for tower, held in part.layers.items():
        of = "" if len(part.layers) == 1 else f" of the {tower} tower"
        layers.append(f"{_share(held, run.layers(tower), 'layer')}{of}")
    most = max(run.heads(tower) for tower in part.layers)
    heads = " and every head" if part.heads is None else f" and {_share(sorted(part.heads), list(range(most)), 'head')}"
    return f"{' and '.join(layers)}{heads}"


def what_it_leaves_out(found: Run | Comparison, filled: Filled, has_region: bool = False) -> str:
    """Sentences, which end with where the rest is."""
    base = found.base if isinstance(found, Comparison) else found
    out = []
    if (missing := filled.tokens - len(filled.rows)) > 0:
        out.append(f"the rows of {missing} other tokens" if missing > 1 else "one other token's row")
    if not filled.columns:
        out.append("who reads a token")
    elif (missing := filled.tokens - len(filled.columns)) > 0:
        out.append(f"who reads {missing} other tokens" if missing > 1 else "who reads one other token")
    out.append("means over several tokens")
    if isinstance(found, Run) and base.info["grids"]:
        out.append("orders of heads by sink share or by one cell")
    if base.info["grids"]:
        out.append(f"what each head puts in {'another' if has_region else 'a'} place of the picture")
    if "vision" in base.towers():
        out.append("the vision tower")
    runs = list(found.runs.values()) if isinstance(found, Comparison) else [found]
    held = zip(runs, filled.parts.values(), strict=True)
    if any(len(part.layers[tower]) < len(run.layers(tower)) for run, part in held for tower in part.layers):
        out.append("rows of other layers")
    if filled.part.heads is not None:
        out.append("rows of other heads")
    pictures = len(base.info["images"])
    if filled.pictures < pictures:
        out.append(f"{pictures - filled.pictures} of {pictures} pictures")
    if filled.pictures and filled.full_pictures < filled.pictures:
        out.append("pictures in more pixels than their preview")
    return f"Left out: {', '.join(out)}. The {found.kind} itself, in the app, has them."


def _positions(positions: Sequence[int], count: int, what: str) -> str:
    if len(positions) == count:
        return f"{what} all {count} tokens".strip()
    spans = position_ranges(np.array(sorted(positions), np.int32)).split(",")
    listed = ", ".join(span.replace("-", "–") for span in spans) if len(spans) <= MOST_SPANS else ""
    return f"{what} {len(positions)} of {count} tokens{f' ({listed})' if listed else ''}".strip()


def _share(held: Sequence[int], there: Sequence[int], name: str) -> str:
    if len(held) == len(there):
        return f"every {name}"
    if not held:
        return f"no single {name}"
    listed = position_ranges(np.array(sorted(held), np.int32)).replace("-", "–").replace(",", ", ")
    return f"{len(held)} of {len(there)} {name}s ({listed})"
