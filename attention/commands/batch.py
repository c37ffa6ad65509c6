"""`batch`: a data set of questions, each a run, a comparison or its numbers, in a folder that goes on where it was."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from attention.errors import AttentionError, Cancelled, Interrupted, InvalidRequest, LimitExceeded, quoted
from attention.readings.relative import GENERAL
from attention.request import ADAPTER, FIELDS, QUESTION, Request
from attention.scoring.published import NAMES

from .checked_inputs import chosen_members
from .flags import GROUPS, add_fields, add_several, check_passed_over, plain_flags
from .help import add_command
from .output import add_output, print_json
from .progress import LOADING, Progress, quiet_transformers, size, stopping
from .time_left import TimeLeft

SET = "--jsonl assets/examples/set.jsonl --model pocket"
EXAMPLES = (
    f"python -m attention batch {SET} --mode generate --batch 8 --readings forecast lens --output-dir answers",
    f"python -m attention batch {SET} --adapter largest --keep all --output-dir compared",
    "python -m attention score --from answers --output-dir scores",
)
ABOUT = (
    "A line of the set is an object with image (or images), and prompt or messages; if it has them, the answer to "
    "read, and box, boxes or click in pixels of the first picture. Sets of RefCOCO and ScreenSpot are read as "
    "published. An item is named by its content: stopped or killed, the same command goes on where it was, and so does "
    "every other shard. summary.parquet, or without pyarrow summary.npz, has the numbers of all items; errors.jsonl "
    "the lines that could not be used."
)
# fields of a request: an answer is an item's own, and sets have no videos
OTHERWISE = {"answer", "fps", "max_frames"}
READINGS = "What is asked of each answer beyond its attention, in further passes. No reading is an explanation."
# flags of readings, by the kinds that take them and by the name that they have there
OF_READINGS = {"target": ("forecast", "agreement"), "general": ("relative",), "sides": ("agreement",)}
NAMED = {"general": "prompt"}
EVERY_S = 60.0  # between two lines on how far it is, where nothing is redrawn
SAID = 10  # errors that are said one by one


def add_batch(commands) -> None:
    parser = add_command(
        commands, "batch", "run a data set of questions, and keep of each its numbers or all of it", EXAMPLES,
        "--jsonl FILE | --dataset SET | --merge FOLDER --output-dir FOLDER", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_batch, parser=parser)
    group = parser.add_argument_group("set", "What is asked.")
    group.add_argument("--jsonl", metavar="FILE", help="the set: JSON lines, or one JSON list")
    group.add_argument(
        "--dataset", metavar="SET",
        help="the set: a Parquet, JSON lines or WebDataset tar file, a folder of such files, or owner/name on the Hub",
    )  # fmt: skip
    add_several(group, "--merge", "FOLDER", "finished folders of other shards of this batch: no model is run")
    group.add_argument("--split", metavar="NAME", help="of a data set on the Hub (default: train)")
    group.add_argument("--images", metavar="FOLDER", help="where its pictures lie (default: beside the file)")
    group.add_argument(
        "--allow-addresses", action="store_true", help="fetch pictures that are named by an address (http, https)"
    )
    group.add_argument(
        "--form",
        metavar="NAME",
        help=f"how its lines are written, where their fields do not say it: {', '.join(NAMES)}",
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
        groups[ADAPTER], "--adapter", "ADAPTER[=SCALE]",
        f"{FIELDS['adapter'].words}; each item becomes a comparison, in which each reads its own answer; several",
    )  # fmt: skip
    add_several(groups[ADAPTER], "--with", "MODEL[=DTYPE]", "whole model to run after the first, of any family")
    group = parser.add_argument_group("readings", READINGS)
    add_several(
        group, "--readings", "KIND",
        "forecast, relative, lens, agreement: made of every item, as `reading` makes them of a run, and their numbers "
        "kept; --keep rows keeps them of these rows, --keep all each in a folder beside its run",
    )  # fmt: skip
    group.add_argument(
        "--target", metavar="answer|first|place",
        help="of a forecast and of agreement: the whole answer, its first token, or the first digit of the place that "
        "it names (default: answer)",
    )  # fmt: skip
    group.add_argument("--general", metavar="TEXT", help=f"of relative: the general question (default: {GENERAL})")
    group.add_argument("--sides", type=int, metavar="N", help="of agreement: regions along each side (default: 4)")
    group = parser.add_argument_group("result", "What is kept, and how the work is done.")
    group.add_argument(
        "--keep", default="scores", metavar="scores|rows|all",
        help="of each item: numbers of every layer and head alone; the measured rows of attention too; or the whole "
        "run (default: scores)",
    )  # fmt: skip
    group.add_argument(
        "--rows", default="first", metavar="first|place|answer",
        help="whose attention is measured: the row that predicts the answer's first token, that of the first digit of "
        "the place that it names, or the mean over the answer (default: first)",
    )  # fmt: skip
    group.add_argument(
        "--batch", type=int, default=1, metavar="N",
        help="answers that are written together, each proved as it is read alone (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "--shard", default="1/1", metavar="I/N",
        help="every N-th line from the I-th on; all shards may write into one folder at once (default: 1/1)",
    )  # fmt: skip
    group.add_argument(
        "--engine", default="local", metavar="local|ray",
        help="what runs it: this process, or workers of Ray, which is installed with pip install ray (default: local)",
    )  # fmt: skip
    group.add_argument(
        "--workers", type=int, metavar="N", help="of Ray (default: one for each graphics card, or else each processor)"
    )
    group.add_argument("--address", metavar="ADDRESS", help="of a running Ray (default: one on this machine)")
    group.add_argument(
        "--dry-run", action="store_true", help="say what the first item costs, with its readings; run and write nothing"
    )
    group.add_argument("--output-dir", required=True, metavar="FOLDER", help="new, or one of this batch, which goes on")
    add_output(parser)


class _Stop:
    """Somebody's wish that all this stops."""

    is_asked = False

    def cancel(self) -> None:
        self.is_asked = True


class BatchProgress:
    """Progress of a batch: how many items are done, how many a second, and how long the others take."""

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.monotonic):
        self._progress, self._clock, self._left = progress, clock, TimeLeft(clock)
        self._redraws = sys.stderr.isatty()
        self._what, self._begin, self._said = "", (0.0, 0, 0), clock()

    def __call__(self, what: str, counts: Any, total: int | None) -> None:
        """Say how far it is: on a terminal after each item, elsewhere once a minute."""
        if what == "model":
            self._progress.report(what, counts.made, total or 0)
            return
        done, now = counts.made + counts.known + counts.failed, self._clock()
        if what != self._what:
            self._what, self._begin = what, (now, done, counts.made)
            self._progress.show(f"Running {what}")
            return
        start, before, made = self._begin
        rate = (counts.made - made) / (now - start) if now > start else 0
        words = [f"item {done - before:,}" + (f" of {total:,}" if total is not None else "")]
        words += [f"{rate:,.1f} a second" if rate < 10 else f"{rate:,.0f} a second"] if rate else []
        words += [f"{counts.failed:,} failed"] if counts.failed else []
        left = self._left.words("batch", done - before, total) if total is not None else ""
        if self._redraws:
            self._progress.show(f"Running {what}", ", ".join(words), left)
        elif now - self._said >= EVERY_S:
            self._said = now
            self._progress.say(f"Running {what}: {', '.join(filter(None, [*words, left]))}")


def _batch(options) -> int:
    if sum((options.jsonl is not None, options.dataset is not None, bool(options.merge))) != 1:
        raise InvalidRequest("Name the set: --jsonl FILE, or --dataset SET; or finished parts of it: --merge FOLDER.")
    if options.merge:
        return _merge(options)
    if options.engine not in ("local", "ray"):
        raise InvalidRequest(f"The engine is {quoted(options.engine)}; it is local or ray.")
    if options.engine == "local" and (options.workers is not None or options.address is not None):
        raise InvalidRequest("--workers and --address are of Ray: add --engine ray, or leave them out.")
    shard, readings = _shard(options.shard), _readings(options)
    request = Request(**{name: getattr(options, name) for name in plain_flags() if name not in OTHERWISE})
    progress, stop = Progress(options.quiet), _Stop()
    try:
        with stopping(stop):
            progress.show(LOADING)
            from attention.batches.items import Reading
            from attention.batches.running import cost_of_batch, run_batch

            quiet_transformers()
            members = _members(options, request)
            given: dict[str, Any] = {
                "keep": options.keep, "readings": readings, "shard": shard, "images": options.images,
                "split": options.split, "reading": Reading(options.form, options.wording, options.allow_addresses),
            }  # fmt: skip
            source = options.jsonl or options.dataset
            if options.dry_run:
                cost = cost_of_batch(source, options.output_dir, request, members, **given)
                print_json(cost.to_dict()) if options.json else print(cost.words)
                return 0
            if readings:
                _say_cost(progress, lambda: cost_of_batch(source, options.output_dir, request, members, **given))
            engine: dict[str, Any] = {}
            if options.engine == "ray":
                from attention.batches.on_ray import Ray

                engine["engine"] = Ray(options.address, options.workers)
            found, counts = run_batch(
                source, options.output_dir, request, members, rows=options.rows, batch=options.batch, **given,
                watch=BatchProgress(progress), stop=lambda: stop.is_asked, **engine,
            )  # fmt: skip
    except (KeyboardInterrupt, Cancelled):
        raise Interrupted(
            f"Stopped. What is done is kept in {options.output_dir}: the same command goes on from there."
        ) from None
    finally:
        progress.end()
    if options.json:
        print_json(_record(found, counts))
    else:
        _say(found, counts, options, progress)
    return 1 if counts.failed else 0


def _say_cost(progress: Progress, cost: Callable[[], Any]) -> None:
    """Say what the first item costs. What cannot be used, or does not fit, is refused by the work itself."""
    try:
        progress.say(cost().words)
    except LimitExceeded as error:
        progress.say(str(error))
    except AttentionError:
        pass


def _merge(options) -> int:
    check_passed_over(options, "--merge", ("merge", "output_dir"))
    from attention.batches.merging import merge_batches

    found = merge_batches(options.merge, options.output_dir)
    errors = found.errors()
    if options.json:
        print_json({"folder": str(found.folder), "items": len(found), "failed": len(errors)})
    else:
        print(found.folder)
    return 1 if errors else 0


def _shard(text: str) -> tuple[int, int]:
    which, _, count = text.partition("/")
    if not (which.isdecimal() and count.isdecimal()):
        raise InvalidRequest(f"The shard is {quoted(text)}; it is one from 1/N to N/N, as 2/8.")
    return int(which), int(count)


def _readings(options) -> dict[str, dict[str, Any]]:
    """The readings that are asked for, by their kinds. Raises InvalidRequest for a flag of one that is not."""
    found: dict[str, dict[str, Any]] = {kind: {} for kind in options.readings}
    for name, kinds in OF_READINGS.items():
        given = getattr(options, name)
        asked = [kind for kind in kinds if kind in found]
        if given is not None and not asked:
            raise InvalidRequest(f"--{name} is of a reading: add --readings {kinds[0]}, or leave it out.")
        for kind in asked if given is not None else []:
            found[kind][NAMED.get(name, name)] = given
    return found


def _members(options, request: Request) -> list:
    """The models that are run beside the base."""
    if not options.adapter and not vars(options)["with"]:
        return []
    from adapters.comparing import members_of

    return members_of(chosen_members(options), request)


def _record(found, counts) -> dict[str, Any]:
    errors = found.errors()
    return {
        "folder": str(found.folder), "items": len(found), "made": counts.made, "known": counts.known,
        "failed": counts.failed, "errors": [{name: row[name] for name in ("name", "reason")} for row in errors[:SAID]],
        "otherwise": counts.otherwise, "alone": dict(counts.alone), "members": found.members,
        "keep": found.info["keep"], "readings": found.info.get("readings", {}),
        "summary": [path.name for path in sorted(found.folder.glob("summary*"))],
    }  # fmt: skip


def _say(found, counts, options, progress: Progress) -> None:
    errors = found.errors()
    for row in errors[:SAID]:
        progress.say(f"{row['name']}: {row['reason']}")
    if len(errors) > SAID:
        progress.say(f"and {len(errors) - SAID:,} more, in errors.jsonl.")
    for reason, count in counts.alone.most_common():
        progress.say(f"{count:,} answers were written alone: {reason}.")
    if options.batch > 1 and options.mode == "generate":
        progress.say(
            f"{counts.otherwise:,} answers were other in a batch than alone, and were taken as alone"
            f"{': otherwise.jsonl lists them' if counts.otherwise else ''}."
        )
    n_bytes = sum(file.stat().st_size for file in found.folder.iterdir() if file.is_file())
    names = [path.name for path in sorted(found.folder.glob("summary*"))]
    progress.say(
        f"{counts.made:,} items made, {counts.known:,} there before or asked twice, {counts.failed:,} failed; "
        f"{size(n_bytes)} in {', '.join(names) or 'no summary'} and beside it."
    )
    print(found.folder)
    if found.info["keep"] == "all":
        progress.say(f"python app.py {found.folder} shows the runs.")
