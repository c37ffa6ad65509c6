"""How a map is drawn: its palette, what its colours range over, which cells have none.

The same rules as the page's (assets/viewer/look.js, scale.js, sinks.js, palette.js), so that a figure and the page show
a value in the same colour. Knows arrays; knows neither runs nor pictures nor Gradio.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache

import numpy as np

from attention.errors import InvalidRequest, quoted

PALETTES = {"cividis": "cividis", "magma": "magma", "viridis": "viridis", "blues": "Blues", "grey": None}
UNITS = ("attention", "uniform")
CURVES = ("linear", "sqrt", "log")
SINKS = ("masked", "raw", "renormalised")
DECADES = 3  # of a logarithmic range whose low end is not given
LARGEST = 1e9  # of a range: attention is at most 1, and 1e9 cells would be read evenly


@dataclass(frozen=True)
class Look:
    """Every setting of a drawn map. Raises InvalidRequest for what it may not be.

    | name | what it is |
    | --- | --- |
    | palette | cividis, magma, viridis, blues or grey |
    | opacity | of the highest colour, 0 to 1 |
    | low, high | where the colours begin and end, in the unit; without them 0 (on a logarithm a thousandth of high) and the largest value |
    | unit | attention, or uniform: a value as a multiple of even attention over the picture |
    | curve | linear, sqrt or log |
    | sinks | masked: hatched and left out of the colours; renormalised: and the rest divided by its share of the row; raw |
    | smooth | between the cells' centres, for looks |
    | places | draw the points and boxes that the answer names |
    | places_on | and those of which it is not known which picture they mean, on picture N, from 1 |
    | plain | the map alone on white, without its picture: colours are read best there |
    """  # noqa: E501

    palette: str = "cividis"
    opacity: float = 0.8
    low: float | None = None
    high: float | None = None
    unit: str = "attention"
    curve: str = "linear"
    sinks: str = "masked"
    smooth: bool = False
    places: bool = False
    places_on: int | None = None
    plain: bool = False

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
        for name in ("smooth", "places", "plain"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidRequest(f"{name} is {quoted(getattr(self, name))}; it must be yes or no.")
        if self.places_on is not None and (type(self.places_on) is not int or self.places_on < 1):
            raise InvalidRequest(f"places_on is {quoted(self.places_on)}; it must be the number of a picture, from 1.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InvalidRequest(f"The colours would begin at low={self.low:g}, above high={self.high:g}, their end.")
        if self.curve == "log" and self.low == 0 and self.high != 0:
            raise InvalidRequest("A logarithmic range cannot begin at 0: give low a number above 0, or leave it out.")

    @classmethod
    def read(cls, given: Mapping[str, object]) -> Look:
        """A look from texts or numbers by their names, as an address or a script gives them; None is left out."""
        kinds = {field.name: field.type for field in fields(cls)}
        unknown = [name for name in given if name not in kinds]
        if unknown:
            raise InvalidRequest(
                f"There is no setting {quoted(unknown[0])} of how a map looks. There is {', '.join(kinds)}."
            )
        return cls(**{name: _read(kinds[name], value) for name, value in given.items() if value not in (None, "")})

    def to_dict(self) -> dict:
        return asdict(self)

    def colours(self) -> np.ndarray:
        """The palette's entries as they are laid over the picture: uint8 [256, 4]."""
        return _with_alpha(palette(self.palette), _shares(), self)

    def diverging_colours(self) -> np.ndarray:
        """The same for differences: the picture stays as it is where there is none."""
        from_middle = np.maximum(np.abs(2 * np.arange(256) - 255) - 1, 0) / 254
        return _with_alpha(diverging(), from_middle, self)


LOOK_NAMES = tuple(field.name for field in fields(Look))


def _read(kind: str, value: object) -> object:
    """A text as what the setting is; what it cannot be stays a text, which the setting then refuses by its name."""
    if isinstance(value, str) and kind == "bool":
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(value.lower(), value)
    if isinstance(value, str) and kind.startswith("int") and value.isdecimal() and len(value) < 10:
        return int(value)
    if isinstance(value, str) and kind.startswith("float"):
        try:
            number = float(value)
        except ValueError:
            return value
        return number if math.isfinite(number) else value
    return value


@dataclass(frozen=True)
class Drawn:
    """A map and how it is coloured: values [rows, cols] in the unit, which cells are hatched, and one range."""

    values: np.ndarray
    hidden: np.ndarray
    low: float
    high: float
    curve: str
    unit: str

    @property
    def clipped(self) -> int:
        """How many values lie above the range."""
        return int((self.values[~self.hidden] > self.high).sum())

    @property
    def largest(self) -> float:
        return float(self.values[~self.hidden].max(initial=0))

    def positions(self, values: np.ndarray) -> np.ndarray:
        """Where each value lies in the range, 0 to 1."""
        if self.high <= 0:
            return np.zeros(values.shape)
        inside = np.clip(values.astype(np.float64), self.low, self.high)
        if self.high <= self.low:
            return (values > self.low).astype(np.float64)
        if self.curve == "log":
            return np.log(inside / self.low) / math.log(self.high / self.low)
        place = (inside - self.low) / (self.high - self.low)
        return np.sqrt(place) if self.curve == "sqrt" else place

    def entries(self, values: np.ndarray) -> np.ndarray:
        """The palette's entry of each value, 0 to 255."""
        return np.clip(np.floor(self.positions(values) * 256), 0, 255).astype(np.uint8)

    def value_at(self, place: float) -> float:
        """The value whose place in the range this is, 0 to 1."""
        if self.high <= 0:
            return 0.0
        if self.curve == "log":
            return self.low * (self.high / self.low) ** place
        return self.low + (self.high - self.low) * (place**2 if self.curve == "sqrt" else place)


class DrawnDifference(Drawn):
    """A difference on a range that goes as far below 0: no difference is the middle of the palette."""

    @property
    def clipped(self) -> int:
        """How many differences are larger than the range."""
        return int((np.abs(self.values[~self.hidden]) > self.high).sum())

    @property
    def largest(self) -> float:
        return float(np.abs(self.values[~self.hidden]).max(initial=0))

    def entries(self, values: np.ndarray) -> np.ndarray:
        """The palette's entry of each difference, 0 to 255."""
        place = 0.5 + np.sign(values) * self.positions(np.abs(values)) / 2
        return np.clip(np.floor(place * 256), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class MapCells:
    """What is to be drawn: attention [rows, cols], which cells are sinks, what of the row lies on sinks anywhere."""

    cells: np.ndarray
    is_sink: np.ndarray | None = None
    sink_mass: float = 0.0


def drawn(cells: np.ndarray, look: Look, is_sink: np.ndarray | None = None, sink_mass: float = 0.0) -> Drawn:
    """How a map is coloured: `cells` [rows, cols] are attention, `is_sink` which of them draw mass whatever is asked.

    `sink_mass` is what of the whole row lies on sinks, also outside this picture.
    """
    return drawn_together([MapCells(cells, is_sink, sink_mass)], look)[0]


def drawn_together(maps: Sequence[MapCells], look: Look) -> list[Drawn]:
    """Several maps of one grid on one range, which ends at the largest value of all; even attention is the first's."""
    even = maps[0].cells.mean(dtype=np.float64) if maps[0].cells.size else 0.0
    found = []
    for of in maps:
        hidden = np.zeros(of.cells.shape, bool) if of.is_sink is None or look.sinks == "raw" else of.is_sink
        values = of.cells.astype(np.float64)
        if look.sinks == "renormalised" and of.sink_mass > 0:
            values = values / (1 - of.sink_mass) if of.sink_mass < 1 else np.zeros_like(values)
        if look.unit == "uniform":
            values = values / even if even > 0 else np.zeros_like(values)
        found.append((values, hidden))
    largest = max(float(values[~hidden].max(initial=0)) for values, hidden in found)
    high = largest if look.high is None else float(look.high)
    low = look.low
    if low is None:
        low = high / 10**DECADES if look.curve == "log" else 0.0
    if low > high:
        raise InvalidRequest(f"The colours would begin at low={low:g}; the largest value of this map is {high:.3g}.")
    if look.curve == "log" and low == 0 and high > 0:
        raise InvalidRequest("A logarithmic range cannot begin at 0: give low a number above 0, or leave it out.")
    return [Drawn(values, hidden, float(low), high, look.curve, look.unit) for values, hidden in found]


@cache
def palette(name: str) -> np.ndarray:
    """The 256 colours of a palette: uint8 [256, 3], matplotlib's tables in the rounding that the page has."""
    if PALETTES[name] is None:
        return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    from matplotlib import colormaps

    return colormaps[PALETTES[name]](np.arange(256), bytes=True)[:, :3]


@cache
def diverging() -> np.ndarray:
    """The colours of differences, blue below and red above: uint8 [256, 3], RdBu of ColorBrewer, turned around."""
    from matplotlib import colormaps

    return colormaps["RdBu_r"](np.arange(256), bytes=True)[:, :3]


def _shares() -> np.ndarray:
    return np.arange(256) / 255


def _with_alpha(colours: np.ndarray, shares: np.ndarray, look: Look) -> np.ndarray:
    alpha = np.full(256, 255, np.uint8) if look.plain else coverage(look.opacity, shares)
    return np.concatenate([colours, alpha[:, None]], axis=1)


def coverage(opacity: float, shares: np.ndarray | None = None) -> np.ndarray:
    """How much each entry covers of the picture, uint8 [256]: nothing at 0, so that low attention leaves it visible."""
    return np.rint(255 * (_shares() if shares is None else shares) ** 0.75 * opacity).astype(np.uint8)
