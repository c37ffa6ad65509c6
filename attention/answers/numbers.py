"""Arrays as an answer has them: their bytes, and headers that say what these are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Answer:
    """An answer to the viewer: its content, and the headers that say how it is read."""

    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


def numbers(values: np.ndarray, source: str, **more: str) -> Answer:
    """An array as its bytes, little-endian, in C order; `more` are further headers, `positions` as X-Attention-..."""
    dtype = "float16" if values.dtype == np.float16 else "float32"
    headers = {
        "X-Attention-Dtype": dtype,
        "X-Attention-Source": source,
        "X-Attention-Shape": ",".join(map(str, values.shape)),
        **{f"X-Attention-{name.capitalize()}": text for name, text in more.items()},
    }
    return Answer(np.ascontiguousarray(values, "<f2" if dtype == "float16" else "<f4").tobytes(), headers)


def position_ranges(positions: np.ndarray) -> str:
    """Ascending positions as a reader of a header would write them: 0-12,40."""
    parts = np.split(positions, np.flatnonzero(np.diff(positions) != 1) + 1) if len(positions) else []
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts)
