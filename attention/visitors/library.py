"""Library of finished runs: what lies below its folders, found again by id, by words, or page by page.

Owns which folders count, a line for each, and the index in which the lines outlive the app. The index lies in a folder
of its own, never inside a run, and is keyed by a run's path and by time and size of its run.json; it may be deleted at
any time. Knows no ticket, and of a run what its index says.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from attention.errors import AttentionError, DamagedRun, shown_path
from attention.folders import INDEXES
from attention.limits import MAX_ADAPTERS, MAX_LIBRARY_DEPTH, MAX_LIBRARY_FOLDERS, MAX_NAME, MAX_TEXT, MAX_WHOLE
from attention.readings.reading import SUFFIX as READINGS
from attention.runs.checks.json_fields import Fields, parse_json

from .process_folder import NAME as PROCESS_FOLDER

FORMAT = 1  # of the index's lines; another one is made again
SAVE_EVERY = 500  # folders read, so that a long first look that is broken off need not begin again


@dataclass(frozen=True)
class Line:
    """One finished folder of a library, in a line of its list."""

    root: Path
    folder: Path
    stamp: str  # time and size of its index: another one is read again
    row: dict  # kind, id, created, model, adapter, prompt, answer, tokens, bytes, error

    @cached_property
    def place(self) -> str:
        """The folder, from its root on."""
        return self.folder.relative_to(self.root).as_posix() if self.folder != self.root else self.folder.name

    @cached_property
    def when(self) -> datetime:
        return datetime.fromisoformat(self.row["created"])

    @cached_property
    def searched(self) -> str:
        """The texts in which words are looked for, without upper case."""
        texts = [self.row[name] or "" for name in ("prompt", "answer", "model", "adapter", "id")]
        return "\n".join([*texts, f"{self.root.name}/{self.place}"]).casefold()


class Library:
    """Finished folders below some roots. Every method may be called from any thread.

    A root may itself be a run. Without an `index` folder nothing outlives the app.
    """

    def __init__(self, roots: Sequence[Path], index: Path | None = None):
        self.roots, self._index = list(dict.fromkeys(roots)), index
        self.notes: list[str] = []  # of the last look: what could not be looked into
        self._lines: dict[Path, Line] = {}
        self._mutex = threading.Lock()
        self._looking: threading.Thread | None = None
        self._is_looking = self._is_asked_again = False
        self._progress = (0, 0)
        self._is_read = False  # the index of the last time
        self._is_unsaved = False

    # Looking

    def look(self, wait_seconds: float | None = None) -> tuple[int, int] | None:
        """Look for what has come, gone or changed; None once that is done, else how many of how many are read.

        It goes on by itself where it takes longer than that; without a limit it is waited for.
        """
        with self._mutex:
            if self._is_looking:
                self._is_asked_again = True  # a look that is under way may have passed by what has come since
            else:
                self._is_looking, self._progress = True, (0, 0)
                self._looking = threading.Thread(target=self._look_as_asked, name="library", daemon=True)
                self._looking.start()
            looking = self._looking
        assert looking is not None
        looking.join(wait_seconds)
        return self.progress()

    def progress(self) -> tuple[int, int] | None:
        """Progress of a look: how many of how many new folders are read; None where nobody looks."""
        return self._progress if self._looking is not None and self._looking.is_alive() else None

    def _look_as_asked(self) -> None:
        """Look, and once more for whoever has asked meanwhile."""
        is_asked = True
        try:
            while is_asked:
                self._look()
                with self._mutex:
                    is_asked = self._is_looking = self._is_asked_again
                    self._is_asked_again = False
        except BaseException:
            self._is_looking = self._is_asked_again = False
            raise

    def _look(self) -> None:
        if not self._is_read:
            self._read_index()
            self._is_read = True
        with self._mutex:
            known = dict(self._lines)  # before the look: what comes in meanwhile is not taken for gone
        notes: list[str] = []
        found = {folder: (root, kind, stamp) for root in reversed(self.roots)
                 for folder, kind, stamp in _finished_below(root, notes)}  # fmt: skip
        # the newest first, as they are listed
        new = sorted(
            (folder for folder, (*_, stamp) in found.items() if folder not in known or known[folder].stamp != stamp),
            key=lambda folder: found[folder][2], reverse=True,
        )  # fmt: skip
        gone = [folder for folder in known if folder not in found]
        with self._mutex:
            for folder in gone:
                self._lines.pop(folder, None)
        for done, folder in enumerate(new):
            self._progress = (done, len(new))
            root, kind, stamp = found[folder]
            line = _line(root, folder, kind, stamp)
            if line.row["error"] and _kind_and_stamp(folder)[0] is None:
                continue  # it went while it was read
            with self._mutex:
                self._lines[folder] = line
            if done % SAVE_EVERY == SAVE_EVERY - 1:
                self._save_index()
        self.notes = notes
        if new or gone or self._is_unsaved:
            self._save_index()

    # What there is

    def lines(self) -> list[Line]:
        """All of them, the newest first."""
        with self._mutex:
            lines = list(self._lines.values())
        return sorted(lines, key=lambda line: line.when, reverse=True)

    def matching(self, kind: str, search: str = "", order: str = "newest") -> list[Line]:
        """The lines of a kind that have every word of a search in question, answer, model, adapter or folder."""
        words = search.casefold().split()
        lines = [line for line in self.lines() if line.row["kind"] == kind]
        if words:
            lines = [line for line in lines if all(word in line.searched for word in words)]
        if order == "oldest":
            lines.reverse()
        elif order in ("model", "folder"):  # within one of them the newest is first
            lines.sort(key=lambda line: (line.row["model"] or "" if order == "model" else line.place).casefold())
        return lines

    def find(self, kind: str, run_id: str) -> Path | None:
        """The folder of a run, or a comparison, by its id; the newest of several."""

        def known() -> Path | None:
            same = (line.folder for line in self.lines() if line.row["id"] == run_id and line.row["kind"] == kind)
            return next((folder for folder in same if (folder / INDEXES[kind]).is_file()), None)

        return known() or (self.look(), known())[1]

    # What the app itself brings and takes

    def add(self, folder: Path) -> None:
        """A folder that has just come in below a root."""
        kind, stamp = _kind_and_stamp(folder)
        root = next((root for root in self.roots if folder.is_relative_to(root)), None)
        if kind is None or root is None:
            return
        line = _line(root, folder, kind, stamp)
        with self._mutex:
            self._lines[folder], self._is_unsaved = line, True

    def forget(self, folder: Path) -> None:
        with self._mutex:
            if self._lines.pop(folder, None) is not None:
                self._is_unsaved = True

    # The index

    def _file(self, root: Path) -> Path | None:
        name = hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return None if self._index is None else self._index / f"{name}.jsonl"

    def _read_index(self) -> None:
        for root in self.roots:
            lines, file = [], self._file(root)
            try:
                texts = file.read_text(encoding="utf-8").splitlines() if file is not None else []
                if not texts or json.loads(texts[0]) != {"format": FORMAT, "root": str(root)}:
                    continue
                for text in texts[1:]:
                    place, stamp, row = json.loads(text)
                    line = Line(root, root / place if place else root, stamp, row)
                    assert line.when.tzinfo and row["kind"] in INDEXES and isinstance(row["id"], str)
                    lines.append(line)
            except (OSError, ValueError, TypeError, KeyError, AssertionError, UnicodeError):
                continue  # it is made again
            with self._mutex:
                for line in lines:
                    self._lines.setdefault(line.folder, line)

    def _save_index(self) -> None:
        """Write the lines of every root; where they cannot be kept, the next start reads the runs again."""
        with self._mutex:
            lines, self._is_unsaved = list(self._lines.values()), False
        for root in self.roots:
            file = self._file(root)
            if file is None:
                return
            texts = [json.dumps({"format": FORMAT, "root": str(root)})]
            texts += [
                json.dumps(["" if line.folder == root else line.place, line.stamp, line.row])
                for line in lines if line.root == root
            ]  # fmt: skip
            part = file.with_suffix(f".{os.getpid()}")
            try:
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                part.touch(mode=0o600)
                part.write_text("\n".join(texts), encoding="utf-8")
                part.replace(file)
            except (OSError, UnicodeError):
                part.unlink(missing_ok=True)


def _finished_below(root: Path, notes: list[str]) -> Iterator[tuple[Path, str, str]]:
    """Every finished folder below a root, or the root itself, with its kind and stamp; in a finished one nobody looks.

    What cannot be looked into is told in `notes`.
    """
    waiting, seen, looked_into = [(root, 0)], {_identity(root)}, 0
    while waiting:
        folder, depth = waiting.pop()
        kind, stamp = _kind_and_stamp(folder)
        if kind is not None:
            yield folder, kind, stamp
            continue
        looked_into += 1
        if depth > MAX_LIBRARY_DEPTH:
            continue
        if looked_into > MAX_LIBRARY_FOLDERS:
            notes.append(f"{shown_path(root)} has more than {MAX_LIBRARY_FOLDERS:,} folders: the rest is not listed.")
            return
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or PROCESS_FOLDER.fullmatch(entry.name) or not entry.is_dir():
                        continue
                    if entry.name.endswith(READINGS):  # of a run that lies beside it
                        continue
                    if entry.is_symlink():  # followed, and no circle twice
                        identity = _identity(Path(entry.path))
                        if identity in seen:
                            continue
                        seen.add(identity)
                    waiting.append((Path(entry.path), depth + 1))
        except OSError as error:
            if len(notes) < 3:
                notes.append(f"{shown_path(folder)} cannot be looked into: {error.strerror or type(error).__name__}.")


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _kind_and_stamp(folder: Path) -> tuple[str | None, str]:
    for kind, name in INDEXES.items():
        try:
            found = os.stat(folder / name)  # noqa: PTH116 - of thousands of folders: half the time of Path.stat
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(found.st_mode):
            return kind, f"{found.st_mtime_ns}-{found.st_size}"
    return None, ""


def _line(root: Path, folder: Path, kind: str, stamp: str) -> Line:
    try:
        row = _summary(folder, kind)
    except Exception as error:  # noqa: BLE001 - whatever one folder holds, the others are listed
        row = _unreadable(folder, kind, error)
    return Line(root, folder, stamp, row)


def _summary(folder: Path, kind: str) -> dict:
    """A folder's line in a listing, from its index alone. Raises DamagedRun for what could not be written in one."""
    name = INDEXES[kind]
    try:
        info = parse_json((folder / name).read_bytes())
    except OSError as error:
        raise DamagedRun(f"{name} cannot be read: {error.strerror or type(error).__name__}.") from None
    except ValueError as error:
        raise DamagedRun(f"{name} cannot be read: {error}.") from None
    fields = Fields(name)
    info = fields.record(info, "its content")
    tokens = (
        len(fields.listed(info.get("tokens"), "tokens", MAX_WHOLE)) if kind == "run"
        else fields.whole(info.get("shared_tokens"), "shared_tokens", 0, MAX_WHOLE)
    )  # fmt: skip
    fields.time(info.get("created"), "created")
    return {
        "kind": kind, "id": fields.text(info.get("id"), "id", MAX_NAME), "created": info["created"],
        "model": fields.text(fields.record(info.get("model"), "model").get("id"), "the model's id", MAX_NAME),
        "adapter": ", ".join(_adapters(fields, info, kind)) or None,
        "prompt": fields.text(info.get("prompt"), "prompt", MAX_TEXT, optional=True),
        "answer": fields.text(info.get("answer"), "answer", MAX_TEXT, optional=True), "tokens": tokens,
        "bytes": fields.number(info.get("bytes"), "bytes", least=0, optional=True), "error": None,
    }  # fmt: skip


def _adapters(fields: Fields, info: dict[str, Any], kind: str) -> Iterator[str]:
    """The adapters that a run, or the members of a comparison, were made with, how strong, and other models."""
    members = [info] if kind == "run" else fields.listed(info.get("members", []), "members", MAX_ADAPTERS + 2)
    for member in members:
        model = fields.record(member, "a member").get("model") if kind != "run" else None
        if model is not None:
            yield str(fields.text(fields.record(model, "model").get("id"), "the model's id", MAX_NAME))
        adapter = fields.record(member, "a member").get("adapter")
        if adapter is not None:
            record = fields.record(adapter, "adapter")
            scale = fields.number(record.get("scale", 1.0), "the adapter's scale")
            yield f"{fields.text(record.get('id'), 'the id of the adapter', MAX_NAME)} at {scale:g}"


def _unreadable(folder: Path, kind: str, error: Exception) -> dict:
    """The line in a listing of a folder whose index cannot be read."""
    try:
        changed = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    except (OSError, ValueError, OverflowError):
        changed = datetime.fromtimestamp(0, UTC)
    reason = str(error) if isinstance(error, AttentionError) else f"{type(error).__name__}."
    return {
        "kind": kind, "id": folder.name, "created": changed.isoformat(), "model": None, "adapter": None, "prompt": None,
        "answer": None, "tokens": 0, "bytes": None, "error": reason,
    }  # fmt: skip
