"""Failures of a model's own code and weights, told from those of this program, in words."""

from __future__ import annotations

import torch

from attention.errors import ModelUnavailable, shortened, words_for
from attention.models.download import cause_of

MODEL_FAILURES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)  # of its own code


def broken_weight(model: torch.nn.Module) -> str | None:
    """The name of the first weight that holds a number that is not finite."""
    weights = ((name, weight) for name, weight in model.named_parameters() if weight.is_floating_point())
    return next((name for name, weight in weights if not (weight.is_meta or weight.isfinite().all())), None)


def fails_by_itself(error: Exception) -> Exception:
    """The error to raise for one that the model's own code raised; those that have words of their own stay."""
    if words_for(error) is not None:
        return error
    return ModelUnavailable(
        f"The model's own code fails on this input ({shortened(cause_of(error), 200)}). Its config.json, "
        "generation_config.json, or the files of its processor may not belong to its weights."
    )


def is_finite(logits: torch.Tensor) -> bool:
    """True for logits [..., vocabulary] that are numbers; minus infinity rules a token out, and is one."""
    return not bool((logits.isnan() | logits.isposinf()).any())
