"""A card to show others: one map on its picture, what was asked and answered, and the maps of all layers and heads.

Owns where each part lies on it. The pixels of maps are those of `figure` and `small_maps`, the words those of
`run_words`; knows neither models nor Gradio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageDraw

from attention.environment import POCKET_ID
from attention.errors import InvalidRequest
from attention.runs.pooling import pooled_shape
from attention.runs.run import is_reduction
from attention.runs.selection import Selection

from .effect_words import EFFECT_CAUTION, effect_in_region, effect_sentence
from .figure import drawable, save_png
from .lettering import Lettering, Style, lettering
from .look import Look
from .run_map import DrawnMap, map_of
from .run_words import (
    GIVEN_ANSWER,
    learned_sink_words,
    map_sentence,
    model_words,
    on_sinks,
    place_words,
    region_words,
    sinks_sentence,
)
from .small_maps import Axes, lay_out, pooled_sinks, small_map

SIZE = (1200, 630)  # of a preview of a link
MARGIN, BETWEEN = 44, 40
BAR = (280, 14)
MAP_CELLS = 4096  # of a small map, which has fewer pixels
LINES_PX = 2  # of places on the picture
WIDE = 2.2  # a picture so wide has the small maps below it
WIDEST, BELOW_WIDE = 690, 172  # pixels

QUIET = "#5b616b"
ACCENT = (249, 115, 22)
ASKED, ANSWERED = Style(25, QUIET), Style(31, weight="bold")
SENTENCE, LONG_SENTENCE, SAID = Style(23), Style(18), Style(18, QUIET)
AXIS = Style(15, QUIET)
CAUTION = "Attention shows what was read, not why."


def write_card(selection: Selection, look: Look, file: BinaryIO) -> None:
    """Write the card of a map as a PNG of SIZE. Raises InvalidRequest where there is none, and then writes nothing."""
    if selection.received:
        raise InvalidRequest(
            "A card shows the maps of all layers and heads, and there are none of what keys receive: name a query or a "
            "key, or use png."
        )
    made = map_of(selection, look)
    sentence = (effect_sentence if selection.run.is_signed else map_sentence)(selection, made.values)
    with lettering(SIZE) as page:
        plan = _plan(page, made, sentence)
        whole = page.picture()
    whole.paste(made.panel.drawn(plan.picture[2:], LINES_PX), plan.picture[:2])
    bar = Image.fromarray(np.repeat(made.panel.colours[None], BAR[1], axis=0)).resize(BAR, Image.Resampling.NEAREST)
    whole.paste(bar, plan.bar)
    _paste_atlas(whole, made, plan)
    save_png(whole, made.about | {"clip": float(look.clip), "sentence": sentence}, file)


@dataclass(frozen=True)
class _Plan:
    """Places of what is no text: the picture (left, top, width, height), and corners of the rest."""

    picture: tuple[int, int, int, int]
    bar: tuple[int, int]
    atlas: tuple[int, int]
    axes: Axes


def _plan(page: Lettering, made: DrawnMap, sentence: str) -> _Plan:
    """Set all words, from the foot up, and find the places of the rest."""
    width, height = SIZE
    right = width - MARGIN
    foot = height - MARGIN - 42
    _write_foot(page, made, foot)
    info, selection = made.selection.run.info, made.selection
    of_region = effect_in_region(selection) if selection.run.is_signed else region_words([(selection, made.values)])
    notes = [f"{said[0].upper()}{said[1:]}." for said in of_region]
    if selection.key is None:
        sinks = on_sinks(selection, made.values)
        if sinks.count:
            how = selection.are_shares, [sinks], made.look.sinks
            notes.append(sinks_sentence(selection.layer, selection.head, *how))
    notes += learned_sink_words([(selection, made.values)])
    notes += place_words(info, made.look, selection.image)
    top = foot - 34 - SENTENCE.px - (SAID.line + 4 if notes else 0)
    style = SENTENCE if page.width(drawable(sentence), SENTENCE) <= right - MARGIN else LONG_SENTENCE
    page.write(MARGIN, top, page.fit(sentence, style, right - MARGIN), style)
    if notes:
        page.write(MARGIN, top + SENTENCE.line + 2, page.fit(" ".join(notes), SAID, right - MARGIN), SAID)
    room = top - 30 - MARGIN  # from the upper margin down

    wide, high = made.panel.picture.size
    aspect = wide / high
    is_wide = aspect > WIDE
    scale = min(WIDEST / wide, (room - BELOW_WIDE if is_wide else room) / high)
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    left = MARGIN + size[0] + BETWEEN
    at = round(_write_asked(page, info, left, right - left, 3 if is_wide else 2)) + 18
    if is_wide:
        left, at = MARGIN, max(at, MARGIN + size[1] + 24)
    hatched = "; sinks hatched" if made.look.sinks != "raw" and _has_sinks(selection) else ""
    said = page.fit(f"layers →, heads ↓, each on its own scale{hatched}", SAID, right - left, 2)
    at = round(page.write(left, at, said, SAID)) + 4
    layers, heads = selection.run.layers(selection.tower), selection.run.heads(selection.tower)
    space = right - left, MARGIN + room - at - AXIS.px - 6
    gutter = math.ceil(page.width(str(heads - 1), AXIS)) + 8
    axes = lay_out(len(layers), heads, aspect, *space, gutter)
    if axes is None:
        raise InvalidRequest(f"{len(layers)} layers of {heads} heads have no room on a card: use png.")
    _write_axes(page, axes, layers, (left, at))
    return _Plan((MARGIN, MARGIN, *size), (MARGIN, foot), (left, at), axes)


def _write_asked(page: Lettering, info: dict, left: int, width: int, lines: int) -> float:
    """Set question and answer, where there is any; return where it ends."""
    top = page.write(left, MARGIN, page.fit(info.get("prompt") or "", ASKED, width, lines), ASKED)
    answer = page.fit(info.get("answer") or "", ANSWERED, width, lines)
    top = page.write(left, top + 4, answer, ANSWERED) if answer else top
    is_given = bool(answer and info.get("forced"))
    return page.write(left, top, page.fit(GIVEN_ANSWER, SAID, width), SAID) if is_given else top


def _write_foot(page: Lettering, made: DrawnMap, top: int) -> None:
    """Set numbers of the colour bar, its unit, the model, and what attention is not."""
    info = made.selection.run.info
    left, right = MARGIN + BAR[0] + 16, SIZE[0] - MARGIN
    below = top + BAR[1] + 8
    for label, place, align in zip(made.panel.labels, (0, 0.5, 1), ("left", "center", "right"), strict=True):
        page.write(MARGIN + place * BAR[0], below, [label], SAID, align)
    unit, *more = made.panel.note.split(" · ")
    page.write(left, top - 1, [unit], SAID)
    page.write(left, below, [" · ".join(more)], SAID)
    begun = left + page.width(unit, SAID) + BETWEEN
    demo = ", tiny demo model" if info["model"]["id"] == POCKET_ID else ""
    page.write(right, top - 1, page.fit(model_words(info) + demo, SAID, right - begun), SAID, "right")
    caution = EFFECT_CAUTION if made.selection.run.is_signed else CAUTION
    page.write(right, below, [caution], SAID, "right")


def _write_axes(page: Lettering, axes: Axes, layers: list[int], at: tuple[int, int]) -> None:
    """Set numbers of layers below their maps and of heads beside them, as many as have room."""
    step = -(-round(page.width(str(max(layers)), AXIS) + 8) // (axes.width + axes.gap))
    below = at[1] + axes.size[1] + 6
    for band in range(axes.bands):
        for i in range(0, axes.layers, step):
            middle = at[0] + axes.band(band) + i * (axes.width + axes.gap) + axes.width / 2
            page.write(middle, below, [str(layers[i])], AXIS, "center")
    step = -(-(AXIS.px + 2) // (axes.height + axes.gap))
    for head in range(axes.heads):
        if head % axes.per_band % step == 0:
            x, y = axes.corner(0, head)
            page.write(at[0] + x - 8, at[1] + y + axes.height / 2 - 0.44 * AXIS.px, [str(head)], AXIS, "right")


def _sinks(selection: Selection, layer: int) -> list[int]:
    """The attention sinks of one layer; readers of a key are none."""
    has_none = selection.key is not None or selection.run.is_signed
    return [] if has_none else selection.run.sinks(layer, selection.tower)


def _has_sinks(selection: Selection) -> bool:
    cells = selection.cells()
    return any(np.isin(cells, _sinks(selection, layer)).any() for layer in selection.run.layers(selection.tower))


def _paste_atlas(whole: Image.Image, made: DrawnMap, plan: _Plan) -> None:
    """The small maps, and a line around those that the large one is made of."""
    selection, axes = made.selection, plan.axes
    run, tower, grid = selection.run, selection.tower, selection.grid
    assert grid is not None  # it has a map
    cells = selection.cells()
    shape = pooled_shape(cells.shape[0], cells.shape[1], MAP_CELLS)
    query: Any = selection.query  # None of a forecast: all rows
    atlas = run.atlas(query, grid, tower, selection.key, selection.until, max_cells=MAP_CELLS)
    layers = run.layers(tower)
    for i, layer in enumerate(layers):
        is_sink = pooled_sinks(np.isin(cells, _sinks(selection, layer)), *shape)
        for head in range(axes.heads):
            x, y = axes.corner(i, head)
            size = axes.width, axes.height
            image = small_map(atlas[i, head].reshape(shape), is_sink, made.look, size, run.is_signed)
            whole.paste(image, (plan.atlas[0] + x, plan.atlas[1] + y))
    is_all = is_reduction(selection.layer), is_reduction(selection.head)
    if all(is_all):
        return
    pen = ImageDraw.Draw(whole)
    first = 0 if is_all[0] else layers.index(int(selection.layer)), 0 if is_all[1] else int(selection.head)
    last = axes.layers - 1 if is_all[0] else first[0], axes.heads - 1 if is_all[1] else first[1]
    for band in range(first[1] // axes.per_band, last[1] // axes.per_band + 1):
        heads = max(first[1], band * axes.per_band), min(last[1], (band + 1) * axes.per_band - 1)
        x0, y0 = axes.corner(first[0], heads[0])
        x1, y1 = axes.corner(last[0], heads[1])
        box = x0 - 1, y0 - 1, x1 + axes.width, y1 + axes.height
        for out, colour, line in ((0, (255, 255, 255), 1), (3, ACCENT, 3)):
            left, top, right, bottom = (part + at for part, at in zip(box, plan.atlas * 2, strict=True))
            pen.rectangle((left - out, top - out, right + out, bottom + out), outline=colour, width=line)
