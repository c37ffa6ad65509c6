"""Points and boxes that an answer names: which picture each means, where it lies on it, and what is only a guess.

Owns the choice of the picture, and what is left out. How places are written `place_formats` knows, in which space their
numbers count `spaces`; a family's habits it is told. Knows no tokenizer, no family and no file.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from attention.coordinates import AUTO, SPACES, Size, named_space, sides_in, space_words

from .place_formats import Numbers, Written, object_around, written_places
from .spaces import Habit, readings, stated_space

NEAR = 0.1  # of a side: models overshoot an edge a little; what is further out is counted otherwise, or is no place
FURTHEST = 1e6  # of a number whose unit is not known
MAX_PLACES = 1_000  # of an answer: some repeat themselves until they are stopped
SWAPPED = "corners in another order"
ALIKE = 0.02  # of a side: places as near as that are one, whatever their numbers count
MAX_NAMED = 3  # places of a note
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
    x0 <= x1 and y0 <= y1; `coordinates` on one names the space in which its numbers were read, `because` says what that
    rests on, and `ambiguous` which guess. `unplaced` are those of which it is not known where they lie: in the answer's
    own numbers, with `why`, and `on`: the same place as a point or box of each picture that it can lie on. `notes` are
    sentences for a person; `named` counts the places, those that are left out among them.
    """

    points: list[dict] = field(default_factory=list)
    boxes: list[dict] = field(default_factory=list)
    unplaced: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    named: int = 0

    def fields(self) -> dict[str, Any]:
        """The fields of run.json."""
        names = {"points": self.points, "boxes": self.boxes, "unplaced": self.unplaced}
        return {**names, "named_places": self.named}


@dataclass(frozen=True)
class Picture:
    """A picture's (width, height) in pixels: as given, and as the model read it, None where that is not known."""

    given: Size
    read: Size | None


@dataclass(frozen=True)
class _LeftOut:
    numbers: Numbers
    space: str  # "" where none is known
    picture: Picture | None  # None where it is not known which it means


def answer_places(
    answer: str,
    pictures: Sequence[Picture],
    messages: Sequence[dict],
    habit: Habit,
    before: str = "",
    coordinates: str = AUTO,
) -> Places:
    """The places that an answer names outside its thoughts, on its pictures.

    `messages` is the chat in role/content form, `habit` what the model's family writes. `before` is what the template
    wrote before the answer, which may open a thought. `coordinates` is the space in which the numbers count, `auto`
    for that which answer, prompt or family say.
    """
    places = Places()
    if not pictures:
        return places
    said = without_thoughts(before, answer)
    written = written_places(said, habit.y_first)
    places.named = len(written)
    which = _Which(said, messages)
    left_out: list[_LeftOut] = []
    read_as = readings(written, coordinates, habit, stated_space(_asked(messages)))
    for place, reading in zip(written[:MAX_PLACES], read_as, strict=False):
        guesses = [guess for guess in (place.guess, reading.guess) if guess]
        if _is_swapped(place.numbers):
            guesses.append(SWAPPED)
        found = [_read(place.numbers, reading.spaces, picture) for picture in pictures]
        on: list[dict[str, Any]] = [
            {"image": image, **each.lies, "label": place.label, **each.about([*guesses, *each.guesses])}
            for image, each in enumerate(found)
            if each is not None and each.lies is not None
        ]
        image, why = which.of(place)
        meant = [(found[i], pictures[i]) for i in range(len(pictures)) if image in (None, i)]
        if any(each is None for each, _ in meant):
            why, is_near = UNKNOWN_UNIT, all(abs(number) <= FURTHEST for number in place.numbers)
        else:
            is_near = any(image in (None, each["image"]) for each in on)
        if not is_near:
            each, picture = meant[0]
            of = picture if len(meant) == 1 else None
            left_out.append(_LeftOut(place.numbers, each.space if each else "", of))
        elif why:
            alike = on[0] if len({(each["coordinates"], each["because"]) for each in on}) == 1 else {}
            about: dict[str, Any] = {name: alike[name] for name in ("coordinates", "because") if name in alike}
            about |= {"ambiguous": ", ".join(guesses)} if guesses else {}
            own = _record(place.numbers)
            places.unplaced.append({**own, "label": place.label, **about, "why": why, "on": on})
        else:
            on_it = [each for each in on if each["image"] == image]
            (places.points if len(place.numbers) == 2 else places.boxes).extend(on_it)
    places.notes = _notes(places, left_out, coordinates == AUTO)
    return places


@dataclass(frozen=True)
class _Read:
    """A place read in a space, on one picture: where it lies, None where it is too far outside."""

    space: str
    because: str
    lies: dict[str, float] | None
    guesses: list[str]

    def about(self, guesses: Sequence[str]) -> dict[str, str]:
        about = {"coordinates": self.space, "because": self.because}
        return about | ({"ambiguous": ", ".join(guesses)} if guesses else {})


def _read(numbers: Numbers, spaces: Sequence[tuple[str, str]], picture: Picture) -> _Read | None:
    """A place in the first of these spaces in which it lies on the picture; None where there is no space.

    A guess where it lies elsewhere in another of them.
    """
    found = [
        (space, because, sides, _on_picture(numbers, sides, picture.given))
        for space, because in spaces
        if (sides := sides_in(space, picture.given, picture.read))
    ]
    if not found:
        return None
    lying = [each for each in found if each[3] is not None]
    space, because, sides, lies = (lying or found)[0]
    if "x" in space:
        space = named_space(int(sides[0]), int(sides[1]), picture.given, picture.read)
    others = [
        space_words(other, picture.given, picture.read)
        for other, _, other_sides, _ in lying[1:]
        if any(abs(n / sides[i % 2] - n / other_sides[i % 2]) > ALIKE for i, n in enumerate(numbers))
    ]
    words = space_words(space, picture.given, picture.read)
    return _Read(space, because, lies, [f"{words}, or {other}" for other in others])


def _asked(messages: Sequence[dict]) -> list[str]:
    """The texts of everybody but the model."""
    return [
        entry["text"]
        for message in messages
        if message["role"] != "assistant"
        for entry in message["content"]
        if entry["type"] == "text"
    ]


def _notes(places: Places, left_out: Sequence[_LeftOut], is_auto: bool) -> list[str]:
    notes, n_written = [], places.named
    if left_out:
        notes.append(_left_out_note(left_out, n_written, is_auto))
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


def _left_out_note(left_out: Sequence[_LeftOut], n_written: int, is_auto: bool) -> str:
    """Sentence on the places outside the picture: as what they were read, and as what they would lie on it."""
    some, is_one = _some(len(left_out), n_written)
    spaces = {(each.space, each.picture) for each in left_out}
    as_what = ""
    if len(spaces) == 1 and (each := left_out[0]).space and each.picture:
        as_what = f" as {space_words(each.space, each.picture.given, each.picture.read)}"
    named = [f"({', '.join(f'{number:g}' for number in each.numbers)})" for each in left_out[:MAX_NAMED]]
    more = ", …" if len(left_out) > MAX_NAMED else ""
    note = (
        f"{some} {'lies' if is_one else 'lie'} outside the picture{as_what}, and {'is' if is_one else 'are'} left "
        f"out: {', '.join(named)}{more}."
    )
    where = left_out[0].picture
    if not is_auto or where is None:
        return note
    fitting = [
        f"{space_words(space, where.given, where.read)} ({space})"
        for space in SPACES
        if all(_fits(each, space) for each in left_out)
    ]
    would = f" {'It' if is_one else 'They'} would lie on it as {' or '.join(fitting)}: choose that with coordinates."
    return note + (would if fitting else "")


def _fits(each: _LeftOut, space: str) -> bool:
    """True if a place lies within its picture in another space."""
    sides = sides_in(space, each.picture.given, each.picture.read) if each.picture else None
    return sides is not None and all(0 <= number <= sides[i % 2] for i, number in enumerate(each.numbers))


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
        self._has_video = any(entry["type"] == "video" for message in messages for entry in message["content"])
        question = " ".join(entry["text"] for entry in user[-1] if entry["type"] == "text") if user else ""
        asked = self._named_in(question)
        self._is_of_screenshots = len(brought) > 1 and brought[-1] == 1
        self._asks_of_another = bool(asked - {self._count - 1})
        self._position = 0  # until where the answer's words belong to earlier places
        self._is_headed = False  # their heading names it, as in "Image 2:"
        self._said: set[int | None] = set()  # what these last named; None is a number that may begin at 0 or 1

    def of(self, place: Written) -> tuple[int | None, str]:
        """The picture, from 0, and ""; or None, and why it is not known."""
        if self._has_video:
            return None, "the answer does not say which frame of the video it means"
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


def _is_swapped(numbers: Numbers) -> bool:
    return len(numbers) == 4 and (numbers[0] > numbers[2] or numbers[1] > numbers[3])


def _record(numbers: Numbers) -> dict[str, float]:
    if len(numbers) == 2:
        return dict(zip(("x", "y"), numbers, strict=True))
    x0, y0, x1, y1 = numbers
    return {"x0": min(x0, x1), "y0": min(y0, y1), "x1": max(x0, x1), "y1": max(y0, y1)}


def _on_picture(numbers: Numbers, sides: Size, size: Size) -> dict[str, float] | None:
    """A place in pixels of a picture, or None where it lies further outside than NEAR of a side."""
    shares = [number / sides[i % 2] for i, number in enumerate(numbers)]
    if not all(math.isfinite(share) and -NEAR <= share <= 1 + NEAR for share in shares):
        return None
    return _record(tuple(number * size[i % 2] / sides[i % 2] for i, number in enumerate(numbers)))
