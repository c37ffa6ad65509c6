"""A coloured map as pixels: where every cell lies in the picture that is written, and which pixel belongs to it.

A pixel belongs to the cell that its centre lies in. Knows grids and arrays; knows neither runs nor palettes nor what
the values are of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from PIL import Image

from attention.runs.tokens import cell_edges

DARK, LIGHT = (20, 22, 26), (255, 255, 255)


class Coloured(Protocol):
    """Values [rows, cols], which of them have no colour, and the palette's entry of each."""

    @property
    def values(self) -> np.ndarray: ...

    @property
    def hidden(self) -> np.ndarray: ...

    def entries(self, values: np.ndarray) -> np.ndarray: ...


def lay_over(picture: Image.Image, bands: Iterator[np.ndarray]) -> None:
    """Lay a coloured map over its picture, a band of rows at a time: memory is that of the picture."""
    top = 0
    for band in bands:
        over = Image.fromarray(band)
        picture.paste(over.convert("RGB"), (0, top), over.getchannel("A"))
        top += len(band)


def overlay(
    how: Coloured,
    colours: np.ndarray,
    grid: dict,
    size: tuple[int, int],
    scale: tuple[float, float],
    smooth: bool,
    abreast: int = 1,
) -> Iterator[np.ndarray]:
    """The coloured cells in a transparent picture, uint8 [rows, width, 4] from top to bottom, some rows at a time.

    `colours` are the palette's entries with their coverage, uint8 [256, 4]; `grid` is a record of run.json; `size` is
    the picture's here, `scale` how many of its pixels are one of the picture that the grid lies on, across and down.
    `abreast` is how many such pictures share a page's width: the more, the wider the stripes of what has no colour.
    """
    if not how.values.size:
        yield np.zeros((size[1], size[0], 4), np.uint8)
        return
    across, down = scale
    row_edges, col_edges = (np.asarray(edges, np.float64) for edges in cell_edges(grid))
    x, y = (np.arange(size[0]) + 0.5) / across, (np.arange(size[1]) + 0.5) / down
    rows, cols = how.values.shape
    col = np.searchsorted(col_edges, x, side="right") - 1
    row = np.searchsorted(row_edges, y, side="right") - 1
    row[row >= rows], col[col >= cols] = -1, -1  # outside
    cells = np.zeros((rows + 1, cols + 1, 4), np.uint8)  # the last ones are of pixels outside
    cells[:rows, :cols] = np.where(how.hidden[..., None], 0, colours[how.entries(how.values)])
    hidden = np.zeros((rows + 1, cols + 1), bool)
    hidden[:rows, :cols] = how.hidden
    between = Smoothed(how, row_edges, col_edges) if smooth else None
    stripe = _stripe_px(row_edges, col_edges, down, abreast)
    step = max(1, (1 << 21) // max(1, size[0]))
    for top in range(0, size[1], step):
        at = row[top : top + step]
        if between is None:
            band = cells[at[:, None], col]
        else:
            band = colours[how.entries(between.values(y[top : top + step], x))]
            band[(at < 0)[:, None] | (col < 0)] = 0
        is_hidden = hidden[at[:, None], col]
        if is_hidden.any():
            band[is_hidden] = _hatch(top, len(at), size[0], stripe)[is_hidden]
        yield band


class Smoothed:
    """Bilinear between the centres of cells, constant outside of them; hatched cells are left out."""

    def __init__(self, how: Coloured, row_edges: np.ndarray, col_edges: np.ndarray):
        self._weight = (~how.hidden).astype(np.float64)
        self._values = how.values * self._weight
        self._centres = [(edges[:-1] + edges[1:]) / 2 for edges in (row_edges, col_edges)]

    def values(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        down, across = (self._shares(centres, at) for centres, at in zip(self._centres, (y, x), strict=True))
        total, weight = (down @ part @ across.T for part in (self._values, self._weight))
        return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)

    @staticmethod
    def _shares(centres: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Weights of each place's cells, [places, cells]: of two neighbours, or of the outermost."""
        shares = np.zeros((len(at), len(centres)))
        after = np.clip(np.searchsorted(centres, at), 1, max(1, len(centres) - 1))
        before = after - 1
        after = np.minimum(after, len(centres) - 1)
        width = centres[after] - centres[before]
        share = np.clip(np.divide(at - centres[before], width, out=np.zeros(len(at)), where=width > 0), 0, 1)
        places = np.arange(len(at))
        shares[places, before] = 1 - share
        shares[places, after] += share
        return shares


def _stripe_px(row_edges: np.ndarray, col_edges: np.ndarray, scale: float, abreast: int) -> int:
    """The width of a hatch's stripes: some in every cell, and fine where cells are large."""
    side = min(np.diff(row_edges).min(), np.diff(col_edges).min()) * scale
    whole = max(row_edges[-1] - row_edges[0], col_edges[-1] - col_edges[0]) * scale
    return max(1, round(min(side / 12, abreast * whole / 500)))


def _hatch(top: int, rows: int, cols: int, stripe: int) -> np.ndarray:
    """Diagonal stripes as on the page, dark with a light edge, seen on every picture: uint8 [rows, cols, 4]."""
    phase = (np.arange(top, top + rows)[:, None] + np.arange(cols)) // stripe % 6
    stripes = np.zeros((6, 4), np.uint8)
    stripes[0], stripes[1] = (*DARK, 170), (*LIGHT, 128)
    return stripes[phase]
