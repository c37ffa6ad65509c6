"""Flags of the command line, made of the rows of fields."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from attention.errors import InvalidRequest
from attention.fields import Field
from attention.request import ADAPTER, ANSWER, FIELDS, MODEL, QUESTION, READING

IN_OTHER_WAYS = {
    "images",
    "videos",
    "prompt",
    "messages",
    "adapter",
    "adapter_scale",
}  # fields of a request that are no plain flag

GROUPS = {  # of a request's fields, in the order of the help, each with a sentence
    QUESTION: "What the model is asked. --messages is a whole chat, instead of --prompt and --system.",
    ANSWER: "Whether the model answers, and in which words.",
    READING: "What is read of the pictures, and what is recorded.",
    MODEL: "The model, and where it runs.",
    ADAPTER: "LoRA adapters. Each is checked against the model before anything of it is loaded.",
}


def plain_flags() -> list[str]:
    """The fields of a request that have a flag of their own, in its order."""
    return [name for name in FIELDS if name not in IN_OTHER_WAYS]


def request_groups(parser: argparse.ArgumentParser) -> dict[str, argparse._ArgumentGroup]:
    """Add the groups of a request's fields, in their order, to hold flags."""
    return {name: parser.add_argument_group(name, words) for name, words in GROUPS.items()}


def add_fields(parser: argparse._ActionsContainer, *names: str, required: str | None = None) -> None:
    """Add the flags of fields of a request; one that is neither yes nor no when it is left out has a --no- too."""
    for name in names:
        field = FIELDS[name]
        if field.kind is bool and field.default is None:
            parser.add_argument(flag(name), action=argparse.BooleanOptionalAction, help=field.words)
        else:
            add_flag(parser, field, field.default, required=name == required)


def add_flag(parser: argparse._ActionsContainer, field: Field, default: object, required: bool = False) -> None:
    """Add the flag of a field, which has this value when it is left out."""
    if field.kind is bool:
        parser.add_argument(flag(field.name), action="store_true", default=default, help=field.words)
        return
    parser.add_argument(
        flag(field.name), type=READERS.get(field.kind, str), default=default, metavar=field.metavar, required=required,
        help=field.words,
    )  # fmt: skip


def add_several(
    parser: argparse._ActionsContainer, name: str, metavar: str | None, words: str, required: bool = False
) -> None:
    """Add a flag that takes one value or several, and may be repeated; the values keep their order."""
    parser.add_argument(
        name, action="extend", nargs="+", default=None if required else [], required=required, metavar=metavar,
        help=words,
    )  # fmt: skip


def flag(name: str) -> str:
    """A field's name as it is written on the command line."""
    return f"--{name.replace('_', '-')}"


def check_passed_over(options: argparse.Namespace, by: str, read: Sequence[str]) -> None:
    """Raise InvalidRequest for a flag that was given although with the flag `by` only those of `read` are looked at.

    `options` has the command's `parser`.
    """
    for action in options.parser._actions:
        given = getattr(options, action.dest, action.default)
        if action.dest not in (*read, "json", "quiet", "help") and given not in (action.default, []):
            raise InvalidRequest(f"{action.option_strings[0]} says nothing beside {by}: leave one of them out.")


def _number_or_word(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


def _decimal_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


READERS: dict[object, Callable] = {int: int, float: float, int | str: _number_or_word, float | str: _decimal_or_word}
