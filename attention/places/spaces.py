"""The space in which an answer's numbers count: what was set, what form and prompt say, what the numbers allow.

A setting comes first. Without one, in this order: the form of the answer, where it says so (location tokens); numbers
that all lie between 0 and 1; the prompt, where it names a range or a screen's size; the family's habit; what is usual
with the form. Owns that order, and what is only a guess. Knows no picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from attention.coordinates import AUTO, SHARES, THOUSANDTHS

from .place_formats import Numbers, Written

AS_SHARES = "0 to 1 assumed"

# What prompts say: "coordinates from 0 to 1000", "normalized to [0, 1]", "The screen's resolution is 1280x720."
MOST = r"(?P<most>1000|1024|999|100|1)(?:\.0+)?"
ABOUT = r"\b(?:coordinates?|normali[sz]ed|bounding box(?:es)?|bbox(?:es)?)\b[^\n]{0,60}?"
RANGES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{ABOUT}(?<![\d.,])0(?:\.0+)?\s?(?:-|–|to|and|\.\.)\s?{MOST}(?![\d.,]*\d)",
        rf"{ABOUT}\b(?:in|within|to|range) ?\[0(?:\.0+)?,\s?{MOST}\]",  # elsewhere two numbers are a place
        rf"(?<![\d.,])0(?:\.0+)?\s?(?:-|–|to)\s?{MOST} normali[sz]ed",
    )
]
SCREEN = re.compile(
    r"\bscreen(?:['’]s)? (?:resolution|size) (?:is|of|:) ?(?P<width>\d{2,5}) ?[x×*] ?(?P<height>\d{2,5})\b"
    r"|\bdisplay_width_px[\"']?\s*[:=]\s*(?P<px>\d{2,5})\b[^\n]{0,40}?display_height_px[\"']?\s*[:=]\s*(?P<py>\d{2,5})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Habit:
    """A family's way to write places: the space of its numbers, None without one, and keys after which y is first."""

    coordinates: str | None = None
    y_first: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reading:
    """Spaces in which one place may be read, the likeliest first, each with the reason; and a guess, or nothing."""

    spaces: tuple[tuple[str, str], ...]
    guess: str = ""


def readings(written: Sequence[Written], setting: str, habit: Habit, stated: str | None) -> list[Reading]:
    """The spaces of each place of an answer. `stated` is what the prompt says of them."""
    if setting != AUTO:
        return [Reading(((setting, "setting"),))] * len(written)
    free = [place for place in written if place.space is None]
    are_beyond = any(not _within(place.numbers) and any(place.numbers) for place in free)
    are_decimal = any(_is_decimal(place.numbers) for place in free)
    found = []
    for place in written:
        known = _known(place, habit, stated)
        if _is_decimal(place.numbers) and known[:1] != ((SHARES, "prompt"),):
            # of thousands of pixels it would be one corner; of a hundred it could be a place
            is_guess = are_beyond or known[:1] == (("0-100", "form"),)
            found.append(Reading(((SHARES, "numbers"),), AS_SHARES if is_guess else ""))
        elif place.space is None and _within(place.numbers) and any(place.numbers) and not are_beyond:
            is_guess = not are_decimal and known[:1] != ((SHARES, "prompt"),)
            found.append(Reading(((SHARES, "numbers" if is_guess or are_decimal else "prompt"),), AS_SHARES * is_guess))
        else:
            found.append(Reading(known))
    return found


def _known(place: Written, habit: Habit, stated: str | None) -> tuple[tuple[str, str], ...]:
    if place.space is not None:
        return ((place.space, "form"),)
    usual = (habit.coordinates, "family") if habit.coordinates else (place.habit, "form")
    return tuple((space, because) for space, because in ((stated, "prompt"), usual) if space is not None)


def _within(numbers: Numbers) -> bool:
    return all(0 <= number <= 1 for number in numbers)


def _is_decimal(numbers: Numbers) -> bool:
    return _within(numbers) and any(number % 1 for number in numbers)


def stated_space(texts: Sequence[str]) -> str | None:
    """The space that a prompt names in so many words; None where it names none, or several."""
    found: set[str] = set()
    for text in texts:
        found.update(f"0-{match['most']}" for pattern in RANGES for match in pattern.finditer(text))
        for match in SCREEN.finditer(text):
            size = (match["width"] or match["px"], match["height"] or match["py"])
            found.add(THOUSANDTHS if size == ("1000", "1000") else "x".join(size))
    return found.pop() if len(found) == 1 else None
