"""Pictures that come as arrays: NumPy's rows of pixels, and tensors with channels first.

Owns which arrays are pictures, and which numbers in them are colours. Knows NumPy and Pillow; a tensor is asked for its
numbers by the methods that it has, so that torch is not imported here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from attention.errors import InvalidRequest

CHANNELS = (1, 3, 4)  # grey, RGB, RGB with transparency


def is_array(value: Any) -> bool:
    """True for an array or a tensor, whatever it holds."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, Image.Image)


def picture_of_array(value: Any, who: str) -> Image.Image:
    """A picture from an array [rows, cols, channels] or [rows, cols], or a tensor [channels, rows, cols].

    Colours are bytes, or numbers from 0 to 1; one, three or four channels. An array with channels first is taken too,
    where its last axis cannot be channels. `who` begins the message of the InvalidRequest for anything else.
    """
    is_tensor = hasattr(value, "detach")
    if is_tensor:
        value = value.detach().cpu()
        value = (value.float() if value.is_floating_point() else value).numpy()  # NumPy has no bfloat16
    values = np.asarray(value)
    if values.ndim == 3:
        first, last = values.shape[0] in CHANNELS, values.shape[2] in CHANNELS
        if first and (is_tensor or not last):
            values = np.moveaxis(values, 0, 2)
        elif not last:
            raise _no_picture(values, who)
        values = values[:, :, 0] if values.shape[2] == 1 else values
    if values.ndim not in (2, 3) or not values.size:
        raise _no_picture(values, who)
    if values.dtype != np.uint8:
        values = _as_bytes(values, who)
    return Image.fromarray(np.ascontiguousarray(values))


def _as_bytes(values: np.ndarray, who: str) -> np.ndarray:
    if not np.issubdtype(values.dtype, np.floating):
        raise InvalidRequest(
            f"{who} is an array of {values.dtype}; a picture's colours are uint8 from 0 to 255, or float from 0 to 1."
        )
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):  # NaN as well
        raise InvalidRequest(
            f"{who} is an array of {values.dtype} from {low:g} to {high:g}; a picture's colours are uint8 from 0 to "
            "255, or float from 0 to 1. Give the picture as it was before it was normalised."
        )
    return np.rint(values * 255).astype(np.uint8)


def _no_picture(values: np.ndarray, who: str) -> InvalidRequest:
    shape = " x ".join(map(str, values.shape)) or "one number"
    return InvalidRequest(
        f"{who} is an array of {shape}; a picture is rows x cols x channels (1, 3 or 4), or a tensor of channels x "
        "rows x cols. Give several pictures as a list."
    )
