"""The keys that each query of a layer may read, and the queries that may read a key.

A layer's file names its mask: `causal` (a query reads itself and what came before), `full`, `segments` (a query reads
its own segment; the file has where each ends), or a mask that the run keeps packed, eight keys a byte.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .layer_file import LayerFile


class Mask:
    """The mask of one layer. `packed` opens the run's file of packed masks; it is asked for by those alone."""

    def __init__(self, file: LayerFile, packed: Callable[[], LayerFile]):
        self._file = file
        self._name = file.metadata["mask"]
        self._packed = packed

    def reach(self, start: int, stop: int, n: int) -> tuple[int, int]:
        """The smallest range of the `n` keys that holds all that rows [start, stop) may read."""
        if self._name == "causal":
            return 0, stop
        if self._name == "segments":
            ends = self._file.read("segments")
            first, last = np.searchsorted(ends, [start, stop - 1], side="right")
            return int(ends[first - 1]) if first else 0, int(ends[last])
        return 0, n

    def hidden(self, start: int, stop: int, first: int, last: int) -> np.ndarray | None:
        """Keys before `last` that are hidden from rows [start, stop): bool [rows, some keys up to `last`].

        None when no key is hidden. Keys of [first, last) before those of the answer are seen by every row.
        """
        if self._name == "full" or (self._name == "causal" and stop == start + 1):
            return None
        if self._name == "causal":
            return np.arange(start, last)[None] > np.arange(start, stop)[:, None]
        if self._name == "segments":
            ends = self._file.read("segments")
            keys, rows = (np.searchsorted(ends, np.arange(*span), "right") for span in ((first, last), (start, stop)))
            return None if keys[0] == keys[-1] else keys != rows[:, None]
        packed = self._packed().read_slice(self._name, (slice(start, stop),))
        return ~np.unpackbits(packed, axis=-1, bitorder="little")[:, first:last].astype(bool)

    def readers(self, key: int, n: int) -> np.ndarray:
        """Those of the `n` queries that may read a key: bool [queries]."""
        if self._name == "causal":
            return np.arange(n) >= key
        if self._name == "segments":
            ends = self._file.read("segments")
            return np.searchsorted(ends, np.arange(n), "right") == np.searchsorted(ends, key, "right")
        if self._name == "full":
            return np.ones(n, bool)
        return (self._packed().read(self._name)[:, key // 8] >> (key % 8) & 1).astype(bool)
