"""Write layer files in a thread of their own, behind a buffer bounded in bytes.

Owns the way of a layer's tensors from the device to the disk. On CUDA they leave over a stream of their own into pinned
memory while the next layer computes, and only a few layers wait on the device. Knows nothing of what the tensors mean.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from attention.errors import AttentionError, CaptureError, words_for

LAYERS_ON_DEVICE = 3

Check = Callable[[dict[str, torch.Tensor]], None]  # looks at a layer's tensors on the host, and may raise


class LayerWriter:
    """One thread that writes layer files, holding at most `buffer_bytes` that wait for it."""

    def __init__(self, buffer_bytes: int):
        self._limit = buffer_bytes
        self._queue: queue.Queue = queue.Queue()
        self._room = threading.Condition()
        self._held = 0
        self._on_device = threading.Semaphore(LAYERS_ON_DEVICE)
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
        if self._error is not None and not abandon:
            raise _in_words(self._error)

    @property
    def refusal(self) -> AttentionError | None:
        """The error that a check has raised, if one has."""
        return self._error if isinstance(self._error, AttentionError) else None

    @contextlib.contextmanager
    def device_slot(self, device) -> Iterator[Slot]:
        """On CUDA, at most LAYERS_ON_DEVICE layers wait on the device for their copy to the host."""
        if self._error is not None:
            raise _in_words(self._error)
        slot = Slot(self, device)
        if device.type == "cuda":
            self._on_device.acquire()
            slot.releases = True
        try:
            yield slot
        except BaseException:
            if slot.releases:
                self._on_device.release()
            raise

    def leave_device(self) -> None:
        self._on_device.release()

    def put(self, path, tensors, metadata, check, ready, release) -> None:
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        with self._room:
            # one layer larger than the whole buffer still goes, alone
            self._room.wait_for(lambda: self._held == 0 or self._held + size <= self._limit or self._error)
            self._held += size
        self._queue.put((path, tensors, metadata, check, ready, release, size))

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            path, tensors, metadata, check, ready, release, size = item
            try:
                try:
                    if ready is not None:
                        ready()
                finally:
                    if release is not None:
                        release()
                if not self._abandoned and self._error is None:
                    if check is not None:
                        check(tensors)
                    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
            except Exception as error:  # noqa: BLE001 - raised in the capturing thread
                self._error = error
            del item, tensors, check
            with self._room:
                self._held -= size
                self._room.notify_all()


class Slot:
    """One layer's way from the device to the writer."""

    def __init__(self, writer: LayerWriter, device: torch.device):
        self._writer, self._device = writer, device
        self.releases = False

    def write(
        self, path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str], check: Check | None = None
    ) -> None:
        """Hand over a layer's tensors; what `check` raises, once they are on the host, the next layer raises."""
        if self._device.type == "cpu":
            self._writer.put(path, tensors, metadata, check, None, None)
            return
        if self._device.type != "cuda":
            host = {name: tensor.cpu() for name, tensor in tensors.items()}
            self._writer.put(path, host, metadata, check, None, None)
            return
        stream = _copy_stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        host, device_tensors = {}, []
        with torch.cuda.stream(stream):
            for name, tensor in tensors.items():
                if not tensor.is_cuda:
                    host[name] = tensor
                    continue
                dense = tensor.contiguous()
                host[name] = torch.empty(dense.shape, dtype=dense.dtype, pin_memory=True)
                host[name].copy_(dense, non_blocking=True)
                device_tensors += [tensor, dense]
            done = torch.cuda.Event()
            done.record(stream)

        def release() -> None:
            # the copies read these until `done`; only then may the allocator have them back
            device_tensors.clear()
            self._writer.leave_device()

        self._writer.put(path, host, metadata, check, done.synchronize, release)
        self.releases = False


_streams: dict[torch.device, torch.cuda.Stream] = {}


def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    if device not in _streams:
        _streams[device] = torch.cuda.Stream(device)
    return _streams[device]


def _in_words(error: BaseException) -> BaseException:
    """The error as the capturing thread raises it."""
    words = None if isinstance(error, AttentionError) else words_for(error)
    return CaptureError(words) if words else error
