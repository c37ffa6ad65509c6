"""A config's sizes held against its weights: a model far larger than its files, or with fewer layers than they have.

The first would fill the memory with random numbers before transformers reports them; the second would be cut off, with
a note at most. Knows no family.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from copy import deepcopy
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open

from attention.errors import ModelUnavailable, shortened

from .config_check import layer_counts
from .loading_report import weight_files
from .quantisation import is_quantised

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TAKE = "Take the config.json that belongs to these weights."
MOST_TIMES = 2  # what the files have: a weight that is tied may stand there once, and a few that lack are said by name
PACKED_IN_A_BYTE = 8  # numbers, in the tightest way of quantising


def check_size(folder: str, config, model_id: str) -> None:
    """Raise ModelUnavailable where a config describes a far larger model than its files hold."""
    from transformers import AutoModelForImageTextToText

    shapes, n_bytes = _stored(Path(folder), model_id)
    _check_depth(shapes, config, model_id)
    try:
        with torch.device("meta"):
            model = AutoModelForImageTextToText.from_config(deepcopy(config), trust_remote_code=False)
    except Exception:  # noqa: BLE001 - transformers fails on this config again as it loads, and that is said
        return
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    held = sum(map(prod, shapes.values()))
    if sum(sizes.values()) > MOST_TIMES * (PACKED_IN_A_BYTE * n_bytes if is_quantised(config) else held):
        name = max(sizes, key=sizes.__getitem__)
        raise ModelUnavailable(
            f"config.json of {shortened(model_id)} describes a model of {sum(sizes.values()):,} numbers, and its files "
            f"hold {held:,}: {name} for one would be {' x '.join(map(str, model.get_parameter(name).shape))}. {TAKE}"
        )


def check_layers(model_id: str, unexpected: Collection[str], model: PreTrainedModel) -> None:
    """Raise ModelUnavailable where files have more layers than config.json says: the model would be cut off.

    `unexpected` are the names of weights that were left out. Heads and towers that a model does not have are none of
    its layers, nor are those that predict further tokens (num_nextn_predict_layers), which lie after the last.
    """
    further = getattr(model.config.get_text_config(decoder=True), "num_nextn_predict_layers", None) or 0
    for path, module in model.named_modules():
        if not isinstance(module, torch.nn.ModuleList):
            continue
        inside = [name.removeprefix(f"{path}.").partition(".")[0] for name in unexpected if name.startswith(f"{path}.")]
        last = max((int(index) for index in inside if index.isdecimal()), default=-1)
        if last >= len(module) + further:
            fields = " or ".join(name for name, count in layer_counts(model.config) if count == len(module))
            raise ModelUnavailable(
                f"config.json of {shortened(model_id)} says that {path} are {len(module)} layers"
                f"{fields and f' ({fields})'}, and its files have {last + 1}: the model would be cut off. {TAKE}"
            )


def _check_depth(names: Collection[str], config, model_id: str) -> None:
    """Raise ModelUnavailable where a config has far more layers than any index in the names of the weights counts."""
    found = [int(index) for name in names for index in re.findall(r"\.(\d{1,6})\.", name)]
    for field, count in layer_counts(config):
        if found and count > MOST_TIMES * (max(found) + 1):
            raise ModelUnavailable(
                f"config.json of {shortened(model_id)} has {field} {count:,}, and its files have weights of "
                f"{max(found) + 1:,} layers at most. {TAKE}"
            )


def _stored(path: Path, model_id: str) -> tuple[dict[str, tuple[int, ...]], int]:
    """The shapes of a folder's weights by name, and the bytes of their files."""
    shapes: dict[str, tuple[int, ...]] = {}
    n_bytes = 0
    for file in weight_files(path, model_id):
        n_bytes += (path / file).stat().st_size
        with safe_open(path / file, framework="np") as tensors:
            shapes |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    return shapes, n_bytes
