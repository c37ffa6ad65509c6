"""Store of an app's runs, and who may read them.

Owns the folders, the tickets, the deadlines, the byte limit that runs share with uploads and exports (`files`), and the
one janitor. Two ways to keep: a library (a person's own runs:
listed, never expired, deleted only by the person) and a session cache (a server's: gone some time after the last look).
Knows nothing of Gradio, models or what is inside a run; which folders a library has, `library` knows. Several runs that
were set against each other (a comparison) are one folder with one ticket, and are kept as a run is.

On disk, below `root`:

    <pid>-<random>/   what one process is writing, with its `lock` held while the process lives; in a session cache the
                      finished runs stay there, in a library they move up when they are complete
    <date>-<random>/  a library's finished runs; a person may have put others there, at any depth, or name more roots
    <run>.readings/   beside a run, what was read of it later; it goes where its run goes
    .deleted/         what a person deleted, for an hour

A folder whose lock is free was left by a process that is gone; it is removed at the next start.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from attention.errors import Busy
from attention.folders import open_folder, runs_of
from attention.limits import MOST_READINGS, PUBLIC_READINGS_BYTES, RUN_READINGS_BYTES
from attention.readings.reading import SUFFIX as READINGS
from attention.readings.reading import readings_beside
from attention.runs.partial import SUFFIX as PARTIAL

from .budget import GONE, IDLE, Kept, KeptLimits, free
from .deleted import purge, put_back, set_aside
from .files import Files, bytes_of
from .library import Library, Line
from .presence import RUN, Presence, Visitor
from .process_folder import ProcessFolder, remove_abandoned
from .thumbnails import thumbnail

LISTED = ("kind", "id", "created", "model", "prompt", "answer", "tokens", "bytes", "error")  # of a line, for scripts
PURGE_EVERY = 600  # seconds
NOBODY = Visitor("")

log = logging.getLogger(__name__)


@dataclass
class Entry:
    """One finished run and what is known about its readers."""

    ticket: str
    folder: Path
    owner: Visitor
    size_bytes: int
    last_access: float
    deadline: float
    is_public: bool = False
    view: dict[str, int] | None = None  # {layer, head} to begin with
    is_left: bool = False  # by a session that was closed, and not looked at since
    run: Any = field(default=None, repr=False)


class RunCache:
    """Runs by ticket. Every method may be called from any thread."""

    def __init__(
        self,
        root: str | os.PathLike,
        *,
        library: bool,
        more_roots: Sequence[Path] = (),
        index: Path | None = None,
        byte_limit: int | None = None,
        visitor_limits: KeptLimits | None = None,
        idle_seconds: float = 3600,
        grace_seconds: float = 300,
        drain_seconds: float = 10,
        sweep_every: float | None = 15,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Take a place below `root`.

        Args:
            more_roots: folders whose runs a library has too; new ones go to `root`.
            byte_limit: of all visitors' runs, uploads and exports together.
            visitor_limits: of one visitor's; what they looked at longest ago goes then, and nobody else's.
            index: a folder for the library's index and small pictures; None keeps them in memory.
            idle_seconds: a session's run is removed this long after the last look; a library closes its files then.
            grace_seconds: the same, once its session is closed: a page that was only reloaded finds its run again.
            drain_seconds: how long a run that is no longer given out stays open for those who are reading from it.
            sweep_every: seconds between two rounds of the janitor; None leaves `sweep` to the caller.
            clock: tells the time, in seconds.
        """
        self.root, self.library, self.byte_limit = Path(root).resolve(), library, byte_limit
        self.presence = Presence(clock)
        self.files = Files(self.presence, keeps_uploads=library)
        self._visitor_limits, self._reserved = visitor_limits, 0
        self._idle, self._grace, self._drain, self._clock = idle_seconds, grace_seconds, drain_seconds, clock
        self._entries: dict[str, Entry] = {}
        self._tickets: dict[Path, str] = {}  # of a library's folders
        self._deleted: dict[str, tuple[Path, Path]] = {}  # by ticket: where a folder was, and where it is now
        self._next_purge = float("-inf")
        self._retired: list[tuple[float, Any, Path | None]] = []  # since when, what to close, what to delete
        self._mutex = threading.RLock()
        self._closing = threading.Event()
        self._pid = os.getpid()

        self._place = ProcessFolder(self.root)
        self._of_examples = self._place.path / "examples"  # readings of what everybody sees
        # a library's folders; a session cache lists nothing, whatever it holds
        self.shelves = Library([self.root, *(folder.resolve() for folder in more_roots)], index) if library else None
        self.thumbnails = index / "thumbnails" if index is not None else None
        self._janitor = None
        if sweep_every is not None:
            self._janitor = threading.Thread(
                target=self._sweep_forever, args=(sweep_every,), name="janitor", daemon=True
            )
            self._janitor.start()

    # Writing

    def new_folder(self) -> Path:
        """The place for a run that is about to be written: a name nobody else will use, not made yet."""
        return self._place.path / f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"

    def add(self, folder: str | os.PathLike, owner: Visitor | str | None = None) -> str:
        """Take in a finished run and return its ticket. A library moves the folder to its own place first."""
        folder = Path(folder)
        if self.library and folder.parent == self._place.path:
            folder, readings = folder.rename(self.root / folder.name), readings_beside(folder)
            if readings.is_dir():  # it came with some
                readings.rename(readings_beside(folder))
        with self._mutex:
            self._keep_few_readings(folder)
            ticket = self._enter(folder, Visitor.of(owner))
            self._enforce_visitor_limits(self._entries[ticket])
            self._enforce_byte_limit(keep=ticket)
        if self.shelves is not None:
            self.shelves.add(folder)
        return ticket

    def add_public(self, ticket: str, folder: str | os.PathLike, view: dict[str, int] | None = None) -> None:
        """Give a run that everyone may see, and nobody removes, a fixed ticket; `view` is where to look first."""
        with self._mutex:
            self._enter(Path(folder), ticket=ticket, is_public=True)
            self._entries[ticket].view = view

    @contextmanager
    def room(self, n_bytes: int) -> Iterator[None]:
        """Have room for what is about to be written. Raises Busy, and removes nothing, where it cannot be had."""
        with self._mutex:
            self._reserved += n_bytes
        try:
            with self._mutex:
                over = self._enforce_byte_limit(or_nothing=True)
            if over > 0:
                raise Busy(
                    f"This takes {n_bytes / 1e6:,.0f} MB, and the server has no room for it at the moment. Try again "
                    "in some minutes, or ask for less."
                )
            yield
        finally:
            with self._mutex:
                self._reserved -= n_bytes

    def upload_room(self, n_bytes: int, most: int) -> int:
        """Make room for so many bytes of uploads; return how many more may come, where `most` may lie together.

        Of uploads themselves only those go whose visitors have gone.
        """
        left = most - self.files.n_bytes(uploads_only=True)
        if left < n_bytes:
            left += free((kept for kept in self.files.kept() if kept.order == GONE), n_bytes - left)
        with self._mutex:
            over = self._enforce_byte_limit(room=n_bytes, or_nothing=True)
        return min(left, n_bytes - over) if over > 0 else left

    # Reading

    def run(self, ticket: str) -> Any:
        """The run behind a ticket, or the comparison. Looking keeps it alive.

        Raises KeyError for a ticket that is unknown, expired or was never given.
        """
        with self._mutex:
            entry = self._entries[ticket]
            if self._is_expired(entry) or not entry.folder.is_dir():
                self._retire(entry)
                raise KeyError(ticket)
            if entry.run is None:
                entry.run = open_folder(entry.folder)
                for run, member in runs_of(entry.run):
                    run.readings_at = self.readings(ticket, member)
            self._look(entry)
            return entry.run

    def folder(self, ticket: str) -> Path:
        """Folder of the run behind a ticket. Raises KeyError like `run`."""
        with self._mutex:
            return self._entries[ticket].folder

    def readings(self, ticket: str, member: str | None = None) -> Path:
        """The folder for readings of a run, or of a comparison's: beside it, where they live and go with it.

        Of a run that is everybody's, or lies where nothing can be written, it is this process's own. Raises KeyError
        like `run`.
        """
        with self._mutex:
            entry = self._entries[ticket]
        within = entry.folder if member else entry.folder.parent
        if entry.is_public or not os.access(within, os.W_OK):
            own = self._of_examples if entry.is_public else self._place.path
            return readings_beside(own / ".".join(filter(None, (ticket, member))))
        return readings_beside(entry.folder / member if member else entry.folder)

    def count_readings(self, ticket: str, readings: Path) -> None:
        """Count a run's bytes again, after a reading of it was made; of a run that has gone meanwhile they go too.

        On a server the oldest readings go where they are too much or too many: of a run or a comparison, and of all
        examples together, which are nobody's bytes.
        """
        with self._mutex:
            entry = self._entries.get(ticket)
            if entry is not None and entry.is_public:
                _keep_newest(self._of_examples.glob(f"*{READINGS}"), PUBLIC_READINGS_BYTES)
            elif entry is not None:
                self._keep_few_readings(entry.folder)
            if entry is not None and not entry.is_public:
                entry.size_bytes = self._bytes_of(entry.folder)
                self._enforce_visitor_limits(entry)
                self._enforce_byte_limit(keep=ticket)
        if entry is None:
            shutil.rmtree(readings, ignore_errors=True)

    def tickets_of_files(self, paths: Iterable[str]) -> list[str]:
        """Tickets of the runs to whose folders these paths lead, or that lie there: a chat that goes on reads them."""
        folders = {folder for path in paths for folder in (Path(path), *Path(path).parents)}
        with self._mutex:
            return [ticket for ticket, entry in self._entries.items() if entry.folder in folders]

    def is_public(self, ticket: str) -> bool:
        """True if everyone may see the run behind a ticket. Raises KeyError like `run`."""
        with self._mutex:
            return self._entries[ticket].is_public

    # The library

    def view(self, ticket: str) -> dict[str, int] | None:
        """Layer and head to begin with, {layer, head}, where they are known. Raises KeyError like `run`."""
        with self._mutex:
            return self._entries[ticket].view

    def listing(self) -> list[dict]:
        """The library's runs, newest first: {ticket, kind, id, created, model, prompt, answer, tokens, bytes, error}.

        `error` says why one cannot be read; it then has the name and the time of its folder, and neither model nor
        words. What was removed by hand is not listed, what was copied in is. A session cache lists nothing.
        """
        if self.shelves is None:
            return []
        self.shelves.look()
        lines = self.shelves.lines()
        return [{"ticket": self.ticket_of(line), **{name: line.row[name] for name in LISTED}} for line in lines]

    def ticket_of(self, line: Line) -> str:
        """The ticket of a folder of the library."""
        return self.ticket_of_folder(line.folder)

    def ticket_of_folder(self, folder: Path) -> str:
        """The ticket of a finished folder on this machine, which a person has named: the same whenever it is asked."""
        with self._mutex:
            return self._tickets.get(folder) or self._enter(folder)

    def find(self, kind: str, run_id: str) -> str:
        """The ticket of a run or a comparison of the library, by its public id. Raises KeyError where it is not."""
        folder = self.shelves.find(kind, run_id) if self.shelves is not None else None
        if folder is None:
            raise KeyError(run_id)
        return self.ticket_of_folder(folder)

    def thumbnail(self, ticket: str) -> bytes | None:
        """The run's first picture, small, as JPEG; None for one without. Raises KeyError like `run`."""
        return thumbnail(self.folder(ticket), self.thumbnails)

    # Removing

    def remove(self, ticket: str) -> None:
        """Delete a run because a person said so. Raises KeyError for an unknown ticket; public runs stay.

        A library can have it back for an hour, by `restore`.
        """
        with self._mutex:
            entry = self._entries[ticket]
            if entry.is_public:
                return
            if self.shelves is not None:
                self._set_aside(entry, self.shelves)
            self._retire(entry)

    def restore(self, ticket: str) -> None:
        """Undo `remove`. Raises KeyError for what was not removed here, InvalidRequest where it cannot be undone."""
        with self._mutex:
            folder, aside = self._deleted[ticket]
            put_back(aside, folder)
            del self._deleted[ticket]
            self._enter(folder, ticket=ticket)
        if self.shelves is not None:
            self.shelves.add(folder)

    def session_closed(self, owner: str) -> None:
        """Shorten the life of a session's runs. Not to nothing: its page may only have been reloaded, or be asleep."""
        with self._mutex:
            for entry in self._entries.values():
                if entry.owner.session == owner and not self.library:
                    entry.is_left = True
                    entry.deadline = min(entry.deadline, self._clock() + self._grace)

    def sweep(self) -> None:
        """One round of the janitor: what has expired goes, the byte limit holds, what was retired is deleted.

        A run that is being read counts as looked at.
        """
        self.files.sweep()
        with self._mutex:
            for ticket in self.presence.open(RUN):
                if ticket in self._entries and not self._is_expired(self._entries[ticket]):
                    self._look(self._entries[ticket])
            for entry in [entry for entry in self._entries.values() if self._is_expired(entry)]:
                self._retire(entry)
            for entry in self._entries.values():
                if entry.run is not None and entry.last_access + self._idle <= self._clock():
                    self._retired.append((self._clock(), entry.run, None))
                    entry.run = None  # a run that stays has its files closed; the next look opens it again
            self._enforce_byte_limit()
            drained = self._clock() - self._drain
            is_time = self.shelves is not None and self._next_purge <= self._clock()
            if is_time:
                self._next_purge = self._clock() + PURGE_EVERY
            ready = [(run, folder) for since, run, folder in self._retired if since <= drained]
            self._retired = [retired for retired in self._retired if retired[0] > drained]
        for run, folder in ready:
            _close_and_delete(run, folder)
        if is_time and self.shelves is not None:
            for root in self.shelves.roots:
                for place in (root, root.parent):  # a root may be a run itself
                    purge(place)

    def close(self) -> None:
        """Close every run and leave: a session cache takes its runs along, a library keeps them."""
        if self._closing.is_set() or os.getpid() != self._pid:  # a forked worker must not tidy up for its parent
            return
        self._closing.set()
        if self._janitor is not None:
            self._janitor.join()
        with self._mutex:
            self.files.close()
            leaving = [(run, folder) for _, run, folder in self._retired]
            leaving += [(entry.run, None) for entry in self._entries.values()]
            self._entries, self._retired = {}, []
        for run, folder in leaving:
            _close_and_delete(run, folder)
        self._place.remove()

    # Inside

    def _enter(self, folder: Path, owner: Visitor = NOBODY, ticket: str | None = None, is_public: bool = False) -> str:
        ticket = ticket or secrets.token_urlsafe(18)
        now = self._clock()
        self._entries[ticket] = Entry(ticket, folder, owner, self._bytes_of(folder), now, now + self._idle, is_public)
        if self.library and not is_public:
            self._tickets[folder] = ticket
        return ticket

    def _bytes_of(self, folder: Path) -> int:
        """Bytes of a run and of its readings, where they are counted."""
        is_counted = self.byte_limit or self._visitor_limits
        return bytes_of(folder) + bytes_of(readings_beside(folder)) if is_counted else 0

    def _keep_few_readings(self, folder: Path) -> None:
        """On a server, remove the oldest readings of a run or a comparison where they are too much or too many."""
        if not self.library:
            within = folder.glob(f"*{READINGS}")  # of the members of a comparison
            _keep_newest([readings_beside(folder), *within], RUN_READINGS_BYTES)

    def _set_aside(self, entry: Entry, shelves: Library) -> None:
        if not entry.folder.is_dir():
            return  # somebody was quicker
        place = next((root for root in shelves.roots if root in entry.folder.parents), entry.folder.parent)
        try:
            aside = set_aside(entry.folder, place)
        except PermissionError:  # some systems move nothing that is open
            if entry.run is None:
                raise
            entry.run.close()
            entry.run = None
            aside = set_aside(entry.folder, place)
        self._deleted[entry.ticket] = entry.folder, aside
        shelves.forget(entry.folder)

    def _is_expired(self, entry: Entry) -> bool:
        is_kept = self.library or entry.is_public
        return not is_kept and entry.deadline <= self._clock()

    def _retire(self, entry: Entry) -> None:
        """Give the run out no more. Its folder is deleted a little later, when those who were reading are done.

        Of a library nothing is deleted here: what is gone was moved, by a person or by `remove`.
        """
        del self._entries[entry.ticket]
        self._tickets.pop(entry.folder, None)
        stays = entry.is_public or self.library
        self._retired.append((self._clock(), entry.run, None if stays else entry.folder))

    def _look(self, entry: Entry) -> None:
        entry.last_access, entry.is_left = self._clock(), False
        entry.deadline = entry.last_access + self._idle

    def _enforce_byte_limit(self, keep: str | None = None, room: int = 0, or_nothing: bool = False) -> int:
        """Free what goes first until all of it and `room` fit; return the bytes by which they do not.

        The run that has just come in stays, and what is being read. With `or_nothing` all stays where it does not do:
        nobody loses a run to a request that is refused.
        """
        if self.byte_limit is None or self.library:
            return 0
        total = sum(entry.size_bytes for entry in self._entries.values() if not entry.is_public)
        over = total + self.files.n_bytes() + self._reserved + room - self.byte_limit
        if over > 0:
            kept = [*self.files.kept(), *self._kept(self._entries.values(), keep)]
            most = sum(each.n_bytes for each in kept)
            over -= most if or_nothing and most < over else free(kept, over)
        return over

    def _enforce_visitor_limits(self, new: Entry) -> None:
        """Let go of what its owner looked at longest ago, and people at the same address, as far as it is too much.

        What they are reading themselves too: who reads slowly enough would otherwise have no limit.
        """
        limits = self._visitor_limits
        if limits is None or self.library:
            return
        of_address = [entry for entry in self._entries.values() if entry.owner.address == new.owner.address]
        of_session = [entry for entry in of_address if entry.owner.session == new.owner.session]
        for entries, people in ((of_session, 1), (of_address, limits.people)):
            there = [entry for entry in entries if entry.ticket in self._entries and not entry.is_public]
            kept = sorted(self._kept(there, new.ticket, spares_read=False))
            for each in kept[: max(0, len(there) - limits.runs * people)]:
                each.remove()
            there = [entry for entry in there if entry.ticket in self._entries]
            n_bytes = sum(entry.size_bytes for entry in there)
            if entries is of_address:
                n_bytes += self.files.n_bytes(new.owner.address)
            free(self._kept(there, new.ticket, spares_read=False), n_bytes - limits.n_bytes * people)

    def _kept(self, entries: Iterable[Entry], keep: str | None, spares_read: bool = True) -> list[Kept]:
        """Those of some runs that may go."""
        reading = {keep, *(self.presence.open(RUN) if spares_read else ())}
        return [
            Kept(GONE if entry.is_left else IDLE, entry.last_access, entry.size_bytes, partial(self._retire, entry))
            for entry in entries
            if not entry.is_public and entry.ticket not in reading
        ]

    def _sweep_forever(self, every: float) -> None:
        work: Callable[[], None] = partial(remove_abandoned, self.root)
        while True:
            try:
                work()
            except Exception:  # without a janitor nothing would go any more
                log.exception("a round of the janitor failed")
            if self._closing.wait(every):
                return
            work = self.sweep


def _close_and_delete(run: Any, folder: Path | None) -> None:
    if run is not None:
        run.close()  # first: an open file cannot be deleted everywhere
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(readings_beside(folder), ignore_errors=True)


def _keep_newest(folders: Iterable[Path], most: int) -> None:
    """Remove the oldest finished readings in some folders until all have at most so many bytes; the newest stays.

    Of one folder no more stay than a list of them is made of.
    """
    found = []
    for folder in folders:
        own = sorted(_finished(folder), reverse=True)
        found += own[:MOST_READINGS]
        for _, place in own[MOST_READINGS:]:
            shutil.rmtree(place, ignore_errors=True)
    total = 0
    for number, (_, place) in enumerate(sorted(found, reverse=True)):
        total += bytes_of(place)
        if number and total > most:
            shutil.rmtree(place, ignore_errors=True)


def _finished(readings: Path) -> list[tuple[float, Path]]:
    """Finished readings in a folder, each with the time at which it was made."""
    try:
        return [(place.stat().st_mtime, place) for place in readings.iterdir() if place.suffix != PARTIAL]
    except OSError:  # there are none (any more)
        return []
