"""Copies of a device's tensors on the host, in pinned memory that is used again.

Owns the stream on which tensors leave a CUDA device, and the pinned buffers that they arrive in: taken for a copy,
given back when it is written, and kept for the next layer and the next run. Knows nothing of what the tensors mean.
"""

from __future__ import annotations

import threading

import torch

SMALLEST_BUFFER = 1 << 14  # numbers
IDLE_BYTES = 1 << 30  # of pinned buffers that wait for the next run; what comes back beyond is let go


class PinnedBuffers:
    """Pinned buffers that nobody uses now, by dtype and size: a power of two."""

    def __init__(self) -> None:
        self._idle: dict[tuple[torch.dtype, int], list[torch.Tensor]] = {}
        self._idle_bytes = 0
        self._lock = threading.Lock()

    def take(self, n: int, dtype: torch.dtype) -> torch.Tensor:
        """A buffer of at least n numbers."""
        size = max(SMALLEST_BUFFER, 1 << (n - 1).bit_length())
        with self._lock:
            idle = self._idle.get((dtype, size))
            if idle:
                self._idle_bytes -= size * dtype.itemsize
                return idle.pop()
        with torch.inference_mode(False):  # the next run may write it outside of that mode
            return torch.empty(size, dtype=dtype, pin_memory=True)

    def give_back(self, buffers: list[torch.Tensor]) -> None:
        """Take buffers back that nothing is copied into any more."""
        with self._lock:
            for buffer in buffers:
                if self._idle_bytes + buffer.nbytes <= IDLE_BYTES:
                    self._idle.setdefault((buffer.dtype, buffer.shape[0]), []).append(buffer)
                    self._idle_bytes += buffer.nbytes


PINNED = PinnedBuffers()


class HostCopies:
    """Tensors on their way to the host. On CUDA what `begin` returns is filled once `wait` has returned.

    Nothing is copied of a tensor that is on the host; from other devices a copy is whole at once.
    """

    def __init__(self) -> None:
        self._buffers: list[torch.Tensor] = []
        self._sources: dict[torch.device, list[torch.Tensor]] = {}
        self._arrivals: list[torch.cuda.Event] = []

    def begin(self, tensor: torch.Tensor) -> torch.Tensor:
        """The copy of a tensor on the host. The device computes on while it leaves."""
        device = tensor.device
        if device.type == "cpu":
            return tensor
        if device.type != "cuda" or not tensor.shape.numel():
            return tensor.cpu()
        shape = tensor.shape
        buffer = PINNED.take(shape.numel(), tensor.dtype)
        # one call where slices and views would be three: this runs beside every layer
        copy = torch.as_strided(buffer, shape, [shape[dim + 1 :].numel() for dim in range(len(shape))])
        stream = _copy_stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            copy.copy_(tensor, non_blocking=True)
        self._buffers.append(buffer)
        self._sources.setdefault(device, []).append(tensor)
        return copy

    def let_go(self) -> None:
        """Let the device have back what has been copied: what it computes from now on waits for the copies."""
        for device in self._sources:
            torch.cuda.current_stream(device).wait_stream(_copy_stream(device))
        for sources in self._sources.values():
            sources.clear()

    def end(self) -> None:
        """Mark the place after the last copy, for `wait`."""
        self.let_go()
        for device in self._sources:
            arrival = torch.cuda.Event()
            arrival.record(_copy_stream(device))
            self._arrivals.append(arrival)

    def wait(self) -> None:
        """Wait until all that has begun before `end` is on the host: once for each device, later calls are free."""
        arrivals, self._arrivals = self._arrivals, []
        for arrival in arrivals:
            arrival.synchronize()

    def give_back(self) -> None:
        """Give the pinned buffers back: nobody reads the copies any more."""
        buffers, self._buffers = self._buffers, []
        PINNED.give_back(buffers)


def on_host(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """Tensors of any devices on the host, for which each device is waited for once."""
    copies = HostCopies()
    found = [copies.begin(tensor) for tensor in tensors]
    copies.end()
    copies.wait()
    kept = [each if tensor.device.type != "cuda" else each.clone() for each, tensor in zip(found, tensors, strict=True)]
    copies.give_back()
    return kept


_streams: dict[torch.device, torch.cuda.Stream] = {}


def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    if device not in _streams:
        _streams[device] = torch.cuda.Stream(device)
    return _streams[device]
