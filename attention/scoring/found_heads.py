"""Found heads as one object, which the page loads to mark them and to order by them.

Owns that form: {format, kind: "heads", model, adapter, tower, by, rows, seed, items, pictures, found_on, scored_on,
heads [{layer, head, score, elsewhere, p, above_chance}]}, heads best first. `layer` is the layer's index in the model,
`score` and `elsewhere` are {mean, low, high, n} on the half of the pictures on which the heads were not ranked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from attention.errors import InvalidRequest, NotInRun, quoted
from attention.measures.over_items import first_half

from .names import BY
from .scores import Scores
from .summary import LISTED, heads_found

FORMAT = 1
KIND = "heads"


def found_heads(scores: Scores, model: str = "base", by: str | None = None, top: int = LISTED) -> dict[str, Any]:
    """Heads of one model of finished scores, by its member or its name. Raises InvalidRequest or NotInRun."""
    info = scores.info
    by = info["by"] if by is None else by
    if by not in BY:
        raise InvalidRequest(f"Heads are found by {quoted(by)}; it is one of {', '.join(BY)}.")
    record = next((each for each in info["models"] if model in (each["member"], each["name"])), None)
    if record is None:
        names = ", ".join(each["name"] for each in info["models"])
        raise NotInRun(f"There is no model {quoted(model)} in these scores; there is {names}.")
    measured, groups = scores.measured(record["member"]), scores.groups
    if not measured.is_scored.any():
        raise NotInRun(f"No item of {quoted(record['name'])} was scored, so that no head can be found.")
    half = first_half(groups[measured.is_scored], info["seed"])
    pictures = groups[measured.is_scored]
    return {
        "format": FORMAT,
        "kind": KIND,
        "model": {"id": record["model_id"], "revision": record["revision"]},
        "adapter": record["adapter"],
        "tower": record["tower"],
        "by": by,
        "rows": info["rows"],
        "seed": info["seed"],
        "items": int(np.count_nonzero(measured.is_scored)),
        "pictures": len(set(pictures)),
        "found_on": len(set(pictures[half])),
        "scored_on": len(set(pictures[~half])),
        "heads": heads_found(measured, groups, by, info["seed"], top),
    }
