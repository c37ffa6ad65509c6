"""Times for which frames of an animation are shown, read from the bytes: a decoder would have to decode every frame.

Covers GIF, WebP and APNG, as Pillow counts their frames. Knows no pixels.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from attention.picture_bytes import PNG_SIGN


def frame_times_ms(path: Path) -> list[float] | None:
    """Milliseconds for which each frame is shown, 0 where its file does not say; None for a file of another kind.

    The frames of a file that is cut off are those that have begun.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[:4] == b"GIF8":
            return list(_gif(content))
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return list(_webp(content))
        return _png(content) if content[:8] == PNG_SIGN else None


def _gif(content: mmap.mmap) -> Iterator[float]:
    at, end, shown_ms = 13 + _palette_bytes(content[10:11]), len(content), 0.0
    while at < end and (sign := content[at]) != 0x3B:
        at += 1
        if sign == 0x2C:
            if end - at < 9:
                return
            yield shown_ms
            shown_ms = 0.0
            at += 10 + _palette_bytes(content[at + 8 : at + 9])  # and the first size of its codes
        elif sign == 0x21:
            if content[at : at + 1] == b"\xf9":  # label, size, flags, hundredths of a second
                shown_ms = 10.0 * int.from_bytes(content[at + 3 : at + 5], "little")
            at += 1
        else:
            continue
        while at < end and (length := content[at]):
            at += length + 1
        at += 1


def _palette_bytes(flags: bytes) -> int:
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 128 else 0


def _webp(content: mmap.mmap) -> Iterator[float]:
    at, end = 12, int.from_bytes(content[4:8], "little") + 8
    while at + 8 <= min(end, len(content)):
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        if content[at : at + 4] == b"ANMF":  # place and size, three bytes each of four numbers, come first
            yield float(int.from_bytes(content[at + 20 : at + 23], "little"))
        at += 8 + length + length % 2


def _png(content: mmap.mmap) -> list[float]:
    at, shown_ms, has_still = len(PNG_SIGN), [], None
    while at + 8 <= len(content) and (kind := content[at + 4 : at + 8]) != b"IEND":
        if kind == b"fcTL":  # number, sizes and places, four bytes each, then the delay as a fraction
            over, under = (int.from_bytes(content[at + place : at + place + 2], "big") for place in (28, 30))
            shown_ms.append(1000 * over / (under or 100))
        elif kind == b"IDAT" and has_still is None:
            has_still = not shown_ms
        at += int.from_bytes(content[at : at + 4], "big") + 12
    return [0.0, *shown_ms] if has_still else shown_ms  # a picture for whom knows no animations comes first
