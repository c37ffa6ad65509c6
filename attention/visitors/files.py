"""Files of visitors beside their runs: uploads, and exports until they are fetched. Each lies in a folder of its own,
so that two who upload the same bytes share nothing.

Owns those folders and whose they are, wherever they lie. An export goes some minutes after it was read; an upload, on a
server, some minutes after its sender has gone, or an hour after it was used. Knows no limit.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .budget import EXPORT, GONE, IDLE, Kept
from .presence import ADDRESS, FILE, Presence, Visitor

FETCHED_S = 300  # an export is there from when it was written or read
AWAY_S = 300  # that a sender may be away, who reloads a page or goes on with a script
UNUSED_S = 3600


def bytes_of(path: str | Path) -> int:
    """Bytes of a file, or of all files in a folder; of what is gone meanwhile none."""
    total = 0
    for folder, _, names in [("", [], [str(path)]), *os.walk(path)]:  # which passes over folders that are gone
        for name in names:
            with suppress(OSError):
                status = Path(folder, name).stat()
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total


@dataclass
class Entry:
    """One folder, and what is known of its use."""

    folder: Path
    is_export: bool
    owner: Visitor
    used: float
    n_bytes: int = 0
    is_written: bool = False
    is_left: bool = False  # goes as soon as nobody holds it


class Files:
    """Every method may be called from any thread."""

    def __init__(self, presence: Presence, *, keeps_uploads: bool):
        """`keeps_uploads`: as on a person's own machine, where they stay unless somebody else removes them."""
        self._presence, self._keeps_uploads = presence, keeps_uploads
        self._entries: dict[Path, Entry] = {}
        self._held: Counter[Path] = Counter()
        self._mutex = threading.Lock()

    def new_folder(self, below: Path, owner: Visitor, *, is_export: bool) -> Path:
        """A new folder for one file or several, whose name nobody guesses. It stays until `written` says that it is."""
        folder = below / secrets.token_hex(16)
        folder.mkdir(parents=True, mode=0o700)
        with self._mutex:
            self._entries[folder] = Entry(folder, is_export, owner, self._presence.now())
        return folder

    def written(self, folder: Path) -> None:
        """Say that a folder has all that it will hold; one without any file goes at once."""
        n_bytes = bytes_of(folder)
        with self._mutex:
            entry = self._entries.get(folder)
            if entry is not None:
                entry.n_bytes, entry.is_written, entry.used = n_bytes, True, self._presence.now()
        if not n_bytes and not any(names for _, _, names in os.walk(folder)):  # an empty file is said to be empty
            self.remove(folder)

    @contextmanager
    def held(self, paths: Iterable[str | Path]) -> Iterator[None]:
        """Keep the folders in which these files lie, as far as they are ours."""
        with self._mutex:
            folders = [folder for path in paths for folder in Path(path).parents if folder in self._entries]
            self._held.update(folders)
        try:
            yield
        finally:
            with self._mutex:
                self._held.subtract(folders)
                self._held += Counter()  # without those of which nobody holds any
                there = [self._entries[folder] for folder in folders if folder in self._entries]
                for entry in there:
                    entry.used = self._presence.now()
                left = [entry.folder for entry in there if entry.is_left and entry.folder not in self._held]
            for folder in left:
                self.remove(folder)

    def n_bytes(self, address: str | None = None, *, uploads_only: bool = False) -> int:
        """Bytes that lie here; with `address` its own."""
        with self._mutex:
            return sum(
                entry.n_bytes
                for entry in self._entries.values()
                if address in (None, entry.owner.address) and not (uploads_only and entry.is_export)
            )

    def kept(self, address: str | None = None) -> list[Kept]:
        """Those that may go: all that are written and not in use."""
        return [
            Kept(self._order(entry), entry.used, entry.n_bytes, partial(self.remove, entry.folder))
            for entry in self._free()
            if address in (None, entry.owner.address)
        ]

    def sweep(self) -> None:
        """Remove what nobody has fetched, used or come back for."""
        now = self._presence.now()
        for entry in self._free():
            if entry.is_export:
                is_over = now - entry.used > FETCHED_S
            else:
                is_over = not self._keeps_uploads and (now - entry.used > UNUSED_S or self._is_gone(entry))
            if is_over:
                self.release(entry.folder)

    def close(self) -> None:
        """Remove all of it: the app has ended."""
        for folder in list(self._entries):
            self.remove(folder)

    def remove(self, folder: Path) -> None:
        with self._mutex:
            self._entries.pop(folder, None)
        shutil.rmtree(folder, ignore_errors=True)

    def release(self, folder: Path) -> bool:
        """Remove a folder, once nobody holds it; True if that is now."""
        with self._mutex:
            entry = self._entries.get(folder)
            if entry is not None and folder in self._held:
                entry.is_left = True
                return False
            self._entries.pop(folder, None)
        shutil.rmtree(folder, ignore_errors=True)
        return True

    def has(self, folder: Path) -> bool:
        """True if this folder is one of those that are here."""
        return folder in self._entries

    def served(self, path: str | Path) -> None:
        """Remove a file that nobody needs any more; what is left of its folder, if that is ours, counts alone."""
        Path(path).unlink(missing_ok=True)
        for folder in Path(path).parents:
            if folder in self._entries:
                self.written(folder)

    def _free(self) -> list[Entry]:
        """Folders that are written and that nobody holds or reads. Whoever reads one now has used it now."""
        reading = {folder for name in self._presence.open(FILE) for folder in Path(name).parents}
        with self._mutex:
            for entry in (self._entries[folder] for folder in reading if folder in self._entries):
                entry.used = self._presence.now()
            taken = reading | set(self._held)
            return [entry for entry in self._entries.values() if entry.is_written and entry.folder not in taken]

    def _is_gone(self, entry: Entry) -> bool:
        return self._presence.away([(ADDRESS, entry.owner.address)], entry.used) > AWAY_S

    def _order(self, entry: Entry) -> int:
        return EXPORT if entry.is_export else GONE if self._is_gone(entry) else IDLE
