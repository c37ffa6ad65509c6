"""`models`, `adapters` and `inspect`: what there is to run, and whether an adapter fits."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .flags import add_fields
from .progress import Progress, quiet_transformers


def add_inspect(commands) -> None:
    parser = commands.add_parser("inspect", help="check an adapter before anything of it is loaded")
    parser.set_defaults(command=_inspect)
    parser.add_argument(
        "adapter", metavar="ADAPTER", help="a folder, a Hub id (owner/name[@revision]), or a name that `adapters` lists"
    )
    _add_base(parser)
    add_fields(parser, "model_type", "adapter_rename", "adapter_alone")
    parser.add_argument("--weights", action="store_true", help="load both and measure how far each weight was changed")
    parser.add_argument("--json", action="store_true", help="the health card as JSON")


def add_models(commands) -> None:
    commands.add_parser("models", help="the models on offer").set_defaults(command=_models)


def add_adapters(commands) -> None:
    parser = commands.add_parser("adapters", help="the adapters on offer for a model")
    parser.set_defaults(command=_adapters)
    _add_base(parser)
    parser.add_argument("--adapters", metavar="DIR", help="a folder below which your adapters lie")


def _add_base(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="ID", help="the base; default: the first that `models` lists")


def _inspect(options) -> int:
    progress = Progress()
    progress.show("loading PyTorch")
    from adapters.report import report
    from attention.models.offered import default_model

    quiet_transformers()
    try:
        card, changes = report(
            options.adapter, options.model or default_model(), options.model_type, options.adapter_rename,
            options.adapter_alone, weights=options.weights,
        )  # fmt: skip
    finally:
        progress.end()
    if options.json:
        print(json.dumps(card.to_dict() | ({"changes": [each.to_dict() for each in changes]} if changes else {})))
    else:
        print("\n".join([*card.lines(), *(each.line() for each in changes)]))
    return 0


def _models(_) -> int:
    from attention.models.devices import device_notice
    from attention.models.offered import default_model, offered_models

    offered = offered_models()
    width = max(len(model["id"]) for model in offered)
    for model in offered:
        first = " (default)" if model["id"] == default_model() else ""
        print(f"{model['id']:{width}}  {model['note']}{first}")
    if device_notice():
        print(device_notice(), file=sys.stderr)
    return 0


def _adapters(options) -> int:
    from adapters.catalog import offered_adapters
    from attention.models.offered import default_model

    offers, notes = offered_adapters(
        options.model or default_model(), Path(options.adapters) if options.adapters else None
    )
    width = max((len(offer.id) for offer in offers), default=0)
    for offer in offers:
        print(f"{offer.id:{width}}  {offer.source}{f', {offer.note}' if offer.note else ''}")
    for note in notes:
        print(note, file=sys.stderr)
    if not offers:
        print("There are none. Any adapter of the Hub is named by its id, owner/name.", file=sys.stderr)
    return 0
