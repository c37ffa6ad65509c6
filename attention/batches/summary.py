"""A batch in one file for each member that opens in three lines: Parquet where pyarrow is there, else NPZ.

Owns the columns: a row for each item, of one with several places a row for each place. Files are written whole, some
rows at a time: the numbers of a large set do not fit into memory.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from attention.errors import InvalidRequest

from .batch import BASE, Batch
from .reading_columns import ReadingColumn, columns_of_readings, lens_layers
from .tables import PLACED

ROWS = 1_000  # that are in memory at once
TEXTS = ("id", "name", "image", "prompt", "answer", "outcome")
NUMBERS = ("logprob", "uniform", "central")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of every entry of a zip: the same batch gives the same bytes
Row = tuple[dict[str, Any], int | None]


def write_summaries(batch: Batch, form: str | None = None) -> list[Path]:
    """Write a summary of each member that has an item, and return the files: `summary.npz`, `summary.adapter_1.npz`.

    `form` is parquet or npz, by default the first that can be written. Raises InvalidRequest.
    """
    if form not in (None, "parquet", "npz"):
        raise InvalidRequest(f"A summary is written as parquet or npz, not as {form}.")
    form = form or ("parquet" if has_pyarrow() else "npz")
    files = []
    for member in batch.members:
        if not batch.rows(member):
            continue
        path = batch.folder / f"summary{'' if member == BASE else f'.{member}'}.{form}"
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            (_write_parquet if form == "parquet" else _write_npz)(batch, member, unfinished)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        files.append(path)
    return files


def has_pyarrow() -> bool:
    """True where Parquet can be written."""
    try:
        import pyarrow.parquet  # noqa: F401 - imported for whether it is there
    except ImportError:
        return False
    return True


def columns(batch: Batch, member: str, rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Some rows as arrays: texts, numbers, `place` float64 [rows, 4], and tables float32 [rows, layers, heads]."""
    names = batch.names(member)
    places = [row["places"][at] if at is not None else None for row, at in rows]
    plain: dict[str, list[Any]] = {
        "id": [row["id"] for row, _ in rows],
        "name": [row["name"] for row, _ in rows],
        "image": [next(iter(row["images"]), None) for row, _ in rows],
        "prompt": [words_of(row) for row, _ in rows],
        "answer": [row["answer"] for row, _ in rows],
        "outcome": [place and place["outcome"] for place in places],
        "logprob": [row["logprob"] for row, _ in rows],
        "uniform": [place and place["uniform"] for place in places],
        "central": [place and place["central"] for place in places],
    }
    is_placed = any(name in PLACED for name in names)
    found: dict[str, np.ndarray] = {name: np.array([text or "" for text in plain[name]], object) for name in TEXTS}
    found |= {name: np.array(plain[name], np.float64) for name in NUMBERS}
    found["forced"] = np.array([row["forced"] for row, _ in rows], bool)
    found["tokens"] = np.array([row["tokens"] for row, _ in rows], np.int32)
    found["answer_tokens"] = np.array([len(row["logprobs"]) for row, _ in rows], np.int32)
    found["row"] = np.array([row["row"] for row, _ in rows], np.int32)
    if is_placed:
        found["place_number"] = np.array([-1 if at is None else at for _, at in rows], np.int32)
        found["place"] = np.array([_sides(place) for place in places], np.float64)
    else:
        found = {name: values for name, values in found.items() if name not in ("outcome", "uniform", "central")}
    shape = batch.shape(member)
    tables = [batch.tables_of(row) for row, _ in rows]
    for name in names:
        keys = [f"{at}.{name}" if name in PLACED else name for _, at in rows]
        own = [table.get(key) for table, key in zip(tables, keys, strict=True)]
        nothing = np.full(shape, np.nan, np.float32)
        found[name] = np.stack([nothing if each is None or each.shape != shape else each for each in own])
    for column in columns_of_readings(batch.readings):
        if is_placed or not column.at_place:
            found[column.name] = _of_readings(column, batch, member, rows)
    return found


def _of_readings(column: ReadingColumn, batch: Batch, member: str, rows: Sequence[Row]) -> np.ndarray:
    """A column of readings: [rows], or [rows, layers of the lens]; texts as objects, numbers NaN, or 0 where whole."""
    length = len(lens_layers(batch.rows(member)[0])) if column.by_layer else None
    nothing: Any = {"string": "", "int32": 0}.get(column.dtype, np.nan)
    values = []
    for row, at in rows:
        value = None if column.at_place and at is None else column.of(row, row["places"][at] if at is not None else {})
        if length is not None:
            value = value if value is not None and len(value) == length else [None] * length
            value = [nothing if each is None else each for each in value]
        values.append(nothing if value is None else value)
    return np.array(values, object if column.dtype == "string" else column.dtype)


def _chunks(batch: Batch, member: str) -> Iterator[dict[str, np.ndarray]]:
    rows = batch.by_place(member)
    while some := list(islice(rows, ROWS)):
        yield columns(batch, member, some)


def words_of(row: dict[str, Any]) -> str:
    """The prompt of a row, of a chat the last words of its user."""
    if not row["messages"]:
        return str(row["prompt"])
    texts = [part["text"] for part in row["messages"][-1]["content"] if part["type"] == "text"]
    return "\n".join(texts)


def _sides(place: dict[str, Any] | None) -> list[float]:
    sides = list(place["place"]) if place else []
    return sides + [np.nan] * (4 - len(sides))


def _write_parquet(batch: Batch, member: str, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    def column(values: np.ndarray) -> Any:
        if values.dtype == object:
            flat = pa.array(values.reshape(-1).tolist(), pa.string())
        else:
            flat = pa.array(values.reshape(-1))
        for size in values.shape[:0:-1]:
            flat = pa.FixedSizeListArray.from_arrays(flat, size)
        return flat

    writer = None
    first = batch.rows(member)[0]
    about = {b"layers": str(first["layers"]).encode()}
    if lens_layers(first):
        about[b"lens_layers"] = str(lens_layers(first)).encode()
    try:
        for chunk in _chunks(batch, member):
            table = pa.table({name: column(values) for name, values in chunk.items()}).replace_schema_metadata(about)
            writer = writer or parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _write_npz(batch: Batch, member: str, path: Path) -> None:
    """Write column after column: a zip has one entry open at a time, so columns wait beside it, each in its file."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}.") as folder:
        kept = _columns_in_files(batch, member, Path(folder))
        first = batch.rows(member)[0]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as file:
            for name, indices in (("layers", first["layers"]), ("lens_layers", lens_layers(first))):
                if indices:
                    layers = np.array(indices, np.int32)
                    _entry(file, name, layers.dtype, layers.shape, iter([layers]))
            for name, column in sorted(kept.items(), key=lambda item: item[1].dtype.kind != "U"):  # texts come first
                _entry(file, name, column.dtype, (column.n, *column.shape), column.parts())


@dataclass
class _Kept:
    """A column that lies in a file, array after array: `dtype` has room for each."""

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    n: int = 0
    arrays: int = 0

    def parts(self) -> Iterator[np.ndarray]:
        with self.path.open("rb") as file:
            for _ in range(self.arrays):
                yield np.load(file, allow_pickle=False).astype(self.dtype)


def _columns_in_files(batch: Batch, member: str, folder: Path) -> dict[str, _Kept]:
    """Columns by their names, in one pass over the rows; texts have the width of the longest."""
    kept: dict[str, _Kept] = {}
    for chunk in _chunks(batch, member):
        for name, values in ((name, _fixed(values)) for name, values in chunk.items()):
            column = kept.setdefault(name, _Kept(folder / str(len(kept)), values.dtype, values.shape[1:]))
            column.dtype = max(column.dtype, values.dtype, key=lambda dtype: dtype.itemsize)
            column.n, column.arrays = column.n + len(values), column.arrays + 1
            with column.path.open("ab") as file:
                np.save(file, values, allow_pickle=False)
    return kept


def _fixed(values: np.ndarray) -> np.ndarray:
    """Values of one width: texts as wide as the longest."""
    return values if values.dtype != object else values.astype(f"<U{max(1, *map(len, values.reshape(-1)))}")


def _entry(
    file: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], parts: Iterator[np.ndarray]
) -> None:
    info = zipfile.ZipInfo(f"{name}.npy", EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED if dtype.kind == "U" else zipfile.ZIP_STORED
    with file.open(info, "w", force_zip64=True) as entry:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(entry, header)
        for part in parts:
            entry.write(np.ascontiguousarray(part).tobytes())
