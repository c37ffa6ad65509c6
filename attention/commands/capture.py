"""`extract` and `compare`: run a model on what the flags describe, into a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from attention.capture.images import Pictures, open_pictures
from attention.errors import InvalidRequest
from attention.limits import Limits
from attention.request import FIELDS, Request

from .checked_inputs import chosen
from .flags import add_fields, plain_flags
from .progress import ReportedRun, make, size
from .view import view_line


def add_extract(commands) -> None:
    parser = commands.add_parser("extract", help="run a model and keep its attention in a folder")
    parser.set_defaults(command=_extract)
    _add_inputs(parser)
    parser.add_argument("--adapter", metavar="A[=SCALE]", help="a LoRA adapter, at a strength from 0 to 1.5")


def add_compare(commands) -> None:
    parser = commands.add_parser("compare", help="run the base and adapters on one input, and measure what they change")
    parser.set_defaults(command=_compare)
    _add_inputs(parser)
    parser.add_argument(
        "--adapter", action="append", required=True, metavar="A[=SCALE]",
        help="a LoRA adapter; repeat it for several",
    )  # fmt: skip
    parser.add_argument(
        "--words", default="base", metavar="base|N|own",
        help="whose answer all read: the base's, adapter N's, each its own",
    )  # fmt: skip


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--image", action="append", default=[], metavar="F", help=FIELDS["images"].words)
    add("--prompt", metavar="T", help=FIELDS["prompt"].words)
    add("--messages", metavar="F.json", help=FIELDS["messages"].words)
    add("--output-dir", required=True, metavar="D", help="becomes the result's folder; must not exist, or be empty")
    add_fields(parser, *plain_flags())


def _extract(options) -> int:
    request, pictures = _request(options)
    wanted = [options.adapter] if options.adapter else []

    def work(partial: ReportedRun) -> Path:
        from attention.capture.extraction import fill
        from attention.capture.forecast import download_reporter, forecast

        expected = forecast(request, watch=download_reporter(partial), pictures=pictures)
        partial.progress.say(
            f"{expected.tokens:,} tokens at most, {expected.image_tokens:,} of pictures; "
            f"{size(expected.bytes_on_disk)} on disk"
        )
        if not wanted:
            return fill(request, partial, prepared=expected.prepared)
        from adapters.attach import adapted

        (choice,) = chosen(options, wanted, partial)
        return fill(request, partial, adapted=adapted(choice), prepared=expected.prepared)

    folder = make(options.output_dir, work)
    _print_summary(folder)
    print(folder)
    print(view_line(folder), file=sys.stderr)
    return 0


def _compare(options) -> int:
    request, pictures = _request(options)

    def work(partial: ReportedRun) -> Path:
        from adapters.comparing import fill_comparison
        from attention.capture.forecast import download_reporter, forecast

        expected = forecast(request, watch=download_reporter(partial), pictures=pictures)
        n_runs = len(options.adapter) + 1
        partial.progress.say(
            f"{n_runs} runs of {expected.tokens:,} tokens at most; {size(n_runs * expected.bytes_on_disk)} on disk"
        )
        choices = chosen(options, options.adapter, partial)
        return fill_comparison(request, choices, partial, options.words, prepared=expected.prepared)

    folder = make(options.output_dir, work)
    from attention.comparisons.comparison import open_comparison

    with open_comparison(folder) as comparison:
        _print_summary(comparison.base.folder)
        for index, member in enumerate(comparison.info["members"][1:]):
            print(f"{member['adapter']['id']} at {member['adapter']['scale']:g}:", file=sys.stderr)
            for note in (member.get("card") or {}).get("notes", []):
                print(f"  {note}", file=sys.stderr)
            if member["answer"]:
                print(f"  Answer: {member['answer']}", file=sys.stderr)
            for moved in comparison.moved(index, n=5):
                where = f"layer {moved['layer']}, head {moved['head']}"
                print(f"  {where}: Jensen-Shannon divergence on the picture {moved['value']:.3f} bits", file=sys.stderr)
    print(folder)
    print(view_line(folder), file=sys.stderr)
    return 0


def _request(options) -> tuple[Request, Pictures]:
    """The request that the flags describe, and its pictures: what is wrong is said before a library is loaded."""

    messages, images = None, options.image
    if options.messages is not None:
        if options.prompt is not None or options.system is not None:
            raise InvalidRequest("--messages is the whole chat: leave out --prompt and --system.")
        from attention.capture.extraction import read_messages

        messages, images = read_messages(options.messages, images)
    fields = {name: getattr(options, name) for name in plain_flags()}
    request = Request(images=images, prompt=options.prompt or "", messages=messages, **fields)
    return request, open_pictures(request, Limits())


def _print_summary(folder: Path) -> None:
    from attention.runs.run import open_run

    with open_run(folder) as run:
        info = run.info
    for image in info["images"]:
        size, read = (image["width"], image["height"]), (image["read_width"], image["read_height"])
        if read[0] * read[1] < 0.9 * size[0] * size[1]:
            print(f"{size[0]}x{size[1]}, read at {read[0]}x{read[1]}: the answer may differ.", end=" ", file=sys.stderr)
            print("--max-visual-tokens N reads more of it.", file=sys.stderr)
    for note in info["notes"]:
        print(note, file=sys.stderr)
    if info["answer"]:
        print(f"Answer: {info['answer']}", file=sys.stderr)
