"""Sentences of the page and the endpoints: on progress, finished runs, errors.

Knows no component but Gradio's own errors, and no layout.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr

from attention.comparisons.comparison import BASE, Comparison
from attention.comparisons.floors import unmeasured_words
from attention.comparisons.names import member_names
from attention.errors import confirmed_by, fault, words_for
from attention.runs.run import Run
from attention.words import in_one_line, phase_words, tower_words

STOPPED = "Stopped. Nothing was kept of this run."
NOT_AGAIN = (
    "The run on screen has several turns, or more pictures than are asked about here. "
    "The inputs here cannot say that, and were left as they were."
)
OPEN_IN = {
    "explore": "That zip is a single run. It is open in the tab Explore.",
    "compare": "That zip is a comparison. It is open in the tab Compare.",
}
OPEN_BESIDE = "Both runs are set beside each other in the tab Compare."
LAST_PROGRESS_SECONDS = 0.8

log = logging.getLogger("app")


def in_words(error: Exception) -> str:
    """A sentence for a person on an error. Of a fault of ours only its kind; the log has the rest."""
    if isinstance(error, gr.Error):  # from ZeroGPU, about the visitor's quota
        return error.message
    words = words_for(error)
    if words is None:
        log.error("a fault", exc_info=error)
        return f"{fault(error)} The app's log has the details."
    return words


@contextmanager
def plainly(**confirming: str) -> Iterator[None]:
    """Pass what is meant for people on as it stands, in the page and in the client.

    `confirming` are an endpoint's own names of what `attention.errors.confirmed_by` takes.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - it is said in words, and logged if it is ours
        words = in_words(error)
        raise gr.Error(confirmed_by(words, **confirming) if confirming else words, print_exception=False) from None


def status_line(progress: dict) -> str:
    """One line of progress in words."""
    return in_one_line(*phase_words(progress))


def describe_run(run: Run) -> str:
    """A finished run in a line: how large, how long, and what a reader must know of its picture."""
    info = run.info
    towers = [f"{name} tower {tower_words(info['towers'][name])}" for name in info["towers"]]
    facts = [f"{len(info['tokens'])} tokens", ", ".join(towers)]
    facts += ["pasted answer, not the model's own"] if info.get("forced") else []
    facts += [f"{info['bytes'] / 1e6:.1f} MB"] if info.get("bytes") else []
    seconds = sum(info.get("timings_ms", {}).values()) / 1000
    facts += [f"{seconds:.1f} s"] if seconds else []
    line = f"{'; '.join(facts)}."
    return " ".join([line, *info.get("notes", [])])


def describe_comparison(comparison: Comparison) -> str:
    """A finished comparison in a line: what was compared, and what a reader must know of it."""
    info = comparison.info
    first, *named = member_names(info["members"]).values()
    size = f"; {info['bytes'] / 1e6:.1f} MB" if info.get("bytes") else ""
    model = Path(info["model"]["id"]).name if first == BASE else first
    pasted = "; all read the pasted answer" if info["words"] == "typed" else ""
    common = f"{info['shared_tokens']:,} tokens in common"
    line = f"{info['prompt']} · {model} beside {', '.join(named)}; {common}{pasted}{size}."
    own = [comparison.why_side_by_side()] if comparison.is_side_by_side else []
    return " ".join([line, *own, *notes_of(comparison)])


def notes_of(comparison: Comparison) -> list[str]:
    """The notes of the members' runs, each sentence once, and why noise floors that were asked for are not there."""
    said = [note for run in (comparison.base, *comparison.adapters) for note in run.info.get("notes", [])]
    said += [unmeasured_words(floor) for floor in comparison.info.get("floors", []) if "why" in floor]
    return list(dict.fromkeys(said))
