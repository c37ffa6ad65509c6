"""Times of readings with `pocket`: from a click to numbers, and knock-outs in a batch against as many forward passes.

    python tests/bench/readings.py                 medians of 9, in seconds of the processor and of the clock
    python tests/bench/readings.py --before TREE   a run that asks for none, beside the same in another checkout

The processor's seconds say something on a busy machine too: everything runs in one thread.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAIN = """
import statistics, sys, time, torch
from attention import extract
from attention.environment import EXAMPLES, POCKET
from attention.models import loading
torch.set_num_threads(1)
model, times = loading.load(str(POCKET), "cpu"), []
for _ in range(16):
    began = time.process_time()
    extract("what color is the star?", images=EXAMPLES / "shapes.png", model=model, answer="red").close()
    times.append(time.process_time() - began)
print(statistics.median(times[4:]))
"""


def plain_run(tree: Path) -> float:
    """Seconds of the processor for a run that asks for no reading, by the code of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    found = subprocess.run([sys.executable, "-c", PLAIN], env=environment, capture_output=True, text=True, check=True)
    return float(found.stdout.split()[-1])


def timed(compute, n: int = 9) -> tuple[float, float]:
    """Medians of seconds of the processor and of the clock."""
    processor, clock = [], []
    for _ in range(n):
        began = time.process_time(), time.perf_counter()
        compute()
        processor.append(time.process_time() - began[0])
        clock.append(time.perf_counter() - began[1])
    return statistics.median(processor), statistics.median(clock)


def measure() -> None:
    """Print the times of each reading, and the cost of knock-outs in forward passes."""
    sys.path.insert(0, str(ROOT))
    import torch

    from attention import extract
    from attention.capture.knock_out_forecast import forecast_knock_outs
    from attention.capture.lens import read_lens
    from attention.capture.tried import trials
    from attention.effects.agreeing import agree
    from attention.effects.beside_controls import try_region
    from attention.environment import EXAMPLES, POCKET
    from attention.models import loading
    from attention.readings.agreement import picture_blocks
    from attention.readings.trial import Hide

    torch.set_num_threads(1)
    model = loading.load(str(POCKET), "cpu")
    with (
        extract("what color is the star?", images=EXAMPLES / "shapes.png", model=model, mode="generate") as run,
        tempfile.TemporaryDirectory() as folder,
    ):
        places = (Path(folder) / str(number) for number in range(1000))
        blocks = picture_blocks(run, 4)
        forecast_knock_outs(run, model=model)

        def forecast():
            forecast_knock_outs(run, folder=next(places), model=model).knock_out(blocks[5].keys)

        each = {
            "forecast, and a region's effect in it": forecast,
            "lens": lambda: read_lens(run, folder=next(places), model=model),
            "a region tried beside 20 others": lambda: try_region(run, blocks[5].region, model=model),
            "agreement, 16 regions hidden": lambda: agree(run, paints=False, model=model),
            "agreement, hidden and painted": lambda: agree(run, model=model),
        }
        for name, compute in each.items():
            processor, clock = timed(compute)
            print(f"| {name} | {processor:.2f} s | {clock:.2f} s |")
        hides = [Hide(block.keys) for block in picture_blocks(run, 8)[:60]]
        with trials(run, model=model) as ready:
            one, _ = timed(ready._asked.logits)
            many, _ = timed(lambda: ready.without(hides))
        print(f"{len(hides)} knock-outs: {many / one / len(hides):.2f} of a forward pass each ({1000 * one:.0f} ms)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, metavar="TREE", help="checkout to run beside this one")
    options = parser.parse_args()
    if options.before is None:
        return measure()
    pairs = [(plain_run(options.before), plain_run(ROOT)) for _ in range(5)]
    ratios = sorted(now / before for before, now in pairs)
    before, now = (statistics.median(each) for each in zip(*pairs, strict=True))
    print(
        f"{1000 * before:.0f} ms before, {1000 * now:.0f} ms now: {ratios[2]:.3f} [{ratios[0]:.3f}, {ratios[-1]:.3f}]"
    )
    return None


if __name__ == "__main__":
    main()
