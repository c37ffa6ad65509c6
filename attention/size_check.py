"""A config's model held against the size of its files, before room is made for any of it.

Owns the refusal of a config that describes a far larger model than the files hold. Reads their headers alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from math import prod
from pathlib import Path

import torch
from safetensors import safe_open

from .config_check import layer_counts
from .errors import ModelUnavailable, shortened
from .loading_report import shape_text, weight_files
from .quantisation import is_quantised

MOST_TIMES = 2  # the numbers of its files: a model may have weights that are tied, and stand there once
PACKED_IN_A_BYTE = 8  # numbers, in the tightest way of quantising


def check_size(folder: str, config, model_id: str) -> None:
    """Raise ModelUnavailable where a config describes a far larger model than its files hold.

    transformers would make room for all of it, and fill it at random, before it reports that.
    """
    from transformers import AutoModelForImageTextToText

    _check_depth(Path(folder), config, model_id)
    try:
        with torch.device("meta"):
            model = AutoModelForImageTextToText.from_config(deepcopy(config), trust_remote_code=False)
    except Exception:  # noqa: BLE001 - transformers fails on this config again as it loads, and that is said
        return
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    held = _numbers(Path(folder), model_id, is_packed=is_quantised(config))
    if sum(sizes.values()) > MOST_TIMES * held:
        name = max(sizes, key=sizes.get)
        shape = shape_text(model.get_parameter(name).shape)
        raise ModelUnavailable(
            f"config.json of {shortened(model_id)} describes a model of {sum(sizes.values()):,} numbers, and its files "
            f"hold {held:,}: {name} for one would be {shape}. Take the config.json that belongs to these weights."
        )


def _check_depth(path: Path, config, model_id: str) -> None:
    """Raise ModelUnavailable where a config has far more layers than any index in the names of the weights counts.

    Of a few more the weights that are missing are said by their names.
    """
    found = [int(index) for name in _names(path, model_id) for index in re.findall(r"\.(\d{1,6})\.", name)]
    for field, count in layer_counts(config):
        if found and count > MOST_TIMES * (max(found) + 1):
            raise ModelUnavailable(
                f"config.json of {shortened(model_id)} has {field} {count:,}, and its files have weights of "
                f"{max(found) + 1:,} layers at most. Take the config.json that belongs to these weights."
            )


def _names(path: Path, model_id: str) -> Iterator[str]:
    """The names of a folder's weights."""
    for file in weight_files(path, model_id):
        with safe_open(path / file, framework="np") as tensors:
            yield from tensors.keys()


def _numbers(path: Path, model_id: str, is_packed: bool) -> int:
    """How many numbers a folder's weights are; of packed ones, how many they can be at most."""
    if is_packed:
        return PACKED_IN_A_BYTE * sum((path / file).stat().st_size for file in weight_files(path, model_id))
    held = 0
    for file in weight_files(path, model_id):
        with safe_open(path / file, framework="np") as tensors:
            held += sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return held
