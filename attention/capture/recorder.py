"""Catch queries and keys on their way into the model's own attention, and stream them to disk.

Owns the context in which what passes the hook (`attention.models.hook`) is kept; nothing is re-derived from hidden
states. Knows no family: which modules are attention, and which rows are wanted, it is told in a `TowerPlan`.

Of each layer is kept: the factors (queries and keys as they entered the product, after norms and rotary
embedding), the mask, the rows asked for (softmax in float32, rounded once to float16) and scores of those rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from attention.errors import AttentionError, CaptureError, NotFinite
from attention.measures import rows as scores
from attention.measures.sinks import find_sinks
from attention.models.hook import recorder

from .layer_writer import LayerWriter

CHUNK_BYTES = 8 << 20  # float32 rows computed at a time; what is counted on them takes some ten times as much
HOW_TO_READ = (
    "attention[i, h] is the row of token t = positions[i]: softmax over keys j of"
    " query[h, t] . key[h // (heads // kv_heads), j] * scaling,"
    " in float32, over the keys that the mask shows; any other row or column comes from query and key in the same way."
)


@dataclass
class TowerPlan:
    """Plan of what is kept of one tower.

    `modules` {layer index: (qualified name, module)}; `keys` how many keys each layer has over all calls; `queries`
    how many queries, where that is not as many; `has_blocks` whether a layer may be called several times, or with a
    batch: pictures, tiles or windows that lie one after the other on one key axis and do not read each other; `rows`
    int64 the queries whose rows are stored, ascending; `cells` int64 the keys that are image cells, grid by grid, row
    by row; `grid_sizes` [(rows, cols)] of those grids; `sink_rows` int64 the queries on which sinks are looked for,
    the first `sink_rows_before` of which come before the question; `spatial_from` the first query whose spatial entropy
    is worth its time.
    """

    modules: dict[int, tuple[str, torch.nn.Module]]
    keys: int
    queries: int | None = None
    has_blocks: bool = False
    rows: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    stores_all_rows: bool = False
    cells: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    grid_sizes: list[tuple[int, int]] = field(default_factory=list)
    sink_rows: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    sink_rows_before: int = 0
    spatial_from: int = 0

    @cached_property
    def cell_index(self) -> slice | torch.Tensor:
        """`cells` as a slice where they are one range, which costs no copy."""
        n = len(self.cells)
        if n and int(self.cells[-1]) - int(self.cells[0]) == n - 1 and bool((self.cells.diff() == 1).all()):
            return slice(int(self.cells[0]), int(self.cells[-1]) + 1)
        return self.cells


@dataclass(frozen=True)
class _Block:
    """One sequence of one attention call: query [heads, queries, head_dim], key [kv_heads, keys, head_dim].

    `value_norms` [keys] are the lengths of the values, mean over heads, where sinks are looked for; `mask` is what the
    whole call was given, and `entry` this sequence's place in its batch.
    """

    query: torch.Tensor
    key: torch.Tensor
    value_norms: torch.Tensor | None
    mask: torch.Tensor | None
    entry: int
    causal: bool

    @property
    def form(self) -> tuple:
        """Key that two blocks share where they hide the same keys, for as long as the mask lives."""
        return id(self.mask), self.entry, self.causal, self.query.shape[1], self.key.shape[1]


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
        self._blocks: dict[tuple[str, int], list[_Block]] = {}
        self._scores: dict[str, dict[int, dict[str, torch.Tensor]]] = {name: {} for name in towers}
        self._masks: dict[bytes, str] = {}
        self._mask_tensors: dict[str, torch.Tensor] = {}
        self._known_masks: dict[tuple, tuple] = {}
        self._writer = LayerWriter(buffer_bytes)
        self._token = None

    def __enter__(self) -> Capture:
        for name in self.towers:
            (self.folder / name).mkdir(exist_ok=True)
        self._writer.start()
        self._token = recorder.set(self)
        return self

    def __exit__(self, kind, error, trace) -> None:
        recorder.reset(self._token)
        self._blocks.clear()
        self._known_masks.clear()
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
        if self._mask_tensors:
            save_file(self._mask_tensors, self.folder / "masks.safetensors")
        self._save_scores()

    def take(self, module, query, key, value, mask, kwargs) -> None:
        """One attention call: query [batch, heads, queries, head_dim], key and value [batch, kv_heads, keys, ...]."""
        name = self._names.get(id(module))
        if name is None:
            return
        tower, layer = name
        plan = self.towers[tower]
        where = f"Layer {layer} of the {tower} tower"
        for unknown in ("softcap", "s_aux", "position_bias"):
            if kwargs.get(unknown) is not None:
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
        scaling = kwargs.get("scaling")
        scaling = query.shape[-1] ** -0.5 if scaling is None else float(scaling)
        blocks = self._blocks.setdefault(name, [])
        norms = [None] * len(query)
        if len(plan.sink_rows):
            norms = torch.linalg.vector_norm(value.detach(), dim=-1, dtype=torch.float32).mean(dim=1)
        blocks += [_Block(query[i], key[i], norms[i], mask, i, causal) for i in range(len(query))]
        n_keys = sum(block.key.shape[1] for block in blocks)
        n_queries = sum(block.query.shape[1] for block in blocks)
        expected = plan.keys if plan.queries is None else plan.queries
        if n_keys > plan.keys or n_queries > expected or (not plan.has_blocks and n_keys < plan.keys):
            raise CaptureError(
                f"{where} has {n_keys} keys and {n_queries} queries where {plan.keys} and {expected} were expected."
            )
        if n_keys == plan.keys:
            del self._blocks[name]
            self._finish_layer(tower, layer, blocks, scaling)

    @torch.no_grad()
    def _finish_layer(self, tower, layer, blocks, scaling) -> None:
        plan = self.towers[tower]
        with self._writer.device_slot(blocks[0].query.device) as slot:
            mask_name, allowed, segments = self._mask(tower, layer, blocks)
            query, key = (_joined([getattr(block, name) for block in blocks]) for name in ("query", "key"))
            tensors = {"query": query, "key": key}
            if segments is not None:
                tensors["segments"] = segments
            rows = _Rows(query, key, scaling, mask_name, allowed, segments)
            if len(plan.rows):
                sinks = self._find_sinks(tower, layer, plan, rows, blocks)
                tensors["attention"], self._scores[tower][layer] = self._store_rows(plan, rows, sinks)
                tensors["positions"] = plan.rows.to(torch.int32)
            if tower != "language" and query.is_cuda:
                tensors["received"] = rows.received()
            qualified, _ = plan.modules[layer]
            metadata = {
                "scaling": repr(scaling),
                "softcap": "",
                "mask": mask_name,
                "module": qualified,
                "layer": str(layer),
                "tower": tower,
                "rows": "all" if plan.stores_all_rows else "tail",
                "how_to_read": HOW_TO_READ,
            }
            file = f"{tower}/layer_{layer:02d}.safetensors"
            self.layers[tower][layer] = {
                "index": layer,
                "kind": "softmax",
                "file": file,
                "kv_heads": key.shape[0],
                "head_dim": key.shape[2],
            }
            slot.write(self.folder / file, tensors, metadata, _Finite(f"Layer {layer} of the {tower} tower", allowed))
        if self._on_layer is not None:
            self._on_layer(tower, layer)

    def _mask(self, tower, layer, blocks) -> tuple[str, torch.Tensor | None, torch.Tensor | None]:
        """The mask's name, a bool [queries, keys] where it is of no named form, and the ends of segments.

        Layers are handed the same few tensors: each is looked at once, and kept so that its id stays its own.
        """
        form = tuple(block.form for block in blocks)
        if form not in self._known_masks:
            found = self._name_mask(f"Layer {layer} of the {tower} tower", blocks)
            self._known_masks[form] = ([block.mask for block in blocks], found)
        return self._known_masks[form][1]

    def _name_mask(self, where, blocks) -> tuple[str, torch.Tensor | None, torch.Tensor | None]:
        if len(blocks) == 1 and blocks[0].causal:
            return "causal", None, None
        seen = [_allowed(where, block) for block in blocks]
        if len(blocks) > 1 and all(part is None for part in seen):
            lengths = torch.tensor([block.key.shape[1] for block in blocks], dtype=torch.int64)
            return "segments", None, torch.cumsum(lengths, 0).to(torch.int32)
        if len(blocks) > 1:
            full = [
                torch.ones(block.query.shape[1], block.key.shape[1], dtype=torch.bool, device=block.key.device)
                for block in blocks
            ]
            seen = [torch.block_diag(*(f if p is None else p for f, p in zip(full, seen, strict=True)))]
        (allowed,) = seen
        if allowed is None:
            return "full", None, None
        if allowed.shape[0] == allowed.shape[1] and torch.equal(allowed, torch.ones_like(allowed).tril()):
            return "causal", None, None
        packed = _pack_bits(allowed)
        name = self._masks.setdefault(packed.numpy().tobytes(), f"mask_{len(self._masks)}")
        self._mask_tensors[name] = packed
        return name, allowed, None

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


@dataclass(frozen=True)
class _Finite:
    """The look at a layer's tensors, on the host, for numbers that are none.

    Padding does not count: queries that see no key, and keys that no other query sees, by `allowed` bool [queries,
    keys].
    """

    where: str
    allowed: torch.Tensor | None

    def __call__(self, tensors: dict[str, torch.Tensor]) -> None:
        """Raise NotFinite for query [heads, queries, head_dim], key [kv_heads, keys, head_dim] or rows of these."""
        query, key = tensors["query"], tensors["key"]
        largest = _largest(query) * _largest(key) * query.shape[-1]  # of a score, at most; NaN where one of them is
        if largest < torch.finfo(torch.float32).max:
            return
        if not (query.isfinite().all() and key.isfinite().all()):
            odd_queries, odd_keys = (~each.isfinite().all(dim=-1).all(dim=0) for each in (query, key))
            if self.allowed is None:
                raise not_finite(self.where, query.dtype)
            allowed = self.allowed.cpu()
            if (odd_queries & allowed.any(dim=1)).any() or (allowed & odd_keys)[~odd_queries].any():
                raise not_finite(self.where, query.dtype)
        for name in ("attention", "received"):  # products of finite numbers may still be too large
            if name in tensors and tensors[name].isnan().any():
                raise not_finite(self.where, query.dtype)


def _largest(tensor: torch.Tensor) -> float:
    """The largest absolute value, in one pass that makes no copy; NaN where there is one."""
    if not tensor.numel():
        return 0.0
    low, high = torch.aminmax(tensor)
    return float(torch.maximum(-low, high))


def not_finite(where: str, dtype: torch.dtype) -> NotFinite:
    """The error for a place in a model that computes NaN or infinity in this dtype."""
    advice = {
        torch.float16: "float16 ends at 65,504: try dtype bfloat16 or float32.",
        torch.bfloat16: "Try dtype float32.",
    }.get(dtype, "Training may have diverged, or a file is damaged.")
    return NotFinite(
        f"{where} computes numbers that are not finite (NaN or infinity) in {str(dtype).removeprefix('torch.')}, "
        f"so there is no attention to show. {advice}"
    )


class _Rows:
    """Rows of one layer, recomputed in float32 from the tensors that the model's own attention was given."""

    def __init__(self, query, key, scaling, mask, allowed, segments):
        self.query, self.key, self.scaling, self.mask, self.allowed = query, key, scaling, mask, allowed
        self.device = query.device
        self._segments = None if segments is None else segments.to(self.device)
        self._key32: torch.Tensor | None = None

    def chunks(self, positions: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Rows of `positions` (int64, ascending), some at a time: (positions, float32 [heads, rows, keys])."""
        step = max(1, CHUNK_BYTES // (4 * self.query.shape[0] * self.key.shape[1]))
        for chunk in positions.split(step) if len(positions) else ():
            yield chunk, self._softmax(chunk)

    def received(self) -> torch.Tensor:
        """The mean over queries of every row: float32 [heads, keys]."""
        heads, n_queries, _ = self.query.shape
        total = torch.zeros(heads, self.key.shape[1], device=self.device)
        for _, rows in self.chunks(torch.arange(n_queries)):
            total += rows.sum(dim=1)
        return total / n_queries

    def _softmax(self, positions):
        if self._key32 is None:
            self._key32 = self.key.float()
        heads, _, head_dim = self.query.shape
        n_kv, n, _ = self.key.shape
        on_device = positions.to(self.device)
        # a contiguous range is the common case, and a view of it costs nothing
        start, stop = int(positions[0]), int(positions[-1]) + 1
        part = self.query[:, start:stop] if stop - start == len(positions) else self.query[:, on_device]
        part = part.float().reshape(n_kv, heads // n_kv * len(positions), head_dim)
        first, last = self._reach(start, stop)
        key = self._key32[:, first:last]
        rows = torch.matmul(part, key.transpose(1, 2)).view(heads, len(positions), last - first).mul_(self.scaling)
        seen = torch.arange(first, last, device=self.device)
        if self.mask == "causal" and len(positions) > 1:
            rows.masked_fill_(seen[None] > on_device[:, None], float("-inf"))
        elif self._segments is not None:
            own, others = (torch.bucketize(keys, self._segments, right=True) for keys in (on_device, seen))
            rows.masked_fill_(others[None] != own[:, None], float("-inf"))
        elif self.allowed is not None:
            rows.masked_fill_(~self.allowed[on_device], float("-inf"))
        rows = torch.softmax(rows, dim=-1)
        if self.allowed is not None:
            rows.nan_to_num_(0.0)  # a row that sees no key, as padding, reads nothing
        return rows if last - first == n else torch.nn.functional.pad(rows, (first, n - last))

    def _reach(self, start: int, stop: int) -> tuple[int, int]:
        """The keys outside of which no row of [start, stop) reads."""
        if self.mask == "causal":
            return 0, stop
        if self._segments is not None:
            ends = self._segments.tolist()
            first, last = bisect_right(ends, start), bisect_right(ends, stop - 1)
            return (ends[first - 1] if first else 0), ends[last]
        return 0, self.key.shape[1]


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    """Blocks [heads, n, head_dim] one after the other."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _allowed(where: str, block: _Block) -> torch.Tensor | None:
    """Keys that each query of a block may read, bool [queries, keys]; None for all of them."""
    n_queries, n_keys = block.query.shape[1], block.key.shape[1]
    if block.mask is None:
        if not block.causal:
            return None
        return torch.ones(n_queries, n_keys, dtype=torch.bool, device=block.key.device).tril()
    shape = tuple(block.mask.shape)
    mask = block.mask[block.entry if block.mask.shape[0] > 1 else 0]
    if mask.shape[:-2].numel() != 1 or mask.shape[-2:] != (n_queries, n_keys):
        raise CaptureError(f"{where} has a mask of shape {shape} for {n_queries} queries and {n_keys} keys.")
    mask = mask.reshape(n_queries, n_keys)
    if mask.dtype != torch.bool:
        added = mask[mask != 0]
        if len(added) and (added.max() > -1e4 or added.min() != added.max()):
            raise CaptureError(f"{where} adds more than a mask to its scores.")
        mask = mask == 0
        if not mask.any(dim=-1).all():
            # a large negative number added to every score of a row hides nothing: all keys lose the same
            raise CaptureError(f"{where} has rows whose mask hides every key; what they read cannot be told.")
    return None if mask.all() else mask


def _pack_bits(allowed: torch.Tensor) -> torch.Tensor:
    """bool [queries, keys] as uint8 [queries, ceil(keys / 8)], the first key in the lowest bit."""
    return torch.from_numpy(np.packbits(allowed.cpu().numpy(), axis=-1, bitorder="little"))
