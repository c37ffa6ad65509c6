"""Output of a command: text for people, or with --json one object for programs; with --quiet nothing beside it.

Owns these flags, and the form of an object.
"""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the flags that every command has."""
    group = parser.add_argument_group("output", "The result goes to stdout; progress and notes go to stderr.")
    group.add_argument(
        "--json", action="store_true",
        help='print one JSON object; where it fails {"error": ..., "kind": ...}, with the same exit code',
    )  # fmt: skip
    group.add_argument("--quiet", action="store_true", help="no progress and no notes on stderr, errors alone")
    group.add_argument("-h", "--help", action="help", help="show this help")


def print_json(record: dict[str, Any]) -> None:
    """Print an object in one line, in ASCII: any terminal and any pipe takes it."""
    print(json.dumps(record))


def failure(words: str, kind: str) -> dict[str, str]:
    """An error as an object: its words, and the name of its class in `attention.errors` or in Python."""
    return {"error": words, "kind": kind}
