"""Weights that were trained together with an adapter and that its trainer saved in a second file beside it.

Owns which of the files beside an adapter are such, by their names and by the tensors that they name, and under which
names these tensors are in the base. Reads no value, and of a pickle the names alone (`pickled_tensors`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from attention.errors import AdapterRefused, shortened

from .pickled_tensors import is_torch_file, pickled_tensors
from .safetensors_header import TensorRecord

SAFETENSORS = ".safetensors"
SUFFIXES = (SAFETENSORS, ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
OF_ANYTHING = (".pkl", ".pickle")  # files that need not hold weights
# What trainers leave beside an adapter besides its weights; `adapter_model.bin` are the adapter's own once more.
STATE = re.compile(
    r"(adapter_model|optim(izer)?|(lr_)?scheduler|rng_states?|random_states?|train(ing|er)?_(args|state)|(grad_)?scaler"
    r"|(dataloader|(batch_)?sampler)(_state)?|custom_checkpoint|zero_pp_rank|.*optim_states|tokenizer)(?=[._-]|$)",
    re.IGNORECASE,
)
MODEL = re.compile(
    r"((pytorch_)?model(_fsdp)?|consolidated)([-_.]\d+(-of-\d+)?)?\.\w+"
)  # transformers' own, and Mistral's
SHARD = re.compile(r"-\d+-of-\d+\.")
# Names that trainers give to such a file, also where nothing else is known of it.
PARTS = re.compile(r"non_lora|projector|merger|aligner|resampler|connector|vit|vision|visual|tower|embed|lm_head", re.I)
WRAPPERS = ("base_model", "module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "base_layer")
LORA = re.compile(r"(.*\.lora_(?:A|B|magnitude_vector|embedding_[AB]))(?:\.\w+)?(\.weight|\.bias)?")


@dataclass(frozen=True)
class FileBeside:
    """One such file. `tensors` are None where the file does not tell without being unpickled.

    `is_model`: it holds a whole model, which the adapter does not need.
    """

    name: str
    size_bytes: int
    tensors: dict[str, TensorRecord] | None
    is_model: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> FileBeside:
        """The same file, from what `to_dict` gave."""
        tensors = record["tensors"]
        if tensors is not None:
            tensors = {key: TensorRecord(each["dtype"], tuple(each["shape"])) for key, each in tensors.items()}
        return cls(**{**record, "tensors": tensors})

    @property
    def is_loadable(self) -> bool:
        """True for a safetensors file whose tensors belong to the adapter."""
        return self.name.endswith(SAFETENSORS) and self.tensors is not None and not self.is_model

    @property
    def said(self) -> str:
        """Its name and its size."""
        unit, size = ("MB", 1e6) if self.size_bytes >= 1e5 else ("kB", 1e3)
        return f"{shortened(self.name)} ({self.size_bytes / size:,.1f} {unit})"


def files_beside(
    files: Iterable[tuple[str, int]],
    header_of: Callable[[str], dict[str, TensorRecord]],
    start_of: Callable[[str], bytes],
    own: Iterable[str],
) -> tuple[FileBeside, ...]:
    """The files of a folder, given as (name, bytes), that hold weights besides the adapter's `own` keys.

    `header_of` reads the header of a safetensors file, or raises AdapterRefused; `start_of` the first bytes of another.
    """
    known = {plain_key(key) for key in own}
    found: list[FileBeside] = []
    for name, size in sorted(files, key=lambda file: (not file[0].endswith(SAFETENSORS), file[0])):
        if "/" in name or not name.endswith(SUFFIXES) or STATE.match(name):
            continue
        tensors: dict[str, TensorRecord] | None
        if MODEL.fullmatch(name) and SHARD.search(name):
            tensors = None
        elif name.endswith(SAFETENSORS):
            try:
                tensors = header_of(name)
            except AdapterRefused:
                tensors = None
        else:
            start = start_of(name)
            tensors = pickled_tensors(start)
            is_weights = is_torch_file(start) and not name.endswith(OF_ANYTHING)
            if tensors is None and not (is_weights or PARTS.search(name) or MODEL.fullmatch(name)):
                continue  # another program's file
        if tensors is not None:
            keys = {plain_key(key) for key in tensors}
            if keys <= known or keys <= _converted(name, found):
                continue
        found.append(FileBeside(name, size, tensors, bool(MODEL.fullmatch(name)) and _is_whole(name, tensors)))
    return tuple(found)


def plain_key(key: str) -> str:
    """A key without what wrappers and adapters' names put into it."""
    parts = [part for part in key.split(".") if part not in WRAPPERS]
    if "modules_to_save" in parts[:-2]:
        place = parts.index("modules_to_save")
        del parts[place : place + 2]
    if "base_model" in key.split(".") and parts[0] == "model":
        del parts[0]
    lora = LORA.fullmatch(".".join(parts))
    return f"{lora[1]}{lora[2] or '.weight'}" if lora else ".".join(parts)


def name_in(tensors: Mapping[str, object], name: str, renamed: Callable[[str], str]) -> str | None:
    """The base's own name of a tensor: as it is, or as an older layout has it; None where there is none."""
    return next((each for each in (name, renamed(name)) if each in tensors), None)


def prefix_of(names: list[str], shapes: list[tuple[int, ...]], tensors: Mapping[str, tuple[int, ...]]) -> str | None:
    """The piece that all these names lack at their beginning to be the base's, where one makes them fit by shape."""
    starts = {name.removesuffix(names[0]) for name in tensors if name.endswith(f".{names[0]}")}
    fits = [
        start
        for start in starts
        if all(tensors.get(start + name) == shape for name, shape in zip(names, shapes, strict=True))
    ]
    return fits[0] if len(fits) == 1 else None


def converting(name: str) -> str:
    """The line that makes a safetensors file of a pickle, to be run in its folder."""
    if not re.fullmatch(r"[\w.-]+", name):
        name = "FILE"
    target = f"{name.rpartition('.')[0] or name}{SAFETENSORS}"
    return (
        'python -c "import torch, safetensors.torch as s; '
        f"s.save_file({{k: v.clone() for k, v in torch.load('{name}', 'cpu', weights_only=True).items()}}, "
        f"'{target}')\""
    )


def _converted(name: str, found: list[FileBeside]) -> set[str]:
    """The keys of the safetensors file that somebody made of this one."""
    stem = name.rpartition(".")[0]
    same = (file for file in found if file.name == f"{stem}{SAFETENSORS}" and file.tensors)
    return {plain_key(key) for file in same for key in file.tensors or ()}


def _is_whole(name: str, tensors: dict[str, TensorRecord] | None) -> bool:
    if tensors is None or SHARD.search(name):
        return True
    return any("embed" in key for key in tensors) and any(re.search(r"\.\d+\..*attn", key) for key in tensors)
