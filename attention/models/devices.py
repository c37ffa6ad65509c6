"""The device that a model runs on, and its number format: asked for, and had by this machine.

Knows nothing of a model but its config's dtype and its weights' bytes.
"""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from attention.environment import is_zero_gpu
from attention.errors import InvalidRequest, quoted

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from attention.families.family import Family

DTYPES = ("auto", "float32", "bfloat16", "float16")
ROOM = 1.5  # a device that holds so many times a model's weights holds a run beside them


@cache
def has_cuda() -> bool:
    """True if a CUDA device can be used, not merely seen."""
    if not torch.cuda.is_available():
        return False
    if is_zero_gpu():
        return True  # there, the device exists only inside a job
    try:
        torch.zeros(1, device="cuda")
    except RuntimeError:
        return False
    return True


def device_notice() -> str | None:
    """Advice on what to install where there is an NVIDIA card that torch cannot use; None where all is well."""
    if has_cuda() or not (Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi")):
        return None
    if torch.version.cuda is None:
        return (
            "There is an NVIDIA graphics card, but this PyTorch was built without CUDA, so models run on the CPU. "
            "Install a CUDA build with the selector on pytorch.org."
        )
    return (
        f"There is an NVIDIA graphics card, but PyTorch (built for CUDA {torch.version.cuda}) cannot use it, "
        "so models run on the CPU. "
        "Update the driver, or install a build for its CUDA version with the selector on pytorch.org."
    )


def choose_device(device: str) -> str:
    """`auto`, `cpu`, `mps`, `cuda` or `cuda:N` as a device that is there; `cuda` is all CUDA devices together.

    Raises InvalidRequest.
    """
    if device == "auto":
        return "cuda" if has_cuda() else "cpu"
    if device == "cpu":
        return device
    if device == "mps":
        if torch.backends.mps.is_available():
            return device
        raise InvalidRequest("Device mps is not available here. Use auto or cpu.")
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if not match:
        raise InvalidRequest(f"Device {quoted(device)} is unknown. Use auto, cuda, cuda:N, cpu or mps.")
    if not has_cuda():
        raise InvalidRequest(
            f"Device {device} cannot be used here. {device_notice() or 'There is no CUDA device.'} Use auto or cpu."
        )
    if match[1] and int(match[1]) >= torch.cuda.device_count():
        raise InvalidRequest(
            f"There is no {device}: this machine has {torch.cuda.device_count()} CUDA device(s), from cuda:0 on."
        )
    return device


def devices(device: str) -> list[str]:
    """The devices that a chosen one stands for: several only for `cuda`, on a machine that has them."""
    count = torch.cuda.device_count() if device == "cuda" else 1
    return [f"cuda:{index}" for index in range(count)] if count > 1 else [device]


def choose_dtype(dtype: str, device: str, config) -> torch.dtype:
    """`auto` is float32 on a CPU and what the model was published in elsewhere."""
    if dtype not in DTYPES:
        raise InvalidRequest(f"dtype {quoted(dtype)} is unknown. Use {', '.join(DTYPES)}.")
    if dtype != "auto":
        return getattr(torch, dtype)
    return torch.float32 if device == "cpu" else (getattr(config, "dtype", None) or torch.bfloat16)


def device_map(device: str, n_bytes: int) -> str | dict:
    """Place weights of so many bytes on one device, or over all where no single one holds them and a run beside."""
    if len(devices(device)) == 1 or ROOM * n_bytes < torch.cuda.mem_get_info(device)[0]:
        return {"": device}
    return "auto"


def published_dtype(config) -> torch.dtype:
    """The dtype that a model's files are in."""
    return getattr(config, "dtype", None) or torch.float32


def inputs_for(model: PreTrainedModel, family: Family, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of inputs where a model takes them, and pixel values in the number format in which it does."""
    device = input_device(model)
    pixels = None if family.casts_pixels else model.dtype
    return {
        name: tensor.to(device=device, dtype=pixels if tensor.is_floating_point() else None)
        for name, tensor in tensors.items()
    }


def input_device(model: PreTrainedModel) -> torch.device:
    """Device of a model's inputs: its embeddings'. Of weights kept elsewhere (`meta`) accelerate's hook knows it."""
    embeddings = model.get_input_embeddings()
    hook = getattr(embeddings, "_hf_hook", None)
    for each in getattr(hook, "hooks", (hook,)):
        device = getattr(each, "execution_device", None)
        if device is not None:
            return torch.device(device)
    return embeddings.weight.device
