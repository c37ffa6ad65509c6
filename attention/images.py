"""Open a picture that a person gave, safely, as the RGB image that the processor will receive.

Owns what is accepted, what is converted and what is said about it. Knows nothing of models.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import InvalidRequest, LimitExceeded, shortened, shown_path

MAX_PIXELS = 64_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


ORIENTATION = 0x0112  # of EXIF: 1 is upright, 2 to 8 are turned or mirrored, others mean nothing
BITS_PER_SAMPLE, MAX_SAMPLE_VALUES, GDAL_NODATA = 258, (341, 281), 42113  # of TIFF
MOST = 1e37  # larger numbers stand for no data: -3.4e38 of float32 for one


def open_image(source: str | os.PathLike | Image.Image, max_pixels: int = MAX_PIXELS) -> tuple[Image.Image, list[str]]:
    """An upright RGB image without metadata, and what was changed, in words for the person who gave it.

    EXIF rotation is applied; the first frame of an animation is taken; transparency is laid on white; CMYK, grey,
    palette, 16-bit and floating-point pictures become 8-bit RGB. The size is judged by the header, before anything is
    decoded.

    Raises InvalidRequest when it is no picture or is broken, LimitExceeded when it has more than `max_pixels`.
    """
    if isinstance(source, Image.Image):
        with _in_words("the image", max_pixels):
            return _as_rgb(source, "the image", max_pixels)
    name = Path(source).name
    with _in_words(name, max_pixels):
        if Path(source).stat().st_size == 0:
            raise InvalidRequest(f"{name} is empty (0 bytes). Give a PNG, JPEG or WebP picture.")
        # by a handle: of a path Pillow maps some TIFFs into memory, and tears those that it should turn
        with open(source, "rb") as file, Image.open(file, formats=FORMATS) as image:
            return _as_rgb(image, name, max_pixels)


def decoded(content: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture that a file's bytes hold, as `open_image` takes it; `name` is what it is called. Raises the same."""
    with _in_words(name, max_pixels):
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        _check_size(image, name, max_pixels)
        image.load()
        return image


@contextmanager
def _in_words(name: str, max_pixels: int) -> Iterator[None]:
    """Say of what Pillow raises in the `with` what is wrong with the picture of this name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # judged by max_pixels, with numbers
            yield
    except FileNotFoundError as error:
        raise InvalidRequest(f"There is no file {shown_path(error.filename)}.") from None
    except Image.DecompressionBombError:
        raise LimitExceeded(
            f"{name} has more than {max_pixels / 1e6:.0f} million pixels. Give a smaller picture."
        ) from None
    except UnidentifiedImageError:
        raise InvalidRequest(
            f"{name} is not a picture this app reads. Give a PNG, JPEG, WebP, GIF, BMP or TIFF file."
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InvalidRequest(
            f"{shortened(name)} cannot be read: {shortened(str(error), 200)}. The file may be damaged or cut off."
        ) from None


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise LimitExceeded(
            f"{name} has {width}x{height} = {width * height / 1e6:.0f} million pixels; "
            f"the limit is {max_pixels / 1e6:.0f} million. "
            "Give a smaller picture."
        )


def _as_rgb(image: Image.Image, name: str, max_pixels: int) -> tuple[Image.Image, list[str]]:
    _check_size(image, name, max_pixels)
    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"{name} has {image.n_frames} frames; the first one is used.")
        image.seek(0)
    # Pillow turns a TIFF as it decodes it, unless its EXIF was looked at before: its own tags say the same
    rotation = (image.tag_v2 if hasattr(image, "tag_v2") else image.getexif()).get(ORIENTATION, 1)
    image.load()
    if rotation in range(2, 9):
        image = ImageOps.exif_transpose(image)
        notes.append(f"{name} was turned upright, as its EXIF rotation asks.")
    if image.mode.startswith("I") or image.mode == "F":
        image, how = _to_8_bit(image, name)
        notes.append(f"{name} has more than 8 bits a channel; it was reduced to 8: {how}.")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            notes.append(f"{name} is partly transparent; it was laid on white.")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif image.mode == "CMYK":
        notes.append(f"{name} is CMYK; it was converted to RGB.")
    # a copy of the pixels alone, so that no metadata travels on
    pixels = image.convert("RGB")
    extrema = pixels.getextrema()
    if all(low == high for low, high in extrema):
        notes.append(f"{name} has one colour everywhere, {tuple(low for low, _ in extrema)}.")
    return Image.frombytes("RGB", pixels.size, pixels.tobytes()), notes


def _to_8_bit(image: Image.Image, name: str) -> tuple[Image.Image, str]:
    """A one-channel picture of more than 8 bits as 8-bit grey, and which of its numbers became black and white.

    Floating-point numbers within 0..1 or 0..255 are taken for that range, others by their own; whole ones by the file's
    sample values, else as 12 bits where all are below 4,096, else as 16. What stands for no data becomes black.
    """
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image).astype(np.float64)
    is_data = np.isfinite(values) & (np.abs(values) < MOST)
    no_data = _number(tags.get(GDAL_NODATA))
    if no_data is not None:
        is_data &= values != no_data
    if not is_data.any():
        raise InvalidRequest(f"{name} has no pixel with a number (NaN, infinity or no data everywhere).")
    low, high = float(values[is_data].min()), float(values[is_data].max())
    if image.mode == "F":
        if low >= 0 and high <= 255:
            low, high = 0.0, 1.0 if high <= 1 else 255.0
    elif low >= 0 and high <= 65535:
        low, high = 0.0, _largest_sample(tags) or (4095.0 if high < 4096 else 65535.0)
    scaled = np.where(is_data, (values - low) / (high - low or 1.0) * 255, 0)
    left_out = np.count_nonzero(~is_data)
    how = f"{low:g} is black, {high:g} is white" + (f"; {left_out:,} pixels without data became black" * bool(left_out))
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8)), how


def _largest_sample(tags) -> float | None:
    """The largest value that a TIFF says its whole numbers have; None where it says no more than their size."""
    said = next((_number(tags[tag]) for tag in MAX_SAMPLE_VALUES if tag in tags), None)
    bits = _number(tags.get(BITS_PER_SAMPLE))
    if said is None and bits is not None and 8 < bits < 16:
        said = 2**bits - 1
    return said if said and said > 0 else None


def _number(value) -> float | None:
    """A number of a TIFF's tag, which may be a text or one of several."""
    try:
        return float(value[0] if isinstance(value, tuple) else value)
    except (TypeError, ValueError, IndexError):
        return None
