"""`models`, `adapters` and `inspect`: what there is to run, and whether an adapter fits."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from attention.request import ADAPTER, FIELDS, MODEL

from .flags import GROUPS, add_fields
from .help import add_command
from .output import add_output, print_json
from .progress import LOADING, Progress, quiet_transformers

MODELS_EXAMPLES = (
    "python -m attention models",
    "python -m attention models --all",
    "python -m attention models --json",
)
ADAPTERS_EXAMPLES = (
    "python -m attention adapters --model pocket",
    "python -m attention adapters --model pocket --adapters assets/pocket/adapters --json",
)
INSPECT_EXAMPLES = (
    "python -m attention inspect largest --model pocket",
    "python -m attention inspect assets/pocket/adapters/german --model pocket --weights --json",
)


def add_inspect(commands) -> None:
    parser = add_command(
        commands, "inspect", "check an adapter before anything of it is loaded", INSPECT_EXAMPLES, "ADAPTER",
        "Prints its health card, or why it is refused.",
    )  # fmt: skip
    parser.set_defaults(command=_inspect)
    group = parser.add_argument_group(ADAPTER, GROUPS[ADAPTER])
    group.add_argument("adapter", metavar="ADAPTER", help=FIELDS["adapter"].words)
    add_fields(group, "adapter_rename", "adapter_alone")
    group.add_argument(
        "--weights", action="store_true", help="load model and adapter, and measure how far each weight is changed"
    )
    add_fields(_add_base(parser), "model_type")
    add_output(parser)


def add_models(commands) -> None:
    parser = add_command(
        commands,
        "models",
        "list the models on offer",
        MODELS_EXAMPLES,
        "",
        "Any other is named by its folder or Hub id.",
    )
    parser.set_defaults(command=_models)
    parser.add_argument_group("types", "What transformers has.").add_argument(
        "--all", action="store_true", help="list every image-text model type, read or refused, and why"
    )
    add_output(parser)


def add_adapters(commands) -> None:
    parser = add_command(
        commands, "adapters", "list the adapters on offer for a model", ADAPTERS_EXAMPLES, "",
        "Any other is named by its folder or Hub id.",
    )  # fmt: skip
    parser.set_defaults(command=_adapters)
    group = _add_base(parser)
    group.add_argument("--adapters", metavar="FOLDER", help="folder below which your own adapters lie")
    add_output(parser)


def _add_base(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    group = parser.add_argument_group(MODEL, "The model that adapters are attached to.")
    add_fields(group, "model")
    return group


def _inspect(options) -> int:
    progress = Progress(options.quiet)
    progress.show(LOADING)
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
        print_json(card.to_dict() | ({"changes": [each.to_dict() for each in changes]} if changes else {}))
    else:
        print("\n".join([*card.lines(), *(each.line() for each in changes)]))
    return 0


def _model_types(options) -> int:
    from transformers import __version__

    from attention.families.table import model_types

    types = model_types()
    if options.json:
        print_json({"transformers": __version__, "model_types": [asdict(each) for each in types]})
        return 0
    width = max(len(each.name) for each in types)
    for each in types:
        print(f"{each.name:{width}}  {each.said}")
    if not options.quiet:
        supported = sum(each.family is not None for each in types)
        print(f"{supported} of the {len(types)} types of transformers {__version__} are read.", file=sys.stderr)
    return 0


def _models(options) -> int:
    if options.all:
        return _model_types(options)
    from attention.models.devices import device_notice
    from attention.models.offered import default_model, offered_models

    offered, notice = offered_models(), device_notice()
    if options.json:
        models = [model | {"default": model["id"] == default_model()} for model in offered]
        print_json({"models": models, "notes": [notice] if notice else []})
        return 0
    width = max(len(model["id"]) for model in offered)
    for model in offered:
        first = " (default)" if model["id"] == default_model() else ""
        print(f"{model['id']:{width}}  {model['note']}{first}")
    if notice and not options.quiet:
        print(notice, file=sys.stderr)
    return 0


def _adapters(options) -> int:
    from adapters.catalog import offered_adapters
    from attention.models.offered import default_model

    offers, notes = offered_adapters(
        options.model or default_model(), Path(options.adapters) if options.adapters else None
    )
    if options.json:
        print_json({"adapters": [offer.to_dict() for offer in offers], "notes": notes})
        return 0
    width = max((len(offer.id) for offer in offers), default=0)
    for offer in offers:
        print(f"{offer.id:{width}}  {offer.source}{f', {offer.note}' if offer.note else ''}")
    if not offers:
        notes = [*notes, "There are none. Any adapter of the Hub is named by its id, owner/name."]
    for note in () if options.quiet else notes:
        print(note, file=sys.stderr)
    return 0
