"""Directories of a TIFF, and of Exif, which is one: how many there are, and that their tags fit into the file.

Pillow reads the value of every tag of a directory into memory, and two tags may name the same bytes: some kilobytes of
tags can ask for any memory. Knows nothing of pixels. Reads directories alone, and of these no value but where others
lie.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO, NamedTuple

from attention.errors import InvalidRequest, LimitExceeded
from attention.limits import MAX_EXIF_MARKS, MAX_FRAMES, MAX_STRIPS, MAX_TAGS

SIGNS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")  # the last two are none, and Pillow reads them
EXIF_MARK = b"Exif\0\0"

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}  # of each type
_EXIF = 34665
_INTEROPERABILITY = (40965,)
_NESTED = (_EXIF, 34853, *_INTEROPERABILITY)  # tags that name another directory; the second is GPS
_PLACES = {273: "strips", 279: "strips", 324: "tiles", 325: "tiles"}  # tags with a value for each of them


class _Form(NamedTuple):
    """The formats of a directory's parts: its number of tags, a tag with its value, the place of the next."""

    number: struct.Struct
    tag: struct.Struct
    place: struct.Struct


def count_directories(file: BinaryIO, name: str) -> int | None:
    """The pictures of a TIFF, by the directories that follow each other; None where the first cannot be read.

    Reads twice for each. Raises InvalidRequest for a chain that leads back into itself or out of the file,
    LimitExceeded for one that is too long, and for tags of the first that cannot all lie in the file.
    """
    size = file.seek(0, io.SEEK_END)
    form, place = _header(_read(file, 0, 16))
    if form is None or not place:
        return None
    _check_values(file, place, form, size, name, _NESTED)
    seen: set[int] = set()
    while place:
        if place in seen:
            raise InvalidRequest(
                f"{name} cannot be read: after its picture {len(seen):,} it names an earlier one as the next, without "
                "end. Save the picture that you mean as a PNG."
            )
        seen.add(place)
        if len(seen) > MAX_FRAMES:
            raise LimitExceeded(
                f"{name} has more than {MAX_FRAMES:,} pictures, which is the limit, and only the first one is used. "
                "Save that one as a PNG."
            )
        counted = _read(file, place, form.number.size)
        after = place + form.number.size
        if len(counted) == form.number.size:
            after += form.number.unpack(counted)[0] * form.tag.size
        following = _read(file, after, form.place.size) if after < size else b""
        if len(following) < form.place.size:
            if len(seen) == 1:
                return None
            raise InvalidRequest(
                f"{name} cannot be read: its picture {len(seen):,} lies outside the file. The file may be damaged or "
                "cut off."
            )
        (place,) = form.place.unpack(following)
    return len(seen)


def check_exif(data: bytes, name: str) -> None:
    """Check the directories of Exif data, as they lie in a JPEG, PNG or WebP.

    Raises LimitExceeded for tags that cannot all lie in it, InvalidRequest for what begins again and again. What is no
    Exif is left to whoever reads it.
    """
    begin = 0
    while data.startswith(EXIF_MARK, begin):
        begin += len(EXIF_MARK)
        if begin > MAX_EXIF_MARKS * len(EXIF_MARK):
            raise InvalidRequest(
                f"The Exif data of {name} begin more than {MAX_EXIF_MARKS} times. Save it again without metadata."
            )
    file = io.BytesIO(data[begin:])
    form, place = _header(_read(file, 0, 16))
    if form is not None:
        _check_values(file, place, form, len(data) - begin, name, _NESTED)


def _header(head: bytes) -> tuple[_Form | None, int]:
    """The form of directories and where the first one lies; BigTIFF by the byte by which Pillow knows it."""
    if not head.startswith(SIGNS) or len(head) < 8:
        return None, 0
    order = "<" if head[:1] == b"I" else ">"
    if head[2] == 43:
        form = _Form(struct.Struct(f"{order}Q"), struct.Struct(f"{order}HHQ8s"), struct.Struct(f"{order}Q"))
        return (form, form.place.unpack_from(head, 8)[0]) if len(head) == 16 else (None, 0)
    form = _Form(struct.Struct(f"{order}H"), struct.Struct(f"{order}HHL4s"), struct.Struct(f"{order}L"))
    return form, form.place.unpack_from(head, 4)[0]


def _check_values(file: BinaryIO, place: int, form: _Form, size: int, name: str, nested: tuple[int, ...]) -> None:
    """Check one directory and those that it names by the tags in `nested`; `size` is that of the whole, in bytes."""
    counted = _read(file, place, form.number.size)
    if len(counted) < form.number.size:
        return
    (n_tags,) = form.number.unpack(counted)
    if n_tags > MAX_TAGS:
        raise LimitExceeded(
            f"{name} has {n_tags:,} tags; the limit is {MAX_TAGS:,}, and pictures have about a hundred. Save it again "
            "without metadata."
        )
    tags = _read(file, place + form.number.size, n_tags * form.tag.size)
    total, within = 0, {}  # a tag that stands twice is its last one
    for tag, kind, count, value in form.tag.iter_unpack(tags[: len(tags) // form.tag.size * form.tag.size]):
        length = _BYTES.get(kind, 0) * count
        (where,) = form.place.unpack(value)
        if tag in nested and length in (2, 4, 8):
            content = value[:length] if length <= len(value) else _read(file, where, length)
            within[tag] = int.from_bytes(content, "little" if form.place.format[0] == "<" else "big")
        if length <= len(value):
            continue
        if tag in _PLACES and count > MAX_STRIPS:
            raise LimitExceeded(
                f"{name} is cut into {count:,} {_PLACES[tag]}; the limit is {MAX_STRIPS:,}. Save it as a PNG."
            )
        if where + length <= size:  # a value that is cut off is not kept, as in Exif data that a program has moved
            total += length
    if total > size:
        raise LimitExceeded(
            f"{name} has tags that name {total:,} bytes, more than the {size:,} that they lie in. Save it again "
            "without metadata."
        )
    for tag, where in within.items():
        _check_values(file, where, form, size, name, _INTEROPERABILITY if tag == _EXIF else ())


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    """The bytes at a place, fewer where the file ends."""
    if at >= 1 << 62:
        return b""
    file.seek(at)
    return file.read(count)
