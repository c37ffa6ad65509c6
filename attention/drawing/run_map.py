"""One map of a run on its picture, as a PNG or as a figure with a colour bar and a caption.

Knows what a map is of and how it is drawn, as a `Selection` and a `Look`, and makes of them what `figure` lays out: a
panel and the sentences below it. Knows neither models nor Gradio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image

from attention.errors import DamagedRun, InvalidRequest
from attention.runs.run import Run
from attention.runs.selection import Selection
from attention.stored_pictures import stored

from . import figure
from .colour_range import Drawn, drawn, drawn_signed
from .effect_words import EFFECT, effect_caption
from .figure import Panel, size_of
from .look import Look
from .number_text import bar_labels, bar_note, signed_labels
from .overlay import overlay
from .palettes import diverging, palette
from .run_words import caption_of, look_settings, named_places

FAINT = 0.68  # of white over a picture that is only the ground of a difference
LABEL_SIGNS = 200  # of a place's label on the picture: to draw a million of them takes minutes


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
    made = map_of(selection, look)
    size = size_of(selection.run.info["images"][selection.image], scale, width)
    figure.write_png([made.panel], made.caption() if caption else None, made.about, file, size)
    return made.values[selection.cells()]


def write_figure(selection: Selection, look: Look, file: BinaryIO, format: str) -> None:  # noqa: A002
    """Write the map on its picture with a colour bar and a caption, as `svg` or `pdf`. Text stays text."""
    made = map_of(selection, look)
    what = "effects forecast" if selection.run.is_signed else "attention"
    title = f"{what} of {selection.run.info['model']['id']}"
    figure.write_figure([made.panel], made.caption(), made.about, title, file, format)


@dataclass(frozen=True)
class DrawnMap:
    """One map ready to be drawn: the panel, its settings, and the `values` [keys] that it is made of."""

    selection: Selection
    look: Look
    how: Drawn
    panel: Panel
    about: dict
    values: np.ndarray
    source: str

    def caption(self) -> list[str]:
        """Sentences that stand below it."""
        if self.selection.run.is_signed:
            return effect_caption(self.selection, self.look, self.how, self.values)
        return caption_of(self.selection, self.look, self.how, self.values, self.source)


def map_of(selection: Selection, look: Look) -> DrawnMap:
    """Make a map of what is selected. Raises InvalidRequest where there is none, NotInRun or DamagedRun."""
    if not selection.run.is_attention and not selection.run.is_signed:
        raise InvalidRequest(f"A reading of kind {selection.run.SOURCE} is not drawn here: use npz or csv.")
    values, source = selection.values()
    cells = selection.cells()
    if selection.key is not None and look.unit == "uniform":
        raise InvalidRequest("A column holds shares of many rows: there is no even attention to compare them with.")
    sinks = np.asarray(selection.sinks, np.int64)
    image = selection.image
    on, places = ground(selection.run, image, look), places_on(selection.run.info, image, look)
    how: Drawn
    if selection.run.is_signed:
        if look.unit == "uniform":
            raise InvalidRequest("A forecast holds effects in nats: there is no even attention to compare them with.")
        how = drawn_signed(values[cells], look)
        over = cells_over(selection, how, look.diverging_colours(), look)
        bar = pale(on), over, diverging(), signed_labels(how), bar_note(how, EFFECT)
    else:
        how = drawn(values[cells], look, np.isin(cells, sinks), selection.sink_mass(values))
        over = cells_over(selection, how, look.colours(), look)
        bar = on, over, palette(look.palette), bar_labels(how), bar_note(how)
    panel = Panel(*bar, with_region(places, selection, image))
    about = selection.settings() | look_settings(look) | {"range": [how.low, how.high]}
    return DrawnMap(selection, look, how, panel, about, values, source)


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
    the one that the look names. A label is cut where no picture has room for it. Raises InvalidRequest where there is
    no such picture.
    """
    if look.places_on is not None and look.places_on > len(info["images"]):
        raise InvalidRequest(f"places_on is {look.places_on}; this run has {len(info['images'])} pictures.")
    found = named_places(info, look) if look.places or look.places_on else {}
    named = [*found.get("points", []), *found.get("boxes", [])]
    if look.places_on == image + 1:
        named += [each for place in found["unplaced"] for each in place.get("on", [])]
    points: list[tuple] = []
    boxes: list[tuple] = []
    for place in named:
        if place["image"] == image:
            guess = place.get("ambiguous")
            words = " ".join(filter(None, [place.get("label"), f"({guess})" if guess else ""]))
            if len(words) > LABEL_SIGNS:
                words = f"{words[:LABEL_SIGNS]}…"
            sides = ("x", "y") if "x" in place else ("x0", "y0", "x1", "y1")
            (points if "x" in place else boxes).append((*(place[side] for side in sides), words, bool(guess)))
    return points, boxes


def with_region(
    places: tuple[list[tuple], list[tuple]], selection: Selection, image: int
) -> tuple[list[tuple], list[tuple]]:
    """Places on one picture with a selection's region, where it lies there and is not drawn already."""
    points, boxes = places
    region = selection.region
    if region is None or region.image != image:
        return places
    of = points if len(region.place) == 2 else boxes
    if all(tuple(each[: len(region.place)]) != region.place for each in of):
        of.append((*region.place, region.label[:LABEL_SIGNS], False))
    return points, boxes


def ground(run: Run, image: int, look: Look) -> Image.Image:
    """Ground of a map: a picture of the run as the processor received it, or white. Raises DamagedRun."""
    record = run.info["images"][image]
    return Image.new("RGB", (record["width"], record["height"]), "white") if look.plain else picture_of(run, image)


def pale(picture: Image.Image) -> Image.Image:
    """A picture grey and pale: only the ground of colours that mean something else."""
    grey = picture.convert("L").convert("RGB")
    return Image.blend(grey, Image.new("RGB", picture.size, "white"), FAINT)


def picture_of(run: Run, image: int) -> Image.Image:
    """A picture of the run as the processor received it. Raises DamagedRun."""
    record = run.info["images"][image]
    name = record["file"]
    try:
        return stored(run.folder / name, record["width"] * record["height"])
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedRun(f"{name} of this run cannot be read: {error}.") from None
