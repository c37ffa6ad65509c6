"""The cost of reading: one token over every layer and head, and columns, from a run folder of realistic size.

    python tests/bench/read.py [--tokens 1500] [--layers 28] [--heads 16] [--kv-heads 8] [--repeats 20] [--folder D]

Writes a run with random bfloat16 queries and keys and a few hundred stored rows, then reads it warm: every file is
open, in the system's cache, and a layer's keys are in memory, as they are after the first token that somebody looks
at. NumPy's BLAS has one thread unless OPENBLAS_NUM_THREADS says otherwise: on a busy machine several wait for each
other for longer than they help. Prints medians and the slowest beside the goals; asserts nothing.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported

import numpy as np  # noqa: E402

from attention.runs.run import Run  # noqa: E402

HEAD_DIM = 128
STORED_ROWS = 300


def write_run(folder: Path, tokens: int, layers: int, heads: int, kv_heads: int) -> Path:
    rng = np.random.default_rng(0)
    stored = min(STORED_ROWS, tokens)
    (folder / "language").mkdir(parents=True)
    for layer in range(layers):
        tensors = {
            "attention": ("F16", rng.random((stored, heads, tokens), np.float32).astype(np.float16)),
            "positions": ("I32", np.arange(tokens - stored, tokens, dtype=np.int32)),
            "query": ("BF16", bfloat16(rng.standard_normal((heads, tokens, HEAD_DIM), np.float32))),
            "key": ("BF16", bfloat16(rng.standard_normal((kv_heads, tokens, HEAD_DIM), np.float32))),
        }
        write_tensors(
            folder / "language" / f"layer_{layer:02d}.safetensors",
            tensors,
            {
                "scaling": repr(HEAD_DIM**-0.5),
                "softcap": "",
                "mask": "causal",
                "layer": str(layer),
                "tower": "language",
            },
        )
    files = [{"index": i, "kind": "softmax", "file": f"language/layer_{i:02d}.safetensors"} for i in range(layers)]
    info = {
        "format": 1,
        "id": "bench",
        "model": {"id": "random"},
        "tokens": [{"index": i} for i in range(tokens)],
        "images": [],
        "grids": [],
        "towers": {"language": {"heads": heads, "keys": tokens, "layers": files}},
    }
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


def bfloat16(values: np.ndarray) -> np.ndarray:
    """The upper halves of float32 numbers, which is what bfloat16 is; NumPy has no such type."""
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def write_tensors(path: Path, tensors: dict, metadata: dict) -> None:
    header, start = {"__metadata__": metadata}, 0
    for name, (dtype, array) in tensors.items():
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, array in tensors.values():
            file.write(array)


def measure(name: str, goal_ms: float, read, repeats: int) -> None:
    times = []
    for i in range(repeats):
        start = time.perf_counter()
        read(i)
        times.append((time.perf_counter() - start) * 1000)
    median = statistics.median(times)
    verdict = "reached" if median <= goal_ms else "missed"
    print(f"{name:44} {median:9.2f} {max(times):9.2f} {goal_ms:9.0f}  {verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=1500)
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument("--heads", type=int, default=16)
    parser.add_argument("--kv-heads", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where to write the run (removed at the end)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = write_run(Path(place) / "run", options.tokens, options.layers, options.heads, options.kv_heads)
        with Run(folder) as run:
            report(run, options)


def report(run: Run, options) -> None:
    layers, n, repeats = run.layers(), options.tokens, options.repeats
    print(f"{len(layers)} layers x {options.heads} heads, {n} tokens; milliseconds")
    print(f"{'':44} {'median':>9} {'slowest':>9} {'goal':>9}")
    last = n - 1

    def row(source):
        def read(i):
            run.rows(last - i % STORED_ROWS, source=source)

        read(0)  # files open, keys in memory
        return read

    measure("one token, stored rows", 3, row("stored"), repeats)
    measure("one token, rows from factors", 20, row("factors"), repeats)
    columns = layers[: min(len(layers), repeats)]
    measure("a layer's first column", 300, lambda i: run.column(columns[i], n // 2), len(columns))
    measure("a later column of the same layer", 5, lambda i: run.column(columns[i % len(columns)], n // 2 + i), repeats)
    start = time.perf_counter()
    for layer in layers:
        run.column(layer, n // 4)
    print(f"{'one key, columns of every layer':44} {(time.perf_counter() - start) * 1000:9.2f}")


if __name__ == "__main__":
    main()
