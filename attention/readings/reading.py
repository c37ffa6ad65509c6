"""A reading of a run: a folder beside the run's, with layer files and an index of its own.

    <run>.readings/<name>/reading.json
    <run>.readings/<name>/language/layer_00.safetensors

Owns where readings lie and the check that one belongs to its run. A run is immutable: what is asked later, and about
other tokens, lies beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from attention.errors import DamagedReading, DamagedRun, InvalidRequest, NotInRun, quoted, shortened
from attention.limits import MAX_INDEX_BYTES, MAX_NAME
from attention.runs.array_cache import ArrayCache
from attention.runs.checks.json_fields import Fields, parse_json
from attention.runs.checks.tensor_header import read_header
from attention.runs.layer_file import LayerFile
from attention.runs.run import Run

from .target import Target

FORMAT = 1
INDEX = "reading.json"
SUFFIX = ".readings"
FLOATS = ("F32", "BF16")  # of values and pulls


def check_asked_again(run: Run, about: Sequence[str] | None = None) -> None:
    """Raise InvalidRequest for a run whose model is not asked again: of it nothing can be computed anew.

    `about` are the towers that the question is about, by default all of the run's.
    """
    towers = {name: run.info["towers"][name] for name in about or run.info["towers"]}
    parts = [name for name, tower in towers.items() if "query_tokens" in tower]
    if parts:
        raise InvalidRequest(
            f"Only some tokens of this run have rows in its {', '.join(parts)} tower{'s' * (len(parts) > 1)}: of a "
            "model with an encoder or a resampler what rows read is kept, and nothing is computed anew."
        )


def readings_folder(run: Run) -> Path:
    """The folder in which readings of this run are kept: beside it, or where its keeper has said."""
    return run.readings_at or readings_beside(run.folder)


def readings_folders(run: Run) -> list[Path]:
    """The folders in which its readings may lie: that one, and the one beside it, as of a run that came with some."""
    return list(dict.fromkeys([readings_folder(run), readings_beside(run.folder)]))


def place_of(run: Run, name: str) -> Path:
    """The folder of a reading by its name: where it lies, or where it is to be made."""
    places = [folder / name for folder in readings_folders(run)]
    return next((place for place in places if (place / INDEX).is_file()), places[0])


def readings_beside(folder: Path) -> Path:
    """The same, by the run's folder."""
    return folder.with_name(folder.name + SUFFIX)


def index_of(folder: Path) -> dict[str, Any]:
    """The content of a reading's index. Raises DamagedReading for what is none."""
    try:
        with open(folder / INDEX, "rb") as file:
            content = file.read(MAX_INDEX_BYTES + 1)
        if len(content) > MAX_INDEX_BYTES:
            raise ValueError(f"it has more than {MAX_INDEX_BYTES:,} bytes")
        info = parse_json(content)
    except (OSError, ValueError) as error:
        raise DamagedReading(f"{INDEX} in {folder.name} cannot be read: {shortened(str(error), 200)}.") from None
    if not isinstance(info, dict):
        raise DamagedReading(f"{INDEX} in {folder.name} is no object.")
    return info


class Reading:
    """One finished reading of a run; `info` is the content of reading.json. Raises DamagedReading for what is none."""

    kind = ""

    def __init__(self, run: Run, folder: Path):
        self.run, self.folder = run, folder
        self.info = index_of(folder)
        if self.info.get("format") != FORMAT or self.info.get("kind") != self.kind:
            raise DamagedReading(f"{folder.name} is no {self.kind} that this version reads.")
        if self.info.get("run") != run.info["id"]:
            raise DamagedReading(f"{folder.name} was made of another run than the one beside it.")
        fields = Fields(f"{INDEX} in {folder.name}")
        try:
            fields.plain(self.info)
            fields.text(self.info.get("created", ""), "created", MAX_NAME)
            fields.number(self.info.get("bytes", 0), "bytes", least=0)
            fields.number(self.info.get("seconds"), "seconds", optional=True)
            self._check()
        except DamagedRun as error:
            raise DamagedReading(str(error)) from None
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, InvalidRequest) as error:
            why = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise DamagedReading(f"{INDEX} in {folder.name} is damaged ({shortened(why)}). Remove it.") from None
        self._kept: tuple[tuple[int, str], dict[str, np.ndarray]] | None = None

    def _check(self) -> None:
        """Raise ValueError for an index that does not fit the run: other towers, layers or files than it has."""
        for name, tower in self.info["towers"].items():
            if name not in self.run.towers():
                raise ValueError(f"the run has no tower {quoted(name)}")
            indices = [layer["index"] for layer in tower["layers"]]
            if indices != self.run.layers(name):
                raise ValueError(f"layers of the {name} tower are not the run's")
            for layer in tower["layers"]:
                if layer["file"] != layer_file(name, layer["index"]):
                    raise ValueError(f"layer {layer['index']} is in {quoted(layer['file'])}")

    @property
    def own_name(self) -> str:
        """The name that its folder has by what was asked."""
        raise NotImplementedError

    def files(self) -> list[str]:
        """The files that belong to it, beside its index."""
        return [layer_file(tower, layer) for tower in self.info["towers"] for layer in self.layers(tower)]

    def check_whole(self) -> None:
        """Look at all that reading it relies on; asked of what somebody else made. Raises DamagedRun."""
        if self.folder.name != self.own_name:
            raise DamagedReading(
                f"{INDEX} in {self.folder.name} is damaged: it is of another question than its name says."
            )
        try:
            for name in self.files():
                read_header(self.folder, name, "reading")
        except DamagedRun as error:
            raise DamagedReading(str(error)) from None
        self._check_files()

    def _check_files(self) -> None:
        """Raise DamagedRun for a file that does not fit the index and the run."""
        for tower in self.info["towers"]:
            for layer in self.layers(tower):
                with self._opened(layer, tower) as file:
                    self._check_fit(layer, tower, {name: file.shape(name) for name in self._shapes(tower)})

    @property
    def target(self) -> Target:
        """The target that it is of; of a kind that has none nobody asks for it."""
        return Target(tuple(self.info["target"]["tokens"]), self.info["target"]["against"])

    def _check_target(self) -> None:
        """Raise ValueError for a target that is not of this run's answer, or not as it is written."""
        if Target.of(self.run, **self.info["target"]).to_dict() != self.info["target"]:
            raise ValueError(f"its target is {quoted(self.info['target'])}")

    def _shapes(self, tower: str) -> dict[str, tuple[int | None, ...]]:
        """The shape of each tensor of a layer; None is a size that the run does not know."""
        raise NotImplementedError

    def asked_for(self, target: Target, towers: Sequence[str] | None = None) -> Self:
        """The same reading. Raises InvalidRequest where it is of another target, or of other towers."""
        if self.info["target"] != target.to_dict() or (towers is not None and set(self.info["towers"]) != set(towers)):
            raise InvalidRequest(
                f"{self.folder.name} has a {self.kind} of other tokens or towers. Name another folder."
            )
        return self

    def layers(self, tower: str = "language") -> list[int]:
        """The layers that it has of a tower, ascending."""
        try:
            return [layer["index"] for layer in self.info["towers"][tower]["layers"]]
        except (KeyError, TypeError):
            has = ", ".join(self.info["towers"])
            raise NotInRun(f"This {self.kind} has no tower {quoted(tower)}; it has {has}.") from None

    def layer_path(self, layer: int, tower: str) -> Path:
        """The file of a layer. Raises NotInRun for one that it does not have."""
        if layer not in self.layers(tower):
            raise NotInRun(f"This {self.kind} has no layer {quoted(layer)} in its {tower} tower.")
        return self.folder / layer_file(tower, layer)

    @contextmanager
    def _opened(self, layer: int, tower: str) -> Iterator[LayerFile]:
        """The file of a layer, with the tensors that it must have. Raises DamagedRun for another."""
        with tensor_file(self.layer_path(layer, tower)) as file:
            for name, shape in self._shapes(tower).items():
                has = file.shape(name) if name in file else None
                if (
                    has is None
                    or len(has) != len(shape)
                    or any(b not in (None, a) for a, b in zip(has, shape, strict=True))
                ):
                    raise self._damaged(layer, f"{name} is {list(has) if has else 'not there'}")
                if file.dtype(name) not in FLOATS:
                    raise self._damaged(layer, f"{name} is {file.dtype(name)}, not {' or '.join(FLOATS)}")
            yield file

    def _read(self, layer: int, tower: str) -> dict[str, np.ndarray]:
        """The tensors of a layer, float32; those of the last that was asked for are kept."""
        kept = self._kept
        if kept is not None and kept[0] == (layer, tower):
            return kept[1]
        with self._opened(layer, tower) as file:
            data = {name: file.read(name) for name in self._shapes(tower)}
        self._check_fit(layer, tower, {name: each.shape for name, each in data.items()})
        self._kept = (layer, tower), data
        return data

    def _check_fit(self, layer: int, tower: str, shapes: dict[str, tuple[int, ...]]) -> None:
        groups, _, width = shapes["value"]
        if (
            not groups
            or self.run.heads(tower) % groups
            or any(len(shape) == 3 and shape[-1] != width for shape in shapes.values())
        ):
            raise self._damaged(layer, "its tensors do not fit each other")

    def _kept_array(self, kept: ArrayCache, name: tuple[Any, ...], make: Callable[[], np.ndarray]) -> np.ndarray:
        """An array of this reading, kept in memory with those of its run, with which it is forgotten."""
        return kept.get((self.run.owner, str(self.folder), self.info.get("created"), *name), make)

    def _damaged(self, layer: int, what: str) -> DamagedReading:
        return DamagedReading(f"Layer {layer} of {self.folder.name} is damaged: {what}. Remove it, and ask again.")


@contextmanager
def tensor_file(path: Path) -> Iterator[LayerFile]:
    """A file of a reading. Raises DamagedReading for one that cannot be read."""
    try:
        with LayerFile(path) as file:
            yield file
    except DamagedReading:
        raise
    except DamagedRun as error:
        raise DamagedReading(str(error)) from None


def check_numbers(record: Mapping[Any, Any], *names: Any) -> None:
    """Raise ValueError unless these fields are numbers."""
    for name in names:
        if isinstance(record[name], bool) or not isinstance(record[name], int | float):
            raise ValueError(f"{name} is {quoted(record[name])}, which is no number")


def layer_file(tower: str, layer: int) -> str:
    """The file of a layer, in the folder of its reading."""
    return f"{tower}/layer_{layer:02d}.safetensors"
