"""Drawn windows of a program, with buttons, fields, check boxes and menus whose boxes are known.

Owns what a window is and how it is painted at any size. Knows nothing about questions, tokens, models or files. Labels
are written in the font that comes with Pillow.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .scenes import AREA, Ground, make_ground, paint_ground
from .words import LABELS, TITLES

FEWEST_CONTROLS = 3
ROW_HEIGHT = (37, 46)
FONT_HEIGHT = (17.0, 20.0)  # in units: of a capital as the model reads it 12 to 14 pixels are ink
TITLE_HEIGHT = 24
MENU_HEIGHT = 28
FIELD_INDENT, CHECK_GAP = 7, 6  # before the label of a field, and between a check box and its label


@dataclass(frozen=True)
class Control:
    """Something that can be clicked. `box` is x0, y0, x1, y1 in the window's units."""

    kind: str
    label: str
    box: tuple[float, float, float, float]
    bold: bool  # painted in the accent colour, or ticked

    @property
    def center(self) -> tuple[float, float]:
        """The middle of the box, in units."""
        x0, y0, x1, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2


@dataclass(frozen=True)
class Theme:
    """The colours of a window, RGB."""

    paper: tuple[int, int, int]
    ink: tuple[int, int, int]
    faint: tuple[int, int, int]
    accent: tuple[int, int, int]


@dataclass(frozen=True)
class Window:
    """A picture of a window before it is painted; lengths in units, of which the picture has AREA."""

    width: float
    height: float
    ground: Ground
    frame: tuple[float, float, float, float]
    title: str
    theme: Theme
    font: float
    controls: tuple[Control, ...]


def make_window(rng: np.random.Generator, aspect: float = 1.0, hardness: float = 1.0) -> Window:
    """Make a window in a picture of the proportions width / height = `aspect`, every label at most once.

    `hardness` 0 is light windows on plain grounds, for the beginning of a training.
    """
    width, height = math.sqrt(AREA * aspect), math.sqrt(AREA / aspect)
    controls: list[Control] = []
    while len(controls) < FEWEST_CONTROLS:
        x0, y0 = rng.uniform(2, 0.10 * width), rng.uniform(2, 0.10 * height)
        frame = (x0, y0, width - rng.uniform(2, 0.10 * width), height - rng.uniform(2, 0.10 * height))
        font = rng.uniform(*FONT_HEIGHT)
        labels = {kind: list(rng.permutation(words)) for kind, words in LABELS.items()}
        controls = _lay_out(rng, frame, font, labels)
    return Window(
        width,
        height,
        make_ground(rng, hardness),
        tuple(map(float, frame)),
        str(rng.choice(TITLES)),
        _make_theme(rng, hardness),
        float(font),
        tuple(controls),
    )


def _lay_out(rng, frame, font, labels) -> list[Control]:
    x0, y0, x1, y1 = frame
    top = y0 + TITLE_HEIGHT
    controls = []
    if rng.random() < 0.6:
        controls += _menu_bar(rng, x0 + rng.uniform(2, 10), top, x1, font, labels["menu"])
        top += MENU_HEIGHT
    row_height = rng.uniform(*ROW_HEIGHT)
    n_rows = int((y1 - 4 - top) // row_height)
    n_cols = 2 if x1 - x0 > 235 else 1
    slack = y1 - 4 - top - n_rows * row_height
    top += rng.uniform(0, slack)
    slot_width = (x1 - x0 - 8) / n_cols
    for row in range(n_rows):
        kinds = ("field", "checkbox", "button")
        chances = (0.15, 0.1, 0.75) if row == n_rows - 1 else (0.4, 0.35, 0.25)
        for col in range(n_cols):
            kind = str(rng.choice(kinds, p=chances))
            if rng.random() < 0.2 or not labels[kind]:
                continue
            label = str(labels[kind].pop())
            left, right = x0 + 4 + col * slot_width, x0 + 4 + (col + 1) * slot_width
            controls.append(_in_slot(rng, kind, label, font, left, right, top + (row + 0.5) * row_height))
    return controls


def _menu_bar(rng, left, top, right, font, labels) -> list[Control]:
    items = []
    for label in labels[: int(rng.integers(2, 4))]:
        width = text_width(label, font) + 14
        if left + width > right:
            break
        items.append(
            Control("menu", str(label), (float(left), float(top), float(left + width), float(top + MENU_HEIGHT)), False)
        )
        left += width
    return items


def _in_slot(rng, kind, label, font, left, right, middle) -> Control:
    room = right - left - 8
    height = rng.uniform(font + 9, font + 15)
    if kind == "field":
        width = room * rng.uniform(0.8, 1.0)
    elif kind == "button":
        width = min(room, text_width(label, font) + rng.uniform(16, 44))
    else:
        width = min(room, text_width(label, font) + font + 14)
    x0 = left + 4 + rng.uniform(0, room - width)
    box = (float(x0), float(middle - height / 2), float(x0 + width), float(middle + height / 2))
    return Control(kind, label, box, bool(rng.random() < 0.4))


def _make_theme(rng, hardness) -> Theme:
    accents = ((36, 99, 214), (20, 128, 120), (120, 70, 180), (200, 80, 40), (60, 60, 70))
    accent = accents[rng.integers(len(accents))]
    if rng.random() < 0.3 * hardness:
        level = int(rng.integers(28, 60))
        return Theme((level,) * 3, (235, 235, 238), (level + 45,) * 3, accent)
    level = int(rng.integers(232, 256))
    return Theme((level,) * 3, (25, 25, 30), (level - 60,) * 3, accent)


@functools.cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def text_width(text: str, size: float) -> float:
    """Width of a written text in the units of `size`."""
    return _font(100.0).getlength(text) * size / 100


def draw_window(window: Window, width: int, height: int) -> Image.Image:
    """Paint the window as an RGB picture of `width` x `height` pixels."""
    picture = paint_ground(window.ground, width, height)
    pen = ImageDraw.Draw(picture)
    across, down = width / window.width, height / window.height
    scale = math.sqrt(across * down)
    line = max(1, round(scale * 1.2))
    theme = window.theme

    def pixels(box):
        x0, y0, x1, y1 = box
        return [x0 * across, y0 * down, x1 * across - 1, y1 * down - 1]

    def write(x, y, text, color, anchor):
        # Hundreds of sizes would be hundreds of fonts: half a pixel is near enough.
        pen.text(
            (x * across, y * down), text, fill=color, font=_font(round(window.font * scale * 2) / 2), anchor=anchor
        )

    x0, y0, x1, _ = window.frame
    pen.rectangle(pixels(window.frame), fill=theme.paper, outline=theme.faint, width=line)
    pen.rectangle(pixels((x0, y0, x1, y0 + TITLE_HEIGHT)), fill=theme.faint)
    write(x0 + 8, y0 + TITLE_HEIGHT / 2, window.title, theme.ink, "lm")
    pen.ellipse(pixels((x1 - 17, y0 + 6, x1 - 7, y0 + 16)), fill=theme.accent)
    for control in window.controls:
        left, top, right, bottom = control.box
        middle = (top + bottom) / 2
        if control.kind == "menu":
            write((left + right) / 2, middle, control.label, theme.ink, "mm")
        elif control.kind == "button":
            fill, ink = (theme.accent, (255, 255, 255)) if control.bold else (theme.paper, theme.ink)
            outline = theme.accent if control.bold else theme.ink
            pen.rounded_rectangle(pixels(control.box), 5 * scale, fill=fill, outline=outline, width=line)
            write((left + right) / 2, middle, control.label, ink, "mm")
        elif control.kind == "field":
            pen.rectangle(pixels(control.box), fill=theme.paper, outline=theme.faint, width=line)
            write(left + FIELD_INDENT, middle, control.label, theme.ink, "lm")
        else:
            side = window.font - 1
            square = (left + 1, middle - side / 2, left + 1 + side, middle + side / 2)
            pen.rectangle(pixels(square), fill=theme.paper, outline=theme.ink, width=line)
            if control.bold:
                pen.rectangle(pixels((square[0] + 3, square[1] + 3, square[2] - 3, square[3] - 3)), fill=theme.accent)
            write(left + window.font + CHECK_GAP, middle, control.label, theme.ink, "lm")
    return picture


def label_box(window: Window, control: Control) -> tuple[float, float, float, float]:
    """Box of a control's label: x0, y0, x1, y1 in the window's units."""
    x0, y0, x1, y1 = control.box
    wide = text_width(control.label, window.font)
    left = {
        "field": x0 + FIELD_INDENT,
        "checkbox": x0 + window.font + CHECK_GAP,
    }.get(control.kind, (x0 + x1 - wide) / 2)
    middle = (y0 + y1) / 2
    return left, middle - window.font / 2, left + wide, middle + window.font / 2


def cover_window(window: Window, width: int, height: int, labels: bool = False) -> np.ndarray:
    """Return which control, or with `labels` whose label, lies where: uint8 [y, x], 0 for none, else index + 1."""
    owner = np.zeros((height, width), dtype=np.uint8)
    across, down = width / window.width, height / window.height
    for index, control in enumerate(window.controls):
        x0, y0, x1, y1 = label_box(window, control) if labels else control.box
        owner[round(y0 * down) : round(y1 * down), round(x0 * across) : round(x1 * across)] = index + 1
    return owner
