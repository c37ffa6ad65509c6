"""The attention function that is registered with transformers, and the switch that lets a model run it.

The output comes from the model's fast attention, or from `scores` where that leaves out what a layer does to its
scores; whoever listens (`recorder`) is told what went in. Knows nothing of what is kept.
"""

from __future__ import annotations

import contextlib
import contextvars
import re
from collections.abc import Iterable, Iterator
from typing import Protocol

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from attention.errors import CaptureError, quoted

from .edits import edit_of
from .scores import Scores, attend, without_keeping

ATTENTION = "attention_capture"
KNOWN = ("sdpa", "eager", "flex_attention", ATTENTION)  # ways to compute the same softmax attention
FLASH = re.compile(r"flash_attention_\d+|[\w-]+/(vllm-)?flash-attn\d*([@:].*)?")  # installed, or a kernel of the Hub


class Recorder(Protocol):
    """A listener that is told of every attention call, with its output, and returns what the model goes on with."""

    def take(self, module, query, key, value, attention_mask, kwargs: dict, output: torch.Tensor) -> torch.Tensor: ...


recorder: contextvars.ContextVar[Recorder | None] = contextvars.ContextVar("recorder", default=None)


def _attention(module, query, key, value, attention_mask, **kwargs):
    indices = kwargs.pop("indices", None)
    if indices is not None:
        attention_mask = _chosen(attention_mask, indices, key.shape[2])
    edit = edit_of(module)
    if edit is not None:
        attention_mask = edit.mask(module, query, key, attention_mask, kwargs)
    if Scores.of(query, kwargs).are_plain:
        output = _plain(module, query, key, value, attention_mask, kwargs)
    else:
        output = attend(module, query, key, value, attention_mask, kwargs)
    if edit is not None:
        output = edit.output(output, attention_mask)
    listener = recorder.get()
    if listener is not None:
        if torch.is_autocast_enabled(query.device.type):
            raise CaptureError(
                "This model computes under autocast, which rounds its queries and keys behind the capture's back; for "
                "a training in mixed precision accelerate wraps it so. Unwrap it first: "
                "accelerate.utils.extract_model_from_parallel(model, keep_fp32_wrapper=False)."
            )
        output = listener.take(module, query, key, value, attention_mask, kwargs, output)
    return output, None


def _plain(module, query, key, value, mask, kwargs: dict) -> torch.Tensor:
    """Stock SDPA. A mask that is given is copied by kernels, tokens x tokens in each layer: on the way back it is
    computed once more instead of kept."""
    if mask is None:
        return sdpa_attention_forward(module, query, key, value, mask, **kwargs)[0]
    return without_keeping(
        lambda: sdpa_attention_forward(module, query, key, value, mask, **kwargs)[0], query, key, value
    )


def _chosen(mask: torch.Tensor, indices: torch.Tensor, n_keys: int) -> torch.Tensor:
    """A mask [batch, 1, queries, keys] that also hides the keys that a layer's indexer did not choose.

    `indices` int [batch, queries, chosen] are those that it chose; models hide the others themselves for attention
    functions that they know by name, and leave it to all others.
    """
    chosen = torch.zeros(*indices.shape[:2], n_keys, dtype=torch.bool, device=indices.device)
    chosen = chosen.scatter_(-1, indices.long(), True)[:, None]
    return mask & chosen if mask.dtype == torch.bool else mask.masked_fill(~chosen, torch.finfo(mask.dtype).min)


AttentionInterface.register(ATTENTION, _attention)
# Without a mask function of the same name transformers would pass no mask at all.
AttentionMaskInterface.register(ATTENTION, sdpa_mask)


@contextlib.contextmanager
def attention_of(model: torch.nn.Module) -> Iterator[None]:
    """Put a model into evaluation with the capturing attention function, and give it back as it was, come what may.

    Raises CaptureError for a model whose attention implementation is not known to be softmax attention.
    """
    modes = [(module, module.training) for module in model.modules() if module.training]
    model.eval()
    refused = sorted(name for name in attention_names(model) if not (name in KNOWN or FLASH.fullmatch(name)))
    try:
        if refused:
            raise CaptureError(
                f"This model runs {quoted(', '.join(refused))} attention, which is not known here and which the "
                "capture would replace. Load it with attn_implementation='sdpa'."
            )
        with attention_function(model, ATTENTION):
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def attention_names(model: torch.nn.Module) -> set[str]:
    """The attention implementations that parts of a model run, by transformers' names."""
    return {config._attn_implementation for config in _configs(model) if config._attn_implementation is not None}


def fast_attention(model: torch.nn.Module, attending: Iterable[torch.nn.Module]) -> str:
    """The name of the attention function that a model runs beside a capture: SDPA, or ours where that cannot run it.

    `attending` are its modules that are captured: a part that has none of them, as a tower for sound, does not count.
    """
    captured = {id(module) for module in attending}
    without = [module for module in model.modules() if not getattr(module, "_supports_sdpa", True)]
    return ATTENTION if any(id(part) in captured for each in without for part in each.modules()) else "sdpa"


@contextlib.contextmanager
def attention_function(model: torch.nn.Module, name: str) -> Iterator[None]:
    """Let every part of a model run the attention function of this name, and give it back what it had."""
    configs = _configs(model)
    before = [(part, part._attn_implementation) for config in configs for part in _with_its_parts(config)]
    try:
        for config in configs:
            config._attn_implementation = name
        yield
    finally:
        for config, old in before:
            config._attn_implementation = old


def _with_its_parts(config) -> Iterator:
    """A config and those in it, which it overwrites: of towers too that have no module with a config of its own."""
    yield config
    for name in getattr(config, "sub_configs", {}):
        part = getattr(config, name, None)
        if hasattr(part, "_attn_implementation"):
            yield from _with_its_parts(part)


def _configs(model: torch.nn.Module) -> list:
    """The configs that name an attention function, outer ones before the inner ones that they would overwrite."""
    configs = {id(module.config): module.config for module in model.modules() if hasattr(module, "config")}
    return [config for config in configs.values() if hasattr(config, "_attn_implementation")]
