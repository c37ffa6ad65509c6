"""Visitors' own logins to the Hub at work: what one has fetched lies in a folder of its session, for nobody else.

Owns whose these folders are. They are among the `Files` of visitors: they count as uploads do, and go when their
visitor goes, or when the same network address fetches more than it may have. Reads nothing of the Hub; who asks for a
repository again is asked again by the Hub.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from attention.errors import LimitExceeded
from attention.limits import ADDRESS_FETCHED_BYTES
from attention.models.hub_login import HubLogin

from .files import Files, bytes_of
from .presence import Visitor

Key = tuple[str, str, str, str]  # address, session, repository, commit


class HubLogins:
    """Every method may be called from any thread."""

    def __init__(self, files: Files, root: Path, room: Callable[[int], AbstractContextManager[None]]):
        """`root` is the folder below which they lie; `room(n_bytes)` holds room on the disk, or raises Busy."""
        self._files, self._root, self._room = files, root, room
        self._folders: OrderedDict[Key, Path] = OrderedDict()  # used longest ago first
        self._mutex = threading.Lock()

    @contextmanager
    def of(self, visitor: Visitor, login: HubLogin | None) -> Iterator[HubLogin | None]:
        """A visitor's login with a place for what it fetches, all of which stays at least until the end of this."""
        if login is None or login.token is None:
            yield login
            return
        with ExitStack() as held:
            yield replace(login, folder=partial(self._folder, visitor, held))

    def session_closed(self, session: str) -> None:
        """Remove what a session has fetched, as soon as no job of it reads that: a new page is another session."""
        with self._mutex:
            folders = [self._folders.pop(key) for key in list(self._folders) if key[1] == session]
        for folder in folders:
            self._files.release(folder)

    @contextmanager
    def _folder(self, visitor: Visitor, held: ExitStack, repository: str, commit: str, n_bytes: int) -> Iterator[Path]:
        key = (visitor.address, visitor.session, repository, commit)
        with self._mutex:
            folder = self._folders.pop(key, None)
            if folder is None or not self._is_held(folder, held):
                self._let_go(visitor.address, n_bytes)
                folder = self._files.new_folder(self._root, visitor, is_export=False)
                self._is_held(folder, held)
            self._folders[key] = folder
        try:
            with self._room(max(0, n_bytes - bytes_of(folder))):
                yield folder
        finally:
            self._files.written(folder)

    def _is_held(self, folder: Path, held: ExitStack) -> bool:
        """Hold a folder until the end of a call; False if it is gone already."""
        held.enter_context(self._files.held([folder / "any"]))
        return self._files.has(folder)

    def _let_go(self, address: str, n_bytes: int) -> None:
        """Let go of what an address has used longest ago, as far as it is too much. Raises LimitExceeded."""
        self._folders = OrderedDict((key, folder) for key, folder in self._folders.items() if self._files.has(folder))
        there = [(key, bytes_of(folder)) for key, folder in self._folders.items() if key[0] == address]
        over = sum(size for _, size in there) + n_bytes - ADDRESS_FETCHED_BYTES
        for key, size in there:
            if over <= 0:
                break
            if self._files.release(self._folders[key]):
                del self._folders[key]
                over -= size
        if over > 0:
            raise LimitExceeded(
                f"With this adapter ({n_bytes / 1e9:.1f} GB), those that logins from your network address read at the "
                f"moment would be {over / 1e9:.1f} GB more than the {ADDRESS_FETCHED_BYTES / 1e9:.1f} GB that are kept "
                "for one. Choose fewer, or wait until other jobs are done."
            )
