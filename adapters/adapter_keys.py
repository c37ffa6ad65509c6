"""What each key of an adapter's file stands for: which weight of which module, under the names that the base has.

Owns how PEFT writes keys, with and without the adapter's name, and the older layouts of a model's names. Knows no
shapes and no config.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

from attention.errors import AdapterNeedsRenaming, AdapterRefused

from .adapter_files import AdapterFiles, TensorRecord
from .base_modules import Base
from .health_card import listed
from .lora_config import shown
from .older_names import LAYOUTS, Layout

PREFIX = "base_model.model."
DTYPES = ("F64", "F32", "F16", "BF16")
WEIGHTS = ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector")
WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
AROUND = (PREFIX, "module.")
INDEX = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True)
class Weight:
    """One key of the file.

    `which` is one of lora_A, lora_B, lora_B.bias, lora_embedding_A, lora_embedding_B and magnitude, and `name` that
    module's; or `which` is None and `name` that of a tensor of the base; `is_copy` says that PEFT wrote the base's own
    tensor there. `adapter` is the adapter's name, where the key has it.
    """

    key: str
    record: TensorRecord
    name: str
    which: str | None
    adapter: str = ""
    is_copy: bool = False


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
    if not key.startswith(PREFIX):
        raise unknown
    parts = key.removeprefix(PREFIX).split(".")
    place = next((i for i in range(len(parts) - 1, 0, -1) if parts[i] in WEIGHTS), None)
    if place is None:
        if any(part.startswith("lora_") for part in parts):
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


def unwrapped(weights: list[Weight]) -> tuple[list[Weight], tuple[tuple[str, str], ...]]:
    """The weights without what torch.compile, FSDP, checkpointing, DDP and a second PeftModel put into their names.

    And pairs (name then, name now) of one weight for each of these that there is.
    """
    found, renames = [], {}
    for weight in weights:
        name = weight.name
        while name.startswith(AROUND):
            name = name.removeprefix(next(each for each in AROUND if name.startswith(each)))
        parts = [part for part in name.split(".") if part not in WRAPPERS]
        plain = ".".join(parts)
        if plain != weight.name:
            what = tuple(part for part in weight.name.split(".") if part not in parts)
            renames.setdefault(what, (weight.name, plain))
        found.append(replace(weight, name=plain))
    return found, tuple(renames.values())


def layout_of(
    files: AdapterFiles, base: Base, weights: list[Weight], rename: bool
) -> tuple[Layout, tuple[tuple[str, str], ...]]:
    """The layout of a file's keys, and the (name then, name now) that it needs.

    Raises AdapterRefused when they are not this base's, AdapterNeedsRenaming when they may be and `rename` is not set.
    """
    present = Layout(())
    strange = [weight for weight in weights if not _is_known(weight, base, present)]
    if not strange:
        return present, ()
    layouts = (
        layout
        for layout in LAYOUTS.get(base.model_type, ())
        if all(_is_known(weight, base, layout) for weight in weights)
    )
    layout = next(layouts, None)
    if layout is None:
        raise AdapterRefused(f"{files.id} {_why_strange(strange, base)}")
    renames = layout.used_by([weight.name for weight in weights])
    if not rename:
        pairs = ", ".join(f"{then} is now {now}" for then, now in renames)
        raise AdapterNeedsRenaming(
            f"{files.id} names modules as earlier versions of transformers did for {base.id}, or as another model does "
            f"({pairs}). If it was trained on this model, confirm the renaming (rename=True).",
            renames,
        )
    return layout, renames


def _is_known(weight: Weight, base: Base, layout: Layout) -> bool:
    return layout.now(weight.name) in (base.tensors if weight.which is None else base.modules)


def _why_strange(strange: list[Weight], base: Base) -> str:
    counts = Counter(name.rpartition(".")[0] for name in base.modules)
    for weight in strange:
        parts = weight.name.split(".")
        for place in (i for i, part in enumerate(parts) if INDEX.fullmatch(part)):
            layers = ".".join(parts[:place])
            sibling = ".".join([*parts[:place], "0", *parts[place + 1 :]])
            if int(parts[place]) >= counts[layers] and (sibling in base.modules or sibling in base.tensors):
                return (
                    f"has weights for {shown(weight.name)}, but {base.id} has only {counts[layers]} of {layers} "
                    f"(0 to {counts[layers] - 1}). It was trained on a model with more layers."
                )
    example = next((name for name, module in base.modules.items() if module.kind == "linear"), "none")
    return (
        f"has {len(strange):,} weights for modules that {base.id} does not have, {shown(strange[0].key)} for one; a "
        f"module there is {example}. It was trained on a model of another kind."
    )
