"""`words`: what tokens of a run read as after its layers, by the logit lens."""

from __future__ import annotations

import math
from typing import Any

from attention.errors import InvalidRequest
from attention.kinds.table import kind_of

from .help import add_command
from .of_a_run import add_model, check_model
from .output import add_output, print_json
from .reading import made_reading

MOST_TOKENS = 40  # that are printed unless they are named
EXAMPLES = (
    "python -m attention words star --token 92",
    "python -m attention words star --find star --layer 3",
    "python -m attention words star --cells 0 --layer 2",
)
ABOUT = (
    "The five likeliest words of each token's state after a layer, through the model's own final norm and head: of "
    "text and of cells of a picture. What a state is near to, not what the model does with it."
)


def add_words(commands) -> None:
    parser = add_command(
        commands, "words", "say what tokens, and cells of pictures, read as after each layer", EXAMPLES,
        "RUN --token N [N ...] | --find TEXT | --cells GRID", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_words)
    group = parser.add_argument_group("words", "Which tokens, and after which layers.")
    group.add_argument("run", metavar="RUN", help="folder of a finished run")
    which = group.add_mutually_exclusive_group()
    which.add_argument("--token", type=int, nargs="+", metavar="N", help="positions in the run's sequence")
    which.add_argument("--find", metavar="TEXT", help="the tokens that spell this")
    which.add_argument("--cells", type=int, metavar="GRID", help="every cell of a picture, tile or frame, from 0")
    group.add_argument("--layer", type=int, nargs="+", metavar="L", help="after which layers (default: each)")
    add_model(parser)
    add_output(parser)


def _words(options) -> int:
    from attention.kinds.kept import find_reading
    from attention.runs.run import open_run

    check_model(options)
    with open_run(options.run) as run:
        tokens = _tokens(options, run)
        kind = kind_of("lens")
        record = made_reading(run, kind, kind.read(run, {}), options)
        lens: Any = find_reading(run, record["name"])
        layers = lens.layers_read if options.layer is None else options.layer
        found = [(token, layer, lens.words(layer, token)) for token in tokens for layer in layers]
        if options.json:
            words = [
                {"token": token, "layer": layer, "words": [{"text": text, "logprob": value} for text, value in each]}
                for token, layer, each in found
            ]
            print_json({"run": options.run, "caution": lens.caution, "words": words})
            return 0
        for token, layer, each in found:
            if layer == layers[0]:
                print(f"token {token} {run.info['tokens'][token]['text']!r}")
            print(f"  after layer {layer}: {', '.join(f'{text!r} {math.exp(value):.1%}' for text, value in each)}")
        if lens.caution:
            print(lens.caution)
    return 0


def _tokens(options, run) -> list[int]:
    """The tokens that are meant; without a flag the answer's rows. Raises InvalidRequest where there are none."""
    if options.token is not None:
        return options.token
    if options.cells is not None:
        return [int(key) for key in run.tower_cells(options.cells).reshape(-1)]
    if options.find is not None:
        found = run.find(options.find)
        if not len(found):
            raise InvalidRequest(f"No token of this run spells {options.find!r}: name a position with --token.")
        return [int(token) for token in found][:MOST_TOKENS]
    first, n = run.info.get("prompt_tokens"), len(run.info["tokens"])
    if first is None:
        raise InvalidRequest("run.json does not say where the answer begins: name positions with --token.")
    return list(range(first - 1, max(first, n - 1)))[:MOST_TOKENS]
