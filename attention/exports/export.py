"""Files made of a run, for other programs and for papers.

Owns the formats: `dense` (safetensors with every row), `bin` (the folder that the original VLM Attention Viz reads),
`npz` (one exact map with its settings), `csv` (the same as a table), `png`, `svg` and `pdf` (one map on its picture,
drawn by `attention.drawing.run_map`), `zip` (the run's folder). Knows runs by the methods of `attention.runs.run.Run`;
knows neither models nor Gradio.

A file appears whole or not at all: it is written beside its place and renamed.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from attention.drawing.look import Look
from attention.drawing.run_map import picture_of, write_figure, write_png
from attention.errors import InvalidRequest, LimitExceeded, quoted, words_for
from attention.runs.run import Run
from attention.runs.selection import REDUCTIONS, Choice, Selection, plain, run_name, select
from attention.runs.tokens import cell_box

NUMBERS, FIGURES = ("npz", "csv"), ("png", "svg", "pdf")  # of one row, column or map
FORMATS = ("dense", "bin", *NUMBERS, *FIGURES, "zip")
JPEG_QUALITY = 95
BLOCK_BYTES = 1 << 20
# where a spreadsheet that splits at any of these signs would begin a formula
FORMULA = re.compile(r"(^|[,;\t\r\n])(?=\s*[=+\-@＝＋－＠])")


class Folder(Protocol):
    """A folder that may be zipped: a run, or several that belong together."""

    folder: Path
    info: dict


def export_run(
    run: Run,
    format: str,  # noqa: A002 - the word that every way in uses
    path: str | os.PathLike,
    tower: str = "language",
    layer: Choice = None,
    head: Choice = None,
    query: int | None = None,
    key: int | None = None,
    grid: int | None = 0,
    *,
    until: int | None = None,
    received: bool = False,
    look: Mapping[str, object] | None = None,
    scale: float | None = None,
    width: int | None = None,
    caption: bool = False,
) -> Path:
    """Write a run, or a part of it, to `path` and return that.

    | format | what it is | layer, head, query, key, grid |
    | --- | --- | --- |
    | dense | safetensors: `attention` float16 [heads, queries, keys]; a folder of all layers | layer, or none: all |
    | bin | a folder for the original viewer: meta.json, attn_layer_XX.bin, image.jpg | none |
    | npz | one row and its map (or with `key` one column), float32, with its settings | each |
    | csv | the map as a table of cells and their pixels; without a picture the row, as keys and their texts | each |
    | png | one map on its picture, in its size; `scale` or `width` change that, `caption` adds words | each |
    | svg, pdf | the same as a figure with a colour bar and a caption | each |
    | zip | the run's folder | none |

    For one map, `layer` and `head` are numbers, `mean` (the default) or `max`; `query` is by default the row that
    predicts the answer's first token; `until` makes it the mean over the positions from query (or key) to that;
    `received` is what every key receives; `grid` None is the tower's first. `look` has the fields of `Look` that are
    not to be their default. Raises InvalidRequest or NotInRun.
    """
    if format not in FORMATS:
        raise InvalidRequest(f"There is no format {quoted(format)}. There is {', '.join(FORMATS)}.")
    path = Path(path)
    refuse_inside(run, path)
    drawing = {"look": look, "scale": scale, "width": width, "caption": caption}
    if format in (*NUMBERS, *FIGURES):
        selection = select(run, tower, layer, head, query, key, until, received, grid)
        with new_file(path) as beside, open(beside, "wb") as file:
            write_selection(selection, format, file, **drawing)
        return path
    one = {"head": head, "query": query, "key": key, "until": until, "received": received}
    for name, value in (one | drawing).items():
        if is_given(value):
            what = "draws nothing" if name in drawing else "holds every head, query and key"
            raise InvalidRequest(
                f"Format {format} {what}: leave {name} out, or use {'png' if name in drawing else 'npz'}."
            )
    if format == "dense":
        return _write_dense(run, path, tower, layer)
    if layer is not None or tower != "language":
        what = "every layer of the language tower" if format == "bin" else "the whole run"
        raise InvalidRequest(f"Format {format} holds {what}: leave layer and tower out, or use dense.")
    return _write_bin(run, path) if format == "bin" else write_zip(run, path)


def is_given(value) -> bool:
    """True if a field of an export was set: 0 is a layer or a head, and not nothing."""
    return value is not None and value is not False and value != {}


def refuse_inside(run: Folder, path: Path, what: str = "run") -> None:
    """Refuse to write into what is exported. Raises InvalidRequest."""
    if path.resolve().is_relative_to(run.folder.resolve()):
        raise InvalidRequest(
            f"{path} lies inside the {what}, which never changes once it is written. Name another place."
        )


def file_name(run: Folder, format: str, selection: Selection | None = None) -> str:  # noqa: A002
    """Name of an exported file, in plain ASCII: 3f2a_language_L12_H3_row69.svg."""
    return f"{run_name(run) if selection is None else selection.name()}.{format}"


# One row, column or map


def write_selection(
    selection: Selection,
    format: str,  # noqa: A002
    file: BinaryIO,
    look: Mapping[str, object] | None = None,
    scale: float | None = None,
    width: int | None = None,
    caption: bool = False,
) -> None:
    """Write one row, column or map into an open file, in a format of NUMBERS or FIGURES."""
    if format in NUMBERS:
        for name, value in (("look", look), ("scale", scale), ("width", width), ("caption", caption)):
            if is_given(value):
                raise InvalidRequest(f"Format {format} holds numbers and draws nothing: leave {name} out, or use png.")
        return _write_npz(selection, file) if format == "npz" else _write_csv(selection, file)
    if format == "png":
        write_png(selection, Look.read(look or {}), file, scale, width, caption)
        return None
    for name, value in (("scale", scale), ("width", width)):
        if value is not None:
            raise InvalidRequest(f"Format {format} is sharp in any size: leave {name} out, or use png.")
    return write_figure(selection, Look.read(look or {}), file, format)


def heatmap_png(
    run: Run,
    tower: str,
    layer: int | str,
    head: int | str,
    query: int | None,
    grid: int,
    path: str | os.PathLike,
    key: int | None = None,
) -> tuple[Path, np.ndarray]:
    """Lay one map over its picture, in the picture's own width and height; return the path and the values [rows, cols].

    A cell covers exactly the pixels that its token was made from, unsmoothed; the higher a value, the more its cell
    covers of the picture, so that what gets no attention stays visible. With `key` instead of `query` the map is of
    what each cell's token reads from that key. The settings are in the file, as its text `attention`.
    """
    path = Path(path)
    selection = select(run, tower, layer, head, query, key, grid=grid)
    with new_file(path) as beside, open(beside, "wb") as file:
        values = write_png(selection, Look(), file)
    return path, values


def _write_npz(selection: Selection, file: BinaryIO) -> None:
    """`row` (or `column`, or `received`) and `map`, and what they are of."""
    values, source = selection.values(exact=True)
    arrays = {"received" if selection.received else "row" if selection.key is None else "column": values}
    if selection.has_map:
        arrays["map"] = values[selection.cells()]
    settings = {**selection.settings(), "source": source, "dtype": "float32"}
    if selection.received:
        settings["over"] = settings.pop("received")
    np.savez_compressed(file, **arrays, **{name: np.asarray(value) for name, value in settings.items()})


def _write_csv(selection: Selection, file: BinaryIO) -> None:
    """The settings as comments, `# name: JSON`, and then the cells of a map, or the keys of a row with their texts."""
    values, source = selection.values(exact=True)
    run, tower = selection.run, selection.tower
    if selection.has_map:
        header = "row,col,value,x0,y0,x1,y1"
        record = run.info["grids"][selection.grid]
        rows = ([*at, values[key], *cell_box(record, *at)] for at, key in np.ndenumerate(selection.cells()))
    else:
        header = "key,text,value" if selection.key is None else "query,text,value"
        are_tokens = tower == "language" or (tower == "cross" and selection.key is not None)
        texts = (_no_formula(token["text"]) for token in run.info["tokens"]) if are_tokens else [""] * len(values)
        rows = ([i, text, value] for i, (text, value) in enumerate(zip(texts, values, strict=True)))
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    for name, value in {**selection.settings(), "source": source, "dtype": "float32"}.items():
        said = _no_formula(value) if isinstance(value, str) else value
        text.write(f"# {name}: {json.dumps(said, ensure_ascii=False)}\n")
    text.write(f"# a ' stands before what a spreadsheet could take for a formula\n{header}\n")
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
    text.detach()  # which leaves the file open, as it was


def _no_formula(text: str) -> str:
    """Text of a model or a person, as a spreadsheet shows it instead of computing it."""
    return FORMULA.sub(r"\1'", text)


# Whole runs


def write_zip(run: Folder, path: Path) -> Path:
    """Write the folder of a run, or of several, as a zip, and return its path."""
    with new_file(path) as beside, open(beside, "wb") as file:
        for block in zipped(run):
            file.write(block)
    return path


def zipped(run: Folder) -> Iterator[bytes]:
    """The folder as a zip, some bytes at a time: neither memory nor a disk holds a second copy."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # not deflated: numbers hardly shrink
        for path in _run_files(run):
            entry = zipfile.ZipInfo.from_file(path, _zip_name(run, path))
            with archive.open(entry, "w") as target, open(path, "rb") as source:
                while block := source.read(BLOCK_BYTES):
                    target.write(block)
                    yield pipe.take()
    yield pipe.take()


def zipped_bytes(run: Folder) -> int | None:
    """Length of `zipped` in bytes; None where its entries need the longer form of large zips."""
    total = 22
    for path in _run_files(run):
        total += path.stat().st_size + 92 + 2 * len(_zip_name(run, path).encode())
    return total if total < zipfile.ZIP64_LIMIT // 2 else None


def _run_files(run: Folder) -> list[Path]:
    return [path for path in sorted(run.folder.rglob("*")) if path.is_file()]


def _zip_name(run: Folder, path: Path) -> str:
    return f"{plain(run.folder.name) or 'run'}/{path.relative_to(run.folder).as_posix()}"


class _Pipe(io.RawIOBase):
    """A file for a zip to be written to: bytes come out in the order in which they went in."""

    def __init__(self):
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


# Whole layers


def _write_dense(run, path, tower, layer) -> Path:
    if layer in REDUCTIONS:
        raise InvalidRequest(f"Format dense holds layers as they are, not their {layer}: give a number or none.")
    layers = run.layers(tower) if layer is None else [layer]
    for index in layers:
        run.layer_file(index, tower)  # refuses a layer that is not there before anything is written
    _check_space(path, run, tower, len(layers))
    if layer is not None:
        with new_file(path) as beside:
            _write_layer(run, layer, tower, beside)
        return path
    with _new_folder(path) as beside:
        for index in layers:
            _write_layer(run, index, tower, beside / f"layer_{index:02d}.safetensors")
    return path


def _dense_header(run, layer, tower) -> bytes:
    """The start of a safetensors file that holds `attention` alone (https://huggingface.co/docs/safetensors)."""
    shape = [run.heads(tower), run.queries(tower), run.keys(tower)]
    about = {
        "run": run.info["id"],
        "model": run.info["model"]["id"],
        "tower": tower,
        "layer": str(layer),
        "how_to_read": "attention[head, query, key]: softmax probabilities, computed in float32 from the model's own "
        "queries and keys, rounded once to float16. Row q is what position q reads.",
    }
    attention = {"dtype": "F16", "shape": shape, "data_offsets": [0, 2 * math.prod(shape)]}
    header = json.dumps({"__metadata__": about, "attention": attention}).encode()
    header = header.ljust(math.ceil(len(header) / 8) * 8)  # readers that map the file want the tensor aligned
    return len(header).to_bytes(8, "little") + header


def write_dense(run: Run, layer: int, tower: str, file: BinaryIO, header: bytes | None = None) -> None:
    """Every row of a layer as float16 [heads, queries, keys] in C order, after `header`; a safetensors file by default.

    Rows are computed for all heads at once and lie far apart in the file; memory is a chunk of rows, however many.
    """
    header = _dense_header(run, layer, tower) if header is None else header
    queries, keys = run.queries(tower), run.keys(tower)
    file.write(header)
    for first, rows in run.dense_chunks(layer, tower):
        for head, part in enumerate(rows.astype("<f2")):
            file.seek(len(header) + 2 * keys * (head * queries + first))
            file.write(part)


def _write_layer(run, layer, tower, path: Path, header: bytes | None = None) -> None:
    with open(path, "wb") as file:
        write_dense(run, layer, tower, file, header)


def _check_space(path, run, tower, layers) -> None:
    size = 2 * layers * run.heads(tower) * run.queries(tower) * run.keys(tower)
    folder = next((folder for folder in path.absolute().parents if folder.exists()), None)
    free = shutil.disk_usage(folder).free if folder else size
    if size > free:
        raise LimitExceeded(
            f"This export takes {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free. "
            "Export one layer, or name another disk."
        )


def _write_bin(run, path) -> Path:
    """The original viewer's folder. It knows one picture with one grid, and counts layers from 0 without gaps."""
    info = run.info
    grids = [grid for grid in info["grids"] if grid["tower"] == "language"]
    if len(info["images"]) != 1 or len(grids) != 1:
        has = "no picture" if not info["images"] else f"{len(info['images'])} pictures in {len(grids)} parts"
        raise InvalidRequest(
            f"The original viewer's format holds exactly one picture in one part; this run has {has}. Use dense or npz."
        )
    tokens = [
        {"id": token["index"], "text": token["text"], "type": _original_type(token["role"])}
        | ({"grid_pos": [token["row"], token["col"]]} if token["grid"] is not None else {})
        for token in info["tokens"]
    ]
    cells = [token["index"] for token in info["tokens"] if token["grid"] is not None]
    layers = run.layers()
    meta = {
        "model": info["model"]["id"],
        "mode": info["mode"],
        "prompt": info["prompt"],
        "image_path": "image.jpg",
        "image_size": [info["images"][0]["width"], info["images"][0]["height"]],
        "num_layers": len(layers),
        "num_heads": run.heads(),
        "seq_len": len(tokens),
        "dtype": "float16",
        "tokens": tokens,  # whose ids are positions
        # end_idx is the last image token, not the one after it
        "image_grid": {"rows": grids[0]["rows"], "cols": grids[0]["cols"], "start_idx": cells[0], "end_idx": cells[-1]},
    }
    _check_space(path, run, "language", len(layers))
    with _new_folder(path) as beside:
        for number, layer in enumerate(layers):
            _write_layer(run, layer, "language", beside / f"attn_layer_{number:02d}.bin", header=b"")
        picture_of(run, 0).save(beside / "image.jpg", quality=JPEG_QUALITY)
        (beside / "meta.json").write_text(json.dumps(meta, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def _original_type(role: str) -> str:
    return role if role in ("image", "special") else "text"


# Files


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A place to write a file, which takes the name `path` once it is complete, replacing what was there."""
    with _renamed(path) as beside:
        if path.is_dir():
            raise InvalidRequest(f"{path} is a folder; name a file.")
        yield beside


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A place to write a folder, which takes the name `path`, free or an empty folder, once it is complete."""
    with _renamed(path) as beside:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InvalidRequest(f"{path} is not empty. This format is a folder: name one that does not exist yet.")
        beside.mkdir()
        yield beside
        if path.is_dir():
            path.rmdir()  # Windows does not rename onto it


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    beside = path.absolute().with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        beside.replace(path)
    except OSError as error:
        _remove(beside)
        raise InvalidRequest(
            words_for(error, path.name) or f"{path} cannot be written: {error.strerror or error}. Name another place."
        ) from None
    except BaseException:
        _remove(beside)
        raise


def _remove(path: Path) -> None:
    """Remove a file or folder that may have been written in part, or not at all."""
    try:
        path.unlink()
    except OSError:
        shutil.rmtree(path, ignore_errors=True)
