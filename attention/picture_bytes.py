"""A picture's container, counted before anything of it is decoded: scans, frames and other parts that take time.

A file of some kilobytes can ask a decoder for hours: every scan of a JPEG is a pass over the whole picture, and Pillow
walks over every frame of a GIF. Covers JPEG (with the first picture of an MPO), PNG and APNG, GIF, WebP, TIFF and
BigTIFF, BMP with run lengths, and the Exif data that Pillow reads as it opens a JPEG. Other BMPs have no parts; what is
none of these is left to Pillow, which knows whether it reads it. Knows no pixels and needs no Pillow. Reads forward,
each byte about once at most, and stops at the first limit.
"""

from __future__ import annotations

import io
import os
import re
import struct
from pathlib import Path
from typing import BinaryIO

from attention.errors import LimitExceeded
from attention.limits import (
    MAX_CHUNKS,
    MAX_COMMENT_BLOCKS,
    MAX_EXIF_BYTES,
    MAX_FRAMES,
    MAX_PROFILES,
    MAX_RUN_LENGTH_PIXELS,
    MAX_SCANS,
    MAX_SEGMENTS,
    MAX_SINGLE_PARTS,
)

from .tiff_directories import EXIF_MARK, SIGNS, check_exif, count_directories

BLOCK = 1 << 18  # bytes read at once

# A marker of a JPEG that ends its data or has a length: not 0 and 01, restarts, fill bytes, nor codes without meaning,
# over which decoders pass too.
_MARKER = re.compile(rb"\xff[\xc0-\xc7\xc9-\xcf\xd9-\xef\xfe]")
_END, _SCAN, _APP1 = 0xD9, 0xDA, 0xE1

PNG_SIGN = b"\x89PNG\r\n\x1a\n"


def count_frames(source: str | os.PathLike[str] | bytes | BinaryIO, name: str) -> int | None:
    """The frames of a picture's file, as Pillow counts them; None where it is left to Pillow.

    `source` is a path, a file's bytes or an open file, which is left at its beginning; `name` is what a message calls
    it. A file that is cut off has the frames that have begun.

    Raises LimitExceeded for one with too many scans, frames or other parts, InvalidRequest for a TIFF whose pictures
    follow each other without end, and OSError for a file that cannot be read.
    """
    if isinstance(source, bytes):
        return count_frames(io.BytesIO(source), name)
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            return count_frames(file, name)
    try:
        source.seek(0)
        head = source.read(34)
        if head.startswith(b"\xff\xd8\xff"):
            _check_jpeg(_Window(source), name)
            return None
        if head.startswith(PNG_SIGN):
            return _png(source, name)
        if head.startswith((b"GIF87a", b"GIF89a")):
            return _gif(_Window(source), name)
        if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            return _webp(source, name)
        if head.startswith(b"BM"):
            _check_bmp(head, name)
        return count_directories(source, name) if head.startswith(SIGNS) else None
    finally:
        source.seek(0)


class _Window:
    """A part of a file that moves forward over it; `start` is where its bytes lie in the file."""

    def __init__(self, file: BinaryIO):
        self._file, self.start, self.bytes = file, 0, b""

    def move(self, at: int) -> bytes:
        """The bytes from a place on, as many as are read at once; none at the end of the file."""
        self._file.seek(at)
        self.start, self.bytes = at, self._file.read(BLOCK)
        return self.bytes

    def take(self, at: int, count: int) -> bytes:
        """A few bytes at a place, fewer where the file ends."""
        if not self.start <= at <= self.start + len(self.bytes) - count:
            self.move(at)
        return self.bytes[at - self.start : at - self.start + count]


# JPEG


def _check_jpeg(window: _Window, name: str) -> None:
    """Check scans, segments and Exif data; how many pictures an MPO has, Pillow reads from an index."""
    at = ended = 2
    scans = segments = stray = 0
    exif = bytearray()
    while True:
        found = _MARKER.search(window.bytes, at - window.start) if at >= window.start else None
        if found is None:
            # the last byte may begin a marker that ends in what comes next
            at = max(at, window.start + len(window.bytes) - 1)
            if not scans:
                _check_single_parts(stray + at - ended, name)
            if len(window.move(at)) < 2:
                check_exif(bytes(exif), name)
                return
            continue
        at = window.start + found.end()
        if not scans:
            stray += at - 2 - ended
            _check_single_parts(stray, name)
        ended = at
        kind = found[0][1]
        if kind == _END and scans:
            return
        segments += 1
        if segments > MAX_SEGMENTS:
            raise LimitExceeded(
                f"{name} has more than {MAX_SEGMENTS:,} segments, which is the limit; ordinary JPEGs have less than a "
                "hundred. Save it again without metadata."
            )
        if kind == _END:  # before any scan Pillow passes over it
            continue
        length = max(int.from_bytes(window.take(at, 2), "big"), 2)
        if kind == _APP1 and not scans and window.take(at + 2, len(EXIF_MARK)) == EXIF_MARK:
            exif += window.take(at + 2, length - 2)[len(EXIF_MARK) if exif else 0 :]  # as Pillow joins them
            if len(exif) > MAX_EXIF_BYTES:
                raise LimitExceeded(
                    f"{name} has more than {MAX_EXIF_BYTES:,} bytes of Exif data, which is the limit. Save it again "
                    "without metadata."
                )
        if kind == _SCAN:
            if not scans:
                check_exif(bytes(exif), name)
            scans += 1
            if scans > MAX_SCANS:
                raise LimitExceeded(
                    f"{name} has more than {MAX_SCANS} scans, which is the limit: each is a pass over the whole "
                    "picture, and ordinary JPEGs have about 10. Save it again as an ordinary JPEG or as a PNG."
                )
        at = ended = at + length


# PNG and WebP: chunks, each with its length


def _png(file: BinaryIO, name: str) -> int:
    at = len(PNG_SIGN)
    chunks = said = begun = profiles = 0
    is_before_pixels, has_still = True, False
    while len(head := _at(file, at, 16)) >= 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if kind == b"IEND":
            break
        chunks += 1
        _check_chunks(chunks, name)
        if kind == b"acTL" and is_before_pixels and length >= 8 and len(head) >= 12:
            said = int.from_bytes(head[8:12], "big") if not said else 0  # as Pillow: two of them are none
            said = said if said <= 1 << 31 else 0
        elif kind == b"fcTL":
            begun += 1
        elif kind == b"iCCP":
            profiles += 1
            if profiles > MAX_PROFILES:  # Pillow unpacks each of them, up to 1 MB
                raise LimitExceeded(
                    f"{name} has more than {MAX_PROFILES} colour profiles, which is the limit; a picture has one. "
                    "Save it again without metadata."
                )
        elif kind == b"IDAT" and is_before_pixels:
            is_before_pixels, has_still = False, not begun  # a picture for whom knows no animations
        _check_frames(max(said, begun), name)
        at += length + 12
    return said + has_still if said else 1


def webp_size(head: bytes) -> tuple[int, int] | None:
    """The width and height of a WebP by the first 30 bytes of its file: Pillow makes room for it as it opens it."""
    if not head.startswith(b"RIFF") or head[8:12] != b"WEBP" or len(head) < 30:
        return None
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", head[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _webp(file: BinaryIO, name: str) -> int:
    head = _at(file, 0, 24)
    end = int.from_bytes(head[4:8], "little") + 8
    is_animated = head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2)
    at, chunks, frames = 12, 0, 0
    while at < end and len(head := _at(file, at, 8)) == 8:
        chunks += 1
        _check_chunks(chunks, name)
        if head[:4] == b"ANMF":
            frames += 1
            _check_frames(frames, name)
        length = int.from_bytes(head[4:], "little")
        at += 8 + length + length % 2
    return max(frames, 1) if is_animated else 1


# GIF


def _gif(window: _Window, name: str) -> int:
    at = 13 + _palette_bytes(window.take(10, 1))
    frames = comments = extensions = parts = 0
    while (sign := window.take(at, 1)) not in (b"", b";"):
        at += 1
        blocks = 0
        if sign == b"!":
            extensions += 1
            _check_chunks(extensions, name, "extensions")
            is_comment = window.take(at, 1) == b"\xfe"
            at, blocks = _past_blocks(window, at + 1, parts, name)
            if is_comment and not frames:
                comments += blocks
                if comments > MAX_COMMENT_BLOCKS:  # Pillow copies all of them for each
                    raise LimitExceeded(
                        f"{name} has comments in {comments:,} blocks; the limit is {MAX_COMMENT_BLOCKS:,}. Save it "
                        "again without comments."
                    )
        elif sign == b",":
            descriptor = window.take(at, 9)
            if len(descriptor) < 9:
                break
            frames += 1
            _check_frames(frames, name)
            at += 10 + _palette_bytes(descriptor[8:])  # and the first size of its codes
            at, blocks = _past_blocks(window, at, parts, name)
        parts += 1 + blocks
        _check_single_parts(parts, name)
    return max(frames, 1)


def _palette_bytes(flags: bytes) -> int:
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 128 else 0


def _past_blocks(window: _Window, at: int, parts: int, name: str) -> tuple[int, int]:
    """The place behind a row of blocks, each of up to 255 bytes, and how many there are; `parts` came before."""
    blocks = 0
    if not window.start <= at < window.start + len(window.bytes):
        window.move(at)
    while window.bytes:
        content, i = window.bytes, at - window.start
        end = len(content)
        while i < end and (length := content[i]):
            i += length + 1
            blocks += 1
        at = window.start + i
        if i < end:
            return at + 1, blocks
        _check_single_parts(parts + blocks, name)
        window.move(at)
    return at, blocks


# BMP


def _check_bmp(head: bytes, name: str) -> None:
    """Check the header: of run lengths each is read on its own, and one may leave out 255 rows."""
    header_bytes, width, height = struct.unpack("<Lll", head[14:26].ljust(12, b"\0"))
    is_of_runs = header_bytes > 12 and head[30:34] in (b"\1\0\0\0", b"\2\0\0\0")
    if is_of_runs and abs(width * height) > MAX_RUN_LENGTH_PIXELS:
        raise LimitExceeded(
            f"{name} is a BMP with run lengths and {width}x{abs(height)} pixels; the limit is "
            f"{MAX_RUN_LENGTH_PIXELS / 1e6:.0f} million. Save it as a PNG."
        )


# What all share


def _at(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _check_frames(frames: int, name: str) -> None:
    if frames > MAX_FRAMES:
        raise LimitExceeded(
            f"{name} has more than {MAX_FRAMES:,} frames, which is the limit. As a picture only the first one is used: "
            "save that one as a PNG. As a video, cut it."
        )


def _check_chunks(chunks: int, name: str, kind: str = "chunks") -> None:
    if chunks > MAX_CHUNKS:
        raise LimitExceeded(
            f"{name} has more than {MAX_CHUNKS:,} {kind}, which is the limit; they are read one by one. Save it again, "
            "as a PNG."
        )


def _check_single_parts(parts: int, name: str) -> None:
    if parts > MAX_SINGLE_PARTS:
        raise LimitExceeded(
            f"{name} has more than {MAX_SINGLE_PARTS:,} parts that are read one by one, which is the limit. Save it "
            "again, as a PNG."
        )
