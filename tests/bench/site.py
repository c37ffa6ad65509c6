"""The cost of a published run: bytes that its page fetches for a token, and the time that it computes in node.

    python tests/bench/site.py [--tokens 1500] [--layers 28] [--heads 16] [--kv-heads 8] [--repeats 20] [--folder D]

Publishes the run that read.py writes and asks the page's own modules. Ranges are read from the disk, in the
system's cache, so that what is timed is what the page computes, and little beside it. Prints medians beside the goals;
asserts nothing.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from read import ROOT, write_run

from attention.exports.site import _write_layer
from attention.runs.run import Run

SCRIPT = """
import { open, readFile } from 'node:fs/promises';
import { createTensorReader } from 'VIEWER/data/tensor_file.js';
import { createRunAnswers } from 'VIEWER/numbers/site_answers.js';

const [folder, repeats] = process.argv.slice(1);
const { site, info } = JSON.parse(await readFile(`${folder}/site.json`));
let bytes = 0;
async function serve(address, { headers }) {
  const [, first, last] = /bytes=(\\d+)-(\\d+)/.exec(headers.Range).map(Number);
  const part = new Uint8Array(last - first + 1);
  const file = await open(`${folder}/${address}`);
  await file.read(part, 0, part.length, first);
  await file.close();
  bytes += part.length;
  return { ok: true, status: 206, arrayBuffer: async () => part.buffer };
}
const { fetch } = createRunAnswers(site, info, { tensors: createTensorReader({ address: '.', fetch: serve }), file: serve });
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
async function measure(name, goalBytes, goalMs, addressOf) {
  const [sent, took] = [[], []];
  for (let i = 0; i < repeats; i++) {
    bytes = 0;
    const began = performance.now();
    const answer = await fetch(addressOf(i));
    if (!answer.ok) throw new Error(await answer.text());
    took.push(performance.now() - began);
    sent.push(bytes);
  }
  const figures = [(median(sent) / 1e6).toFixed(2), goalBytes, median(took).toFixed(1), goalMs];
  console.log(name.padEnd(44), ...figures.map((figure) => String(figure).padStart(9)));
}
const { layers, tokens } = info.sizes;
console.log(''.padEnd(44), ...['MB', 'goal', 'ms', 'goal'].map((name) => name.padStart(9)));
await measure('a stored row, mean over all layers and heads', 3, '', (i) => `row?layer=mean&head=mean&query=${tokens - 1 - i}`);
await measure('another row of one layer, its keys not there', 3.5, 20, (i) => `row?layer=${i % layers}&query=${tokens - 400}`);
await measure('a further one, its keys cached', '', 20, (i) => `row?layer=0&query=${tokens - 420 - i}`);
await measure('a first column of one layer', '', '', (i) => `column?layer=${i % layers}&key=${i}`);
"""  # noqa: E501


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
        write_run(Path(place) / "run", options.tokens, options.layers, options.heads, options.kv_heads)
        folder = Path(place) / "site"
        with Run(Path(place) / "run") as run:
            layers = {str(layer): _write_layer(run, "language", layer, folder) for layer in run.layers()}
            towers = {"language": {"positions": run.stored_positions().tolist(), "layers": layers}}
            info = run.info | {"sizes": {"layers": options.layers, "tokens": options.tokens}}
        site = {"towers": towers, "masks": None, "scores": None}
        (folder / "site.json").write_text(json.dumps({"site": site, "info": info}), encoding="utf-8")
        print(f"{options.layers} layers x {options.heads} heads, {options.tokens} tokens", flush=True)
        script = SCRIPT.replace("VIEWER", (ROOT / "assets" / "viewer").as_posix())
        command = ["node", "--input-type=module", "-e", script, str(folder), str(options.repeats)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
