"""A finished run: rows, columns, maps and scores, read from its folder.

Knows the layout of the folder; how a row comes out of queries and keys is the business of `factors`. Knows neither
models nor Gradio nor colours, and needs NumPy alone; only `row_scores` needs torch. Everything here is read-only and
may be called from several threads.

In every method `layer` is the layer's index in the model, `head`, `query` and `key` count from 0, `query` is the
position of the row itself (the row of position p predicts token p + 1), and `tower` is `language` or `vision`.
`until` makes a span of one position (a word, a sentence): the last that belongs to it. What is then given is the mean
over the positions `query` (or `key`) to `until` of what each of them alone would give; heads and layers come after.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from attention.errors import DamagedRun, NotInRun, quoted, shown_path
from attention.words import kind_words

from .array_cache import ArrayCache
from .checks.json_fields import parse_json
from .factors import COMPUTED, FACTORS, Layer, chunks, to_wide
from .float16 import to_float16, to_float32
from .layer_file import LayerFile
from .masks import Mask
from .pooling import pool_maps, pooled_shape
from .token_spans import TokensOf
from .token_table import TokenTable
from .tokens import find_words, spans

if TYPE_CHECKING:
    from typing_extensions import TypeIs

FORMAT = 2  # 1 where no layer has a position bias and every token reads, and is read, in each tower of tokens

SPANS_SAID = 8  # of the tokens of a tower, where a token is refused that is none

ROWS = ArrayCache(64 << 20)  # rows of one token in every layer: its atlas, masses and scores are made of the same
_ONE_WALK = threading.Lock()  # through a whole layer: each keeps all cores busy for a while


@cache
def layers_at_once() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="read layers")


@cache
def walks_at_once() -> ThreadPoolExecutor:
    """Threads for walks through whole layers: rows, which take milliseconds, do not wait behind them."""
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="walk layers")


def open_run(folder: str | os.PathLike[str]) -> Run:
    """Open a run folder. Raises DamagedRun when it is none, is incomplete, or was written by a later version."""
    return Run(folder)


class Run:
    """One captured forward pass. `info` is the content of run.json, `folder` where it lies."""

    kind: Literal["run"] = "run"
    is_signed = False  # True where a reading's effects stand in the place of attention: then all rows may be one
    SOURCE = "factors"  # of what is computed
    readings_at: Path | None = None  # the folder for what is read of it later, where that is not beside it

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        where = shown_path(self.folder)
        try:
            self.info = parse_json((self.folder / "run.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise DamagedRun(f"{where} is not a finished run: it has no run.json.") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DamagedRun(f"run.json in {where} cannot be read: {reason}.") from None
        version = self.info.get("format") if isinstance(self.info, dict) else None
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise DamagedRun(f"run.json in {where} has format {quoted(version)}; runs have a number from 1 on.")
        if version > FORMAT:
            raise DamagedRun(f"{where} has format {quoted(version)}; this version reads up to {FORMAT}. Update it.")
        self._files: dict[tuple[str, int] | None, LayerFile] = {}  # by tower and layer; the masks' by None
        self._tables: dict[str, np.ndarray] | None = None
        self._cells: dict[int, np.ndarray] = {}
        self._grids: dict[str, list[int]] = {}
        self._tokens: dict[str, TokensOf] = {}
        self._picture_keys: dict[str, tuple[slice | np.ndarray, list[tuple[int, int]]]] = {}
        self._lock = threading.RLock()
        self._owner = object()

    @property
    def is_attention(self) -> bool:
        """True unless a reading's numbers stand in the place of attention."""
        return self.SOURCE == Run.SOURCE

    def reading_settings(self) -> dict[str, Any]:
        """Fields that find the reading again whose numbers these are; none of attention."""
        return {}

    @property
    def owner(self) -> object:
        """The owner of arrays that are kept of it in memory: they are forgotten as it is closed."""
        return self._owner

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, model={self.info['model']['id']!r}, tokens={len(self.info['tokens'])})"

    def _repr_html_(self) -> str:
        """Show it as the last line of a notebook's cell: the viewer in a frame, see `attention.notebook_html`."""
        from attention import notebook_html

        return str(notebook_html(self))

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every file and forget what was computed. The run may be used again, or its folder deleted."""
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()
        for kept in (FACTORS, COMPUTED, ROWS):
            kept.forget(self._owner)

    # What there is

    def towers(self) -> list[str]:
        return list(self.info["towers"])

    def unread_towers(self) -> dict[str, str]:
        """Towers of the model whose rows cannot be kept, by name, and a sentence with the reason."""
        return {
            name: f"The {tower['layers']} layers of this model's {name} tower make no map: {tower['why']}."
            for name, tower in self.info.get("unread_towers", {}).items()
        }

    def layers(self, tower: str = "language") -> list[int]:
        """The layers with softmax attention, by their index in the model, ascending."""
        return [layer["index"] for layer in self._tower(tower)["layers"] if layer.get("file")]

    def other_layers(self, tower: str = "language") -> dict[int, str]:
        """The layers without softmax attention, which have no rows, and what each has instead, in words."""
        records = [layer for layer in self._tower(tower)["layers"] if not layer.get("file")]
        return {record["index"]: kind_words(record.get("kind")) for record in records}

    def heads(self, tower: str = "language") -> int:
        return self._tower(tower)["heads"]

    def keys(self, tower: str = "language") -> int:
        """Number of keys of a layer of this tower: all tokens, or patches of all images."""
        keys = self._tower(tower)["keys"]
        return keys if isinstance(keys, int) else len(keys)

    def queries(self, tower: str = "language") -> int:
        """Number of queries of a layer of this tower: its keys, or where they are not the same things the tokens."""
        return self._tower(tower).get("queries", self.keys(tower))

    def keys_are_tokens(self, tower: str = "language") -> bool:
        """True where the keys of a tower are tokens of the sequence, and no patches."""
        return isinstance(self._tower(tower)["keys"], int)

    def queries_are_tokens(self, tower: str = "language") -> bool:
        """True where what reads in a tower are tokens of the sequence, and no patches."""
        return self.keys_are_tokens(tower) or "queries" in self._tower(tower)

    def cells_read(self, tower: str = "language") -> bool:
        """True where the cells of a tower read too; by cross-attention they are read, and read nothing."""
        if not self.keys_are_tokens(tower):
            return not self.queries_are_tokens(tower)
        record = self._tower(tower)
        return record.get("query_tokens") == record.get("key_tokens")

    def picture_tower(self) -> str:
        """The tower in which text reads pictures: `cross` where there is cross-attention on them, else `language`."""
        return "cross" if "cross" in self.towers() and self.grids("cross") else "language"

    def queries_with_rows(self, tower: str = "language") -> np.ndarray:
        """The queries that have a row, ascending: all, but with an encoder or a resampler the tower's own tokens."""
        own = self._tokens_of(tower).queries
        return np.arange(self.queries(tower)) if own is None else own

    def keys_with_columns(self, tower: str = "language") -> np.ndarray:
        """The keys that are read at all, ascending: all, but in a model with an encoder the tower's own tokens."""
        own = self._tokens_of(tower).keys
        return np.arange(self.keys(tower)) if own is None else own

    def grids(self, tower: str = "language") -> list[int]:
        """The grids whose cells are keys of a tower, ascending."""
        with self._lock:
            if tower not in self._grids:
                keys = self.info["tokens"] if self.keys_are_tokens(tower) else self._tower(tower)["keys"]
                own = self._tokens_of(tower).keys
                read = keys if own is None else [keys[key] for key in own]
                shown = {key["grid"] for key in read if key is not None and key["grid"] is not None}
                self._grids[tower] = [
                    number
                    for number, grid in enumerate(self.info["grids"])
                    if number in shown or (grid["tower"] == tower and not grid["rows"] * grid["cols"])
                ]
            return self._grids[tower]

    def has_learned_sink(self, layer: int | str, tower: str = "language") -> bool:
        """True where a layer has learned sink logits: what a row lacks to 1 is what its head put on the sink.

        Of a reduction over layers ("mean", "max") true where any has.
        """
        layers = self.layers(tower) if is_reduction(layer) else [layer]
        return any("sink_logits" in self._file(each, tower) for each in layers)

    def layer_file(self, layer: int, tower: str = "language") -> Path:
        for record in self._tower(tower)["layers"]:
            if record["index"] == layer and record.get("file"):
                return self.folder / record["file"]
        has, others = _list(self.layers(tower)), self.other_layers(tower)
        if isinstance(layer, int | np.integer) and layer in others:
            raise NotInRun(
                f"Layer {layer} of this run's {tower} tower has {others[layer]}, which makes no map. Layers with maps: "
                f"{has}."
            )
        raise NotInRun(f"Layer {quoted(layer)} has no attention in this run's {tower} tower: it has {has}.")

    @property
    def tokens(self) -> TokenTable:
        """The tokens as a table, by position or by words: `run.tokens[5:9]`, `run.tokens["red"]`."""
        return TokenTable.of(self.info["tokens"])

    def find(self, words: str, role: str | None = None) -> list[int]:
        """The tokens that spell these words, as positions, ascending; none where they do not stand.

        Of every place where they stand: `role` (`prompt`, `answer`, ...) keeps to one part. Upper and lower case are
        the same. The row that *predicts* a token is that of the position before it.
        """
        if not isinstance(words, str):
            raise NotInRun(f"find takes words as a text, not {quoted(words)}.")
        return find_words(self.info["tokens"], words, role)

    def cells(self, grid: int) -> np.ndarray:
        """The key that stands for every cell of a grid, int [rows, cols], on the key axis of the grid's tower."""
        with self._lock:
            if grid not in self._cells:
                self._cells[grid] = self._find_cells(grid)
            return self._cells[grid]

    def tower_cells(self, grid: int, tower: str = "language") -> np.ndarray:
        """`cells` of a grid that must belong to this tower. Raises NotInRun with the grids that do."""
        self._tower(tower)  # refuses one that is not there
        cells = self.cells(grid)
        own = self.grids(tower)
        if grid not in own:
            owner = self.info["grids"][grid]["tower"]
            raise NotInRun(f"Grid {grid} belongs to the {owner} tower; the {tower} tower has grids {_list(own)}.")
        return cells

    # Rows and columns

    def row(
        self, layer: int, query: int, tower: str = "language", source: str = "auto", until: int | None = None
    ) -> np.ndarray:
        """Row of one query, what it reads: float32 [heads, keys], softmax; keys that the mask hides are 0.

        `source` is `stored` (float16 on disk), `factors` (recomputed exactly from queries and keys) or `auto` (stored
        where there is one; of a span, where every row is). Raises NotInRun.
        """
        found = self.row_source(layer, query, tower, source, until)
        last = query if until is None else until
        if found == "stored" and last == query:
            return to_float32(self.stored_row(layer, query, tower))
        if last == query:
            return self._rows(layer, tower, query, query + 1)[:, 0]
        total = np.zeros((self.heads(tower), self.keys(tower)))
        for rows in self._span(layer, tower, query, last + 1, found):
            total += rows.sum(axis=1, dtype=np.float64)
        return (total / (last + 1 - query)).astype(np.float32)

    def rows(
        self, query: int, tower: str = "language", source: str = "auto", until: int | None = None
    ) -> list[np.ndarray]:
        """One token's rows in every layer, in the order of `layers`: float32 [heads, keys] each.

        They are shared: not to be written into.
        """
        layers = self.layers(tower)
        if all(self.row_source(layer, query, tower, source, until) == "stored" for layer in layers):
            return [self.row(layer, query, tower, source, until) for layer in layers]
        return list(_read_only(self._factor_rows(query, tower, until)))

    def row_source(
        self, layer: int, query: int, tower: str = "language", source: str = "auto", until: int | None = None
    ) -> str:
        """Source of a row: `stored` or `factors`; of a span all rows come from one of the two."""
        if source not in ("auto", "stored", "factors"):
            raise NotInRun(f"A row's source is auto, stored or factors, not {quoted(source)}.")
        file = self._file(layer, tower)
        last = self._last_query(query, until, tower)
        if source != "factors" and self._stored_index(file, query, last, tower) is not None:
            return "stored"
        if source == "stored":
            raise _not_stored(layer, query, last)
        if "query" not in file:
            raise NotInRun(f"Layer {layer} keeps no queries and keys; ask for source=stored.")
        return "factors"

    def exact_source(self, layer: int, tower: str = "language") -> str:
        """Source of a layer's float32 rows: `factors`, or `stored` where it keeps none."""
        return "factors" if "query" in self._file(layer, tower) else "stored"

    def stored_row(self, layer: int, query: int, tower: str = "language") -> np.ndarray:
        """The row as it lies on disk: float16 [heads, keys], one contiguous read."""
        file = self._file(layer, tower)
        self._last_query(query, None, tower)
        index = self._stored_index(file, query, query, tower)
        if index is None:
            raise _not_stored(layer, query, query)
        return self._tokens_of(tower).of_keys(file.read_slice("attention", (index,)))

    def column(self, layer: int, key: int, tower: str = "language", until: int | None = None) -> np.ndarray:
        """Column of one key, who reads it: float32 [heads, queries], each value taken from that query's own row."""
        file, tokens = self._file(layer, tower), self._tokens_of(tower)
        stop = self._last_key(key, until, tower) + 1
        if "query" not in file:
            parts = [
                chunk[:, :, key:stop].mean(axis=2, dtype=np.float64) for _, chunk in self.dense_chunks(layer, tower)
            ]
            return np.concatenate(parts, axis=1).astype(np.float32)
        found, own = self._layer(layer, tower), tokens.key(key)
        assert own is not None  # `_last_key` refuses others
        if stop == key + 1:
            return tokens.of_queries(found.columns(own, own + 1)[:, :, 0], axis=1)
        total = np.zeros((found.heads, found.n_queries))
        for first, last in chunks(found.heads, own + stop - key, found.n_queries, own):
            total += found.columns(first, last).sum(axis=2, dtype=np.float64)
        return tokens.of_queries((total / (stop - key)).astype(np.float32), axis=1)

    def columns(self, key: int, tower: str = "language", until: int | None = None) -> list[np.ndarray]:
        """Columns of one key in every layer, in the order of `layers`: float32 [heads, queries] each."""
        return list(layers_at_once().map(lambda layer: self.column(layer, key, tower, until), self.layers(tower)))

    def reduced_row(
        self,
        layer: int | str,
        head: int | str,
        query: int,
        tower: str = "language",
        source: str = "auto",
        until: int | None = None,
    ) -> np.ndarray:
        """One row after choosing or reducing heads, then layers (`mean` or `max` each): float32 [keys]."""
        if not is_reduction(layer):
            return self._reduce(self.row(layer, query, tower, source, until), head, tower)
        rows = [self._reduce(row, head, tower) for row in self.rows(query, tower, source, until)]
        return self.reduced(np.stack(rows), layer)

    def reduced_column(
        self, layer: int | str, head: int | str, key: int, tower: str = "language", until: int | None = None
    ) -> np.ndarray:
        """One column after choosing or reducing heads, then layers (`mean` or `max` each): float32 [queries]."""
        if not is_reduction(layer):
            return self._reduce(self.column(layer, key, tower, until), head, tower)
        columns = [self._reduce(column, head, tower) for column in self.columns(key, tower, until)]
        return self.reduced(np.stack(columns), layer)

    def map(
        self,
        layer: int | str,
        head: int | str,
        query: int,
        grid: int = 0,
        tower: str = "language",
        until: int | None = None,
    ) -> np.ndarray:
        """The part of a row that lies on one picture, tile or frame: float32 [rows, cols], not normalised."""
        cells = self.tower_cells(grid, tower)
        return self.reduced_row(layer, head, query, tower, until=until)[cells]

    def atlas(
        self,
        query: int | None = None,
        grid: int = 0,
        tower: str = "language",
        key: int | None = None,
        until: int | None = None,
        *,
        max_cells: int | None = None,
    ) -> np.ndarray:
        """One token's maps in every layer and head: float16 [layers, heads, cells], cells row by row.

        With `key` instead of `query`: what each cell's token reads from that key. Maps of more than `max_cells` cells
        come as area means, of the shape that `pooled_shape` gives.
        """
        if query is not None and key is not None:
            raise NotInRun("An atlas is of one query or of one key: name one of the two.")
        cells = self.tower_cells(grid, tower)
        layers = self.layers(tower)
        if key is not None:
            if not self.cells_read(tower):
                raise NotInRun(f"Cells of the {tower} tower are read, and read nothing: ask for an atlas of a query.")
            values: Iterable[np.ndarray] = self.columns(key, tower, until)
        elif query is None:
            raise NotInRun("An atlas is of one query or of one key: name one of the two.")
        elif until in (None, query) and layers and self.row_source(layers[0], query, tower) == "stored":
            values = (self.stored_row(layer, query, tower) for layer in layers)
        else:
            values = self.rows(query, tower, until=until)
        n_rows, n_cols = cells.shape
        shape = (n_rows, n_cols) if max_cells is None else pooled_shape(n_rows, n_cols, max_cells)
        result = np.empty((len(layers), self.heads(tower), shape[0] * shape[1]), np.float16)
        keys = _as_slice(cells.reshape(-1))
        for i, each in enumerate(values):
            maps = each[:, keys]
            if shape != cells.shape:
                maps = maps if maps.dtype == np.float32 else to_float32(maps)
                maps = pool_maps(maps.reshape(-1, *cells.shape), *shape).reshape(len(maps), -1)
            result[i] = maps if maps.dtype == np.float16 else to_float16(maps)
        return result

    def dense(self, layer: int, tower: str = "language") -> np.ndarray:
        """Every row of a layer from the factors: float32 [heads, queries, keys], 4 bytes each.

        A token that reads nothing in this tower (see `queries_with_rows`) has 0 everywhere.
        """
        result = np.empty((self.heads(tower), self.queries(tower), self.keys(tower)), np.float32)
        for start, chunk in self.dense_chunks(layer, tower):
            result[:, start : start + chunk.shape[1]] = chunk
        return result

    def dense_chunks(
        self, layer: int, tower: str = "language", first: int = 0, last: int | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """The rows [first, last) of a layer in order, a bounded number at a time: (start, [heads, queries, keys])."""
        file = self._file(layer, tower)
        last = self.queries(tower) if last is None else last
        for start, stop in chunks(self.heads(tower), last, self.keys(tower), first):
            if "query" in file:
                yield start, self._rows(layer, tower, start, stop)
            else:
                rows = [self.row(layer, query, tower) for query in self._own_queries(tower, start, stop)]
                stored = (
                    np.stack(rows, axis=1) if rows else np.zeros((self.heads(tower), 0, self.keys(tower)), np.float32)
                )
                yield start, self._tokens_of(tower).of_queries(stored, 1, start, stop)

    def rows_without(self, layer: int, tower: str, start: int, stop: int, keys: np.ndarray) -> np.ndarray:
        """Rows [start, stop) if some keys, bool [keys], were hidden: float32 [heads, rows, keys], 0 for one of none."""
        return self._rows(layer, tower, start, stop, keys)

    def _rows(self, layer: int, tower: str, start: int, stop: int, without: np.ndarray | None = None) -> np.ndarray:
        """Rows [start, stop) from the factors: float32 [heads, rows, keys]."""
        tokens = self._tokens_of(tower)
        hidden = without if without is None or tokens.keys is None else without[tokens.keys]
        rows = self._layer(layer, tower).rows(*tokens.queries_in(start, stop), hidden)
        return rows if tokens.are_all else tokens.of_queries(tokens.of_keys(rows), 1, start, stop)

    def _own_queries(self, tower: str, start: int, stop: int) -> list[int]:
        """The queries in [start, stop) that have a row."""
        own = self._tokens_of(tower).queries
        return list(range(start, stop)) if own is None else own[(own >= start) & (own < stop)].tolist()

    def _span(self, layer: int, tower: str, first: int, stop: int, source: str) -> Iterator[np.ndarray]:
        """The rows [first, stop) from one source, a bounded number at a time: [heads, rows, keys]."""
        if source == "factors":
            yield from (chunk for _, chunk in self.dense_chunks(layer, tower, first, stop))
            return
        file = self._file(layer, tower)
        index, tokens = self._stored_index(file, first, first, tower), self._tokens_of(tower)
        if index is None:
            raise _not_stored(layer, first, first)
        offset = index - first
        for start, end in chunks(self.heads(tower), stop, self.keys(tower), first):
            rows = to_float32(file.read_slice("attention", (slice(start + offset, end + offset),))).swapaxes(0, 1)
            yield tokens.of_keys(rows)

    # Numbers made of rows

    def masses(self, query: int, tower: str = "language", until: int | None = None) -> np.ndarray:
        """The sum of one row over each group of run.json: float32 [layers, heads, groups], from float32 rows."""
        rows = self.exact_rows(query, tower, until)
        groups = self.info["groups"][tower]
        result = np.zeros((*rows.shape[:2], len(groups)), np.float32)
        for j, group in enumerate(groups):
            if group["spans"] is None:
                for i, layer in enumerate(self.layers(tower)):
                    result[i, :, j] = rows[i][:, self.sinks(layer, tower)].sum(axis=1)
            else:
                for start, stop in group["spans"]:
                    result[:, :, j] += rows[:, :, start:stop].sum(axis=2)
        return result

    def sinks(self, layer: int, tower: str = "language") -> list[int]:
        """Keys that attract attention regardless of the prompt (attention sinks), in this layer of this run."""
        return self.info.get("sinks", {}).get(tower, {}).get(str(layer), [])

    def received(
        self,
        layer: int | str,
        tower: str = "language",
        progress: Callable[[int, int], None] | None = None,
        head: int | str | None = None,
    ) -> np.ndarray:
        """Attention that each key receives, mean over its tower's queries: float32 [heads, keys]; kept once computed.

        `layer` may be `mean` or `max` over all layers; with `head` (a number, `mean` or `max`, before layers) the
        result is [keys]. `progress(done, total)` is called with queries, over all layers that are asked for.
        """
        layers = self.layers(tower) if is_reduction(layer) else [layer]
        n = self.queries(tower)
        found: list[np.ndarray] = []

        def tell(done: int) -> None:
            if progress is not None:
                progress(done, len(layers) * n)

        for i, index in enumerate(layers):
            values = self._received(index, tower, partial(lambda before, done: tell(before + done), i * n))
            tell((i + 1) * n)
            found.append(values if head is None else self._reduce(values, head, tower))
        return getattr(np, layer)(np.stack(found), axis=0) if is_reduction(layer) else found[0]

    def _received(self, layer: int, tower: str, progress: Callable[[int], None]) -> np.ndarray:
        file = self._file(layer, tower)
        if "received" in file:  # computed on the device while the model ran
            return self._tokens_of(tower).of_keys(file.read("received"))

        def compute() -> np.ndarray:
            total = np.zeros((self.heads(tower), self.keys(tower)))
            with _ONE_WALK:
                for start, chunk in self.dense_chunks(layer, tower):
                    total += chunk.sum(axis=1, dtype=np.float64)
                    progress(start + chunk.shape[1])
            return (total / len(self.queries_with_rows(tower))).astype(np.float32)

        return COMPUTED.get((self._owner, tower, layer, "received"), compute)

    def score(self, name: str, tower: str = "language") -> np.ndarray:
        """A table of scores.safetensors: float32 [layers, heads, rows], rows as in `stored_positions`."""
        with self._lock:
            if self._tables is None:
                path = self.folder / "scores.safetensors"
                if path.exists():
                    with LayerFile(path) as file:
                        self._tables = {key: file.read(key) for key in file.names()}
                else:
                    self._tables = {}
        try:
            return self._tables[f"{tower}.{name}"]
        except KeyError:
            names = sorted(key.partition(".")[2] for key in self._tables if key.startswith(f"{tower}."))
            has = ", ".join(names) or "none"
            raise NotInRun(f"This run has no score {quoted(name)} for its {tower} tower; it has {has}.") from None

    def reduced_score(self, name: str, layer: int | str, head: int | str, tower: str = "language") -> np.ndarray:
        """A table after choosing or reducing heads, then layers (`mean` or `max` each): float32 [rows]."""
        by_layer = [self._reduce(values, head, tower) for values in self.score(name, tower)]
        if is_reduction(layer):
            return getattr(np, layer)(np.stack(by_layer), axis=0)
        self.layer_file(layer, tower)  # refuses one that is not there
        return by_layer[self.layers(tower).index(layer)]

    def row_scores(
        self, name: str, query: int, tower: str = "language", until: int | None = None, key: int | None = None
    ) -> np.ndarray:
        """One score of one row, stored or not, in every layer and head: float32 [layers, heads], from the factors.

        `name` is that of a table (`image_mass`, `sink_mass`, `entropy`, `image_entropy`, `spatial_entropy`) and has its
        meaning, or `sink_share` (of the mass on pictures, what lies on sinks; 0 where there is none), `peak` (the
        largest value on a cell) or `value` (that at `key`).
        """
        if name == "value":
            if key is None:
                raise NotInRun("The score 'value' is what a row has at one key: name the key.")
            self._last_key(key, None, tower)
            return self.exact_rows(query, tower, until)[:, :, key].copy()
        if until is None and (found := self._tabled(name, query, tower)) is not None:
            return found
        from attention.measures import rows as scores  # needs torch, which reading does not

        if name not in scores.NAMES:
            raise NotInRun(f"There is no score {quoted(name)} of a row; there is {', '.join(scores.NAMES)} and value.")
        pictures = scores.Pictures(*self.pictures(tower))
        sinks = [self.sinks(layer, tower) for layer in self.layers(tower)]
        return scores.of_rows(name, self.exact_rows(query, tower, until), pictures, sinks).numpy()

    def log_sum_exp(self, layer: int, tower: str = "language") -> np.ndarray:
        """The logarithm of every row's denominator: float64 [heads, queries], +inf for a row that reads no key.

        With it a value is exp(score - log_sum_exp), without the rest of its row.
        """
        return self._layer(layer, tower).log_sum_exp()

    def factor(self, name: Literal["query", "key"], layer: int, tower: str = "language") -> np.ndarray:
        """Queries or keys of a layer, float32 [heads, queries, head_dim] or [kv_heads, keys, head_dim]."""
        file = self._file(layer, tower)
        if name not in file:
            raise NotInRun(f"Layer {layer} keeps no queries and keys.")
        return to_wide(file.read(name))

    def stored_positions(self, tower: str = "language") -> np.ndarray:
        """The queries whose rows are stored, ascending, the same in every layer: int32 [rows]."""
        layers = self.layers(tower)
        file, own = self._file(layers[0], tower), self._tokens_of(tower).queries
        positions = file.read("positions") if "positions" in file else np.empty(0, np.int32)
        return positions if own is None else own[positions].astype(np.int32)

    def _tabled(self, name: str, query: int, tower: str) -> np.ndarray | None:
        """A score of a stored row, from the table that was made with the run: float32 [layers, heads]."""
        self._last_query(query, None, tower)
        try:
            table = self.score(name, tower)
        except NotInRun:
            return None
        at = np.flatnonzero(self.stored_positions(tower) == query)
        return table[:, :, at[0]].copy() if len(at) else None

    # From the factors, layer by layer

    def exact_rows(self, query: int, tower: str = "language", until: int | None = None) -> np.ndarray:
        """A row, or the mean of a span, in every layer, as exact as the run has it: float32 [layers, heads, keys].

        Shared: not to be written into.
        """
        layers = self.layers(tower)
        if layers and self.exact_source(layers[0], tower) == "stored":
            return np.stack(self.rows(query, tower, "stored", until))
        return self._factor_rows(query, tower, until)

    def _factor_rows(self, query: int, tower: str, until: int | None) -> np.ndarray:
        """The same from the factors, several layers at a time: each is bound by how fast one core reads the keys."""
        layers = self.layers(tower)
        last = self._last_query(query, until, tower)

        def compute() -> np.ndarray:
            result = np.empty((len(layers), self.heads(tower), self.keys(tower)), np.float32)

            def fill(i: int) -> None:
                result[i] = self.row(layers[i], query, tower, "factors", last)

            list(layers_at_once().map(fill, range(len(layers))))
            return result

        return ROWS.get((self._owner, tower, query, last), compute)

    # Files

    def _file(self, layer: int, tower: str) -> LayerFile:
        with self._lock:
            file = self._files.get((tower, layer))
            if file is None:
                file = self._files[tower, layer] = LayerFile(self.layer_file(layer, tower))
            return file

    def _layer(self, layer: int, tower: str) -> Layer:
        """A layer that keeps its queries and keys. Raises DamagedRun where it has not as many as run.json says."""
        file = self._file(layer, tower)
        found = Layer(file, Mask(file, self._mask_file), (self._owner, tower, layer))
        tokens, has = self._tokens_of(tower), (found.n_queries, found.n_keys)
        said = (
            self.queries(tower) if tokens.queries is None else len(tokens.queries),
            self.keys(tower) if tokens.keys is None else len(tokens.keys),
        )
        if has != said:
            raise DamagedRun(
                f"{file.path.name} of this run has {has[0]} queries and {has[1]} keys; run.json says {said[0]} and "
                f"{said[1]}."
            )
        return found

    def _mask_file(self) -> LayerFile:
        with self._lock:
            if None not in self._files:
                self._files[None] = LayerFile(self.folder / "masks.safetensors")
            return self._files[None]

    def _stored_index(self, file: LayerFile, query: int, last: int, tower: str) -> int | None:
        """Index of the rows query..last among the stored ones; None where one of them is not stored."""
        tokens = self._tokens_of(tower)
        first, end = tokens.query(query), tokens.query(last)
        if "positions" not in file or first is None or end is None:
            return None
        positions = file.read("positions")
        index = int(np.searchsorted(positions, first))
        stop = index + end - first  # positions ascend: when the first and the last are there, all between are
        return index if stop < len(positions) and positions[index] == first and positions[stop] == end else None

    # Names and bounds

    def _tower(self, tower: str) -> dict[str, Any]:
        try:
            return self.info["towers"][tower]
        except (KeyError, TypeError):
            if isinstance(tower, str) and (unread := self.unread_towers().get(tower)):
                raise NotInRun(f"{unread} This run has {', '.join(self.towers())}.") from None
            raise NotInRun(f"This run has no tower {quoted(tower)}; it has {', '.join(self.towers())}.") from None

    def _tokens_of(self, tower: str) -> TokensOf:
        with self._lock:
            if tower not in self._tokens:
                self._tokens[tower] = TokensOf(self._tower(tower), len(self.info["tokens"]))
            return self._tokens[tower]

    def _last_query(self, query: int, until: int | None, tower: str) -> int:
        """The last query of a span. Raises NotInRun where one of it has no row."""
        last = self._span_end("query", query, until, self.queries(tower), tower)
        tokens = self._tokens_of(tower)
        self._check_read("has no row", tokens.queries, query, last, tower)
        return last

    def _last_key(self, key: int, until: int | None, tower: str) -> int:
        """The last key of a span. Raises NotInRun where one of it is read by nothing."""
        last = self._span_end("key", key, until, self.keys(tower), tower)
        self._check_read("is not read", self._tokens_of(tower).keys, key, last, tower)
        return last

    @staticmethod
    def _check_read(what: str, own: np.ndarray | None, first: int, last: int, tower: str) -> None:
        if own is None:
            return
        there = np.isin(np.arange(first, last + 1), own)
        if not there.all():
            has = [f"{start} to {stop - 1}" for start, stop in spans(own.tolist())]
            more = f" and {len(has) - SPANS_SAID:,} spans more" if len(has) > SPANS_SAID else ""
            raise NotInRun(
                f"Token {first + int(there.argmin())} {what} in this run's {tower} tower: its tokens are "
                f"{', '.join(has[:SPANS_SAID])}{more}."
            )

    def _find_cells(self, grid: int) -> np.ndarray:
        grids = self.info["grids"]
        self._check("grid", grid, len(grids))
        record = grids[grid]
        cells = np.full((record["rows"], record["cols"]), -1, np.int64)
        own = record["tower"]
        keys = self.info["tokens"] if self.keys_are_tokens(own) else self._tower(own)["keys"]
        for index, key in enumerate(keys):
            if key is not None and key["grid"] == grid:
                cells[key["row"], key["col"]] = index
        if (cells < 0).any():
            raise DamagedRun(f"Grid {grid} of {self.folder} has cells that no key stands for.")
        return cells

    def pictures(self, tower: str) -> tuple[slice | np.ndarray, list[tuple[int, int]]]:
        """The keys that are cells, picture by picture and row by row, and the (rows, cols) of each picture.

        Where tokens of pictures have no place, these tokens, and no picture's rows and columns.
        """
        with self._lock:
            if tower not in self._picture_keys:
                cells = [self.cells(grid) for grid in self.grids(tower)]
                keys = np.concatenate([part.reshape(-1) for part in cells]) if cells else self._unplaced_tokens(tower)
                self._picture_keys[tower] = _as_slice(keys), [part.shape for part in cells]
            return self._picture_keys[tower]

    def _unplaced_tokens(self, tower: str) -> np.ndarray:
        """The keys of a tower that are tokens of pictures, and no cell of one: int64."""
        read = self.keys_with_columns(tower).tolist() if self.keys_are_tokens(tower) else []
        tokens = [(key, self.info["tokens"][key]) for key in read]
        return np.array(
            [key for key, token in tokens if token.get("role") == "image" and token.get("grid") is None], np.int64
        )

    @staticmethod
    def reduced(values: np.ndarray, by: str) -> np.ndarray:
        """Mean or max over the first axis, of heads or of layers."""
        reduction: np.ndarray = getattr(np, by)(values, axis=0)
        return reduction

    def _reduce(self, row: np.ndarray, head: int | str, tower: str) -> np.ndarray:
        if is_reduction(head):
            return self.reduced(row, head)
        self._check("head", head, self.heads(tower), tower)
        return row[head]

    @staticmethod
    def _check(what: str, index: object, count: int, tower: str | None = None) -> None:
        if isinstance(index, bool) or not isinstance(index, int | np.integer) or not 0 <= index < count:
            where = f"this run's {tower} tower" if tower else "this run"
            has = f"{what}s 0 to {count - 1}" if what not in ("query", "key") else f"positions 0 to {count - 1}"
            raise NotInRun(f"There is no {what} {quoted(index)} in {where}: it has {has if count else 'none'}.")

    @classmethod
    def _span_end(cls, what: str, first: int, until: int | None, count: int, tower: str) -> int:
        """The last position of a span, `first` where no other is named."""
        cls._check(what, first, count, tower)
        if until is None:
            return first
        if isinstance(until, bool) or not isinstance(until, int | np.integer) or not first <= until < count:
            raise NotInRun(
                f"There is no span from {what} {first} until {quoted(until)} in this run's {tower} tower: "
                f"until is the last position of the span, from {first} to {count - 1}."
            )
        return until


def is_reduction(choice: int | str | None) -> TypeIs[str]:
    """True of `mean` and `max`; anything else is the number of a layer or a head, or refused as one."""
    return choice in ("mean", "max")


def _read_only(values: np.ndarray) -> np.ndarray:
    view = values.view()
    view.flags.writeable = False
    return view


def _as_slice(keys: np.ndarray) -> slice | np.ndarray:
    """The same keys as a slice where they are one range, which costs no copy."""
    if len(keys) and (np.diff(keys) == 1).all():
        return slice(int(keys[0]), int(keys[-1]) + 1)
    return keys


def _not_stored(layer: int, query: int, last: int) -> NotInRun:
    rows = f"Row {query} of layer {layer} was" if last == query else f"Rows {query} to {last} of layer {layer} were"
    return NotInRun(f"{rows} not stored; ask for source=factors, which is exact.")


def _list(indices: list[int]) -> str:
    """Ascending indices as a person would say them: 0 to 27, or 3, 7, 11."""
    if len(indices) > 2 and indices[-1] - indices[0] == len(indices) - 1:
        return f"{indices[0]} to {indices[-1]}"
    return ", ".join(map(str, indices)) or "none"
