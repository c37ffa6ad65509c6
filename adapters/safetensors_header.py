"""The header of a safetensors file: which tensors it has, without a value of them. Owns how it is read and checked."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

from attention.errors import AdapterRefused
from attention.limits import MAX_ADAPTER_HEADER_BYTES

ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
ITEM_BYTES |= {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class TensorRecord:
    """A file's record of one tensor, before its values are read."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def parameters(self) -> int:
        """The count of its numbers."""
        return math.prod(self.shape)


def read_header(file: Path, called: str | None = None) -> tuple[dict[str, TensorRecord], int]:
    """Return the tensors that a safetensors file has, and the file's bytes. Raises AdapterRefused, with what it is
    `called`.
    """
    called = called or str(file)
    size = file.stat().st_size
    with file.open("rb") as opened:
        start = opened.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= min(MAX_ADAPTER_HEADER_BYTES, size - 8):
            raise AdapterRefused(
                f"{called} is not a safetensors file, or was cut off: its header does not fit into it."
            )
        return parse_header(opened.read(length), called, size - 8 - length), size


def parse_header(content: bytes, where: str, data_bytes: int) -> dict[str, TensorRecord]:
    """Return the tensors of a safetensors header before `data_bytes` of values. Raises AdapterRefused."""
    try:
        records = json.loads(content.decode("utf-8"))
        header, end = {}, 0
        for name, record in records.items():
            if name == "__metadata__":
                continue
            tensor = TensorRecord(str(record["dtype"]), tuple(int(n) for n in record["shape"]))
            first, last = record["data_offsets"]
            if min((0, *tensor.shape)) < 0 or last - first != tensor.parameters * ITEM_BYTES[tensor.dtype] or first < 0:
                raise ValueError(f"{name} has no {record['shape']} of {tensor.dtype}")
            header[name], end = tensor, max(end, last)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AdapterRefused(f"The header of {where} cannot be used ({str(error)[:100]}).") from None
    if end != data_bytes:
        raise AdapterRefused(f"{where} was cut off or added to: {data_bytes:,} bytes of values, not {end:,}.")
    return header
