"""Whole models as members of a comparison: fine-tunes, merged adapters, quantised copies, another number format.

Owns what such a model must share with the base, said before any weight is loaded, and what it is called. Knows no
adapter; models are loaded one after the other by `attention.capture`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from attention.capture.forecast import forecast
from attention.capture.images import Pictures
from attention.capture.inputs import Prepared
from attention.errors import InvalidRequest, quoted, shortened
from attention.families.family import Inputs
from attention.limits import Limits
from attention.models.config import describe
from attention.models.download import Watch
from attention.models.offered import default_model
from attention.request import Request

from .alike import WITHOUT_VISION
from .comparison import MODEL
from .members import Member
from .names import short_name

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class ModelChoice:
    """A model to set beside the base; `dtype` None is the request's number format."""

    id: str
    dtype: str | None = None


def split_dtype(text: str) -> ModelChoice:
    """A model, and its number format where that is written behind it: `pocket=bfloat16`."""
    name, sign, dtype = text.rpartition("=")
    return ModelChoice(name, dtype) if sign and dtype in DTYPES else ModelChoice(text)


def asked_of(choice: ModelChoice, request: Request) -> Request:
    """The same request of another model."""
    is_same = choice.id == (request.model or default_model())
    return dataclasses.replace(
        request, model=choice.id, dtype=choice.dtype or request.dtype,
        model_type=request.model_type if is_same else None,
    )  # fmt: skip


def members_alone(choices: Sequence[tuple[int, ModelChoice]], request: Request) -> dict[int, Member]:
    """Members by their numbers from 1, each asked the same in its own tokens, and held against nothing.

    For what is measured on the picture alone: no token and no head need stand for another.
    """
    ids = [request.model or default_model(), *(choice.id for _, choice in choices)]
    names = _names([choice for _, choice in choices], ids, request)
    return {
        number: _member(number, name, asked_of(choice, request))
        for (number, choice), name in zip(choices, names, strict=True)
    }


def model_members(
    choices: Sequence[tuple[int, ModelChoice]],
    request: Request,
    pictures: Pictures,
    prepared: Prepared,
    limits: Limits | None = None,
    watch: Watch | None = None,
) -> dict[int, Member]:
    """Members by their numbers from 1, each held against the base's inputs and towers by its processor and config.

    Towers may have other layers and heads than the base's: then the members are shown side by side. Raises
    InvalidRequest for a model that reads other tokens or other cells, or has other towers: which, and where.
    """
    base = request.model or default_model()
    ids = [base, *(choice.id for _, choice in choices)]
    names = _names([choice for _, choice in choices], ids, request)
    members = {}
    for (number, choice), name in zip(choices, names, strict=True):
        own = asked_of(choice, request)
        _check_towers(describe(choice.id, own.model_type), describe(base, request.model_type), choice.id, base)
        expected = forecast(own, limits, watch, pictures)
        _check_inputs(expected.prepared, prepared, choice.id, base, own.vision is not False)
        members[number] = _member(number, name, own, expected.prepared)
    return members


def _member(number: int, name: str, request: Request, prepared: Prepared | None = None) -> Member:
    return Member(
        f"{MODEL}_{number}", None, lambda loaded: nullcontext(), lambda loaded, model_type: {}, name, request, prepared
    )


def _names(choices: Sequence[ModelChoice], ids: Sequence[str], request: Request) -> list[str]:
    """Short names, no two alike: with the number format where two have one id, or it is another than the request's."""
    names = [short_name(choice.id, ids) for choice in choices]
    asked = [(choice.id, choice.dtype) for choice in choices]
    for i, choice in enumerate(choices):
        if choice.dtype is not None and (ids.count(choice.id) > 1 or choice.dtype != request.dtype):
            names[i] += f" {choice.dtype}"
    if len(set(asked)) < len(asked):
        twice = next(each for each in asked if asked.count(each) > 1)
        raise InvalidRequest(f"The model {shortened(twice[0])} is named twice. Name each once.")
    return [f"{name} again" if name == "base" else name for name in names]


def _check_towers(found: dict[str, Any], wanted: dict[str, Any], name: str, base: str) -> None:
    """Raise InvalidRequest for a model that has a tower more or less; how many layers and heads they have is free."""
    towers, base_towers = (", ".join(model["towers"]) for model in (found, wanted))
    if towers != base_towers:
        raise InvalidRequest(
            f"{shortened(name)} cannot be set beside {shortened(base)}: its towers are {towers}, and there "
            f"{base_towers}. `python -m attention score --with` sets beside each other what two such models read in "
            "known places."
        )


def _check_inputs(found: Prepared, wanted: Prepared, name: str, base: str, has_vision: bool) -> None:
    """Raise InvalidRequest for a model that is shown other tokens, or other cells, of the same words and pictures."""
    ids, base_ids = found.inputs.ids, wanted.inputs.ids
    differs = f"{shortened(name)} reads the same words and pictures otherwise than {shortened(base)}"
    at = next((i for i, pair in enumerate(zip(ids, base_ids, strict=False)) if pair[0] != pair[1]), None)
    if at is not None:
        texts = [
            quoted(each.processor.tokenizer.decode([tokens[at]])) for each, tokens in ((found, ids), (wanted, base_ids))
        ]
        raise InvalidRequest(
            f"{differs}: token {at} is {texts[0]} ({ids[at]}), not {texts[1]} ({base_ids[at]}). Only models that read "
            "the same tokens are compared."
        )
    if len(ids) != len(base_ids):
        raise InvalidRequest(
            f"{differs}: in {len(ids):,} tokens, not {len(base_ids):,}. Only models that read the same tokens are "
            "compared."
        )
    if _cells(found.inputs, has_vision) != _cells(wanted.inputs, has_vision):
        without = f" {WITHOUT_VISION}" if _cells(found.inputs, False) == _cells(wanted.inputs, False) else ""
        raise InvalidRequest(
            f"{differs}: the picture's cells lie elsewhere. Give both the same limits of visual tokens "
            f"(max_visual_tokens), or compare models with the same processor.{without}"
        )


def _cells(inputs: Inputs, has_vision: bool) -> tuple[Any, ...]:
    """The cells that a model is shown, and where they lie; with those of the vision tower, or without."""
    grids = [grid for grid in inputs.grids if has_vision or grid.tower != "vision"]
    return inputs.cells, grids, {name: keys for name, keys in inputs.keys.items() if has_vision or name != "vision"}
