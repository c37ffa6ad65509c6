"""`verify`: the promises, checked on a person's own weights."""

from __future__ import annotations

from .checked_inputs import as_asked, check_images
from .flags import add_fields
from .progress import Progress, quiet_transformers


def add_verify(commands) -> None:
    parser = commands.add_parser("verify", help="check on your own weights that what is kept is the model's own")
    parser.set_defaults(command=_verify)
    add_fields(parser, "model", "model_type", "device", "dtype", required="model")
    parser.add_argument("--image", metavar="F", help="a picture to check with; default: a drawn one")
    parser.add_argument("--adapter", metavar="A[=SCALE]", help="check too that it can be switched off without a trace")
    add_fields(parser, "adapter_rename", "adapter_alone")


def _verify(options) -> int:
    check_images([options.image] if options.image else [])
    progress = Progress()
    progress.show("loading PyTorch")
    from attention.verify.checks import verify
    from attention.verify.table import table

    quiet_transformers()
    how = {"device": options.device, "dtype": options.dtype, "model_type": options.model_type, "report": progress.show}
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
    print(table(checks))
    return 1 if any(check.passed is False for check in checks) else 0
