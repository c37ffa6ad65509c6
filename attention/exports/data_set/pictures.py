"""Pictures of an item as files for a data set: those that were asked about, and each member's map on the first.

Owns what of a picture's file is published: its pixels, and nothing else that the file says (where and when it was
taken, by whom). A file that is not the one which was read, by its SHA-256, is none.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors import SafetensorError, safe_open

from attention.batches.batch import Batch
from attention.batches.questions import is_address, questions_of
from attention.capture.images import open_image, open_picture
from attention.comparisons.comparison import INDEX
from attention.drawing.colour_range import drawn
from attention.drawing.look import Look
from attention.drawing.overlay import lay_over, overlay
from attention.errors import AttentionError, DamagedRun, LimitExceeded, shown_path
from attention.limits import MAX_PIXELS
from attention.runs.run import Run
from attention.runs.selection import Choice, select
from attention.sets.record import Record

from .columns import Rows, first_of, named

LONGEST_PX = 768  # of a side of an overlay
QUALITY, QUALITY_OF_OVERLAY = 95, 85
OF_A_JPEG = {"APP0", "APP14"}  # how its colours and its density are written
LOOK = Look()
MOST_BYTES = 100_000_000  # of a picture's file: pages of the Hub read what lies around it with it
OTHER = "another picture lies where theirs was"
GONE = "their picture is not there any more, or cannot be read"
LARGE = f"their picture's file has more than {MOST_BYTES // 1_000_000} MB"
WITHIN = "their picture lay within the set: name it again, with --jsonl or --dataset"
ADDRESS = "their picture is behind an address: --keep all would have kept it"
Picture = dict[str, Any]  # {bytes, path}, as `datasets` has a picture in a column
Found = tuple[dict[str, Any], np.ndarray, np.ndarray]  # a grid, values [rows, cols], which of them are sinks


class SetPictures:
    """Pictures of a set's items, read along with them: those of Parquet, tars and the Hub have no file of their own."""

    def __init__(self, records: Iterable[Record], form: str | None = None):
        self._questions = enumerate(question for record in records for question in questions_of(record, form))
        self._number, self._images = -1, ()

    def of(self, number: int) -> tuple[Any, ...]:
        """The pictures of an item by its place in the set; numbers only ever grow."""
        while self._number < number:
            self._number, question = next(self._questions, (number, None))
            self._images = getattr(question, "images", ())
        return self._images if self._number == number else ()


class Pictures:
    """Pictures of a batch's items, and maps on them; `lacking` counts reasons why items have none."""

    def __init__(self, batch: Batch, layer: Choice = None, head: Choice = None, given: SetPictures | None = None):
        self._batch, self._layer, self._head, self._given = batch, layer, head, given
        self.lacking: Counter[str] = Counter()

    def of(self, rows: Rows) -> dict[str, Any]:
        """Pictures of an item, by their columns."""
        first = first_of(rows)
        found: dict[str, Any] = {}
        with self._kept(first) as run:
            pictures = [self._picture(first, number, run) for number in range(len(first["pictures"]))]
        if pictures:
            others = pictures[1:]
            found = {"image": pictures[0], "other_images": None if None in others else others}
        for member, row in rows.items():
            found[named(member, "overlay")] = self._overlay(row, pictures[0] if pictures else None)
        return found

    def _picture(self, row: dict[str, Any], number: int, run: Run | None) -> Picture | None:
        name = f"{row['id']}_{number}"
        if run is not None:
            file = run.folder / run.info["images"][number]["file"]
            return {"bytes": file.read_bytes(), "path": f"{name}{file.suffix}"}
        content = self._content(row, number)
        if content is None:
            return None
        if says_only_its_picture(content):
            return {"bytes": content, "path": f"{name}.jpg"}
        is_jpeg = content.startswith(b"\xff\xd8")
        try:
            picture, _ = open_image(Image.open(io.BytesIO(content)))
        except (AttentionError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
            self.lacking[GONE] += 1
            return None
        return _encoded(picture, "JPEG" if is_jpeg else "PNG", QUALITY, name)

    def _content(self, row: dict[str, Any], number: int) -> bytes | None:
        """The file of a picture, which is the one that was read; None, counted, where there is none."""
        given = self._given.of(row["number"]) if self._given is not None else ()
        source = given[number] if number < len(given) else row["images"][number]
        if source is None or is_address(source):
            self.lacking[WITHIN if source is None else ADDRESS] += 1
            return None
        try:
            with open_picture(source, "the picture", MAX_PIXELS, MOST_BYTES) as (file, _):
                content = file.read() if file is not None else b""
        except AttentionError as error:
            self.lacking[LARGE if isinstance(error, LimitExceeded) else GONE] += 1
            return None
        if hashlib.sha256(content).hexdigest() != row["pictures"][number]:
            self.lacking[OTHER] += 1
            return None
        return content

    # Maps

    @contextmanager
    def _kept(self, row: dict[str, Any]) -> Iterator[Run | None]:
        """The run of a row's member, where runs were kept."""
        folder = self._batch.folder / row["kept"] if row["kept"] else None
        if folder is None or not folder.is_dir():
            yield None
            return
        with Run(folder / row["member"] if (folder / INDEX).is_file() else folder) as run:
            yield run

    def _overlay(self, row: dict[str, Any], picture: Picture | None) -> Picture | None:
        """The map of a row on its first picture; None where neither its run nor its rows were kept."""
        if row["kept"] is None or picture is None:
            return None
        with self._kept(row) as run:
            if run is not None:
                found = of_run(run, row, self._layer, self._head)
            else:
                found = of_rows(self._batch.folder / row["kept"], row, self._layer, self._head)
        if found is None:
            return None
        grid, values, is_sink = found
        with Image.open(io.BytesIO(picture["bytes"])) as file:
            on = file.convert("RGB")
        scale = min(1.0, LONGEST_PX / max(on.size))
        size = max(1, round(on.width * scale)), max(1, round(on.height * scale))
        small = on.resize(size, Image.Resampling.LANCZOS)
        how, scales = drawn(values, LOOK, is_sink), (size[0] / on.width, size[1] / on.height)
        lay_over(small, overlay(how, LOOK.colours(), grid, size, scales, LOOK.smooth))
        return _encoded(small, "JPEG", QUALITY_OF_OVERLAY, f"{row['id']}_{row['member']}")


def of_run(run: Run, row: dict[str, Any], layer: Choice, head: Choice) -> Found | None:
    """The map of a run's measured row on its first picture; None where it has none."""
    selection = select(run, row["tower"], layer, head, row["row"], until=row["until"])
    if selection.grid is None or selection.image != 0 or not selection.has_map:
        return None
    cells = selection.cells()
    if not cells.size:
        return None
    values, _ = selection.values()
    is_sink = np.isin(cells, np.asarray(selection.sinks, np.int64))
    return run.info["grids"][selection.grid], values[cells], is_sink


def of_rows(path: Path, row: dict[str, Any], layer: Choice, head: Choice) -> Found | None:
    """The same of rows that were kept: which cells are sinks is not known of them. Raises DamagedRun."""
    try:
        with safe_open(path, "np") as file:
            about = json.loads(file.metadata()[row["member"]])
            rows = file.get_tensor(f"{row['member']}.attention").astype(np.float32)
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise DamagedRun(f"{shown_path(path)} cannot be read: {error}.") from None
    number = next((number for number, grid in enumerate(about["grids"]) if grid["tower"] == about["tower"]), None)
    if number is None:
        return None
    grid = about["grids"][number]
    keys = about["keys"] if isinstance(about["keys"], list) else about["tokens"]
    cells = np.zeros((grid["rows"], grid["cols"]), np.int64)
    for index, key in enumerate(keys):
        if key is not None and key["grid"] == number:
            cells[key["row"], key["col"]] = index
    values = _reduced(rows.mean(axis=0), about["layers"], layer, head)[cells]
    if grid["image"] != 0 or not values.size:
        return None
    return grid, values, np.zeros(values.shape, bool)


def _reduced(rows: np.ndarray, layers: list[int], layer: Choice, head: Choice) -> np.ndarray:
    """One row [keys] of [layers, heads, keys]: a layer and a head by their numbers, or means over them."""
    of_layer = rows.mean(axis=0) if layer is None else rows[layers.index(int(layer))]
    found: np.ndarray = of_layer.mean(axis=0) if head is None else of_layer[int(head)]
    return found


def says_only_its_picture(content: bytes) -> bool:
    """True for a JPEG in red, green and blue whose file says nothing beside its picture."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as picture:
            names = {name for name, _ in getattr(picture, "applist", [])}
            return picture.format == "JPEG" and picture.mode == "RGB" and names <= OF_A_JPEG
    except (OSError, SyntaxError, ValueError):
        return False


def _encoded(picture: Image.Image, form: str, quality: int, name: str) -> Picture:
    file = io.BytesIO()
    picture.save(file, form, **({"quality": quality} if form == "JPEG" else {}))
    return {"bytes": file.getvalue(), "path": f"{name}.{'jpg' if form == 'JPEG' else 'png'}"}
