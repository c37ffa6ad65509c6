"""Progress on stderr, and stopping with Ctrl-C: work that fills a folder, or leaves nothing."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from attention.runs.partial import PartialRun
from attention.words import in_one_line, phase_words

from .time_left import TimeLeft

LOADING = "Loading PyTorch"


class Progress:
    """Progress on stderr: one line that is redrawn on a terminal, otherwise one line for each phase, or nothing."""

    def __init__(self, quiet: bool = False):
        self._quiet = quiet
        self._redraws = sys.stderr.isatty()
        self._is_open = False
        self._last_phase: str | None = None
        self._time_left = TimeLeft()

    def show(self, phase: str, amount: str = "", time_left: str = "") -> None:
        """Say what is being done; on a terminal also how far it is, and how long it will take."""
        if self._quiet:
            return
        if self._redraws:
            line = in_one_line(phase, amount, time_left)[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
            self._is_open = True
        elif phase != self._last_phase:
            print(phase, file=sys.stderr, flush=True)
        self._last_phase = phase

    def report(self, phase: str, done: int = 0, total: int = 0) -> None:
        """Show a step of a job, as `PartialRun.report` is told of it."""
        name, amount = phase_words({"phase": phase, "done": done, "total": total})
        self.show(name, amount, self._time_left.words(phase, done, total))

    def count(self, what: str, done: int, total: int) -> None:
        """Show how many items of a set are done, and how long the others will take."""
        self.show(what, f"item {done + 1:,} of {total:,}", self._time_left.words("score", done, total))

    def say(self, line: str) -> None:
        """Say a line that stays."""
        self.end()
        if not self._quiet:
            print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Clear the line that is redrawn."""
        if self._is_open:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._is_open = False


class Stoppable(Protocol):
    """Work that can be asked to stop."""

    def cancel(self) -> None: ...


class ReportedRun(PartialRun):
    """A run being written whose progress is shown as well."""

    progress: Progress

    def report(self, phase: str, done: int = 0, total: int = 0, answer: str | None = None) -> None:
        super().report(phase, done, total, answer)
        self.progress.report(phase, done, total)


def make(output_dir: str, work: Callable[[ReportedRun], Path], progress: Progress) -> Path:
    """Do work that fills a folder, with progress, and with nothing left where it is stopped or fails."""
    partial = ReportedRun.create(output_dir)
    partial.progress = progress
    try:
        with stopping(partial):
            progress.show(LOADING)
            from attention.capture import extraction  # noqa: F401 - imported for its effect

            quiet_transformers()
            return work(partial)
    finally:
        progress.end()
        partial.discard()  # of what was committed nothing is left here


@contextmanager
def stopping(job: Stoppable) -> Iterator[None]:
    """Ctrl-C interrupts the job; where a library swallows that, its `cancel` stops it at its next token or layer.

    Whatever the interrupted code makes of it (an import, for one, may raise anything), it ends as KeyboardInterrupt.
    """
    is_stopped = False

    def stop(*_) -> None:
        nonlocal is_stopped
        is_stopped = True
        job.cancel()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # only there may signals be set
        yield
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except BaseException:
        if is_stopped:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def size(n_bytes: int) -> str:
    """A number of bytes in words."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{max(1, round(n_bytes / 1e6)):,} MB"


def quiet_transformers() -> None:
    """Silence its notices, which are about its own defaults, and its progress bars, which would fight with ours."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
