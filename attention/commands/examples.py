"""`examples`: finished runs of a model, made once, in a folder that a page can show as its gallery."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from attention.capture.images import open_pictures
from attention.environment import EXAMPLES as PICTURES
from attention.errors import InvalidRequest, NotInRun, shown_path
from attention.limits import MAX_GALLERY, Limits
from attention.request import MODEL, QUESTION, READING, Request
from attention.runs.run import Run
from attention.visitors.gallery import INDEX, SOURCE, read_index

from .flags import GROUPS, add_fields, add_several
from .help import add_command
from .output import add_output, print_json
from .progress import Progress, ReportedRun, make, size

EXAMPLES = (
    "python -m attention examples --model pocket --output-dir gallery",
    'python -m attention examples --model pocket --image assets/examples/window.png --prompt "click Save" '
    "--output-dir gallery",
)
ABOUT = (
    f"The folder is laid out as a data set of the Hub. An app that is started with {SOURCE}=owner/name (or the folder) "
    "shows it before the bundled model's examples. Into a folder that has some, more are added."
)
# What a real model can say of the bundled pictures, which are painted: windows, shapes, a landscape.
BUNDLED = (
    ("window.png", "a window", 'Where do I click to save? Answer as JSON: [{"point_2d": [x, y], "label": "..."}]'),
    ("form.png", "a dark window", "What is this window for, and which fields does it have?"),
    ("shapes.png", "shapes", "What color is the star, and what is left of it?"),
    ("photograph.jpg", "a landscape", "Describe this picture in one sentence."),
)
VISUAL_TOKENS = 400  # of a picture, unless asked: a run of a 2B model then has about 90 MB
ROWS_BYTES = 16_000_000  # of stored rows in each tower: those of the answer; the others are computed
README = """---
pretty_name: Finished runs of {model}
tags: [attention, vision-language, vlm-attention-viz]
viewer: false
---

# Finished runs of {model}

Each folder is one answer of the model to a question about a picture, with the attention of every layer and head, as VLM
Attention Viz keeps it. A Space of that app with the variable `{variable}` set to this data set's id shows them first.

The pictures are part of the runs: say here where they come from, and under which licence they are.
"""


@dataclass(frozen=True)
class Asked:
    """One example: its picture, what a page calls it, and the question."""

    picture: Path
    label: str
    prompt: str


def add_examples(commands) -> None:
    parser = add_command(
        commands, "examples", "make a gallery of a model's finished runs, for a page to begin with", EXAMPLES,
        "--model ID --output-dir FOLDER", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_examples)
    group = parser.add_argument_group(
        QUESTION, "What is asked; without pictures the bundled ones are. Each picture takes the prompt at its place."
    )
    add_several(group, "--image", "FILE", "picture of each example")
    add_several(group, "--prompt", "TEXT", "question about each picture, in the same order; one alone is for all")
    group = parser.add_argument_group(READING, "How much is kept: the answer's rows, without the vision tower.")
    group.add_argument(
        "--max-visual-tokens", type=int, metavar="N",
        help=f"max. visual tokens per image (default: {VISUAL_TOKENS}; twice as many are a run twice as large)",
    )  # fmt: skip
    add_fields(group, "max_new_tokens")
    group = parser.add_argument_group(MODEL, GROUPS[MODEL])
    add_fields(group, "model", "device", "dtype", required="model")
    group = parser.add_argument_group("result", "Where it goes. Runs that are finished stay when it is stopped.")
    group.add_argument("--output-dir", required=True, metavar="FOLDER", help="the gallery's folder")
    add_output(parser)


def _examples(options: argparse.Namespace) -> int:
    folder, progress = Path(options.output_dir), Progress(options.quiet)
    entries: list[dict[str, Any]] = [*read_index(folder)] if (folder / INDEX).is_file() else []
    if not entries and folder.is_dir() and any(folder.iterdir()):
        raise InvalidRequest(f"{shown_path(folder)} is not empty, and has no {INDEX}: name another folder.")
    asked = _asked(options.image, options.prompt)
    if len(entries) + len(asked) > MAX_GALLERY:
        raise InvalidRequest(f"A gallery has at most {MAX_GALLERY} examples; with these it would have more.")
    limits = replace(Limits.hosted(), default_visual_tokens=VISUAL_TOKENS, rows_bytes=ROWS_BYTES)
    requests = [
        Request(
            images=(each.picture,), prompt=each.prompt, model=options.model, mode="generate", vision=False,
            max_visual_tokens=options.max_visual_tokens, max_new_tokens=options.max_new_tokens,
            device=options.device, dtype=options.dtype,
        )
        for each in asked
    ]  # fmt: skip
    for request in requests:
        open_pictures(request, limits)  # what is wrong at first sight is said before a library is loaded
    for each, request in zip(asked, requests, strict=True):
        name = _free_name(each.label, {path.name for path in folder.glob("*")})
        made = make(str(folder / name), partial(_fill, request, limits), progress)
        with Run(made) as run:
            answer, view = run.info["answer"], _first_look(run)
        entry = {"name": name, "label": each.label, "prompt": each.prompt}
        entries.append(entry if view is None else entry | {"view": view})
        _write(folder, entries, options.model)
        progress.say(f"{name}: {each.prompt} {answer}")
    n_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if options.json:
        print_json({"folder": str(folder), "examples": [entry["name"] for entry in entries], "bytes": n_bytes})
        return 0
    print(folder)
    progress.say(
        f"{len(entries)} examples, {size(n_bytes)}. To see them: {SOURCE}={shlex.quote(str(folder))} python app.py"
    )
    progress.say(f"To publish them: hf upload OWNER/NAME {shlex.quote(str(folder))} . --repo-type dataset")
    return 0


def _fill(request: Request, limits: Limits, unfinished: ReportedRun) -> Path:
    from attention.capture.extraction import fill
    from attention.capture.forecast import download_reporter, forecast

    expected = forecast(request, limits, download_reporter(unfinished))
    return fill(request, unfinished, limits=limits, prepared=expected.prepared)


def _asked(images: list[str], prompts: list[str]) -> list[Asked]:
    """The examples that flags describe. Raises InvalidRequest where pictures and prompts do not fit."""
    if not images:
        if prompts:
            raise InvalidRequest("A prompt is asked about a picture: name it with --image.")
        return [Asked(PICTURES / name, label, prompt) for name, label, prompt in BUNDLED]
    if len(prompts) not in (1, len(images)) or not all(prompt.strip() for prompt in prompts):
        raise InvalidRequest(
            f"There are {len(images)} pictures and {len(prompts)} prompts: give each picture its own, or one for all."
        )
    each = prompts * len(images) if len(prompts) == 1 else prompts
    return [Asked(Path(image), Path(image).stem, prompt) for image, prompt in zip(images, each, strict=True)]


def _first_look(run: Run) -> dict[str, int] | None:
    """Layer and head that read most of the picture, without its attention sinks, in the row that a page begins with.

    None where no head reads a picture there.
    """
    from attention.scoring.measuring import row_of

    try:
        query, _ = row_of(run, "place")
    except NotInRun:  # the answer names none
        query, _ = row_of(run, "first")
    try:
        on_picture = np.nan_to_num(run.row_scores("image_mass", query) * (1 - run.row_scores("sink_share", query)))
    except NotInRun:  # of models in parts, the last words have no row in the part that reads pictures
        return None
    if not on_picture.any():
        return None
    layer, head = np.unravel_index(np.argmax(on_picture), on_picture.shape)
    return {"layer": run.layers()[layer], "head": int(head)}


def _free_name(label: str, taken: set[str]) -> str:
    """A folder's name, made of what the example is called."""
    plain = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:40] or "example"
    numbered = (f"{plain}-{number}" for number in range(2, MAX_GALLERY + 2))
    return plain if plain not in taken else next(name for name in numbered if name not in taken)


def _write(folder: Path, entries: list[dict[str, Any]], model: str) -> None:
    text = json.dumps(entries, indent=2, ensure_ascii=False)
    (folder / INDEX).write_text(f"{text}\n", encoding="utf-8")
    card = folder / "README.md"
    if not card.exists():  # a person has written into it since
        name = Path(model).name if Path(model).is_dir() else model
        card.write_text(README.format(model=name, variable=SOURCE), encoding="utf-8")
