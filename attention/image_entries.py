"""The picture that an image entry of a chat names: the forms that people write, and what of them is not read.

Owns the one table of these forms, for page, client, command line and Python. What it does not know it refuses: an entry
that is read in part would show another picture than it names. Knows nothing of models.
"""

from __future__ import annotations

import base64
import binascii
import os
import urllib.parse
import urllib.request
from pathlib import Path

from PIL import Image

from .errors import InvalidRequest, quoted, shortened
from .images import decoded

TYPES = ("image", "image_url")
SOURCES = ("image", "path", "url", "image_url", "base64")  # one of them names the picture; without one it is the next
SIZES = ("min_pixels", "max_pixels", "resized_height", "resized_width")
MAX_CHARACTERS = 100_000_000  # of a picture that is written into the chat


def picture_of(entry: dict, who: str, folder: Path | None = None) -> str | Path | Image.Image | None:
    """The file that an entry names, or the picture that it holds; None where it takes the next that was given.

    A relative path starts at `folder`. `who` begins the message of the InvalidRequest that is raised for an entry that
    names two pictures, an address of the network, or says what is not read here.
    """
    said = {key: value for key, value in entry.items() if value is not None and key != "type"}
    if sizes := [key for key in SIZES if key in said]:
        raise InvalidRequest(
            f"{who} has an image entry with {sizes[0]}, which is not read here. Remove it, and set the tokens of a "
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
        return None
    ((key, source),) = said.items()
    if isinstance(source, dict) and set(source) == {"url"}:  # as chats for OpenAI's models have it
        source = source["url"]
    if isinstance(source, Image.Image):
        return source
    if not isinstance(source, str | os.PathLike) or not str(source):
        raise InvalidRequest(
            f"{who} has an image entry whose {key} is {quoted(source)}: that is neither a path nor a picture."
        )
    if isinstance(source, str):
        if key == "base64" or source.startswith("data:"):
            return _written(source, f"The picture in {who[0].lower()}{who[1:]}")
        if source.startswith("file:"):
            return _local(source, who)
        if "://" in source:
            raise InvalidRequest(
                f"{who} names a picture by the address {shortened(source)}; addresses are not read. Give a file."
            )
    return source if folder is None else folder / source


def _written(source: str, name: str) -> Image.Image:
    """The picture of a data: URL, or of base64 alone."""
    head, comma, data = source.partition(",")
    if source.startswith("data:") and not (comma and head.endswith(";base64")):
        raise InvalidRequest(f"{name} begins with {quoted(head[:100])}; it must be data:image/...;base64,...")
    data = data if comma else source
    if len(data) > MAX_CHARACTERS:
        raise InvalidRequest(f"{name} has {len(data):,} characters; the limit is {MAX_CHARACTERS:,}. Give a file.")
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{name} is not whole base64: {quoted(data[:40])}.") from None
    return decoded(content, name)


def _local(source: str, who: str) -> Path:
    parts = urllib.parse.urlsplit(source)
    if parts.netloc not in ("", "localhost"):
        raise InvalidRequest(
            f"{who} names a picture on another computer, {shortened(source)}. Give a file of this one."
        )
    return Path(urllib.request.url2pathname(parts.path))
