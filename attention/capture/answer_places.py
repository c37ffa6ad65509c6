"""Points and boxes that an answer names: which picture each means, where it lies on it, and what is only a guess.

Owns the choice of the picture, the units, and what is left out. How places are written `place_formats` knows; what a
family's numbers count it is told. Knows no tokenizer, no family and no file.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .place_formats import Sides, Written, object_around, written_places

NEAR = 0.1  # of a side: models overshoot an edge a little; what is further out is counted otherwise, or is no place
FURTHEST = 1e6  # of a number whose unit is not known
MAX_PLACES = 1_000  # of an answer: some repeat themselves until they are stopped
AS_SHARES, SWAPPED = "0 to 1 assumed", "corners in another order"
UNKNOWN_UNIT = "it is not known what this model's numbers count"

# Which picture is meant

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
PICTURE = r"(?:image|picture|photo|screenshot)"
NAMED = re.compile(
    rf"\b{PICTURE} ?(?:#|no\. ?|number )?(?P<number>\d{{1,3}})\b"
    rf"|\b(?:(?P<word>{'|'.join(ORDINALS)})|(?P<ordinal>\d{{1,3}})(?:st|nd|rd|th)|(?P<last>last|latest|current))"
    rf" {PICTURE}\b"
    r"|图片? ?(?P<chinese>\d{1,3})(?!\d)|第 ?(?P<sign>[一二三四五六七八九十]|\d{1,3}) ?[张幅个]?(?:图|照片|截图)",
    re.IGNORECASE,
)
# A number by itself may begin at 0 or at 1.
INDEX = re.compile(
    rf"""["']{PICTURE}(?:_(?:index|idx|id|no|number))?["']\s*:\s*["']?(\d{{1,3}})\b|\b{PICTURE}_(\d{{1,3}})(?!\d)""",
    re.IGNORECASE,
)
HEADING = re.compile(
    rf"^[\s*_#>-]{{0,9}}(?:(?:in|on|for) )?(?:the )?(?:{NAMED.pattern})[*_`]{{0,3}} ?[:：]", re.I | re.M
)


@dataclass
class Places:
    """An answer's places as run.json holds them.

    `points` [{image, x, y, label}] and `boxes` [{image, x0, y0, x1, y1, label}] in pixels of the pictures as given,
    x0 <= x1 and y0 <= y1; `ambiguous` on one says which guess it rests on. `unplaced` are those of which it is not
    known where they lie: in the answer's own numbers, with `why`, and `on`: the same place as a point or box of each
    picture that it can lie on. `notes` are sentences for a person.
    """

    points: list[dict] = field(default_factory=list)
    boxes: list[dict] = field(default_factory=list)
    unplaced: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def answer_places(
    answer: str,
    image_sizes: Sequence[tuple[int, int]],
    read_sizes: Sequence[tuple[int, int]],
    messages: Sequence[dict],
    sides_of: Callable[[tuple[int, int]], Sides | None],
    y_first: frozenset[str] = frozenset(),
    before: str = "",
) -> Places:
    """The places that an answer names outside its thoughts, on its pictures.

    `image_sizes` and `read_sizes` are the (width, height) of each picture as given and as read; `messages` the chat in
    role/content form; `sides_of` what the sides are in this family's numbers, given the size as read, or None where
    it has no such habit; `y_first` the keys after which it writes y before x. `before` is what the template wrote
    before the answer, which may open a thought.
    """
    places = Places()
    if not image_sizes:
        return places
    said = without_thoughts(before, answer)
    written = written_places(said, y_first)
    which = _Which(said, messages)
    left_out = 0
    for place in written[:MAX_PLACES]:
        all_sides = [place.sides or sides_of(read) or place.habit for read in read_sizes]
        guesses = [place.guess] if place.guess else []
        if place.sides is None and any(place.numbers) and all(0 <= number <= 1 for number in place.numbers):
            all_sides = [(1.0, 1.0)] * len(all_sides)  # of thousands of pixels it would be one corner
            guesses.append(AS_SHARES)
        if _is_swapped(place.numbers):
            guesses.append(SWAPPED)
        more = {"label": place.label} | ({"ambiguous": ", ".join(guesses)} if guesses else {})
        on = [
            {"image": image} | lies | more
            for image, (sides, size) in enumerate(zip(all_sides, image_sizes, strict=True))
            if sides and (lies := _on_picture(place.numbers, sides, size))
        ]
        image, why = which.of(place)
        if not all(all_sides):
            why, is_near = UNKNOWN_UNIT, all(abs(number) <= FURTHEST for number in place.numbers)
        else:
            on_it = [each for each in on if image in (None, each["image"])]
            is_near = bool(on_it)
        if not is_near:
            left_out += 1
        elif why:
            places.unplaced.append(_record(place.numbers) | more | {"why": why, "on": on})
        else:
            (places.points if len(place.numbers) == 2 else places.boxes).extend(on_it)
    places.notes = _notes(places, left_out, len(written))
    return places


def _notes(places: Places, left_out: int, n_written: int) -> list[str]:
    notes = []
    if left_out:
        some, is_one = _some(left_out, n_written)
        notes.append(
            f"{some} {'lies' if is_one else 'lie'} outside the picture, and {'is' if is_one else 'are'} left out."
        )
    if n_written > MAX_PLACES:
        notes.append(f"The answer names {n_written:,} places; the first {MAX_PLACES:,} are kept.")
    for why, n in Counter(place["why"] for place in places.unplaced).items():
        some, is_one = _some(n, n_written)
        notes.append(f"{some} {'is' if is_one else 'are'} drawn on no picture: {why}.")
    guesses = Counter(place["ambiguous"] for place in [*places.points, *places.boxes] if "ambiguous" in place)
    for guess, n in guesses.items():
        some, is_one = _some(n, n_written)
        notes.append(f"{some} {'is' if is_one else 'are'} drawn by a guess: {guess}.")
    return notes


def _some(n: int, of: int) -> tuple[str, bool]:
    """So many of the answer's places, in words, and whether that is one."""
    if of == 1:
        return "The place that the answer names", True
    some = ("Both" if n == 2 else f"All {n:,}") if n == of else f"{n:,} of the {of:,}"
    return f"{some} places that the answer names", n == 1


OPENS = re.compile(r"(?i:<(?:think|thinking|thought|reasoning)>|\[THINK\])|◁think▷")
CLOSES = re.compile(r"(?i:</(?:think|thinking|thought|reasoning)>|\[/THINK\])|◁/think▷")
ACTS = re.compile(r"^[ \t]*Action:", re.MULTILINE)


def without_thoughts(before: str, answer: str) -> str:
    """The answer without its thoughts. `before` may open one; one that does not end hides the rest."""
    opened = list(OPENS.finditer(before))
    if opened and not CLOSES.search(before, opened[-1].end()):
        answer = opened[-1][0] + answer
    begin, end = OPENS.search(answer), CLOSES.search(answer)
    if end and not (begin and begin.start() < end.start()):
        answer = answer[end.end() :]  # the thought began where nothing says so
    kept, position = [], 0
    while begin := OPENS.search(answer, position):
        kept.append(answer[position : begin.start()])
        end = CLOSES.search(answer, begin.end())
        position = end.end() if end else len(answer)
    answer = "".join([*kept, answer[position:]]).strip()
    action = ACTS.search(answer) if answer.startswith("Thought:") else None
    return answer[action.start() :] if action else answer


class _Which:
    """The picture that each place of an answer means, asked in the order of the answer."""

    def __init__(self, answer: str, messages: Sequence[dict]):
        self._answer = answer
        user = [message["content"] for message in messages if message["role"] == "user"]
        brought = [n for content in user if (n := sum(entry["type"] == "image" for entry in content))]
        self._count = sum(entry["type"] == "image" for message in messages for entry in message["content"])
        question = " ".join(entry["text"] for entry in user[-1] if entry["type"] == "text") if user else ""
        asked = self._named_in(question)
        self._is_of_screenshots = len(brought) > 1 and brought[-1] == 1
        self._asks_of_another = bool(asked - {self._count - 1})
        self._position = 0  # until where the answer's words belong to earlier places
        self._is_headed = False  # their heading names it, as in "Image 2:"
        self._said: set[int | None] = set()  # what these last named; None is a number that may begin at 0 or 1

    def of(self, place: Written) -> tuple[int | None, str]:
        """The picture, from 0, and ""; or None, and why it is not known."""
        if self._count == 1:
            return 0, ""
        around = object_around(self._answer, place.begin, place.end)
        words = self._answer[self._position : place.begin]
        headings = [self._picture(match) for match in HEADING.finditer(words)]
        if said := self._named_in(around) or set(headings[-1:]) or self._named_in(words):
            self._said, self._is_headed = said, bool(headings)
        self._position = max(self._position, place.end)
        last = self._count - 1
        if None in self._said or len(self._said) > 1:
            return None, f"the answer does not say clearly which of the {self._count} pictures it means"
        named = next((said for said in self._said if said is not None), None)
        if named is not None:
            if place.is_action and named != last and not self._is_headed:
                return None, f"the answer names picture {named + 1}, and agents act on the last one"
            return named, ""
        if place.is_action or (self._is_of_screenshots and not self._asks_of_another):
            return last, ""
        return None, f"the answer does not say which of the {self._count} pictures it means"

    def _named_in(self, text: str) -> set[int | None]:
        named = {self._picture(match) for match in NAMED.finditer(text)}
        for match in INDEX.finditer(text):
            number = int(match[1] or match[2])
            named.add({0: 0, self._count: self._count - 1}.get(number))
        return named

    def _picture(self, match: re.Match) -> int | None:
        if match["last"]:
            return self._count - 1
        if match["word"]:
            number = ORDINALS.index(match["word"].lower()) + 1
        elif (sign := match["sign"]) and not sign.isdecimal():
            number = "一二三四五六七八九十".index(sign) + 1
        else:
            number = int(match["number"] or match["ordinal"] or match["chinese"] or sign)
        return number - 1 if 1 <= number <= self._count else None


def _is_swapped(numbers: tuple[float, ...]) -> bool:
    return len(numbers) == 4 and (numbers[0] > numbers[2] or numbers[1] > numbers[3])


def _record(numbers: tuple[float, ...]) -> dict[str, float]:
    if len(numbers) == 2:
        return dict(zip(("x", "y"), numbers, strict=True))
    x0, y0, x1, y1 = numbers
    return {"x0": min(x0, x1), "y0": min(y0, y1), "x1": max(x0, x1), "y1": max(y0, y1)}


def _on_picture(numbers: tuple[float, ...], sides: Sides, size: tuple[int, int]) -> dict[str, float] | None:
    """A place in pixels of a picture, or None where it lies further outside than NEAR of a side."""
    shares = [number / sides[i % 2] for i, number in enumerate(numbers)]
    if not all(math.isfinite(share) and -NEAR <= share <= 1 + NEAR for share in shares):
        return None
    return _record(tuple(number * size[i % 2] / sides[i % 2] for i, number in enumerate(numbers)))
