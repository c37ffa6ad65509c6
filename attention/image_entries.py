"""The picture that an image entry of a chat names: the forms that people write, and what of them is not read.

Owns the one table of these forms, for page, client, command line and Python. What it does not know it refuses: an entry
that is read in part would show another picture than it names. Knows nothing of models.
"""

from __future__ import annotations

import os
import re
import urllib.request
from pathlib import Path
from typing import Any

from PIL import Image

from attention.errors import InvalidRequest, quoted, shortened

from .limits import MAX_PIXELS
from .picture_arrays import is_array, picture_of_array

TYPES = ("image", "image_url")
SOURCES = ("image", "path", "url", "image_url", "base64")  # one of them names the picture; without one it is the next
SIZES = ("min_pixels", "max_pixels")  # what some families' processors take for each picture
OTHER_SIZES = ("resized_height", "resized_width")  # what is done before a processor, by a package of Qwen's
# base64 of a PNG, JPEG, GIF, WebP or TIFF, which transformers takes under any of the names; no path is like it
WRITTEN = re.compile(r"(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR|SUkq|TU0AK)[A-Za-z0-9+/\s]{60,}={0,2}\s*")


def picture_of(
    entry: dict, who: str, folder: Path | None = None
) -> tuple[str | os.PathLike | Image.Image | None, dict[str, int]]:
    """The picture that an entry names, and its limits of size: {min_pixels, max_pixels}, as far as it says them.

    It names a file (a relative path starts at `folder`), holds a Pillow image, an array or a data: URL, or takes the
    next picture that was given: None. `who` begins the message of the InvalidRequest that is raised for an entry that
    names two pictures, an address of the network, or says what is not read here.
    """
    said = {key: value for key, value in entry.items() if value is not None and key != "type"}
    sizes = {key: said.pop(key) for key in SIZES if key in said}
    _check_sizes(sizes, who)
    if other := [key for key in OTHER_SIZES if key in said]:
        raise InvalidRequest(
            f"{who} has an image entry with {other[0]}, which is not read here. Remove it, and set the tokens of a "
            "picture with max_visual_tokens (--max-visual-tokens)."
        )
    if unknown := [key for key in said if key not in SOURCES]:
        raise InvalidRequest(
            f"{who} has an image entry with {quoted(unknown[0])}, which is not known here. A picture is named by "
            f"one of {', '.join(SOURCES)}."
        )
    if len(said) > 1:
        raise InvalidRequest(f"{who} has an image entry that names a picture by {' and '.join(said)}. Leave one.")
    if not said:
        return None, sizes
    ((key, source),) = said.items()
    return _source(key, source, who, folder), sizes


def _source(key: str, source: Any, who: str, folder: Path | None) -> str | os.PathLike | Image.Image:
    if isinstance(source, dict) and "url" in source:  # as chats for OpenAI's models have it
        if source.get("detail") not in (None, "auto"):
            raise InvalidRequest(
                f"{who} has an image entry with detail {quoted(source['detail'])}, which is not read here. Remove it, "
                "and set the tokens of a picture with max_visual_tokens (--max-visual-tokens)."
            )
        if not set(source) - {"url", "detail"}:
            source = source["url"]
    if isinstance(source, Image.Image):
        return source
    if is_array(source):
        return picture_of_array(source, f"{who} has an image entry that")
    if not isinstance(source, str | os.PathLike) or not str(source).strip():
        raise InvalidRequest(
            f"{who} has an image entry whose {key} is {quoted(source)}: that is neither a path nor a picture."
        )
    if isinstance(source, str):
        if is_data_url(source):
            return source
        if key == "base64" or WRITTEN.fullmatch(source):
            return f"data:;base64,{source}"
        if source[:5].lower() == "file:":
            source = _local(source, who)
        elif "://" in source:
            raise InvalidRequest(
                f"{who} names a picture by the address {shortened(source)}; addresses are not read. Give a file."
            )
    return source if folder is None else folder / source


def _check_sizes(sizes: dict[str, Any], who: str) -> None:
    for key, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_PIXELS:
            raise InvalidRequest(
                f"{who} has an image entry whose {key} is {quoted(value)}; it must be a whole number from 1 to "
                f"{MAX_PIXELS:,}."
            )
    if sizes.get("min_pixels", 0) > sizes.get("max_pixels", MAX_PIXELS):
        raise InvalidRequest(
            f"{who} has an image entry whose min_pixels, {sizes['min_pixels']:,}, are more than its max_pixels, "
            f"{sizes['max_pixels']:,}."
        )


def _local(source: str, who: str) -> Path:
    """The path of a file: URL. What follows is the path as it is: a name may have the signs of a query."""
    rest = source[5:]
    if rest.startswith("//"):
        computer, slash, path = rest[2:].partition("/")
        if computer.lower() not in ("", "localhost"):
            raise InvalidRequest(
                f"{who} names a picture by {shortened(source)}, which is on another computer, {shortened(computer)}. "
                "Give a path, or file:/// and a whole path."
            )
        rest = slash + path
    return Path(urllib.request.url2pathname(rest))


def is_data_url(source: str | os.PathLike) -> bool:
    """True for a picture written as text, data:image/...;base64,..., which is no path."""
    return isinstance(source, str) and source[:5].lower() == "data:"
