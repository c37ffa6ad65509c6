"""A run while it is being written: a folder beside its final place.

Owns the life of that folder: made, reported on, cancelled, committed by one rename, or removed. What is written
into it belongs to `attention.capture`. Knows neither models nor Gradio. The same
folder may be held by two processes: the one that asks (reads the progress, may cancel) and the one that works.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from attention.errors import Cancelled, InvalidRequest, shown_path

SUFFIX = ".partial"
PROGRESS, CANCEL, TOLD = "progress.jsonl", "cancel", "told.json"
REMOVED = "Stopped: the folder of this run was removed while it was being written."
PHASES = ("queue", "model", "inputs", "answer", "capture", "write", "compare", "try")


class PartialRun:
    """The folder `<final>.partial` and the place it will be renamed to."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.final = self.folder.with_name(self.folder.name.removesuffix(SUFFIX))
        self._answer: str | None = None

    @classmethod
    def create(cls, final: str | os.PathLike[str]) -> Self:
        """Make the folder for a run that will end up at `final`.

        Raises InvalidRequest when `final` exists and is not an empty folder, or cannot be made.
        """
        if not isinstance(final, str | os.PathLike):
            raise InvalidRequest(f"The folder is of type {type(final).__name__}; it must be a path.")
        final = Path(final)
        partial, where = cls(final.with_name(final.name + SUFFIX)), shown_path(final)
        try:
            if final.exists() and (not final.is_dir() or any(final.iterdir())):
                raise InvalidRequest(
                    f"{where} is not empty. A run is a folder of its own: name one that does not exist yet."
                )
            if not final.parent.is_dir():
                final.parent.mkdir(parents=True)
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            reason = getattr(error, "strerror", None) or error
            raise InvalidRequest(f"{where} cannot be written: {reason}. Name another folder.") from None
        try:
            partial.folder.mkdir(mode=0o700)
        except FileExistsError:
            raise InvalidRequest(
                f"{shown_path(partial.folder)} exists: another run is being written there, or one was interrupted. "
                "Remove it or name another folder."
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InvalidRequest(f"{where} cannot be written: {reason}. Name another folder.") from None
        return partial

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """The same folder, seen from the process that does the work."""
        return cls(Path(folder))

    def report(self, phase: str, done: int = 0, total: int = 0, answer: str | None = None) -> None:
        """Append one line of progress; `done` of `total` is in tokens (answer), layers (capture) or bytes (model)."""
        assert phase in PHASES, phase
        self._answer = self._answer if answer is None else answer
        line = {"phase": phase, "done": done, "total": total, "answer": self._answer, "process": os.getpid()}
        try:
            with open(self.folder / PROGRESS, "a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        except FileNotFoundError:
            raise Cancelled(REMOVED) from None

    def tell(self, found: dict[str, Any]) -> None:
        """Say what was found so far, all of it: whoever follows sees the last, and misses nothing by that."""
        beside = self.folder / f"{TOLD}.new"
        try:
            beside.write_text(json.dumps(found, ensure_ascii=False, allow_nan=False), encoding="utf-8")
            beside.replace(self.folder / TOLD)
        except FileNotFoundError:
            raise Cancelled(REMOVED) from None

    def steps(self, phase: str, total: int) -> Callable[[], None]:
        """A function to call after each of some steps of a phase: tells how many are done, and stops where asked to."""
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            self.check_cancelled()
            self.report(phase, done, total)

        return step

    def cancel(self) -> None:
        """Ask the job to stop at its next token or layer. Does nothing when the run is already finished."""
        try:
            (self.folder / CANCEL).touch()
        except FileNotFoundError:
            pass
        except OSError:  # a full disk, say: a folder that is gone stops the job as well
            self.discard()

    @property
    def is_cancelled(self) -> bool:
        return (self.folder / CANCEL).exists() or not self.folder.exists()

    def check_cancelled(self) -> None:
        if self.is_cancelled:
            raise Cancelled("Stopped. Nothing was kept of this run.")

    def commit(self, info: dict[str, Any], index: str = "run.json") -> Path:
        """Write the index, a folder's last file, and rename the folder to its final place; no file of it is open."""
        self.check_cancelled()
        for name in (PROGRESS, CANCEL, TOLD):
            (self.folder / name).unlink(missing_ok=True)
        write_index(self.folder / index, info)
        if self.final.exists():
            self.final.rmdir()  # only an empty one was accepted; Windows does not rename onto it
        self.folder.replace(self.final)
        (self.final / CANCEL).unlink(missing_ok=True)  # whoever stops it just now comes too late
        return self.final

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class PartialPart(PartialRun):
    """A folder that is made on the way of a job: told of, and stopped, through the whole."""

    def __init__(self, folder: Path, whole: PartialRun):
        super().__init__(folder)
        self._whole = whole
        self.folder.mkdir(mode=0o700, parents=True)

    def report(self, phase: str, done: int = 0, total: int = 0, answer: str | None = None) -> None:
        self._whole.report(phase, done, total, answer)

    def tell(self, found: dict[str, Any]) -> None:
        self._whole.tell(found)

    @property
    def is_cancelled(self) -> bool:
        return self._whole.is_cancelled


def write_index(path: Path, info: dict[str, Any]) -> None:
    """Write a folder's index, run.json or that of several runs, onto the disk itself."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(info, file, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())


def read_progress(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The last complete line of progress, {phase, done, total, answer, process}, or None before the first and after the
    end. `process` is the number of the one that works."""
    try:
        with open(Path(folder) / PROGRESS, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 65536))  # one line is far shorter
            lines = file.read().split(b"\n")[:-1]  # what follows the last line break is being written
    except OSError:
        return None
    return json.loads(lines[-1]) if lines else None


def read_told(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Read what a job has found so far, as `tell` has it; None before the first and after the end."""
    try:
        found: dict[str, Any] = json.loads((Path(folder) / TOLD).read_text(encoding="utf-8"))
        return found
    except OSError:
        return None
