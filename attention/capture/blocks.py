"""Blocks of attention calls, and the mask under which a layer's blocks are read.

Owns the forms of masks: causal, full, segments, or bits of its own; what is none of these is refused. Knows no file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from attention.errors import CaptureError


@dataclass(frozen=True)
class Block:
    """One sequence of one attention call: query [heads, queries, head_dim], key [kv_heads, keys, head_dim].

    `value_norms` [keys] are the lengths of the values, mean over heads, where sinks are looked for; `mask` is what the
    whole call was given, and `entry` this sequence's place in its batch; `padding` how many queries and keys after
    these were padding, and left out.
    """

    query: torch.Tensor
    key: torch.Tensor
    value_norms: torch.Tensor | None
    mask: torch.Tensor | None
    entry: int
    causal: bool
    padding: int = 0

    def first(self, length: int) -> Block:
        """The same block without what comes after its first `length` queries and keys, which is padding."""
        query, key = self.query[:, :length], self.key[:, :length]
        return replace(self, query=query, key=key, padding=self.key.shape[1] - length)

    @property
    def form(self) -> tuple:
        """Key that two blocks share where they hide the same keys, for as long as the mask lives."""
        return id(self.mask), self.entry, self.causal, self.query.shape[1], self.key.shape[1]


class Mask(NamedTuple):
    """A mask by its name.

    `allowed` bool [queries, keys], of a mask without a form of its own; `segments` int32, the ends of its blocks.
    """

    name: str
    allowed: torch.Tensor | None = None
    segments: torch.Tensor | None = None


class Masks:
    """The masks of one forward pass: `tensors` are those without a form of their own, uint8 [queries, keys / 8]."""

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._names: dict[bytes, str] = {}
        self._known: dict[tuple, tuple[list[torch.Tensor | None], Mask]] = {}

    def forget_calls(self) -> None:
        """Let go of the tensors that the model's attention was given."""
        self._known.clear()

    def of(self, where: str, blocks: list[Block]) -> Mask:
        """The mask of a layer's blocks. Raises CaptureError, which begins with `where`, for one that is not understood.

        Layers are handed the same few tensors: each is looked at once, and kept so that its id stays its own.
        """
        form = tuple(block.form for block in blocks)
        if form not in self._known:
            self._known[form] = ([block.mask for block in blocks], self._found(where, blocks))
        return self._known[form][1]

    def _found(self, where: str, blocks: list[Block]) -> Mask:
        if len(blocks) == 1 and blocks[0].causal:
            return Mask("causal")
        seen = [_allowed(where, block) for block in blocks]
        if len(blocks) > 1 and all(part is None for part in seen):
            lengths = torch.tensor([block.key.shape[1] for block in blocks], dtype=torch.int64)
            return Mask("segments", None, torch.cumsum(lengths, 0).to(torch.int32))
        if len(blocks) > 1:
            full = [
                torch.ones(block.query.shape[1], block.key.shape[1], dtype=torch.bool, device=block.key.device)
                for block in blocks
            ]
            seen = [torch.block_diag(*(f if p is None else p for f, p in zip(full, seen, strict=True)))]
        (allowed,) = seen
        if allowed is None:
            return Mask("full")
        if allowed.shape[0] == allowed.shape[1] and torch.equal(allowed, torch.ones_like(allowed).tril()):
            return Mask("causal")
        packed = _pack_bits(allowed)
        name = self._names.setdefault(packed.numpy().tobytes(), f"mask_{len(self._names)}")
        self.tensors[name] = packed
        return Mask(name, allowed)


def joined(parts: list[torch.Tensor]) -> torch.Tensor:
    """Blocks [heads, n, head_dim] one after the other."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _allowed(where: str, block: Block) -> torch.Tensor | None:
    """Keys that each query of a block may read, bool [queries, keys]; None for all of them."""
    n_queries, n_keys = block.query.shape[1], block.key.shape[1]
    if block.mask is None:
        if block.padding:
            raise CaptureError(f"{where} reads the padding of its pictures.")
        if not block.causal:
            return None
        return torch.ones(n_queries, n_keys, dtype=torch.bool, device=block.key.device).tril()
    shape = tuple(block.mask.shape)
    mask = block.mask[block.entry if block.mask.shape[0] > 1 else 0]
    given = (n_queries + block.padding, n_keys + block.padding)
    if mask.shape[:-2].numel() != 1 or mask.shape[-2:] != given:
        raise CaptureError(f"{where} has a mask of shape {shape} for {given[0]} queries and {given[1]} keys.")
    mask = mask.reshape(given)
    if mask.dtype != torch.bool:
        added = mask[mask != 0]
        if len(added) and (added.max() > -1e4 or added.min() != added.max()):
            raise CaptureError(f"{where} adds more than a mask to its scores.")
        mask = mask == 0
        if not mask.any(dim=-1).all():
            # a large negative number added to every score of a row hides nothing: all keys lose the same
            raise CaptureError(f"{where} has rows whose mask hides every key; what they read cannot be told.")
    if mask[:n_queries, n_keys:].any():
        raise CaptureError(f"{where} reads the padding of its pictures.")
    mask = mask[:n_queries, :n_keys]
    return None if mask.all() else mask


def _pack_bits(allowed: torch.Tensor) -> torch.Tensor:
    """bool [queries, keys] as uint8 [queries, ceil(keys / 8)], the first key in the lowest bit."""
    return torch.from_numpy(np.packbits(allowed.cpu().numpy(), axis=-1, bitorder="little"))
