"""`view`: the page with a finished run, started by the app itself."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

from attention.environment import ASSETS
from attention.errors import AttentionError, InvalidRequest, shown_path

from .fetching import PREFIX, fetch_run
from .help import add_command

APP = ASSETS.parent / "app.py"
EXAMPLES = (
    "python -m attention view star",
    "python -m attention view runs --port 8000 --open",
    "python -m attention view scores",
    "python -m attention view dataset:OWNER/NAME/ID",
)


def add_view(commands) -> None:
    parser = add_command(
        commands, "view", "show finished runs in the browser", EXAMPLES, "RUN|DIR",
        "Starts the app, prints the address that shows the run, and serves it until Ctrl-C.",
    )  # fmt: skip
    parser.set_defaults(command=_view)
    group = parser.add_argument_group("page", "What is shown, and where.")
    group.add_argument(
        "folder", metavar="RUN|DIR",
        help="folder of a run, of a comparison, of several, or of scores; or one kept run of a data set on the Hub, by "
        "its item's id: dataset:OWNER/NAME/ID",
    )  # fmt: skip
    group.add_argument("--port", type=int, help="port (default: the first free one from 7860 on)")
    group.add_argument("--open", action="store_true", help="open the page in the browser")
    group.add_argument("-h", "--help", action="help", help="show this help")


def view_line(folder: Path) -> str:
    """The line that shows a folder, as one types it."""
    return f"To see it: python -m attention view {shlex.quote(str(folder))}"


def _view(options: argparse.Namespace) -> int:
    folder = fetch_run(options.folder) if options.folder.startswith(PREFIX) else Path(options.folder)
    if not folder.is_dir():
        raise InvalidRequest(f"There is no folder {shown_path(folder)}.")
    if not APP.is_file():
        raise AttentionError(f"The page is not installed here: {APP} is missing. Run this in a checkout.")
    # the app stands above the commands: it is run as a person would run it, where that can be in place of this process
    port = [] if options.port is None else ["--port", str(options.port)]
    command = [sys.executable, str(APP), *port, *(["--open"] if options.open else []), "--", str(folder)]
    return _started(command)


def _started(command: list[str]) -> int:
    """Run the app, on POSIX in place of this process; return its exit code."""
    if os.name == "posix":
        os.execv(sys.executable, command)  # noqa: S606 - Python itself
    return subprocess.run(command, check=False).returncode  # noqa: S603
