"""Blocks of attention calls, the layers that they make up, and the mask under which a layer's blocks are read.

Owns what is kept of a call while the model runs (its tensors, as they are), and the forms of masks, which are looked at
on the host afterwards: causal, full, segments, or bits of its own; what is none of these is refused. Knows no file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch

from attention.errors import CaptureError
from attention.models.scores import Scores

from .host_copies import on_host


class Call(NamedTuple):
    """One attention call as the model made it.

    query [batch, heads, queries, head_dim], key [batch, kv_heads, keys, head_dim]; `value` [batch, kv_heads, keys,
    value_dim] where sinks are looked for, or where what comes after it is asked for; `mask` what the whole call was
    given; `output` [batch, queries, heads, value_dim] where its gradient is asked for.
    """

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor | None
    mask: torch.Tensor | None
    causal: bool
    output: torch.Tensor | None = None

    @property
    def tensors(self) -> list[torch.Tensor]:
        return [each for each in (self.query, self.key, self.value, self.mask) if each is not None]


@dataclass(frozen=True)
class Block:
    """One sequence of one attention call, the one at `entry` of its batch. Making one costs no tensor operation.

    `padding` says how many queries and keys after its own were padding, and are left out.
    """

    call: Call
    entry: int
    padding: int = 0

    def first(self, length: int) -> Block:
        """The same block without what comes after its first `length` queries and keys, which is padding."""
        return replace(self, padding=self.call.key.shape[2] - length)

    @property
    def query(self) -> torch.Tensor:
        """[heads, queries, head_dim]"""
        return self._own(self.call.query)

    @property
    def key(self) -> torch.Tensor:
        """[kv_heads, keys, head_dim]"""
        return self._own(self.call.key)

    def _own(self, whole: torch.Tensor) -> torch.Tensor:
        return whole[self.entry, :, : whole.shape[2] - self.padding] if self.padding else whole[self.entry]

    @property
    def n_queries(self) -> int:
        return self.call.query.shape[2] - self.padding

    @property
    def n_keys(self) -> int:
        return self.call.key.shape[2] - self.padding

    @property
    def form(self) -> tuple:
        """Key that two blocks share where they hide the same keys, for as long as the mask lives."""
        return id(self.call.mask), self.entry, self.call.causal, self.n_queries, self.n_keys


@dataclass
class KeptLayer:
    """A layer as the model computed it, kept for what is read of it: nothing has been computed of it yet.

    query [heads, queries, head_dim] and key [kv_heads, keys, head_dim] of all its `blocks` one after the other, on the
    model's device and in its dtype; `on_host` the copies of both that are on their way to the host.
    """

    tower: str
    index: int
    blocks: list[Block]
    query: torch.Tensor
    key: torch.Tensor
    formula: Scores
    on_host: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The layer's name in sentences."""
        return f"Layer {self.index} of the {self.tower} tower"

    @property
    def on_device(self) -> dict[int, int]:
        """Bytes of each tensor that keeping it holds on its device, by the tensor's id: layers may share a mask."""
        held = [tensor for block in self.blocks for tensor in block.call.tensors]
        if len(self.blocks) > 1:
            held += [self.query, self.key]  # which are copies then
        return {id(tensor): tensor.nbytes for tensor in held}

    @property
    def factor_bytes(self) -> int:
        return self.query.nbytes + self.key.nbytes

    def value_norms(self) -> torch.Tensor:
        """Lengths of the values, mean over heads: float32 [keys]."""
        values = [block.call.value[block.entry] for block in self.blocks if block.call.value is not None]
        norms = [torch.linalg.vector_norm(value.detach(), dim=-1, dtype=torch.float32).mean(dim=0) for value in values]
        return norms[0] if len(norms) == 1 else torch.cat(norms)


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
        self._on_host: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}  # what a call was given, and its copy
        self._known: dict[tuple, Mask] = {}

    def forget_calls(self) -> None:
        """Let go of the tensors that the model's attention was given."""
        self._known.clear()
        self._on_host.clear()

    def bring(self, blocks: Iterable[Block]) -> None:
        """Bring the masks of these blocks to the host, together: they are looked at there."""
        new = {id(block.call.mask): block.call.mask for block in blocks if id(block.call.mask) not in self._on_host}
        given = [mask for mask in new.values() if mask is not None]
        self._on_host |= {id(mask): (mask, copy) for mask, copy in zip(given, on_host(given), strict=True)}

    def of(self, where: str, blocks: list[Block]) -> Mask:
        """The mask of a layer's blocks, whose own masks were brought to the host.

        Layers are handed the same few tensors: each is looked at once, and kept so that its id stays its own. Raises
        CaptureError, which begins with `where`, for one that is not understood.
        """
        form = tuple(block.form for block in blocks)
        if form not in self._known:
            self._known[form] = self._found(where, blocks)
        return self._known[form]

    def _found(self, where: str, blocks: list[Block]) -> Mask:
        if len(blocks) == 1 and blocks[0].call.causal:
            return Mask("causal")
        seen = [self._allowed(where, block) for block in blocks]
        if len(blocks) > 1 and all(part is None for part in seen):
            lengths = torch.tensor([block.n_keys for block in blocks], dtype=torch.int64)
            return Mask("segments", None, torch.cumsum(lengths, 0).to(torch.int32))
        if len(blocks) > 1:
            full = [torch.ones(block.n_queries, block.n_keys, dtype=torch.bool) for block in blocks]
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

    def _allowed(self, where: str, block: Block) -> torch.Tensor | None:
        """Keys that each query of a block may read, bool [queries, keys]; None for all of them."""
        n_queries, n_keys = block.n_queries, block.n_keys
        if block.call.mask is None:
            if block.padding:
                raise CaptureError(f"{where} reads the padding of its pictures.")
            return torch.ones(n_queries, n_keys, dtype=torch.bool).tril() if block.call.causal else None
        _, mask = self._on_host[id(block.call.mask)]
        shape = tuple(mask.shape)
        mask = mask[block.entry if shape[0] > 1 else 0]
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


def joined(blocks: list[Block], name: str) -> torch.Tensor:
    """The `query` or `key` of blocks, [heads, n, head_dim] one after the other."""
    first: torch.Tensor = getattr(blocks[0].call, name)
    if len(blocks) == 1:
        return getattr(blocks[0], name)
    if all(block.call is blocks[0].call and not block.padding for block in blocks):
        return first.transpose(0, 1).flatten(1, 2)  # the whole batch of one call
    return torch.cat([getattr(block, name) for block in blocks], dim=1)


def _pack_bits(allowed: torch.Tensor) -> torch.Tensor:
    """bool [queries, keys] as uint8 [queries, ceil(keys / 8)], the first key in the lowest bit."""
    return torch.from_numpy(np.packbits(allowed.numpy(), axis=-1, bitorder="little"))
