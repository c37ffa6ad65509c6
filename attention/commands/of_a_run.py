"""Flags of commands that ask about a finished run: the place that is meant, and the model that is asked again."""

from __future__ import annotations

import argparse
from typing import Any

from attention.coordinates import SETTINGS
from attention.errors import InvalidRequest
from attention.request import FIELDS, MODEL

from .flags import GROUPS, add_fields, flag

HOW = ("model_type", "device", "dtype")  # a model is loaded


def add_place(group: argparse._ArgumentGroup) -> argparse._MutuallyExclusiveGroup:
    """Add the flags that name a place of a picture; return those of which one is given, for what else may be meant."""
    one = group.add_mutually_exclusive_group(required=True)
    one.add_argument("--box", nargs=4, type=float, metavar=("X0", "Y0", "X1", "Y1"), help="left, top, right, bottom")
    one.add_argument("--point", nargs=2, type=float, metavar=("X", "Y"), help="the cell that it lies in")
    one.add_argument("--answer", action="store_true", help="the first place that the answer names")
    group.add_argument(
        "--coordinates", choices=SETTINGS, help="with --answer: read its numbers anew (default: as the run has them)"
    )
    group.add_argument("--image", type=int, default=0, help="which picture, from 0 (default: 0)")
    return one


def check_place(options) -> None:
    """Raise InvalidRequest for a setting of a place that was not asked for."""
    if options.coordinates and not options.answer:
        raise InvalidRequest("--coordinates is how the answer's numbers count: give --answer with it.")


def place_of(options, found) -> Any:
    """The region that is meant, of a run or a comparison. Raises InvalidRequest or NotInRun."""
    from attention.exports.regions import place_of_answer, read_place

    if options.answer:
        return place_of_answer(found, options.coordinates)
    return read_place(found, options.box, options.point, options.image)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a model to ask instead of the one that the run names."""
    add_fields(parser.add_argument_group(MODEL, GROUPS[MODEL]), "model", *HOW)


def check_model(options) -> None:
    """Raise InvalidRequest for a way to load a model that is not named: the run's own is loaded as the run had it."""
    if options.model is None:
        for name in HOW:
            if getattr(options, name) != FIELDS[name].default:
                raise InvalidRequest(f"{flag(name)} says how the model of --model is loaded: name it too.")


def model_of(options):
    """The model that is named, loaded; None where the run's own is to be loaded."""
    from attention.models import loading as models

    if options.model is None:
        return None
    return models.load(options.model, options.device, options.dtype, options.model_type)
