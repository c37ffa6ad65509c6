"""Check that a run holds what reading it relies on; asked of runs that somebody else made.

Owns how the parts of run.json and the files beside it must fit each other; what each field may hold by itself says
`attention.runs.schema`. Judges no number that a file is there to hold, only whether all of them are there. Knows the
layout of a run's folder; knows no zip, no model and no Gradio.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from attention.errors import DamagedRun, LimitExceeded, quoted
from attention.limits import (
    MAX_GROUPS,
    MAX_LAYERS,
    MAX_PIXELS,
    MAX_ROW_VALUES,
    MAX_TOKENS,
    MAX_WHOLE,
)
from attention.runs.layer_file import LayerFile
from attention.runs.run import Run
from attention.stored_pictures import look_over

from .by_schema import check_run_fields
from .json_fields import Fields
from .tensor_header import broken, kind_of, read_header

TOWERS = ("language", "vision", "cross", "encoder", "resampler")
MASKS, SCORES = "masks.safetensors", "scores.safetensors"

_FLOATS = ("BF16", "F16", "F32", "F64")

FIELDS = Fields("run.json of this run")
_whole, _list, _wrong = FIELDS.whole, FIELDS.listed, FIELDS.wrong


def check_run(run: Run) -> None:
    """Look at everything that reading a run relies on: its index, the layout of its files, and its pictures.

    What passes answers every question of `Run` and every route with numbers or with a sentence. Raises DamagedRun with
    what is wrong, LimitExceeded for what no page could show.
    """
    check_index(run.info)
    check_files(run.folder, run.info)


def named_files(info: dict[str, Any]) -> list[str]:
    """The files that a checked run.json names."""
    layers = [layer["file"] for tower in info["towers"].values() for layer in tower["layers"] if layer.get("file")]
    return layers + [image[which] for image in info["images"] for which in ("file", "preview") if image.get(which)]


# run.json


class _Tower(NamedTuple):
    """The sizes of a tower and its layers that have a file: `queries` and `keys` in it, `places` that keys may have."""

    heads: int
    queries: int
    keys: int
    places: int
    layers: list[dict[str, Any]]


def check_index(info: dict[str, Any]) -> None:
    """All of run.json: what it holds, and that its parts fit each other."""
    FIELDS.plain(info)
    check_run_fields(info, FIELDS)
    tokens = info["tokens"]
    if not tokens:
        raise _wrong("tokens", tokens, "at least one token")
    _whole(info.get("prompt_tokens", 0), "prompt_tokens", 0, len(tokens) + 1)
    _list(info.get("logprobs", []), "logprobs", len(tokens))
    towers = _towers(info, len(tokens))
    _check_images(info)
    _check_places(info)
    _check_grids(info, towers)
    _check_tokens(tokens)
    _check_cells(info, towers)
    _check_groups(info, towers)
    _check_sinks(info, towers)


def _towers(info: dict[str, Any], n_tokens: int) -> dict[str, _Tower]:
    towers = info["towers"]
    if "language" not in towers or not set(towers) <= set(TOWERS):
        raise _wrong("the list of towers", list(towers), f"language, and of {', '.join(TOWERS[1:])} what there is")
    return {name: _tower(name, tower, n_tokens) for name, tower in towers.items()}


def _tower(name: str, tower: dict[str, Any], n_tokens: int) -> _Tower:
    heads = tower["heads"]
    if isinstance(tower["keys"], int):
        keys = _whole(tower["keys"], f"the number of keys of tower {name}", n_tokens, n_tokens + 1)
    elif name == "language":
        raise _wrong("the keys of tower language", tower["keys"], "how many there are, one for each token")
    else:
        keys = len(_list(tower["keys"], f"the keys of tower {name}", MAX_TOKENS))
    if not keys:
        raise _wrong(f"the keys of tower {name}", tower["keys"], "at least one key")
    queries = keys
    if "queries" in tower:
        queries = _whole(tower["queries"], f"the number of queries of tower {name}", n_tokens, n_tokens + 1)
    places = keys
    if "query_tokens" in tower:
        if not isinstance(tower["keys"], int) and "queries" not in tower:
            raise _wrong(f"query_tokens of tower {name}", tower["query_tokens"], "left out: its queries are no tokens")
        queries = _spans(tower["query_tokens"], f"query_tokens of tower {name}", n_tokens)
    if "key_tokens" in tower:
        if not isinstance(tower["keys"], int):
            raise _wrong(f"key_tokens of tower {name}", tower["key_tokens"], "left out: its keys are no tokens")
        keys = _spans(tower["key_tokens"], f"key_tokens of tower {name}", n_tokens)
    layers = []
    before = -1
    for record in tower["layers"]:
        before = _whole(record["index"], f"the index of a layer of tower {name}", before + 1, MAX_LAYERS)
        if record.get("file") is None:
            continue
        if record["file"] != f"{name}/layer_{before:02}.safetensors":
            raise _wrong(f"the file of layer {before}", record["file"], f"{name}/layer_{before:02}.safetensors")
        for part, most in (("kv_heads", heads), ("head_dim", MAX_WHOLE)):
            if record.get(part) is not None:
                _whole(record[part], f"the {part} of layer {before}", 1, most + 1)
        layers.append(record)
    if not layers:
        raise _wrong(f"the layers of tower {name}", tower["layers"], "at least one with a file")
    if len(layers) * heads * places > MAX_ROW_VALUES:  # what is read of a row has a place for every token
        raise LimitExceeded(
            f"Tower {name} of this run has {len(layers)} layers of {heads} heads and {places:,} keys: "
            f"{len(layers) * heads * places:,} numbers for each token. The limit is {MAX_ROW_VALUES:,}."
        )
    return _Tower(heads, queries, keys, places, layers)


def _spans(spans: list[list[int]], where: str, n: int) -> int:
    """The number of tokens in spans, which must be ascending and lie within `n`."""
    end = 0
    for first, last in spans:
        end = _whole(
            last, f"the end of a span of {where}", _whole(first, f"the start of a span of {where}", end, n) + 1, n + 1
        )
    return sum(last - first for first, last in spans)


def _check_images(info: dict[str, Any]) -> None:
    for i, image in enumerate(info["images"]):
        where = f"image {i}"
        if image["file"] != f"image_{i}.png":
            raise _wrong(f"the file of {where}", image["file"], f"image_{i}.png")
        if image.get("preview") not in (None, f"preview_{i}.jpg"):
            raise _wrong(f"the preview of {where}", image["preview"], f"preview_{i}.jpg")
        if image["width"] * image["height"] > MAX_PIXELS:
            raise LimitExceeded(
                f"Image {i} of this run has {image['width']}x{image['height']} pixels; the limit is {MAX_PIXELS:,}."
            )


def _check_places(info: dict[str, Any]) -> None:
    """That the points and boxes that an answer names, or may name, lie on pictures that are there."""
    n_images = len(info["images"])
    for name in ("points", "boxes"):
        for place in info.get(name, []):
            _whole(place["image"], f"the image of one of {name}", 0, n_images)
    for place in info.get("unplaced", []):
        for each in place.get("on", []):
            _whole(each["image"], "the image of a picture of one of unplaced", 0, n_images)


def _check_grids(info: dict[str, Any], towers: dict[str, _Tower]) -> None:
    for i, grid in enumerate(info["grids"]):
        where = f"grid {i}"
        for image in (grid["image"], *(grid.get("images") or ())):
            _whole(image, f"the image of {where}", 0, len(info["images"]))
        if grid["tower"] not in towers:
            raise _wrong(f"the tower of {where}", grid["tower"], " or ".join(towers))
        most = towers[grid["tower"]].places + 1
        rows, cols = (_whole(grid[name], f"the {name} of {where}", 0, most) for name in ("rows", "cols"))
        if rows * cols >= most:
            raise _wrong(f"the size of {where}", f"{rows}x{cols}", f"at most {most - 1:,} cells, as many as keys")
        box = grid["box_px"]
        if len(box) != 4 or (rows * cols and not (box[0] < box[2] and box[1] < box[3])):
            raise _wrong(f"the box of {where}", box, "x0, y0, x1, y1 with x0 < x1 and y0 < y1")
        for name, count in (("row_edges_px", rows), ("col_edges_px", cols)):
            if grid.get(name) is not None:
                _check_edges(grid[name], count, f"{name} of {where}")


def _check_edges(edges: list[float], count: int, where: str) -> None:
    """Check where rows or columns of cells begin and end."""
    if len(edges) != count + 1 or any(stop <= start for start, stop in pairwise(edges)):
        raise _wrong(where, edges, f"{count + 1} ascending numbers")


def _check_tokens(tokens: list[Any]) -> None:
    for i, token in enumerate(tokens):
        _whole(token["index"], f"the index of token {i}", i, i + 1)
        if token.get("part_of") is not None:
            _whole(token["part_of"], f"part_of of token {i}", 0, i)


def _check_cells(info: dict[str, Any], towers: dict[str, _Tower]) -> None:
    """Every key's place on its picture, and that every place of every grid has a key."""
    grids = info["grids"]
    found: list[set[Any]] = [set() for _ in grids]
    of_tokens = [name for name, tower in info["towers"].items() if isinstance(tower["keys"], int)]
    of_some = {name: info["towers"][name]["key_tokens"] for name in of_tokens if "key_tokens" in info["towers"][name]}
    read = {name: {token for span in spans for token in range(*span)} for name, spans in of_some.items()}
    owned = [(info["tokens"], of_tokens)]
    owned += [(info["towers"][name]["keys"], [name]) for name in towers if name not in of_tokens]
    for owners, names in owned:
        for i, owner in enumerate(owners):
            where = f"key {i} of tower {names[0]}"
            if owner is None:
                continue
            place = [owner[part] for part in ("grid", "row", "col")]
            if names is of_tokens and place == [None, None, None]:
                continue
            index = _whole(place[0], f"the grid of {where}", 0, len(grids))
            grid = grids[index]
            if grid["tower"] not in names:
                raise _wrong(f"the grid of {where}", index, f"one of tower {' or '.join(names)}")
            if i not in read.get(grid["tower"], {i}):
                raise _wrong(f"the grid of token {i}", index, f"one of a tower that it is read in, not {grid['tower']}")
            row = _whole(place[1], f"the row of {where}", 0, grid["rows"])
            found[index].add((row, _whole(place[2], f"the col of {where}", 0, grid["cols"])))
    for i, (grid, places) in enumerate(zip(grids, found, strict=True)):
        if len(places) != grid["rows"] * grid["cols"]:
            raise _wrong(f"grid {i}", f"{grid['rows']}x{grid['cols']}", f"all there: {len(places)} of its cells are")


def _check_groups(info: dict[str, Any], towers: dict[str, _Tower]) -> None:
    for name, tower in towers.items():
        where = f"a group of tower {name}"
        for group in _list(info["groups"].get(name), f"the groups of tower {name}", MAX_GROUPS):
            if group["spans"] is None:  # sinks, which are other keys in each layer
                continue
            end = 0
            for span in _list(group["spans"], f"the spans of {where}", tower.places):
                if len(span) != 2:
                    raise _wrong(f"a span of {where}", span, "a first key and the one after the last")
                start = _whole(span[0], f"the start of a span of {where}", end, tower.places)
                end = _whole(span[1], f"the end of a span of {where}", start + 1, tower.places + 1)


def _check_sinks(info: dict[str, Any], towers: dict[str, _Tower]) -> None:
    for name, layers in info.get("sinks", {}).items():
        if name not in towers:
            raise _wrong("a tower with sinks", name, " or ".join(towers))
        for layer, keys in layers.items():
            for key in _list(keys, f"the sinks of layer {quoted(layer)}", towers[name].places):
                _whole(key, f"a sink of layer {quoted(layer)}", 0, towers[name].places)


# The other files


def check_files(folder: Path, info: dict[str, Any]) -> None:
    """The files beside a checked run.json: that they are there, and hold what it says."""
    n_tokens = len(info["tokens"])
    masks = read_header(folder, MASKS)[0] if (folder / MASKS).exists() else {}
    rows = {}
    for name, record in info["towers"].items():
        tower = _tower(name, record, n_tokens)
        stored = [_check_layer(folder, layer, tower, masks) for layer in tower.layers]
        if any(not np.array_equal(positions, stored[0]) for positions in stored):
            raise DamagedRun(f"The layers of tower {name} of this run store different rows; they must store the same.")
        rows[name] = (len(tower.layers), tower.heads, len(stored[0]))
    if (folder / SCORES).exists():
        for table, (dtype, shape) in read_header(folder, SCORES)[0].items():
            expected = rows.get(table.partition(".")[0])
            if dtype != "F32" or shape != expected:
                raise broken(SCORES, f"{quoted(table)} is {kind_of(dtype, shape)}, not {kind_of('F32', expected)}")
    for image in info["images"]:
        _check_picture(folder, image["file"], "PNG", image)
        if image.get("preview"):
            _check_picture(folder, image["preview"], "JPEG", image)


class _Layer(NamedTuple):
    """A layer's file by its header."""

    name: str
    tensors: dict[str, tuple[str, tuple[int, ...]]]
    metadata: dict[str, str]

    def has(self, *names: str) -> bool:
        return any(name in self.tensors for name in names)

    def check(self, name: str, dtypes: tuple[str, ...], *shape: int | None) -> tuple[int, ...]:
        """A tensor's shape, if it has this type and shape; None stands for any size."""
        if name not in self.tensors:
            raise broken(self.name, f"it has no {name}")
        dtype, found = self.tensors[name]
        fits = len(found) == len(shape) and all(want in (None, size) for want, size in zip(shape, found, strict=True))
        if dtype not in dtypes or not fits:
            raise broken(self.name, f"{name} is {kind_of(dtype, found)}, not {kind_of(' or '.join(dtypes), shape)}")
        return found


def _check_layer(folder: Path, record: dict[str, Any], tower: _Tower, masks: dict[str, Any]) -> np.ndarray:
    """One layer's file; returns the positions of the rows that it stores."""
    layer = _Layer(record["file"], *read_header(folder, record["file"]))
    with LayerFile(folder / layer.name) as file:
        positions = _checked_rows(layer, file, tower) if layer.has("attention", "positions") else np.empty(0, np.int32)
        if layer.has("query", "key"):
            _check_factors(layer, record, tower)
            _check_mask(layer, file, tower, masks)
        elif len(positions) != tower.queries:
            rows = f"{len(positions):,} of {tower.queries:,} rows"
            raise broken(layer.name, f"it has no queries and keys, and {rows}")
    n_axes = len(layer.tensors["sink_logits"][1]) if layer.has("sink_logits") else 1
    sinks = (tower.heads, tower.queries)[: max(1, n_axes)]
    for name, dtypes, shape in (
        ("sink_logits", ("F32",), sinks),
        ("received", ("F32",), (tower.heads, tower.keys)),
        ("position_bias", _FLOATS, (tower.heads, tower.queries, tower.keys)),
    ):
        if layer.has(name):
            layer.check(name, dtypes, *shape)
    return positions


def _checked_rows(layer: _Layer, file: LayerFile, tower: _Tower) -> np.ndarray:
    (n_rows,) = layer.check("positions", ("I32",), None)
    layer.check("attention", ("F16",), n_rows, tower.heads, tower.keys)
    positions = file.read("positions")
    if n_rows and not (positions[0] >= 0 and positions[-1] < tower.queries and (np.diff(positions) > 0).all()):
        raise broken(layer.name, f"its positions are not ascending, from 0 to {tower.queries - 1:,}")
    return positions


def _check_factors(layer: _Layer, record: dict[str, Any], tower: _Tower) -> None:
    """Queries and keys, and what turns them into scores."""
    kv_heads, _, head_dim = layer.check("key", _FLOATS, record.get("kv_heads"), tower.keys, record.get("head_dim"))
    layer.check("query", _FLOATS, tower.heads, tower.queries, head_dim)
    if not head_dim or not kv_heads or tower.heads % kv_heads:
        shared = f"{kv_heads} heads of {head_dim} numbers each"
        raise broken(layer.name, f"{tower.heads} heads of queries cannot share {shared}")
    for field in ("scaling", "softcap"):
        value = layer.metadata.get(field) or ("" if field == "softcap" else "missing")
        try:
            if value and not 0 < float(value) < math.inf:
                raise ValueError
        except ValueError:
            raise broken(layer.name, f"its {field} is {quoted(value)}, not a number above 0") from None


def _check_mask(layer: _Layer, file: LayerFile, tower: _Tower, masks: dict[str, Any]) -> None:
    mask = layer.metadata.get("mask")
    if not mask:
        raise broken(layer.name, "it names no mask")
    if mask in ("causal", "segments") and tower.queries != tower.keys:
        raise broken(layer.name, f"{tower.queries:,} queries read {tower.keys:,} keys under a {mask} mask")
    if mask == "segments":
        layer.check("segments", ("I32",), None)
        ends = file.read("segments")
        if not len(ends) or ends[0] < 1 or ends[-1] != tower.keys or (np.diff(ends) < 1).any():
            raise broken(layer.name, f"its segments are not ascending, up to {tower.keys:,}")
    elif mask not in ("causal", "full"):
        expected = ("U8", (tower.queries, math.ceil(tower.keys / 8)))
        if masks.get(mask) != expected:
            has = kind_of(*masks[mask]) if mask in masks else "missing"
            raise broken(layer.name, f"its mask {quoted(mask)} is {has}, not {kind_of(*expected)} in {MASKS}")


def _check_picture(folder: Path, name: str, kind: str, image: dict[str, Any]) -> None:
    """Decode a picture once: a header alone does not show that the rest can be drawn."""
    most = image["width"], image["height"]
    try:
        size, mode = look_over(folder / name, kind, most)
    except LimitExceeded:
        raise
    except Exception:  # noqa: BLE001 - a broken picture can raise anything, and names our own folder
        raise broken(name, f"it is no {kind} picture that can be read") from None
    if size != most if kind == "PNG" else size[0] > most[0] or size[1] > most[1]:
        raise broken(name, f"it has {size[0]}x{size[1]} pixels where run.json says {most[0]}x{most[1]}")
    if kind == "PNG" and mode != "RGB":
        raise broken(name, f"its colours are {mode}, not RGB")
