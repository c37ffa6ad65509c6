"""Write layer files in a thread of their own, behind a buffer bounded in bytes.

Owns the way of a layer's tensors from the host to the disk. Knows nothing of what the tensors mean, nor of devices.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from attention.errors import AttentionError, CaptureError, words_for

Check = Callable[[dict[str, torch.Tensor]], None]  # looks at a layer's tensors on the host, and may raise


class LayerWriter:
    """One thread that writes layer files, behind at most `buffer_bytes` that wait for it."""

    def __init__(self, buffer_bytes: int):
        self._limit = buffer_bytes
        self._queue: queue.Queue = queue.Queue()
        self._room = threading.Condition()
        self._held = 0
        self._error: BaseException | None = None
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="layer writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self, abandon: bool) -> None:
        """Write what is queued, or with `abandon` drop it, and end the thread. Raises what the thread met."""
        self._abandoned = abandon
        self._queue.put(None)
        self._thread.join()
        if not abandon:
            self.raise_error()

    @property
    def refusal(self) -> AttentionError | None:
        """The error that a check has raised, if one has."""
        return self._error if isinstance(self._error, AttentionError) else None

    def raise_error(self) -> None:
        """Raise what the thread met, if it met an error."""
        if self._error is not None:
            raise _in_words(self._error) from self._error

    def wait_for_room(self, n_bytes: int) -> None:
        """Wait until so many more bytes fit into the buffer; more than the whole of it still go, alone."""
        with self._room:
            self._room.wait_for(lambda: self._held == 0 or self._held + n_bytes <= self._limit or self._error)

    def put(
        self,
        path: Path,
        tensors: dict[str, torch.Tensor],
        metadata: dict[str, str],
        check: Check | None = None,
        before: Callable[[], None] | None = None,
        after: Callable[[], None] | None = None,
    ) -> None:
        """Hand over a layer's tensors, on the host. What `check` raises, the next layer raises.

        `before` is called before they are read, `after` when nobody reads them any more.
        """
        size = sum(tensor.nbytes for tensor in tensors.values())
        with self._room:
            self._held += size
        self._queue.put((path, tensors, metadata, check, before, after, size))

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            path, tensors, metadata, check, before, after, size = item
            try:
                if before is not None:
                    before()
                if not self._abandoned and self._error is None:
                    if check is not None:
                        check(tensors)
                    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
            except Exception as error:  # noqa: BLE001 - raised in the capturing thread
                self._error = error
            del item, tensors, check
            if after is not None:
                after()
            with self._room:
                self._held -= size
                self._room.notify_all()


def save_tensors(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a file of tensors. Raises CaptureError with the words for what the system refuses, as on a full disk."""
    try:
        save_file(tensors, path, metadata)
    except Exception as error:
        raise _in_words(error) from error


def _in_words(error: BaseException) -> BaseException:
    """The error as the capturing thread raises it."""
    words = None if isinstance(error, AttentionError) else words_for(error)
    return CaptureError(words) if words else error
