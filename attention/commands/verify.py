"""`verify`: the promises, checked on a person's own weights."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from attention.request import ADAPTER, FIELDS, MODEL

from .checked_inputs import as_asked, check_images
from .flags import GROUPS, add_fields
from .help import add_command
from .output import add_output, print_json
from .progress import LOADING, Progress, quiet_transformers

EXAMPLES = (
    "python -m attention verify --model pocket",
    "python -m attention verify --model pocket --adapter largest --json",
)


def add_verify(commands) -> None:
    parser = add_command(
        commands, "verify", "check on your own weights that what is kept is the model's own attention", EXAMPLES,
        "--model ID", "Prints a table of checks; exit code 1 if one of them fails.",
    )  # fmt: skip
    parser.set_defaults(command=_verify)
    group = parser.add_argument_group(MODEL, GROUPS[MODEL])
    add_fields(group, "model", "model_type", "device", "dtype", required="model")
    group.add_argument("--image", metavar="FILE", help="picture to check with (default: a drawn one)")
    group = parser.add_argument_group(ADAPTER, "With an adapter: that it can be switched off without a trace, too.")
    group.add_argument("--adapter", metavar="ADAPTER[=SCALE]", help=FIELDS["adapter"].words)
    add_fields(group, "adapter_rename", "adapter_alone")
    add_output(parser)


def _verify(options) -> int:
    check_images([options.image] if options.image else [])
    progress = Progress(options.quiet)
    progress.show(LOADING)
    from attention.verify.checks import verify
    from attention.verify.table import table

    quiet_transformers()

    def show(line: str) -> None:
        progress.show(*line.split(": ", 1))

    how: dict[str, Any] = {
        "device": options.device,
        "dtype": options.dtype,
        "model_type": options.model_type,
        "report": show,
    }
    try:
        if options.adapter is None:
            checks = verify(options.model, options.image, **how)
        else:
            from adapters.catalog import split_scale
            from adapters.choosing import choose
            from adapters.verifying import verify_adapted

            name, scale = split_scale(options.adapter)
            (choice,) = choose([as_asked(options, name, scale)], options.model, options.model_type)
            checks = verify_adapted(options.model, choice, options.image, **how)
    finally:
        progress.end()
    has_failed = any(check.passed is False for check in checks)
    if options.json:
        print_json({"model": options.model, "passed": not has_failed, "checks": [asdict(check) for check in checks]})
    else:
        print(table(checks))
    return 1 if has_failed else 0
