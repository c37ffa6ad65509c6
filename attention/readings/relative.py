"""Relative attention: what a question makes a model read, over what a general one does, cell by cell.

The ratio of two rows of the same picture, each the row that predicts the first token of its answer (Zhang et al.,
"MLLMs know where to look", ICLR 2025, arXiv:2502.17422, where the other question asks for a description). Sinks and
habits of place are in both rows, and drop out. Needs NumPy alone.
"""

from __future__ import annotations

import numpy as np

from attention.errors import NotInRun
from attention.runs.run import Run

GENERAL = "Write a general description of the image."


def relative_map(
    run: Run, general: Run, layer: int | str, head: int | str, grid: int = 0, tower: str = "language"
) -> np.ndarray:
    """Ratio of the answers' rows on one picture: float32 [rows, cols]; 1 where both read alike, NaN where neither does.

    `general` is a run of the same picture and model with a general question. Raises NotInRun where the two do not have
    the same cells.
    """
    maps = []
    for each in (run, general):
        first = each.info.get("prompt_tokens")
        if first is None:
            raise NotInRun("run.json does not say where the answer begins, so no row is known to predict it.")
        maps.append(each.map(layer, head, first - 1, grid, tower).astype(np.float64))
    same = all(
        run.info["grids"][grid].get(name) == general.info["grids"][grid].get(name)
        for name in ("box_px", "rows", "cols")
    )
    if not same or run.info["model"]["id"] != general.info["model"]["id"]:
        raise NotInRun("The two runs are not of the same picture and model, so their cells stand for different places.")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: np.ndarray = (maps[0] / maps[1]).astype(np.float32)
    return ratio
