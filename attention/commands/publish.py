"""`publish`: a run or a comparison as a site, which computes its maps itself; a batch as a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attention.errors import InvalidRequest, shortened

from .help import add_command
from .output import add_output, print_json
from .progress import Progress
from .sending import DATA_SET, SPACE, Kind, check_files, folder_for, kind_of, send

EXAMPLES = (
    "python -m attention publish star --to star-site",
    "python -m attention publish star --to star-site --layer 3 --head 1",
    "python -m attention publish star --to space:OWNER/NAME",
    "python -m attention publish answers --to dataset:OWNER/NAME",
)
ABOUT = (
    "The page of a run or a comparison shows any row, column and head: it fetches queries and keys by their place in "
    "the files and computes there. To look at a folder: python -m http.server --directory FOLDER. A batch becomes "
    "Parquet (pip install pyarrow), with pictures, answers, scores of every layer and head; where rows or runs were "
    "kept, a map on each picture, and these beside it: load_dataset reads it, the Hub shows it. space:OWNER/NAME and "
    "dataset:OWNER/NAME send to the Hub, with your login (hf auth login), private until you make it public."
)
CARD = """---
title: {title}
sdk: static
tags: [attention, vision-language, vlm-attention-viz]
---

{holds} Pictures, question and answer are part of it.
"""


def add_publish(commands) -> None:
    parser = add_command(
        commands, "publish", "write a run or a comparison as a site that computes every map, a batch as a data set",
        EXAMPLES, "RUN|BATCH --to FOLDER", ABOUT,
    )  # fmt: skip
    parser.set_defaults(command=_publish)
    group = parser.add_argument_group("what and where to", "What is published, and where to.")
    group.add_argument("run", metavar="RUN|BATCH", help="folder of a finished run, of a comparison, or of a batch")
    group.add_argument(
        "--to", required=True, metavar="FOLDER|space:ID|dataset:ID",
        help="new folder, or on the Hub a static Space for a run, a data set for a batch",
    )  # fmt: skip
    group = parser.add_argument_group("view", "Where a site opens; what the maps of a data set show.")
    group.add_argument("--layer", type=int, metavar="N", help="at which layer (default: mean)")
    group.add_argument("--head", type=int, metavar="N", help="at which head (default: mean)")
    group.add_argument("--query", type=int, metavar="N", help="at which row (default: that which predicts the answer)")
    group = parser.add_argument_group("data set", "What of a batch is in it.")
    group.add_argument("--jsonl", metavar="FILE", help="the batch's set, where its pictures lie in the set itself")
    group.add_argument("--dataset", metavar="SET", help="the same, as `batch` took it")
    group.add_argument("--split", metavar="NAME", help="of a data set on the Hub (default: train)")
    group.add_argument("--form", metavar="NAME", help="how its lines are written, as for `batch`")
    group.add_argument("--without-kept", action="store_true", help="leave out the runs or rows that were kept")
    add_output(parser)


def _publish(options) -> int:
    from attention.batches.folder import is_batch

    return _data_set(options) if is_batch(Path(options.run)) else _site(options)


def _site(options) -> int:
    from attention.exports.site import write_site
    from attention.folders import check, open_folder
    from attention.runs.selection import select

    _check(options, SPACE, ("jsonl", "dataset", "split", "form", "without_kept"), "a site")
    view = {"layer": options.layer, "head": options.head, "query": options.query}
    progress = Progress(options.quiet or options.json)
    with open_folder(options.run) as found, folder_for(options.to, found.folder) as folder:
        check(found)  # it may be anybody's, and its names become files
        base = found.run("base") if found.kind == "comparison" else found
        select(base, layer=options.layer, head=options.head, query=options.query).values()  # refuses what is not there
        written = write_site(found, folder, view, lambda done, total: progress.count("Writing layers", done - 1, total))
        progress.end()
        place = options.to
        if kind_of(place) is not None:
            title = shortened(base.info.get("prompt") or found.info["id"], 60)
            card = CARD.format(title=_quoted(title), holds=written.holds)
            (folder / "README.md").write_text(card, encoding="utf-8")
            place = send(folder, place, "A run with its attention")
    return _say(options, progress, "site", place, written, {})


def _data_set(options) -> int:
    from attention.batches.batch import open_batch
    from attention.exports.data_set.pictures import SetPictures
    from attention.exports.data_set.writing import kept_in, write_data_set
    from attention.sets.reading import read_set

    _check(options, DATA_SET, ("query",), "a data set")
    if options.jsonl and options.dataset:
        raise InvalidRequest("--jsonl and --dataset both name the set: give one of them.")
    source = options.jsonl or options.dataset
    if source is None and (options.split or options.form):
        raise InvalidRequest("--split and --form are of a set: name it with --jsonl or --dataset.")
    progress = Progress(options.quiet or options.json)
    batch, kept = open_batch(options.run), not options.without_kept
    if kind_of(options.to) is not None and kept:
        check_files(batch.folder, [place.name for place in kept_in(batch)])
    given = SetPictures(read_set(source, None, options.split), options.form) if source else None
    with folder_for(options.to, batch.folder) as folder:
        written = write_data_set(
            batch, folder, options.layer, options.head, given=given, kept=kept,
            progress=lambda done, total: progress.count("Writing items", done - 1, total),
        )  # fmt: skip
        progress.end()
        place = options.to
        if kind_of(place) is not None:
            place = send(folder, place, "Items with their attention")
    for line in written.lacks:
        progress.say(line)
    return _say(options, progress, "data set", place, written, {"items": written.items, "lacks": written.lacks})


def _check(options, kind: Kind, others: tuple[str, ...], what: str) -> None:
    """Raise InvalidRequest for a target of another kind, and for flags that would be passed over."""
    target = kind_of(options.to)
    if target not in (None, kind):
        raise InvalidRequest(f"{shortened(options.run)} becomes {what}: name a folder, or {kind.prefix}OWNER/NAME.")
    given = next((name for name in others if getattr(options, name) not in (None, False)), None)
    if given is not None:
        raise InvalidRequest(f"--{given.replace('_', '-')} says nothing of {what}: leave it out.")


def _say(options, progress: Progress, kind: str, place: str, written: Any, more: dict[str, Any]) -> int:
    if options.json:
        print_json({"kind": kind, "folder": place, "bytes": written.n_bytes, "holds": written.holds, **more})
        return 0
    progress.say(written.holds)
    print(place)
    return 0


def _quoted(text: str) -> str:
    """A text as YAML takes it in one line."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)
