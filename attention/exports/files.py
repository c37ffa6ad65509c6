"""New files and folders for exports: whole or not at all.

What is written lies beside its place until it is complete, and is renamed then. Knows no run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from attention.errors import InvalidRequest, words_for


class Folder(Protocol):
    """A folder that may be zipped: a run, or several that belong together."""

    folder: Path
    info: dict


def refuse_inside(run: Folder, path: Path, what: str = "run") -> None:
    """Refuse to write into what is exported. Raises InvalidRequest."""
    if path.resolve().is_relative_to(run.folder.resolve()):
        raise InvalidRequest(
            f"{path} lies inside the {what}, which never changes once it is written. Name another place."
        )


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A place to write a file, which takes the name `path` once it is complete, replacing what was there."""
    with _renamed(path) as beside:
        if path.is_dir():
            raise InvalidRequest(f"{path} is a folder; name a file.")
        yield beside


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A place to write a folder, which takes the name `path`, free or an empty folder, once it is complete."""
    with _renamed(path) as beside:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InvalidRequest(f"{path} is not empty. This format is a folder: name one that does not exist yet.")
        beside.mkdir()
        yield beside
        if path.is_dir():
            path.rmdir()  # Windows does not rename onto it


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    beside = path.absolute().with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        beside.replace(path)
    except OSError as error:
        _remove(beside)
        raise InvalidRequest(
            words_for(error, path.name) or f"{path} cannot be written: {error.strerror or error}. Name another place."
        ) from None
    except BaseException:
        _remove(beside)
        raise


def _remove(path: Path) -> None:
    """Remove a file or folder that may have been written in part, or not at all."""
    try:
        path.unlink()
    except OSError:
        shutil.rmtree(path, ignore_errors=True)
