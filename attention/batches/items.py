"""Questions of a set as items, in their order: named by their content, with a place elsewhere to compare with.

Owns what enters an item's id, and which lines are a shard's.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from typing import Any

from attention.errors import AttentionError, InvalidRequest
from attention.image_entries import is_data_url
from attention.limits import Limits
from attention.scoring.checked import Place, times
from attention.scoring.items import BadItem, in_pixels
from attention.scoring.row_file import key_of
from attention.sets.record import Record

from .pictures import Picture
from .questions import Question, questions_of

ITEM_FORMAT = 1
AHEAD = 32  # items whose pictures are read before they are asked for


@dataclass(frozen=True)
class BatchItem:
    """A question with its id, or with the `reason` why it cannot be asked.

    `number` counts the questions of the set from 0. `named` are paths and addresses of `question.images`, `pictures`
    their digests; `places` are in pixels of the first, which is of `size`; `elsewhere` is for each of them a place of
    an earlier question on another picture.
    """

    number: int
    name: str
    id: str = ""
    question: Question | None = None
    named: tuple[str | None, ...] = ()
    pictures: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    places: tuple[Place, ...] = ()
    elsewhere: tuple[Place | None, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Reading:
    """The way in which records become items: see `questions_of`; `shard` is (which, of how many), counted from 1."""

    form: str | None = None
    wording: str = "{}"
    addresses: bool = False
    shard: tuple[int, int] = (1, 1)


def items_in(
    records: Iterable[Record], reading: Reading, settings: str, limits: Limits, pool: Executor
) -> Iterator[BatchItem]:
    """The items of a shard, in their order. `settings` is the name of all that holds for the whole batch.

    Pictures are read ahead, in the threads of `pool`; a line of another shard is not opened, unless its place is the
    one to compare with: what comes of an item is the same in any shard.
    """
    waiting: deque[Future[BatchItem]] = deque()
    last: list[tuple[Any, Picture, Question]] = []  # of the last two pictures
    number = -1
    for record in records:
        for question in questions_of(record, reading.form, reading.wording, reading.addresses):
            number += 1
            is_ours = number % reading.shard[1] == reading.shard[0] - 1
            if isinstance(question, BadItem):
                if is_ours:
                    bad = BatchItem(number, question.name, reason=question.reason)
                    waiting.append(pool.submit(replace, bad))
            else:
                known = next((each for each in last if question.images and each[0] == question.images[0]), None)
                first = known[1] if known else Picture(question.images[0], limits) if question.images else None
                if is_ours:
                    others = [each[1:] for each in last if each[1] is not first]
                    waiting.append(pool.submit(_item, number, question, first, others, settings, limits))
                if first is not None and question.places:
                    rest = [each for each in last if each[1] is not first]
                    last = [(question.images[0], first, question), *rest][:2]
            while len(waiting) >= AHEAD:
                yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _item(
    number: int,
    question: Question,
    first: Picture | None,
    others: list[tuple[Picture, Question]],
    settings: str,
    limits: Limits,
) -> BatchItem:
    """One item; what is wrong with its pictures or its places is its reason."""
    named = tuple(_name_of(each) for each in question.images)
    try:
        pictures = [first, *(Picture(each, limits) for each in question.images[1:])] if first is not None else []
        digests = tuple(picture.digest() for picture in pictures)
        size: tuple[int, int] | None = None
        places: tuple[Place, ...] = ()
        elsewhere: tuple[Place | None, ...] = ()
        if first is not None and question.places:
            size = first.size()
            places = tuple(in_pixels(place, question.in_shares, size) for place in question.places)
            elsewhere = (_elsewhere(digests[0], size, others),) * len(places)
        asked = [question.prompt, question.messages, question.answer, question.places, question.in_shares]
        own = key_of(ITEM_FORMAT, digests, asked, settings)
        question = replace(question, images=tuple(picture.source() for picture in pictures))
    except AttentionError as error:
        return BatchItem(number, question.name, named=named, reason=str(error))
    return BatchItem(number, question.name, own, question, named, digests, size, places, elsewhere)


def _name_of(image: Any) -> str | None:
    """A picture's path or address; None for one that has none."""
    return str(image) if isinstance(image, str | os.PathLike) and not is_data_url(image) else None


def _elsewhere(digest: str, size: tuple[int, int], others: list[tuple[Picture, Question]]) -> Place | None:
    """The place of an earlier question on another picture, as far across and down as it is there; None without one."""
    for picture, question in others:
        try:
            if picture.digest() == digest:
                continue
            there = picture.size()
            place = in_pixels(question.places[0], question.in_shares, there)
        except InvalidRequest:  # a bad item of its own
            continue
        return times(times(place, (1 / there[0], 1 / there[1])), size)
    return None
