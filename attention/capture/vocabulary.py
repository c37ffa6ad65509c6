"""Words of a vocabulary, id by id, for people: with the space before them, control tokens by name, bytes as bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from transformers.convert_slow_tokenizer import bytes_to_unicode

from attention.errors import InvalidRequest, quoted
from attention.runs.tokens import REPLACEMENT

BYTE = re.compile(r"<0x([0-9A-F]{2})>")  # a byte by itself, as SentencePiece writes it
MOST_PARTS = 8  # of a text, where it is refused
BYTES = {sign: byte for byte, sign in bytes_to_unicode().items()}  # byte-level BPE: a sign for each byte
BEFORE = "a"  # a word that stands before, as decoders drop the space that begins a text
NO_WORD = "\n"  # and a sign that does not grow together with a word


def spelled(tokenizer, ids: Iterable[int]) -> tuple[dict[int, str], list[int]]:
    """Texts of ids, and those among them that have none of their own, ascending.

    Of these the text says what they are: `bytes E2 98` of a sign that several tokens make together, or `id 7` of an id
    that the tokenizer has no word for.
    """
    special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
    before = tokenizer(BEFORE, add_special_tokens=False)["input_ids"]
    prefix = tokenizer.decode(before)
    texts, unspelled = {}, []
    for each in sorted(set(ids)):
        if each in special:
            text = tokenizer.decode([each])
        else:
            text = tokenizer.decode([*before, each]).removeprefix(prefix)
        if not text or REPLACEMENT in text:
            text = _bytes(tokenizer, each) or f"id {each}"
            unspelled.append(each)
        texts[each] = text
    return texts, unspelled


def id_of(tokenizer, text: str) -> int:
    """The id of the one token that a text is, with the space that it begins with, or without one.

    Raises InvalidRequest for a text of several tokens, or of none.
    """
    pieces: list[int] = []
    for context in ("", BEFORE, NO_WORD):
        before = tokenizer(context, add_special_tokens=False)["input_ids"] if context else []
        ids = tokenizer(context + text, add_special_tokens=False)["input_ids"]
        if ids[: len(before)] != before:
            continue
        after = ids[len(before) :]
        if len(after) == 1 and spelled(tokenizer, after)[0][after[0]] == text:
            return int(after[0])
        pieces = pieces or after
    parts = spelled(tokenizer, pieces)[0]
    said = ", ".join(quoted(parts[each]) for each in pieces[:MOST_PARTS]) + (
        ", ..." if len(pieces) > MOST_PARTS else ""
    )
    several = f"{len(pieces)} tokens of this model: {said}" if len(pieces) > 1 else "no token of this model by itself"
    raise InvalidRequest(f"{quoted(text)} is {several}. One token is set against one other: name a text that is one.")


def _bytes(tokenizer, each: int) -> str:
    piece = tokenizer.convert_ids_to_tokens(each)
    found = BYTE.fullmatch(piece) if isinstance(piece, str) else None
    if found:
        return f"bytes {found[1]}"
    if not piece or any(sign not in BYTES for sign in piece):
        return ""
    return f"bytes {bytes(BYTES[sign] for sign in piece).hex(' ').upper()}"
