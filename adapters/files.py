"""The files of an adapter, read once: `adapter_config.json`, `adapter_model.safetensors`, and weights beside them.

Owns how they are read, and that what is attached later is what was read first. Judges nothing but whether they can be
read: what they say is for `inspection`. Loads no torch until tensors are asked for; never reads a pickle.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attention.errors import AdapterRefused, AdapterUnavailable
from attention.limits import MAX_ADAPTER_CONFIG_BYTES, MAX_PICKLE_START_BYTES

from .no_adapter import CONFIG, WEIGHTS, has_no_weights, is_a_file, is_of_diffusers, names_below, unavailable
from .safetensors_header import TensorRecord, read_header
from .weights_beside import FileBeside, files_beside


@dataclass(frozen=True)
class AdapterFiles:
    """An adapter as it was read: its config, its tensors by name, and where its weights lie.

    `id` is what a person chose it by; `revision` a commit of the Hub or None; `folder` None while the weights are still
    on the Hub; `sha256` of the weights' file, and of those beside it that belong to it, None until they are here.
    `beside` are the files with other trained weights; `knows_all` is False where the Hub may have more of them.
    `is_private` says that not everybody may read it, and that it was read by a visitor's own login.
    """

    id: str
    config: dict[str, Any]
    header: dict[str, TensorRecord]
    size_bytes: int
    revision: str | None = None
    folder: Path | None = None
    sha256: str | None = None
    beside: tuple[FileBeside, ...] = ()
    knows_all: bool = True
    is_private: bool = False

    @property
    def parts(self) -> tuple[FileBeside, ...]:
        """The files beside it that belong to it: not a whole model that lies there too."""
        return tuple(file for file in self.beside if not file.is_model)


def read_folder(folder: str | Path, adapter_id: str | None = None, revision: str | None = None) -> AdapterFiles:
    """Read an adapter's folder, without its weights' values.

    Raises AdapterUnavailable when there is no adapter in it, AdapterRefused when its weights are a pickle or the files
    are not what they should be.
    """
    folder, where = Path(folder), adapter_id or str(folder)
    try:
        if folder.name in (CONFIG, WEIGHTS) and folder.is_file():
            where = where.removesuffix(folder.name).rstrip("/\\") or "."
            folder = folder.parent
        config, weights = folder / CONFIG, folder / WEIGHTS
        if folder.is_file():
            raise AdapterUnavailable(is_a_file(folder, where))
        if not folder.is_dir():
            raise AdapterUnavailable(f"There is no adapter folder {where}.")
        if not config.is_file():
            raise unavailable(where, names_below(folder), lambda below: _below(where, below))
        if not weights.is_file():
            raise has_no_weights(where, [file.name for file in folder.iterdir()])
        if config.stat().st_size > MAX_ADAPTER_CONFIG_BYTES:
            raise AdapterRefused(
                f"{where} has an {CONFIG} that is too large for an adapter's: {config.stat().st_size:,} bytes."
            )
        parsed = parse_config(config.read_bytes(), f"{CONFIG} of {where}")
        header, size = read_header(weights, f"{WEIGHTS} of {where}")
        if is_of_diffusers(header):
            raise AdapterRefused(
                f"{where} is a LoRA for a model that makes pictures ({next(iter(header))}), and not for one that "
                "reads them."
            )
        beside = _beside(folder, header)
        digest = _digest([file_sha256(weights), *_digests(folder, beside)])
    except OSError as error:
        raise AdapterUnavailable(f"The adapter {where} cannot be read: {error.strerror or error}.") from None
    return AdapterFiles(where, parsed, header, size, revision, folder.resolve(), digest, beside)


def parse_config(content: bytes, where: str) -> dict[str, Any]:
    """Return the config as a dictionary. Raises AdapterRefused when it is none."""
    try:
        config = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise AdapterRefused(f"{where} is not JSON ({str(error)[:100]}).") from None
    if not isinstance(config, dict):
        raise AdapterRefused(f"{where} is not an adapter's config: it holds a {type(config).__name__}.")
    return config


def read_tensors(files: AdapterFiles) -> dict[str, Any]:
    """Return the tensors, by their names in the file, from the very bytes that were inspected.

    Those of a file beside it are named `file:name`. Raises AdapterRefused when a file has changed since, or has values
    that are not finite.
    """
    from safetensors.torch import load

    assert files.folder is not None  # what is not here was fetched before
    names = [WEIGHTS, *(file.name for file in files.parts if file.is_loadable)]
    try:
        contents = [(files.folder / name).read_bytes() for name in names]
    except OSError as error:
        raise AdapterUnavailable(f"{files.id} cannot be read any more: {error.strerror or error}.") from None
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    named = [f"{name} {digest}" for name, digest in zip(names[1:], digests[1:], strict=True)]
    if _digest([digests[0], *named]) != files.sha256:
        raise AdapterRefused(f"The weights of {files.id} changed after they were checked. Try again.")
    tensors = load(contents[0])
    for name, content in zip(names[1:], contents[1:], strict=True):
        tensors |= {f"{name}:{key}": tensor for key, tensor in load(content).items()}
    broken = next((name for name, tensor in tensors.items() if not tensor.isfinite().all()), None)
    if broken is not None:
        raise AdapterRefused(f"The weights of {files.id} are broken: {broken} has values that are not finite numbers.")
    return tensors


def with_folder(files: AdapterFiles, folder: Path) -> AdapterFiles:
    """The same adapter once its weights are here. Raises AdapterRefused when they are not what was inspected before."""
    here = read_folder(folder, files.id, files.revision)
    loadable = [[file for file in each.parts if file.is_loadable] for each in (here, files)]
    if (here.config, here.header, loadable[0]) != (files.config, files.header, loadable[1]):
        raise AdapterRefused(f"{files.id} changed while it was downloaded. Try again.")
    return replace(here, id=files.id, beside=files.beside)


def file_sha256(file: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _below(where: str, below: str) -> str:
    """The path of a folder below the one that was given, as it was given."""
    return f"{where.rstrip('/')}/{below}"


def _beside(folder: Path, header: dict[str, TensorRecord]) -> tuple[FileBeside, ...]:
    def start_of(name: str) -> bytes:
        with (folder / name).open("rb") as opened:
            return opened.read(MAX_PICKLE_START_BYTES)

    files = [(file.name, file.stat().st_size) for file in folder.iterdir() if file.is_file()]
    return files_beside(files, lambda name: read_header(folder / name)[0], start_of, header)


def _digests(folder: Path, beside: tuple[FileBeside, ...]) -> list[str]:
    return [f"{file.name} {file_sha256(folder / file.name)}" for file in beside if file.is_loadable]


def _digest(parts: list[str]) -> str:
    """One file's digest as it is; of several, that of their names and digests."""
    return parts[0] if len(parts) == 1 else hashlib.sha256("\n".join(parts).encode()).hexdigest()
