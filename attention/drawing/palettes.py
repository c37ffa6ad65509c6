"""The palettes: 256 colours each, matplotlib's tables in the rounding that the page has."""

from __future__ import annotations

from functools import cache

import numpy as np

PALETTES = {"cividis": "cividis", "magma": "magma", "viridis": "viridis", "blues": "Blues", "grey": None}


@cache
def palette(name: str) -> np.ndarray:
    """The 256 colours of a palette: uint8 [256, 3], matplotlib's tables in the rounding that the page has."""
    map_name = PALETTES[name]
    if map_name is None:
        return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    from matplotlib import colormaps

    return colormaps[map_name](np.arange(256), bytes=True)[:, :3]


@cache
def diverging() -> np.ndarray:
    """The colours of differences, blue below and red above: uint8 [256, 3], RdBu of ColorBrewer, turned around."""
    from matplotlib import colormaps

    return colormaps["RdBu_r"](np.arange(256), bytes=True)[:, :3]
