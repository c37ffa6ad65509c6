"""The command line: `python -m attention extract | compare | export | html | publish | region | try | reading | agree |
score | batch | heads | view | inspect | verify | models | adapters | examples`.

Owns the exit codes, and where an error is said. Each command's module owns its flags and prints what it made; what it
does is done by the rest of the package, which is imported when a command needs it: `export` and `--help` bring in
neither torch nor transformers.

stdout has the result (the path that was written, a table; with --json one object, of an error too), stderr everything
else. Exit code 0: done; 1: it failed, or a check of `verify` did; 2: an argument or an input cannot be used; 130:
stopped with Ctrl-C, which leaves no folder behind (`score` and `batch` keep what is done). With ATTENTION_DEBUG=1 an
error keeps its stack trace.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from attention.environment import is_debugging
from attention.errors import Cancelled, Interrupted, InvalidRequest, NotInRun, confirmed_by, fault, shortened, words_for

from . import (
    agree,
    batch,
    capture,
    examples,
    export,
    heads,
    html,
    listings,
    publish,
    reading,
    region,
    score,
    try_without,
    verify,
    view,
    words,
)
from .help import PROGRAM, HelpFormatter, opening
from .output import failure, print_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    as_json = False
    try:
        try:
            options = build_parser().parse_args(arguments)
            as_json = getattr(options, "json", False)
            return options.command(options)
        finally:
            sys.stdout.flush()  # of --help too: what nobody reads any more is met here, not at the end of Python
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        _leave_pipes()
        return 1
    except (KeyboardInterrupt, Cancelled) as error:
        if is_debugging():
            raise
        stopped = str(error) if isinstance(error, Interrupted) else "Stopped. Nothing was kept."
        return _failed(stopped, 130, Cancelled.__name__, as_json)
    except Exception as error:
        if is_debugging():
            raise
        words, kind = words_for(error), type(error).__name__
        if words is None:
            details = "" if as_json else "\nSet ATTENTION_DEBUG=1 and run it again for the details."
            return _failed(fault(error, in_detail=True) + details, 1, kind, as_json)
        words = confirmed_by(words, rename="--adapter-rename", alone="--adapter-alone")
        return _failed(words, 2 if isinstance(error, InvalidRequest | NotInRun) else 1, kind, as_json)


def _failed(words: str, code: int, kind: str, as_json: bool) -> int:
    """Say why it failed, where anybody still reads it; return the exit code."""
    try:
        if as_json:
            print_json(failure(words, kind))
            sys.stdout.flush()
        else:
            print(words, file=sys.stderr, flush=True)
    except BrokenPipeError:
        _leave_pipes()
    return code


def _leave_pipes() -> None:
    """Write into nothing from here on: Python would complain at its end about a pipe that nobody reads."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nothing, stream.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong with an argument in one line that can be read, or as an object."""

    def __init__(self, **settings):
        super().__init__(**{"formatter_class": HelpFormatter} | settings)
        self._as_json = False

    def parse_known_args(self, args=None, namespace=None):
        self._as_json = "--json" in (sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str):
        message = shortened(message, 300)
        if self._as_json:
            print_json(failure(message, InvalidRequest.__name__))
            self.exit(2)
        super().error(message)


EXAMPLES = (
    'python -m attention extract --image assets/examples/shapes.png --prompt "what color is the star?" '
    "--mode generate --output-dir star",
    "python -m attention export star --format png --layer 3 --head 1 --output star.png",
    "python -m attention export --help",
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands, each with its own flags."""
    parser = _Parser(
        prog=PROGRAM, usage=f"{PROGRAM} COMMAND [options]",
        description=opening(
            "The attention of every layer and head of a vision-language model, as files.", EXAMPLES,
        ),
        epilog="Exit code 0: done. 1: it failed, or a check did. 2: an argument or an input cannot be used. "
        "130: stopped with Ctrl-C; nothing is left then, but what `score` or `batch` has done. ATTENTION_DEBUG=1 shows "
        "an error's stack trace.",
    )  # fmt: skip
    commands = parser.add_subparsers(
        title="commands",
        required=True,
        metavar="COMMAND",
        description="Each has a --help of its own.",
        prog=PROGRAM,
    )
    capture.add_extract(commands)
    capture.add_compare(commands)
    export.add_export(commands)
    html.add_html(commands)
    publish.add_publish(commands)
    region.add_region(commands)
    score.add_score(commands)
    batch.add_batch(commands)
    heads.add_heads(commands)
    listings.add_inspect(commands)
    listings.add_models(commands)
    listings.add_adapters(commands)
    try_without.add_try(commands)
    reading.add_reading(commands)
    words.add_words(commands)
    agree.add_agree(commands)
    verify.add_verify(commands)
    view.add_view(commands)
    examples.add_examples(commands)
    return parser
