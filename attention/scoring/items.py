"""The items of a set: a question about a picture, and the place on it that the answer is about.

Owns our own form of a line, and the reasons for which one is no item. How published files write the same is the
business of `published`, files that of `reading`. No picture is opened here: whether a place lies on it is asked then.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from attention.errors import InvalidRequest, quoted
from attention.image_entries import is_data_url
from attention.limits import MAX_NAME
from attention.request import FIELDS

SIDES = {"box": ("x0", "y0", "x1", "y1"), "click": ("x", "y")}
ELSEWHERE = sorted(set(FIELDS) - {"prompt", "answer"})  # fields that would change what is asked, and are set for all


@dataclass(frozen=True)
class Item:
    """One question about one picture, and the place at which it is to be looked.

    `image` is a path, a data: URL or a Pillow image. `place` is a box (x0, y0, x1, y1) or a click (x, y), in pixels of
    the picture upright, as it was given, or `in_shares` of its width and height; `place_on` gives pixels. `answer` is
    read instead of the model's own; `name` tells the item from others. Raises InvalidRequest for a place that is none.
    """

    image: Any
    prompt: str
    place: tuple[float, ...]
    answer: str | None = None
    name: str = ""
    in_shares: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", read_place(self.place))

    @property
    def kind(self) -> str:
        """`box` or `click`."""
        return "box" if len(self.place) == 4 else "click"

    def place_on(self, width: int, height: int) -> tuple[float, ...]:
        """The place in pixels of its picture, which has this size. Raises InvalidRequest where it leaves it."""
        return in_pixels(self.place, self.in_shares, (width, height))


@dataclass(frozen=True)
class BadItem:
    """A line of a file that is no item, and the reason in words."""

    name: str
    reason: str


def read_place(place: Any) -> tuple[float, ...]:
    """A box of four sides or a click of two, as floats. Raises InvalidRequest with what is wrong, and its value."""
    kind = {4: "box", 2: "click"}.get(len(place) if isinstance(place, list | tuple) else 0)
    if kind is None:
        raise InvalidRequest(f"The place is {quoted(place)}; it is a box [x0, y0, x1, y1] or a click [x, y].")
    for side, value in zip(SIDES[kind], place, strict=True):
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise InvalidRequest(f"{side} of the {kind} is {quoted(value)}; it is a finite number of pixels.")
    sides = tuple(map(float, place))
    if kind == "box":
        for first, last in (("x0", "x1"), ("y0", "y1")):
            low, high = (sides[SIDES["box"].index(side)] for side in (first, last))
            if low == high:
                raise InvalidRequest(f"The box {_said(sides)} has no area: {first} and {last} are {low:g}.")
            if low > high:
                raise InvalidRequest(f"The box {_said(sides)} is in another order: {first} must be less than {last}.")
    return sides


def in_pixels(place: tuple[float, ...], in_shares: bool, size: tuple[int, int]) -> tuple[float, ...]:
    """A place in pixels of a picture of this size (width, height). Raises InvalidRequest where it leaves it."""
    sides = size if in_shares else (1, 1)
    place = tuple(side * sides[i % 2] for i, side in enumerate(place))
    if not all(0 <= side <= size[i % 2] for i, side in enumerate(place)):
        kind = "box" if len(place) == 4 else "click"
        raise InvalidRequest(f"The {kind} {_said(place)} leaves its picture of {size[0]}x{size[1]} pixels.")
    return place


def item_of(record: Mapping[str, Any], folder: str | os.PathLike[str] = ".", name: str = "") -> Item:
    """The item that a record says: image, prompt, box or click, and, if it has them, answer and name (or id).

    A path begins at `folder`; `name` is what the item is called where the record does not say. Fields that are not
    known are left alone, as sets have more. Raises InvalidRequest.
    """
    other = [field for field in ELSEWHERE if record.get(field) is not None]
    if other:
        raise InvalidRequest(f"{other[0]} is not read of a line: it is set for the whole set. Remove it.")
    prompt, answer = record.get("prompt"), record.get("answer")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidRequest(f"prompt is {quoted(prompt)}; it must be a text.")
    if answer is not None and (not isinstance(answer, str) or not answer):
        raise InvalidRequest(f"answer is {quoted(answer)}; it must be a text, or be left out.")
    given = [kind for kind in SIDES if record.get(kind) is not None]
    if len(given) != 1:
        said = "both a box and a click" if given else "neither a box nor a click"
        raise InvalidRequest(f"It has {said}: give one, box as [x0, y0, x1, y1] or click as [x, y], in pixels.")
    place = record[given[0]]
    if not isinstance(place, list | tuple) or len(place) != len(SIDES[given[0]]):
        raise InvalidRequest(f"{given[0]} is {quoted(place)}; it must be [{', '.join(SIDES[given[0]])}].")
    return Item(picture_in(folder, record.get("image")), prompt, tuple(place), answer, name_of(record, name))


def picture_in(folder: str | os.PathLike[str], image: Any) -> Any:
    """A picture as a record names it: a path, a data: URL, or a Pillow image. Raises InvalidRequest."""
    if image is None or image == "":
        raise InvalidRequest("It has no image: name the picture's file.")
    if not isinstance(image, str | os.PathLike):
        if hasattr(image, "size") and hasattr(image, "convert"):
            return image
        raise InvalidRequest(f"image is {quoted(image)}; it must be the path of a picture.")
    if isinstance(image, str) and is_data_url(image):
        return image
    if "://" in str(image):
        raise InvalidRequest(f"image is the address {quoted(image)}; addresses are not read. Give a file.")
    return str(Path(folder) / image)


def name_of(record: Mapping[str, Any], otherwise: str, fields: Sequence[str] = ("name", "id")) -> str:
    """A record's own name, by the first of these fields that has one."""
    for field in fields:
        said = record.get(field)
        if isinstance(said, str) and said:
            return said[:MAX_NAME]
        if isinstance(said, int) and not isinstance(said, bool):
            return str(said)
    return otherwise


def _said(sides: tuple[float, ...]) -> str:
    return f"[{', '.join(f'{side:g}' for side in sides)}]"
