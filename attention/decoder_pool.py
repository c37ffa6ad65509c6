"""A few processes in which pictures of strangers are decoded, each under a limit of time and memory.

A picture's file is a program for its decoder. Here a decoder may take a processor, fill its own memory or fall over,
and nobody else waits for it: it is stopped, and another one takes its place. Owns these processes and the bytes on
their pipes; what they do with a task says the module that they run. Needs no Pillow.

A person's own machine has none: there `in_use` gives None, and pictures are decoded where they are asked for.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from attention import errors
from attention.errors import AttentionError, InvalidRequest, LimitExceeded
from attention.limits import DECODER_BYTES, DECODER_CPU_SECONDS, DECODER_PATIENCE, DECODERS

PROGRAM = "attention.capture.decoder_process"
TOO_LONG, TOO_MUCH = "seconds", "memory"  # of which an answer says that there was not enough
# what a decoder is told of this process's environment: no token of anybody
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "PYTHONHOME")
LOOK_SECONDS = 0.05
PASSED_ON = (OSError, SyntaxError, ValueError)  # of Pillow, which whoever asks knows: raised as they are

_Kind = tuple[str | None, bool]  # of a task: whose it is, and whether its picture is a large one
Receive = Callable[[dict[str, Any], IO[bytes]], Any]  # an answer's head and the pipe with the bytes that follow it


class Decoders:
    """So many processes, started at once; a task waits for one that is free."""

    def __init__(self, count: int = DECODERS):
        self._pid, self._count = os.getpid(), count
        self._free = [_started() for _ in range(count)]
        self._busy: Counter[_Kind] = Counter()
        self._waiting: dict[object, _Kind] = {}  # who came first is first
        self._changed = threading.Condition()
        self._is_closed = False

    @property
    def is_ours(self) -> bool:
        """False in a process that was forked from the one that started them."""
        return self._pid == os.getpid() and not self._is_closed

    def run(
        self,
        task: dict[str, Any],
        name: str,
        receive: Receive,
        is_large: bool = False,
        seconds: int = DECODER_CPU_SECONDS,
        advice: str = "Save it again as an ordinary JPEG or PNG, or smaller.",
    ) -> Any:
        """Have a task done, and return what `receive` makes of the answer.

        `name` is what a message calls the picture. A visitor has one decoder at a time, see `ask_for`; all visitors
        together leave one to whoever only looks at runs, and their large pictures one more to small ones. Of those who
        may have one it gets who has waited longest.

        Raises what the task raises, InvalidRequest for a picture on which the decoder falls over, and LimitExceeded for
        one that needs more memory than one has, or more `seconds` of a processor, with `advice`.
        """
        whose, check = _ASKING.get()
        kind = whose, is_large
        decoder = self._take(kind, check)
        try:
            if decoder is not None and decoder.has_ended:  # while it had no task, as where the system lacks memory
                decoder.close()
                decoder = None
            decoder = decoder or _Decoder()
            return decoder.run({**task, "seconds": seconds}, name, receive, check, advice)
        finally:
            if decoder is not None and (self._is_closed or not decoder.is_fresh):
                decoder.close()
                decoder = None if self._is_closed else _started()
            with self._changed:
                self._free.append(decoder)
                self._busy[kind] -= 1
                self._busy += Counter()  # which leaves out whoever has none
                self._changed.notify_all()

    def close(self) -> None:
        """End all of them, those too that work."""
        with self._changed:
            self._is_closed = True
            free, self._free = self._free, []
        for decoder in free:
            if decoder is not None:
                decoder.close()

    def _take(self, kind: _Kind, check: Callable[[], None]) -> _Decoder | None:
        mine = object()
        with self._changed:
            self._waiting[mine] = kind
        try:
            while True:
                check()
                with self._changed:
                    if mine is next((each for each, of in self._waiting.items() if self._may_have_one(*of)), None):
                        self._busy[kind] += 1
                        return self._free.pop(0)  # the one that has been ready for longest
                    self._changed.wait(LOOK_SECONDS)
        finally:
            with self._changed:
                del self._waiting[mine]
                self._changed.notify_all()

    def _may_have_one(self, whose: str | None, is_large: bool) -> bool:
        if not self._free or whose is None:
            return bool(self._free)
        busy = [kind for kind in self._busy.elements() if kind[0] is not None]
        n_large = sum(of_large for _, of_large in busy)
        return (
            all(who != whose for who, _ in busy)
            and len(busy) < max(1, self._count - 1)
            and not (is_large and n_large >= max(1, self._count - 2))
        )


# A process that is forked while another one is started would hold that one's ends of the pipes, too, and whoever waits
# for them to end would wait for both.
_no_fork = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_no_fork.acquire, after_in_parent=_no_fork.release, after_in_child=_no_fork.release)


class _Decoder:
    """One process. After a failure, or once its memory has grown, it is not fresh: nobody gives it another task."""

    def __init__(self) -> None:
        self.is_fresh = True
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        path = [str(Path(__file__).resolve().parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        with _no_fork:
            self._process = subprocess.Popen(  # noqa: S603 - this project's own module
                [sys.executable, "-P", "-m", PROGRAM],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={**environment, "PYTHONPATH": os.pathsep.join(path), "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def run(self, task: dict[str, Any], name: str, receive: Receive, check: Callable[[], None], advice: str) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        is_done, ended_by = threading.Event(), list[BaseException | str]()
        most_seconds = task["seconds"] * DECODER_PATIENCE
        guard = threading.Thread(target=self._guard, args=(is_done, ended_by, check, most_seconds), daemon=True)
        guard.start()
        answer, failure = None, None
        try:
            self._process.stdin.write(json.dumps(task).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            head = json.loads(line) if line.endswith(b"\n") else None
            if head is not None and "error" not in head:
                answer = receive(head, self._process.stdout)
        except (OSError, EOFError):  # its end of a pipe is gone
            head = None
        except BaseException as error:  # noqa: BLE001 - raised below, once nothing is left of the task
            head, failure = None, error
        finally:
            is_done.set()
            guard.join()
        self.is_fresh = head is not None and not head.get("is_worn") and not ended_by  # after the answer was there
        if failure is not None:
            raise failure
        if head is None or "error" in head:
            raise self._error(head, ended_by, name, task["seconds"], advice)
        return answer

    def close(self) -> None:
        self._process.kill()
        with suppress(OSError):  # what was not sent yet cannot be
            self._process.communicate()

    def _guard(self, is_done: threading.Event, ended_by: list, check: Callable[[], None], most_seconds: float) -> None:
        """In a thread: end the process when it takes too long, or when nobody wants its answer any more."""
        start = time.monotonic()
        while not is_done.wait(LOOK_SECONDS):
            try:
                check()
            except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for the answer
                ended_by.append(error)
            if time.monotonic() - start > most_seconds:
                ended_by.append(TOO_LONG)
            if ended_by:
                self._process.kill()
                return

    def _error(self, head: dict | None, ended_by: list, name: str, seconds: int, advice: str) -> BaseException:
        if ended_by and isinstance(ended_by[0], BaseException):
            return ended_by[0]
        why = ended_by[0] if ended_by else None
        if head is None and why is None:
            code = self._process.wait()
            cpu = getattr(signal, "SIGXCPU", None)
            why = TOO_LONG if cpu and code == -cpu else TOO_MUCH if code == -9 else None
        elif head is not None:
            why = head["error"]
        limit = {TOO_LONG: f"{seconds} seconds", TOO_MUCH: f"{DECODER_BYTES / 1e9:.1f} GB of memory"}.get(why or "")
        if limit is not None:
            return LimitExceeded(f"{name} needs more than {limit} to be decoded, which is the limit here. {advice}")
        if head is None:
            return InvalidRequest(
                f"{name} cannot be read: its decoder failed on it. The file may be damaged; save it again."
            )
        kind = getattr(errors, head["error"], None)
        if isinstance(kind, type) and issubclass(kind, AttentionError):
            return kind(head["message"])
        return {kind.__name__: kind for kind in PASSED_ON}.get(head["error"], RuntimeError)(head["message"])


def _started() -> _Decoder | None:
    """A new process; None where the system has none to give: then it is tried again when it is needed."""
    try:
        return _Decoder()
    except OSError:
        return None


_ASKING: ContextVar[tuple[str | None, Callable[[], None]]] = ContextVar("who asks", default=(None, lambda: None))


def ask_for(whose: str, check: Callable[[], None]) -> None:
    """Say for which visitor this thread, or context, has things decoded from now on.

    `check` is called, in other threads too, while something waits and is decoded; what it raises ends that.
    """
    _ASKING.set((whose, check))


def check_asking() -> None:
    """Call the `check` of whoever asks."""
    _ASKING.get()[1]()


_in_use: Decoders | None = None


def use(decoders: Decoders | None) -> None:
    """Have all pictures of this process decoded there from now on; None: here."""
    global _in_use  # noqa: PLW0603 - a property of the process, as is whether strangers come
    _in_use = decoders


def in_use() -> Decoders | None:
    """The decoders of this process, None where it decodes itself."""
    return _in_use if _in_use is not None and _in_use.is_ours else None
