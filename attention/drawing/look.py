"""Settings by which a map is drawn: its palette, the range of its colours, cells that have none.

The same rules as the page's (in assets/viewer: state/look.js, numbers/colour_range.js, paint/palette.js), so that a
figure and the page show a value in the same colour. Knows arrays; knows neither runs nor pictures nor Gradio.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import UnionType
from typing import Any

import numpy as np

from attention.coordinates import check_coordinates
from attention.errors import InvalidRequest, quoted
from attention.fields import row, rows

from .palettes import PALETTES, diverging, palette

UNITS = ("attention", "uniform")
CURVES = ("linear", "sqrt", "log")
SINKS = ("masked", "raw", "renormalised")
LARGEST = 1e9  # of a range: attention is at most 1, and 1e9 cells would be read evenly


@dataclass(frozen=True)
class Look:
    """Every setting of a drawn map. Raises InvalidRequest for what it may not be.

    `low` and `high` are in the unit; without `low` the colours begin at 0, on a logarithm at a thousandth of `high`.
    Without `high` they end at the largest value, or where `clip` per cent of the cells end, as the page has it.
    `renormalised` hatches the sinks too, and divides the rest by its share of the row.
    """

    palette: str = row("cividis", str, "colours of the map (default: cividis)", "cividis|magma|viridis|blues|grey")
    opacity: float = row(0.8, float, "opacity of the highest colour (default: 0.8)", "0..1")
    low: float | None = row(None, float, "value at which the colours begin (default: 0)", "V")
    high: float | None = row(None, float, "value at which the colours end (default: the largest)", "V")
    clip: float = row(
        100, float, "per cent of the cells that keep colours of their own where high is not given (default: 100)",
        "50..100",
    )  # fmt: skip
    unit: str = row(
        "attention", str, "attention, or multiples of even attention over the picture (default: attention)",
        "attention|uniform",
    )  # fmt: skip
    curve: str = row("linear", str, "from values to colours (default: linear)", "linear|sqrt|log")
    sinks: str = row(
        "masked", str,
        "attention sinks: hatched and outside the colours, as any cell, or hatched with the rest rescaled "
        "(default: masked)",
        "masked|raw|renormalised",
    )  # fmt: skip
    smooth: bool = row(False, bool, "interpolate between the cells' centres; the caption says so")
    places: bool = row(False, bool, "draw the points and boxes that the answer names")
    places_on: int | None = row(None, int, "draw them, and those that name no picture on picture N, from 1", "N")
    coordinates: str | None = row(
        None, str, "read the numbers of these places anew (default: as the run has them)",
        "auto|0-1|0-1000|read|original",
    )  # fmt: skip
    plain: bool = row(False, bool, "the map alone on white, without its picture")

    def __post_init__(self):
        for name, words in (("palette", PALETTES), ("unit", UNITS), ("curve", CURVES), ("sinks", SINKS)):
            if not isinstance(getattr(self, name), str) or getattr(self, name) not in words:
                raise InvalidRequest(f"{name} is {quoted(getattr(self, name))}; it must be one of {', '.join(words)}.")
        for name, most in (("opacity", 1), ("low", LARGEST), ("high", LARGEST)):
            value = getattr(self, name)
            if value is None and name != "opacity":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                raise InvalidRequest(f"{name} is {quoted(value)}; it must be a number from 0 to {most:g}.")
        if isinstance(self.clip, bool) or not isinstance(self.clip, int | float) or not 50 <= self.clip <= 100:
            raise InvalidRequest(f"clip is {quoted(self.clip)}; it must be a number from 50 to 100.")
        for name in ("smooth", "places", "plain"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidRequest(f"{name} is {quoted(getattr(self, name))}; it must be yes or no.")
        if self.places_on is not None and (type(self.places_on) is not int or self.places_on < 1):
            raise InvalidRequest(f"places_on is {quoted(self.places_on)}; it must be the number of a picture, from 1.")
        if self.coordinates is not None:
            check_coordinates(self.coordinates)
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InvalidRequest(f"The colours would begin at low={self.low:g}, above high={self.high:g}, their end.")
        if self.curve == "log" and self.low == 0 and self.high != 0:
            raise InvalidRequest("A logarithmic range cannot begin at 0: give low a number above 0, or leave it out.")

    @classmethod
    def read(cls, given: Mapping[str, object]) -> Look:
        """A look from texts or numbers by their names, as an address or a script gives them; None is left out."""
        unknown = [name for name in given if name not in LOOK_FIELDS]
        if unknown:
            raise InvalidRequest(
                f"There is no setting {quoted(unknown[0])} of how a map looks. There is {', '.join(LOOK_FIELDS)}."
            )
        settings: dict[str, Any] = {
            name: _read(LOOK_FIELDS[name].kind, value) for name, value in given.items() if value not in (None, "")
        }
        return cls(**settings)

    def to_dict(self) -> dict:
        return asdict(self)

    def colours(self) -> np.ndarray:
        """The palette's entries as they are laid over the picture: uint8 [256, 4]."""
        return _with_alpha(palette(self.palette), _shares(), self)

    def diverging_colours(self) -> np.ndarray:
        """The same for differences: the picture stays as it is where there is none."""
        from_middle = np.maximum(np.abs(2 * np.arange(256) - 255) - 1, 0) / 254
        return _with_alpha(diverging(), from_middle, self)


LOOK_FIELDS = rows(Look)


def _read(kind: type | UnionType, value: object) -> object:
    """A text as what the setting is; what it cannot be stays a text, which the setting then refuses by its name."""
    if isinstance(value, str) and kind is bool:
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(value.lower(), value)
    if isinstance(value, str) and kind is int and value.isdecimal() and len(value) < 10:
        return int(value)
    if isinstance(value, str) and kind is float:
        try:
            number = float(value)
        except ValueError:
            return value
        return number if math.isfinite(number) else value
    return value


def _shares() -> np.ndarray:
    return np.arange(256) / 255


def _with_alpha(colours: np.ndarray, shares: np.ndarray, look: Look) -> np.ndarray:
    alpha = np.full(256, 255, np.uint8) if look.plain else coverage(look.opacity, shares)
    return np.concatenate([colours, alpha[:, None]], axis=1)


def coverage(opacity: float, shares: np.ndarray | None = None) -> np.ndarray:
    """Opacity of each entry, uint8 [256]: nothing at 0, so that low attention leaves the picture visible."""
    return np.rint(255 * (_shares() if shares is None else shares) ** 0.75 * opacity).astype(np.uint8)
