"""Spaces in which the numbers of an answer's places count: their names, a picture's sides in them, words for them.

A space is a name. `read` and `original` are pixels of the picture as the model saw it and as it was given; `0-1000` (or
0-1, 0-100, ...) parts of each side; `1280x720` pixels of a picture of that size. The page says the same words
(assets/viewer/text/places.js). Knows no answer and no family.
"""

from __future__ import annotations

import re

from attention.errors import InvalidRequest, quoted

Size = tuple[float, float]  # width, height

AUTO = "auto"
SHARES, THOUSANDTHS, READ, ORIGINAL = "0-1", "0-1000", "read", "original"
SPACES = (SHARES, THOUSANDTHS, READ, ORIGINAL)  # that a person may choose
SETTINGS = (AUTO, *SPACES)
PARTS = {SHARES: "shares of the sides", "0-100": "hundredths of the sides", THOUSANDTHS: "thousandths of the sides"}
BECAUSE = {  # why numbers are read in a space
    "setting": "as set", "form": "as its form says", "prompt": "as the prompt says",
    "numbers": "as all lie between 0 and 1", "family": "the habit of {family}",
}  # fmt: skip


def check_coordinates(setting: object) -> None:
    """Raise InvalidRequest for what is none of `SETTINGS`."""
    if setting not in SETTINGS:
        raise InvalidRequest(f"coordinates is {quoted(setting)}; it must be one of {', '.join(SETTINGS)}.")


def is_space(name: object) -> bool:
    """True for the name of a space; a foreign run may hold any."""
    if not isinstance(name, str):
        return False
    return name in (READ, ORIGINAL) or bool(re.fullmatch(r"0-[1-9]\d{0,5}|[1-9]\d{0,5}x[1-9]\d{0,5}", name))


def sides_in(space: str, given: Size, read: Size | None) -> Size | None:
    """A picture's (width, height) in the numbers of a space, or None where it is not known how large it was read.

    `given` and `read` are its (width, height) as given and as read, in pixels.
    """
    if space == READ:
        return read
    if space == ORIGINAL:
        return given
    if space.startswith("0-"):
        most = float(space[2:])
        return most, most
    width, height = space.split("x")
    return float(width), float(height)


def named_space(width: int, height: int, given: Size, read: Size | None) -> str:
    """The name of the space whose picture has this size: `read` or `original` where that is its size."""
    if (width, height) == read:
        return READ
    return ORIGINAL if (width, height) == given else f"{width}x{height}"


def space_words(space: str, given: Size, read: Size | None) -> str:
    """The space in words, as in "read as thousandths of the sides"."""
    if space in PARTS:
        return PARTS[space]
    if space.startswith("0-"):
        return f"parts of the sides, 0 to {int(space[2:]):,}"
    if space == READ:
        return f"pixels of the {read[0]:g}x{read[1]:g} that the model saw" if read else "pixels as the model saw it"
    return f"pixels of the picture as given, {given[0]:g}x{given[1]:g}" if space == ORIGINAL else f"pixels of {space}"


def because_words(because: str, family: str | None) -> str:
    """The reason in words, as in "the habit of Qwen3-VL"."""
    return BECAUSE.get(because, "it is not said why").format(family=family or "this model's family")
