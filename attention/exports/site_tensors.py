"""Files of tensors for a site, and where in them each lies: its page fetches a part by its bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Tensor = tuple[str, list[int], int]  # dtype as safetensors names it, shape, first byte in its file


def write_tensors(
    path: Path, tensors: Mapping[str, tuple[str, np.ndarray]], about: dict[str, str]
) -> dict[str, Tensor]:
    """Write a safetensors file, each tensor at a multiple of eight bytes; say where each lies."""
    header: dict[str, Any] = {"__metadata__": about}
    end = 0
    for name, (dtype, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [end, end + values.nbytes]}
        end += values.nbytes
    text = json.dumps(header).encode()
    text = text.ljust(math.ceil(len(text) / 8) * 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, values in tensors.values():
            file.write(np.ascontiguousarray(values).tobytes())
    return {
        name: (dtype, list(values.shape), 8 + len(text) + header[name]["data_offsets"][0])
        for name, (dtype, values) in tensors.items()
    }
