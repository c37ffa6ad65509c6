"""One map of a run on its picture: a PNG of any size, or a figure for a paper as SVG or PDF.

Owns where every cell lies in the picture that is written, the colour bar and the words below it. A pixel belongs to the
cell that its centre lies in. What is drawn comes as a `Selection`, how it looks as a `Look`. Knows neither models nor
Gradio.

matplotlib is used through its objects, never through pyplot, and by one thread at a time: its settings and its font
cache belong to the whole process.
"""

from __future__ import annotations

import json
import threading
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from .errors import DamagedRun, InvalidRequest, LimitExceeded
from .images import MAX_PIXELS
from .look import Drawn, Look, coverage, drawn, palette
from .run import Run
from .selection import REDUCTIONS, Selection
from .tokens import cell_edges

MAX_MEGAPIXELS = 40
SCALES = (0.25, 4.0)
INCHES = 6.0  # the width of a figure: a column and a half of a page
MOST_INCHES_HIGH = 7.0  # of its picture
FIGURE_PX = 2048  # the longer side of a figure's picture at most, and of its cells always: some 340 to the inch
LEAST_CAPTION_PX = 480  # below that a caption cannot be read
POINTS = 7.5
LINE_LETTERS = 104  # of a caption, as wide as the figure
SAID = ("palette", "opacity", "unit", "curve", "sinks", "smooth")
DARK, LIGHT = (20, 22, 26), (255, 255, 255)
# for signs that matplotlib's own font lacks, where one of them is installed
FALLBACK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC",
    "Hiragino Sans", "Arial Unicode MS", "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol",
)  # fmt: skip

_MATPLOTLIB = threading.Lock()


def write_png(
    selection: Selection,
    look: Look,
    file: BinaryIO,
    scale: float | None = None,
    width: int | None = None,
    caption: bool = False,
) -> np.ndarray:
    """Write the map on its picture, in the picture's own size or as asked; return its values [rows, cols].

    `scale` is a multiple of that size, `width` a number of pixels. Bare the file has exactly that size; with `caption`
    a colour bar and what it is of stand below. The settings are in the file, as its text `attention`. Raises
    InvalidRequest or NotInRun before anything is written.
    """
    values, source = selection.values()
    cells = selection.cells()
    how = _drawn(selection, look, values, cells)
    record = selection.run.info["grids"][selection.grid]
    size = _size(selection.run.info["images"][record["image"]], scale, width)
    picture = picture_of(selection.run, record["image"]).resize(size, Image.Resampling.LANCZOS)
    lay_over(picture, how, look, record, _scale_of(selection.run, record, size))
    if look.places:
        _draw_places(picture, selection.run.info, record["image"])
    if caption:
        picture = _with_caption(picture, how, look, _caption(selection, look, how, values, source))
    about = PngInfo()
    about.add_itxt("attention", _about(selection, look, how))
    picture.save(file, "PNG", pnginfo=about)
    return values[cells]


def write_figure(selection: Selection, look: Look, file: BinaryIO, format: str) -> None:  # noqa: A002
    """Write the map on its picture with a colour bar and a caption, as `svg` or `pdf`. Text stays text."""
    values, source = selection.values()
    how = _drawn(selection, look, values, selection.cells())
    info, record = selection.run.info, selection.run.info["grids"][selection.grid]
    picture = picture_of(selection.run, record["image"])
    full = picture.size
    picture.thumbnail((FIGURE_PX, FIGURE_PX), Image.Resampling.LANCZOS)
    # The cells are a picture of their own, so fine that their borders lie where they should to a fraction of a point.
    fine = tuple(max(1, round(side * FIGURE_PX / max(full))) for side in full)
    over = np.concatenate([*_overlay(how, look, record, fine, _scale_of(selection.run, record, fine))])
    lines = _caption(selection, look, how, values, source)
    about = _about(selection, look, how)
    title = f"attention of {info['model']['id']}"
    metadata = {
        "svg": {"Title": _drawable(title), "Description": about, "Date": None},
        "pdf": {"Title": _drawable(title), "Subject": about, "CreationDate": None},
    }[format]
    inches = min(INCHES, MOST_INCHES_HIGH * full[0] / full[1])
    high = inches * full[1] / full[0]
    with _matplotlib() as Figure:  # noqa: N806 - a class
        below = _below_inches(lines)
        figure = Figure(figsize=(INCHES, high + below))
        axes = figure.add_axes((0, below / (high + below), inches / INCHES, high / (high + below)))
        for layer in (picture, over):
            axes.imshow(layer, extent=(0, full[0], full[1], 0), interpolation="none", aspect="auto")
        axes.set(xlim=(0, full[0]), ylim=(full[1], 0))
        axes.axis("off")
        if look.places:
            _add_places(axes, info, record["image"])
        _add_bar_and_caption(figure, how, look, lines, below)
        figure.savefig(file, format=format, metadata=metadata)


# Numbers


def _drawn(selection: Selection, look: Look, values: np.ndarray, cells: np.ndarray) -> Drawn:
    if selection.key is not None and look.unit == "uniform":
        raise InvalidRequest("A column holds shares of many rows: there is no even attention to compare them with.")
    sinks = np.asarray(selection.sinks, np.int64)
    return drawn(values[cells], look, np.isin(cells, sinks), float(values[sinks].sum(dtype=np.float64)))


def _about(selection: Selection, look: Look, how: Drawn) -> str:
    """The settings as JSON in plain ASCII, which every format can hold."""
    settings = selection.settings() | {name: value for name, value in look.to_dict().items() if name in SAID}
    settings["range"] = [how.low, how.high]
    return json.dumps(settings)


# Where things lie


def _size(image: dict, scale: float | None, width: int | None) -> tuple[int, int]:
    """A picture's width and height in the file, refused when that is too much."""
    if width is not None:
        if scale is not None:
            raise InvalidRequest("Give scale or width, not both.")
        if isinstance(width, bool) or not isinstance(width, int) or not 1 <= width <= 1_000_000:
            raise InvalidRequest(f"width is {width!r}; it must be a whole number of pixels.")
        scale = width / image["width"]
    scale = 1 if scale is None else scale
    is_number = isinstance(scale, int | float) and not isinstance(scale, bool)
    if width is None and not (is_number and SCALES[0] <= scale <= SCALES[1]):
        raise InvalidRequest(f"scale is {scale!r}; it must be a number from {SCALES[0]:g} to {SCALES[1]:g}.")
    size = width or max(1, round(image["width"] * scale)), max(1, round(image["height"] * scale))
    limit = MAX_PIXELS if scale <= 1 else 1_000_000 * MAX_MEGAPIXELS  # a picture in its own size was let in before
    if size[0] * size[1] > limit:
        raise LimitExceeded(
            f"This would be {size[0]}x{size[1]}, {size[0] * size[1] / 1e6:,.0f} megapixels; the limit is "
            f"{limit / 1e6:.0f}. Choose a smaller size, or svg or pdf, which are sharp in any size."
        )
    return size


def _scale_of(run: Run, record: dict, size: tuple[int, int]) -> tuple[float, float]:
    image = run.info["images"][record["image"]]
    return size[0] / image["width"], size[1] / image["height"]


def lay_over(picture: Image.Image, how: Drawn, look: Look, grid: dict, scale: tuple[float, float]) -> None:
    """Lay a map over its picture, a band of rows at a time: memory is that of the picture."""
    top = 0
    for band in _overlay(how, look, grid, picture.size, scale):
        over = Image.fromarray(band)
        picture.paste(over.convert("RGB"), (0, top), over.getchannel("A"))
        top += len(band)


def _overlay(
    how: Drawn, look: Look, grid: dict, size: tuple[int, int], scale: tuple[float, float]
) -> Iterator[np.ndarray]:
    """The coloured cells in a transparent picture, uint8 [rows, width, 4] from top to bottom, some rows at a time."""
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
    colours = np.concatenate([palette(look.palette), coverage(look.opacity)[:, None]], axis=1)
    cells = np.zeros((rows + 1, cols + 1, 4), np.uint8)  # the last ones are of pixels outside
    cells[:rows, :cols] = np.where(how.hidden[..., None], 0, colours[how.entries(how.values)])
    hidden = np.zeros((rows + 1, cols + 1), bool)
    hidden[:rows, :cols] = how.hidden
    smooth = _Between(how, row_edges, col_edges) if look.smooth else None
    stripe = _stripe_px(row_edges, col_edges, down)
    step = max(1, (1 << 21) // max(1, size[0]))
    for top in range(0, size[1], step):
        at = row[top : top + step]
        if smooth is None:
            band = cells[at[:, None], col]
        else:
            band = colours[how.entries(smooth.values(y[top : top + step], x))]
            band[(at < 0)[:, None] | (col < 0)] = 0
        is_hidden = hidden[at[:, None], col]
        if is_hidden.any():
            band[is_hidden] = _hatch(top, len(at), size[0], stripe)[is_hidden]
        yield band


class _Between:
    """Bilinear between the centres of cells, constant outside of them; hatched cells are left out."""

    def __init__(self, how: Drawn, row_edges: np.ndarray, col_edges: np.ndarray):
        self._weight = (~how.hidden).astype(np.float64)
        self._values = how.values * self._weight
        self._centres = [(edges[:-1] + edges[1:]) / 2 for edges in (row_edges, col_edges)]

    def values(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        down, across = (self._shares(centres, at) for centres, at in zip(self._centres, (y, x), strict=True))
        total, weight = (down @ part @ across.T for part in (self._values, self._weight))
        return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)

    @staticmethod
    def _shares(centres: np.ndarray, at: np.ndarray) -> np.ndarray:
        """What each place takes of each cell, [places, cells]: of two neighbours, or of the outermost."""
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


def _stripe_px(row_edges: np.ndarray, col_edges: np.ndarray, scale: float) -> int:
    """The width of a hatch's stripes: some in every cell, and fine where cells are large."""
    side = min(np.diff(row_edges).min(), np.diff(col_edges).min()) * scale
    whole = max(row_edges[-1] - row_edges[0], col_edges[-1] - col_edges[0]) * scale
    return max(1, round(min(side / 12, whole / 500)))


def _hatch(top: int, rows: int, cols: int, stripe: int) -> np.ndarray:
    """Diagonal stripes as on the page, dark with a light edge, seen on every picture: uint8 [rows, cols, 4]."""
    phase = (np.arange(top, top + rows)[:, None] + np.arange(cols)) // stripe % 6
    stripes = np.zeros((6, 4), np.uint8)
    stripes[0], stripes[1] = (*DARK, 170), (*LIGHT, 128)
    return stripes[phase]


# Places that the answer names


def _places(info: dict, image: int) -> tuple[list[tuple], list[tuple]]:
    """Points (x, y, label) and boxes (x0, y0, x1, y1, label) on one picture, in its pixels."""
    return tuple(
        [
            (*(place[side] for side in sides), place.get("label") or "")
            for place in info.get(name) or []
            if place["image"] == image
        ]
        for name, sides in (("points", ("x", "y")), ("boxes", ("x0", "y0", "x1", "y1")))
    )


def _draw_places(picture: Image.Image, info: dict, image: int) -> None:
    """Crosshairs, frames and their labels, dark on light, by pixels."""
    points, boxes = _places(info, image)
    record = info["images"][image]
    across, down = picture.width / record["width"], picture.height / record["height"]
    unit = max(1, round(max(picture.size) / 500))
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(_font_file(), 12 * unit)
    for colour, width in ((LIGHT, 3 * unit), (DARK, unit)):
        for x, y, _ in points:
            x, y, arm = x * across, y * down, 10 * unit  # noqa: PLW2901 - in pixels of the file
            pen.line((x - arm, y, x + arm, y), fill=colour, width=width)
            pen.line((x, y - arm, x, y + arm), fill=colour, width=width)
        for x0, y0, x1, y1, _ in boxes:
            box = (min(x0, x1) * across, min(y0, y1) * down, max(x0, x1) * across, max(y0, y1) * down)
            inset = (width - unit) // 2
            outer = (box[0] - inset, box[1] - inset, box[2] + inset, box[3] + inset)
            pen.rectangle(outer, outline=colour, width=width)
    for *place, label in [*points, *boxes]:
        if label:
            at = (place[0] * across + 4 * unit, place[1] * down + 3 * unit)
            pen.text(at, _drawable(label), fill=DARK, font=font, stroke_width=2 * unit, stroke_fill=LIGHT)


def _add_places(axes, info: dict, image: int) -> None:
    """The same as lines and text."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    points, boxes = _places(info, image)
    outline = [withStroke(linewidth=2.5, foreground="white")]
    for x, y, _ in points:
        axes.plot([x], [y], "+", color="#14161a", markersize=11, markeredgewidth=1, path_effects=outline)
    for x0, y0, x1, y1, _ in boxes:
        frame = Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="#14161a", path_effects=outline)
        axes.add_patch(frame)
    for *place, label in [*points, *boxes]:
        axes.annotate(
            _drawable(label), place[:2], (3, -2), textcoords="offset points", va="top", color="#14161a",
            fontsize=POINTS, parse_math=False, clip_on=True,
            bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1},  # with an outline it would be no text
        )  # fmt: skip


# The colour bar and the words


def _with_caption(picture: Image.Image, how: Drawn, look: Look, lines: list[str]) -> Image.Image:
    """The picture as it is, and below it the colour bar and the caption, on white."""
    width = max(picture.width, LEAST_CAPTION_PX)
    below = _below_inches(lines)
    with _matplotlib() as Figure:  # noqa: N806 - a class
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure = Figure(figsize=(INCHES, below), dpi=width / INCHES)
        _add_bar_and_caption(figure, how, look, lines, below)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        words = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    whole = Image.new("RGB", (width, picture.height + words.height), "white")
    whole.paste(picture, (0, 0))
    whole.paste(words, (0, picture.height))
    return whole


def _below_inches(lines: list[str]) -> float:
    return 0.5 + len(lines) * POINTS * 1.35 / 72


def _add_bar_and_caption(figure, how: Drawn, look: Look, lines: list[str], below: float) -> None:
    """The lowest `below` inches of a figure: a colour bar with the numbers of the page's, and lines of text."""
    wide, high = figure.get_size_inches()
    bar = figure.add_axes((0.08 / wide, (below - 0.22) / high, 2.4 / wide, 0.13 / high))
    bar.imshow(palette(look.palette)[None], extent=(0, 1, 0, 1), aspect="auto", interpolation="none")
    low, middle, high_label = bar_labels(how)
    bar.set_xticks([0, 0.5, 1], [low, middle, high_label], parse_math=False, fontsize=POINTS)
    bar.set_yticks([])
    bar.tick_params(length=2, width=0.5, pad=1.5)
    for label, side in zip(bar.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)
    for spine in bar.spines.values():
        spine.set_linewidth(0.5)
    figure.text(2.6 / wide, (below - 0.155) / high, bar_note(how), va="center", fontsize=POINTS, parse_math=False)
    figure.text(
        0.08 / wide, (below - 0.45) / high, "\n".join(lines), va="top", fontsize=POINTS, linespacing=1.35,
        parse_math=False,
    )  # fmt: skip


def bar_labels(how: Drawn) -> tuple[str, str, str]:
    """The ends and the middle of the colour bar, as the page writes them."""
    write = format_times if how.unit == "uniform" else format_value
    low = f"≤ {write(how.low)}" if how.low > 0 else write(0)
    return low, write(how.value_at(0.5)) if how.high > 0 else "", ("≥ " if how.clipped else "") + write(how.high)


def bar_note(how: Drawn) -> str:
    """The unit, and what the colours do not show."""
    write = format_times if how.unit == "uniform" else format_value
    note = "times even attention" if how.unit == "uniform" else "attention"
    if how.curve != "linear":
        note += {"sqrt": ", square root", "log": ", logarithm"}[how.curve]
    if how.clipped:
        cells = "1 cell" if how.clipped == 1 else f"{how.clipped} cells"
        note += f" · {cells} above, up to {write(how.largest)}"
    return note


def format_value(value: float) -> str:
    """Three significant digits: 0.123, 0.00332, 3.32e-5."""
    if value == 0:
        return "0"
    if abs(value) < 9.995e-4:
        digits, power = f"{value:.2e}".split("e")
        return f"{digits}e{int(power)}"
    text = f"{value:#.3g}".removesuffix(".")
    return "1" if text == "1.00" else text


def format_times(times: float) -> str:
    """A multiple of even attention: 7.2×, 130×, 0.041×."""
    if times == 0:
        return "0×"
    if times >= 99.5:
        return f"{times:.0f}×"
    if times < 9.95e-4:
        digits, power = f"{times:.1e}".split("e")
        return f"{digits}e{int(power)}×"
    return f"{times:#.2g}".removesuffix(".") + "×"


def format_percent(share: float) -> str:
    percent = 100 * share
    if percent == 0:
        return "0 %"
    text = f"{percent:.1f}" if percent >= 9.95 else f"{percent:#.2g}" if percent >= 0.0995 else f"{percent:.1g}"
    return ("100" if text == "100.0" else text) + " %"


def _caption(selection: Selection, look: Look, how: Drawn, values: np.ndarray, source: str) -> list[str]:
    """What a map is of and how it is drawn, in lines that fit the figure."""
    info, record = selection.run.info, selection.run.info["grids"][selection.grid]
    model, adapter = info["model"]["id"], info.get("adapter")
    if adapter:
        model += f" with {adapter['id']}"
        scale = adapter.get("scale")
        model += f" x {scale:g}" if isinstance(scale, int | float) and scale != 1 else ""
    layer, head = (
        f"{choice} over {what}s" if choice in REDUCTIONS else f"{what} {choice}"
        for what, choice in (("layer", selection.layer), ("head", selection.head))
    )
    image = f"image {record['image'] + 1}" + ("" if record["kind"] == "whole" else f" ({record['kind']})")
    cells = values[selection.cells()]
    total = float(cells.sum())
    is_share = "max" not in (selection.layer, selection.head)  # largest values of many rows are no shares of one
    held = f", hold {format_percent(total)} of the row" if is_share else f", sum {format_value(total)}"
    held = held if selection.key is None else ""
    write = format_times if how.unit == "uniform" else format_value
    sentences = [
        f"{model} · {selection.tower} tower · {layer} · {head}",
        _subject(selection),
        f"{image}: {how.values.shape[0]}×{how.values.shape[1]} cells{held}" + _sink_words(selection, look, how, values),
        f"{look.palette}, {how.curve}, {write(how.low)} to {write(how.high)}"
        + f"{' even attention' if how.unit == 'uniform' else ''}, opacity {look.opacity:g}"
        + ("; smoothed between the cells' centres" if look.smooth else ""),
        f"run {info['id']} · {'float16, as stored' if source == 'stored' else 'float32, from queries and keys'}",
    ]
    return [line for sentence in sentences for line in _lines(_drawable(sentence))]


def _subject(selection: Selection) -> str:
    if selection.received:
        return "what each key receives, mean over all queries"
    start, until = selection.position, selection.until
    what = ("row", "rows") if selection.key is None else ("position", "positions")
    where = f"{what[0]} {start}" if until is None else f"mean of {what[1]} {start} to {until}"
    if selection.texts is None:
        keys = selection.run.info["towers"][selection.tower]["keys"]
        cell = keys[start] if isinstance(keys, list) and until is None else None
        own = f" (cell at row {cell['row']}, col {cell['col']})" if cell else ""
    else:
        own = f" {_quoted(selection.texts[0])}"
        own += f", predicts {_quoted(selection.texts[1])}" if selection.texts[1] else ""
    return f"{'reads from' if selection.key is None else 'is read by'}: {where}{own}"


def _quoted(text: str) -> str:
    return f"“{text if len(text) <= 60 else text[:59] + '…'}”"


def _sink_words(selection: Selection, look: Look, how: Drawn, values: np.ndarray) -> str:
    """What is on the sinks, always said."""
    is_sink = np.isin(selection.cells(), selection.sinks)
    count, mass = int(is_sink.sum()), float(values[selection.cells()][is_sink].sum())
    words = ""
    if count:
        total = float(values[selection.cells()].sum())
        share = format_percent(mass / total) if total > 0 else "0 %"
        hatched = "" if look.sinks == "raw" else ", hatched, outside the colours"
        words = f"; {share} of that on {count} sink cell{'s' if count > 1 else ''}{hatched}"
    row_mass = float(values[np.asarray(selection.sinks, np.int64)].sum())
    if look.sinks == "renormalised" and row_mass > 0:
        words += f"; values are divided by the {format_percent(max(0.0, 1 - row_mass))} of the row not on sinks"
    return words


def _lines(text: str) -> list[str]:
    """A sentence in lines of the figure's width, broken at spaces where there are some."""
    lines, start = [], 0
    while start < len(text):
        stop, width, space = start, 0.0, 0
        while stop < len(text) and width < LINE_LETTERS:
            width += 2 if unicodedata.east_asian_width(text[stop]) in "WF" else 1
            stop += 1
            if text[stop - 1] == " ":
                space = stop
        if stop < len(text) and space > start:
            stop = space
        lines.append(text[start:stop].rstrip())
        start = stop
    return lines


def _drawable(text: str) -> str:
    """A text as a line that every format can hold: line breaks and other signs without a shape become visible ones."""

    def shown(sign: str) -> str:
        if sign.isprintable():
            return sign
        if sign == "\n":
            return "↵"
        if ord(sign) < 32:
            return chr(0x2400 + ord(sign))
        kind = unicodedata.category(sign)
        return " " if kind[0] == "Z" else "" if kind == "Cf" else "\u241a"

    return "".join(map(shown, text))


# matplotlib


@contextmanager
def _matplotlib() -> Iterator[type]:
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


# Pictures


def picture_of(run: Run, image: int) -> Image.Image:
    """A picture of the run as the processor received it. Raises DamagedRun."""
    name = run.info["images"][image]["file"]
    try:
        with Image.open(run.folder / name) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError) as error:
        raise DamagedRun(f"{name} of this run cannot be read: {error}.") from None
