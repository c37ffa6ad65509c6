"""Small adapters as folders: the two files of PEFT's layout, without PEFT."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

BASE = "Qwen/Qwen3-VL-2B-Instruct"
MODULE = "base_model.model.model.language_model.layers.{layer}.self_attn.q_proj"


def write_adapter(folder: Path, base: str | None = BASE, layers: int = 1, width: int = 8, value: float = 0.0) -> Path:
    """An adapter of rank 2 on the queries of the first layers; `value` is every number of its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": base,
        "r": 2,
        "lora_alpha": 4,
        "target_modules": ["q_proj"],
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    shapes = {"lora_A": (2, width), "lora_B": (width, 2)}
    tensors = {
        f"{MODULE.format(layer=layer)}.{part}.weight": np.full(shape, value, np.float32)
        for layer in range(layers)
        for part, shape in shapes.items()
    }
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    return folder
