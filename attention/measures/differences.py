"""Distances between two rows of attention over the same keys.

Pure functions on arrays of rows [..., keys], float32 or float64; everything is computed in float64. P is the base's
row, Q the adapter's. Equal rows give exactly 0. Knows neither runs nor adapters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NAMES = ("js_row", "js_image", "tv_row", "tv_image", "d_image_mass", "d_entropy", "d_sink_mass", "peak_shift")
SIGNED = ("d_image_mass", "d_entropy", "d_sink_mass")
UNITS = {
    "js_row": "bits", "js_image": "bits", "tv_row": "", "tv_image": "", "d_image_mass": "", "d_entropy": "bits",
    "d_sink_mass": "", "peak_shift": "cells",
}  # fmt: skip


def of_rows(
    p: np.ndarray, q: np.ndarray, cells: np.ndarray, sizes: Sequence[tuple[int, int]], sinks: Sequence[int]
) -> dict[str, np.ndarray]:
    """Every measure of NAMES between rows [..., keys]: float32 [...] each.

    `cells` are the keys that are cells, int [cell], grid by grid and row by row, and `sizes` how each grid's cells lie,
    [(rows, cols)]; `sinks` are the base's sinks. Measures on the image are of the rows divided by their mass there, NaN
    where one of the two has none. Differences are the adapter's less the base's.
    """
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    on_p, on_q = p[..., cells], q[..., cells]
    mass_p, mass_q = on_p.sum(axis=-1), on_q.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share_p, share_q = on_p / mass_p[..., None], on_q / mass_q[..., None]
    nothing = np.where((mass_p == 0) | (mass_q == 0), np.nan, 0)
    found = {
        "js_row": jensen_shannon(p, q),
        "js_image": jensen_shannon(share_p, share_q) + nothing,
        "tv_row": total_variation(p, q),
        "tv_image": total_variation(share_p, share_q) + nothing,
        "d_image_mass": mass_q - mass_p,
        "d_entropy": entropy(q) - entropy(p),
        "d_sink_mass": q[..., list(sinks)].sum(axis=-1) - p[..., list(sinks)].sum(axis=-1),
        "peak_shift": peak_shift(on_p, on_q, sizes) + nothing,
    }
    return {name: found[name].astype(np.float32) for name in NAMES}


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The Jensen-Shannon divergence in bits, 0 (equal) to 1 (nothing in common): [..., keys] -> [...].

    (KL(P | M) + KL(Q | M)) / 2 with M = (P + Q) / 2 (Lin, "Divergence measures based on the Shannon entropy", 1991).
    Its square root is a metric. NaN where a row is.
    """
    middle = (p + q) / 2
    total = _divergence(p, middle) + _divergence(q, middle)
    bits: np.ndarray = np.clip(total / 2, 0, 1)
    return bits


def _divergence(p: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """KL(P | M) in bits; a key that P does not read adds nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = p * np.log2(p / middle)
    bits: np.ndarray = np.where(p == 0, 0, terms).sum(axis=-1)
    return bits


def total_variation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Total variation, the share of attention that lies elsewhere: half the sum of |P - Q|, [..., keys] -> [...]."""
    share: np.ndarray = np.abs(p - q).sum(axis=-1) / 2
    return share


def entropy(rows: np.ndarray) -> np.ndarray:
    """Shannon entropy in bits: [..., keys] -> [...]."""
    with np.errstate(invalid="ignore", divide="ignore"):
        bits: np.ndarray = -np.where(rows == 0, 0, rows * np.log2(rows)).sum(axis=-1)
    return bits


def peak_shift(p: np.ndarray, q: np.ndarray, sizes: Sequence[tuple[int, int]]) -> np.ndarray:
    """Distance by which the highest cell moved, in cells (Euclidean): [..., cells] -> [...].

    NaN where the two peaks lie on different grids, which have no distance.
    """
    if not sizes:
        return np.full(p.shape[:-1], np.nan)
    grid = np.concatenate([np.full(rows * cols, index) for index, (rows, cols) in enumerate(sizes)])
    at = np.concatenate([np.indices(size).reshape(2, -1).T for size in sizes])
    first, second = p.argmax(axis=-1), q.argmax(axis=-1)
    apart = np.linalg.norm((at[first] - at[second]).astype(np.float64), axis=-1)
    return np.where(grid[first] == grid[second], apart, np.nan)
