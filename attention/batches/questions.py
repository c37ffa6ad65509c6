"""A record of a data set as a question: its pictures, its words, and where it has them the answer and its places.

Owns our own form of a record. Sets in published forms are read as `attention.scoring` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attention.errors import AttentionError, InvalidRequest, quoted
from attention.request import FIELDS, gather_images
from attention.runs.checks.json_fields import parse_json
from attention.scoring.checked import Place
from attention.scoring.items import BadItem, Item, name_of, picture_in, read_place
from attention.scoring.published import form_of, items_of
from attention.sets.record import Record

IMAGES = ("image", "images", "file_name")  # the last as folders of pictures of the Hub have it
PLACES = ("box", "click", "boxes")
ELSEWHERE = sorted(set(FIELDS) - {"prompt", "messages", "answer", "images"})  # what is set for a whole batch
ADDRESSES = ("http://", "https://")


@dataclass(frozen=True)
class Question:
    """One question as it was written: nothing of it was opened.

    `images` are paths, data: URLs, Pillow images, or addresses where they are allowed. `places` are boxes and clicks on
    the first of them, in pixels or `in_shares` of its sides.
    """

    name: str
    images: tuple[Any, ...]
    prompt: str = ""
    messages: list[dict[str, Any]] | None = None
    answer: str | None = None
    places: tuple[Place, ...] = ()
    in_shares: bool = False


def questions_of(
    record: Record, form: str | None = None, wording: str = "{}", addresses: bool = False
) -> list[Question | BadItem]:
    """The questions of a record: one, or in a published form one for each phrase; or the reason why it is none."""
    fields = record.fields
    if fields is None:
        return [BadItem(record.name, record.reason or "It cannot be read.")]
    try:
        if form is not None or form_of(fields) is not None:
            return [_of_item(item) for item in items_of(fields, record.folder, record.name, form, wording)]
        return [_own(fields, record, wording, addresses)]
    except AttentionError as error:
        return [BadItem(name_of(fields, record.name), str(error))]


def _of_item(item: Item | BadItem) -> Question | BadItem:
    if isinstance(item, BadItem):
        return item
    return Question(item.name, (item.image,), item.prompt, None, item.answer, (item.place,), item.in_shares)


def _own(fields: Mapping[str, Any], record: Record, wording: str, addresses: bool) -> Question:
    """The question of a record in our own form. Raises InvalidRequest with what is wrong, and its value."""
    other = [field for field in ELSEWHERE if fields.get(field) is not None]
    if other:
        raise InvalidRequest(f"{other[0]} is not read of a line: it is set for the whole set. Remove it.")
    prompt, messages, answer = (fields.get(name) for name in ("prompt", "messages", "answer"))
    if answer is not None and (not isinstance(answer, str) or not answer):
        raise InvalidRequest(f"answer is {quoted(answer)}; it must be a text, or be left out.")
    images = _images(fields, record.folder, addresses)
    name = name_of(fields, record.name)
    if messages is not None:
        if prompt is not None:
            raise InvalidRequest("It has both a prompt and messages: leave one out.")
        messages, found = gather_images(_chat(messages), list(images), record.folder)
        return Question(name, tuple(found), "", messages, answer, _places(fields, bool(found)))
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidRequest(f"prompt is {quoted(prompt)}; it must be a text, or messages a chat.")
    if not images:
        raise InvalidRequest("It has no image: name the picture's file.")
    return Question(name, images, wording.replace("{}", prompt), None, answer, _places(fields, True))


def _images(fields: Mapping[str, Any], folder: Path, addresses: bool) -> tuple[Any, ...]:
    given = [name for name in IMAGES if fields.get(name) not in (None, "", [])]
    if len(given) > 1:
        raise InvalidRequest(f"It names pictures by {' and '.join(given)}: leave one.")
    if not given:
        return ()
    found = fields[given[0]]
    several = found if isinstance(found, list) else [found]
    return tuple(each if addresses and is_address(each) else picture_in(folder, each) for each in several)


def is_address(image: Any) -> bool:
    """True for a picture that is named by an address of the network."""
    return isinstance(image, str) and image.lower().startswith(ADDRESSES)


def _chat(messages: Any) -> Any:
    """A chat as it is, or as a column of texts has it: written as JSON."""
    if not isinstance(messages, str):
        return messages
    try:
        return parse_json(messages.encode())
    except ValueError as error:
        raise InvalidRequest(f"messages is not JSON: {error}.") from None


def _places(fields: Mapping[str, Any], has_picture: bool) -> tuple[Place, ...]:
    given = [name for name in PLACES if fields.get(name) is not None]
    if len(given) > 1:
        raise InvalidRequest(f"It has {' and '.join(given)}: give one of them.")
    if not given:
        return ()
    if not has_picture:
        raise InvalidRequest(f"It has {given[0]} and no picture to find it on.")
    found = fields[given[0]]
    if given[0] != "boxes":
        return (read_place(found),)
    if not isinstance(found, list) or not found:
        raise InvalidRequest(f"boxes is {quoted(found)}; it must be a list of [x0, y0, x1, y1].")
    places = tuple(map(read_place, found))
    if any(len(place) != 4 for place in places):
        raise InvalidRequest(f"boxes is {quoted(found)}; each must be [x0, y0, x1, y1].")
    return places
