"""The command line: `python -m attention extract | compare | export | inspect | verify | models | adapters`.

Owns the flags, what is printed where, and the exit codes. What a command does is done by the rest of the package, which
is imported when a command needs it: `export` and `--help` bring in neither torch nor transformers.

stdout has the result (the path that was written, a table), stderr everything else. Exit code 0: done; 1: it failed, or
a check of `verify` did; 2: an argument or an input cannot be used; 130: stopped with Ctrl-C, which leaves no folder
behind. With ATTENTION_DEBUG=1 an error keeps its stack trace.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attention.environment import is_debugging
from attention.errors import Cancelled, InvalidRequest, NotInRun, confirmed_by, fault, shortened, words_for
from attention.runs.partial import PartialRun
from attention.words import PHASE_WORDS

IN_OTHER_WAYS = {
    "images",
    "prompt",
    "messages",
    "adapter",
    "adapter_scale",
}  # fields of a request that are no plain flag
UNITS = {"answer": "tokens", "capture": "layers", "compare": "layers"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    try:
        try:
            options = build_parser().parse_args(arguments)
            return options.command(options)
        finally:
            sys.stdout.flush()  # of --help too: what nobody reads any more is met here, not at the end of Python
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        _leave_pipes()
        return 1
    except (KeyboardInterrupt, Cancelled):
        if is_debugging():
            raise
        return _failed("Stopped. Nothing was kept.", 130)
    except Exception as error:
        if is_debugging():
            raise
        words = words_for(error)
        if words is None:
            details = "Set ATTENTION_DEBUG=1 and run it again for the details."
            return _failed(f"{fault(error, in_detail=True)}\n{details}", 1)
        words = confirmed_by(words, rename="--adapter-rename", alone="--adapter-alone")
        return _failed(words, 2 if isinstance(error, InvalidRequest | NotInRun) else 1)


def _failed(words: str, code: int) -> int:
    """Say why it failed, where anybody still reads it; return the exit code."""
    try:
        print(words, file=sys.stderr, flush=True)
    except BrokenPipeError:
        _leave_pipes()
    return code


def _leave_pipes() -> None:
    """Write into nothing from here on: Python would complain at its end about a pipe that nobody reads."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nothing, stream.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong with an argument in one line that can be read."""

    def error(self, message: str):
        super().error(shortened(message, 300))


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m attention",
        description="The attention of every layer and head of a vision-language model, as files.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    extract = commands.add_parser("extract", help="run a model and keep its attention in a folder")
    extract.set_defaults(command=_extract)
    _add_inputs(extract)
    extract.add_argument("--adapter", metavar="A[=SCALE]", help="a LoRA adapter, at a strength from 0 to 1.5")

    compare = commands.add_parser(
        "compare", help="run the base and adapters on one input, and measure what they change"
    )
    compare.set_defaults(command=_compare)
    _add_inputs(compare)
    add = compare.add_argument
    add("--adapter", action="append", required=True, metavar="A[=SCALE]", help="a LoRA adapter; repeat it for several")
    add(
        "--words",
        default="base",
        metavar="base|N|own",
        help="whose answer all read: the base's, adapter N's, each its own",
    )

    export = commands.add_parser("export", help="write a run, or one map of it, as a file")
    export.set_defaults(command=_export)
    add = export.add_argument
    add("run", metavar="RUN", help="the folder of a finished run, or of a comparison")
    add("--format", required=True, metavar="dense|bin|npz|csv|png|svg|pdf|zip", help="what to write")
    add("--output", required=True, metavar="PATH", help="a file; a folder for bin, and for dense without --layer")
    add("--tower", default="language", metavar="language|cross|vision")
    add("--layer", type=_number_or_word, metavar="N|mean|max", help="default: mean for one map, all for dense")
    add("--head", type=_number_or_word, metavar="N|mean|max", help="default: mean")
    which = export.add_mutually_exclusive_group()
    which.add_argument("--query", type=int, metavar="P", help="the row of position P; default: it predicts the answer")
    which.add_argument("--key", type=int, metavar="P", help="the column of position P: who reads it")
    which.add_argument("--received", action="store_true", help="what every key receives, mean over all queries")
    add("--until", type=int, metavar="P", help="the mean over the positions from --query or --key to P")
    add("--grid", type=int, metavar="G", help="which picture, tile or frame; default: the tower's first")
    add = export.add_argument_group("how png, svg and pdf are drawn").add_argument
    add("--scale", type=float, metavar="S", help="of a png: 0.25 to 4 times the picture's size (default 1)")
    add("--caption", action="store_true", help="a png with a colour bar and words, as svg and pdf always have them")
    add("--palette", metavar="NAME", help="cividis (default), magma, viridis, blues or grey")
    add("--opacity", type=float, metavar="0..1", help="of the highest colour (default 0.8)")
    add("--low", type=float, metavar="V", help="where the colours begin; default: 0")
    add("--high", type=float, metavar="V", help="where the colours end; default: the largest value")
    add("--unit", metavar="attention|uniform", help="uniform: values as multiples of even attention over the picture")
    add("--curve", metavar="linear|sqrt|log", help="from values to colours (default linear)")
    add("--sinks", metavar="masked|raw|renormalised", help="masked (default): hatched and left out of the colours")
    add("--smooth", action="store_true", default=None, help="between the cells' centres; the caption says so")
    add("--places", action="store_true", default=None, help="draw the points and boxes that the answer names")
    add("--places-on", type=int, metavar="N", help="and those whose picture is not known, on picture N, from 1")
    add("--plain", action="store_true", default=None, help="the map alone on white, without its picture")
    add = export.add_argument_group(
        "of a comparison: csv (its measures), zip, and png, svg, pdf of two members"
    ).add_argument
    add("--left", metavar="MEMBER", help="the first: base (default), adapter_1, ...")
    add("--right", metavar="MEMBER", help="what is set against it; default: adapter_1")
    add("--show", metavar="WHAT,...", help="of left, right, difference and wipe; default: the first three")
    add("--split", type=float, metavar="0..1", help="where the line of the wipe stands (default 0.5)")
    add(
        "--difference-high",
        type=_decimal_or_word,
        metavar="V|largest",
        help="where the colours of the difference end; default: as those of the maps",
    )

    inspect = commands.add_parser("inspect", help="check an adapter before anything of it is loaded")
    inspect.set_defaults(command=_inspect)
    add = inspect.add_argument
    add(
        "adapter", metavar="ADAPTER", help="a folder, a Hub id (owner/name[@revision]), or a name that `adapters` lists"
    )
    inspect.add_argument("--model", metavar="ID", help="the base; default: the first that `models` lists")
    _add_fields(inspect, "model_type", "adapter_rename", "adapter_alone")
    add("--weights", action="store_true", help="load both and measure how far each weight was changed")
    add("--json", action="store_true", help="the health card as JSON")

    models = commands.add_parser("models", help="the models on offer")
    models.set_defaults(command=_models)

    adapters = commands.add_parser("adapters", help="the adapters on offer for a model")
    adapters.set_defaults(command=_adapters)
    adapters.add_argument("--model", metavar="ID", help="the base; default: the first that `models` lists")
    adapters.add_argument("--adapters", metavar="DIR", help="a folder below which your adapters lie")

    verify = commands.add_parser("verify", help="check on your own weights that what is kept is the model's own")
    verify.set_defaults(command=_verify)
    _add_fields(verify, "model", "model_type", "device", "dtype", required="model")
    verify.add_argument("--image", metavar="F", help="a picture to check with; default: a drawn one")
    verify.add_argument("--adapter", metavar="A[=SCALE]", help="check too that it can be switched off without a trace")
    _add_fields(verify, "adapter_rename", "adapter_alone")
    return parser


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    from attention.request import FIELDS

    add = parser.add_argument
    add("--image", action="append", default=[], metavar="F", help=FIELDS["images"].words)
    add("--prompt", metavar="T", help=FIELDS["prompt"].words)
    add("--messages", metavar="F.json", help=FIELDS["messages"].words)
    add("--output-dir", required=True, metavar="D", help="becomes the result's folder; must not exist, or be empty")
    _add_fields(parser, *plain_flags())


def plain_flags() -> list[str]:
    """The fields of a request that have a flag of their own, in its order."""
    from attention.request import FIELDS

    return [name for name in FIELDS if name not in IN_OTHER_WAYS]


def _add_fields(parser: argparse.ArgumentParser, *names: str, required: str | None = None) -> None:
    """Add the flags of fields of a request, as its table has them."""
    from attention.request import FIELDS

    for name in names:
        field = FIELDS[name]
        settings: dict = {"help": field.words}
        if field.kind is bool:
            settings["action"] = argparse.BooleanOptionalAction if field.default is None else "store_true"
        else:
            settings |= {"default": field.default, "metavar": field.metavar, "required": name == required}
            settings |= {} if field.kind is str else {"type": field.kind}
        parser.add_argument(f"--{name.replace('_', '-')}", **settings)


# Commands


def _extract(options) -> int:
    request, wanted = _request(options), [options.adapter] if options.adapter else []

    def work(partial: _ReportedRun) -> Path:
        from attention.capture.extraction import fill
        from attention.capture.forecast import download_reporter, forecast

        expected = forecast(request, watch=download_reporter(partial))
        partial.progress.say(
            f"{expected.tokens:,} tokens at most, {expected.image_tokens:,} of pictures; "
            f"{_size(expected.bytes_on_disk)} on disk"
        )
        if not wanted:
            return fill(request, partial)
        from adapters.attach import adapted

        return fill(request, partial, adapted=adapted(*_choose(options, wanted, partial)))

    folder = _make(options.output_dir, work)
    _print_summary(folder)
    print(folder)
    return 0


def _compare(options) -> int:
    request = _request(options)

    def work(partial: _ReportedRun) -> Path:
        from adapters.comparing import fill_comparison
        from attention.capture.forecast import download_reporter, forecast

        expected = forecast(request, watch=download_reporter(partial))
        n_runs = len(options.adapter) + 1
        partial.progress.say(
            f"{n_runs} runs of {expected.tokens:,} tokens at most; {_size(n_runs * expected.bytes_on_disk)} on disk"
        )
        return fill_comparison(request, _choose(options, options.adapter, partial), partial, options.words)

    folder = _make(options.output_dir, work)
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
    return 0


def _request(options):
    """The request that the flags describe, its pictures looked at."""
    from attention.request import Request

    messages, images = None, options.image
    if options.messages is not None:
        if options.prompt is not None or options.system is not None:
            raise InvalidRequest("--messages is the whole chat: leave out --prompt and --system.")
        from attention.capture.extraction import read_messages

        messages, images = read_messages(options.messages, images)
    fields = {name: getattr(options, name) for name in plain_flags()}
    request = Request(images=images, prompt=options.prompt or "", messages=messages, **fields)
    request.validate()
    _check_images(request.images)
    return request


def _choose(options, wanted: list[str], partial: _ReportedRun) -> list:
    """The adapters that are asked for, checked and here."""
    from adapters.catalog import split_scale
    from adapters.choosing import choose
    from attention.capture.forecast import download_reporter
    from attention.models.offered import default_model

    asked = [split_scale(text) for text in wanted]
    return choose(
        [_asked(options, name, scale) for name, scale in asked],
        options.model or default_model(), options.model_type, watch=download_reporter(partial),
    )  # fmt: skip


def _asked(options, name: str, scale: float | None) -> dict:
    return {"id": name, "scale": scale, "rename": options.adapter_rename, "alone": options.adapter_alone}


def _make(output_dir: str, work: Callable[[_ReportedRun], Path]) -> Path:
    """Do work that fills a folder, with progress, and with nothing left where it is stopped or fails."""
    partial = _ReportedRun.create(output_dir)
    try:
        with _stopping(partial):
            partial.progress.show("loading PyTorch")
            from attention.capture import extraction  # noqa: F401 - imported for its effect

            _quiet_transformers()
            return work(partial)
    finally:
        partial.progress.end()
        partial.discard()  # of what was committed nothing is left here


def _inspect(options) -> int:
    progress = _Progress()
    progress.show("loading PyTorch")
    from adapters.report import report
    from attention.models.offered import default_model

    _quiet_transformers()
    try:
        card, changes = report(
            options.adapter, options.model or default_model(), options.model_type, options.adapter_rename,
            options.adapter_alone, weights=options.weights,
        )  # fmt: skip
    finally:
        progress.end()
    if options.json:
        print(json.dumps(card.to_dict() | ({"changes": [each.to_dict() for each in changes]} if changes else {})))
    else:
        print("\n".join([*card.lines(), *(each.line() for each in changes)]))
    return 0


def _adapters(options) -> int:
    from adapters.catalog import offered_adapters
    from attention.models.offered import default_model

    offers, notes = offered_adapters(
        options.model or default_model(), Path(options.adapters) if options.adapters else None
    )
    width = max((len(offer.id) for offer in offers), default=0)
    for offer in offers:
        print(f"{offer.id:{width}}  {offer.source}{f', {offer.note}' if offer.note else ''}")
    for note in notes:
        print(note, file=sys.stderr)
    if not offers:
        print("There are none. Any adapter of the Hub is named by its id, owner/name.", file=sys.stderr)
    return 0


def _export(options) -> int:
    from attention.drawing.look import LOOK_NAMES
    from attention.exports.comparison import OWN_FIELDS, export_found
    from attention.folders import open_folder

    names = ("tower", "layer", "head", "query", "key", "grid", "until", "received", "scale", "caption", *OWN_FIELDS)
    fields = {name: getattr(options, name) for name in names}
    look = {name: getattr(options, name) for name in LOOK_NAMES if getattr(options, name) is not None}
    with open_folder(options.run) as found:
        for name in OWN_FIELDS:
            if fields[name] is not None and found.kind == "run":
                flag = f"--{name.replace('_', '-')}"
                raise InvalidRequest(f"{flag} is of a comparison, and {options.run} is none: leave it out.")
        print(export_found(found, options.format, options.output, look=look, **fields))
    return 0


def _models(_) -> int:
    from attention.models.devices import device_notice
    from attention.models.offered import default_model, offered_models

    offered = offered_models()
    width = max(len(model["id"]) for model in offered)
    for model in offered:
        first = " (default)" if model["id"] == default_model() else ""
        print(f"{model['id']:{width}}  {model['note']}{first}")
    if device_notice():
        print(device_notice(), file=sys.stderr)
    return 0


def _verify(options) -> int:
    _check_images([options.image] if options.image else [])
    progress = _Progress()
    progress.show("loading PyTorch")
    from attention.verify.checks import table, verify

    _quiet_transformers()
    how = {"device": options.device, "dtype": options.dtype, "model_type": options.model_type, "report": progress.show}
    try:
        if options.adapter is None:
            checks = verify(options.model, options.image, **how)
        else:
            from adapters.catalog import split_scale
            from adapters.choosing import choose
            from adapters.verifying import verify_adapted

            name, scale = split_scale(options.adapter)
            (choice,) = choose([_asked(options, name, scale)], options.model, options.model_type)
            checks = verify_adapted(options.model, choice, options.image, **how)
    finally:
        progress.end()
    print(table(checks))
    return 1 if any(check.passed is False for check in checks) else 0


def _check_images(images) -> None:
    """Refuse a broken picture before a model is loaded, or downloaded, for it."""
    from attention.capture.images import open_image

    for image in images:
        open_image(image)


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


# Progress and stopping


class _Progress:
    """Progress on stderr: one line that is rewritten on a terminal, otherwise one line for each phase."""

    def __init__(self):
        self._rewrites = sys.stderr.isatty()
        self._is_open = False
        self._last_phase = None

    def show(self, phase: str, amount: str = "") -> None:
        if self._rewrites:
            line = f"{phase} {amount}".rstrip()[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
            self._is_open = True
        elif phase != self._last_phase:
            print(phase, file=sys.stderr, flush=True)
        self._last_phase = phase

    def say(self, line: str) -> None:
        self.end()
        print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._is_open:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._is_open = False


class _ReportedRun(PartialRun):
    """A run being written whose progress is shown as well."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.progress = _Progress()

    def report(self, phase: str, done: int = 0, total: int = 0, answer: str | None = None) -> None:
        super().report(phase, done, total, answer)
        if phase == "model" and total:
            self.progress.show("downloading the model", f"{_size(done)} of {_size(total)}")
            return
        self.progress.show(PHASE_WORDS[phase][0], f"{done:,} of {total:,} {UNITS[phase]}" if total else "")


@contextmanager
def _stopping(partial: PartialRun) -> Iterator[None]:
    """Ctrl-C interrupts the job; where a library swallows that, the `cancel` file stops it at its next token or layer.

    Whatever the interrupted code makes of it (an import, for one, may raise anything), it ends as KeyboardInterrupt.
    """
    is_stopped = False

    def stop(*_) -> None:
        nonlocal is_stopped
        is_stopped = True
        partial.cancel()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # only there may signals be set
        yield
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except BaseException:
        if is_stopped:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)


# Words


def _number_or_word(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


def _decimal_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{max(1, round(n_bytes / 1e6)):,} MB"


def _quiet_transformers() -> None:
    """Its notices are about its own defaults; its progress bars would fight with ours."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


if __name__ == "__main__":
    sys.exit(main())
