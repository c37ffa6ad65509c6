"""Locks between processes: held while a process lives, or until they are let go."""

from __future__ import annotations

from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from attention.errors import AttentionError

WAIT_S = 10


def take_lock(path: Path) -> BaseFileLock:
    """Lock a file against other processes. Raises AttentionError where another does not let go of it in time."""
    lock = _lock(path)
    try:
        lock.acquire(timeout=WAIT_S)
    except Timeout:
        raise AttentionError(f"{path.parent} is in use by another process that does not let go. Try again.") from None
    return lock


def take_free_lock(path: Path) -> BaseFileLock | None:
    """Lock a file at once; None when somebody else holds it."""
    lock = _lock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


def _lock(path: Path) -> BaseFileLock:
    # of no thread: the one that closes a cache need not be the one that made it
    return FileLock(path, mode=0o600, thread_local=False)
