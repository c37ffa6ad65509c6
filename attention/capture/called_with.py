"""Arguments of `extract`: a request, a question, a chat or prepared inputs, and a model of the caller's own.

Owns the refusals of what is none of these, by what it is. Everything else is made of a `Request` from here on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from attention.errors import InvalidRequest, quoted
from attention.limits import Limits
from attention.models import loading as models
from attention.models.kept import INFERENCE, LoadedModel
from attention.request import Request

from .given import Said, taken
from .inputs import Prepared


def with_processor(model, processor) -> tuple:
    """A caller's own model and processor as one. Raises InvalidRequest for a processor without one model to go with."""
    if model is None:
        raise InvalidRequest("A processor was given without a model to go with it: model=. Give both, or neither.")
    if isinstance(model, tuple | LoadedModel):
        raise InvalidRequest("A processor was given twice, with the model and as processor=. Leave one out.")
    return model, processor


def check_request_alone(given: dict[str, Any]) -> None:
    """Raise InvalidRequest where a whole Request came with more of its fields."""
    more = [name for name, value in given.items() if value is not None and not (isinstance(value, tuple) and not value)]
    if more:
        raise InvalidRequest(f"{more[0]} is a field of the Request: give it there.")


def check_fields(fields: dict) -> None:
    """Raise InvalidRequest for a field that no request has."""
    known = {field.name for field in dataclasses.fields(Request)}
    if unknown := sorted(set(fields) - known):
        raise InvalidRequest(
            f"A request has no field {quoted(unknown[0])}; it has {', '.join(sorted(known - {'images', 'messages'}))}."
        )


def of_words(words: object, images: Any, messages: list[dict] | None, fields: dict) -> Request:
    """The request of a question or a chat. Raises InvalidRequest for what is neither, by what it is."""
    if isinstance(words, str | list) and messages is not None:
        raise InvalidRequest("messages= goes with prepared inputs. Give the chat as the first argument alone.")
    if isinstance(words, str):
        if "prompt" in fields:
            raise InvalidRequest("The prompt was given twice, as the first argument and by its name. Leave one out.")
        return Request(images=images, prompt=words, **fields)
    if isinstance(words, list):
        if said := [name for name in ("prompt", "system") if name in fields]:
            raise InvalidRequest(f"{said[0]} was given beside a chat, which has its own. Put it into the messages.")
        return Request(images=images, messages=words, **fields)
    more = " A processor's inputs have input_ids." if isinstance(words, Mapping) else ""
    raise InvalidRequest(
        f"The first argument is of type {type(words).__name__}; it must be an attention.Request, as "
        f'Request(images="picture.png", prompt="What is it?"), a question, a chat, or prepared inputs.{more}'
    )


def prepared_for(
    given: Mapping, said: Said, model, limits: Limits | None
) -> tuple[LoadedModel, Limits, Request, Prepared]:
    """Prepared inputs, the model that they are for, and what both come to."""
    if model is None:
        raise InvalidRequest("Prepared inputs are of a model's own processor: give both, as model= and processor=.")
    with INFERENCE:
        loaded = own(model, said.fields.get("model_type"))
        limits = limits or Limits.local(loaded.device)
        with models.fitting(loaded.processor, loaded.family) if loaded.lent is not None else nullcontext():
            return loaded, limits, *taken(given, said, loaded, limits)


def own(model, model_type: str | None) -> LoadedModel:
    """A caller's own model, as it is used here."""
    if isinstance(model, LoadedModel):
        return model
    own, processor = model if isinstance(model, tuple) and len(model) == 2 else (model, None)
    return models.wrap(own, model_type, processor)
