"""Header of a safetensors file that somebody else made: names, types and shapes, and that all of it is there.

Stricter than the reader (`layer_file`), which has no need to distrust what this project wrote. Reads headers alone;
knows no run's layout.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from attention.errors import DamagedRun, quoted
from attention.limits import MAX_LAYER_HEADER_BYTES, MAX_WHOLE

from .json_fields import parse_json

Shape = tuple[int | None, ...]  # None stands for any size

_ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def read_header(
    folder: Path, name: str, whole: str = "run"
) -> tuple[dict[str, tuple[str, tuple[int, ...]]], dict[str, str]]:
    """Read what the file `name` says it holds, {tensor: (dtype, shape)}, and its metadata: all there, none twice.

    Raises DamagedRun; `whole` is what the file is a part of, as the message calls it.
    """
    path = folder / name
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            content = file.read(length) if 2 <= length <= MAX_LAYER_HEADER_BYTES else b""
        return _checked_header(_header(content), path.stat().st_size - 8 - length)
    except OSError as error:
        raise broken(name, f"it cannot be read: {error.strerror or error}", whole) from None
    except ValueError as error:
        raise broken(name, str(error), whole) from None


def broken(name: str, what: str, whole: str = "run") -> DamagedRun:
    """Make the error for a file that is not what it should be."""
    return DamagedRun(f"{name} of this {whole} is damaged: {what}.")


def kind_of(dtype: str, shape: Shape | None) -> str:
    """A tensor's type and shape, as F16 [3, 4, 26]; a size that may be anything is a dash."""
    return f"{dtype} [{', '.join('-' if size is None else str(size) for size in shape or ())}]"


def _header(content: bytes) -> dict[str, Any]:
    try:
        header = parse_json(content)
    except ValueError as error:
        raise ValueError(f"its header cannot be read: {error}") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no record of tensors")
    return header


def _checked_header(header: dict[str, Any], size: int) -> tuple[dict[str, Any], dict[str, Any]]:
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are no texts")
    tensors: dict[str, Any] = {}
    places: list[tuple[int, int]] = []
    for name, tensor in header.items():
        if not isinstance(tensor, dict):
            raise ValueError(f"its tensor {quoted(name)} is no record")
        dtype, shape, place = tensor.get("dtype"), _wholes(tensor.get("shape")), _wholes(tensor.get("data_offsets"))
        if (
            not isinstance(dtype, str)
            or dtype not in _ITEM_BYTES
            or shape is None
            or place is None
            or len(place) != 2
            or len(shape) > 8
        ):
            raise ValueError(f"its tensor {quoted(name)} has no type, shape and place")
        if max(shape, default=0) > MAX_WHOLE or math.prod(shape) * _ITEM_BYTES[dtype] != place[1] - place[0]:
            raise ValueError(f"its tensor {quoted(name)} has bytes {place} for the shape {shape}")
        tensors[name] = (dtype, tuple(shape))
        places.append((place[0], place[1]))
    end = 0
    for start, stop in sorted(places):
        if start != end:
            raise ValueError("its tensors overlap, or leave gaps")
        end = stop
    if end != size:
        raise ValueError(f"it has {size:,} bytes of tensors where its header says {end:,}")
    return tensors, metadata


def _wholes(value: object) -> list[int] | None:
    """A list of whole numbers from 0 on, or None for anything else."""
    are_whole = isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)
    return value if isinstance(value, list) and are_whole else None
