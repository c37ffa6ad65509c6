"""A caller's own model, lent for reading and given back as it was.

Owns what a model has besides its weights that a pass could change, and which models one process cannot run as they are.
Knows neither runs nor inputs.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from attention.errors import UnsupportedModel


@contextlib.contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Give a model back as it was when the `with` began, come what may; compiled parts run as they are written.

    Kept are what each module holds (modes, hooks, caches such as Qwen's `rope_deltas`, what accelerate or a compiler
    put in the place of its `forward`), its generation config, and the random states of Python, NumPy, PyTorch and its
    devices.
    """
    held = [(part, dict(part)) for module in model.modules() for part in _parts(module)]
    try:
        with _random_states(model), _as_written():
            yield
    finally:
        for part, before in held:
            for name in [name for name in part if name not in before]:
                del part[name]
            part.update(before)


def unwrapped(model: Any) -> Any:
    """The model below what a compiler or a training in several processes has put around it."""
    while True:
        inner = getattr(model, "_modules", {})
        if "_orig_mod" in inner:
            model = inner["_orig_mod"]
        elif type(model).__name__ in ("DistributedDataParallel", "DataParallel"):
            model = inner["module"]
        else:
            return model


def check_whole(model: torch.nn.Module) -> None:
    """Raise UnsupportedModel for one that a single process cannot run as it is, or not with its adapter."""
    kinds = {type(module).__name__ for module in model.modules()}
    weights = list(model.parameters())
    spread = [
        ("DeepSpeed ZeRO-3", any(hasattr(weight, "ds_id") for weight in weights)),
        ("FSDP", "FullyShardedDataParallel" in kinds),
        ("FSDP or tensor parallelism", any(type(weight).__name__ == "DTensor" for weight in weights)),
    ]
    for way, is_so in spread:
        if is_so:
            raise UnsupportedModel(
                f"Each process holds a part of the weights only ({way}), so none can run the model by itself. Train "
                "with DDP or ZeRO-2, or compare the saved checkpoints afterwards: python -m attention compare."
            )
    if getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False):
        raise UnsupportedModel(
            "Prompt and prefix tuning put tokens of their own before the question, which no map could show. LoRA and "
            "other adapters on weights can be scored."
        )
    if any(callable(getattr(module, "weight", None)) for module in model.modules()):
        raise UnsupportedModel(
            "This model was quantised by torch.ao.quantization, whose layers are no longer those of the model. "
            "Quantise it with torchao, quanto or bitsandbytes."
        )
    if getattr(model, "_converted_to_transformer_engine", False):
        raise UnsupportedModel(
            "The model is trained in FP8 by Transformer Engine, whose layers could not be given back as they are."
        )


def _parts(module: torch.nn.Module) -> list[dict[str, Any]]:
    """Dicts of a module: its attributes, and those among them in which tensors, parts and hooks lie."""
    own = module.__dict__
    generation = getattr(own.get("generation_config"), "__dict__", None)
    return [
        own,
        *(value for value in own.values() if isinstance(value, dict)),
        *([] if not generation else [generation]),
    ]


@contextlib.contextmanager
def _random_states(model: torch.nn.Module) -> Iterator[None]:
    """Give every random generator back the state that it has now."""
    cards = sorted({weight.device.index for weight in model.parameters() if weight.device.type == "cuda"})
    python, numpy = random.getstate(), np.random.get_state()
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        with torch.random.fork_rng(devices=cards):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if mps is not None:
            torch.mps.set_rng_state(mps)


@contextlib.contextmanager
def _as_written() -> Iterator[None]:
    """Run what torch.compile has compiled as it is written: its graphs would go past the capture."""
    if "torch._dynamo" not in sys.modules:  # then nothing is compiled, and importing it takes long
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield
