"""A model as it is read: with our attention function, without gradients, in the numbers that it was given.

Owns what is set for that time and set back after it. Callers hold `attention.models.kept.INFERENCE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from attention.models.hook import attention_of
from attention.models.kept import LoadedModel
from attention.models.undisturbed import undisturbed


@contextmanager
def in_use(loaded: LoadedModel, is_differentiated: bool = False) -> Iterator[None]:
    """Hold a model ready for the time of a `with`; `is_differentiated` keeps its tensors fit for a backward pass."""
    with ExitStack() as held:
        if loaded.lent is not None:
            held.enter_context(undisturbed(loaded.lent))
        held.enter_context(attention_of(loaded.model))
        # what a model caches in inference mode is unfit for training, which its owner may do, and for a backward pass
        is_lent = loaded.lent is not None
        held.enter_context(torch.no_grad() if is_lent or is_differentiated else torch.inference_mode())
        # rows are computed in float32
        held.enter_context(torch.autocast(torch.device(loaded.device).type, enabled=False))
        yield
