"""A run in a temporary folder of its own, which goes when the run does, unless it is kept.

Owns the life of that folder. Needs NumPy alone, as every reader.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from attention.errors import NotInRun

from .layer_file import LayerFile
from .partial import PartialRun
from .run import Run


def temporary_place() -> Path:
    """A place for a run, in a new folder below the system's for temporary files; `TemporaryRun` removes that folder."""
    return Path(tempfile.mkdtemp(prefix="attention-run-")) / "run"


class TemporaryRun(Run):
    """A run at a `temporary_place`. The folder is removed when the run is closed, or is no longer used by anybody."""

    def __init__(self, folder: str | os.PathLike[str]):
        super().__init__(folder)
        self._remove = weakref.finalize(self, _remove, self.folder.parent, self._files, os.getpid())

    def close(self) -> None:
        """Close every file, and remove the folder. The run may not be used again: `keep` it before."""
        super().close()
        self._remove()

    def keep(self, folder: str | os.PathLike[str]) -> Run:
        """Copy the run to a folder that stays, which must not exist yet, and open it there."""
        if not self._remove.alive:
            raise NotInRun("This run was closed, and its temporary folder went with it. Keep it before.")
        partial = PartialRun.create(folder)
        try:
            shutil.copytree(self.folder, partial.folder, dirs_exist_ok=True)
            return Run(partial.commit(self.info))
        except BaseException:
            partial.discard()
            raise

    def _file(self, layer: int, tower: str) -> LayerFile:
        if not self._remove.alive:
            raise NotInRun("This run was closed, and its temporary folder went with it. Read it before.")
        return super()._file(layer, tower)


def _remove(folder: Path, files: dict[Any, LayerFile], owner: int) -> None:
    if os.getpid() != owner:  # the end of a forked worker is not the run's
        return
    for file in list(files.values()):  # Windows removes no file that is open
        file.close()
    shutil.rmtree(folder, ignore_errors=True)
