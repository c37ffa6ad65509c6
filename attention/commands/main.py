"""The command line: `python -m attention extract | compare | export | html | inspect | verify | models | adapters`.

Owns the exit codes, and where an error is said. Each command's module owns its flags and prints what it made; what it
does is done by the rest of the package, which is imported when a command needs it: `export` and `--help` bring in
neither torch nor transformers.

stdout has the result (the path that was written, a table), stderr everything else. Exit code 0: done; 1: it failed, or
a check of `verify` did; 2: an argument or an input cannot be used; 130: stopped with Ctrl-C, which leaves no folder
behind. With ATTENTION_DEBUG=1 an error keeps its stack trace.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from attention.environment import is_debugging
from attention.errors import Cancelled, InvalidRequest, NotInRun, confirmed_by, fault, shortened, words_for

from . import capture, export, html, listings, verify


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    try:
        try:
            options = build_parser().parse_args(arguments)
            return options.command(options)
        finally:
            sys.stdout.flush()  # of --help too: what nobody reads any more is met here, not at the end of Python
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        _leave_pipes()
        return 1
    except (KeyboardInterrupt, Cancelled):
        if is_debugging():
            raise
        return _failed("Stopped. Nothing was kept.", 130)
    except Exception as error:
        if is_debugging():
            raise
        words = words_for(error)
        if words is None:
            details = "Set ATTENTION_DEBUG=1 and run it again for the details."
            return _failed(f"{fault(error, in_detail=True)}\n{details}", 1)
        words = confirmed_by(words, rename="--adapter-rename", alone="--adapter-alone")
        return _failed(words, 2 if isinstance(error, InvalidRequest | NotInRun) else 1)


def _failed(words: str, code: int) -> int:
    """Say why it failed, where anybody still reads it; return the exit code."""
    try:
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
    """A parser that says what is wrong with an argument in one line that can be read."""

    def error(self, message: str):
        super().error(shortened(message, 300))


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands, each with its own flags."""
    parser = _Parser(
        prog="python -m attention",
        description="The attention of every layer and head of a vision-language model, as files.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    capture.add_extract(commands)
    capture.add_compare(commands)
    export.add_export(commands)
    html.add_html(commands)
    listings.add_inspect(commands)
    listings.add_models(commands)
    listings.add_adapters(commands)
    verify.add_verify(commands)
    return parser
