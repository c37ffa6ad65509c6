"""Open a picture that a person gave, safely, as the RGB image that the processor will receive.

Owns what is accepted, what is converted and what is said about it. Knows nothing of models, and not in which process it
is: on a server `open_pictures` has it done in another.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import stat
import struct
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL
from PIL import Image, ImageOps, UnidentifiedImageError

from attention.decoder_pool import in_use
from attention.errors import AttentionError, InvalidRequest, LimitExceeded, quoted, shortened, shown_path
from attention.image_entries import is_data_url
from attention.limits import MAX_PICTURE_BYTES, MAX_PICTURE_CHARACTERS, MAX_PIXELS, MAX_STRIPS_OVER, Limits
from attention.picture_bytes import count_frames, webp_size
from attention.raw_pictures import bands
from attention.request import Request
from attention.tiff_directories import SIGNS, check_exif
from attention.video_entries import ENDINGS

from .decoded import decoded
from .handed_over import taken

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
# Of which Pillow before 13 reads beyond its buffers, or memory that nobody has written: GHSA-462x-pgg6-55fp,
# GHSA-c6hw-5grf-ff96, GHSA-q45j-58j2-45rg. Gradio holds it below 13.
UNSAFE = ("TIFF",) if int(PIL.__version__.split(".")[0]) < 13 else ()
TIFF_SIGNS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# of Pillow's decoders with a damaged file
FAILURES = (OSError, SyntaxError, ValueError, EOFError, ArithmeticError, LookupError, TypeError, AttributeError,
            RuntimeError, struct.error)  # fmt: skip

ORIENTATION = 0x0112  # of EXIF: 1 is upright, 2 to 8 are turned or mirrored, others mean nothing
# of TIFF
BITS_PER_SAMPLE, PHOTOMETRIC, PLANES, SAMPLE_FORMAT, GDAL_NODATA = 258, 262, 284, 339, 42113
MAX_SAMPLE_VALUES = (341, 281)
DEEP = "more than 8 bits"
PLANES_OF_16_BITS = (
    "{name} is a TIFF with more than 8 bits a channel, one channel after the other, which is not read here. Save it as "
    "a PNG."
)
MOST = 1e37  # larger numbers stand for no data: -3.4e38 of float32 for one


Source = str | os.PathLike | Image.Image
Pictures = list[tuple[Image.Image, list[str]]]  # as RGB, each with what was changed in it


def open_pictures(request: Request, limits: Limits) -> Pictures:
    """The pictures of a request, which is validated first. Raises InvalidRequest for one that cannot be read.

    On a server they are decoded in processes of their own: see `attention.decoder_pool`.
    """
    request.validate(limits)
    several = len(request.images) > 1
    named = [(image, f"image {number}" if several else "the image") for number, image in enumerate(request.images, 1)]
    return open_named(named, limits)


def open_named(named: Sequence[tuple[Source, str]], limits: Limits) -> Pictures:
    """Pictures with what messages call them, none of them decoded before all are known to be bounded.

    What another process has handed over is not decoded again.
    """
    there = taken([image for image, _ in named])
    if there is not None:
        return there
    settings: dict[str, Any] = {
        "max_pixels": limits.image_pixels, "max_bytes": limits.picture_bytes, "formats": formats_for(limits),
    }  # fmt: skip
    decoders = in_use()
    if decoders is not None and all(isinstance(image, str | os.PathLike) for image, _ in named):
        return decoded(decoders, named, settings, lambda sizes: _check_together(sizes, limits))
    if len(named) > 1:
        for image, name in named:
            with open_picture(image, name, limits.image_pixels, limits.picture_bytes) as (file, called):
                if file is not None:
                    count_frames(file, called)
        _check_together([size_of(image, name=name, **settings) for image, name in named], limits)
    return [open_image(image, name=name, **settings) for image, name in named]


def formats_for(limits: Limits) -> tuple[str, ...]:
    """The formats that are read: of strangers none that Pillow decodes unsafely."""
    return FORMATS if limits.unsafe_formats else tuple(each for each in FORMATS if each not in UNSAFE)


def open_image(
    source: str | os.PathLike | Image.Image,
    max_pixels: int = MAX_PIXELS,
    name: str = "the image",
    max_bytes: int = MAX_PICTURE_BYTES,
    formats: Sequence[str] = FORMATS,
) -> tuple[Image.Image, list[str]]:
    """An upright RGB image without metadata, and what was changed, in words for the person who gave it.

    `source` is a path, a data: URL or a Pillow image; `name` is what the last two are called. EXIF rotation is applied;
    the first frame of an animation is taken; transparency is laid on white; CMYK, grey, palette, 16-bit and
    floating-point pictures become 8-bit RGB. Scans and frames are counted in the file, and the size is judged by the
    header, before anything is decoded.

    Raises InvalidRequest when it is no picture or is broken, LimitExceeded when it has more than `max_bytes` or
    `max_pixels`, or more scans or frames than `attention.picture_bytes` lets pass. `formats` are those that are read.
    """
    with open_picture(source, name, max_pixels, max_bytes) as (file, called):
        if file is not None:
            frames = count_frames(file, called)
            with opened(file, called, formats, max_pixels) as image:
                return _as_rgb(image, called, max_pixels, file, frames)
        assert isinstance(source, Image.Image)
        return _as_rgb(source, called, max_pixels)


def size_of(source: Source, max_pixels: int, name: str, max_bytes: int, formats: Sequence[str]) -> tuple[int, int]:
    """The width and height of a picture, of a file by its header; nothing is decoded. Raises as `open_image` does."""
    with open_picture(source, name, max_pixels, max_bytes) as (file, called):
        if file is None:
            assert isinstance(source, Image.Image)
            return source.size
        count_frames(file, called)
        with opened(file, called, formats, max_pixels) as image:
            _check_size(image.size, called, max_pixels)
            return image.size


@contextmanager
def open_picture(
    source: str | os.PathLike | Image.Image, name: str, max_pixels: int, max_bytes: int
) -> Iterator[tuple[BinaryIO | None, str]]:
    """The file of a picture, None for one that is decoded already, and what it is called.

    What is raised in the `with` is said as `_in_words` says it. Raises InvalidRequest for what is no file,
    LimitExceeded for one of more than `max_bytes`.
    """
    if isinstance(source, Image.Image):
        is_file = getattr(source, "tile", None) and getattr(source, "fp", None) and source.format in (*FORMATS, "MPO")
        with _in_words(name, max_pixels):
            yield (source.fp if is_file else None), name
        return
    if not isinstance(source, str | os.PathLike) or not str(source):
        raise InvalidRequest(f"{name[0].upper()}{name[1:]} is {quoted(source)}: neither a path nor a picture.")
    if isinstance(source, str) and is_data_url(source):
        content = _bytes_of(source, name)
        _check_bytes(len(content), name, max_bytes)
        with _in_words(name, max_pixels):
            yield io.BytesIO(content), name
        return
    name = shortened(Path(source).name)
    if "\0" in str(source):
        raise InvalidRequest(f"There is no file {shown_path(source)}: no name of one has a NUL character.")
    with _in_words(name, max_pixels):
        found = Path(source).stat()
        if not stat.S_ISREG(found.st_mode):
            what = "a directory" if stat.S_ISDIR(found.st_mode) else "no file"
            raise InvalidRequest(f"{shown_path(source)} is {what}. Give a picture's file.")
        if found.st_size == 0:
            raise InvalidRequest(f"{name} is empty (0 bytes). Give a PNG, JPEG or WebP picture.")
        _check_bytes(found.st_size, name, max_bytes)
        # by a handle: of a path Pillow maps some TIFFs into memory, and tears those that it should turn
        with open(source, "rb") as file:
            yield file, name


def _bytes_of(url: str, name: str) -> bytes:
    """The file that a data: URL holds. Raises InvalidRequest."""
    head, comma, data = url.partition(",")
    name = f"{name[0].upper()}{name[1:]}"
    if not (comma and head.lower().endswith(";base64")):
        raise InvalidRequest(f"{name} begins with {quoted(head[:100])}; it must be data:image/...;base64,...")
    if len(data) > MAX_PICTURE_CHARACTERS:
        raise LimitExceeded(
            f"{name} has {len(data):,} characters; the limit is {MAX_PICTURE_CHARACTERS:,}. Give a file."
        )
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{name} is not whole base64: {quoted(data[:40])}.") from None


@contextmanager
def _in_words(name: str, max_pixels: int) -> Iterator[None]:
    """Say of what Pillow raises in the `with` what is wrong with the picture of this name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow: pixels are judged by max_pixels, with numbers
            yield
    except AttentionError:
        raise
    except FileNotFoundError as error:
        raise InvalidRequest(f"There is no file {shown_path(error.filename)}.") from None
    except Image.DecompressionBombError:
        raise LimitExceeded(
            f"{name} has more than {max_pixels / 1e6:.0f} million pixels. Give a smaller picture."
        ) from None
    except UnidentifiedImageError:
        if name.lower().endswith(ENDINGS):
            raise InvalidRequest(f"{name} is a video, not a picture. Give it as one (--video, videos=).") from None
        raise InvalidRequest(
            f"{name} is not a picture this app reads. Give a PNG, JPEG, WebP, GIF, BMP or TIFF file."
        ) from None
    except FAILURES as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InvalidRequest(f"{name} cannot be read: {error.strerror}.") from None
        why = shortened(str(error), 200) or type(error).__name__
        raise InvalidRequest(f"{name} cannot be read: {why}. The file may be damaged or cut off.") from None


def opened(file: BinaryIO, name: str, formats: Sequence[str], max_pixels: int) -> Image.Image:
    """The picture of a file, by its header. Raises InvalidRequest for a TIFF that is not read here."""
    head = file.read(30)
    file.seek(0)
    size = webp_size(head)
    if size is not None:
        _check_size(size, name, max_pixels)
    if head.startswith(SIGNS) and "TIFF" not in formats:
        raise InvalidRequest(
            f"{name} is a TIFF. This server reads none, since Pillow {PIL.__version__} decodes some of them unsafely. "
            "Save it as a PNG."
        )
    try:
        return Image.open(file, formats=tuple(formats))
    except UnidentifiedImageError:
        if not head.startswith(TIFF_SIGNS):
            raise
        raise InvalidRequest(
            f"{name} is a TIFF of a kind that is not read here. Save it as a PNG, or as a TIFF with 8 bits a channel "
            "or one channel of 16 or 32."
        ) from None


def _check_together(sizes: Sequence[tuple[int, int]], limits: Limits) -> None:
    n_pixels = sum(width * height for width, height in sizes)
    if len(sizes) > 1 and n_pixels > limits.pixels_together:
        raise LimitExceeded(
            f"The {len(sizes)} pictures have {n_pixels / 1e6:.0f} million pixels together; the limit is "
            f"{limits.pixels_together / 1e6:.0f} million. Give fewer, or smaller ones."
        )


def _check_bytes(n_bytes: int, name: str, max_bytes: int) -> None:
    if n_bytes > max_bytes:
        raise LimitExceeded(
            f"{name} has {n_bytes:,} bytes; the limit of a picture is {max_bytes:,}. Give a smaller file."
        )


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise LimitExceeded(
            f"{name} has {width}x{height} = {width * height / 1e6:.0f} million pixels; "
            f"the limit is {max_pixels / 1e6:.0f} million. "
            "Give a smaller picture."
        )


def _as_rgb(
    image: Image.Image, name: str, max_pixels: int, file: BinaryIO | None = None, frames: int | None = None
) -> tuple[Image.Image, list[str]]:
    _check_size(image.size, name, max_pixels)
    notes = []
    if frames is None:  # Pillow walks over a GIF or a TIFF for it, which are counted already
        frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"{name} has {frames} frames; the first one is used. As a video (--video) all are read.")
        image.seek(0)
    tags = getattr(image, "tag_v2", {})
    if tags:
        _check_strips(image, name)
    has_16_bit_colours = ";16" in _raw_mode(image) and not image.mode.startswith("I")
    if "transparency" in image.info and (has_16_bit_colours or image.mode.startswith("I")):
        raise InvalidRequest(
            f"{name} has 16 bits a channel and one colour that is transparent, which is not read here. Save it with an "
            "alpha channel, or with 8 bits a channel."
        )
    if not tags:
        image.load()
        check_exif(_exif_of(image), name)  # a PNG may have it behind its pixels
    # Pillow turns a TIFF as it decodes it, unless its EXIF was looked at before: its own tags say the same
    rotation = (tags or image.getexif()).get(ORIENTATION, 1)
    image.load()
    if has_16_bit_colours:
        image, most = _of_16_bit_colours(image, name, file)
        notes.append(_reduced(name, *((most, 0) if image.mode == "CMYK" else (0, most))))
    is_signed = image.mode == "L" and _number(tags.get(SAMPLE_FORMAT)) == 2
    if rotation in range(2, 9):
        image = ImageOps.exif_transpose(image)
        notes.append(f"{name} was turned upright, as its EXIF rotation asks.")
    if is_signed or image.mode.startswith("I") or image.mode == "F":
        image, black, white, left_out = _to_8_bit(image, name, tags)
        notes.append(_reduced(name, black, white, left_out, "8 bits with a sign" if is_signed else DEEP))
    if image.mode == "CMYK" and not image.has_transparency_data:
        notes.append(f"{name} is CMYK; it was converted to RGB.")
    pixels, is_transparent = _laid_on_white(image)
    if is_transparent:
        notes.append(f"{name} is partly transparent; it was laid on white.")
    extrema = pixels.getextrema()
    if all(low == high for low, high in extrema):
        notes.append(f"{name} has one colour everywhere, {tuple(low for low, _ in extrema)}.")
    return pixels, notes


def _laid_on_white(image: Image.Image) -> tuple[Image.Image, bool]:
    """A picture's pixels as RGB, what is transparent laid on white, and whether anything is.

    A copy of the pixels alone, so that no metadata travels on; made band by band, so that the memory is that of two
    pictures.
    """
    pixels, is_transparent = Image.new("RGB", image.size), False
    for box in bands(image.size):
        band = image.crop(box)
        if image.has_transparency_data:
            band = band.convert("RGBA")
            is_transparent |= band.getextrema()[3][0] < 255
            band = Image.alpha_composite(Image.new("RGBA", band.size, "white"), band)
        pixels.paste(band.convert("RGB"), box[:2])
    return pixels, is_transparent


def _exif_of(image: Image.Image) -> bytes:
    """The Exif data that Pillow would read, also where a PNG has them in hexadecimal digits, as ImageMagick writes."""
    if isinstance(image.info.get("exif"), bytes):
        return image.info["exif"]
    written = image.info.get("Raw profile type exif")
    return bytes.fromhex("".join(written.split("\n")[3:])) if written else b""


def _reduced(name: str, black: float, white: float, left_out: int = 0, kind: str = DEEP) -> str:
    how = f"{black:g} is black, {white:g} is white"
    how += f"; {left_out:,} pixel{'s' * (left_out != 1)} without data became black" * bool(left_out)
    return f"{name} has {kind} a channel; it was reduced to 8: {how}."


def _check_strips(image: Image.Image, name: str) -> None:
    """Raise InvalidRequest for a TIFF of which Pillow would leave a part black, take two bytes for two pixels, or
    decode the same pixels again and again.
    """
    codec = image.tile[0][0] if getattr(image, "tile", None) else "libtiff"
    if codec == "libtiff":
        return
    has_planes = image.tag_v2.get(PLANES, 1) == 2
    bits = image.tag_v2.get(BITS_PER_SAMPLE, (1,))
    if has_planes and max(bits if isinstance(bits, tuple) else (bits,)) > 8:
        raise InvalidRequest(PLANES_OF_16_BITS.format(name=name))
    there = sum((right - left) * (lower - upper) for _, (left, upper, right, lower), *_ in image.tile)
    due = image.width * image.height * (len(image.getbands()) if has_planes else 1)
    if there < due:
        raise InvalidRequest(f"{name} cannot be read: it holds {there:,} of {due:,} pixels. The file may be cut off.")
    if there > MAX_STRIPS_OVER * due:  # each is decoded, also where they lie on each other
        raise LimitExceeded(
            f"{name} has strips of {there:,} pixels; the limit is {MAX_STRIPS_OVER} times the {due:,} that it has. "
            "Save it as a PNG."
        )


def _raw_mode(image: Image.Image) -> str:
    """The form of pixels in a file that is not decoded yet, as Pillow calls it: RGB;16B for one."""
    tile = next(iter(getattr(image, "tile", ())), None)
    mode = tile[3] if tile else ""
    mode = mode[0] if isinstance(mode, tuple) and mode else mode
    return mode if isinstance(mode, str) else ""


def _of_16_bit_colours(image: Image.Image, name: str, file: BinaryIO | None) -> tuple[Image.Image, int]:
    """Colours of 16 bits, of which Pillow has kept the upper eight, and the value that 255 stands for.

    Where all are below 4,096 they are taken for 12 bits: then it decodes the lower eight as well, told that the bytes
    are the other way round.
    """
    of_colours = [band not in ("A", "a") for band in image.getbands()]
    extrema = image.getextrema()
    if max(high for (_, high), is_colour in zip(extrema, of_colours, strict=True) if is_colour) >= 16 or file is None:
        return image, 65535
    file.seek(0)
    with Image.open(file, formats=FORMATS) as again:
        if getattr(again, "tag_v2", {}).get(PLANES, 1) == 2:
            raise InvalidRequest(PLANES_OF_16_BITS.format(name=name))
        raw = _raw_mode(again)
        is_big = raw.endswith("B") or (raw.endswith("N") and sys.byteorder == "big")
        other = raw[:-1] + ("L" if is_big else "B")
        again.tile = [
            tile._replace(args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other)
            for tile in again.tile
        ]
        again.load()
        reduced = Image.new(image.mode, image.size)
        for box in bands(image.size):
            upper = np.asarray(image.crop(box))
            values = upper.astype(np.float32) * 256 + np.asarray(again.crop(box))
            scaled = np.clip(np.rint(values / 4095 * 255), 0, 255).astype(np.uint8)
            reduced.paste(Image.fromarray(np.where(of_colours, scaled, upper), image.mode), box[:2])
    return reduced, 4095


def _to_8_bit(image: Image.Image, name: str, tags) -> tuple[Image.Image, float, float, int]:
    """A one-channel picture of other numbers as 8-bit grey: (picture, what became black, white, how many no data).

    Floating-point numbers within 0..1 or 0..255 are taken for that range, others by their own; whole ones by the file's
    sample values, else as 12 bits where all are below 4,096, else as 16 (32 bits that hold 8 as these). What stands for
    no data becomes black. `tags` are a TIFF's.
    """
    is_unsigned = image.mode == "I" and _number(tags.get(SAMPLE_FORMAT, 1 if tags else 2)) == 1
    no_data = _number(tags.get(GDAL_NODATA))

    def numbers(box: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        values = np.asarray(image.crop(box))
        if is_unsigned:
            values = values.view(np.uint32)  # Pillow knows no others of 32 bits than with a sign
        elif image.mode == "L":
            values = values.view(np.int8)  # nor of 8 bits than without
        values = values.astype(np.float64)
        is_data = np.isfinite(values) & (np.abs(values) < MOST)
        return values, is_data if no_data is None else is_data & (values != no_data)

    low, high, n_data = np.inf, -np.inf, 0
    for box in bands(image.size):
        values, is_data = numbers(box)
        if is_data.any():
            low, high = min(low, float(values[is_data].min())), max(high, float(values[is_data].max()))
            n_data += int(np.count_nonzero(is_data))
    if not n_data:
        raise InvalidRequest(f"{name} has no pixel with a number (NaN, infinity or no data everywhere).")
    if image.mode == "F":
        if low >= 0 and high <= 255:
            low, high = 0.0, 1.0 if high <= 1 else 255.0
    elif low >= 0 and high <= 65535:
        low, high = 0.0, _largest_sample(tags, high) or _range_of(image.mode, high)
    black, white = (high, low) if tags.get(PHOTOMETRIC) == 0 else (low, high)
    grey = Image.new("L", image.size)
    for box in bands(image.size):
        values, is_data = numbers(box)
        scaled = np.where(is_data, (values - black) / (white - black or 1.0) * 255, 0)
        grey.paste(Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8)), box[:2])
    return grey, black, white, image.width * image.height - n_data


def _range_of(mode: str, highest: float) -> float:
    """The largest value of whole numbers of which the file says no more."""
    if mode in ("I", "L") and highest <= 255:
        return 255.0
    return 4095.0 if highest < 4096 else 65535.0


def _largest_sample(tags, highest: float) -> float | None:
    """The largest value that a TIFF says its whole numbers have; None where it says no more than their size.

    What it says is nothing where there are larger ones.
    """
    said = next((_number(tags[tag]) for tag in MAX_SAMPLE_VALUES if tag in tags), None)
    bits = _number(tags.get(BITS_PER_SAMPLE))
    if said is None and bits is not None and 8 < bits < 16:
        said = 2**bits - 1
    return said if said and said >= max(highest, 1) else None


def _number(value) -> float | None:
    """A number of a TIFF's tag, which may be a text or one of several."""
    try:
        return float(value[0] if isinstance(value, tuple) else value)
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
