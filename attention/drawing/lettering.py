"""Texts in pixels: measured, cut to the lines that there is room for, and drawn on white.

Text is data here: whatever its signs, it is drawn as it is and stays inside its lines. Knows nothing of what is said.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .figure import drawable, matplotlib_figure

DPI = 100
MOST_SIGNS = 2_000  # of one text: no page has room for more
SIGNS_OF_EM = 4  # in a line at most: narrow ones are a quarter of their height wide, marks on signs nothing


@dataclass(frozen=True)
class Style:
    """Setting of a text; `px` is its size in pixels."""

    px: int
    colour: str = "#14161a"
    weight: str = "normal"

    @property
    def line(self) -> int:
        """Pixels from a line to the next."""
        return round(1.36 * self.px)


class Lettering:
    """A white page of so many pixels on which texts are set. Made by `lettering`."""

    def __init__(self, figure, size: tuple[int, int]):
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self._figure, self._size = figure, size
        self._canvas = FigureCanvasAgg(figure)

    def width(self, text: str, style: Style) -> float:
        """Pixels that a text takes in one line."""
        return self._canvas.get_renderer().get_text_width_height_descent(text, self._font(style), False)[0]

    def fit(self, text: str, style: Style, width: float, lines: int = 1) -> list[str]:
        """A text in so many lines of that width at most, broken at spaces if there are any, cut with an ellipsis."""
        rest = drawable(" ".join(text[:MOST_SIGNS].split())).strip()
        result: list[str] = []
        while rest and len(result) < lines:
            stop = self._longest(rest, style, width)
            is_last = len(result) == lines - 1
            if stop < len(rest) and is_last:
                stop = self._longest(rest, style, width, "…")
                result.append(f"{rest[:stop].rstrip()}…")
                break
            if stop < len(rest):
                space = rest.rfind(" ", 0, stop + 1)
                stop = space if space > 0 else max(1, stop)
            result.append(rest[:stop].rstrip())
            rest = rest[stop:].lstrip()
        return result

    def write(self, left: float, top: float, lines: Sequence[str], style: Style, align: str = "left") -> float:
        """Set lines from `top` down, beginning, centred or ending at `left`; return where the next would begin."""
        from matplotlib.transforms import Bbox

        wide, high = self._size
        for line in lines:
            # no sign leaves its line, however many marks are stacked on it
            clip = Bbox.from_extents(0, high - top - 1.2 * style.px, wide, high - top + 0.16 * style.px)
            text = self._figure.text(
                left / wide, 1 - (top + 0.8 * style.px) / high, line, parse_math=False, va="baseline", ha=align,
                color=style.colour, fontproperties=self._font(style),
            )  # fmt: skip
            text.set_clip_on(True)
            text.set_clip_box(clip)
            top += style.line
        return top

    def picture(self) -> Image.Image:
        """The page with all that was set on it."""
        self._canvas.draw()
        return Image.fromarray(np.asarray(self._canvas.buffer_rgba())[..., :3])

    def _longest(self, text: str, style: Style, width: float, end: str = "") -> int:
        """Count the signs of a text that fit into one line, before `end`."""
        low, high = 0, min(len(text), math.ceil(SIGNS_OF_EM * width / style.px))
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.width(text[:middle] + end, style) <= width else (low, middle - 1)
        while low and self.width(text[:low] + end, style) > width:  # where signs are joined, more may be narrower
            low -= 1
        while 0 < low < len(text) and unicodedata.combining(text[low]):
            low -= 1
        return low

    @staticmethod
    def _font(style: Style):
        from matplotlib.font_manager import FontProperties

        return FontProperties(size=style.px * 72 / DPI, weight=style.weight)


@contextmanager
def lettering(size: tuple[int, int]) -> Iterator[Lettering]:
    """A white page of so many pixels, for one thread at a time."""
    with matplotlib_figure() as Figure:  # noqa: N806 - a class
        yield Lettering(Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI), size)
