"""Adapter folders for tests: saved by PEFT itself on a tiny random model, or written by hand, whole or broken."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."


def base_model(folder) -> torch.nn.Module:
    """A tiny model of a folder, in float32."""
    return AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()


def saved_adapter(model_folder, folder, seed=0, size=0.3, dtype=torch.float32, **config) -> Path:
    """An adapter with random weights on the model of `model_folder`, as PEFT saves it; `config` are LoraConfig's.

    No weight of it is zero, so that it changes what it touches; modules it replaces are changed, too.
    """
    settings = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], **config}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = get_peft_model(base_model(model_folder), LoraConfig(**settings))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_magnitude_vector" in name:
                    parameter.mul_(1 + size * torch.rand(parameter.shape, generator=generator))
                elif "lora_" in name or "modules_to_save" in name:
                    parameter.add_(size * torch.randn(parameter.shape, generator=generator))
        model.to(dtype).save_pretrained(folder)
    return Path(folder)


def written_adapter(folder, modules: dict[str, tuple[int, int]], rank=4, alpha=8, seed=0, **config) -> Path:
    """A LoRA adapter written by hand, without PEFT, for linear modules of the base: {name: (out, in)}."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, (out, into) in modules.items():
        tensors[f"{PREFIX}{name}.lora_A.weight"] = 0.3 * torch.randn(rank, into, generator=generator)
        tensors[f"{PREFIX}{name}.lora_B.weight"] = 0.3 * torch.randn(out, rank, generator=generator)
    settings = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": sorted({name.rpartition(".")[2] for name in modules}),
        "base_model_name_or_path": None,
        **config,
    }
    return write_adapter(folder, settings, tensors)


def write_adapter(folder, config: dict, tensors: dict[str, torch.Tensor]) -> Path:
    """A folder with this config and these tensors, whatever they are."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / WEIGHTS, {"format": "pt"})
    return folder


def read_adapter(folder) -> tuple[dict, dict[str, torch.Tensor]]:
    """The config and the tensors of a folder."""
    return json.loads((Path(folder) / CONFIG).read_text(encoding="utf-8")), load_file(Path(folder) / WEIGHTS)


def changed_adapter(folder, target, config=None, rename=None, drop=None, add=None, change=None) -> Path:
    """A copy that differs: fields of `config`; keys by rename(key), drop(key) and `add`; tensors by change(key, it)."""
    shutil.rmtree(target, ignore_errors=True)
    settings, tensors = read_adapter(folder)
    tensors = {key: change(key, tensor) if change else tensor for key, tensor in tensors.items()}
    tensors = {rename(key) if rename else key: tensor for key, tensor in tensors.items() if not (drop and drop(key))}
    return write_adapter(target, {**settings, **(config or {})}, {**tensors, **(add or {})})
