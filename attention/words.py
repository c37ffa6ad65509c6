"""Sentences that are said in more than one place: on the page, in a terminal, by a route.

Knows nothing of who says them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

GONE = "This run is not here any more: it has expired, or its ticket is wrong. Run it again."

# Of one input, as the page says it (assets/viewer/text/pair.js).
ONE_INPUT = "n = 1, descriptive"
ONE_INPUT_MEANS = (
    "One picture and one question: this shows what changed here, and cannot tell what the training changed in general."
)
OVER_A_SET = "`python -m attention score` measures a set of questions, with intervals and paired differences."

NEEDS_KEY = "Open the link that the app printed, once, in this browser: it has the key."

# What a job is doing, in the order of `runs.partial.PHASES`, and how its amount is said where there is one.
PHASE_WORDS = {
    "queue": ("Waiting for its turn", ""),
    "model": ("Loading the model", ""),
    "inputs": ("Preparing the picture", ""),
    "answer": ("Writing the answer", "token {done:,} of at most {total:,}"),
    "capture": ("Capturing", "layer {done:,} of {total:,}"),
    "write": ("Writing the run", ""),
    "compare": ("Comparing", "layer {done:,} of {total:,}"),
    "try": ("Trying without it", "{done:,} of {total:,}"),
}
DOWNLOADING = "Downloading the model"  # bytes are counted in the phase `model` only while they are fetched


def phase_words(progress: dict[str, Any]) -> tuple[str, str]:
    """A line of progress, {phase, done, total}, in words: what is being done, and how far it is, or nothing."""
    phase, done, total = progress["phase"], progress.get("done", 0), progress.get("total", 0)
    name, amount = PHASE_WORDS[phase]
    if phase == "queue" and progress.get("before"):
        return name, place_words(progress["before"], progress.get("seconds"))
    if phase == "model" and total:
        unit, size = ("GB", 1e9) if total >= 1e9 else ("MB", 1e6)
        return DOWNLOADING, f"{done / size:.1f} of {total / size:.1f} {unit}"
    return name, amount.format(done=done, total=total) if total else ""


def place_words(before: int, seconds: float | None) -> str:
    """Place of a job that waits: how many come before it, and how long that takes where it is known."""
    jobs = "1 job" if before == 1 else f"{before:,} jobs"
    return f"{jobs} before yours" + (f", about {about_seconds(seconds)}" if seconds is not None else "")


def about_seconds(seconds: float) -> str:
    """A time that is only guessed, no finer than it can be known: "5 s", "40 s", "12 min"."""
    step = next((step for most, step in ((20, 5), (120, 10)) if seconds <= most), 60)
    rounded = max(step, math.ceil(seconds / step) * step)
    return f"{rounded} s" if step < 60 else f"{rounded // 60} min"


def kind_words(kind: str | None) -> str:
    """Words for what a layer without a map has instead, by its kind in run.json (as the page has them)."""
    words = {"linear": "linear attention", "convolution": "a convolution", "unmerged": "patches that are merged later"}
    return words.get(kind or "", "no softmax attention")


def tower_words(tower: Mapping[str, Any]) -> str:
    """Number of layers and heads of a tower of run.json, and how many of its layers make no map."""
    layers = tower["layers"]
    others = Counter(kind_words(layer.get("kind")) for layer in layers if not layer.get("file"))
    no_map = f" ({', '.join(f'{n} with {kind}' for kind, n in others.items())}: no map)" if others else ""
    return f"{len(layers) - others.total()} layers x {tower['heads']} heads{no_map}"


def read_with_less(info: Mapping[str, Any]) -> list[str]:
    """A sentence on each picture or video that a limit has in fewer tokens than the model's processor would give it.

    The same as on the page (assets/viewer/text/read_with_less.js).
    """
    said, videos = [], set()
    for number, image in enumerate(info["images"], 1):
        read, own, video = (image.get(name) for name in ("visual_tokens", "own_visual_tokens", "video"))
        if not (read and own and read < own) or video in videos:
            continue
        begun = f"Picture {number} read" if len(info["images"]) > 1 else "Read"
        if video is not None:
            videos.add(video)
            begun = f"Frames of video {video + 1} read"
        said.append(f"{begun} with {read:,} of {own:,} visual tokens; training may have used more.")
    return said


def in_one_line(name: str, *amounts: str) -> str:
    """One line of a phase and its amounts: "Capturing: layer 4 of 28"."""
    said = ", ".join(filter(None, amounts))
    return f"{name}: {said}" if said else name
