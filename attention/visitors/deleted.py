"""Deleted folders that wait beside the others, in `.deleted`, in case somebody wants one back: for an hour.

Knows folders and times alone, and that a run's readings go with it. Of `.deleted` only what this module put there is
ever removed.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from pathlib import Path

from attention.errors import InvalidRequest, shown_path
from attention.readings.reading import readings_beside

BIN = ".deleted"
KEPT_SECONDS = 3600
PLACE = re.compile(r"(\d{9,11})-[0-9a-f]{8}")  # when a folder came here, and what tells it from others


def set_aside(folder: Path, place: Path) -> Path:
    """Move a folder into the `.deleted` of a place; return where it is now. Raises OSError, and then moves nothing."""
    own = place / BIN / f"{int(time.time())}-{secrets.token_hex(4)}"
    own.mkdir(parents=True, mode=0o700)
    try:
        aside = folder.rename(own / folder.name)
    except OSError:
        _remove_empty(own)
        raise
    _move(readings_beside(folder), readings_beside(aside))
    return aside


def put_back(aside: Path, folder: Path) -> None:
    """Undo `set_aside`. Raises InvalidRequest where the folder is gone for good, or something took its place."""
    if not aside.exists():
        raise InvalidRequest("This was deleted more than an hour ago: it cannot be brought back.")
    if folder.exists():
        raise InvalidRequest(f"There is another folder at {shown_path(folder)}: move it, and try again.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside.rename(folder)
    _move(readings_beside(aside), readings_beside(folder))
    _remove_empty(aside.parent)


def purge(place: Path) -> None:
    """Remove for good what has been in the `.deleted` of a place for an hour."""
    try:
        found = list((place / BIN).iterdir())
    except OSError:
        return
    for own in found:
        when = PLACE.fullmatch(own.name)
        if when and int(when[1]) + KEPT_SECONDS <= time.time():
            shutil.rmtree(own, ignore_errors=True)
    _remove_empty(place / BIN)


def _move(readings: Path, place: Path) -> None:
    """Readings after their run; where they cannot be moved they go, since they can be made again."""
    try:
        readings.rename(place)
    except FileNotFoundError:
        pass
    except OSError:
        shutil.rmtree(readings, ignore_errors=True)


def _remove_empty(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return  # something is in it
