"""Words for a folder or a file that was given as an adapter and is none, and the path to give instead.

Owns the words, from the names of the files alone; the same for a folder here and for a repository of the Hub.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from attention.errors import AdapterRefused, AdapterUnavailable, IsWholeModel
from attention.limits import MAX_FILES_LOOKED_AT

from .health_card import listed
from .weights_beside import STATE, converting

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
WHOLE_MODEL = "is a whole model, not an adapter. Give it as the model."
DEPTH = 3
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
MODEL_WEIGHTS = re.compile(
    r"((pytorch_)?model|consolidated|tf_model|flax_model)([-.].*)?\.(safetensors|bin|pth|h5|msgpack)"
)
ADAPTER_WEIGHTS = re.compile(r"adapter_model\.(safetensors|bin)")
DEEPSPEED = re.compile(r"zero_to_fp32\.py|global_step\d+|(.*zero_pp_rank|.*mp_rank)_.*|.*_optim_states\.pt")
SHARDED = re.compile(r"pytorch_model_fsdp_\d+|.*\.distcp|__\d+_\d+\.distcp")
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
TOKENIZER = re.compile(
    r"tokenizer.*|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt|spiece\.model"
    r"|(.*_)?(pre)?processor_config\.json|chat_template.*|README\.md|\.gitattributes|generation_config\.json"
)
OF_DIFFUSERS = ("unet.", "text_encoder", "lora_unet_", "lora_te", "transformer.single_", "transformer.transformer_")


def names_below(folder: Path) -> list[str]:
    """The files and folders below one, as paths with slashes; not those of hidden folders, nor all of a huge one."""
    found: list[str] = []

    def walk(place: Path, depth: int) -> None:
        for each in sorted(place.iterdir()):
            if each.name.startswith(".") or len(found) >= MAX_FILES_LOOKED_AT:
                continue
            found.append(each.relative_to(folder).as_posix())
            if depth < DEPTH and each.is_dir() and not each.is_symlink():
                try:
                    walk(each, depth + 1)
                except OSError:
                    continue  # a folder of somebody else

    walk(folder, 1)
    return found


def is_no_adapter(where: str, names: Iterable[str], path_of: Callable[[str], str] | None = None) -> str:
    """Describe a place without adapter_config.json, from the names of what is in it.

    `path_of` makes of a folder below it what is to be given; None where no such can be given.
    """
    names = list(names)
    below = [name.rpartition("/")[0] for name in names if name.endswith(f"/{CONFIG}")]
    below = [name for name in below if f"{name}/{WEIGHTS}" in names] or below
    if below:
        return f"{where} is not an adapter's folder itself: it has {_adapters(below, path_of)}"
    if (found := _what(names)) is None:
        has = f"; it has {listed(names)}" if names else " and is empty"
        return f"{where} is not an adapter: it has no {CONFIG}{has}."
    return f"{where} {found}"


def unavailable(where: str, names: Iterable[str], path_of: Callable[[str], str] | None = None) -> AdapterUnavailable:
    """Reason why a place without adapter_config.json cannot be used: as `is_no_adapter` says it."""
    names = list(names)
    said = is_no_adapter(where, names, path_of)
    return IsWholeModel(said) if said.endswith(WHOLE_MODEL) else AdapterUnavailable(said)


def has_no_weights(where: str, names: Iterable[str]) -> Exception:
    """Reason why an adapter with a config and without safetensors weights cannot be used, from the names beside it."""
    names = sorted(name for name in names if "/" not in name)
    pickles = [name for name in names if name.endswith(PICKLES)]
    state = [name for name in pickles if STATE.match(name) and not ADAPTER_WEIGHTS.fullmatch(name)]
    weights = [name for name in pickles if name not in state]
    if weights:
        first = next((name for name in weights if ADAPTER_WEIGHTS.fullmatch(name)), weights[0])
        return AdapterRefused(
            f"The weights of {where} are a pickle ({first}), which can run code when it is loaded. Convert it in its "
            f"folder: {converting(first)}"
        )
    if state:
        return AdapterUnavailable(
            f"{where} holds no adapter weights: it has no {WEIGHTS}, only what a trainer goes on with ({state[0]}). "
            "Give the folder that the trainer saved the adapter in."
        )
    if "adapters.safetensors" in names or "adapters.npz" in names:
        return AdapterUnavailable(
            f"{where} is an adapter of MLX, not of PEFT: it has no {WEIGHTS}. Merge it there, and give the merged "
            "folder as the model."
        )
    others = [name for name in names if name.endswith(".safetensors")]
    has = f"; it has {listed(others)}" if others else ""
    return AdapterUnavailable(f"{where} has no {WEIGHTS}{has}, so there are no weights to attach.")


def is_a_file(file: Path, called: str) -> str:
    """Describe a file that was given where a folder is due."""
    beside = {each.name for each in file.parent.iterdir()}
    if file.suffix == ".gguf":
        return f"{called} {_what([file.name])}"
    if "config.json" in beside and MODEL_WEIGHTS.fullmatch(file.name) and CONFIG not in beside:
        return f"{called} is a file of a whole model, not an adapter. Give its folder as the model."
    if CONFIG in beside:
        return f"{called} is not the weights of the adapter in its folder. Give the folder, {file.parent}."
    if file.suffix == ".safetensors":
        return (
            f"{called} is a file, and an adapter is a folder with {CONFIG} and {WEIGHTS}: the config says which "
            "modules the weights are for, and how strongly. Give that folder."
        )
    return f"{called} is a file. Give the folder of an adapter, with {CONFIG} and {WEIGHTS}."


def is_of_diffusers(keys: Iterable[str]) -> bool:
    """True for the names of a LoRA's weights for a model that makes pictures."""
    keys = list(keys)
    return bool(keys) and all(key.startswith(OF_DIFFUSERS) for key in keys)


def _adapters(below: list[str], path_of: Callable[[str], str] | None) -> str:
    steps = {name: int(match[1]) for name in below if (match := CHECKPOINT.fullmatch(name.rpartition("/")[2]))}
    if path_of is None:
        return (
            f"adapters only in folders of its own ({below[0]}), and those cannot be chosen. Download it, and give the "
            "folder."
        )
    if len(below) == 1:
        return f"one in {below[0]}. Give {path_of(below[0])}."
    if len(steps) == len(below):
        newest = max(steps, key=steps.__getitem__)
        others = listed(sorted(steps, key=steps.__getitem__))
        return f"{len(below)} checkpoints ({others}). Give one of them, the newest: {path_of(newest)}."
    first = next((name for name in below if name not in steps), below[0])
    return f"adapters in folders of its own ({listed(below)}). Give one of them, as {path_of(first)}."


def _what(names: list[str]) -> str | None:
    """A sentence on a place by what is in it; None where that tells nothing."""
    top = {name for name in names if "/" not in name}
    here = any(MODEL_WEIGHTS.fullmatch(name) for name in top)
    if "model_index.json" in top or "pytorch_lora_weights.safetensors" in top or "unet" in top:
        return "is for a model that makes pictures (diffusers), and nothing here attaches to that."
    if gguf := next((name for name in sorted(top) if name.endswith(".gguf")), None):
        return (
            f"holds a file of llama.cpp ({gguf}), which cannot be read here. Give the adapter as PEFT saved it, a "
            f"folder with {CONFIG} and {WEIGHTS}."
        )
    if weights := next((name for name in sorted(top) if ADAPTER_WEIGHTS.fullmatch(name)), None):
        return (
            f"has an adapter's weights ({weights}) and no {CONFIG}, which says which modules they are for, and how "
            "strongly. Copy it from where the adapter was trained."
        )
    if "config.json" in top and here:
        return WHOLE_MODEL
    checkpoints = sorted({name.split("/")[0] for name in names if CHECKPOINT.fullmatch(name.split("/")[0])})
    files = {name for name in names if MODEL_WEIGHTS.fullmatch(name.rpartition("/")[2])}
    if whole := [name for name in checkpoints if any(file.rpartition("/")[0] == name for file in files)]:
        return f"holds whole models ({listed(whole)}), no adapters. Give one of them as the model."
    pieces = sorted(name for name in names if DEEPSPEED.fullmatch(name.rpartition("/")[2]))
    if pieces:
        return (
            f"holds the pieces in which DeepSpeed saves a training ({pieces[0]}), not an adapter. Save the adapter "
            "with save_pretrained after they were gathered (zero_to_fp32.py), and give that folder."
        )
    pieces = sorted(name for name in names if SHARDED.fullmatch(name.rpartition("/")[2]))
    if pieces:
        return (
            f"holds the pieces in which FSDP saves a training ({pieces[0]}), not an adapter. Save the adapter with "
            "save_pretrained after they were gathered, and give that folder."
        )
    if "config.json" in top:
        return "is a model's folder without weights, not an adapter. Give the folder of an adapter."
    if state := next((name for name in sorted(top) if STATE.match(name) and not TOKENIZER.fullmatch(name)), None):
        return (
            f"holds no adapter: only what a trainer goes on with ({state}). Give the folder that the trainer saved the "
            "adapter in."
        )
    if top and all(TOKENIZER.fullmatch(name) for name in top):
        return f"holds a tokenizer and no weights ({listed(sorted(top))}). Give the folder of an adapter."
    return None
