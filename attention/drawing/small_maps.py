"""Small maps of every layer and head of one row: where each lies, and its pixels.

The same as the page's atlas (in assets/viewer: paint/map_layout.js, paint/small_maps.js): layers to the right, heads
down, each map on a range of its own. Knows arrays, neither runs nor texts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from attention.runs.pooling import area_weights, pool_maps

from .colour_range import Drawn, drawn, drawn_signed
from .look import Look
from .overlay import lay_over, overlay

APART = 12  # pixels between a band and the next
GAP, FINE_GAP, FINE = 4, 1, 24  # pixels between maps, and between those that are not so wide


@dataclass(frozen=True)
class Axes:
    """Places of maps of `width` x `height` pixels, from 0, 0 on; heads go on in a band beside where maps are tall."""

    layers: int
    heads: int
    width: int
    height: int
    gap: int
    per_band: int
    gutter: int  # left of each band

    def corner(self, layer: int, head: int) -> tuple[int, int]:
        """The upper left pixel of the map at these places of the axes."""
        band, down = divmod(head, self.per_band)
        return self.band(band) + layer * (self.width + self.gap), down * (self.height + self.gap)

    def band(self, band: int) -> int:
        """The pixel at which the maps of a band begin."""
        return self.gutter + band * (self.layers * (self.width + self.gap) + APART + self.gutter)

    @property
    def bands(self) -> int:
        return math.ceil(self.heads / self.per_band)

    @property
    def size(self) -> tuple[int, int]:
        """Pixels that all of them take."""
        last = self.corner(self.layers - 1, min(self.heads, self.per_band) - 1)
        return self.band(self.bands - 1) + self.layers * (self.width + self.gap) - self.gap, last[1] + self.height


def lay_out(layers: int, heads: int, aspect: float, width: int, height: int, gutter: int) -> Axes | None:
    """The axes whose maps are the largest in that room, of the picture's proportions; None where there is no room."""

    def of(bands: int, gap: int) -> Axes | None:
        per_band = math.ceil(heads / bands)
        bands = math.ceil(heads / per_band)
        across = (width - bands * gutter - (bands - 1) * (gap + APART) + gap) // (bands * layers) - gap
        down = (height + gap) // per_band - gap
        wide = min(across, math.floor(aspect * down))
        high = min(down, round(wide / aspect))
        return Axes(layers, heads, wide, high, gap, per_band, gutter) if wide > 0 and high > 0 else None

    found = [axes for bands in range(1, heads + 1) if (axes := of(bands, GAP)) and axes.width >= FINE]
    found = found or [axes for bands in range(1, heads + 1) if (axes := of(bands, FINE_GAP))]
    return max(found, key=lambda axes: (axes.width, -axes.bands), default=None)


def small_map(
    values: np.ndarray, is_sink: np.ndarray, look: Look, size: tuple[int, int], is_signed: bool = False
) -> Image.Image:
    """One map [rows, cols] alone, on its own range; cells smaller than a pixel are averaged, without the sinks."""
    look = replace(look, low=None, high=None, plain=True, smooth=False)
    how: Drawn = drawn_signed(values, look) if is_signed else drawn(values.astype(np.float32), look, is_sink)
    colours = look.diverging_colours() if is_signed else look.colours()
    (rows, cols), (width, height) = values.shape, size
    if rows > height or cols > width:
        fewer = min(rows, height), min(cols, width)
        seen = (~how.hidden).astype(np.float32)
        share = pool_maps(seen, *fewer)
        pooled = pool_maps(how.values * seen, *fewer)
        hidden = np.zeros(fewer, bool)
        down, across = (((part + 0.5) * n / of).astype(int) for part, n, of in zip(
            np.nonzero(how.hidden), fewer, (rows, cols), strict=True))  # fmt: skip
        hidden[down, across] = True
        how = replace(
            how, values=np.divide(pooled, share, out=np.zeros_like(pooled), where=share > 1e-6), hidden=hidden
        )
    grid = {"box_px": (0, 0, width, height), "rows": how.values.shape[0], "cols": how.values.shape[1]}
    picture = Image.new("RGB", size, "white")
    lay_over(picture, overlay(how, colours, grid, size, (1, 1), smooth=False))
    return picture


def pooled_sinks(is_sink: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """The cells of a map made smaller that hold a part of a sink: bool [rows, cols]."""
    down, across = area_weights(is_sink.shape[0], rows), area_weights(is_sink.shape[1], cols)
    return (down @ is_sink.astype(np.float32) @ across.T) > 1e-9
