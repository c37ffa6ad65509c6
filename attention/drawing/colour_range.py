"""From values to colours: which range a map is drawn on, what is hatched, and the palette's entry of each value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attention.errors import InvalidRequest

from .look import Look

DECADES = 3  # of a logarithmic range whose low end is not given
CLIP_FLOOR = 0.1  # of the largest value: clipping never cuts below it


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
        """Number of values above the range."""
        return int((self.values[~self.hidden] > self.high).sum())

    @property
    def largest(self) -> float:
        return float(self.values[~self.hidden].max(initial=0))

    def positions(self, values: np.ndarray) -> np.ndarray:
        """Place of each value in the range, 0 to 1."""
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
        """Number of differences that are larger than the range."""
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
    """Cells to be drawn: attention [rows, cols], which of them are sinks, the row's mass on sinks anywhere."""

    cells: np.ndarray
    is_sink: np.ndarray | None = None
    sink_mass: float = 0.0


def drawn(cells: np.ndarray, look: Look, is_sink: np.ndarray | None = None, sink_mass: float = 0.0) -> Drawn:
    """Colour a map: `cells` [rows, cols] are attention, `is_sink` says which of them are attention sinks.

    `sink_mass` is what of the whole row lies on sinks, also outside this picture.
    """
    return drawn_together([MapCells(cells, is_sink, sink_mass)], look)[0]


def drawn_together(maps: Sequence[MapCells], look: Look) -> list[Drawn]:
    """Several maps of one grid on one range, made of all of their values; even attention is the first's."""
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
    seen = np.concatenate([values[~hidden] for values, hidden in found])
    high = _end_of(seen, look.clip) if look.high is None else float(look.high)
    low = look.low
    if low is None:
        low = high / 10**DECADES if look.curve == "log" else 0.0
    if low > high:
        raise InvalidRequest(f"The colours would begin at low={low:g}; the largest value of this map is {high:.3g}.")
    if look.curve == "log" and low == 0 and high > 0:
        raise InvalidRequest("A logarithmic range cannot begin at 0: give low a number above 0, or leave it out.")
    return [Drawn(values, hidden, float(low), high, look.curve, look.unit) for values, hidden in found]


def _end_of(values: np.ndarray, clip: float) -> float:
    """End of a range that `clip` per cent of the values lie within; the same rule as the page's."""
    spared = math.floor(values.size * (100 - clip) / 100 + 1e-9)
    largest = float(values.max(initial=0))
    if not spared:
        return largest
    return max(float(np.partition(values, -1 - spared)[-1 - spared]), CLIP_FLOOR * largest)


def drawn_signed(cells: np.ndarray, look: Look) -> DrawnDifference:
    """Colour effects [rows, cols]: 0 is the middle of the palette, and the range goes as far below it as above."""
    return signed_together([MapCells(cells)], look)[0]


def signed_together(maps: Sequence[MapCells], look: Look) -> list[DrawnDifference]:
    """The same of several maps of one grid, on one range."""
    sizes = drawn_together([MapCells(np.abs(of.cells)) for of in maps], look)
    return [
        DrawnDifference(of.cells.astype(np.float64), size.hidden, size.low, size.high, size.curve, size.unit)
        for of, size in zip(maps, sizes, strict=True)
    ]


def drawn_difference(before: Drawn, after: Drawn, high: float | None = None) -> DrawnDifference:
    """The difference of two maps, after less before: on their range, or on one of its own up to `high`.

    What is hidden in one of the two is hidden in it.
    """
    values, hidden = after.values - before.values, before.hidden | after.hidden
    low = before.low if high is None else high / 10**DECADES if before.curve == "log" else 0.0
    return DrawnDifference(values, hidden, low, before.high if high is None else high, before.curve, before.unit)
