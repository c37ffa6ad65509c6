"""Fields of a request as they are sent: which files of this machine they name, and which they may not name."""

from __future__ import annotations

import os
from typing import Any

from attention.errors import InvalidRequest
from attention.image_entries import TYPES, is_data_url, picture_of
from attention.video_entries import TYPE as VIDEO
from attention.video_entries import resolved


def files_of(fields: dict) -> list[str]:
    """Paths of the pictures and videos in a request's fields, as far as there are any; a run's is its folder."""
    found: list[str] = []
    left = [fields.get("images"), fields.get("videos")]
    while left:
        each = left.pop()
        if isinstance(each, str | os.PathLike):
            found.append(str(each))
        elif isinstance(each, list | tuple):
            left.extend(each)
    return found


def refuse_paths(messages: Any) -> None:
    """Raise InvalidRequest for a chat sent over HTTP that names a file of this machine.

    Its pictures and videos are uploaded, in order; pictures and frames may be written into it.
    """
    for number, message in enumerate(messages if isinstance(messages, list) else (), 1):
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("type") in TYPES:
                source, _ = picture_of(part, f"Message {number}")
                if source is not None and not (isinstance(source, str) and is_data_url(source)):
                    raise InvalidRequest(
                        f"Message {number} names a picture by a path; paths are not read here. Upload the picture and "
                        'leave {"type": "image"}, which takes the next uploaded one, or write it as a data: URL.'
                    )
            elif isinstance(part, dict) and part.get("type") == VIDEO:
                source = resolved(part, f"Message {number}").get("video", ())
                if not isinstance(source, tuple) or not all(
                    isinstance(one, str) and is_data_url(one) for one in source
                ):
                    raise InvalidRequest(
                        f"Message {number} names a video by a path; paths are not read here. Upload the video and "
                        'leave {"type": "video"}, which takes the uploaded one.'
                    )
