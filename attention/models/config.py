"""A model's config and processor, read from its folder without loading a weight.

Knows no run.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from attention.errors import ModelUnavailable, UnsupportedModel, quoted, shortened

from .config_check import check_config
from .download import folder_stamp, locate
from .loading_report import (
    begins_with_mark,
    check_json_start,
)


def read_config(path: str, model_type: str | None = None):
    """The config of a local folder and its family. Raises UnsupportedModel or ModelUnavailable."""
    from transformers import AutoConfig

    from attention import families

    for name in ("config.json", "generation_config.json"):  # transformers passes over one of these in silence
        check_json_start(Path(path) / name, path)
    check_config(path)
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - as in `load`: a config of anybody's
        raise ModelUnavailable(f"config.json of {path} cannot be used: {first_line(error)}") from None
    if not isinstance(getattr(config, "dtype", None), torch.dtype | None):
        raise ModelUnavailable(f"config.json of {path} has dtype {quoted(config.dtype)}. Use a name such as bfloat16.")
    family = families.of_config(config, model_type)
    if model_type and config.model_type in families.names() and families.of_config(config).label != family.label:
        raise UnsupportedModel(
            f"{path} is a {families.of_config(config).label} model ({config.model_type}), which "
            f"{quoted(model_type)} does not fit. Leave the model type out."
        )
    try:
        family.towers(config)
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UnsupportedModel(
            f"config.json of {path} (model type {config.model_type}) does not describe a {family.label} model: "
            f"{first_line(error)}"
        ) from None
    if model_type and model_type.replace("-", "_") != config.model_type.replace("-", "_"):
        _check_fit(path, config, family)
    return config, family


def _check_fit(path: str, config, family) -> None:
    """Raise UnsupportedModel where a family that was asked for by name does not fit: the model is built, unloaded."""
    from transformers import AutoModelForImageTextToText

    try:
        with torch.device("meta"):
            model = AutoModelForImageTextToText.from_config(deepcopy(config), trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - a config of anybody's makes transformers fail in any way
        reason: str | None = first_line(error)
    else:
        reason = unlike(model, config, family)
    if reason:
        raise UnsupportedModel(
            f"{path} is of the model type {config.model_type}, which the family {family.label} does not fit, because "
            f"{reason}. Leave the model type out."
        )


def unlike(model: torch.nn.Module, config, family) -> str | None:
    """The first thing in which a model's attention layers are not as its family expects; None where all are."""
    try:
        has = {tower: set(by_layer) for tower, by_layer in family.attention_modules(model).items()}
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        return first_line(error)
    expected = {tower: set(shape.layers) for tower, shape in family.towers(config).items()}
    odd = next((tower for tower in expected if has.get(tower) != expected[tower]), None)
    if odd is None:
        return None
    return f"its {odd} tower has {len(has.get(odd, ()))} attention layers, not {len(expected[odd])}"


def first_line(error: BaseException) -> str:
    """An error's first line, and the second where the first only leads to it."""
    first, *rest = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return shortened(f"{first} {rest[0]}" if rest and first.endswith(":") else first, 200)


def describe(model_id: str, model_type: str | None = None) -> dict:
    """Towers, layers and heads of a model from its config alone: {id, model_type, family, towers: {name: {...}}}."""
    path, revision = locate(model_id, config_only=True)
    config, family = read_config(path, model_type)
    towers = {
        name: {
            "layers": len(shape.layers),
            "layer_indices": list(shape.layers),
            "linear_layers": _of_kind(shape, "linear"),
            "convolution_layers": _of_kind(shape, "convolution"),
            **({"unmerged_layers": unmerged} if (unmerged := _of_kind(shape, "unmerged")) else {}),
            "heads": shape.heads,
            "kv_heads": shape.kv_heads,
            "head_dim": shape.head_dim,
        }
        for name, shape in family.towers(config).items()
    }
    unread = family.unread_towers(config)
    return {
        "id": model_id,
        "revision": revision,
        "model_type": config.model_type,
        "family": family.label,
        "towers": towers,
        **({"unread_towers": {name: asdict(tower) for name, tower in unread.items()}} if unread else {}),
    }


def _of_kind(shape, kind: str) -> list[int]:
    return [index for index, each in shape.others.items() if each == kind]


PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json", "tokenizer_config.json", "tokenizer.json")


def processor_of(path: str, family) -> Any:
    """The processor of a local folder, loaded once. Raises ModelUnavailable when its files are missing or broken."""
    return _load_processor(path, family, folder_stamp(path, "*.j*"))


@lru_cache(maxsize=4)
def _load_processor(path: str, family, stamp: tuple) -> Any:
    try:
        processor = family.load_processor(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        broken = _broken_json(path)
        where = f"its file {broken}" if broken else first_line(error)
        has_file, has_other = ((Path(path) / name).is_file() for name in PROCESSOR_FILES[:2])
        if not has_file and (not has_other or "load image processor" in str(error)):
            where = f"there is no {PROCESSOR_FILES[0]}. Copy it from the model that this one was trained from."
        files = ", ".join(name for name in PROCESSOR_FILES if (Path(path) / name).is_file()) or "no file of its own"
        raise ModelUnavailable(f"The processor of {path} cannot be loaded ({files}): {where}") from None
    for holder in (processor, processor.tokenizer):
        template = getattr(holder, "chat_template", None)
        named = template if isinstance(template, dict) else {"": template}
        if not all(isinstance(each, str | None) for each in named.values()):
            raise ModelUnavailable(
                f"The chat_template of {path} is {quoted(template)}, which must be a text (chat_template.json, "
                "tokenizer_config.json). Copy it from the model that this one was trained from."
            )
    for name in ("patch_size", "temporal_patch_size", "merge_size"):  # of which patches are cut
        size = getattr(getattr(processor, "image_processor", None), name, None)
        if isinstance(size, int) and size < 1:
            raise ModelUnavailable(
                f"The model's processor cannot work with its settings ({name} {size}, which must be at least 1). Take "
                "preprocessor_config.json and processor_config.json from the model's own repository."
            )
    # without any of its files transformers makes a tokenizer that knows no word
    names = type(processor.tokenizer).vocab_files_names
    if processor.tokenizer.is_fast:  # a tokenizer.json has all of them
        names = {"tokenizer_file": "tokenizer.json", **names}
    known = sorted({names[kind] for kind in ("tokenizer_file", "vocab_file") if kind in names})
    if not any((Path(path) / name).is_file() for name in known):
        raise ModelUnavailable(
            f"{path} has no tokenizer ({' or '.join(known)}). Copy it from the model that this one was trained from."
        )
    return processor


def _broken_json(path: str) -> str | None:
    """The name of a folder's first JSON file that is none, and what it is; transformers names only some."""
    for file in sorted(Path(path).glob("*.json")):
        if begins_with_mark(file):
            return f"{file.name} begins with a byte order mark. Save it as UTF-8 without one (without BOM)."
        try:
            json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return f"{file.name} is not JSON"
    return None
