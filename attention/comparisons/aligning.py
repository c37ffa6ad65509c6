"""Tokens of two runs that stand for each other, where their words differ: equal ones, and fields of a place.

Two answers that name a place differ in its digits, and mean the same by them: an x is set against an x, an action
against an action, whatever they are. Elsewhere only equal tokens are. Pure functions on the tokens of run.json; what
the rows of aligned tokens hold is the business of `comparison`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from attention.places.place_formats import NUMBER, Written, written_places

POINT, BOX = ("x", "y"), ("x0", "y0", "x1", "y1")
LITERAL = re.compile(rf"(?<!\w){NUMBER}")
ACTION = re.compile(
    r"""["']action(?:_type)?["']\s*:\s*["'](?P<name>[^"']{1,80})["']|\b(?P<call>[a-z][a-z_]{2,30})(?=\()"""
)
TEXT, FIELD, START = "text", "field", "start"  # ways in which tokens stand for each other

Token = dict[str, Any]


@dataclass(frozen=True)
class Aligned:
    """Tokens of the base, first to last, and those of another that stand for them.

    `how` is `text` where they are the same, or `field`, of which `name` says the field: x, y, x0, ..., action.
    """

    how: str
    name: str
    base: tuple[int, int]
    other: tuple[int, int]

    def rows(self, begins: tuple[int, int]) -> dict[str, Any]:
        """The rows that stand for each other, as comparison.json has them: {how, name, base, other}, first and last.

        `begins` are the tokens with which the two answers begin: of an answer's token it is the row that predicts it,
        of a prompt's its own.
        """
        base, other = (
            [token - (token >= begin) for token in tokens]
            for tokens, begin in zip((self.base, self.other), begins, strict=True)
        )
        return {"how": self.how, "name": self.name, "base": base, "other": other}


def aligned(
    base: Sequence[Token],
    other: Sequence[Token],
    first: int,
    other_first: int,
    y_first: frozenset[str] = frozenset(),
    other_y_first: frozenset[str] = frozenset(),
) -> list[Aligned]:
    """Tokens that stand for each other among those from `first` and `other_first` on, in the order of the base's.

    `y_first` are the keys after which the base's family writes y before x, `other_y_first` those of the other's.
    """
    fields, other_fields = _fields(base, first, y_first), _fields(other, other_first, other_y_first)
    both = [name for name in fields if name in other_fields]
    found = [Aligned(FIELD, name, fields[name], other_fields[name]) for name in both]
    symbols = _symbols(base, first, {name: fields[name] for name in both})
    other_symbols = _symbols(other, other_first, {name: other_fields[name] for name in both})
    matcher = SequenceMatcher(None, [each for each, _ in symbols], [each for each, _ in other_symbols], autojunk=False)
    for at, other_at, size in matcher.get_matching_blocks():
        for i in range(size):
            (symbol, place), (_, other_place) = symbols[at + i], other_symbols[other_at + i]
            if isinstance(symbol, int):
                found.append(Aligned(TEXT, "", (place, place), (other_place, other_place)))
    return sorted(found, key=lambda each: each.base)


def _symbols(tokens: Sequence[Token], first: int, fields: dict[str, tuple[int, int]]) -> list[tuple[int | str, int]]:
    """Tokens by their ids and their places, with each field as one symbol in the place of its tokens."""
    named = {place: name for name, (begin, end) in fields.items() for place in range(begin, end + 1)}
    symbols: list[tuple[int | str, int]] = []
    for place in range(first, len(tokens)):
        name = named.get(place)
        if name is None:
            symbols.append((tokens[place]["id"], place))
        elif not symbols or symbols[-1][0] != name:
            symbols.append((name, place))
    return symbols


def _fields(tokens: Sequence[Token], first: int, y_first: frozenset[str]) -> dict[str, tuple[int, int]]:
    """The fields of the places that an answer names, and its actions: the first and the last token of each, by name.

    The fields of a second place are `x 2`, `y 2`, and so on.
    """
    texts = [token["text"] if token["role"] in ("answer", "special") else "" for token in tokens[first:]]
    ends = [0]
    for text in texts:
        ends.append(ends[-1] + len(text))
    answer = "".join(texts)
    found: dict[str, tuple[int, int]] = {}
    for name, begin, end in _spans(answer, y_first):
        places = [first + i for i in range(len(texts)) if ends[i] < end and ends[i + 1] > begin]
        if places:
            found.setdefault(name, (places[0], places[-1]))
    return found


def _spans(answer: str, y_first: frozenset[str]) -> Iterator[tuple[str, int, int]]:
    """Fields of an answer and the characters [begin, end) in which each is written."""
    for count, match in enumerate(ACTION.finditer(answer), 1):
        which = "name" if match["name"] is not None else "call"
        yield _numbered("action", count), *match.span(which)
    counts: dict[int, int] = {}
    read: dict[tuple[int, int], int] = {}  # how many literals of a passage were taken by the places before
    for place in written_places(answer, y_first):
        size = len(place.numbers)
        counts[size] = counts.get(size, 0) + 1
        for name, begin, end in _numbers(answer, place, read):
            yield _numbered(name, counts[size]), begin, end


def _numbers(answer: str, place: Written, read: dict[tuple[int, int], int]) -> Iterator[tuple[str, int, int]]:
    """The numbers of a place as they are written, x before y or after it."""
    names = POINT if len(place.numbers) == 2 else BOX if len(place.numbers) == 4 else ()
    literals = list(LITERAL.finditer(answer, place.begin, place.end))
    turned = tuple(place.numbers[i ^ 1] for i in range(len(names)))
    passage = place.begin, place.end
    for at in range(read.get(passage, 0), len(literals) - len(names) + 1):
        values = tuple(float(literal[0]) for literal in literals[at : at + len(names)])
        if names and values in (place.numbers, turned):
            order = range(len(names)) if values == place.numbers else [i ^ 1 for i in range(len(names))]
            read[passage] = at + len(names)
            for i, literal in zip(order, literals[at : at + len(names)], strict=True):
                yield names[i], *literal.span()
            return


def _numbered(name: str, count: int) -> str:
    return name if count == 1 else f"{name} {count}"


def aligned_rows(base: dict[str, Any], other: dict[str, Any], shared: int) -> list[dict[str, Any]]:
    """The rows from `shared` on that stand for each other in two runs, by the content of their run.json.

    Those that predict equal tokens of the answers, or the same field of a place, as one; and where the prompts differ
    those of equal words, and those that predict the answers' first tokens.
    """
    begins = base["prompt_tokens"], other["prompt_tokens"]
    tokens, other_tokens = base["tokens"], other["tokens"]
    found = []
    if max(begins) > shared:
        words = aligned(tokens[: begins[0]], other_tokens[: begins[1]], shared, shared)
        last = Aligned(START, "", (begins[0], begins[0]), (begins[1], begins[1]))
        kept = [each for each in words if each.base[1] != begins[0] - 1 and each.other[1] != begins[1] - 1]
        found += [each.rows(begins) for each in (*kept, last)]
    y_first = (frozenset((run.get("place_habit") or {}).get("y_first") or ()) for run in (base, other))
    answers = aligned(tokens, other_tokens, max(begins[0], 1), max(begins[1], 1), *y_first)
    for rows in (each.rows(begins) for each in answers):
        is_first = rows["how"] == TEXT and rows["base"][0] < begins[0]  # which the start stands for
        if rows["base"][1] >= shared and not is_first:
            found.append(rows)
    return found
