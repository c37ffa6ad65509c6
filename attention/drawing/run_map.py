"""One map of a run on its picture, as a PNG or as a figure with a colour bar and a caption.

Knows what a map is of and how it is drawn, as a `Selection` and a `Look`, and makes of them what `figure` lays out: a
panel and the sentences below it. Knows neither models nor Gradio.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image

from attention.errors import DamagedRun, InvalidRequest
from attention.runs.run import Run
from attention.runs.selection import REDUCTIONS, Selection

from . import figure
from .figure import Panel, size_of
from .look import Drawn, Look, drawn, palette
from .number_text import bar_labels, bar_note, format_percent, format_strength, format_times, format_value
from .overlay import overlay

SAID = ("palette", "opacity", "unit", "curve", "sinks", "smooth", "plain")


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
    panel, sentences, about, values = _drawing(selection, look)
    record = selection.run.info["grids"][selection.grid]
    size = size_of(selection.run.info["images"][record["image"]], scale, width)
    figure.write_png([panel], sentences if caption else None, about, file, size)
    return values


def write_figure(selection: Selection, look: Look, file: BinaryIO, format: str) -> None:  # noqa: A002
    """Write the map on its picture with a colour bar and a caption, as `svg` or `pdf`. Text stays text."""
    panel, sentences, about, _ = _drawing(selection, look)
    title = f"attention of {selection.run.info['model']['id']}"
    figure.write_figure([panel], sentences, about, title, file, format)


def _drawing(selection: Selection, look: Look) -> tuple[Panel, list[str], dict, np.ndarray]:
    """The map, what is said below it, its settings and its values [rows, cols]."""
    values, source = selection.values()
    cells = selection.cells()
    if selection.key is not None and look.unit == "uniform":
        raise InvalidRequest("A column holds shares of many rows: there is no even attention to compare them with.")
    sinks = np.asarray(selection.sinks, np.int64)
    how = drawn(values[cells], look, np.isin(cells, sinks), selection.sink_mass(values))
    image = selection.run.info["grids"][selection.grid]["image"]
    panel = Panel(
        ground(selection.run, image, look), cells_over(selection, how, look.colours(), look), palette(look.palette),
        bar_labels(how), bar_note(how), places_on(selection.run.info, image, look),
    )  # fmt: skip
    about = selection.settings() | look_settings(look) | {"range": [how.low, how.high]}
    return panel, _caption(selection, look, how, values, source), about, values[cells]


def look_settings(look: Look) -> dict:
    """How a map was drawn, beside its range."""
    return {name: value for name, value in look.to_dict().items() if name in SAID}


def cells_over(
    selection: Selection, how: Drawn, colours: np.ndarray, look: Look, abreast: int = 1
) -> Callable[[tuple[int, int]], Iterator[np.ndarray]]:
    """The overlay of a map, for a picture of any size, of so many abreast. `colours` are uint8 [256, 4]."""
    info = selection.run.info
    record = info["grids"][selection.grid]
    image = info["images"][record["image"]]

    def bands(size: tuple[int, int]) -> Iterator[np.ndarray]:
        scale = size[0] / image["width"], size[1] / image["height"]
        return overlay(how, colours, record, size, scale, look.smooth, abreast)

    return bands


def places_on(info: dict, image: int, look: Look) -> tuple[list[tuple], list[tuple]]:
    """The places that the answer names on one picture, in its pixels, where the look has them drawn.

    Points (x, y, label, is_guess) and boxes (x0, y0, x1, y1, label, is_guess); those that may be on any picture are on
    the one that the look names. Raises InvalidRequest where there is no such picture.
    """
    if look.places_on is not None and look.places_on > len(info["images"]):
        raise InvalidRequest(f"places_on is {look.places_on}; this run has {len(info['images'])} pictures.")
    named = [*(info.get("points") or []), *(info.get("boxes") or [])] if look.places or look.places_on else []
    if look.places_on == image + 1:
        named += [each for place in info.get("unplaced") or [] for each in place.get("on", [])]
    points, boxes = [], []
    for place in named:
        if place["image"] == image:
            guess = place.get("ambiguous")
            words = " ".join(filter(None, [place.get("label"), f"({guess})" if guess else ""]))
            sides = ("x", "y") if "x" in place else ("x0", "y0", "x1", "y1")
            (points if "x" in place else boxes).append((*(place[side] for side in sides), words, bool(guess)))
    return points, boxes


def not_drawn(info: dict, look: Look) -> list[str]:
    """A sentence for each reason why places that the answer names are not drawn on the picture that they may mean."""
    if not (look.places or look.places_on):
        return []
    left = [place for place in info.get("unplaced") or [] if not (look.places_on and place.get("on"))]
    return [
        f"{n} place{'' if n == 1 else 's'} of the answer on no picture: {why}"
        for why, n in Counter(place["why"] for place in left).items()
    ]


def ground(run: Run, image: int, look: Look) -> Image.Image:
    """What a map is drawn on: a picture of the run as the processor received it, or white. Raises DamagedRun."""
    record = run.info["images"][image]
    return Image.new("RGB", (record["width"], record["height"]), "white") if look.plain else picture_of(run, image)


def picture_of(run: Run, image: int) -> Image.Image:
    """A picture of the run as the processor received it. Raises DamagedRun."""
    name = run.info["images"][image]["file"]
    try:
        with Image.open(run.folder / name) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError) as error:
        raise DamagedRun(f"{name} of this run cannot be read: {error}.") from None


# The words below


def _caption(selection: Selection, look: Look, how: Drawn, values: np.ndarray, source: str) -> list[str]:
    """What a map is of and how it is drawn, in sentences."""
    info = selection.run.info
    model, adapter = info["model"]["id"], info.get("adapter")
    if adapter:
        model += f" with {adapter['id']}"
        scale = adapter.get("scale")
        model += f" {format_strength(scale)}" if isinstance(scale, int | float) and scale != 1 else ""
    cells = values[selection.cells()]
    total = float(cells.sum())
    held = f", hold {format_percent(total)} of the row" if selection.are_shares else f", sum {format_value(total)}"
    held = held if selection.key is None else ""
    write = format_times if how.unit == "uniform" else format_value
    rows, cols = how.values.shape
    even = " even attention" if how.unit == "uniform" else ""
    colours = f"{look.palette}, {how.curve}, {write(how.low)} to {write(how.high)}{even}"
    return [
        f"{model} · {where_words(selection)}",
        subject_words(selection),
        f"{image_words(selection)}: {rows}×{cols} cells{held}{_sink_words(selection, look, values)}",
        f"{colours}, {ground_words(look)}",
        *not_drawn(info, look),
        f"run {info['id']} · {'float16, as stored' if source == 'stored' else 'float32, from queries and keys'}",
    ]


def ground_words(look: Look) -> str:
    """How a map lies on its picture."""
    lies = "without its picture" if look.plain else f"opacity {look.opacity:g}"
    return lies + ("; smoothed between the cells' centres" if look.smooth else "")


def where_words(selection: Selection) -> str:
    """The tower, layer and head of a map."""
    layer, head = (
        f"{choice} over {what}s" if choice in REDUCTIONS else f"{what} {choice}"
        for what, choice in (("layer", selection.layer), ("head", selection.head))
    )
    return f"{selection.tower} tower · {layer} · {head}"


def image_words(selection: Selection) -> str:
    """Which picture, tile or frame a map is on."""
    record = selection.run.info["grids"][selection.grid]
    return f"image {record['image'] + 1}" + ("" if record["kind"] == "whole" else f" ({record['kind']})")


def subject_words(selection: Selection, with_predicted: bool = True) -> str:
    """What reads, or is read, and what its row predicts."""
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
        own += f", predicts {_quoted(selection.texts[1])}" if selection.texts[1] and with_predicted else ""
    return f"{'reads from' if selection.key is None else 'is read by'}: {where}{own}"


def _quoted(text: str) -> str:
    return f"“{text if len(text) <= 60 else text[:59] + '…'}”"


def _sink_words(selection: Selection, look: Look, values: np.ndarray) -> str:
    """What is on the sinks, always said."""
    is_sink = np.isin(selection.cells(), selection.sinks)
    count, mass = int(is_sink.sum()), float(values[selection.cells()][is_sink].sum())
    words = ""
    if count:
        total = float(values[selection.cells()].sum())
        share = format_percent(mass / total) if total > 0 else format_percent(0)
        hatched = "" if look.sinks == "raw" else ", hatched, outside the colours"
        words = f"; {share} of that on {count} sink cell{'s' if count > 1 else ''}{hatched}"
    row_mass = selection.sink_mass(values)
    if look.sinks == "renormalised" and row_mass > 0:
        words += f"; values are divided by the {format_percent(max(0.0, 1 - row_mass))} of the row not on sinks"
    return words
