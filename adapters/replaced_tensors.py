"""The rest of a fine-tune, beside the adapter, for one base: tensors that take the place of the base's, or a refusal.

Owns which names such tensors have in the base, and what is said of heads and of whole models that lie there too.
Decides from names and shapes alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attention.errors import AdapterIncomplete, AdapterNeedsRenaming

from .base_modules import Base
from .files import AdapterFiles
from .health_card import listed
from .keys import DTYPES, Weight
from .lora_config import shown
from .older_names import Layout, layouts_of
from .weights_beside import FileBeside, converting, name_in, plain_key, prefix_of

# Heads that a trainer puts on a model for a reward, a value, a class or a search; attention is computed before them.
HEADS = {
    *("v_head", "value_head", "reward_head", "score", "classifier", "classification_head"),
    *("custom_text_proj", "embedding_proj_layer"),
}


@dataclass(frozen=True)
class ReplacedTensors:
    """Tensors of files beside an adapter. `weights` have the base's names, and keys as `read_tensors` gives them."""

    weights: tuple[Weight, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def is_head(key: str, base: Base) -> bool:
    """True for a key of a head that the base does not have, and that nothing in it depends on."""
    parts = plain_key(key).split(".")
    parts = parts[1:] if parts[0] in ("model", "pretrained_model") else parts
    return parts[0] in HEADS and parts[0] not in base.modules


def replaced_tensors(files: AdapterFiles, base: Base, layout: Layout, rename: bool, alone: bool) -> ReplacedTensors:
    """Read the rest beside the adapter, whose own keys are in `layout`. `alone`: it was confirmed that it is left out.

    Raises AdapterIncomplete for what cannot be loaded and matters, AdapterNeedsRenaming for names of an older layout.
    """
    warnings = [
        f"{file.said} beside it is a whole model, which is not used here. To see that one, give the folder as --model."
        for file in files.beside
        if file.is_model
    ]
    notes = []
    if not files.knows_all:
        notes.append("The Hub could not be asked whether other trained weights lie beside it.")
    if alone:
        return ReplacedTensors(notes=(*notes, *_left_out(files, base)), warnings=tuple(warnings))
    weights: list[Weight] = []
    renames: dict[str, str] = {}
    for file in files.parts:
        if _has_only_heads(file, base):
            notes.append(f"{file.said} beside it is a head, which attention does not depend on; it is left out.")
            continue
        if not file.is_loadable:
            raise AdapterIncomplete(f"{files.id} {_cannot_be_read(file)}")
        found, then_now = _weights(files, file, base, layout)
        weights += found
        renames |= then_now
        notes.append(f"{file.said} beside it is loaded with it, for {len(found):,} of the base's weights.")
    if renames and not rename:
        pairs = ", ".join(f"{then} is now {now}" for then, now in renames.items())
        raise AdapterNeedsRenaming(
            f"{files.id} has weights beside it whose names are those of another layout of {base.id} ({pairs}). If they "
            "were trained on this model, confirm the renaming (rename=True).",
            tuple(renames.items()),
        )
    return ReplacedTensors(tuple(weights), tuple(renames.items()), tuple(notes), tuple(warnings))


def _left_out(files: AdapterFiles, base: Base) -> tuple[str, ...]:
    names = [file.said for file in files.parts if not _has_only_heads(file, base)]
    if not names:
        return ()
    return (
        f"Its LoRA weights are used alone, as was confirmed: {listed(names)} beside it, trained together with them, is "
        "left out. This is not the whole fine-tune.",
    )


def _has_only_heads(file: FileBeside, base: Base) -> bool:
    return bool(file.tensors) and all(is_head(key, base) for key in file.tensors or ())


def _cannot_be_read(file: FileBeside) -> str:
    holds = ""
    if file.tensors:
        first, n = shown(next(iter(file.tensors))), len(file.tensors)
        holds = f", with {n:,} trained weights ({first} for one)" if n > 1 else f", with the trained weight {first}"
    if file.name.endswith(".safetensors"):
        return (
            f"is only a part of what was trained: {file.said} lies beside it, and is no safetensors file that can be "
            "read. Save it again, or confirm that the LoRA weights are used alone (alone=True)."
        )
    return (
        f"is only a part of what was trained: {file.said} lies beside it{holds}. It is a pickle, which can run code "
        f"when it is loaded. Convert it in its folder: {converting(file.name)} - or confirm that the LoRA weights are "
        "used alone (alone=True)."
    )


def _weights(files: AdapterFiles, file: FileBeside, base: Base, layout: Layout) -> tuple[list[Weight], dict[str, str]]:
    """The tensors of a file under the base's names, and by which (then, now) they are called so."""
    records = {key: record for key, record in (file.tensors or {}).items() if ".original_module." not in key}
    own = {plain_key(key) for key in files.header}
    names = {key: plain_key(key) for key in records if not is_head(key, base) and plain_key(key) not in own}
    odd = next((key for key in names if records[key].dtype not in DTYPES or ".lora_" in key), None)
    if odd is not None:
        raise AdapterIncomplete(
            f"{files.id} has {file.said} beside it, with {shown(odd)} of {shown(records[odd].dtype)}, which is none of "
            "the base's weights. Move the file away if it is none of the adapter's, or confirm that the LoRA weights "
            "are used alone (alone=True)."
        )
    for each in (layout, *layouts_of(base.model_type)):
        present = {key: name_in(base.tensors, name, each.now) for key, name in names.items()}
        known = {key: name for key, name in present.items() if name is not None}
        if len(known) == len(present):
            used = each.used_by([name for name in names.values() if name not in base.tensors])
            return _named(file, records, known), dict(used) if each is not layout else {}
    start = prefix_of(list(names.values()), [records[key].shape for key in names], base.tensors)
    if start is not None:
        first = next(iter(names.values())).split(".")[0]
        known = {key: start + name for key, name in names.items()}
        return _named(file, records, known), {first: start + first}
    strange = next(key for key, name in present.items() if name is None)
    raise AdapterIncomplete(
        f"{files.id} has {file.said} beside it, with weights that {base.id} does not have, {shown(strange)} for one. "
        "Merge both where they were trained and give the merged model, or confirm that the LoRA weights are used alone "
        "(alone=True)."
    )


def _named(file: FileBeside, records: dict[str, Any], present: Mapping[str, str]) -> list[Weight]:
    return [Weight(f"{file.name}:{key}", records[key], name, None) for key, name in present.items()]
