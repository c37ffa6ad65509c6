"""Catch queries and keys on their way into the model's own attention, and stream them to disk.

Owns what becomes of a layer whose calls came by (`gathering`); nothing is re-derived from hidden states. Knows no
family: which modules are attention, and which rows are wanted, it is told in a `TowerPlan`.

Of each layer is kept: the factors (queries and keys as they entered the product, after norms and rotary
embedding), the mask, the rows asked for (softmax in float32, rounded once to float16) and scores of those rows.

Three steps, whatever the device: `take` keeps a layer's tensors as they are (`blocks`), `_read_kept` computes rows,
sinks and scores of what was kept (`layer_reading`), and `_write` hands them to the writer. On a CPU a layer is read as
it comes, since what is kept would hold the activations around it. On CUDA the pass comes first: in it a layer costs at
most 12 calls of torch (3 more for each further call of a layer of blocks) and no wait, its factors leave for the host
beside it, and layers are read together after the pass. Only where the device or the writer's buffer has no room for
another layer, those that are kept are read before it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import save_file

from attention.errors import AttentionError
from attention.models.scores import Scores

from .blocks import Block, KeptLayer, Masks, joined
from .exact_rows import FiniteCheck
from .gathering import Gathering
from .host_copies import HostCopies
from .layer_reading import Reading, read_layers
from .layer_writer import LayerWriter
from .plan import TowerPlan

DEVICE_SHARE = 4  # of what is free on a device as the first layer comes, one part in so many keeps layers


class Capture(Gathering):
    """A context in which the layers of one sequence's forward pass are kept, one by one, in a folder."""

    def __init__(
        self,
        folder: Path,
        towers: dict[str, TowerPlan],
        buffer_bytes: int = 2 << 30,
        on_layer: Callable[[], None] | None = None,
        device_bytes: int | None = None,
    ):
        """`device_bytes` of layers are kept on each CUDA device; by default a quarter of what is free there."""
        super().__init__(towers, on_layer)
        self.folder = folder
        self.sinks: dict[str, dict[str, list[int]]] = {name: {} for name in towers}
        self.layers: dict[str, dict[int, dict]] = {name: {} for name in towers}
        self._kept: list[KeptLayer] = []
        self._buffer_bytes, self._device_bytes = buffer_bytes, device_bytes
        self._room_on: dict[torch.device, int] = {}
        self._copies, self._table_copies = HostCopies(), HostCopies()
        self._tables: dict[str, dict[int, dict[str, torch.Tensor]]] = {name: {} for name in towers}
        self._masks = Masks()
        self._writer = LayerWriter(buffer_bytes)

    def __enter__(self) -> Self:
        for name in self.towers:
            (self.folder / name).mkdir(exist_ok=True)
        self._writer.start()
        return super().__enter__()

    def __exit__(self, kind, error, trace) -> None:
        is_whole = False
        try:
            super().__exit__(kind, error, trace)
            if kind is None:
                self._read_kept()
                is_whole = True
        finally:
            self._kept.clear()
            self._masks.forget_calls()
            self._writer.finish(abandon=not is_whole)
        if kind is not None:
            if self._writer.refusal is not None and not issubclass(kind, AttentionError):
                raise self._writer.refusal from None  # numbers that are none break what is counted on them, too
            return
        if self._masks.tensors:
            save_file(self._masks.tensors, self.folder / "masks.safetensors")
        self._save_scores()

    def sinks_by_key(self) -> dict[str, dict[str, list[int]]]:
        """The sinks that were found, {tower: {layer: keys}}, as keys of the run: tokens, where its keys are tokens."""
        return {
            tower: {layer: self.towers[tower].tokens_of(keys) for layer, keys in by_layer.items()}
            for tower, by_layer in self.sinks.items()
        }

    def take(self, module, query, key, value, mask, kwargs, output=None):
        name = self._names.get(id(module))
        if name is not None:
            value = value if self.towers[name[0]].looks_for_sinks else None
            self._add(name, module, query, key, value, mask, kwargs)
        return output

    @torch.no_grad()
    def _keep(self, tower: str, index: int, blocks: list[Block], formula: Scores) -> None:
        self._writer.raise_error()
        layer = KeptLayer(tower, index, blocks, joined(blocks, "query"), joined(blocks, "key"), formula)
        self.layers[tower][index] = {
            "index": index,
            "kind": "softmax",
            "file": f"{tower}/layer_{index:02d}.safetensors",
            "kv_heads": layer.key.shape[0],
            "head_dim": layer.key.shape[2],
            **({"learned_sink": True} if formula.sink_logits is not None else {}),
            **({"position_bias": True} if formula.position_bias is not None else {}),
        }
        is_read_later = layer.query.device.type == "cuda"
        if is_read_later:
            self._make_room_for(layer)
        layer.on_host = {"query": self._copies.begin(layer.query), "key": self._copies.begin(layer.key)}
        self._kept.append(layer)
        if not is_read_later:
            self._read_kept()

    def _make_room_for(self, layer: KeptLayer) -> None:
        """Read the layers that are kept, where the device or half of the buffer has no room for one more."""
        device = layer.query.device
        if device not in self._room_on:
            self._room_on[device] = _free_bytes(device) if self._device_bytes is None else self._device_bytes
        on_device: dict[int, int] = {}
        for kept in (*self._kept, layer):
            on_device |= kept.on_device if kept.query.device == device else {}
        on_host = sum(map(self._host_bytes, self._kept))
        if (
            sum(on_device.values()) > self._room_on[device]
            or on_host + self._host_bytes(layer) > self._buffer_bytes // 2
        ):
            self._read_kept()
            on_host = 0
        self._writer.wait_for_room(on_host + self._host_bytes(layer))

    def _host_bytes(self, layer: KeptLayer) -> int:
        """Bytes that wait for the writer of a layer."""
        return layer.factor_bytes + 2 * self.towers[layer.tower].n_rows * layer.query.shape[0] * layer.key.shape[1]

    @torch.no_grad()
    def _read_kept(self) -> None:
        """Read the layers that are kept, all at once, and hand them to the writer."""
        layers, self._kept = self._kept, []
        if not layers:
            return
        copies, self._copies = self._copies, HostCopies()
        readings = read_layers(layers, self.towers, self._masks, copies, self._table_copies)
        copies.end()
        for reading in readings:
            self._write(reading, copies, is_last=reading is readings[-1])

    def _write(self, reading: Reading, copies: HostCopies, is_last: bool) -> None:
        layer, plan = reading.layer, self.towers[reading.layer.tower]
        if reading.sinks is not None:
            self.sinks[layer.tower][str(layer.index)] = reading.sinks
            self._tables[layer.tower][layer.index] = reading.tables
        qualified, _ = plan.modules[layer.index]
        metadata = {
            "scaling": repr(layer.formula.scaling),
            "softcap": "" if layer.formula.softcap is None else repr(float(layer.formula.softcap)),
            "mask": reading.mask.name,
            "module": qualified,
            "layer": str(layer.index),
            "tower": layer.tower,
            "rows": "all" if plan.stores_all_rows else "tail",
            "how_to_read": layer.formula.how_to_read,
        }
        if layer.query.device.type != "cuda":
            self._writer.wait_for_room(self._host_bytes(layer))
        self._writer.put(
            self.folder / self.layers[layer.tower][layer.index]["file"],
            reading.tensors,
            metadata,
            FiniteCheck(layer.where, reading.mask.allowed),
            before=copies.wait,
            after=copies.give_back if is_last else None,
        )

    def _save_scores(self) -> None:
        self._table_copies.end()
        self._table_copies.wait()
        tables = {}
        for tower, layers in self._tables.items():
            for name in next(iter(layers.values()), {}):
                tables[f"{tower}.{name}"] = torch.stack([layers[layer][name] for layer in sorted(layers)]).contiguous()
        if tables:
            note = (
                "float32 [layer, head, row] of the stored rows; entropies in bits; "
                "spatial_entropy from the last prompt token on, NaN before"
            )
            save_file(tables, self.folder / "scores.safetensors", {"how_to_read": note})
        self._table_copies.give_back()


def _free_bytes(device: torch.device) -> int:
    """Bytes of a device that layers may be kept in."""
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # torch's own, and free
    return (torch.cuda.mem_get_info(device)[0] + unused) // DEVICE_SHARE
