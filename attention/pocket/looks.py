"""Peaks of heads: on the object that a word is about, on another, or on none.

Owns the hit rule of the card and the intervals of its rates. Knows nothing about models.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

ASKED, OTHER, NOTHING = range(3)
Z = 1.959964  # of a normal distribution's middle 95 %


def hits(box: np.ndarray, n_rows: int, n_cols: int) -> np.ndarray:
    """Return which cells' centre half touches a box given in cells (x0, y0, x1, y1): bool [row, col]."""
    rows, cols = np.arange(n_rows), np.arange(n_cols)
    across = (cols + 0.75 > box[0]) & (cols + 0.25 < box[2])
    down = (rows + 0.75 > box[1]) & (rows + 0.25 < box[3])
    return down[:, None] & across[None, :]


def judge(maps: np.ndarray, boxes: np.ndarray, asked: int) -> np.ndarray:
    """Return what each head's peak lies on, int [layer, head]: ASKED, OTHER or NOTHING.

    `maps` [layer, head, row, col]; `boxes` [object, x0 y0 x1 y1] in cells; `asked` an index into them.
    """
    n_rows, n_cols = maps.shape[2:]
    on = np.stack([hits(box, n_rows, n_cols) for box in boxes])
    kinds = np.where(on[asked], ASKED, np.where(on.any(axis=0), OTHER, NOTHING))
    return kinds.reshape(-1)[maps.reshape(*maps.shape[:2], -1).argmax(axis=-1)]


def chance(box: np.ndarray, n_rows: int, n_cols: int) -> float:
    """Return the share of cells that hit a box: what a uniform map's peak would."""
    return float(hits(box, n_rows, n_cols).mean())


def most_salient(image: Image.Image, boxes: np.ndarray) -> int:
    """Return the object that differs most from the picture, summed over its box.

    `boxes` [object, x0 y0 x1 y1] in shares of the picture's sides; the difference is from the picture's median colour.
    """
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    height, width, _ = pixels.shape
    contrast = np.linalg.norm(pixels - np.median(pixels.reshape(-1, 3), axis=0), axis=2)
    edges = np.round(boxes * [width, height, width, height]).astype(int)
    return int(np.argmax([contrast[y0:y1, x0:x1].sum() for x0, y0, x1, y1 in edges]))


def interval(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate (Wilson 1927)."""
    rate, spread = successes / n, Z**2 / n
    middle = (rate + spread / 2) / (1 + spread)
    half = Z * math.sqrt(rate * (1 - rate) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
