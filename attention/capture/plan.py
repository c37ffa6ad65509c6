"""The plan of a capture: which queries' rows are kept of each tower, and on which of them sinks are looked for.

Owns the choice between every row and the tail, by the bytes that they may have. Knows no hook and no file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from attention.families.cells import cells_of
from attention.families.family import Inputs
from attention.limits import Limits
from attention.models.kept import LoadedModel

BY_PICTURE = ("vision", "resampler")  # towers that are called picture by picture, or with a batch of pictures
MAX_SINK_ROWS = 256  # queries on which sinks are looked for, evenly spread when there are more


@dataclass
class TowerPlan:
    """Plan of what is kept of one tower.

    `modules` {layer index: (qualified name, module)}; `keys` how many keys each layer has over all calls; `queries`
    how many queries, where that is not as many; `has_blocks` whether a layer may be called several times, or with a
    batch: pictures, tiles or windows that lie one after the other on one key axis and do not read each other; `rows`
    int64 the queries whose rows are stored, ascending; `cells` int64 the keys that are image cells, grid by grid, row
    by row, or else tokens of images; `grid_sizes` [(rows, cols)] of those grids; `sink_rows` int64 the queries on which
    sinks are looked for, the first `sink_rows_before` of which come before the question; `spatial_from` the first query
    whose spatial entropy is worth its time; `lengths` how many keys of each block come before its padding, None where
    there is none.

    All of these count within the tower: `key_tokens` int64 are the tokens that its keys are, where these are not all.
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
    lengths: list[int] | None = None
    key_tokens: np.ndarray | None = None

    @property
    def n_rows(self) -> int:
        return self.rows.shape[0]

    def tokens_of(self, keys: list[int]) -> list[int]:
        """Keys of a layer as keys of the run: the tokens that they are, where its keys are some of the tokens."""
        return keys if self.key_tokens is None else [int(self.key_tokens[key]) for key in keys]

    @property
    def looks_for_sinks(self) -> bool:
        return self.sink_rows.shape[0] > 0

    @cached_property
    def cell_index(self) -> slice | torch.Tensor:
        """`cells` as a slice where they are one range, which costs no copy."""
        n = len(self.cells)
        if n and int(self.cells[-1]) - int(self.cells[0]) == n - 1 and bool((self.cells.diff() == 1).all()):
            return slice(int(self.cells[0]), int(self.cells[-1]) + 1)
        return self.cells


def plan_towers(
    loaded: LoadedModel, inputs: Inputs, n_prompt: int, keeps_vision: bool, limits: Limits
) -> dict[str, TowerPlan]:
    """Plan what is kept of each tower: of those that text reads with, every row where all fit, otherwise the tail."""
    base = loaded.model
    names = {id(module): name for name, module in base.named_modules()}
    modules = {
        tower: {index: (names[id(module)], module) for index, module in by_layer.items()}
        for tower, by_layer in loaded.family.attention_modules(base).items()
    }
    n = len(inputs.ids)
    shapes = loaded.family.towers(base.config)
    keys = {tower: inputs.key_count(tower) for tower in shapes}
    read_by_text = [tower for tower in shapes if tower != "vision" and keys[tower]]
    of = {tower: inputs.tokens_of(tower) for tower in read_by_text}
    row_bytes = {tower: 2 * len(shapes[tower].layers) * shapes[tower].heads * keys[tower] for tower in read_by_text}
    stores_all = sum(row_bytes[tower] * inputs.query_count(tower) for tower in read_by_text) <= limits.rows_bytes
    in_tail = sum(row_bytes[tower] for tower in read_by_text if of[tower].query(n_prompt - 1) is not None)
    n_tail = max(1, min(n - n_prompt + 1, limits.rows_bytes // in_tail))
    rows = (0, n) if stores_all else (n_prompt - 1, n_prompt - 1 + n_tail)
    before, words = sink_rows(inputs)
    plans = {}
    for tower in read_by_text:
        cells = inputs.cells_of(tower)
        grids = inputs.grids_of(tower)
        place = {cell: key for key, cell in enumerate(cells) if cell is not None}
        pictured = [place[cell] for cell in cells_of(grids)]
        if tower not in inputs.keys and not grids:
            pictured = sorted(inputs.token_images)  # tokens of pictures that have no place
        own_before, own_words = (
            [at for row in each if (at := of[tower].query(row)) is not None] for each in (before, words)
        )
        n_queries = inputs.query_count(tower)
        reads_itself = inputs.query_tokens.get(tower) == inputs.key_tokens.get(tower) and tower not in inputs.keys
        plans[tower] = TowerPlan(
            modules[tower],
            keys[tower],
            queries=None if reads_itself else n_queries,
            has_blocks=tower in BY_PICTURE,
            rows=torch.arange(*of[tower].queries_in(*rows)),
            stores_all_rows=stores_all,
            cells=torch.tensor(pictured, dtype=torch.int64),
            grid_sizes=[(grid.rows, grid.cols) for _, grid in grids],
            sink_rows=torch.tensor(own_before + own_words if own_words else [], dtype=torch.int64),
            sink_rows_before=len(own_before),
            spatial_from=of[tower].queries_in(0, n_prompt - 1)[1],
            key_tokens=of[tower].keys,
        )
    if keeps_vision:
        plans["vision"] = TowerPlan(
            modules["vision"], keys["vision"], has_blocks=True, lengths=inputs.lengths.get("vision")
        )
    return plans


def sink_rows(inputs: Inputs) -> tuple[list[int], list[int]]:
    """The rows on which sinks are looked for: those that come before the question, and those of words, ascending.

    Words are the prompt's and the answer's after the last picture, evenly thinned out where they are many. Before the
    question are the template's tokens between the last picture and the first word of the prompt, or, where nothing
    stands between, the one token before that word: whatever is asked, they are the same. There is none where the prompt
    comes before the picture.
    """
    roles = inputs.roles
    # where pictures are read by cross-attention, no token stands for a cell
    last = max((i for i, role in enumerate(roles) if role == "image"), default=-1)
    words = [i for i in range(last + 1, len(roles)) if roles[i] in ("prompt", "answer", "thinking")]
    if not words or not inputs.grids:
        return [], []
    first = words[0]
    before = (list(range(last + 1, first)) if last >= 0 else []) or [first - 1]
    if len(words) > MAX_SINK_ROWS:
        step = len(words) / MAX_SINK_ROWS
        words = [words[int(i * step)] for i in range(MAX_SINK_ROWS)]
    return before if first > 0 and roles[first] == "prompt" else [], words
