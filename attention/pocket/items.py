"""A set for `score`, of held-out pictures: `python -m attention.pocket.items --question colour --output DIR`.

Owns which place each line names: the object that is asked about; with `--other-largest` beside it, in a second file,
the largest object of the same pictures. Seeded: the same command writes the same set, which training never saw. How
far the adapter `largest` moves the eyes from the one to the other is said by

    python -m attention.pocket.items --other-largest --output set
    python -m attention score --jsonl set/items.jsonl --model pocket --adapter largest --output-dir asked
    python -m attention score --jsonl set/largest.jsonl --model pocket --adapter largest --output-dir largest
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from .evaluate import HELD_OUT_SEED, LOOKING
from .held_out import Case, held_out
from .questions import largest_of
from .scenes import Scene
from .windows import Window

ASKED, LARGEST = "items.jsonl", "largest.jsonl"
ENOUGH = 20  # cases that are made for one that is wanted


def cases(question: str, n: int, other_largest: bool = False, seed: int = HELD_OUT_SEED) -> Iterator[Case]:
    """Return n cases of one of the card's questions, each about one object of its one picture.

    With `other_largest` only those where another object than the asked one is clearly the largest.
    """
    found = 0
    for case in held_out(question, ENOUGH * (n + 1), seed):
        if found == n:
            return
        if len(case.pictures) > 1 or not case.question.looks:
            continue
        if other_largest and largest_of(case.pictures[0]) in (None, case.question.looks[0].thing):
            continue
        found += 1
        yield case


def box_of(made: Scene | Window, image: Image.Image, thing: int) -> list[float]:
    """The box of an object of a picture, in pixels of the picture as it was painted, where it lies on it."""
    things = made.controls if isinstance(made, Window) else made.things
    sides, ends = (image.width / made.width, image.height / made.height), (image.width, image.height)
    return [round(min(max(side * sides[i % 2], 0), ends[i % 2]), 2) for i, side in enumerate(things[thing].box)]


def write_set(
    folder: Path, question: str, n: int, other_largest: bool = False, seed: int = HELD_OUT_SEED
) -> list[Path]:
    """Write the pictures and the files of the set into a folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[str]] = {ASKED: []} | ({LARGEST: []} if other_largest else {})
    for number, case in enumerate(cases(question, n, other_largest, seed)):
        made, image = case.pictures[0], case.images[0]
        name = f"{number:04}.png"
        image.save(folder / name)
        places = {ASKED: case.question.looks[0].thing} | ({LARGEST: largest_of(made)} if other_largest else {})
        for file, thing in places.items():
            line = {"image": name, "prompt": case.question.text, "box": box_of(made, image, thing)}
            files[file].append(json.dumps(line | {"right": case.question.answer}))
    for file, lines in files.items():
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [folder / file for file in files]


def main() -> None:
    """Read the command line, write the set."""
    parser = argparse.ArgumentParser(prog="python -m attention.pocket.items", description=__doc__.splitlines()[0])
    parser.add_argument("--question", choices=[name for name in LOOKING if "of two" not in name], default="colour")
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument(
        "--other-largest", action="store_true",
        help=f"only pictures where another object is the largest, whose boxes are written to {LARGEST}",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    options = parser.parse_args()
    if options.other_largest and options.question == "click":
        parser.error("--other-largest is for questions about shapes")
    for file in write_set(options.output, options.question, options.items, options.other_largest, options.seed):
        print(file)


if __name__ == "__main__":
    main()
