"""A reading of a run: a folder beside the run's, with layer files and an index of its own.

    <run>.readings/<name>/reading.json
    <run>.readings/<name>/language/layer_00.safetensors

Owns where readings lie and the check that one belongs to its run. A run is immutable: what is asked later, and about
other tokens, lies beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from attention.errors import DamagedRun, NotInRun, quoted
from attention.runs.checks.json_fields import parse_json
from attention.runs.layer_file import LayerFile
from attention.runs.run import Run

FORMAT = 1
INDEX = "reading.json"
SUFFIX = ".readings"


def readings_folder(run: Run) -> Path:
    """The folder in which readings of this run lie."""
    return readings_beside(run.folder)


def readings_beside(folder: Path) -> Path:
    """The same, by the run's folder."""
    return folder.with_name(folder.name + SUFFIX)


class Reading:
    """One finished reading of a run; `info` is the content of reading.json. Raises DamagedRun for what is none."""

    kind = ""

    def __init__(self, run: Run, folder: Path):
        self.run, self.folder = run, folder
        try:
            self.info: dict[str, Any] = parse_json((folder / INDEX).read_bytes())
        except (OSError, ValueError) as error:
            raise DamagedRun(f"{INDEX} in {folder.name} cannot be read: {error}.") from None
        if not isinstance(self.info, dict) or self.info.get("format") != FORMAT or self.info.get("kind") != self.kind:
            raise DamagedRun(f"{folder.name} is no {self.kind} that this version reads.")
        if self.info.get("run") != run.info["id"]:
            raise DamagedRun(f"{folder.name} was made of another run than the one beside it.")

    def layers(self, tower: str = "language") -> list[int]:
        """The layers that it has of a tower, ascending."""
        try:
            return [layer["index"] for layer in self.info["towers"][tower]["layers"]]
        except (KeyError, TypeError):
            has = ", ".join(self.info["towers"])
            raise NotInRun(f"This {self.kind} has no tower {quoted(tower)}; it has {has}.") from None

    def _read(self, layer: int, tower: str) -> dict[str, np.ndarray]:
        """All tensors of a layer."""
        for record in self.info["towers"][tower]["layers"] if layer in self.layers(tower) else ():
            if record["index"] == layer:
                with LayerFile(self.folder / record["file"]) as file:
                    return {name: file.read(name) for name in file.names()}
        raise NotInRun(f"This {self.kind} has no layer {quoted(layer)} in its {tower} tower.")
