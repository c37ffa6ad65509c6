"""A run in a zip, from whoever made it: its index, and the files that belong to it.

What is accepted of a zip is the business of `zip_file`, what is accepted of a run that of `run`. Knows neither
models nor Gradio nor where runs are kept.

Only the files that run.json names are unpacked. What else lies in the zip is left there: file managers add files of
their own, and a later version may.
"""

from __future__ import annotations

from typing import Any

from attention.runs.run import FORMAT

from .run import MASKS, SCORES, check_index, named_files
from .zip_file import Entries, ForeignZip

INDEX = "run.json"


def read_run_index(source: ForeignZip, entries: Entries, limit_bytes: int, member: str = "") -> dict[str, Any]:
    """The checked content of run.json, or of that of a member of several runs, as "base/"."""
    info = source.read_index(entries, f"{member}{INDEX}", "run", FORMAT, limit_bytes)
    check_index(info)
    return info


def run_files(info: dict[str, Any], entries: Entries, member: str = "") -> list[str]:
    """The files that belong to a run beside its checked run.json: those that it names, and tables that may be there."""
    tables = [name for name in (MASKS, SCORES) if f"{member}{name}" in entries]
    return [f"{member}{name}" for name in (*named_files(info), *tables)]
