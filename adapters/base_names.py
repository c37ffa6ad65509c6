"""Comparison of the base that an adapter names with a model, from the two names alone.

Owns how mirrors, caches and quantised copies call a model. A hint for lists and warnings: what fits, only shapes tell.
"""

from __future__ import annotations

import re

from attention.environment import POCKET_ID
from attention.models.download import HUB_ID

# What the names of copies of one model end in: how its numbers are stored, and for which program.
COPY = re.compile(
    r"([-.](unsloth|bnb|nf4|[248]-?bits?|awq|gptq|int[48]|w\d+a\d+(g\d+)?|g(32|64|128)|(nv|mx)?fp(4|8)|bf16|fp16|float16"
    r"|quantized|dynamic|mlx|gguf|exl[23]|hf))+$"
)
SIZE = re.compile(r"(^|[-.])[ae]?\d+(\.\d+)?[bm]($|[-.])")  # a model's name says it; a folder of one's own need not
SNAPSHOT = re.compile(r"snapshots/[^/]+$")  # the Hub's cache has a model's files below its commit


def is_base(named: object, model_id: str) -> bool | None:
    """True where an adapter's config names this model as its base; None where that cannot be told.

    Copies in fewer bits count as the model itself. Another folder may hold any model.
    """
    if not isinstance(named, str) or not named.strip():
        return None
    names = [_name(each) for each in (named, model_id)]
    says = [not _is_path(each) or bool(SIZE.search(name)) for each, name in zip((named, model_id), names, strict=True)]
    if names[0] == names[1] and (any(says) or _slashed(named) == _slashed(model_id)):
        return True
    return False if all(says) else None


def _slashed(path: str) -> str:
    return path.strip().replace("\\", "/").rstrip("/")


def _is_path(text: str) -> bool:
    return text != POCKET_ID and not HUB_ID.fullmatch(text.strip().partition("@")[0])


def _name(path: str) -> str:
    """The model's own name in an id or a path, as all its copies have it."""
    path = SNAPSHOT.sub("", _slashed(path)).rstrip("/")
    cached = re.search(r"(?:^|/)models--[^/]*--([^/]+)", path)
    name = (cached[1] if cached else path.rpartition("/")[2].partition("@")[0]).lower()
    name = re.sub(r"___|(?<=\d)_(?=\d)", ".", name).replace("_", "-")  # ModelScope writes 2___5 for 2.5
    return COPY.sub("", re.sub(r"-v(?=\d)", "-", name))
