"""The answers that a file holds: packed in blocks, with an index by their addresses, and how many bytes that takes."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable

import numpy as np

from attention.answers.numbers import Answer

BLOCK_MARKS = 60  # characters of the element around a block
BYTES = {"float16": 2, "float32": 4}
INDEX_CHARACTERS = 24  # of an answer in the packed index, about


class Held:
    """Blocks of answers up to a number of characters. A block is whole or not there."""

    def __init__(self, room: int):
        self.room = room
        self.blocks: list[str] = []
        self._answers: dict[str, list[int]] = {}
        self._headers: dict[tuple[tuple[str, str], ...], int] = {}

    def add(self, answers: Iterable[tuple[str, Answer]]) -> bool:
        """Add answers by their addresses as one block, if there is room for all of them."""
        new = {key: answer for key, answer in answers if key not in self._answers}
        text = packed(b"".join(_in_planes(answer) for answer in new.values()))
        size = len(text) + BLOCK_MARKS + INDEX_CHARACTERS * len(new)
        if size > self.room:
            return False
        self.room -= size
        start = 0
        for key, answer in new.items():
            about = self._headers.setdefault(tuple(answer.headers.items()), len(self._headers))
            self._answers[key] = [len(self.blocks), start, len(answer.content), about]
            start += len(answer.content)
        self.blocks.append(text)
        return True

    def index(self) -> str:
        """The index as the file has it."""
        index = {"answers": self._answers, "headers": [dict(each) for each in self._headers]}
        return packed(json.dumps(index, separators=(",", ":")).encode())


def _in_planes(answer: Answer) -> bytes:
    """An array's first bytes of all numbers, then their second ones, and so on: alike lies beside alike, and packs."""
    size = BYTES.get(answer.headers.get("X-Attention-Dtype", ""), 1)
    return np.frombuffer(answer.content, np.uint8).reshape(-1, size).T.tobytes()


def packed(content: bytes) -> str:
    """Bytes as an element of a page can hold them."""
    return base64.b64encode(zlib.compress(content, 6)).decode()
