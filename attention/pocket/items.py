"""A set for `score`, of held-out pictures: `python -m attention.pocket.items --question colour --output DIR` writes it.

Owns which place each line names: the object that is asked about, or the largest of the picture. Seeded, with pictures
that training never saw: the same command writes the same set.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from .evaluate import HELD_OUT_SEED, LOOKING
from .held_out import Case, held_out
from .questions import largest_of

PLACES = ("asked", "largest")
NAME = "items.jsonl"


def lines(question: str, n: int, place: str = "asked", seed: int = HELD_OUT_SEED) -> Iterator[tuple[Case, dict]]:
    """Return n cases of one of the card's questions, each with its line: {image, prompt, box, right}.

    `asked` puts the box around the object that the answer is about; `largest` around the clearly largest one, on
    pictures that have one and where something else is asked for.
    """
    found = 0
    for number, case in enumerate(held_out(question, 20 * n + 20, seed)):
        if found == n:
            return
        made = case.pictures[0]
        if len(case.pictures) > 1 or not case.question.looks:
            continue
        asked = case.question.looks[0].thing
        if place == "largest" and (largest_of(made) is None or largest_of(made) == asked):
            continue
        things = getattr(made, "controls", None) or made.things
        box = things[asked if place == "asked" else largest_of(made)].box
        image = case.images[0]
        sides = (image.width / made.width, image.height / made.height)
        ends = (image.width, image.height)
        found += 1
        yield (
            case,
            {
                "image": f"{number:04}.png",
                "prompt": case.question.text,
                "box": [round(min(max(side * sides[i % 2], 0), ends[i % 2]), 2) for i, side in enumerate(box)],
                "right": case.question.answer,
            },
        )


def write_set(folder: Path, question: str, n: int, place: str = "asked", seed: int = HELD_OUT_SEED) -> Path:
    """Write the pictures and the set's file into a folder; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for case, line in lines(question, n, place, seed):
        case.images[0].save(folder / line["image"])
        written.append(json.dumps(line))
    (folder / NAME).write_text("\n".join(written) + "\n", encoding="utf-8")
    return folder / NAME


def main() -> None:
    """Read the command line, write the set."""
    parser = argparse.ArgumentParser(prog="python -m attention.pocket.items", description=__doc__.splitlines()[0])
    parser.add_argument("--question", choices=[name for name in LOOKING if "of two" not in name], default="colour")
    parser.add_argument("--place", choices=PLACES, default="asked", help="where the box lies (default: asked)")
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    options = parser.parse_args()
    print(write_set(options.output, options.question, options.items, options.place, options.seed))


if __name__ == "__main__":
    main()
