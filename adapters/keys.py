"""Keys of an adapter's file: which weight of which module each stands for, under the names that the base has.

Owns how PEFT writes keys, with and without the adapter's name, and what wrappers put into them. Knows no shapes and no
config.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from attention.errors import AdapterRefused

from .base_modules import Base
from .files import AdapterFiles
from .health_card import listed
from .lora_config import shown
from .safetensors_header import TensorRecord

PREFIX = "base_model.model."
DTYPES = ("F64", "F32", "F16", "BF16")
WEIGHTS = ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector")
# What torch.compile, FSDP, checkpointing, DDP, Lightning and fairscale call the model, or a part of it, that they hold.
WRAPPERS = {
    *("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "module", "_forward_module", "_fpw_module"),
}


@dataclass(frozen=True)
class Weight:
    """One key of the file.

    `which` is one of lora_A, lora_B, lora_B.bias, lora_embedding_A, lora_embedding_B and magnitude, and `name` that
    module's; or `which` is None and `name` that of a tensor of the base; `is_copy` says that PEFT wrote the base's own
    tensor there. `adapter` is the adapter's name, where the key has it; `written` the name as the file has it, where
    that is of a wrapped model.
    """

    key: str
    record: TensorRecord
    name: str
    which: str | None
    adapter: str = ""
    is_copy: bool = False
    written: str = ""


def read_keys(files: AdapterFiles) -> list[Weight]:
    """The keys of a file, read. Raises AdapterRefused for one that PEFT's LoRA does not write."""
    who = files.id
    if not files.header:
        raise AdapterRefused(f"{who} has no weights at all.")
    weights = []
    for key, record in files.header.items():
        if record.dtype not in DTYPES:
            raise AdapterRefused(
                f"{who} has weights stored as {shown(record.dtype)} ({shown(key)}): quantised adapters cannot be "
                "attached. Save it in float32, bfloat16 or float16."
            )
        if record.parameters == 0:
            raise AdapterRefused(
                f"{who} has an empty weight, {shown(key)}: it was saved without being gathered (DeepSpeed ZeRO-3, "
                "FSDP). Save it again with gathered parameters."
            )
        weights.append(_read_key(key, record, who))
    names = {weight.adapter for weight in weights if weight.adapter}
    if len(names) > 1:
        raise AdapterRefused(f"{who} holds several adapters: {listed(map(shown, sorted(names)))}. Save each alone.")
    return weights


def _read_key(key: str, record: TensorRecord, who: str) -> Weight:
    unknown = AdapterRefused(
        f"{who} has a weight that is none of LoRA's, {shown(key)}. What PEFT saves of LoRA and DoRA can be attached."
    )
    parts = _outside(key).removeprefix(PREFIX).split(".")
    place = next((i for i in range(len(parts) - 1, 0, -1) if parts[i] in WEIGHTS), None)
    if place is None:
        if any(part.startswith("lora_") for part in parts) or not _outside(key).startswith(PREFIX):
            raise unknown
        return _read_other(key, record, parts)
    word, tail = parts[place], parts[place + 1 :]
    name = ".".join(parts[:place])
    # A weight of a module ends in ".weight", a parameter in nothing; either may have the adapter's name before that.
    last = ("weight", "bias") if word == "lora_B" else ("weight",) if word == "lora_A" else ()
    which = "magnitude" if word == "lora_magnitude_vector" else word
    if last:
        if not tail or tail[-1] not in last:
            raise unknown
        which += ".bias" if tail[-1] == "bias" else ""
        tail = tail[:-1]
    elif which == "magnitude" and tail and tail[-1] == "weight":
        tail = tail[:-1]
    if len(tail) > 1:
        raise unknown
    return Weight(key, record, name, which, tail[0] if tail else "")


def _read_other(key: str, record: TensorRecord, parts: list[str]) -> Weight:
    if len(parts) > 2 and parts[-2] == "base_layer":
        return Weight(key, record, ".".join([*parts[:-2], parts[-1]]), None, is_copy=True)
    return Weight(key, record, ".".join(parts), None)


def unwrapped(weights: list[Weight], base: Base) -> tuple[list[Weight], tuple[tuple[str, str], ...]]:
    """The weights without what wrappers and a second PeftModel put into their names, or with the prefix that they lack.

    And pairs (name then, name now) of one weight for each of these that there is.
    """
    own = {part for name in base.modules for part in name.split(".")}
    found = []
    renames: dict[object, tuple[str, str]] = {}  # by what is lost or found
    for weight in weights:
        name, key = weight.name, _outside(weight.key)
        while name.startswith(PREFIX):
            name = name.removeprefix(PREFIX)
        plain = ".".join(part for part in name.split(".") if part not in WRAPPERS - own)
        if plain != weight.name:
            what = tuple(part for part in weight.name.split(".") if part in WRAPPERS - own) or PREFIX
            renames.setdefault(what, (weight.name, plain))
        elif not key.startswith(PREFIX):
            renames.setdefault("", (key, f"{PREFIX}{key}"))
        elif key != weight.key:
            renames.setdefault(weight.key.removesuffix(key), (weight.key, key))
        found.append(replace(weight, name=plain, written=weight.name if plain != weight.name else ""))
    return found, tuple(renames.values())


def is_on_another(weights: list[Weight]) -> bool:
    """True for the names of an adapter on a model that PEFT had wrapped for another one already."""
    return any(PREFIX in f".{weight.name}" for weight in weights)


def _outside(key: str) -> str:
    """A key without the wrappers around the whole PeftModel."""
    first, _, rest = key.partition(".")
    return _outside(rest) if first in WRAPPERS and PREFIX in rest else key
