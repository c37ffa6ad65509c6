"""Rows of two runs set against each other: which rows, and by every measure.

Rows of tokens that both have in common are compared on the keys in common; where words differ, the means of rows that
stand for each other. Needs NumPy alone; knows no folder of a comparison.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from attention.measures import differences
from attention.runs.run import Run

TEXT_ROWS, PATCH_ROWS = 512, 64  # of a tower, that are compared beforehand
AT_ONCE = 32  # rows of a layer that are read together
THREADS = max(1, min(8, os.cpu_count() or 1))


def compared_rows(run: Run, tower: str, shared: int, aligned: Iterable[dict[str, Any]] = ()) -> list[int]:
    """Choose the rows that are compared beforehand: those after the last picture, the last ones where they are many.

    Then those that are aligned, the first ones where they are many. Of a vision tower's patches some, evenly spread.
    """
    if not run.queries_are_tokens(tower):
        n = run.queries(tower)
        return sorted({round(index) for index in np.linspace(0, n - 1, min(n, PATCH_ROWS))})
    own = set(run.queries_with_rows(tower).tolist())
    after = 1 + max((token["index"] for token in run.info["tokens"] if token["role"] == "image"), default=-1)
    beyond = {row for group in aligned for row in range(group["base"][0], group["base"][1] + 1) if row >= shared}
    common = [row for row in range(min(after, shared - 1), shared) if row in own]
    if not common:  # those of pictures alone read there
        common = sorted(row for row in own if row < shared)
    return [*common[-TEXT_ROWS:], *sorted(beyond & own)[:TEXT_ROWS]]


def measure(
    base: Run, others: Sequence[Run], tower: str, queries: Sequence[int], report: Callable[[int], None],
    aligned: Sequence[Sequence[dict[str, Any]]] = (), shared: int | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Compare rows of every layer: {measure: float32 [others, layers, heads, rows]}. `report` is told layers done.

    Rows from `shared` on are set against those that `aligned` has of each other; NaN where it has none.
    """
    layers = base.layers(tower)
    shape = (len(others), len(layers), base.heads(tower), len(queries))
    tables = {name: np.full(shape, np.nan, np.float32) for name in differences.NAMES}
    common = [row for row in queries if shared is None or tower == "vision" or row < shared]
    done = 0

    def fill(place: tuple[int, int]) -> None:
        i, j = place
        for name, values in of_layer(base, others[i], tower, layers[j], common, shared).items():
            tables[name][i, j, :, : len(common)] = values
        for group in aligned[i] if len(queries) > len(common) else ():
            rows = [at for at, row in enumerate(queries) if at >= len(common) and row in range_of(group["base"])]
            for name, value in of_group(base, others[i], tower, layers[j], group, shared).items() if rows else ():
                tables[name][i, j][:, rows] = value[:, None]

    places = [(i, j) for j in range(len(layers)) for i in range(len(others))]
    with ThreadPoolExecutor(THREADS) as pool:
        for done, _ in enumerate(pool.map(fill, places), 1):
            report(done)
    return tables


def of_layer(
    base: Run, other: Run, tower: str, layer: int, queries: Sequence[int], shared: int | None = None
) -> dict[str, np.ndarray]:
    """Every measure of some rows of one layer: float32 [heads, rows] each.

    Where rows read tokens after the `shared` ones, as in a prefix that reads both ways, these are other words in each
    run: what is read of them is one key more.
    """
    cells, sizes = base.pictures(tower)
    cells = np.arange(base.keys(tower))[cells]
    together = min(base.keys(tower), other.keys(tower))  # answers of their own differ in length
    has_learned = any(run.has_learned_sink(layer, tower) for run in (base, other))
    parts = []
    for first, last in ranges(queries, AT_ONCE):
        p, q = (
            np.concatenate([rows for _, rows in run.dense_chunks(layer, tower, first, last)], axis=1)
            for run in (base, other)
        )
        keys, has_others = together, False
        if shared is not None and base.keys_are_tokens(tower) and _reads_beyond(shared, p, q):
            keys, has_others = shared, True
        p, q = (on_common_keys(rows, keys, has_learned, has_others) for rows in (p, q))
        sinks = [key for key in base.sinks(layer, tower) if key < keys]
        parts.append(differences.of_rows(p, q, cells, sizes, sinks))
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in differences.NAMES}


def of_group(
    base: Run, other: Run, tower: str, layer: int, group: dict[str, Any], shared: int | None
) -> dict[str, np.ndarray]:
    """Every measure of the means of aligned rows of one layer: float32 [heads] each.

    On the keys in common; what is read of others, words of its own, is one key more.
    """
    cells, sizes = base.pictures(tower)
    cells = np.arange(base.keys(tower))[cells]
    keys = base.keys(tower) if shared is None or not base.keys_are_tokens(tower) else shared
    has_learned = any(run.has_learned_sink(layer, tower) for run in (base, other))
    means = []
    for run, which in ((base, "base"), (other, "other")):
        first, last = group[which]
        rows = np.concatenate([rows for _, rows in run.dense_chunks(layer, tower, first, last + 1)], axis=1)
        means.append(on_common_keys(rows.mean(axis=1, dtype=np.float64), keys, has_learned, has_others=True))
    return differences.of_rows(
        means[0], means[1], cells, sizes, [key for key in base.sinks(layer, tower) if key < keys]
    )


def _reads_beyond(shared: int, *of_runs: np.ndarray) -> bool:
    """True where rows of any run read keys after the shared ones."""
    return any(bool(rows[..., shared:].any()) for rows in of_runs)


def on_common_keys(rows: np.ndarray, keys: int, has_learned: bool, has_others: bool = False) -> np.ndarray:
    """The first `keys` of whole rows [..., keys], and what is read of anything else as one key more each.

    That is what is on a learned sink, and of rows that may read `others`, words of one answer, what is on these.
    """
    parts = [rows[..., :keys]]
    if has_learned:
        lacking = np.maximum(1 - rows.sum(axis=-1, keepdims=True, dtype=np.float64), 0)
        parts.append(lacking.astype(rows.dtype))
    if has_others:
        parts.append(rows[..., keys:].sum(axis=-1, keepdims=True))
    return np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def range_of(rows: Sequence[int]) -> range:
    """The rows from a first to a last."""
    return range(rows[0], rows[1] + 1)


def ranges(queries: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Ascending positions as ranges [first, last) of at most so many."""
    first = 0
    for place in range(1, len(queries) + 1):
        if place == len(queries) or queries[place] != queries[place - 1] + 1 or place - first == most:
            yield queries[first], queries[place - 1] + 1
            first = place
