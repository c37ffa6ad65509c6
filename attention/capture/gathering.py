"""Attention calls of one forward pass, put together to layers: what is done with a whole layer is for others to say.

Owns the context in which the hook (`attention.models.hook`) hands its calls on, and the checks that each layer of a
`TowerPlan` came by once and whole, with nothing added to its scores that is not known. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token
from typing import Self

import torch

from attention.errors import CaptureError
from attention.models.hook import Recorder, recorder
from attention.models.scores import Scores

from .blocks import Block, Call
from .plan import TowerPlan

ADDED = ("s_aux", "sinks", "position_bias")  # to scores, by transformers' names, as `Scores` has it


class Gathering:
    """A context in which the attention calls of one sequence's forward pass come by, and become layers.

    `_keep` is given each layer when all its keys have passed. Raises CaptureError, on leaving, when a layer did not
    come by whole: a pass is complete or it is not.
    """

    def __init__(self, towers: dict[str, TowerPlan], on_layer: Callable[[], None] | None = None):
        """`on_layer` is called after each layer that was kept."""
        self.towers = towers
        self._on_layer = on_layer
        self._names = {
            id(module): (tower, layer) for tower, plan in towers.items() for layer, (_, module) in plan.modules.items()
        }
        self._blocks: dict[tuple[str, int], list[Block]] = {}
        self._came: dict[str, set[int]] = {name: set() for name in towers}
        self._token: Token[Recorder | None] | None = None

    def __enter__(self) -> Self:
        self._token = recorder.set(self)
        return self

    def __exit__(self, kind, error, trace) -> None:
        assert self._token is not None  # it was entered
        recorder.reset(self._token)
        self._blocks.clear()
        if kind is None:
            self._check_whole()

    def take(self, module, query, key, value, mask, kwargs, output=None):
        """One attention call: query [batch, heads, queries, head_dim], key and value [batch, kv_heads, keys, ...].

        Returns its output [batch, queries, heads, value_dim], with which the model goes on.
        """
        raise NotImplementedError

    def _keep(self, tower: str, index: int, blocks: list[Block], formula: Scores) -> None:
        """A whole layer, its calls in order."""
        raise NotImplementedError

    def _check_whole(self) -> None:
        for tower, plan in self.towers.items():
            missing = sorted(set(plan.modules) - self._came[tower])
            if missing:
                raise CaptureError(
                    f"Layers {missing} of the {tower} tower did not pass through the capture; nothing was kept."
                )

    def _add(self, name: tuple[str, int], module, query, key, value, mask, kwargs, output=None) -> None:
        """Put a call to those of its layer, and keep the layer when all its keys have passed."""
        tower, layer = name
        plan = self.towers[tower]
        where = f"Layer {layer} of the {tower} tower"
        for unknown, added in kwargs.items():
            if unknown not in ADDED and isinstance(added, torch.Tensor) and added.is_floating_point():
                raise CaptureError(f"{where} adds {unknown} to its scores, which this version cannot keep exactly.")
        if layer in self._came[tower]:
            raise CaptureError(
                f"{where} was called again after all its keys had passed; capture one forward pass at a time."
            )
        if not plan.has_blocks and query.shape[0] != 1:
            raise CaptureError(f"{where} was called with {query.shape[0]} sequences; capture one at a time.")
        if plan.queries is None and query.shape[2] != key.shape[2]:
            raise CaptureError(
                f"{where} read {key.shape[2]} keys with {query.shape[2]} queries: capture without a key-value cache."
            )
        causal = kwargs.get("is_causal")
        causal = getattr(module, "is_causal", True) if causal is None else causal
        causal = bool(causal) and mask is None and query.shape[2] > 1
        if causal and query.shape[2] != key.shape[2]:
            raise CaptureError(f"{where} reads {key.shape[2]} keys in order with {query.shape[2]} queries.")
        call = Call(query, key, value, mask, causal, output)
        blocks = self._blocks.setdefault(name, [])
        new = [Block(call, entry) for entry in range(query.shape[0])]
        if plan.lengths is not None:
            lengths = plan.lengths[len(blocks) : len(blocks) + len(new)]
            if len(lengths) < len(new) or max(lengths) > key.shape[2]:
                raise CaptureError(
                    f"{where} was called with {len(new)} blocks of {key.shape[2]} keys where blocks of {lengths} were "
                    "expected."
                )
            new = [block.first(n) for block, n in zip(new, lengths, strict=True)]
        blocks += new
        n_keys = sum(block.n_keys for block in blocks)
        n_queries = sum(block.n_queries for block in blocks)
        expected = plan.keys if plan.queries is None else plan.queries
        if n_keys > plan.keys or n_queries > expected or (not plan.has_blocks and n_keys < plan.keys):
            raise CaptureError(
                f"{where} has {n_keys} keys and {n_queries} queries where {plan.keys} and {expected} were expected."
            )
        if n_keys == plan.keys:
            del self._blocks[name]
            self._came[tower].add(layer)
            self._keep(tower, layer, blocks, self._formula(where, plan, query, key, kwargs))
            if self._on_layer is not None:
                self._on_layer()

    @staticmethod
    def _formula(where: str, plan: TowerPlan, query, key, kwargs) -> Scores:
        """The formula of a layer. Raises CaptureError for a bias, or sink logits, that would not be kept exactly."""
        formula = Scores.of(query, kwargs)
        has_bias = formula.position_bias is not None
        if not has_bias and (formula.sink_logits is None or formula.sink_logits.dim() == 1):
            return formula
        if plan.has_blocks or (has_bias and formula.softcap is not None):
            scores = "the scores of several blocks" if plan.has_blocks else "scores that it caps"
            raise CaptureError(f"{where} adds numbers of each query to {scores}, which cannot be kept exactly.")
        _, heads, queries, _ = query.shape
        for name, found, sizes in (
            ("position_bias", formula.position_bias, (1, heads, queries, key.shape[2])),
            ("sinks", formula.sink_logits, (1, heads, queries, 1)),
        ):
            is_own = name == "position_bias" or (found is not None and found.dim() > 1)
            if found is not None and is_own and found.shape != sizes:
                raise CaptureError(
                    f"{where} adds {name} of shape {tuple(found.shape)} to its scores, where {sizes} was expected."
                )
        return formula
