"""Items looked at before any model is: the picture's size and content, and where the place lies on it.

Owns what is found wrong with a picture, and the place with which the item's own is compared: that of an earlier item on
another picture. A head that looks there as often looks at no question's place, but at where such places lie.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from attention.capture.images import open_image, open_picture
from attention.errors import AttentionError, InvalidRequest, quoted
from attention.limits import Limits

from .items import BadItem, Item

Place = tuple[float, ...]


@dataclass(frozen=True)
class CheckedItem:
    """An item whose picture can be read: `digest` tells the picture from others, `size` is (width, height).

    `place` and `elsewhere` are in pixels of the picture; `elsewhere` is as far across and down as the place of an
    earlier item lies on another picture, None where there is none.
    """

    item: Item
    digest: str
    size: tuple[int, int]
    place: Place
    elsewhere: Place | None = None


def check_items(
    items: Sequence[Item | BadItem], limits: Limits, tell: Callable[[int, int], None] = lambda done, total: None
) -> list[CheckedItem | BadItem]:
    """Every item with its picture looked at, in order; one that cannot be used is a BadItem with the reason."""
    found: list[CheckedItem | BadItem] = []
    sizes: dict[str, tuple[int, int]] = {}
    last: list[tuple[str, Place]] = []  # of the last two pictures: the place on each, in shares of its sides
    for number, item in enumerate(items):
        tell(number, len(items))
        if isinstance(item, BadItem):
            found.append(item)
            continue
        try:
            checked = _check(item, sizes, limits)
        except AttentionError as error:
            found.append(BadItem(item.name, str(error)))
            continue
        other = next((place for digest, place in last if digest != checked.digest), None)
        if other is not None:
            checked = replace(checked, elsewhere=times(other, checked.size))
        shares = times(checked.place, (1 / checked.size[0], 1 / checked.size[1]))
        last = [(checked.digest, shares), *(each for each in last if each[0] != checked.digest)][:2]
        found.append(checked)
    return found


def _check(item: Item, sizes: dict[str, tuple[int, int]], limits: Limits) -> CheckedItem:
    if not item.prompt.strip():
        raise InvalidRequest(f"prompt is {quoted(item.prompt)}; it must be a text.")
    digest = digest_of(item.image, limits)
    if digest not in sizes:
        picture, _ = open_image(item.image, limits.image_pixels)
        sizes[digest] = picture.size
    size = sizes[digest]
    return CheckedItem(item, digest, size, item.place_on(*size))


def digest_of(image: str | os.PathLike[str] | Image.Image, limits: Limits) -> str:
    """SHA-256 of a picture's content: of its file, also of one in a data: URL, or of the pixels of one in memory.

    Raises InvalidRequest where there is no such file, as `open_image` does.
    """
    if isinstance(image, Image.Image):
        return hashlib.sha256(f"{image.mode} {image.size}".encode() + image.tobytes()).hexdigest()
    with open_picture(image, "the image", limits.image_pixels, limits.picture_bytes) as (file, _):
        assert file is not None  # as only a picture in memory has none
        return hashlib.sha256(file.read()).hexdigest()


def times(place: Place, sides: tuple[float, float]) -> Place:
    return tuple(side * sides[i % 2] for i, side in enumerate(place))
