"""`score`: whether models look at the right place, over a set of questions whose place is known."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from attention.errors import Cancelled, Interrupted, InvalidRequest
from attention.request import ADAPTER, FIELDS, QUESTION, Request
from attention.runs.partial import PartialRun
from attention.scoring.published import NAMES
from attention.scoring.reading import read_items, sampled
from attention.scoring.scores import Scores

from .checked_inputs import chosen_members
from .flags import GROUPS, add_fields, add_several, check_passed_over, plain_flags
from .help import add_command
from .output import add_output, print_json
from .progress import LOADING, Progress, quiet_transformers, stopping
from .score_table import bad_lines, pair_lines, table

SET = "--jsonl assets/examples/set.jsonl --model pocket"
EXAMPLES = (
    f"python -m attention score {SET} --adapter largest --output-dir scores",
    f"python -m attention score {SET} --mode generate --keep-runs --output-dir kept --json",
)
ABOUT = (
    "A line of the set is an object with image, prompt, and box [x0, y0, x1, y1] or click [x, y] in pixels, and, if it "
    "has one, the answer to read; files of RefCOCO and ScreenSpot are read as published. Heads are found on one half "
    "of the pictures and scored on the other, beside what chance would give. Stopped, it goes on where it was."
)
# fields of a request: an answer is an item's own, the vision tower is not scored, and sets have no videos
OTHERWISE = {"answer", "vision", "fps", "max_frames"}


def add_score(commands) -> None:
    parser = add_command(
        commands, "score", "say whether models look at the right place, over a set of questions", EXAMPLES,
        "--jsonl FILE | --from FOLDER --output-dir FOLDER", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_score, parser=parser)
    group = parser.add_argument_group("set", "What is asked, and where the right place lies.")
    group.add_argument("--jsonl", metavar="FILE", help="the set: JSON lines, or one JSON list")
    group.add_argument("--from", metavar="FOLDER", help="of `batch`: no model is run")
    group.add_argument("--images", metavar="FOLDER", help="where its pictures lie (default: beside the file)")
    group.add_argument(
        "--form",
        metavar="NAME",
        help=f"how its lines are written, where their fields do not say it: {', '.join(NAMES)}",
    )
    group.add_argument(
        "--sample", type=int, metavar="N", help="so many of its items, drawn at random by --seed (default: all)"
    )
    group.add_argument(
        "--wording", default="{}", metavar="TEXT", help="prompt with {} for each line's words (default: {})"
    )
    groups = {QUESTION: group} | {
        name: parser.add_argument_group(name, words) for name, words in GROUPS.items() if name != QUESTION
    }
    for name in plain_flags():
        if name not in OTHERWISE:
            add_fields(groups.get(FIELDS[name].group or QUESTION, parser), name)
    add_several(
        groups[ADAPTER], "--adapter", "ADAPTER[=SCALE]", f"{FIELDS['adapter'].words}; scored beside the base; several"
    )
    add_several(groups[ADAPTER], "--with", "MODEL[=DTYPE]", "whole model to score beside the first, of any family")
    group = parser.add_argument_group("scores", "What is measured, and where it goes.")
    group.add_argument(
        "--rows", default="first", metavar="first|place|answer",
        help="whose attention: the row that predicts the answer's first token, that of the first digit of the place "
        "that it names, or the mean over the answer (default: first)",
    )  # fmt: skip
    _add_by(group)
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the sample, halves, intervals and tests (default: 0)"
    )
    group.add_argument("--keep-runs", action="store_true", help="keep every run in the folder, for the page")
    group.add_argument("--output-dir", required=True, metavar="FOLDER", help="new, or one of scores, which go on there")
    add_output(parser)


def _add_by(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--by", default="region_share", metavar="MEASURE",
        help="measure that finds heads: region_share, region_peak, or region_touch: the highest cell touches the place "
        "(default: region_share)",
    )  # fmt: skip


class _Stop:
    """Somebody's wish that all this stops."""

    is_asked = False

    def cancel(self) -> None:
        self.is_asked = True


class _ItemRun(PartialRun):
    """The run of one item: what is said of it is the download of a model."""

    stop: _Stop
    progress: Progress

    def report(self, phase: str, done: int = 0, total: int = 0, answer: str | None = None) -> None:
        super().report(phase, done, total, answer)
        if phase == "model" and total:
            self.progress.report(phase, done, total)

    @property
    def is_cancelled(self) -> bool:
        return self.stop.is_asked or super().is_cancelled


def _score(options) -> int:
    if (options.jsonl is None) == (vars(options)["from"] is None):
        raise InvalidRequest("Name the set: --jsonl FILE, or --from FOLDER of a batch. One of the two.")
    progress = Progress(options.quiet)
    scores = _of_batch(options) if options.jsonl is None else _of_set(options, progress)
    if options.json:
        print_json({"folder": str(scores.folder), **{k: v for k, v in scores.info.items() if k != "items"}})
    else:
        _say(scores.info, progress)
        progress.say(f"In {scores.folder}: scores.json, scores.csv, differences.csv, items.jsonl")
    return 0 if any(model["scored"] for model in scores.info["models"]) else 1


def _of_batch(options) -> Scores:
    """The scores of a batch's items, which were measured as they were made."""
    check_passed_over(options, "--from", ("from", "by", "seed", "output_dir"))
    from attention.batches.as_scores import write_scores_of

    return write_scores_of(vars(options)["from"], options.output_dir, options.by, options.seed)


def _of_set(options, progress: Progress) -> Scores:
    items = read_items(options.jsonl, options.images, options.form, options.wording)
    if options.sample is not None:
        items = sampled(items, options.sample, options.seed)
    fields = {name: getattr(options, name) for name in plain_flags() if name not in OTHERWISE}
    request = Request(**fields)
    stop = _Stop()

    def partial(folder: Path) -> _ItemRun:
        run = _ItemRun.create(folder)
        run.stop, run.progress = stop, progress
        return run

    try:
        with stopping(stop):
            progress.show(LOADING)
            from attention.scoring.scoring import LOOKING, score_items

            quiet_transformers()
            return score_items(
                items, options.output_dir, request, _members(options, request), rows=options.rows, by=options.by,
                seed=options.seed, keeps_runs=options.keep_runs, make_partial=partial,
                tell=lambda what, done, total: progress.count(
                    "Looking at pictures" if what == LOOKING else f"Scoring {what}", done, total
                ),
            )  # fmt: skip
    except (KeyboardInterrupt, Cancelled):
        raise Interrupted(
            f"Stopped. What is done is kept in {options.output_dir}: the same command goes on from there."
        ) from None
    finally:
        progress.end()


def _members(options, request: Request) -> list:
    """The models that are scored beside the base."""
    if not options.adapter and not vars(options)["with"]:
        return []
    from adapters.comparing import members_of

    return members_of(chosen_members(options), request)


def _say(info: dict[str, Any], progress: Progress) -> None:
    for line in [*table(info), *pair_lines(info)]:
        print(line)
    for line in bad_lines(info):
        progress.say(line)
