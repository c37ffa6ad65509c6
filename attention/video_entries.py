"""The video that an entry of a chat names: {"type": "video", "video": a file, a folder of frames, or a list of frames}.

What is not known here is refused: an entry that is read in part would be another video than it names. Knows nothing of
models, and opens no file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from attention.errors import InvalidRequest, quoted, shortened

from .image_entries import picture_of
from .picture_arrays import is_array, picture_of_array

TYPE = "video"
SOURCES = ("video", "path", "url")  # one of them names it; without one it is the next that was given
SETTINGS = ("fps", "max_frames")  # of one video, before those of the request
ENDINGS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ogv", ".wmv", ".flv", ".3gp")
MAX_FPS = 1000

Source = str | os.PathLike | tuple  # a file or a folder, or frames: paths, data: URLs or Pillow images


def as_sources(videos: Any) -> tuple[Source, ...]:
    """The videos of a request, each a path or a tuple of frames; one alone needs no list. Raises InvalidRequest."""
    if isinstance(videos, str | os.PathLike) or is_array(videos):
        videos = (videos,)
    if videos is not None and not isinstance(videos, Iterable):
        raise InvalidRequest(f"videos is {quoted(videos)}; it must be a list of files, folders or lists of frames.")
    return tuple(_of_arrays(video, f"video {number}") for number, video in enumerate(videos or (), 1))


def _of_arrays(video: Any, name: str) -> Source:
    """A video whose frames may be arrays, or one array of them all (its first axis), as Request has it."""
    if is_array(video) and len(video.shape) != 4:
        raise InvalidRequest(
            f"{name[0].upper()}{name[1:]} is an array of {len(video.shape)} axes; frames in one array have four: "
            "frames, rows, columns, channels (of a tensor: frames, channels, rows, columns)."
        )
    if not isinstance(video, list | tuple) and not is_array(video):
        return video
    return tuple(
        picture_of_array(frame, f"Frame {number} of {name}") if is_array(frame) else frame
        for number, frame in enumerate(video, 1)
    )


def one_video(files: Any) -> tuple[Source, ...]:
    """The video that one file is, or that several pictures are together, as a request has it; none of none.

    Several of which one is a video's file are each a video.
    """
    files = [files] if isinstance(files, str | os.PathLike) else list(files or ())
    is_frames = len(files) > 1 and not any(str(file).lower().endswith(ENDINGS) for file in files)
    return (tuple(files),) if is_frames else tuple(files)


def checked_settings(settings: dict[str, Any], who: str) -> dict[str, Any]:
    """fps and max_frames as they were given. Raises InvalidRequest, which begins with `who`."""
    fps, most = settings.get("fps"), settings.get("max_frames")
    if fps is not None and (isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= MAX_FPS):
        raise InvalidRequest(f"{who} fps {quoted(fps)}; frames per second are a number above 0, up to {MAX_FPS:,}.")
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or not 2 <= most <= 10_000):
        raise InvalidRequest(f"{who} max_frames {quoted(most)}; it is a whole number from 2 to 10,000.")
    return settings


def resolved(entry: dict, who: str, folder: Path | None = None) -> dict[str, Any]:
    """A video entry with its source under `video`, where it names one (a relative path starts at `folder`).

    Raises InvalidRequest, whose message begins with `who`, for what is not read here.
    """
    said = {key: value for key, value in entry.items() if value is not None and key != "type"}
    settings = checked_settings(
        {key: said.pop(key) for key in SETTINGS if key in said}, f"{who} has a video entry with"
    )
    if unknown := [key for key in said if key not in SOURCES]:
        raise InvalidRequest(
            f"{who} has a video entry with {quoted(unknown[0])}, which is not read here. A video is named by one of "
            f"{', '.join(SOURCES)}; {' and '.join(SETTINGS)} say what is read of it."
        )
    if len(said) > 1:
        raise InvalidRequest(f"{who} has a video entry that names a video by {' and '.join(said)}. Leave one.")
    if not said:
        return {"type": TYPE, **settings}
    ((_, source),) = said.items()
    return {"type": TYPE, "video": _source(source, who, folder), **settings}


def gather_videos(messages: list[dict[str, Any]], videos: tuple[Source, ...]) -> tuple[list[dict], tuple[Source, ...]]:
    """Messages with video entries emptied but for their settings, and all videos in the order of those entries.

    An entry that names none takes the next of `videos`. Raises InvalidRequest for those that no entry takes.
    """
    given, taken, result = iter(videos), [], []
    for number, message in enumerate(messages, 1):
        entries = []
        for entry in message["content"]:
            if entry["type"] == TYPE:
                source = entry.get("video") or next(given, None)
                if source is None:
                    raise InvalidRequest(f"Message {number} has a video entry for which no video was given.")
                taken.append(source)
            entries.append({key: value for key, value in entry.items() if key != "video" or entry["type"] != TYPE})
        result.append({**message, "content": entries})
    left = len(list(given))
    if left:
        raise InvalidRequest(f"{left} of the videos given are taken by no video entry of the messages.")
    return result, tuple(taken)


def _source(source: Any, who: str, folder: Path | None) -> Source:
    if is_array(source):
        source = _of_arrays(source, "its video")
    if isinstance(source, list | tuple):
        if not source:
            raise InvalidRequest(f"{who} has a video entry with no frames. Give two at least.")
        return tuple(_frame(frame, who, folder) for frame in source)
    if not isinstance(source, str | os.PathLike) or not str(source).strip():
        raise InvalidRequest(f"{who} has a video entry whose video is {quoted(source)}: neither a path nor frames.")
    found = _frame(source, who, folder)
    assert not isinstance(found, Image.Image)  # it was a path
    return found


def _frame(source: Any, who: str, folder: Path | None) -> str | os.PathLike | Image.Image:
    """A file, or a frame in any form that a picture may have in a chat."""
    if isinstance(source, str) and "://" in source and source[:5].lower() not in ("file:", "data:"):
        raise InvalidRequest(
            f"{who} names a video by the address {shortened(source)}; addresses are not read. Give a file."
        )
    found, _ = picture_of({"type": "image", "image": source}, who, folder)
    assert found is not None  # it was given
    return found
