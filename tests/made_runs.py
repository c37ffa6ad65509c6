"""Run folders made by hand, for tests of what reads them: random queries and keys, tail rows stored as the writer does.

The numbers mean nothing; the layout is design.md's. What a real model does is tested on captured runs.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

PROMPT = ["what", " color", " is", " the", " star", "?"]
ANSWER = ["red", "."]


def token(text: str, role: str, **more) -> dict:
    return {"id": 0, "text": text, "role": role, "grid": None, "row": None, "col": None, **more}


def grid_of(picture: Image.Image, image: int, rows: int, cols: int, tower: str = "language") -> dict:
    box = [0, 0, picture.width, picture.height]
    return {"image": image, "tower": tower, "kind": "whole", "box_px": box, "rows": rows, "cols": cols, "time_s": None}


def chat(shapes: list[tuple[int, int]], prompt=PROMPT, answer=ANSWER, system=(), thinking=()) -> list[dict]:
    """The tokens of a turn with pictures, as the Qwen family lays them out."""
    tokens = []
    if system:
        tokens += [
            token("<|im_start|>", "special"),
            *(token(text, "system") for text in system),
            token("<|im_end|>", "special"),
        ]
    tokens += [token("<|im_start|>", "special"), token("user\n", "special")]
    for grid, (rows, cols) in enumerate(shapes):
        tokens.append(token("<|vision_start|>", "special"))
        tokens += [token("<|image_pad|>", "image", grid=grid, row=r, col=c) for r in range(rows) for c in range(cols)]
        tokens.append(token("<|vision_end|>", "special"))
    tokens += [token(text, "prompt") for text in prompt]
    tokens += [
        token("<|im_end|>", "special"),
        token("\n", "special"),
        token("<|im_start|>", "special"),
        token("assistant\n", "special"),
    ]
    tokens += [
        *(token(text, "thinking") for text in thinking),
        *(text if isinstance(text, dict) else token(text, "answer") for text in answer),
    ]
    if answer:
        tokens.append(token("<|im_end|>", "special"))
    return [{"index": index, **record} for index, record in enumerate(tokens)]


def spans(indices) -> list[list[int]]:
    result = []
    for index in indices:
        if result and result[-1][1] == index:
            result[-1][1] += 1
        else:
            result.append([index, index + 1])
    return result


def write_run(
    folder: Path,
    pictures: list[Image.Image],
    shapes: list[tuple[int, int]],
    *,
    tokens: list[dict] | None = None,
    layers=(0, 1, 2),
    heads=4,
    kv_heads=2,
    head_dim=8,
    sharpness=2.0,
    stored=None,
    seed=0,
    vision=False,
    smooth=False,
    dtype=np.float32,
    **more,
) -> Path:
    """Write a finished run.

    `stored` is how many of the last rows are kept as float16 (by default those from the last prompt token on);
    `smooth` lets neighbouring cells have like keys, so that maps show patches instead of noise; `dtype` is that of
    queries and keys."""
    rng = np.random.default_rng(seed)
    tokens = chat(shapes) if tokens is None else tokens
    grids = [grid_of(picture, i, *shape) for i, (picture, shape) in enumerate(zip(pictures, shapes, strict=True))]
    folder.mkdir(parents=True)
    (folder / "language").mkdir()
    n = len(tokens)
    first_answer = next((t["index"] for t in tokens if t["role"] in ("answer", "thinking")), n)
    positions = np.arange(n - stored if stored is not None else max(0, first_answer - 1), n, dtype=np.int32)
    records, scores = [], []
    for layer in layers:
        query, key = (rng.standard_normal((h, n, head_dim)).astype(np.float32) * sharpness for h in (heads, kv_heads))
        if smooth:
            place_keys(key, tokens, shapes, rng)
        query, key = query.astype(dtype, copy=False), key.astype(dtype, copy=False)
        rows = causal_rows(query, key, positions)
        save_file(
            {
                "query": query,
                "key": key,
                "positions": positions,
                "attention": np.ascontiguousarray(rows.swapaxes(0, 1)).astype(np.float16),
            },
            folder / "language" / f"layer_{layer:02}.safetensors",
            {
                "scaling": str(head_dim**-0.5),
                "mask": "causal",
                "layer": str(layer),
                "tower": "language",
                "rows": "tail",
            },
        )
        records.append(
            {
                "index": layer,
                "kind": "softmax",
                "file": f"language/layer_{layer:02}.safetensors",
                "kv_heads": kv_heads,
                "head_dim": head_dim,
            }
        )
        scores.append(rows.sum(-1))
    towers = {"language": {"heads": heads, "keys": n, "layers": records}}
    if vision:
        keys = []
        for i, (picture, (rows, cols)) in enumerate(zip(pictures, shapes, strict=True)):
            grids.append(grid_of(picture, i, rows, cols, "vision"))
            keys += [{"grid": len(grids) - 1, "row": r, "col": c} for r in range(rows) for c in range(cols)]
        (folder / "vision").mkdir()
        query, key = (rng.standard_normal((heads, len(keys), head_dim)).astype(np.float32) for _ in range(2))
        save_file(
            {"query": query, "key": key},
            folder / "vision" / "layer_00.safetensors",
            {"scaling": str(head_dim**-0.5), "mask": "full", "layer": "0", "tower": "vision", "rows": "tail"},
        )
        towers["vision"] = {
            "heads": heads,
            "keys": keys,
            "layers": [{"index": 0, "kind": "softmax", "file": "vision/layer_00.safetensors"}],
        }
    save_file({"language.image_mass": np.stack(scores).astype(np.float32)}, folder / "scores.safetensors")
    images = []
    for i, picture in enumerate(pictures):
        picture.save(folder / f"image_{i}.png")
        picture.save(folder / f"preview_{i}.jpg", quality=95, subsampling=0)
        images.append(
            {
                "file": f"image_{i}.png",
                "preview": f"preview_{i}.jpg",
                "width": picture.width,
                "height": picture.height,
                "read_width": picture.width,
                "read_height": picture.height,
            }
        )
    groups = [
        {"name": name, "spans": spans([t["index"] for t in tokens if t["role"] == name])}
        for name in ("system", "prompt", "thinking", "answer", "special")
    ]
    groups += [
        {"name": f"image {i + 1}", "spans": spans([t["index"] for t in tokens if t["grid"] == i])}
        for i in range(len(pictures))
    ]
    info = {
        "format": 1,
        "id": folder.name,
        "created": "2026-11-21T18:00:00Z",
        "model": {"id": "made by hand", "revision": None, "dtype": "float32"},
        "adapter": None,
        "mode": "generate",
        "tokens": tokens,
        "images": images,
        "grids": grids,
        "towers": towers,
        "groups": {"language": [*groups, {"name": "sink", "spans": None}]},
        "sinks": {},
        **more,
    }
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


def place_keys(key: np.ndarray, tokens: list[dict], shapes: list[tuple[int, int]], rng) -> None:
    """Replace the keys of image tokens by slow waves over their picture."""
    heads, _, head_dim = key.shape
    waves = rng.uniform(-2.2, 2.2, (heads, head_dim, 2))
    phase = rng.uniform(0, 2 * np.pi, (heads, head_dim))
    for record in tokens:
        if record["grid"] is not None:
            rows, cols = shapes[record["grid"]]
            at = np.array([2 * record["row"] / rows, 2 * record["col"] / cols])
            key[:, record["index"]] = 2.2 * np.sin(waves @ at + phase)


def causal_rows(query: np.ndarray, key: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Causal softmax(query . key / sqrt(head_dim)) at some positions: float32 [heads, rows, keys]."""
    heads, n, head_dim = query.shape
    keys = np.repeat(key, heads // len(key), 0).astype(np.float64)
    scores = query[:, positions].astype(np.float64) @ keys.swapaxes(1, 2) / np.sqrt(head_dim)
    scores[:, np.arange(n) > positions[:, None]] = -np.inf
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return (scores / scores.sum(-1, keepdims=True)).astype(np.float32)


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """Coloured shapes on a plain ground: something to look at."""
    from PIL import ImageDraw

    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (width, height), (236, 233, 226))
    draw = ImageDraw.Draw(picture)
    for colour in ("#d33", "#36c", "#3a4", "#ec3", "#84b"):
        size = int(min(width, height) * rng.uniform(0.14, 0.26))
        x, y = int(rng.uniform(0, width - size)), int(rng.uniform(0, height - size))
        [draw.ellipse, draw.rectangle][int(rng.integers(2))]((x, y, x + size, y + size), fill=colour)
    return picture
