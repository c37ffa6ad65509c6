"""One safetensors file, read by slices.

Owns the file handle and the header. The library's own reader maps the file into memory, which keeps Windows from
deleting a run while it is open, and has no bfloat16 for NumPy; the format itself is a length, a JSON header and the
bytes (https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np

from attention.errors import DamagedRun
from attention.limits import MAX_LAYER_HEADER_BYTES

_DTYPES = {
    "F64": "f8", "F32": "f4", "F16": "f2", "BF16": "u2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1", "U8": "u1",
    "BOOL": "?",
}  # fmt: skip


class LayerFile:
    """The tensors of one file by name; bfloat16 arrives as float32, which holds it exactly."""

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()
        self._small: dict[str, np.ndarray] = {}
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - kept open, closed by close()
        except OSError as error:
            raise DamagedRun(f"{path.name} of this run cannot be opened: {error.strerror or error}.") from None
        try:
            length = int.from_bytes(self._file.read(8), "little")
            if not 2 <= length <= MAX_LAYER_HEADER_BYTES:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(self._file.read(length))
            self._start = 8 + length
            self.metadata: dict[str, Any] = _numbers(header.pop("__metadata__", {}))
            self._tensors = {
                name: (_DTYPES[tensor["dtype"]], tensor["dtype"], tuple(tensor["shape"]), *tensor["data_offsets"])
                for name, tensor in header.items()
            }
            for dtype, _, shape, start, stop in self._tensors.values():
                if stop - start != math.prod(shape) * np.dtype(dtype).itemsize:
                    raise ValueError("a tensor whose bytes do not fit its shape")
            if self._start + max((t[4] for t in self._tensors.values()), default=0) != path.stat().st_size:
                raise ValueError("it is cut off")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._file.close()
            raise DamagedRun(f"{path.name} of this run is damaged: {error}.") from None

    def __enter__(self) -> LayerFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def names(self) -> list[str]:
        return list(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._tensors[name][2]

    def dtype(self, name: str) -> str:
        """The number format of a tensor, as safetensors names it."""
        return self._tensors[name][1]

    def read(self, name: str) -> np.ndarray:
        """A whole tensor; int32 ones (positions, segments), which every row needs, are kept."""
        if name in self._small:
            return self._small[name]
        value = self.read_slice(name, ())
        if value.dtype == np.int32:
            self._small[name] = value
        return value

    def stored(self, name: str) -> tuple[str, np.ndarray]:
        """The number format of a tensor, as safetensors names it, and the tensor as it lies there; bfloat16 as bits."""
        dtype, stored, shape, start, _ = self._tensors[name]
        result = np.empty(shape, dtype)
        self._read_into(result, [start])
        return stored, result

    def read_slice(self, name: str, index: tuple[Any, ...]) -> np.ndarray:
        """A part of a tensor: `index` is (), one int or step-less slice, or (slice(None), a step-less slice).

        Contiguous parts are one read; otherwise one read for each entry of the first axis.
        """
        dtype, stored, shape, start, _ = self._tensors[name]
        itemsize = np.dtype(dtype).itemsize
        strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        if len(index) == 2:
            assert index[0] == slice(None), index
            first, last, _ = index[1].indices(shape[1])
            result = np.empty((shape[0], last - first, *shape[2:]), dtype)
            offsets = [start + itemsize * (strides[0] * i + strides[1] * first) for i in range(shape[0])]
            self._read_into(result, offsets)
        elif len(index) == 1 and isinstance(index[0], slice):
            first, last, _ = index[0].indices(shape[0])
            result = np.empty((last - first, *shape[1:]), dtype)
            self._read_into(result, [start + itemsize * strides[0] * first])
        else:
            assert len(index) <= 1, index
            result = np.empty(shape[len(index) :], dtype)
            self._read_into(result, [start + (itemsize * strides[0] * index[0] if index else 0)])
        if stored != "BF16":
            return result
        wide = np.empty(result.shape, np.uint32)
        np.left_shift(result, 16, out=wide, dtype=np.uint32, casting="unsafe")
        return wide.view(np.float32)

    def _read_into(self, result: np.ndarray, offsets: list[int]) -> None:
        """Fill an array with equal parts of the file, one from each offset."""
        view = result.reshape(-1).view(np.uint8).data if result.size else memoryview(b"")
        size = len(view) // max(1, len(offsets))
        with self._lock:
            if self._file.closed:
                raise DamagedRun("This run was closed while it was being read. Open it again.")
            for i, offset in enumerate(offsets):
                self._file.seek(self._start + offset)
                part = view[i * size : (i + 1) * size]
                while len(part):
                    count = self._file.readinto(part)
                    if not count:
                        raise DamagedRun(f"{self.path.name} of this run is cut off.")
                    part = part[count:]


def _numbers(metadata: dict[str, Any]) -> dict[str, Any]:
    """Header metadata is text; what the reader computes with is a number."""
    return {key: float(value) if key in ("scaling", "softcap") and value else value for key, value in metadata.items()}
