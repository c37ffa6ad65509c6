"""Help of a command: what it does and examples of it first, then its options in groups.

Owns how that is laid out; what an option means its field says, or the command that has it.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Sequence

PROGRAM = "python -m attention"
WIDEST, NARROWEST = 100, 48  # columns
PART = re.compile(r".(?:(?! --| \[).)*")  # of a command: a flag with its values


class HelpFormatter(argparse.HelpFormatter):
    """Help as wide as the terminal, up to what can be read; a paragraph that begins with spaces stays as it is."""

    def __init__(self, prog: str, **settings):
        super().__init__(prog, max_help_position=min(30, columns() // 3), width=columns(), **settings)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(part if part[0] == " " else fill(part, width, indent) for part in text.split("\n\n"))


def columns() -> int:
    """Width of the help in characters."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns - 2))


def add_command(
    commands, name: str, summary: str, examples: Sequence[str], operands: str = "", about: str = ""
) -> argparse.ArgumentParser:
    """Add a command, whose help begins with what it does and with lines that can be tried as they stand."""
    usage = " ".join(filter(None, (PROGRAM, name, operands, "[options]")))
    return commands.add_parser(
        name, help=summary, usage=_wrapped(usage, ""), add_help=False,
        description=opening(f"{summary[0].upper()}{summary[1:]}. {about}", examples),
    )  # fmt: skip


def opening(about: str, examples: Sequence[str]) -> str:
    """The beginning of a help: what it is about, and examples."""
    return "\n\n".join([about.strip(), "Examples:", "\n".join(f"  {_wrapped(line)}" for line in examples)])


def _wrapped(command: str, end: str = " \\") -> str:
    """A command in as many lines as the terminal needs; a flag stays beside its values."""
    lines, width = [""], columns() - 6
    for part in PART.findall(command):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return f"{end}\n    ".join(map(str.strip, lines))
