"""Work of a run in numbers, from which somebody may tell how long it takes.

Knows no device and no time.
"""

from __future__ import annotations

from dataclasses import dataclass

from attention.models.kept import in_memory
from attention.models.loading import is_kept, memory_bytes
from attention.request import Request

from .inputs import Inputs


@dataclass(frozen=True)
class Work:
    """The work of one run of a model.

    `tokens` is the longest sequence that may come of it, `new_tokens` those of them that the model writes one by one,
    `patches` the keys of the vision tower. `layers` are those of the language tower, `other_layers` all others;
    `row_values` are the numbers of one row of every language layer and head. `is_loaded`: the weights are in memory,
    and need not be read from files. Of a reading of a finished run `passes` are those over all tokens, where one back
    counts as two; `members` are further ones of the language model alone, which are called together in `batches`.
    """

    tokens: int
    patches: int
    new_tokens: int
    layers: int
    other_layers: int
    row_values: int
    weight_bytes: int
    weight_itemsize: int
    bytes_on_disk: int
    is_loaded: bool
    passes: float = 1.0
    members: int = 0
    batches: int = 0


def work_of(request: Request, inputs: Inputs, family, config, path: str, dtype, tokens: int, n_bytes: int) -> Work:
    """The work of a request on a model in `path`, of which a run may have so many `tokens` and bytes on disk."""
    towers = family.towers(config)
    loaded = next((model for model in in_memory() if model.path == path), None) if is_kept(path) else None
    if loaded is None:
        weight_bytes = memory_bytes(path, config, dtype)
    else:  # on ZeroGPU its files are gone
        weight_bytes = sum(weights.nbytes for weights in loaded.model.parameters())
    layers = {name: len(tower.layers) + len(tower.others) for name, tower in towers.items()}
    return Work(
        tokens=tokens,
        patches=len(inputs.keys.get("vision", ())),
        new_tokens=request.max_new_tokens if request.mode == "generate" and request.answer is None else 0,
        layers=layers["language"],
        other_layers=sum(layers.values()) - layers["language"],
        row_values=len(towers["language"].layers) * towers["language"].heads * tokens,
        weight_bytes=weight_bytes,
        weight_itemsize=dtype.itemsize,
        bytes_on_disk=n_bytes,
        is_loaded=loaded is not None,
    )
