"""The numbers of an item: tables [layers, heads] by their names, in the order in which they lie in a file.

Owns that order. Of each member come the scores of its row, of those after the base how far it moved, and then, for each
place of the item, what lies there and elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from attention.scoring.names import BY, MEASURES

SCORES = ("image_mass", "sink_mass", "entropy", "image_entropy", "spatial_entropy")
CHANGES = ("js_row", "js_image")  # bits between the base's row and a member's, which predict an answer's first token
AT_A_PLACE = (*MEASURES, *(f"elsewhere_{name}" for name in BY))


def names_of(is_compared: bool, n_places: int) -> list[str]:
    """Names of a member's tables; those of a place begin with its number."""
    own = [*SCORES, *(CHANGES if is_compared else ())]
    return own + [f"{place}.{name}" for place in range(n_places) for name in AT_A_PLACE]


def stacked(tables: Mapping[str, np.ndarray], names: list[str], shape: tuple[int, int]) -> np.ndarray:
    """Tables by their names in one array, float32 [tables, layers, heads]; NaN where one has no value."""
    found = np.full((len(names), *shape), np.nan, np.float32)
    for number, name in enumerate(names):
        if name in tables:
            found[number] = tables[name]
    return found
