"""Folder of one process below a root that several share: locked while the process lives, removed when it is gone.

Knows nothing of what lies in it. What a process that was killed has left, the next one removes.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from pathlib import Path

from filelock import BaseFileLock

from attention.locks import take_free_lock, take_lock

NAME = re.compile(r"\d+-[0-9a-f]{8}")  # the process's number, and a part that no two share
LOCK = "lock"
ROOT_LOCK = ".lock"  # for the moment in which folders are made or judged, by one process at a time


class ProcessFolder:
    """A new folder below `root`, which is made too. Raises AttentionError where another process blocks the root."""

    def __init__(self, root: Path):
        self._pid = os.getpid()
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = root / f"{self._pid}-{secrets.token_hex(4)}"
        with take_lock(root / ROOT_LOCK):  # or the new folder is taken for an abandoned one before its lock is held
            self.path.mkdir(mode=0o700)
            self._lock = take_lock(self.path / LOCK)

    def remove(self) -> None:
        """Remove the folder and all in it. A forked worker does not tidy up for its parent."""
        if os.getpid() == self._pid:
            _remove(self.path, self._lock)


def remove_abandoned(root: Path) -> None:
    """Remove the folders of processes that are gone: those whose lock can be taken."""
    taken = []
    with take_lock(root / ROOT_LOCK):
        for place in root.iterdir():
            if NAME.fullmatch(place.name) and (place / LOCK).is_file():
                lock = take_free_lock(place / LOCK)
                if lock is not None:
                    taken.append((place, lock))
    for place, lock in taken:
        _remove(place, lock)


def _remove(place: Path, lock: BaseFileLock) -> None:
    """Remove a process's folder, its lock last: an interrupted removal is then found again and finished."""
    for path in place.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path, ignore_errors=True)
    lock.release()
    shutil.rmtree(place, ignore_errors=True)
