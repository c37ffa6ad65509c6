"""`extract` and `compare`: run a model on what the flags describe, into a folder."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from attention.capture.images import Pictures, open_pictures
from attention.comparisons.asked_beside import FLOORS_WORDS, PARTS_WORDS, asked_beside
from attention.comparisons.comparison import Comparison
from attention.comparisons.floors import multiples_words, unmeasured_words
from attention.drawing.number_text import format_seconds
from attention.errors import InvalidRequest
from attention.limits import Limits
from attention.request import ADAPTER, ANSWER, FIELDS, QUESTION, Request
from attention.runs.run import Run
from attention.video_entries import one_video
from attention.words import ONE_INPUT, ONE_INPUT_MEANS, OVER_A_SET, read_with_less

from .checked_inputs import chosen, chosen_members, read_answer, taken_for_what_they_are
from .flags import add_fields, add_several, plain_flags, request_groups
from .help import add_command
from .output import add_output, print_json
from .progress import Progress, ReportedRun, make, size
from .records import MOST_MOVED, comparison_record, run_record
from .view import view_line

SHAPES = '--image assets/examples/shapes.png --prompt "what color is the star?"'
EXTRACT_EXAMPLES = (
    f"python -m attention extract {SHAPES} --mode generate --output-dir star",
    'python -m attention extract --image assets/examples/shapes.png assets/examples/window.png --prompt "click Save" '
    "--output-dir two --json --quiet",
    f'python -m attention extract {SHAPES} --answer "blue" --adapter german=0.5 --model pocket --output-dir blue',
)
COMPARE_EXAMPLES = (
    f"python -m attention compare {SHAPES} --mode generate --model pocket --adapter largest german=0.5 "
    "--floors dtype,paraphrase --output-dir both",
    f"python -m attention compare {SHAPES} --mode generate --model pocket --with pocket=bfloat16 --output-dir halves",
    "python -m attention compare --runs assets/examples/compared/base assets/examples/compared/adapter_1 "
    "--output-dir kept",
)


BESIDE = ("floors", "paraphrase", "parts")  # of a comparison that is run
STRENGTH = "strength, from 0 to 1.5 (default: 1)"


def add_extract(commands) -> None:
    parser = add_command(
        commands, "extract", "run a model and keep its attention in a folder", EXTRACT_EXAMPLES,
        "--image FILE --prompt TEXT --output-dir FOLDER",
        "Prints the folder, which `export` reads, and `attention.open_run` in Python.",
    )  # fmt: skip
    parser.set_defaults(command=_extract)
    adapters = _add_inputs(parser)
    adapters.add_argument(
        "--adapter", metavar="ADAPTER[=SCALE]", help=f"{FIELDS['adapter'].words}; SCALE is its {STRENGTH}"
    )
    add_output(parser)


def add_compare(commands) -> None:
    parser = add_command(
        commands, "compare", "run a model beside its adapters, or other models, on one input, and measure what differs",
        COMPARE_EXAMPLES, "--image FILE --prompt TEXT --adapter ADAPTER | --with MODEL --output-dir FOLDER",
        "Prints the folder, which `export` reads, and `adapters.open_comparison` in Python.",
    )  # fmt: skip
    parser.set_defaults(command=_compare)
    adapters = _add_inputs(parser)
    add_several(
        adapters, "--adapter", "ADAPTER[=SCALE]",
        f"{FIELDS['adapter'].words}; SCALE is its {STRENGTH}; up to twelve",
    )  # fmt: skip
    add_several(
        adapters, "--with", "MODEL[=DTYPE]",
        "whole model to set beside the first: a fine-tune, a merged or quantised copy, or the same in another number "
        "format; it must read the same tokens, and with other layers or heads it is shown side by side",
    )  # fmt: skip
    adapters.add_argument(
        "--runs",
        nargs="+",
        metavar="RUN",
        default=None,
        help="finished runs of the same tokens, instead of a question: no model is run",
    )
    adapters.add_argument(
        "--words", default="base", metavar="base|N|own",
        help="answer that all read: the base's, that of adapter or model N (from 1), or each its own (default: base)",
    )  # fmt: skip
    beside = parser.add_argument_group(
        "beside the change", "How much of it is noise, and where it comes from. Each takes passes of the model."
    )
    beside.add_argument("--floors", metavar="KIND,...", default="", help=FLOORS_WORDS)
    add_several(
        beside, "--paraphrase", "TEXT", "the question in other words, instead of two that a table makes (a floor)"
    )
    beside.add_argument("--parts", action="store_true", help=PARTS_WORDS)
    add_output(parser)


def _add_inputs(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the flags of a request and of where its run goes; return the group of what adapters need besides."""
    groups = request_groups(parser)
    question = groups[QUESTION]
    add_several(question, "--image", FIELDS["images"].metavar, FIELDS["images"].words or "")
    add_several(question, "--video", FIELDS["videos"].metavar, FIELDS["videos"].words or "")
    for name in ("prompt", "messages"):
        question.add_argument(f"--{name}", metavar=FIELDS[name].metavar, help=FIELDS[name].words)
    for name in plain_flags():
        add_fields(groups.get(FIELDS[name].group or "", parser), name)
    groups[ANSWER].add_argument(
        "--answer-file", metavar="FILE",
        help="forced answer from a UTF-8 file: its text without the last line break, or a chat completion (JSON) as a "
        "server such as vLLM returned it",
    )  # fmt: skip
    result = parser.add_argument_group("result", "Where it goes. Nothing is left there if it fails or is stopped.")
    result.add_argument(
        "--output-dir", required=True, metavar="FOLDER", help="becomes the result's folder; must not exist, or be empty"
    )
    return groups[ADAPTER]


def _extract(options) -> int:
    asked, pictures = _request(options)

    def work(partial: ReportedRun) -> Path:
        from attention.capture.extraction import fill
        from attention.capture.forecast import download_reporter, forecast

        request = taken_for_what_they_are(options, asked, partial)
        expected = forecast(request, watch=download_reporter(partial), pictures=pictures)
        partial.progress.say(
            f"{expected.tokens:,} tokens at most, {expected.image_tokens:,} of pictures; "
            f"{size(expected.bytes_on_disk)} on disk"
        )
        if not options.adapter:
            return fill(request, partial, prepared=expected.prepared)
        from adapters.attach import adapted

        (choice,) = chosen(options, [options.adapter], partial)
        return fill(request, partial, adapted=adapted(choice), prepared=expected.prepared)

    progress, start = Progress(options.quiet), time.monotonic()
    folder = make(options.output_dir, work, progress)
    with Run(folder) as run:
        if options.json:
            print_json(run_record(run, time.monotonic() - start))
            return 0
        _say_summary(run, progress)
    print(folder)
    progress.say(view_line(folder))
    return 0


def _compare(options) -> int:
    work = _kept_runs(options) if options.runs else _run_together(options)
    progress, start = Progress(options.quiet), time.monotonic()
    folder = make(options.output_dir, work, progress)
    from attention.comparisons.comparison import open_comparison
    from attention.comparisons.names import member_names

    with open_comparison(folder) as comparison:
        if options.json:
            print_json(comparison_record(comparison, time.monotonic() - start))
            return 0
        _say_summary(comparison.base, progress)
        names = member_names(comparison.info["members"])
        if comparison.is_side_by_side:
            progress.say(comparison.why_side_by_side())
        for floor in comparison.info.get("floors", []):
            if "why" in floor:
                progress.say(unmeasured_words(floor))
        for index, member in enumerate(comparison.info["members"][1:]):
            adapter = None if member.get("name") else member["adapter"]
            progress.say(f"{adapter['id']} at {adapter['scale']:g}:" if adapter else f"{names[member['folder']]}:")
            for note in (member.get("card") or {}).get("notes", []):
                progress.say(f"  {note}")
            if member["answer"]:
                progress.say(f"  Answer: {member['answer']}")
            if comparison.is_side_by_side:
                progress.say(f"  {_said_of_answer(comparison, index + 1)}")
                continue
            moved_heads = comparison.moved(index, n=MOST_MOVED)
            if not any(moved["value"] for moved in moved_heads):
                progress.say("  No head reads the picture otherwise than the first.")
                continue
            for moved in moved_heads:
                where = f"layer {moved['layer']}, head {moved['head']}"
                said = f"Jensen-Shannon divergence on the picture {moved['value']:.3f} bits"
                progress.say(f"  {where}: {', '.join([said, *multiples_words(moved.get('times', {}))])}")
        progress.say(f"{ONE_INPUT}: {ONE_INPUT_MEANS} {OVER_A_SET}")
    print(folder)
    progress.say(view_line(folder))
    return 0


def _said_of_answer(comparison: Comparison, member: int) -> str:
    """Sentence on how probable the shared answer is to a member, and to the first."""
    logprobs = comparison.logprobs()
    if not logprobs.shape[1]:
        return "No token of an answer is shared."
    here, there = (float(logprobs[i].mean(dtype=np.float64)) for i in (member, 0))
    tokens = "one token" if logprobs.shape[1] == 1 else f"{logprobs.shape[1]} tokens"
    return f"Log-probability of the answer's {tokens}: {here:.3f} nats on average; the first {there:.3f}."


def _run_together(options) -> Callable[[ReportedRun], Path]:
    """Make the work that runs base, adapters and other models on a question."""
    beside = asked_beside(options.floors, options.paraphrase, options.parts)
    asked, pictures = _request(options)

    def work(partial: ReportedRun) -> Path:
        from adapters.comparing import fill_comparison
        from attention.capture.forecast import download_reporter, forecast

        request = taken_for_what_they_are(options, asked, partial)
        if not options.adapter + vars(options)["with"]:
            raise InvalidRequest("Name what is compared: --adapter, --with, or finished runs with --runs.")
        expected = forecast(request, watch=download_reporter(partial), pictures=pictures)
        n_runs = len(options.adapter) + len(vars(options)["with"]) + 1
        more = beside.passes(len(options.adapter))
        partial.progress.say(
            f"{n_runs} runs of {expected.tokens:,} tokens at most; {size(n_runs * expected.bytes_on_disk)} on disk"
        )
        if more:
            partial.progress.say(
                f"{more} passes more for floors and parts; {size(more * expected.bytes_on_disk)} more on disk meanwhile"
            )
        choices = chosen_members(options, partial)
        return fill_comparison(request, choices, partial, options.words, prepared=expected.prepared, beside=beside)

    return work


def _kept_runs(options) -> Callable[[ReportedRun], Path]:
    """Make the work that sets finished runs beside each other."""
    asked = [
        name for name in ("image", "video", "prompt", "messages", "adapter", "with", *BESIDE) if vars(options)[name]
    ]
    if asked:
        raise InvalidRequest(f"--runs are finished: leave out --{asked[0]}, or leave out --runs.")

    def work(partial: ReportedRun) -> Path:
        from attention.comparisons.finished import fill_from_runs

        return fill_from_runs(options.runs, partial)

    return work


def _request(options) -> tuple[Request, Pictures]:
    """The request that the flags describe, and its pictures: what is wrong is said before a library is loaded."""

    messages, images = None, options.image
    if options.messages is not None:
        if options.prompt is not None or options.system is not None:
            raise InvalidRequest("--messages is the whole chat: leave out --prompt and --system.")
        from attention.capture.extraction import read_messages

        messages, images = read_messages(options.messages, images)
    fields = {name: getattr(options, name) for name in plain_flags()}
    if options.answer_file is not None:
        if options.answer is not None:
            raise InvalidRequest("--answer and --answer-file are both an answer: leave one out.")
        fields["answer"] = read_answer(options.answer_file)
    videos = one_video(options.video)
    request = Request(images=images, prompt=options.prompt or "", messages=messages, videos=videos, **fields)
    return request, open_pictures(request, Limits())


def _say_summary(run: Run, progress: Progress) -> None:
    info = run.info
    fewer = read_with_less(info)
    for sentence in fewer:
        most = max(image.get("own_visual_tokens") or 0 for image in info["images"])
        progress.say(f"{sentence} --max-visual-tokens {most} reads all of it.")
    for video in info.get("videos", []):
        progress.say(
            f"{video['read']} of {video['frames']:,} frames read "
            f"({format_seconds(video['duration_s'])}, by {video['decoder']})"
        )
    for image in info["images"]:
        size, read = (image["width"], image["height"]), (image["read_width"], image["read_height"])
        if not fewer and "video" not in image and read[0] * read[1] < 0.9 * size[0] * size[1]:
            progress.say(
                f"{size[0]}x{size[1]}, read at {read[0]}x{read[1]}: the answer may differ. "
                "--max-visual-tokens N reads more of it."
            )
    for note in info["notes"]:
        progress.say(note)
    if info["answer"]:
        progress.say(f"{'Answer that was given' if info['forced'] else 'Answer'}: {info['answer']}")
