"""Scores of a row of attention: pure functions on probabilities.

Every function takes float32 rows `[..., keys]` (or maps `[..., rows, cols]`) of torch tensors on any device and
gives float32 back. Entropies are in bits. Knows nothing of models, runs or files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

NAMES = ("image_mass", "sink_mass", "sink_share", "entropy", "image_entropy", "spatial_entropy", "peak")


@dataclass(frozen=True)
class Pictures:
    """Keys that are cells, picture by picture and row by row, and the grid of each picture: [(rows, cols)]."""

    keys: slice | torch.Tensor | np.ndarray
    sizes: Sequence[tuple[int, int]]

    def maps(self, rows: torch.Tensor) -> list[torch.Tensor]:
        """The part of rows [..., keys] on each picture: [..., rows, cols]."""
        if not self.sizes:
            return []  # tokens of pictures may have no place
        parts = rows[..., self.keys].split([rows * cols for rows, cols in self.sizes], dim=-1)
        return [part.unflatten(-1, tuple(size)) for part, size in zip(parts, self.sizes, strict=True)]


def of_rows(
    name: str, rows: np.ndarray | torch.Tensor, pictures: Pictures, sinks: Sequence[Sequence[int]]
) -> torch.Tensor:
    """A score by its name (one of NAMES): rows [layers, heads, keys] -> [layers, heads]; `sinks` are keys, by layer.

    Without pictures masses, shares and peaks are 0, and spatial entropies NaN.
    """
    rows = torch.as_tensor(rows)
    on_pictures = mass(rows, pictures.keys)
    if name == "image_mass":
        return on_pictures
    if name in ("sink_mass", "sink_share"):
        by_layer = [torch.tensor(keys, dtype=torch.int64) for keys in sinks]
        on_sinks = torch.stack([mass(layer, keys) for layer, keys in zip(rows, by_layer, strict=True)])
        share = torch.where(on_pictures > 0, (on_sinks / on_pictures).clamp_max(1), 0.0)
        return on_sinks if name == "sink_mass" else share
    if name == "entropy":
        return entropy(rows)
    if name == "image_entropy":
        return entropy(rows[..., pictures.keys])
    if name == "spatial_entropy":
        maps = pictures.maps(rows)
        return spatial_entropy(maps) if maps else torch.full(rows.shape[:-1], float("nan"))
    assert name == "peak", name
    cells = rows[..., pictures.keys]
    return cells.amax(dim=-1) if cells.shape[-1] else torch.zeros(rows.shape[:-1])


def mass(rows: torch.Tensor, keys: slice | torch.Tensor | np.ndarray) -> torch.Tensor:
    """The sum of each row over some keys (a slice, int64 [n] or bool [keys]): [..., keys] -> [...]."""
    return rows[..., keys].sum(dim=-1)


def entropies(rows: torch.Tensor, parts: Sequence[slice | torch.Tensor]) -> list[torch.Tensor]:
    """Shannon entropy in bits of each row over each part of the keys, divided by the part's mass: [..., keys] -> [...].

    0 for a row without mass there. From H(p / m) = H(p) / m + log m, so that logarithms are taken once for all parts.
    """
    terms = torch.special.entr(rows)
    result = []
    for part in parts:
        total = rows[..., part].sum(dim=-1)
        entropy = terms[..., part].sum(dim=-1) / total + total.log()
        result.append(torch.where(total > 0, entropy.clamp_min(0) / math.log(2), 0.0))
    return result


def entropy(rows: torch.Tensor) -> torch.Tensor:
    """Shannon entropy in bits of each row, divided by its sum first: [..., keys] -> [...]; 0 for a row without mass."""
    return entropies(rows, [slice(None)])[0]


def spatial_entropy(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Spatial entropy, the scatter of the high part of each map, in bits: [..., rows, cols] for each picture -> [...].

    Cells above the mean over all cells of all pictures are kept, less that mean; each 8-connected component has the
    share P_n of what is kept; the result is -sum P_n log2 P_n. 0 is a single blob. After Kang et al., "Your Large
    Vision-Language Model Only Needs A Few Attention Heads For Visual Grounding" (CVPR 2025, arXiv 2503.06287);
    their code thresholds at an absolute value, which depends on the number of cells; here it is the mean, as in the
    paper.
    """
    return _spatial_entropy(maps, _components)


def spatial_entropy_in_rounds(maps: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Spatial entropy without a wait for the device, and bool [] on it: false where some components need more rounds.

    The numbers of `spatial_entropy`, where that is true. It takes a fixed number of steps over every cell, which is
    slow on a CPU.
    """
    settled = torch.ones((), dtype=torch.bool, device=maps[0].device)

    def components(kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        component, is_settled = _components_in_rounds(kept)
        settled.logical_and_(is_settled)
        every = torch.arange(kept.numel(), device=kept.device)
        return component, every, every // kept[0].numel()

    return _spatial_entropy(maps, components), settled


Components = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]  # as `_components`


def _spatial_entropy(maps: Sequence[torch.Tensor], components: Components) -> torch.Tensor:
    batch = maps[0].shape[:-2]
    flat = torch.cat([m.reshape(*batch, -1) for m in maps], dim=-1)
    mean = flat.mean(dim=-1)[..., None, None]
    total = (flat - mean[..., 0]).clamp_min(0).sum(dim=-1).clamp_min(torch.finfo(torch.float32).tiny).reshape(-1)
    result = torch.zeros(batch.numel(), device=flat.device)
    for picture in maps:
        surplus = (picture - mean).reshape(-1, *picture.shape[-2:])
        component, cells, owner = components(surplus > 0)
        kept = surplus.flatten()[cells].clamp_min(0)
        shares = torch.zeros(len(owner), device=flat.device).index_add_(0, component, kept)
        result.index_add_(0, owner, torch.special.entr(shares / total[owner]))
    return (result / math.log(2)).reshape(batch)


def _components(kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """8-connected components of bool [maps, rows, cols], int64 each.

    Returns a number for every kept cell, which cells those are (in the flattened maps), and of every number its map;
    not all numbers are used. Neighbours in a row are one run; runs that touch in the next row are joined, all at once
    and again until none is left: each is hung below the lowest run that it touches, and then below that one's own, to
    the end (after Shiloach and Vishkin, "An O(log n) Parallel Connectivity Algorithm", 1982).
    """
    starts = kept.clone()
    starts[..., 1:] &= ~kept[..., :-1]
    run = starts.flatten().cumsum(0).view(kept.shape) - 1
    owner = starts.nonzero()[:, 0]
    up, down, starts_up, starts_down = kept[:, :-1], kept[:, 1:], starts[:, :-1], starts[:, 1:]
    run_up, run_down = run[:, :-1], run[:, 1:]
    left, right = (slice(None),) * 2 + (slice(None, -1),), (slice(None),) * 2 + (slice(1, None),)
    # of two runs one above the other where the second begins; corner to corner where nothing else joins them
    touching = [
        (up & down & (starts_up | starts_down), run_up, run_down),
        (up[left] & ~up[right] & starts_down[right], run_up[left], run_down[right]),
        (starts_up[right] & down[left] & ~down[right], run_up[right], run_down[left]),
    ]
    edges = [torch.cat([runs[mask] for mask, *both in touching for runs in both[side : side + 1]]) for side in (0, 1)]
    parent = torch.arange(len(owner), device=kept.device)
    while len(edges[0]):
        parent.scatter_reduce_(0, torch.maximum(*edges), torch.minimum(*edges), "amin")
        while not torch.equal(grandparent := parent[parent], parent):
            parent = grandparent
        edges = [parent[side] for side in edges]
        apart = edges[0] != edges[1]
        edges = [side[apart] for side in edges]
    cells = kept.flatten().nonzero()[:, 0]
    return parent[run.flatten()[cells]], cells, owner


def _components_in_rounds(kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For every cell of bool [maps, rows, cols] the first cell of its 8-connected component, int64; and bool [].

    In every round each component is hung below the lowest that touches it, as in `_components`, but over all cells, and
    for so many rounds as bits count the cells of a map: mostly three or four would do. The bool is true where no two
    components touch any more. Cells that are not kept are components of their own.
    """
    n_cells = kept[0].numel()
    none = kept.numel()  # above every number
    own = torch.arange(none, device=kept.device).view(kept.shape)
    parent = torch.arange(none + 1, device=kept.device)
    for _ in range(n_cells.bit_length()):
        label = torch.where(kept, parent[:-1].view(kept.shape), none)
        lowest = torch.where(kept, _lowest_neighbour(label), own)
        parent.scatter_reduce_(0, torch.where(kept, label, own).flatten(), lowest.flatten(), "amin")
        for _ in range(n_cells.bit_length()):
            parent = parent[parent]
    label = torch.where(kept, parent[:-1].view(kept.shape), none)
    return parent[:-1], ((_lowest_neighbour(label) == label) | ~kept).all()


def _lowest_neighbour(label: torch.Tensor) -> torch.Tensor:
    """The lowest number of each cell and the eight around it: [maps, rows, cols]."""
    for dim in (1, 2):
        n = label.shape[dim]
        wider = label.clone()
        wider.narrow(dim, 1, n - 1).copy_(torch.minimum(wider.narrow(dim, 1, n - 1), label.narrow(dim, 0, n - 1)))
        wider.narrow(dim, 0, n - 1).copy_(torch.minimum(wider.narrow(dim, 0, n - 1), label.narrow(dim, 1, n - 1)))
        label = wider
    return label
