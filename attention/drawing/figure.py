"""Maps on their pictures as a file: a PNG of any size, or a figure for a paper as SVG or PDF.

Owns the layout: the pictures side by side, below each its name and its colour bar, below all the caption. What a map
shows comes as a `Panel`; knows neither runs nor models nor Gradio.

matplotlib is used through its objects, never through pyplot, and by one thread at a time: its settings and its font
cache belong to the whole process.
"""

from __future__ import annotations

import json
import math
import threading
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from attention.errors import InvalidRequest, LimitExceeded, quoted
from attention.limits import MAX_FIGURE_MEGAPIXELS, MAX_PIXELS

from .number_text import SPACE
from .overlay import DARK, LIGHT, lay_over

SCALES = (0.25, 4.0)
INCHES = 6.0  # the width of a figure of one picture: a column and a half of a page
INCHES_OF_SEVERAL = 7.0  # a page between its margins
MOST_INCHES_HIGH = 7.0  # of the pictures
FIGURE_PX = 2048  # the longer side of a figure's picture at most, and of its cells always: some 340 to the inch
LEAST_CAPTION_PX = 480  # below that a caption cannot be read
LEAST_COLUMN_PX = 320  # of several
POINTS = 7.5
LETTERS = 104 / INCHES  # of a line, an inch
MARGIN, BAR = 0.08, 2.4  # inches
MAX_DASHES = 2_000  # of a line
LINE = POINTS * 1.35 / 72
# for signs that matplotlib's own font lacks, where one of them is installed
FALLBACK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC",
    "Hiragino Sans", "Arial Unicode MS", "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol",
)  # fmt: skip

_MATPLOTLIB = threading.Lock()


@dataclass(frozen=True)
class Panel:
    """One map on its picture, and what is said right below it."""

    picture: Image.Image  # RGB, in its own size
    overlay: Callable[[tuple[int, int]], Iterator[np.ndarray]]  # a size -> the coloured cells, as `overlay.overlay`
    colours: np.ndarray  # of the bar, uint8 [256, 3]
    labels: tuple[str, str, str]  # at the bar's low end, middle and high end
    note: str  # the unit
    # points (x, y, label, is_guess), boxes (x0, y0, x1, y1, label, is_guess), in pixels
    places: tuple[Sequence[tuple], Sequence[tuple]] = ((), ())
    name: str = ""

    def drawn(self, size: tuple[int, int], unit: int | None = None) -> Image.Image:
        """The map on its picture, as pixels of that size; `unit` is the width of the lines of its places."""
        picture = self.picture.resize(size, Image.Resampling.LANCZOS)
        lay_over(picture, self.overlay(size))
        _draw_places(picture, self, unit or max(1, round(max(size) / 500)))
        return picture


def write_png(
    panels: Sequence[Panel], caption: Sequence[str] | None, about: dict, file: BinaryIO, size: tuple[int, int]
) -> None:
    """Write maps side by side, each picture in that size, see `size_of`.

    With `caption` names, colour bars and its sentences stand below. `about`, the settings, are in the file as its text
    `attention`.
    """
    pictures = [panel.drawn(size) for panel in panels]
    column = size[0] if caption is None else max(size[0], LEAST_CAPTION_PX if len(panels) == 1 else LEAST_COLUMN_PX)
    gap = round(column / 48) if len(panels) > 1 else 0
    width = len(panels) * (column + gap) - gap
    words = None if caption is None else _words(panels, caption, width)
    whole = pictures[0]
    if len(panels) > 1 or words is not None:
        whole = Image.new("RGB", (width, size[1] + (words.height if words else 0)), "white")
        for i, picture in enumerate(pictures):
            whole.paste(picture, (i * (column + gap), 0))
    if words is not None:
        whole.paste(words, (0, size[1]))
    save_png(whole, about, file)


def save_png(picture: Image.Image, about: dict, file: BinaryIO) -> None:
    """Write pixels with the settings that made them, as the file's text `attention`."""
    info = PngInfo()
    info.add_itxt("attention", _as_text(about))
    picture.save(file, "PNG", pnginfo=info)


def write_figure(
    panels: Sequence[Panel], caption: Sequence[str], about: dict, title: str, file: BinaryIO, format: str  # noqa: A002
) -> None:  # fmt: skip
    """Write maps side by side with names, colour bars and a caption, as `svg` or `pdf`. Text stays text."""
    metadata = {
        "svg": {"Title": drawable(title), "Description": _as_text(about), "Date": None},
        "pdf": {"Title": drawable(title), "Subject": _as_text(about), "CreationDate": None},
    }[format]
    page = _Page(panels, caption)
    wide, tall = panels[0].picture.size
    inches = min(page.column, MOST_INCHES_HIGH * wide / tall)
    high = inches * tall / wide
    longest = FIGURE_PX * page.column / page.width
    # The cells are a picture of their own, so fine that their borders lie where they should to a fraction of a point.
    fine = max(1, round(wide * longest / max(wide, tall))), max(1, round(tall * longest / max(wide, tall)))
    with matplotlib_figure() as Figure:  # noqa: N806 - a class
        figure = Figure(figsize=(page.width, high + page.below))
        for i, panel in enumerate(panels):
            picture = panel.picture.copy()
            picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
            over = np.concatenate([*panel.overlay(fine)])
            left, whole = page.left(i) / page.width, high + page.below
            axes = figure.add_axes((left, page.below / whole, inches / page.width, high / whole))
            for layer in (picture, over):
                axes.imshow(layer, extent=(0, wide, tall, 0), interpolation="none", aspect="auto")
            axes.set(xlim=(0, wide), ylim=(tall, 0))
            axes.axis("off")
            _add_places(axes, panel)
        page.write(figure)
        figure.savefig(file, format=format, metadata=metadata)


def _as_text(about: dict) -> str:
    """The settings as JSON in plain ASCII, which every format can hold."""
    return json.dumps(about)


def size_of(image: dict, scale: float | None, width: int | None, panels: int = 1) -> tuple[int, int]:
    """A picture's width and height in the file, refused when that is too much for so many of them.

    `image` is its record in run.json. Raises InvalidRequest or LimitExceeded.
    """
    if width is not None:
        if scale is not None:
            raise InvalidRequest("Give scale or width, not both.")
        if isinstance(width, bool) or not isinstance(width, int) or not 1 <= width <= 1_000_000:
            raise InvalidRequest(f"width is {quoted(width)}; it must be a whole number of pixels.")
        scale = width / image["width"]
    scale = 1 if scale is None else scale
    is_number = isinstance(scale, int | float) and not isinstance(scale, bool)
    if width is None and not (is_number and SCALES[0] <= scale <= SCALES[1]):
        raise InvalidRequest(f"scale is {quoted(scale)}; it must be a number from {SCALES[0]:g} to {SCALES[1]:g}.")
    size = width or max(1, round(image["width"] * scale)), max(1, round(image["height"] * scale))
    # a picture in its own size was let in before
    limit = MAX_PIXELS if scale <= 1 else 1_000_000 * MAX_FIGURE_MEGAPIXELS
    pixels = panels * size[0] * size[1]
    if pixels > limit:
        raise LimitExceeded(
            f"This would be {panels * size[0]}x{size[1]}, {pixels / 1e6:,.0f} megapixels; the limit is "
            f"{limit / 1e6:.0f}. Choose a smaller size, or svg or pdf, which are sharp in any size."
        )
    return size


# What stands below the pictures


class _Page:
    """Layout of words and colour bars below pictures in columns, in inches, and its depth."""

    def __init__(self, panels: Sequence[Panel], caption: Sequence[str]):
        self._panels = panels
        is_one = len(panels) == 1
        self.width = INCHES if is_one else INCHES_OF_SEVERAL
        gap = 0 if is_one else self.width / (48 * len(panels))
        self._step = (self.width + gap) / len(panels)
        self.column = self._step - gap
        letters = int(self.column * LETTERS) - 2
        self._names = [wrapped(drawable(panel.name), letters) for panel in panels]
        # beside the bar where it is the only one, else below its numbers
        self._notes = [[drawable(panel.note)] if is_one else wrapped(drawable(panel.note), letters) for panel in panels]
        self._bar_top = LINE * max(map(len, self._names)) + 0.09
        self._notes_top = self._bar_top + (0.13 if is_one else 0.3)
        under = self._notes_top if is_one else self._notes_top + LINE * max(map(len, self._notes)) - 0.12
        self._caption_top = under + 0.23
        most = int(self.width * LETTERS)
        self._lines = [line for sentence in caption for line in wrapped(drawable(sentence), most)]
        self.below = self._caption_top + 0.05 + len(self._lines) * LINE

    def left(self, column: int) -> float:
        return column * self._step

    def write(self, figure) -> None:
        """Bars and words, in the lowest `below` inches of a figure."""
        wide, high = figure.get_size_inches()

        def text(x: float, down: float, words: str, **how) -> None:
            how = {"va": "top", "fontsize": POINTS, "linespacing": 1.35, "parse_math": False} | how
            figure.text(x / wide, (self.below - down) / high, words, **how)

        for i, panel in enumerate(self._panels):
            left = self.left(i) + MARGIN
            if self._names[i]:
                text(left, 0.07, "\n".join(self._names[i]), weight="bold")
            width = min(BAR, self.column - 2 * MARGIN)
            box = (left / wide, (self.below - self._bar_top - 0.13) / high, width / wide, 0.13 / high)
            _add_bar(figure.add_axes(box), panel)
            if len(self._panels) == 1:
                text(left + width + 0.12, self._bar_top + 0.065, self._notes[i][0], va="center")
            else:
                text(left, self._notes_top, "\n".join(self._notes[i]))
        text(MARGIN, self._caption_top, "\n".join(self._lines))


def _add_bar(axes, panel: Panel) -> None:
    axes.imshow(panel.colours[None], extent=(0, 1, 0, 1), aspect="auto", interpolation="none")
    axes.set_xticks([0, 0.5, 1], panel.labels, parse_math=False, fontsize=POINTS)
    axes.set_yticks([])
    axes.tick_params(length=2, width=0.5, pad=1.5)
    for label, side in zip(axes.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)
    for spine in axes.spines.values():
        spine.set_linewidth(0.5)


def _words(panels: Sequence[Panel], caption: Sequence[str], width: int) -> Image.Image:
    """Draw what stands below the pictures of a PNG, on white."""
    page = _Page(panels, caption)
    with matplotlib_figure() as Figure:  # noqa: N806 - a class
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure = Figure(figsize=(page.width, page.below), dpi=width / page.width)
        page.write(figure)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def wrapped(text: str, letters: int) -> list[str]:
    """A sentence in lines of so many letters at most, broken at spaces where there are some."""
    lines, start = [], 0
    while start < len(text):
        stop, width, space = start, 0.0, 0
        while stop < len(text) and width < letters:
            width += 2 if unicodedata.east_asian_width(text[stop]) in "WF" else 1
            stop += 1
            if text[stop - 1] == " ":
                space = stop
        if stop < len(text) and space > start:
            stop = space
        lines.append(text[start:stop].rstrip())
        start = stop
    return lines


def drawable(text: str) -> str:
    """A text as a line that every format can hold: line breaks and other signs without a shape become visible ones."""

    def shown(sign: str) -> str:
        if sign.isprintable() or sign == SPACE:
            return sign
        if sign == "\n":
            return "↵"
        if ord(sign) < 32:
            return chr(0x2400 + ord(sign))
        kind = unicodedata.category(sign)
        return " " if kind[0] == "Z" else "" if kind == "Cf" else "\u241a"

    return "".join(map(shown, text))


# Places that the answer names


def _draw_places(picture: Image.Image, panel: Panel, unit: int) -> None:
    """Crosshairs, frames and their labels, dark on light, by pixels; what is only a guess is dashed."""
    points, boxes = panel.places
    across, down = picture.width / panel.picture.width, picture.height / panel.picture.height
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(_font_file(), 12 * unit)
    for colour, width in ((LIGHT, 3 * unit), (DARK, unit)):
        dash = 4 * unit if colour == DARK else None
        for x, y, _, is_guess in points:
            x, y, arm = x * across, y * down, 10 * unit  # noqa: PLW2901 - in pixels of the file
            for line in ((x - arm, y, x + arm, y), (x, y - arm, x, y + arm)):
                for part in _parts(line, dash if is_guess else None):
                    pen.line(part, fill=colour, width=width)
        for x0, y0, x1, y1, _, is_guess in boxes:
            left, top, right, bottom = (
                min(x0, x1) * across,
                min(y0, y1) * down,
                max(x0, x1) * across,
                max(y0, y1) * down,
            )
            if is_guess and dash:
                corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
                for start, stop in pairwise(corners):
                    for part in _parts((*start, *stop), dash):
                        pen.line(part, fill=colour, width=width)
                continue
            inset = (width - unit) // 2
            outer = (left - inset, top - inset, right + inset, bottom + inset)
            pen.rectangle(outer, outline=colour, width=width)
    for *place, label, _ in [*points, *boxes]:
        if label:
            at = (place[0] * across + 4 * unit, place[1] * down + 3 * unit)
            pen.text(at, drawable(label), fill=DARK, font=font, stroke_width=2 * unit, stroke_fill=LIGHT)


def _parts(line: tuple[float, float, float, float], dash: float | None) -> Iterator[tuple[float, ...]]:
    """A line as it is, or its dashes, as long as the gaps between them; of which there are MAX_DASHES at most."""
    x0, y0, x1, y1 = line
    length = math.hypot(x1 - x0, y1 - y0)
    if dash is None or not length:
        yield line
        return
    n = min(2 * MAX_DASHES, max(1, round(length / dash)) | 1)  # it begins and ends with a dash
    for i in range(0, n, 2):
        yield tuple(a + (b - a) * at / n for at in (i, i + 1) for a, b in ((x0, x1), (y0, y1)))


def _add_places(axes, panel: Panel) -> None:
    """The same as lines and text; a point that is only a guess is a crosshair turned by half a right angle."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    points, boxes = panel.places
    outline = [withStroke(linewidth=2.5, foreground="white")]
    for x, y, _, is_guess in points:
        sign = "x" if is_guess else "+"
        axes.plot([x], [y], sign, color="#14161a", markersize=11, markeredgewidth=1, path_effects=outline)
    for x0, y0, x1, y1, _, is_guess in boxes:
        frame = Rectangle(
            (x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="#14161a", path_effects=outline,
            linestyle="--" if is_guess else "-",
        )  # fmt: skip
        axes.add_patch(frame)
    for *place, label, _ in [*points, *boxes]:
        axes.annotate(
            drawable(label), place[:2], (3, -2), textcoords="offset points", va="top", color="#14161a",
            fontsize=POINTS, parse_math=False, clip_on=True,
            bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1},  # with an outline it would be no text
        )  # fmt: skip


# matplotlib


@contextmanager
def matplotlib_figure() -> Iterator[type]:
    """matplotlib's Figure, under its own defaults whatever a person's settings say, for one thread at a time."""
    import matplotlib
    from matplotlib.figure import Figure

    settings = {
        "font.family": ["DejaVu Sans", *_fallback_fonts()], "svg.fonttype": "none", "svg.hashsalt": "attention",
        "pdf.fonttype": 42, "figure.facecolor": "white",
    }  # fmt: skip
    with _MATPLOTLIB, matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # it is drawn as an empty box
        yield Figure


@cache
def _fallback_fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [name for name in FALLBACK_FONTS if name in installed]


@cache
def _font_file() -> str:
    from matplotlib import get_data_path

    return str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")
