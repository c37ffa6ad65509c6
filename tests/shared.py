"""Costly things that are never changed: made once in a test session, by whichever worker asks first."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

ROOT = "ATTENTION_TEST_SESSION"  # the folder of this session, which the first process names for all of its workers


def once(name: str, make: Callable[[Path], object]) -> Path:
    """The folder of this name, which `make(folder)` has written. Not to be changed: copy it first."""
    folder = Path(os.environ[ROOT]) / name
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = folder.with_name(f"{name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(folder)
    return folder
