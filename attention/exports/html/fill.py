"""A file filled with answers: what is named, or what fits, in the order in which people look at it.

Where nothing is named, a file holds in this order, up to its limit: the index and the pictures; the row with which it
opens; the rows of the answer's tokens and those that predict them; those of the prompt's words; who reads these; the
other tokens' rows and readers; the pictures in their own resolution. Where not even the first row fits with every
layer, it holds every second layer's, every fourth's and so on. What is named is held, or refused with the size.

Owns this order. Which questions belong to a row is the business of `addresses`; the answers are those of the routes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from attention.answers.numbers import Answer
from attention.answers.of_comparison import COMPARISON_ANSWERS
from attention.answers.of_run import PICTURE_TYPES, RUN_ANSWERS, picture_file, places
from attention.comparisons.comparison import BASE, Comparison
from attention.errors import InvalidRequest, LimitExceeded, NotInRun
from attention.kinds.kept import find_reading, names_of, reading_record
from attention.readings.lens import KIND
from attention.runs.regions import Region
from attention.runs.run import Run
from attention.runs.selection import default_query

from .addresses import (
    Part,
    Question,
    change_questions,
    column_questions,
    effect_questions,
    line_questions,
    logprob_questions,
    place_questions,
    read_effect_questions,
    region_questions,
    row_questions,
    text_towers,
)
from .chosen import by_interest, prompt_length, read_ranges, read_tokens, rows_of
from .held import Held

DISPENSABLE = ("scores", "masses", "change", "region")
LINES_SHARE = 8  # of the room: what the lines of image mass may take in every layer and head


@dataclass
class Filled:
    """Answers that a file holds, and in numbers what they are of."""

    held: Held
    parts: dict[str | None, Part]  # by member
    tokens: int  # that there are
    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    pictures: int = 0
    full_pictures: int = 0
    is_named: bool = False
    has_words: bool = False  # of a lens

    @property
    def part(self) -> Part:
        """The layers and heads that it holds, of a comparison the base's."""
        return next(iter(self.parts.values()))


class _Filling:
    """A run's or a comparison's answers on their way into a file."""

    def __init__(
        self, found: Run | Comparison, room: int, part: Part, region: Region | None = None, reading: str | None = None
    ):
        self.found, self.region, self.reading = found, region, reading
        self.comparison = found if isinstance(found, Comparison) else None
        self.members: dict[str | None, Run] = {None: found} if isinstance(found, Run) else {}
        if isinstance(found, Comparison):
            self.members.update(found.runs)
        self.base = found.base if isinstance(found, Comparison) else found
        is_own = self.comparison is not None and self.comparison.is_side_by_side
        self.parts = {
            name: Part({tower: run.layers(tower) for tower in text_towers(run)}) if is_own else part
            for name, run in self.members.items()
        }
        self.lens = KIND if self.comparison is None and KIND in names_of(self.base) else None  # where one was asked for
        self.tokens = self.base.info["tokens"][: self.comparison.compared_tokens() if self.comparison else None]
        self.held = Held(room)

    def thin(self, layer: int | str | None) -> bool:
        """Leave out every second layer of each member but `layer`; False where that leaves out none."""
        fewer = {
            name: Part(
                {
                    tower: [number for i, number in enumerate(each) if i % 2 == 0 or number == layer]
                    for tower, each in part.layers.items()
                },
                part.heads,
            )
            for name, part in self.parts.items()
        }
        are_fewer, self.parts = fewer != self.parts, fewer
        return are_fewer

    def add(self, questions: Iterable[Question]) -> bool:
        return self.held.add(self._answers(questions))

    def add_index(self) -> bool:
        """Add the JSON of the runs, their places in every space, and what a comparison has of all rows together."""
        answers = [(Question("run.json", member=name).key, _json(run.info)) for name, run in self.members.items()]
        for name, run in self.members.items():
            answers += [
                (question.key, _json(places(run, dict(question.fields)))) for question in place_questions(run, name)
            ]
        if self.comparison is not None:
            answers.append(("comparison.json", _json(self.comparison.info)))
        held = [self.reading, self.lens]
        records = [reading_record(find_reading(self.base, name)) for name in held if name is not None]
        if records:
            answers.append(("readings.json", _json({"readings": records, "unread": []})))
        if not self.held.add(answers):
            return False
        if self.comparison is None:
            return True
        # Not every part of it: a table of many rows is large, and the page does without.
        self.add([*change_questions(self.comparison, None, self.region), *logprob_questions(self.comparison)])
        for name, run in self.members.items():
            for tower in text_towers(run):
                self.add([Question.of("scores", name, tower=tower, name="image_mass")])
        return True

    def add_picture(self, index: int, which: str) -> bool:
        """Add a picture: the base's, and those of members that read others."""
        name = "image" if which == "file" else which
        answers = []
        for number, (member, run) in enumerate(self.members.items()):
            if number == 0 or (self.comparison and not self.comparison.have_one_picture(str(member))):
                path = picture_file(run, index, which)
                answer = Answer(path.read_bytes(), {"Content-Type": PICTURE_TYPES[path.suffix]})
                answers.append((Question(f"{name}/{index}", member=member).key, answer))
        return self.held.add(answers)

    def add_lines(self) -> None:
        """Add the lines of image mass: in every layer and head where that takes little, otherwise of the reductions."""
        if self.comparison is not None or prompt_length(self.tokens) == len(self.tokens):
            return
        for tower in text_towers(self.base):
            if not self.base.grids(tower):
                continue
            questions = list(line_questions(self.base, tower, self.parts[None]))
            size = 4 * len(questions) * len(self.base.stored_positions(tower))
            if size > self.held.room // LINES_SHARE:
                words = dict.fromkeys(("mean", "max"))
                questions = [each for each in questions if dict(each.fields)["layer"] in words]
            self.add(questions)

    def add_row(self, query: int) -> bool:
        return self.add(self._row(query))

    def add_column(self, key: int) -> bool:
        return self.add(self._column(key))

    def _row(self, query: int) -> Iterator[Question]:
        for name, run in self.members.items():
            for first, last in self._spans(name, query):
                until = last if last > first else None
                yield from row_questions(run, first, self.parts[name], name, until)
                if self.region is not None:
                    yield from region_questions(run, first, self.region, name, until)
        if self.comparison is not None:
            yield from change_questions(self.comparison, query, self.region)
        if self.reading is not None:
            yield from effect_questions(self.base, self.part, self.reading, query)

    def add_words(self) -> bool:
        """Add what tokens read as after each layer that is held, and after the last; False where that is not there."""
        if self.lens is None:
            return False
        layers = self.part.layers.get("language", [])
        last = self.base.info["towers"]["language"]["layers"][-1]["index"]
        return self.add(Question.of("words", reading=self.lens, layer=layer) for layer in sorted({*layers, last}))

    def add_all_rows(self) -> bool:
        """Add the effects of all rows together, where a reading is held."""
        if self.reading is None:
            return True
        return self.add(effect_questions(self.base, self.part, self.reading, region=self.region))

    @property
    def part(self) -> Part:
        """The layers and heads of a run by itself, of a comparison the base's."""
        return next(iter(self.parts.values()))

    def _spans(self, name: str | None, query: int) -> list[tuple[int, int]]:
        """First and last of a member's rows that stand for a row of the base's; of the base beside each other one."""
        if self.comparison is None or name is None:
            return [(query, query)]
        beside = list(self.comparison.runs)[1:] if name == BASE else [None]
        found = (self.comparison.span_of(name, query, beside=other) for other in beside)
        return list(dict.fromkeys(span for span in found if span is not None))

    def _column(self, key: int) -> Iterator[Question]:
        if self.comparison is not None and key >= self.comparison.shared():
            return  # a word of one answer, which is no key in common
        for name, run in self.members.items():
            yield from column_questions(run, key, self.parts[name], name)
        if self.comparison is not None:
            yield from change_questions(self.comparison, key)
        if self.reading is not None:
            yield from read_effect_questions(self.base, key, self.part, self.reading)

    def _answers(self, questions: Iterable[Question]) -> Iterator[tuple[str, Answer]]:
        for question in questions:
            asked = dict(question.fields)
            try:
                if question.path in COMPARISON_ANSWERS:
                    answer = COMPARISON_ANSWERS[question.path](self.found, asked)
                else:
                    answer = RUN_ANSWERS[question.path](self.members[question.member], asked)
            except (NotInRun, ImportError):
                # a comparison may lack a measure of a row, and who reads it torch: the page does without, and says so
                if question.path in DISPENSABLE:
                    continue
                raise
            yield question.key, answer


def fill(
    found: Run | Comparison,
    room: int,
    query: int | None = None,
    tokens: str | None = None,
    layers: str | None = None,
    heads: str | None = None,
    layer: int | str | None = None,
    only_words: bool = False,
    region: Region | None = None,
    reading: str | None = None,
) -> Filled:
    """Fill a file of so many characters, which opens at the row of `query`; by default that which predicts the answer.

    `tokens`, `layers` and `heads` are what is named, as `chosen` reads it; `layer` is that of the view with which it
    opens. `region` is measured in every row that it holds; effects of a `reading`, by its name, are held beside each
    row, and those of all rows together. With `only_words` what is not named are the rows of words,
    and no more although there is room.

    Raises InvalidRequest, NotInRun or LimitExceeded.
    """
    base = found.base if isinstance(found, Comparison) else found
    towers = text_towers(base)
    is_own = isinstance(found, Comparison) and found.is_side_by_side
    if isinstance(found, Comparison) and is_own:
        for name, given in (("layers", layers), ("heads", heads)):
            if given is not None:
                raise InvalidRequest(f"{found.why_side_by_side()} Leave {name} out: the file holds all of each.")
    all_layers = {tower: base.layers(tower) for tower in towers}
    known = {number for each in all_layers.values() for number in each}
    others = {number: tower for tower in towers for number in base.other_layers(tower) if number not in known}
    named = sorted(known) if layers is None else read_ranges("layers", layers, sorted(known | others.keys()), others)
    for number in named:
        if number in others:
            base.layer_file(number, others[number])  # says why it has no map
    part = Part(
        {tower: [n for n in all_layers[tower] if n in named] for tower in towers},
        None if heads is None else read_ranges("heads", heads, range(max(base.heads(tower) for tower in towers))),
    )
    filling = _Filling(found, room, part, region, reading)
    count = len(filling.tokens)
    filled = Filled(filling.held, filling.parts, count, is_named=tokens is not None)
    if query is not None and not 0 <= query < count:
        raise NotInRun(f"There is no position {query} to open the file at: it has positions 0 to {count - 1}.")
    if not filling.add_index():
        raise LimitExceeded(f"The index of this {found.kind} alone takes more than the file may have. Allow more.")
    for index in range(len(base.info["images"])):
        if not filling.add_picture(index, "preview"):
            break
        filled.pictures += 1

    chosen = None if tokens is None else rows_of(read_tokens(tokens, filling.tokens), filling.tokens)
    first = min(default_query(base), count - 1) if query is None else query
    if chosen is not None and query is None and first not in chosen:
        first = chosen[0]
    while not (filling.add_row(first) and filling.add_all_rows()):
        if layers is not None or not filling.thin(layer):
            can = "Allow more" if is_own else "Name fewer layers or heads, or allow more"
            raise LimitExceeded(f"One row of this {found.kind} takes more than the file may have. {can}.")
    filled.parts = filling.parts
    filled.rows.append(first)
    filled.has_words = filling.add_words()
    filling.add_lines()

    if chosen is not None:
        for row in chosen:
            if row != first and not filling.add_row(row):
                raise LimitExceeded(
                    f"{len(chosen)} rows were named, and {len(filled.rows)} take all that the file may have. Name "
                    "fewer tokens, layers or heads, or allow more."
                )
            if row != first:
                filled.rows.append(row)
    else:
        _fill_up(filling, filled, only_words)
    return filled


def _fill_up(filling: _Filling, filled: Filled, only_words: bool) -> None:
    """Add what fits, in the order of interest, until something does not."""
    answer, words, others, cells = by_interest(filling.tokens)
    seen = rows_of([*answer, *words], filling.tokens)
    rows: tuple[Callable[[int], bool], list[int]] = (filling.add_row, filled.rows)
    columns: tuple[Callable[[int], bool], list[int]] = (filling.add_column, filled.columns)
    order: list[tuple[tuple[Callable[[int], bool], list[int]], Sequence[int]]] = [(rows, seen)]
    if not only_words:
        order += [(columns, [*answer, *words]), (rows, [*others, *cells]), (columns, [*others, *cells])]
    for (add, into), positions in order:
        for position in positions:
            if position in into:
                continue
            if not add(position):
                return
            into.append(position)
    for index in range(filled.pictures if not only_words else 0):
        if not filling.add_picture(index, "file"):
            return
        filled.full_pictures += 1


def _json(content: dict) -> Answer:
    """JSON as the routes send it."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Answer(text.encode(), {"Content-Type": "application/json"})
