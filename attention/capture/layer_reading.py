"""Sinks, rows and scores of layers that were kept: all that is computed of a layer after the model computed it.

Layers of one device, shape and mask are read at once, as many as a chunk of rows allows. A device is waited for a fixed
number of times, however many layers there are; what is read goes to the host over `HostCopies`. Knows no file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from attention.measures import rows as scores
from attention.measures.sinks import find_sinks, sinks_in

from .blocks import KeptLayer, Mask, Masks
from .exact_rows import ExactRows, chunk_bytes
from .host_copies import HostCopies, on_host
from .plan import TowerPlan


@dataclass
class Reading:
    """Numbers that were read of a layer, on the host once the copies have landed.

    `tensors` of its file; `sinks` the keys that are sinks, None where no rows are kept; `tables` scores of the stored
    rows by name, float32 [heads, rows].
    """

    layer: KeptLayer
    mask: Mask
    tensors: dict[str, torch.Tensor]
    sinks: list[int] | None = None
    tables: dict[str, torch.Tensor] = field(default_factory=dict)


@dataclass
class Part:
    """Layers that are read at once: of one tower, device, shape and mask."""

    plan: TowerPlan
    readings: list[Reading]

    def __post_init__(self) -> None:
        layers = [reading.layer for reading in self.readings]
        queries, keys = [layer.query.detach() for layer in layers], [layer.key.detach() for layer in layers]
        self.rows = ExactRows(queries, keys, layers[0].formula, self.readings[0].mask)
        index = self.plan.cell_index
        self.cells = index if isinstance(index, slice) else index.to(self.rows.device)


def read_layers(
    layers: list[KeptLayer],
    towers: dict[str, TowerPlan],
    masks: Masks,
    copies: HostCopies,
    table_copies: HostCopies,
) -> list[Reading]:
    """Read what is wanted of these layers, in their order: tensors over `copies`, tables over `table_copies`.

    Raises CaptureError for a mask that is not understood.
    """
    masks.bring(block for layer in layers for block in layer.blocks)
    readings = []
    for layer in layers:
        layer.formula = layer.formula.of_entry(0)  # of blocks too: what each query has of its own is of one entry
        mask = masks.of(layer.where, layer.blocks)
        reading = Reading(layer, mask, dict(layer.on_host))
        if mask.segments is not None:
            reading.tensors["segments"] = mask.segments
        if layer.formula.sink_logits is not None:
            reading.tensors["sink_logits"] = copies.begin(layer.formula.sink_logits.detach())
        if layer.formula.position_bias is not None:
            reading.tensors["position_bias"] = copies.begin(layer.formula.position_bias.detach())
        readings.append(reading)
    parts = _parts(readings, towers)
    with_rows = [part for part in parts if part.plan.n_rows]
    _find_sinks(with_rows)
    settled = [flag for part in with_rows for flag in _store_rows(part, copies, table_copies)]
    if not _all_true(settled):
        for part in with_rows:
            _store_rows(part, copies, table_copies, waits=True)
    for part in parts:
        if part.plan is not towers.get("language") and part.rows.device.type == "cuda":
            received = copies.begin(part.rows.received())
            for reading, own in zip(part.readings, received, strict=True):
                reading.tensors["received"] = own
            part.rows.let_go()
    return readings


def _parts(readings: list[Reading], towers: dict[str, TowerPlan]) -> list[Part]:
    """Readings of one kind together, but no more than a chunk of rows has room for."""
    kinds: dict[tuple, list[Reading]] = {}
    for reading in readings:
        layer = reading.layer
        own = id(layer.formula.sink_logits), id(layer.formula.position_bias)
        formula = layer.formula.scaling, layer.formula.softcap, *own
        shapes = layer.query.shape, layer.key.shape, layer.query.dtype, layer.query.device
        kinds.setdefault((layer.tower, *formula, id(reading.mask), *shapes), []).append(reading)
    parts = []
    for alike in kinds.values():
        layer, plan = alike[0].layer, towers[alike[0].layer.tower]
        heads, n_queries, head_dim = layer.query.shape
        n_keys = layer.key.shape[1]
        rows = max(plan.n_rows, len(plan.sink_rows)) or n_queries
        values = heads * rows * (n_keys + head_dim) + layer.key.shape[0] * n_keys * head_dim
        step = max(1, chunk_bytes(layer.query.device) // (4 * values))
        parts += [Part(plan, alike[start : start + step]) for start in range(0, len(alike), step)]
    return parts


def _find_sinks(parts: list[Part]) -> None:
    """Give each reading its sinks. All devices together are waited for twice."""
    looked = []
    for part in parts:
        if not part.plan.looks_for_sinks:
            for reading in part.readings:
                reading.sinks = []
            continue
        chunks = part.rows.chunks(part.plan.sink_rows)
        means = torch.cat([chunk.mean(dim=1)[..., part.cells] for _, chunk in chunks], dim=1)
        norms = torch.stack([reading.layer.value_norms()[part.cells] for reading in part.readings])
        looked.append((part, means, norms))
        if len(parts) > 1:
            part.rows.let_go()
    with_mass = on_host([means.sum(dim=-1) > 0 for _, means, _ in looked])
    found = []
    for (part, means, norms), seen in zip(looked, with_mass, strict=True):
        n_before = part.plan.sink_rows_before
        if seen.all():
            found.append(sinks_in(means, n_before, norms))
            continue
        each = zip(means, norms, seen, strict=True)
        found.append(torch.stack([find_sinks(rows, n_before, lengths, own) for rows, lengths, own in each]))
    for (part, _, _), sinks in zip(looked, on_host(found), strict=True):
        for reading, own in zip(part.readings, sinks, strict=True):
            reading.sinks = part.plan.cells[own].sort().values.tolist()


def _store_rows(part: Part, copies: HostCopies, table_copies: HostCopies, waits: bool = False) -> list[torch.Tensor]:
    """Give each reading its rows, float16 [rows, heads, keys], and their scores.

    Returns bool scalars: where one is false, a spatial entropy is not yet right, and all must be done again with
    `waits`. On a CPU all is right at once.
    """
    plan, layers = part.plan, range(len(part.readings))
    sinks = [torch.tensor(reading.sinks, dtype=torch.int64).to(part.rows.device) for reading in part.readings]
    waits = waits or part.rows.device.type == "cpu"
    stored, tables, settled = [], [], []
    for positions, chunk in part.rows.chunks(plan.rows):  # [layers, heads, rows, keys]
        # rounded once; contiguous per token, so that one token is one read
        stored.append(chunk.transpose(1, 2).to(torch.float16, memory_format=torch.contiguous_format))
        entropy, image_entropy = scores.entropies(chunk, [slice(None), part.cells])
        spatial = torch.full(chunk.shape[:-1], float("nan"), device=chunk.device)
        first = int(torch.searchsorted(positions, plan.spatial_from))
        if plan.grid_sizes and first < len(positions):
            maps = scores.Pictures(part.cells, plan.grid_sizes).maps(chunk[..., first:, :])
            if waits:
                spatial[..., first:] = scores.spatial_entropy(maps)
            else:
                spatial[..., first:], is_settled = scores.spatial_entropy_in_rounds(maps)
                settled.append(is_settled)
        tables.append(
            {
                "image_mass": scores.mass(chunk, part.cells),
                "sink_mass": torch.stack([scores.mass(chunk[layer], sinks[layer]) for layer in layers]),
                "entropy": entropy,
                "image_entropy": image_entropy,
                "spatial_entropy": spatial,
            }
        )
    part.rows.let_go()
    copies.let_go()
    rows = copies.begin(torch.cat(stored, dim=1))
    whole = {name: table_copies.begin(torch.cat([table[name] for table in tables], dim=-1)) for name in tables[0]}
    for layer, reading in enumerate(part.readings):
        reading.tensors["attention"] = rows[layer]
        reading.tensors["positions"] = plan.rows.to(torch.int32)
        reading.tables = {name: table[layer] for name, table in whole.items()}
    return settled


def _all_true(flags: list[torch.Tensor]) -> bool:
    return all(bool(flag) for flag in on_host(flags))
