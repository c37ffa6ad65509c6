"""First contact with published weights and a graphics card: one command for a person who has both, and a network.

    python tests/first_contact.py                     six models, two adapters; some 60 GB are fetched
    python tests/first_contact.py --models MODEL ... --adapters BASE=ADAPTER ... --output first_contact.zip

Each step runs in a process of its own, and the next one follows whatever became of it: `verify` of every model; its
answers to three drawn windows, as cards; a comparison with each adapter, and its `verify`; the bench at true sizes. The
adapters are public ones, by name: name others where they are gone. The zip holds tables to paste (README's families,
tests/bench/README.md), every check in numbers, and the cards. It holds no picture but those that are drawn here, no
token, and no path of this machine.

`FOLDER` in place of an id is a model on this machine: it is called by the folder's name.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

# the smallest of each family that people download
MODELS = (
    "Qwen/Qwen3-VL-2B-Instruct",
    "Qwen/Qwen2.5-VL-3B-Instruct",
    "Qwen/Qwen3.5-0.8B",
    "google/gemma-3-4b-it",
    "OpenGVLab/InternVL3-1B-hf",
    "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
)
ADAPTERS = (
    "Qwen/Qwen2-VL-2B-Instruct=baohuynhbk14/test-model-vi-qwen2-vl-checkpoint-200",
    "Qwen/Qwen3-VL-8B-Instruct=GEditBench-v2/PVC-Judge",
)
WINDOWS, WINDOW_PX = 3, (560, 420)
QUESTION, NEW_TOKENS = 'Where is "{}"? Answer with its coordinates.', 64
SECRET = re.compile(r"hf_[A-Za-z0-9]{8,}|(?i:bearer|token|password|api[-_]?key)\s*[=:]\s*\S+")
PATH = re.compile(r"(?:file://)?(?:[A-Za-z]:\\|~/|/(?!/))[^\s'\",:;)]+(?:[/\\][^\s'\",:;)]+)*")
ERROR_CHARACTERS = 600


@dataclass(frozen=True)
class Step:
    """Something that is tried: `kind` is verify, windows, adapter or bench."""

    kind: str
    model: str = ""
    adapter: str = ""
    device: str = "auto"

    @property
    def name(self) -> str:
        """The step in a table, with the last part of what it is tried on."""
        return " ".join(filter(None, (self.kind, *map(short_name, (self.model, self.adapter)))))


def short_name(model: str) -> str:
    """An id of the Hub as it is, of a folder its name alone."""
    return Path(model).name if Path(model).exists() else model


# One step, in a process of its own


def take(step: Step, folder: Path) -> dict:
    """Record of what a step found, for a table; files to pack are left in `folder`. Raises whatever goes wrong."""
    return {"verify": _verify, "windows": _windows, "adapter": _adapter, "bench": _bench}[step.kind](step, folder)


def _checks(checks: list) -> dict:
    decided = [check for check in checks if check.passed is not None]
    return {
        "passed": sum(check.passed for check in decided),
        "of": len(decided),
        "failed": [check.name for check in decided if not check.passed],
        "checks": [asdict(check) for check in checks],
    }


def _verify(step: Step, folder: Path) -> dict:
    from attention.models.config import describe
    from attention.verify.checks import verify

    checks = verify(step.model, device=step.device)
    return {"family": describe(step.model)["family"]} | _checks(checks)


def _windows(step: Step, folder: Path) -> dict:
    """Answers to a question about each of three drawn windows, and a card of each."""
    from attention import AttentionError, Request, extract
    from attention.exports.export import export

    answers: list[dict] = []
    for number, (window, picture) in enumerate(drawn_windows()):
        label = window.controls[number].label
        request = Request(picture, QUESTION.format(label), step.model, mode="generate", max_new_tokens=NEW_TOKENS)
        try:
            with extract(_on(request, step), folder / f"run_{number}") as run:
                answers.append({"label": label, "answer": run.info["answer"], "tokens": len(run.info["tokens"])})
                run.info["model"]["id"] = short_name(step.model)  # it is written on the card
                export(run, "card", folder / f"window_{number}.png")
        except AttentionError as error:
            answers.append({"label": label, "answer": f"refused: {clean(str(error))}", "tokens": "-"})
    return {"answers": answers}


def _adapter(step: Step, folder: Path) -> dict:
    from adapters import choose, compare
    from adapters.verifying import verify_adapted
    from attention import Request
    from attention.exports.export import export

    choices = choose([step.adapter], step.model)
    found = _checks(verify_adapted(step.model, choices[0], device=step.device))
    window, picture = drawn_windows()[0]
    question = QUESTION.format(window.controls[0].label)
    request = Request(picture, question, step.model, mode="generate", max_new_tokens=NEW_TOKENS)
    with compare(_on(request, step), choices, folder / "comparison") as comparison:
        export(comparison, "png", folder / "comparison.png")
        answers = [member["answer"] for member in comparison.info["members"]]
        most = comparison.moved(0, n=1)
    return found | {"answers": answers, "moved_most": most[0] if most else None}


def _bench(step: Step, folder: Path) -> dict:
    """The bench's own table. Without a card it is a short one, and says so."""
    has_card = step.device.startswith("cuda")
    sizes = ["--device", "cuda"] if has_card else ["--quick", "--no-memory", "--rounds", "1"]
    command = [sys.executable, str(ROOT / "tests/bench/capture.py"), "--real", "--markdown", *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "The bench failed.")
    return {"table": done.stdout}


def _on(request, step: Step):
    from dataclasses import replace

    return replace(request, device=step.device)


def drawn_windows() -> list:
    """Three windows as the bundled model is trained on, the same each time: [(window, picture)]."""
    import numpy as np

    from attention.pocket.windows import draw_window, make_window

    rng = np.random.default_rng(16)
    windows = [make_window(rng, WINDOW_PX[0] / WINDOW_PX[1]) for _ in range(WINDOWS)]
    return [(window, draw_window(window, *WINDOW_PX)) for window in windows]


# All of them


def steps_of(models: list[str], adapters: list[str], device: str, has_bench: bool = True) -> list[Step]:
    """Everything that is tried, the cheapest of each model first, the bench last."""
    pairs = [pair.split("=", 1) for pair in adapters]
    found = [Step(kind, model, "", device) for model in models for kind in ("verify", "windows")]
    found += [Step("adapter", base, adapter, device) for base, adapter in pairs]
    return found + ([Step("bench", device=device)] if has_bench else [])


Runner = Callable[[Step, Path], dict]


def contact(steps: list[Step], output: Path, runner: Runner, report: Callable[[str], None] = print) -> list[dict]:
    """Try every step and pack what came of it; returns the records, each with `found` or `error`."""
    records = []
    with tempfile.TemporaryDirectory(prefix="first-contact-") as place:
        folders = []
        for number, step in enumerate(steps):
            folder = Path(place) / str(number)
            folder.mkdir()
            start = time.perf_counter()
            record: dict = {"step": step.name, "kind": step.kind, "model": short_name(step.model)}
            try:
                record["found"] = runner(step, folder)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - the next step is tried whatever happened
                record["error"] = clean(f"{type(error).__name__}: {error}")[:ERROR_CHARACTERS]
            record["seconds"] = round(time.perf_counter() - start, 1)
            records.append(record)
            folders.append(folder)
            report(f"{number + 1} of {len(steps)}: {step.name}: {verdict(record)}, {record['seconds']} s")
        pack(records, folders, output)
    return records


def verdict(record: dict) -> str:
    """A record in a few words."""
    if "error" in record:
        return record["error"]
    found = record["found"]
    return f"{found['passed']} of {found['of']} checks" if "of" in found else "done"


def pack(records: list[dict], folders: list[Path], output: Path) -> None:
    """One zip: tables, records, and the pictures that were drawn here."""
    from PIL import Image

    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("tables.md", clean(tables(records)))
        packed.writestr("records.json", clean(json.dumps(records, indent=1, default=str)))
        for record, folder in zip(records, folders, strict=True):
            for picture in sorted(folder.glob("*.png")):
                name = re.sub(r"[^\w.-]+", "_", f"{record['step']}_{picture.name}")
                with Image.open(picture) as image, packed.open(f"gallery/{name}", "w") as file:
                    bare = Image.new(image.mode, image.size)  # its pixels, and nothing that was written beside them
                    bare.paste(image)
                    bare.save(file, "PNG")


def tables(records: list[dict]) -> str:
    """Tables in Markdown, to be pasted as they are."""
    today = datetime.now(UTC).date().isoformat()
    about = versions()
    lines = [f"First contact, {today}: {', '.join(f'{name} {value}' for name, value in about.items())}", ""]
    lines += ["| family | model | run on published weights: version, date | checks | that failed |", "|" + " --- |" * 5]
    for record in records:
        if record["kind"] == "verify" and "found" in record:
            found = record["found"]
            version = f"{about['vlm-attention-viz']}, {today}"
            cells = found["family"], record["model"], version, verdict(record), ", ".join(found["failed"])
            lines.append("| " + " | ".join(map(in_cell, cells)) + " |")
    lines += ["", "| adapter | checks | answers of base and adapter | moved most |", "|" + " --- |" * 4]
    for record in records:
        if record["kind"] == "adapter" and "found" in record:
            found, most = record["found"], record["found"]["moved_most"]
            moved = f"layer {most['layer']} head {most['head']}, {most['value']:.3f} bits" if most else "nothing"
            cells = record["step"], verdict(record), " / ".join(found["answers"]), moved
            lines.append("| " + " | ".join(map(in_cell, cells)) + " |")
    lines += ["", "| model | window | answer | tokens |", "|" + " --- |" * 4]
    for record in records:
        for one in record.get("found", {}).get("answers", ()) if record["kind"] == "windows" else ():
            cells = record["model"], one["label"], one["answer"], str(one["tokens"])
            lines.append("| " + " | ".join(map(in_cell, cells)) + " |")
    lines += ["", "| step | what came of it | seconds |", "|" + " --- |" * 3]
    lines += [f"| {in_cell(each['step'])} | {in_cell(verdict(each))} | {each['seconds']} |" for each in records]
    for record in records:
        if record["kind"] == "bench" and "found" in record:
            lines += ["", record["found"]["table"].rstrip()]
    return "\n".join(lines) + "\n"


def in_cell(text: str) -> str:
    return " ".join(str(text).replace("|", "\\|").split())


def versions() -> dict[str, str]:
    """Versions and the card's name: what a figure means without them nobody knows."""
    import torch
    import transformers

    from attention import __version__

    card = torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu, {platform.machine()}"
    return {
        "device": card,
        "vlm-attention-viz": __version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }


def clean(text: str) -> str:
    """A text without tokens, without this person's and this machine's names, and without paths."""
    for secret in (os.environ.get(name, "") for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")):
        text = text.replace(secret, "[token]") if secret else text
    text = SECRET.sub("[token]", text)
    for place in {str(Path.home()), str(ROOT), str(Path.cwd()), tempfile.gettempdir()}:
        if len(place) > 1:
            text = re.sub(re.escape(place) + r"[^\s'\",:;)]*", "[path]", text)
    text = PATH.sub(lambda match: match[0] if match[0].count("/") + match[0].count("\\") < 2 else "[path]", text)
    name = platform.node()
    return text.replace(name, "[machine]") if len(name) > 3 else text


def in_a_process(step: Step, folder: Path) -> dict:
    """A step in a process of its own: one that is killed takes nothing along."""
    result = folder / "found.json"
    command = [sys.executable, __file__, "--step", json.dumps(asdict(step)), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.exists():
        return json.loads(result.read_text())
    said = [line for line in done.stderr.splitlines() if line.strip()]
    raise RuntimeError(said[-1] if said else f"The process ended with {done.returncode}.")


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(MODELS), help="ids or folders")
    parser.add_argument("--adapters", nargs="*", default=list(ADAPTERS), metavar="BASE=ADAPTER")
    parser.add_argument("--device", default="auto", help="auto by default: a card where there is one")
    parser.add_argument("--no-bench", dest="bench", action="store_false")
    parser.add_argument("--output", type=Path, default=Path("first_contact.zip"))
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for pair in options.adapters:
        if "=" not in pair:
            parser.error(f"{pair}: name the base too, as BASE=ADAPTER.")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = options_of(arguments)
    if options.step:
        step, folder = Step(**json.loads(options.step[0])), Path(options.step[1])
        (folder / "found.json").write_text(json.dumps(take(step, folder)))
        return 0
    import torch

    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    steps = steps_of(options.models, options.adapters, device, options.bench)
    records = contact(steps, options.output, in_a_process, lambda line: print(line, flush=True))
    failed = [record for record in records if "error" in record or record["found"].get("failed")]
    print(f"{len(records) - len(failed)} of {len(records)} steps went well. Please send {options.output.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
