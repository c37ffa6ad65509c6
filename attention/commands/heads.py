"""`heads`: the heads that were found to look at the right place, of finished scores, as a file that the page loads."""

from __future__ import annotations

import json
from pathlib import Path

from attention.errors import InvalidRequest

from .help import add_command
from .output import add_output, print_json
from .score_table import percent

EXAMPLES = (
    "python -m attention score --jsonl assets/examples/set.jsonl --model pocket --output-dir scores",
    "python -m attention heads scores --top 3 --output heads.json",
)
ABOUT = (
    "Heads are ranked on one half of the pictures, and what is said of each is measured on the other. The page marks "
    "them among the small maps, and puts them first."
)


def add_heads(commands) -> None:
    parser = add_command(
        commands, "heads", "list the heads that look at the right place, of finished scores", EXAMPLES, "FOLDER", ABOUT
    )
    parser.set_defaults(command=_heads)
    group = parser.add_argument_group("heads", "Which of them.")
    group.add_argument("folder", metavar="FOLDER", help="folder that `score` or `batch` has written")
    group.add_argument("--of", default="base", metavar="MODEL", help="model of the scores, by its name (default: base)")
    group.add_argument("--by", metavar="MEASURE", help="measure that finds them (default: that of the scores)")
    group.add_argument("--top", type=int, default=10, help="heads that are listed (default: 10)")
    group.add_argument("--output", metavar="FILE", help="write them as JSON")
    add_output(parser)


def _heads(options) -> int:
    from attention.batches.as_scores import scores_of
    from attention.batches.folder import is_batch
    from attention.scoring.found_heads import found_heads
    from attention.scoring.scores import open_scores

    if options.top < 1:
        raise InvalidRequest(f"--top is {options.top}; it must be at least 1.")
    scores = scores_of(options.folder) if is_batch(Path(options.folder)) else open_scores(options.folder)
    found = found_heads(scores, options.of, options.by, options.top)
    if options.output:
        Path(options.output).write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if options.json:
        print_json(found)
        return 0
    for head in found["heads"]:
        verdict = {True: "above chance", False: "not above chance", None: "too few pictures to tell"}
        print(
            f"layer {head['layer']} head {head['head']}: {percent(head['score'])}, at another item's place "
            f"{percent(head['elsewhere'], bounds=False)}: {verdict[head['above_chance']]}"
        )
    if not found["heads"]:
        print("No head was found.")
    if options.output:
        print(options.output)
    return 0
