"""Words of a vocabulary, id by id, for people: with the space before them, control tokens by name, bytes as bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from transformers.convert_slow_tokenizer import bytes_to_unicode

from attention.runs.tokens import REPLACEMENT

BYTE = re.compile(r"<0x([0-9A-F]{2})>")  # a byte by itself, as SentencePiece writes it
BYTES = {sign: byte for byte, sign in bytes_to_unicode().items()}  # byte-level BPE: a sign for each byte
BEFORE = "a"  # a word that stands before, as decoders drop the space that begins a text


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


def _bytes(tokenizer, each: int) -> str:
    piece = tokenizer.convert_ids_to_tokens(each)
    found = BYTE.fullmatch(piece) if isinstance(piece, str) else None
    if found:
        return f"bytes {found[1]}"
    if not piece or any(sign not in BYTES for sign in piece):
        return ""
    return f"bytes {bytes(BYTES[sign] for sign in piece).hex(' ').upper()}"
