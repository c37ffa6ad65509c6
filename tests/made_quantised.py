"""Quantised model folders for tests: by a small method of our own, known to transformers, and by real packages."""

import json
import shutil
from pathlib import Path
from typing import ClassVar

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForImageTextToText
from transformers.core_model_loading import ConversionOps
from transformers.quantizers import HfQuantizer, register_quantization_config, register_quantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

METHOD = "whole-rows"  # each row in whole numbers of 8 bits, times a scale of its own
FAILURE = "rows cannot be unpacked on a Tuesday"


@register_quantization_config(METHOD)
class RowsConfig(QuantizationConfigMixin):
    """The record: `is_linear` says whether packed layers are a kind of `nn.Linear`; `fails` lets loading fail."""

    def __init__(self, is_linear=True, fails=False, **_):
        self.quant_method, self.is_linear, self.fails = METHOD, is_linear, fails


class PackedRows(nn.Linear):
    """A linear layer that keeps whole numbers and scales."""

    def __init__(self, into: int, out: int, bias: bool):
        nn.Module.__init__(self)
        self.in_features, self.out_features = into, out
        self.weight = nn.Parameter(torch.empty(out, into, dtype=torch.int8), requires_grad=False)
        self.weight_scale = nn.Parameter(torch.empty(out, 1), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(out)) if bias else None

    def forward(self, x):
        return nn.functional.linear(x, self.weight.to(x.dtype) * self.weight_scale.to(x.dtype), self.bias)


class PackedElsewhere(nn.Module):
    """The same as no `nn.Linear`, as layers of GPTQ are."""

    __init__, forward = PackedRows.__init__, PackedRows.forward


class Failing(ConversionOps):
    """An operation that transformers runs while it loads, and that fails."""

    def convert(self, *_, **__):
        raise ArithmeticError(FAILURE)


@register_quantizer(METHOD)
class RowsQuantizer(HfQuantizer):
    """transformers' side of the method."""

    serialized_names: ClassVar = {"weight": ["weight", "weight_scale"]}

    def _process_model_before_weight_loading(self, model, **_):
        kind = PackedRows if self.quantization_config.is_linear else PackedElsewhere
        for name, module in list(model.named_modules()):
            if is_layer(f"{name}.weight") and isinstance(module, nn.Linear):
                with torch.device("meta"):
                    new = kind(module.in_features, module.out_features, module.bias is not None)
                model.set_submodule(name, new)

    def get_load_operations(self):
        return {"deserialize": lambda _: Failing()} if self.quantization_config.fails else {}

    @property
    def is_trainable(self):
        return False

    def is_serializable(self):
        return True


def is_layer(name: str) -> bool:
    """True if a weight belongs to a linear layer of the language tower."""
    return "language_model" in name and ".layers." in name and name.endswith("proj.weight")


def rows_folder(plain, folder, packs=is_layer, **record) -> str:
    """A copy of a model's folder in which the weights that `packs` names are packed in rows."""
    weights = {}
    for name, weight in load_file(Path(plain) / "model.safetensors").items():
        weights[name] = weight
        if packs(name):
            scale = weight.float().abs().amax(1, keepdim=True) / 127
            weights[name] = (weight / scale).round().to(torch.int8)
            weights[f"{name}_scale"] = scale
    return with_weights(plain, folder, weights, {"quant_method": METHOD, **record})


def compressed_folder(plain, folder, activations=None) -> str:
    """The same in the layout of compressed-tensors; `activations` is its record of what passes through the layers."""
    weights = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel", "dynamic": False}
    group = {"targets": ["Linear"], "weights": weights, "input_activations": activations, "format": "int-quantized"}
    record = {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "quantization_status": "compressed",
        "ignore": ["lm_head", "re:.*visual.*", "re:.*vision.*", "re:.*multi_modal.*"],
        "config_groups": {"group_0": group},
    }
    rows_folder(plain, folder)
    return with_record(folder, record)


def saved_by_transformers(plain, folder, record, dtype=torch.float32) -> str:
    """A copy of a model's folder that transformers has quantised as it loaded it, and saved."""
    model = AutoModelForImageTextToText.from_pretrained(
        plain, dtype=dtype, quantization_config=record, device_map={"": "cpu"}
    )
    shutil.copytree(plain, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    model.save_pretrained(folder)
    return str(folder)


def with_weights(plain, folder, weights: dict[str, torch.Tensor], record: dict) -> str:
    """A copy of a model's folder with these weights, whose config has this record of how they are quantised."""
    shutil.copytree(plain, folder)
    save_file(weights, Path(folder) / "model.safetensors", {"format": "pt"})
    return with_record(folder, record)


def with_record(folder, record: dict) -> str:
    """A folder, in whose config this record is written."""
    config = Path(folder) / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"quantization_config": record}))
    return str(folder)
