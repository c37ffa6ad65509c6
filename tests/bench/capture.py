"""The cost of capturing: a call with capture, up to the committed folder, against the same call of a plain SDPA model.

    python tests/bench/capture.py [--tokens 500 1500 3000] [--dtypes float32 bfloat16] [--layers 4] [--pairs 20]

Random weights in the text dimensions of Qwen3-VL-2B (hidden 2048, 16 heads, 8 key-value heads of 128, MLP 6144), a
small vision tower, a picture that fills the sequence. Both models share their weights and stand in one process;
calls alternate, and the ratio is taken pair by pair. Memory is measured in processes of their own, above the loaded
model. Prints a table; asserts nothing.

    python tests/bench/capture.py --real [--device cuda] [--help]

measures at the true sizes instead: see real.py.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import psutil  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from tiny import qwen3_vl_config  # noqa: E402
from transformers import Qwen3VLForConditionalGeneration  # noqa: E402

from attention.capture import extraction  # noqa: E402
from attention.capture.images import open_pictures  # noqa: E402
from attention.capture.inputs import prepare  # noqa: E402
from attention.models.config import processor_of, read_config  # noqa: E402
from attention.models.devices import inputs_for  # noqa: E402
from attention.models.hook import ATTENTION  # noqa: E402
from attention.models.kept import LoadedModel  # noqa: E402
from attention.pocket.publish import write_folder  # noqa: E402
from attention.pocket.tokenizer import build_tokenizer  # noqa: E402
from attention.request import Limits, Request  # noqa: E402
from attention.runs.partial import PartialRun  # noqa: E402

FILLER = "what color is the star? "


def build(layers: int, dtype: torch.dtype, device: str):
    """A plain model, and one with the capturing function on the same weights."""
    config = qwen3_vl_config(layers=layers)
    text = config.text_config
    text.hidden_size, text.intermediate_size, text.num_attention_heads, text.num_key_value_heads = 2048, 6144, 16, 8
    text.head_dim, text.rope_scaling["mrope_section"] = 128, [24, 20, 20]
    text.rope_parameters = {**text.rope_parameters, "mrope_section": [24, 20, 20]}
    config.vision_config.out_hidden_size = 2048
    torch.manual_seed(0)
    found = {}
    for name in ("sdpa", ATTENTION):
        config._attn_implementation = name
        with torch.device("meta" if found else "cpu"):
            found[name] = Qwen3VLForConditionalGeneration._from_config(config, dtype=dtype, attn_implementation=name)
    plain = found["sdpa"].to(device).eval()
    captured = found[ATTENTION].eval()
    captured.load_state_dict(plain.state_dict(), assign=True)
    captured.tie_weights()
    for (_, theirs), (owner_name, buffer) in zip(captured.named_buffers(), plain.named_buffers(), strict=True):
        owner = captured.get_submodule(owner_name.rpartition(".")[0])
        owner._buffers[owner_name.rpartition(".")[2]] = buffer
        del theirs
    return plain, captured


def request_for(n: int, folder: Path) -> Request:
    """A request of about n tokens: a picture of most of them, and text."""
    cells = max(16, n - 80)
    cols = int(cells**0.5)
    image = folder / f"picture_{n}.png"
    Image.effect_noise((cols * 32, cells // cols * 32), 80).convert("RGB").save(image)
    return Request(images=image, prompt=FILLER * 6, max_visual_tokens=cells)


class Bench:
    def __init__(self, layers, dtype, device, folder):
        self.folder = folder
        self.plain, captured = build(layers, dtype, device)
        processor_folder = folder / "processor"
        if not processor_folder.exists():
            write_folder(Qwen3VLForConditionalGeneration(qwen3_vl_config()), build_tokenizer(), processor_folder)
        _, family = read_config(str(processor_folder))
        processor = processor_of(str(processor_folder), family)
        name = str(dtype).removeprefix("torch.")
        self.loaded = LoadedModel("random", None, str(processor_folder), family, captured, processor, device, name)

    def prepare(self, n, vision, rows_bytes):
        self.request = request_for(n, self.folder)
        self.limits = Limits(rows_bytes=rows_bytes, buffer_bytes=128_000_000)
        self.prepared = prepare(
            self.request,
            open_pictures(self.request, self.limits),
            self.loaded.family,
            self.loaded.processor,
            self.limits,
        )
        self.tensors = inputs_for(self.loaded.model, self.loaded.family, self.prepared.inputs.tensors)
        self.request = Request(images=self.request.images, prompt=self.request.prompt, vision=vision)
        return len(self.prepared.inputs.ids)

    @torch.inference_mode()
    def run_plain(self, attention="sdpa"):
        output = self.plain(**self.tensors, use_cache=False, logits_to_keep=1, output_attentions=attention == "eager")
        self.sync()
        return output

    @torch.inference_mode()
    def run_captured(self):
        """From the call to the committed folder, the writer joined; returns the folder's bytes."""
        final = self.folder / "run"
        partial = PartialRun.create(final)
        inputs = self.prepared.inputs
        pictures, self.prepared.pictures = self.prepared.pictures, []  # saving the picture is no part of capturing
        sizes, inputs.read_sizes = inputs.read_sizes, []
        held = extraction.Extraction(self.request, partial, self.loaded, self.limits)
        held.loaded, held.prepared, held.limits = self.loaded, self.prepared, self.limits
        held.keep(partial, [])
        self.prepared.pictures, inputs.read_sizes = pictures, sizes
        self.sync()

    def sync(self):
        if self.loaded.device.startswith("cuda"):
            torch.cuda.synchronize()

    def eager(self):
        for module in self.plain.modules():
            if hasattr(module, "config"):
                module.config._attn_implementation = "eager"
        return self


def seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interval(values: list[float]) -> tuple[float, float]:
    """A 95 % bootstrap interval of the median."""
    rng = random.Random(0)
    medians = sorted(median(rng.choices(values, k=len(values))) for _ in range(2000))
    return medians[50], medians[1949]


def peak_above(call, device) -> int:
    """Peak bytes during a call above what was held before it, of the device or of this process."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    process = psutil.Process()
    before, peak, done = process.memory_info().rss, 0, threading.Event()

    def watch():
        nonlocal peak
        while not done.is_set():
            peak = max(peak, process.memory_info().rss)
            done.wait(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    call()
    done.set()
    thread.join()
    return peak - before


def measure_memory(arguments) -> None:
    """One call in this fresh process: prints its peak above the loaded model."""
    kind, n, dtype, layers, rows, device = arguments
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(int(layers), getattr(torch, dtype), device, Path(folder))
        bench.prepare(64, False, 0)
        bench.run_plain()
        bench.prepare(int(n), False, rows_bytes_for(rows))
        if kind == "eager":
            bench.eager()
        call = bench.run_captured if kind == "capture" else lambda: bench.run_plain(kind)
        print(json.dumps(peak_above(call, device)))


def rows_bytes_for(rows: str) -> int:
    return 10**12 if rows == "all" else 1


def main():
    if "--real" in sys.argv:
        import real

        real.main()
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, nargs="+", default=[500, 1500, 3000])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--measure", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure_memory(options.measure)
        return
    device = options.device
    where = torch.cuda.get_device_name() if device.startswith("cuda") else f"cpu, {torch.get_num_threads()} threads"
    print(
        f"{where}; torch {torch.__version__}; {options.layers} layers of Qwen3-VL-2B text dimensions, random weights; "
        f"{options.pairs} pairs"
    )
    print(
        "dtype     tokens rows  plain s  ratio to plain: median [95 %] worst  eager  "
        "peak above plain  eager's    MB on disk"
    )
    for dtype in options.dtypes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            bench = Bench(options.layers, getattr(torch, dtype), device, folder)
            for n in options.tokens:
                for rows in ("tail", "all") if n == min(options.tokens) else ("tail",):
                    n_tokens = bench.prepare(n, False, rows_bytes_for(rows))
                    plain, ratios = [], []
                    size = 0
                    for pair in range(-1, options.pairs):
                        a = seconds(bench.run_plain)
                        b = seconds(bench.run_captured)
                        size = sum(file.stat().st_size for file in (folder / "run").rglob("*.safetensors"))
                        shutil.rmtree(folder / "run")
                        if pair >= 0:
                            plain.append(a)
                            ratios.append(b / a)
                    low, high = interval(ratios)
                    eager = eager_ratio(bench, median(plain))
                    memory = ["-"] * 2
                    if not options.no_memory:
                        peaks = {
                            kind: int(
                                subprocess.run(
                                    [
                                        sys.executable,
                                        __file__,
                                        "--measure",
                                        kind,
                                        str(n),
                                        dtype,
                                        str(options.layers),
                                        rows,
                                        device,
                                    ],
                                    capture_output=True,
                                    text=True,
                                    check=True,
                                ).stdout.splitlines()[-1]
                            )
                            for kind in ("sdpa", "capture", "eager")
                        }
                        memory = [f"{(peaks[kind] - peaks['sdpa']) / 1e6:+.0f} MB" for kind in ("capture", "eager")]
                    print(
                        f"{dtype:9} {n_tokens:6} {rows:5} {median(plain):7.2f}  {median(ratios):.3f} "
                        f"[{low:.3f}, {high:.3f}] {max(ratios):.3f}   {eager:.2f}   "
                        f"{memory[0]:>10}   {memory[1]:>10}   {size / 1e6:.0f}",
                        flush=True,
                    )


def eager_ratio(bench: Bench, plain_s: float) -> float:
    """Eager attention with output_attentions, the usual way, over plain."""
    configs = [module.config for module in bench.plain.modules() if hasattr(module, "config")]
    before = [config._attn_implementation for config in configs]
    bench.eager()
    times = [seconds(lambda: bench.run_plain("eager")) for _ in range(3)]
    for config, implementation in zip(configs, before, strict=True):
        config._attn_implementation = implementation
    return median(times) / plain_s


if __name__ == "__main__":
    main()
