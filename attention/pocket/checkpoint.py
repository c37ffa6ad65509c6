"""A half-trained model on disk: weights and the optimizers' state in one safetensors file.

Owns the file's layout. Knows nothing about losses or batches.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def write_checkpoint(path: Path, stage: int, step: int, model, optimizers: list[torch.optim.Optimizer]) -> None:
    """Write everything that going on from this step needs; the old file stays until the new one is whole."""
    tensors = {f"model.{name}": tensor.detach() for name, tensor in model.named_parameters()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{index}.{name}": tensor for name, tensor in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, unfinished, {"stage": str(stage), "step": str(step)})
    unfinished.replace(path)


def read_position(path: Path) -> tuple[int, int]:
    """Return the stage and the step that a checkpoint goes on with."""
    with safe_open(path, "pt") as file:
        return int(file.metadata()["stage"]), int(file.metadata()["step"])


def read_checkpoint(path: Path, model, optimizers: list[torch.optim.Optimizer]) -> None:
    """Put a checkpoint's weights and state into a model and the optimizers of its stage."""
    parameters = dict(model.named_parameters())
    states: list[dict[int, dict[str, torch.Tensor]]] = [{} for _ in optimizers]
    with safe_open(path, "pt", device=str(model.device)) as file, torch.no_grad():
        for name in file.keys():  # noqa: SIM118 (a file, not a dictionary)
            kind, rest = name.split(".", 1)
            if kind == "model":
                parameters[rest].copy_(file.get_tensor(name))
            else:
                number, index, entry = rest.split(".")
                states[int(number)].setdefault(int(index), {})[entry] = file.get_tensor(name)
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
