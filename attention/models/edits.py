"""Changes to a model's attention while it runs: edges that are hidden, heads that are silenced.

Owns what the attention function (`hook`) does differently then. Knows no family: which module is which layer, it is
told. A batch has several members, each with its own change; they are computed beside each other and do not read each
other.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass
class LayerEdit:
    """The changes of one layer, member by member of a batch.

    `hidden` bool [members, heads or 1, queries, keys]: edges that are not read; None hides nothing. `silent` {member:
    {head: the output that it has instead, [value_dim], or None for its mean over the rows of the first member}}. `mean`
    [heads, value_dim] is that mean where the unchanged input is no member; a layer that `is_watched` finds it.
    """

    hidden: torch.Tensor | None = None
    silent: Mapping[int, Mapping[int, torch.Tensor | None]] = field(default_factory=dict)
    mean: torch.Tensor | None = None
    is_watched: bool = False

    def mask(self, module, query, key, mask, kwargs: dict[str, Any]) -> torch.Tensor | None:
        """The mask of an attention call with the hidden edges hidden; the call's own where there are none."""
        if self.hidden is None:
            return mask
        hidden = self.hidden.to(query.device)
        if mask is None:
            causal = kwargs.get("is_causal")
            causal = getattr(module, "is_causal", True) if causal is None else causal
            if not causal or query.shape[2] == 1:
                return ~hidden
            n_queries, n_keys = query.shape[2], key.shape[2]
            return torch.ones(n_queries, n_keys, dtype=torch.bool, device=query.device).tril() & ~hidden
        mask = mask[..., : key.shape[2]]
        return mask & ~hidden if mask.dtype == torch.bool else mask.masked_fill(hidden, torch.finfo(mask.dtype).min)

    def output(self, output: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """An output [batch, queries, heads, value_dim] with silenced heads; 0 of a row that sees no key any more."""
        if self.hidden is not None and mask is not None:
            seen = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
            is_empty = ~seen.any(dim=-1)  # kernels differ in what they make of it
            if is_empty.any():
                output = output.masked_fill(is_empty.transpose(1, 2)[..., None], 0)
        if self.is_watched:
            self.mean = output[0].float().mean(dim=0).to(output.dtype)
        if self.silent:
            means = output[0].float().mean(dim=0).to(output.dtype) if self.mean is None else self.mean
            output = output.clone()
            for member, heads in self.silent.items():
                for head, instead in heads.items():
                    output[member, :, head] = means[head] if instead is None else instead.to(output)
        return output


edits: contextvars.ContextVar[Mapping[int, LayerEdit] | None] = contextvars.ContextVar("edits", default=None)


@contextlib.contextmanager
def edited(by_module: Mapping[torch.nn.Module, LayerEdit]) -> Iterator[None]:
    """Change the attention of these modules, for as long as the `with` lasts."""
    token = edits.set({id(module): edit for module, edit in by_module.items()})
    try:
        yield
    finally:
        edits.reset(token)


def edit_of(module: torch.nn.Module) -> LayerEdit | None:
    """The change of a module's attention that is on; None for none."""
    found = edits.get()
    return None if found is None else found.get(id(module))
