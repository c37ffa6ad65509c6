"""The two files of an adapter, read once: `adapter_config.json` and `adapter_model.safetensors`.

Owns how they are read, and that what is attached later is what was read first. Judges nothing but whether they can be
read: what they say is for `inspection`. Loads no torch until tensors are asked for; never reads a pickle.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass, replace
from pathlib import Path

from attention.errors import AdapterRefused, AdapterUnavailable

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MAX_CONFIG_BYTES = 256 << 10
MAX_HEADER_BYTES = 25 << 20
PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
ITEM_BYTES |= {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class TensorRecord:
    """What the header of a safetensors file says of one tensor."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class AdapterFiles:
    """An adapter as it was read: its config, its tensors by name, and where its weights lie.

    `id` is what a person chose it by; `revision` a commit of the Hub or None; `folder` None while the weights are still
    on the Hub; `sha256` of the weights' file, None until they are here.
    """

    id: str
    config: dict
    header: dict[str, TensorRecord]
    size_bytes: int
    revision: str | None = None
    folder: Path | None = None
    sha256: str | None = None


def read_folder(folder: str | Path, adapter_id: str | None = None, revision: str | None = None) -> AdapterFiles:
    """Read an adapter's folder, without its weights' values.

    Raises AdapterUnavailable when there is no adapter in it, AdapterRefused when its weights are a pickle or the files
    are not what they should be.
    """
    folder = Path(folder)
    config, weights = folder / CONFIG, folder / WEIGHTS
    try:
        if not folder.is_dir():
            raise AdapterUnavailable(f"There is no adapter folder {folder}.")
        if not config.is_file():
            raise AdapterUnavailable(f"{folder} is not an adapter's folder: it has no {CONFIG}.")
        if not weights.is_file():
            raise missing_weights(str(folder), [file.name for pattern in PICKLES for file in folder.glob(pattern)])
        if config.stat().st_size > MAX_CONFIG_BYTES:
            raise AdapterRefused(f"{config} is too large for an adapter's config: {config.stat().st_size:,} bytes.")
        parsed = parse_config(config.read_bytes(), str(config))
        header, size = read_header(weights)
        digest = file_sha256(weights)
    except OSError as error:
        raise AdapterUnavailable(f"The adapter {folder} cannot be read: {error.strerror or error}.") from None
    return AdapterFiles(adapter_id or str(folder), parsed, header, size, revision, folder.resolve(), digest)


def missing_weights(where: str, pickles: list[str]) -> Exception:
    """Why an adapter without safetensors weights cannot be used."""
    if pickles:
        return AdapterRefused(
            f"The weights of {where} are a pickle ({sorted(pickles)[0]}), which can run code when it is loaded. "
            f"Save them as {WEIGHTS}: PEFT's save_pretrained does so by default."
        )
    return AdapterUnavailable(f"{where} has no {WEIGHTS}, so there are no weights to attach.")


def parse_config(content: bytes, where: str) -> dict:
    """Return the config as a dictionary. Raises AdapterRefused when it is none."""
    try:
        config = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise AdapterRefused(f"{where} is not JSON ({str(error)[:100]}).") from None
    if not isinstance(config, dict):
        raise AdapterRefused(f"{where} is not an adapter's config: it holds a {type(config).__name__}.")
    return config


def read_header(file: Path) -> tuple[dict[str, TensorRecord], int]:
    """Return the tensors that a safetensors file has, and the file's bytes. Raises AdapterRefused."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        start = opened.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= min(MAX_HEADER_BYTES, size - 8):
            raise AdapterRefused(f"{file} is not a safetensors file, or was cut off: its header does not fit into it.")
        return parse_header(opened.read(length), str(file), size - 8 - length), size


def parse_header(content: bytes, where: str, data_bytes: int) -> dict[str, TensorRecord]:
    """Return the tensors of a safetensors header before `data_bytes` of values. Raises AdapterRefused."""
    try:
        records = json.loads(content.decode("utf-8"))
        header, end = {}, 0
        for name, record in records.items():
            if name == "__metadata__":
                continue
            tensor = TensorRecord(str(record["dtype"]), tuple(int(n) for n in record["shape"]))
            first, last = record["data_offsets"]
            if min((0, *tensor.shape)) < 0 or last - first != tensor.parameters * ITEM_BYTES[tensor.dtype] or first < 0:
                raise ValueError(f"{name} has no {record['shape']} of {tensor.dtype}")
            header[name], end = tensor, max(end, last)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AdapterRefused(f"The header of {where} cannot be used ({str(error)[:100]}).") from None
    if end != data_bytes:
        raise AdapterRefused(f"{where} was cut off or added to: {data_bytes:,} bytes of values, not {end:,}.")
    return header


def read_tensors(files: AdapterFiles) -> dict:
    """Return the tensors, by their names in the file, from the very bytes that were inspected.

    Raises AdapterRefused when the file has changed since, or has values that are not finite.
    """
    from safetensors.torch import load

    try:
        content = (files.folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise AdapterUnavailable(f"{files.id} cannot be read any more: {error.strerror or error}.") from None
    if hashlib.sha256(content).hexdigest() != files.sha256:
        raise AdapterRefused(f"The weights of {files.id} changed after they were checked. Try again.")
    tensors = load(content)
    broken = next((name for name, tensor in tensors.items() if not tensor.isfinite().all()), None)
    if broken is not None:
        raise AdapterRefused(f"The weights of {files.id} are broken: {broken} has values that are not finite numbers.")
    return tensors


def with_folder(files: AdapterFiles, folder: Path) -> AdapterFiles:
    """The same adapter once its weights are here. Raises AdapterRefused when they are not what was inspected before."""
    here = read_folder(folder, files.id, files.revision)
    if (here.config, here.header) != (files.config, files.header):
        raise AdapterRefused(f"{files.id} changed while it was downloaded. Try again.")
    return replace(here, id=files.id)


def file_sha256(file: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
