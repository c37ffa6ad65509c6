"""The one base model in memory, and the lock under which it is used.

Knows neither how a model is found nor how it is loaded.
"""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# One job at a time loads, switches, generates and captures; whoever only reads runs never takes it.
INFERENCE = threading.Lock()


@dataclass
class LoadedModel:
    """A model in memory, ready to capture. `path` is the local folder that its files came from.

    `lent` is the caller's own model, as it was given, to be found as it was afterwards; None for one of ours.
    """

    id: str
    revision: str | None
    path: str
    family: Any
    model: PreTrainedModel
    processor: Any
    device: str
    dtype: str
    stamp: tuple = ()
    notes: tuple[str, ...] = ()  # on how it was loaded, for whoever sees a run of it
    lent: torch.nn.Module | None = None


_kept: LoadedModel | None = None
_always: LoadedModel | None = None


def kept() -> LoadedModel | None:
    """The model that is in memory."""
    return _kept


def in_memory() -> list[LoadedModel]:
    """The models that are in memory: the one that is kept, and the one that always is."""
    return [model for model in (_kept, _always) if model is not None]


def keep_always(model: LoadedModel) -> None:
    """Keep a model as long as the process lives, beside the one that is kept after it.

    On ZeroGPU a model's files are removed once its weights are packed: what is let go there cannot be loaded again.
    """
    global _always  # noqa: PLW0603 - one base model at a time is the point
    _always = model


def keep(model: LoadedModel) -> LoadedModel:
    """Keep a model until it is freed, and return it."""
    global _kept  # noqa: PLW0603 - one base model at a time is the point
    _kept = model
    return model


def free() -> None:
    """Let go of the kept model and give its memory back."""
    global _kept  # noqa: PLW0603 - as above
    if _kept is not None:
        _kept = None
        gc.collect()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.empty_cache()
