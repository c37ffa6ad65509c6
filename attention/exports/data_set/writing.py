"""A batch as a data set in a folder: Parquet in parts of bounded bytes, a card, and beside them what was kept.

Owns the form of the files. Rows go into them as they are made: what is in memory is one group of rows.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attention.batches.batch import Batch
from attention.batches.folder import ROWS, RUNS
from attention.errors import InvalidRequest, NotInRun, quoted
from attention.exports.files import new_folder, refuse_inside
from attention.exports.forecast import check_free
from attention.runs.selection import Choice

from .card import card, published
from .columns import Column, Feature, columns_of, items_of, values_of
from .pictures import Pictures, SetPictures

DATA, MARK = "data", "attention.json"
GROUP_BYTES, GROUP_ROWS = 32_000_000, 1_000  # of rows that a reader takes at once: the Hub's page takes 286 MiB at most
BATCH_BYTES = 1_000_000  # of rows that become columns at once
FILE_BYTES = 500_000_000  # of one file, as `datasets` parts them
SINKS = {
    "all": "attention sinks are hatched",
    "rows": "of rows alone it is not known which cells are attention sinks: they have a colour as any",
    "scores": "none, as neither rows nor runs were kept",
}
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class WrittenSet:
    """A data set that was written: its bytes, its items, and sentences on what it holds and lacks."""

    folder: Path
    n_bytes: int
    items: int
    holds: str
    lacks: list[str]


def write_data_set(
    batch: Batch,
    path: Path,
    layer: Choice = None,
    head: Choice = None,
    *,
    given: SetPictures | None = None,
    kept: bool = True,
    progress: Progress | None = None,
) -> WrittenSet:
    """Write a batch as a data set, into a folder that does not exist yet.

    `layer` and `head` are those of its overlays, by default their mean. `given` are pictures that lie within the set.
    With `kept` the runs or rows that were kept are linked, or copied, into it. `progress(done, total)` counts items.
    Raises InvalidRequest where pyarrow is not there or the batch has no item, NotInRun for a layer or a head that is
    not there, and LimitExceeded where the disk has not enough room.
    """
    check_pyarrow()
    keep = batch.info["keep"]
    if not len(batch):
        raise InvalidRequest(f"{batch.folder} has no item yet: there is nothing to publish.")
    check_choice(batch, layer, head)
    refuse_inside(batch, path, "batch")
    places = kept_in(batch) if kept else []
    check_free(sum(_bytes_below(place) for place in places), path)
    drawn = f"map of the measured row on the picture: {_named(layer, 'layers')}, {_named(head, 'heads')}; {SINKS[keep]}"
    columns, pictures = columns_of(batch, drawn), Pictures(batch, layer, head, given)
    items = list(items_of(batch))
    with new_folder(path) as beside:
        (beside / DATA).mkdir()
        values = (values_of(batch, rows, pictures.of(rows), kept) for rows in items)
        _write_rows(columns, values, beside / DATA, len(items), progress)
        for place in places:
            shutil.copytree(place, beside / place.name, copy_function=_link_file)
        (beside / MARK).write_text(json.dumps(published(batch.info), ensure_ascii=False, indent=1), encoding="utf-8")
        lacks = [f"{count:,} items have no picture: {why}." for why, count in pictures.lacking.most_common()]
        if all(row["kept"] is None for row in batch.rows()):
            lacks.append("No overlay is drawn: neither rows nor runs were kept (batch --keep rows, or all).")
        n_bytes = _bytes_below(beside)
        holds = _holds(batch, len(items), n_bytes, places)
        text = card(batch, columns, holds, lacks, len(items), keep if places else None)
        (beside / "README.md").write_text(text, encoding="utf-8")
    return WrittenSet(path, n_bytes, len(items), holds, lacks)


def check_pyarrow() -> None:
    """Raise InvalidRequest where Parquet cannot be written."""
    try:
        import pyarrow.parquet  # noqa: F401 - imported for whether it is there
    except ImportError:
        raise InvalidRequest(
            "A data set is written with pyarrow, which is not installed: pip install pyarrow. Without it, summary.npz "
            "in the batch's folder has the same numbers."
        ) from None


def check_choice(batch: Batch, layer: Choice, head: Choice) -> None:
    """Raise NotInRun for a layer or a head that some member does not have."""
    for member in batch.members:
        for row in batch.rows(member)[:1]:
            if layer is not None and layer not in row["layers"]:
                raise NotInRun(f"Layer {quoted(layer)} is not there; {member} has {row['layers']}.")
            if head is not None and not 0 <= int(head) < row["heads"]:
                raise NotInRun(f"Head {quoted(head)} is not there; {member} has 0 to {row['heads'] - 1}.")


def kept_in(batch: Batch) -> list[Path]:
    """The folders of what a batch has kept: of runs, or of rows."""
    return [place for name in (RUNS, ROWS) if (place := batch.folder / name).is_dir()]


def arrow_type(feature: Feature) -> Any:
    """The type of a column in Parquet, as `datasets` has it for a feature."""
    import pyarrow as pa

    if feature["_type"] == "Image":
        return pa.struct({"bytes": pa.binary(), "path": pa.string()})
    if feature["_type"] == "List":
        return pa.list_(arrow_type(feature["feature"]), feature.get("length", -1))
    return {"bool": pa.bool_(), "string": pa.string()}.get(feature["dtype"]) or pa.type_for_alias(feature["dtype"])


def _schema(columns: Sequence[Column]) -> Any:
    import pyarrow as pa

    about = {"info": {"features": {column.name: column.feature for column in columns}}}
    fields = [pa.field(column.name, arrow_type(column.feature)) for column in columns]
    return pa.schema(fields, {"huggingface": json.dumps(about)})


def _write_rows(
    columns: Sequence[Column], rows: Iterable[dict[str, Any]], folder: Path, total: int, progress: Progress | None
) -> None:
    """Write rows into files of bounded bytes, each of groups of bounded bytes."""
    files = _Files(columns, folder)
    try:
        for done, row in enumerate(rows, 1):
            files.add(row)
            if progress is not None:
                progress(done, total)
        files.write_group()
    finally:
        files.close()


class _Files:
    """Parquet files that grow row by row.

    A few rows at a time become columns: as Python has them their numbers take eight times the bytes, and what is freed
    late is not given back. Of a group that waits to be written memory holds its columns, once.
    """

    def __init__(self, columns: Sequence[Column], folder: Path):
        self._schema, self._folder, self._number = _schema(columns), folder, 0
        self._rows: list[dict[str, Any]] = []
        self._batches: list[Any] = []
        self._n_rows_bytes = self._n_bytes = self._n_rows = 0
        self._writer: Any = None
        self._file: Any = None

    def add(self, row: dict[str, Any]) -> None:
        """Add a row; one by itself may have more bytes than a group should."""
        self._rows.append(row)
        self._n_rows_bytes += size_of(row)
        if self._n_rows_bytes >= BATCH_BYTES or self._n_rows + len(self._rows) >= GROUP_ROWS:
            self._make_columns()
        if self._n_bytes >= GROUP_BYTES or self._n_rows >= GROUP_ROWS:
            self.write_group()

    def write_group(self) -> None:
        """Write what waits as one group of rows, and end a file that is large enough."""
        import pyarrow as pa
        from pyarrow import parquet

        self._make_columns()
        if not self._batches:
            return
        if self._writer is None:
            self._file = open(self._folder / f"train-{self._number:05d}.parquet", "wb")  # noqa: SIM115 - for many groups
            self._writer = parquet.ParquetWriter(self._file, self._schema, compression="zstd")
            self._number += 1
        self._writer.write_table(pa.Table.from_batches(self._batches, self._schema))
        self._batches, self._n_bytes, self._n_rows = [], 0, 0
        pa.default_memory_pool().release_unused()
        if self._file.tell() >= FILE_BYTES:
            self.close()

    def close(self) -> None:
        """End the file that is being written."""
        if self._writer is not None:
            self._writer.close()
        if self._file is not None:
            self._file.close()
        self._writer = self._file = None

    def _make_columns(self) -> None:
        import pyarrow as pa

        if self._rows:
            arrays = [pa.array([row.get(field.name) for row in self._rows], field.type) for field in self._schema]
            self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
            self._n_bytes, self._n_rows = self._n_bytes + self._n_rows_bytes, self._n_rows + len(self._rows)
            self._rows, self._n_rows_bytes = [], 0


def size_of(value: Any) -> int:
    """Bytes of a value in a file, near enough to part files by."""
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(size_of, value.values()))
    if isinstance(value, list):
        return sum(map(size_of, value)) if value and not isinstance(value[0], float) else 4 * len(value)
    return 4


def _named(choice: Choice, what: str) -> str:
    return f"mean over {what}" if choice is None else f"{what.removesuffix('s')} {choice}"


def _holds(batch: Batch, items: int, n_bytes: int, places: Sequence[Path]) -> str:
    models = ", ".join(dict.fromkeys(member["name"] for member in batch.info["members"]))
    kept = {RUNS: "the whole run of each", ROWS: "the measured rows of each"}
    beside = "".join(f", and {kept[place.name]} beside it" for place in places)
    return f"{items:,} items read by {models}, in {n_bytes / 1e6:,.1f} MB{beside}."


def _bytes_below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _link_file(source: str, target: str) -> None:
    """The same file in another place: what was kept never changes."""
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
