"""Catch queries and keys on their way into the model's own attention, and stream them to disk.

Owns the context in which what passes the hook (`attention.models.hook`) is kept; nothing is re-derived from hidden
states. Knows no family: which modules are attention, and which rows are wanted, it is told in a `TowerPlan`.

Of each layer is kept: the factors (queries and keys as they entered the product, after norms and rotary
embedding), the mask, the rows asked for (softmax in float32, rounded once to float16) and scores of those rows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token
from pathlib import Path

import torch
from safetensors.torch import save_file

from attention.errors import AttentionError, CaptureError
from attention.measures import rows as scores
from attention.measures.sinks import find_sinks
from attention.models.hook import Recorder, recorder
from attention.models.scores import Scores

from .blocks import Block, Masks, joined
from .exact_rows import ExactRows, FiniteCheck
from .layer_writer import LayerWriter
from .plan import TowerPlan


class Capture:
    """A context in which forward passes of one sequence are kept, layer by layer, in a folder.

    Raises CaptureError, on leaving, when a layer did not come by whole: a run is complete or it is not.
    """

    def __init__(
        self,
        folder: Path,
        towers: dict[str, TowerPlan],
        buffer_bytes: int = 2 << 30,
        on_layer: Callable[[str, int], None] | None = None,
    ):
        self.folder = folder
        self.towers = towers
        self.sinks: dict[str, dict[str, list[int]]] = {name: {} for name in towers}
        self.layers: dict[str, dict[int, dict]] = {name: {} for name in towers}
        self._on_layer = on_layer
        self._names = {
            id(module): (tower, layer) for tower, plan in towers.items() for layer, (_, module) in plan.modules.items()
        }
        self._blocks: dict[tuple[str, int], list[Block]] = {}
        self._scores: dict[str, dict[int, dict[str, torch.Tensor]]] = {name: {} for name in towers}
        self._masks = Masks()
        self._writer = LayerWriter(buffer_bytes)
        self._token: Token[Recorder | None] | None = None

    def __enter__(self) -> Capture:
        for name in self.towers:
            (self.folder / name).mkdir(exist_ok=True)
        self._writer.start()
        self._token = recorder.set(self)
        return self

    def __exit__(self, kind, error, trace) -> None:
        assert self._token is not None  # it was entered
        recorder.reset(self._token)
        self._blocks.clear()
        self._masks.forget_calls()
        self._writer.finish(abandon=kind is not None)
        if kind is not None:
            if self._writer.refusal is not None and not issubclass(kind, AttentionError):
                raise self._writer.refusal from None  # numbers that are none break what is counted on them, too
            return
        for tower, plan in self.towers.items():
            missing = sorted(set(plan.modules) - set(self.layers[tower]))
            if missing:
                raise CaptureError(
                    f"Layers {missing} of the {tower} tower did not pass through the capture; nothing was kept."
                )
        if self._masks.tensors:
            save_file(self._masks.tensors, self.folder / "masks.safetensors")
        self._save_scores()

    def take(self, module, query, key, value, mask, kwargs) -> None:
        """One attention call: query [batch, heads, queries, head_dim], key and value [batch, kv_heads, keys, ...]."""
        name = self._names.get(id(module))
        if name is None:
            return
        tower, layer = name
        plan = self.towers[tower]
        where = f"Layer {layer} of the {tower} tower"
        for unknown, added in kwargs.items():
            if unknown != "s_aux" and isinstance(added, torch.Tensor) and added.is_floating_point():
                raise CaptureError(f"{where} adds {unknown} to its scores, which this version cannot keep exactly.")
        if layer in self.layers[tower]:
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
        blocks = self._blocks.setdefault(name, [])
        norms = [None] * len(query)
        if len(plan.sink_rows):
            norms = torch.linalg.vector_norm(value.detach(), dim=-1, dtype=torch.float32).mean(dim=1)
        new = [Block(query[i], key[i], norms[i], mask, i, causal) for i in range(len(query))]
        if plan.lengths is not None:
            new = [block.first(n) for block, n in zip(new, plan.lengths[len(blocks) :], strict=False)]
        blocks += new
        n_keys = sum(block.key.shape[1] for block in blocks)
        n_queries = sum(block.query.shape[1] for block in blocks)
        expected = plan.keys if plan.queries is None else plan.queries
        if n_keys > plan.keys or n_queries > expected or (not plan.has_blocks and n_keys < plan.keys):
            raise CaptureError(
                f"{where} has {n_keys} keys and {n_queries} queries where {plan.keys} and {expected} were expected."
            )
        if n_keys == plan.keys:
            del self._blocks[name]
            self._finish_layer(tower, layer, blocks, Scores.of(query, kwargs))

    @torch.no_grad()
    def _finish_layer(self, tower, layer, blocks, formula) -> None:
        plan = self.towers[tower]
        with self._writer.device_slot(blocks[0].query.device) as slot:
            where = f"Layer {layer} of the {tower} tower"
            mask = self._masks.of(where, blocks)
            query, key = (joined([getattr(block, name) for block in blocks]) for name in ("query", "key"))
            tensors = {"query": query, "key": key}
            if mask.segments is not None:
                tensors["segments"] = mask.segments
            if formula.sink_logits is not None:
                tensors["sink_logits"] = formula.sink_logits.detach()
            rows = ExactRows(query, key, formula, mask)
            if len(plan.rows):
                sinks = self._find_sinks(tower, layer, plan, rows, blocks)
                tensors["attention"], self._scores[tower][layer] = self._store_rows(plan, rows, sinks)
                tensors["positions"] = plan.rows.to(torch.int32)
            if tower != "language" and query.is_cuda:
                tensors["received"] = rows.received()
            qualified, _ = plan.modules[layer]
            metadata = {
                "scaling": repr(formula.scaling),
                "softcap": "" if formula.softcap is None else repr(float(formula.softcap)),
                "mask": mask.name,
                "module": qualified,
                "layer": str(layer),
                "tower": tower,
                "rows": "all" if plan.stores_all_rows else "tail",
                "how_to_read": formula.how_to_read,
            }
            file = f"{tower}/layer_{layer:02d}.safetensors"
            self.layers[tower][layer] = {
                "index": layer,
                "kind": "softmax",
                "file": file,
                "kv_heads": key.shape[0],
                "head_dim": key.shape[2],
                **({"learned_sink": True} if formula.sink_logits is not None else {}),
            }
            slot.write(self.folder / file, tensors, metadata, FiniteCheck(where, mask.allowed))
        if self._on_layer is not None:
            self._on_layer(tower, layer)

    def _find_sinks(self, tower, layer, plan, rows, blocks) -> torch.Tensor:
        """The keys that are sinks in this layer, int64."""
        cells = plan.cells.to(rows.device)
        if len(plan.sink_rows):
            means = torch.cat([chunk.mean(dim=0)[:, plan.cell_index] for _, chunk in rows.chunks(plan.sink_rows)])
            norms = torch.cat([block.value_norms for block in blocks])[plan.cell_index]
            found = cells[find_sinks(means, plan.sink_rows_before, norms)]
        else:
            found = cells[:0]
        self.sinks[tower][str(layer)] = found.sort().values.tolist()
        return found

    def _store_rows(self, plan, rows, sinks) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The wanted rows as float16 [rows, heads, keys], and their scores, float32 [heads, rows] each."""
        stored, tables = [], []
        for positions, chunk in rows.chunks(plan.rows):  # [heads, rows, keys]
            # rounded once; contiguous per token, so that one token is one read
            stored.append(chunk.transpose(0, 1).to(torch.float16, memory_format=torch.contiguous_format))
            entropy, image_entropy = scores.entropies(chunk, [slice(None), plan.cell_index])
            tables.append(
                {
                    "image_mass": scores.mass(chunk, plan.cell_index),
                    "sink_mass": scores.mass(chunk, sinks),
                    "entropy": entropy,
                    "image_entropy": image_entropy,
                    "spatial_entropy": self._spatial_entropy(plan, positions, chunk),
                }
            )
        return torch.cat(stored), {name: torch.cat([table[name] for table in tables], dim=1) for name in tables[0]}

    @staticmethod
    def _spatial_entropy(plan, positions, rows) -> torch.Tensor:
        """float32 [heads, rows]; NaN before `plan.spatial_from`, where it would cost more than it tells."""
        result = torch.full(rows.shape[:2], float("nan"), device=rows.device)
        first = int(torch.searchsorted(positions, plan.spatial_from))
        if plan.grid_sizes and first < len(positions):
            pictures = scores.Pictures(plan.cell_index, plan.grid_sizes)
            result[:, first:] = scores.spatial_entropy(pictures.maps(rows[:, first:]))
        return result

    def _save_scores(self) -> None:
        tables = {}
        for tower, layers in self._scores.items():
            for name in next(iter(layers.values()), {}):
                tables[f"{tower}.{name}"] = torch.stack(
                    [layers[layer][name].cpu() for layer in sorted(layers)]
                ).contiguous()
        if tables:
            note = (
                "float32 [layer, head, row] of the stored rows; entropies in bits; "
                "spatial_entropy from the last prompt token on, NaN before"
            )
            save_file(tables, self.folder / "scores.safetensors", {"how_to_read": note})
