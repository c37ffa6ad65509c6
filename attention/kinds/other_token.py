"""The other token of a target, named by its text: then it is the one of the run's model that is written so."""

from __future__ import annotations

from typing import Any

from attention.errors import InvalidRequest, quoted
from attention.readings.target import Target
from attention.runs.run import Run

from .given import numbers
from .kind import Given

MOST_SIGNS = 100  # of a token's text


def with_id(run: Run, given: Given, processor: Any = None, model: str | None = None) -> Given:
    """The same request with `against` as an id where it is a text; for that the processor is loaded, unless given.

    It is that of `model`, by default of the run's; its weights are not looked at.

    A text without a space before it stands where the token stands that it is set against: where that begins with one,
    it is looked for with one first. Raises InvalidRequest for a text that is not one token, and what reading a model's
    config raises.
    """
    text = given.get("against")
    if not isinstance(text, str) or text == "":
        return given
    if len(text) > MOST_SIGNS:
        raise InvalidRequest(f"The other token has {len(text):,} characters; the limit is {MOST_SIGNS}.")
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise InvalidRequest(f"The other token is {quoted(text)}, which has half of a sign: no token is written so.")
    tokens = Target.of(run, numbers("tokens", given.get("tokens")), 0).tokens  # one alone has another
    own = run.info["tokens"][tokens[0]]["text"]
    tokenizer = (processor or _processor_of(model or run.info["model"]["id"])).tokenizer
    spaced = f" {text}" if own.startswith(" ") and not text[0].isspace() else None
    return {**given, "against": _id_of(tokenizer, text, spaced)}


def _id_of(tokenizer: Any, text: str, spaced: str | None) -> int:
    from attention.capture.vocabulary import id_of

    if spaced is not None:
        try:
            return id_of(tokenizer, spaced)
        except InvalidRequest:  # where it stands no token is written so; by itself one may be
            pass
    return id_of(tokenizer, text)


def _processor_of(name: str) -> Any:
    from attention.models.config import processor_of, read_config
    from attention.models.download import locate

    path, _ = locate(name, without_weights=True)
    _, family = read_config(path)
    processor = processor_of(path, family)
    if getattr(processor, "tokenizer", None) is None:
        raise InvalidRequest(f"The processor of {quoted(name)} has no tokenizer: name the other token by its id.")
    return processor
