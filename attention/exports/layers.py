"""Whole layers in numbers: `dense` (safetensors with every row) and `bin` (the folder that the original VLM Attention
Viz reads).

Memory holds a chunk of rows, however many a layer has.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import BinaryIO

from attention.drawing.run_map import picture_of
from attention.errors import InvalidRequest
from attention.runs.run import Run, is_reduction

from .files import new_file, new_folder
from .forecast import check_free, layer_bytes

JPEG_QUALITY = 95


def write_dense_files(run, path, tower, layer) -> Path:
    if is_reduction(layer):
        raise InvalidRequest(f"Format dense holds layers as they are, not their {layer}: give a number or none.")
    layers = run.layers(tower) if layer is None else [layer]
    for index in layers:
        run.layer_file(index, tower)  # refuses a layer that is not there before anything is written
    check_free(len(layers) * layer_bytes(run, tower), path)
    if layer is not None:
        with new_file(path) as beside:
            _write_layer(run, layer, tower, beside)
        return path
    with new_folder(path) as beside:
        for index in layers:
            _write_layer(run, index, tower, beside / f"layer_{index:02d}.safetensors")
    return path


def _dense_header(run, layer, tower) -> bytes:
    """The start of a safetensors file that holds `attention` alone (https://huggingface.co/docs/safetensors)."""
    queries, keys = run.queries_with_rows(tower), run.keys_with_columns(tower)
    shape = [run.heads(tower), len(queries), len(keys)]
    are_all = shape[1:] == [run.queries(tower), run.keys(tower)]
    about = {
        "run": run.info["id"],
        "model": run.info["model"]["id"],
        "tower": tower,
        "layer": str(layer),
        "how_to_read": "attention[head, query, key]: softmax probabilities, computed in float32 from the model's own "
        "queries and keys, rounded once to float16. "
        + ("Row q is what position q reads." if are_all else "Rows and keys are those of query_tokens and key_tokens."),
        **({} if are_all else {"query_tokens": json.dumps(queries.tolist()), "key_tokens": json.dumps(keys.tolist())}),
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
    queries, keys = run.queries_with_rows(tower), run.keys_with_columns(tower)
    file.write(header)
    written = 0
    for first, rows in run.dense_chunks(layer, tower):
        own = queries[(queries >= first) & (queries < first + rows.shape[1])] - first
        part_of = rows if len(own) == rows.shape[1] else rows[:, own]
        part_of = part_of if len(keys) == rows.shape[2] else part_of[:, :, keys]
        for head, part in enumerate(part_of.astype("<f2")):
            file.seek(len(header) + 2 * len(keys) * (head * len(queries) + written))
            file.write(part.tobytes())
        written += len(own)


def _write_layer(run, layer, tower, path: Path, header: bytes | None = None) -> None:
    with open(path, "wb") as file:
        write_dense(run, layer, tower, file, header)


def write_bin(run, path) -> Path:
    """The original viewer's folder. It knows one picture with one grid, and counts layers from 0 without gaps."""
    info = run.info
    grids = [info["grids"][grid] for grid in run.grids()]
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
        **({"model_layers": layers} if run.other_layers() else {}),  # files are counted from 0
        "num_heads": run.heads(),
        "seq_len": len(tokens),
        "dtype": "float16",
        "tokens": tokens,  # whose ids are positions
        # end_idx is the last image token, not the one after it
        "image_grid": {"rows": grids[0]["rows"], "cols": grids[0]["cols"], "start_idx": cells[0], "end_idx": cells[-1]},
    }
    check_free(len(layers) * layer_bytes(run, "language"), path)
    with new_folder(path) as beside:
        for number, layer in enumerate(layers):
            _write_layer(run, layer, "language", beside / f"attn_layer_{number:02d}.bin", header=b"")
        picture_of(run, 0).save(beside / "image.jpg", quality=JPEG_QUALITY)
        (beside / "meta.json").write_text(json.dumps(meta, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def _original_type(role: str) -> str:
    return role if role in ("image", "special") else "text"
