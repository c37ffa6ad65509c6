"""The app's examples: `python -m attention.pocket.examples` paints the pictures and makes the finished runs.

Owns which pictures and questions are shown first. Seeded: the same command paints the same pictures.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from attention import Request, extract
from attention.environment import EXAMPLES

from .items import box_of
from .landscape import paint_landscape
from .questions import Question, make_questions
from .scenes import Ground, Scene, draw, make_scene
from .windows import Window, draw_window, make_window

FOLDER = EXAMPLES
SET = "set.jsonl"  # questions about colours and shapes, with the box of what is asked about, for `score`


@dataclass(frozen=True)
class Example:
    """A finished run: its name, what the page calls it, its pictures and what is asked of them.

    `asks` is the kind of the question and what its text must contain. `vision` keeps the vision tower too, which is
    most of a small run's bytes.
    """

    name: str
    label: str
    sizes: tuple[tuple[int, int], ...]
    seed: int
    asks: tuple[str, str]
    window: bool = False
    plain: bool = True
    vision: bool = False


EXAMPLES = (
    Example("shapes", "shapes", ((960, 640),), 1, ("colour", "star"), vision=True),
    Example("window", "a window", ((512, 384),), 3, ("click", "Save"), window=True),
    Example("tall", "a tall picture", ((420, 900),), 4, ("shape", "red")),
    Example("wide", "a wide picture", ((1000, 400),), 5, ("relation", "left of")),
    Example("describe", "a patterned ground", ((640, 480),), 13, ("describe", ""), plain=False),
    Example("form", "a dark window", ((400, 500),), 7, ("click", "Email"), window=True),
    Example("two", "two pictures", ((480, 480), (480, 360)), 8, ("colour", "second")),
    Example("square", "a square picture", ((512, 512),), 9, ("exists", "red"), plain=False),
    Example("largest", "sizes", ((640, 480),), 10, ("largest", "")),
)
PHOTOGRAPH = ("photograph", "a photograph", (640, 427), "describe the image.")


def make_example(example: Example) -> tuple[list[Image.Image], list[Scene | Window], Question]:
    """Paint an example's pictures and find its question: of the seeds from its own on, the first that fits.

    Returns the pictures as painted and as made, and the question.
    """
    seed = example.seed * 1000
    while True:
        rng = np.random.default_rng(seed)
        made = [
            make_window(rng, width / height) if example.window else make_scene(rng, width / height, 4)
            for width, height in example.sizes
        ]
        if example.plain and not example.window:
            made = [_on_plain(scene) for scene in made]
        kind, words = example.asks
        fitting = [
            question
            for question in make_questions(tuple(made), rng, plain=True, n_exists=4)
            if question.kind == kind and words in question.text
        ]
        if fitting:
            paint = draw_window if example.window else draw
            return [paint(one, *size) for one, size in zip(made, example.sizes, strict=True)], made, fitting[0]
        seed += 1


def _on_plain(scene: Scene) -> Scene:
    light = tuple(232 + value % 20 for value in scene.ground.low)
    return Scene(scene.width, scene.height, Ground("plain", light, light, 0), scene.things)


def write_pictures(folder: Path) -> list[dict]:
    """Paint the pictures into the folder with `examples.json` and the set; return the entries with right answers."""
    folder.mkdir(parents=True, exist_ok=True)
    entries, lines = [], []
    for example in EXAMPLES:
        images, made, question = make_example(example)
        names = [f"{example.name}{f'_{index}' if index else ''}.png" for index in range(len(images))]
        for image, name in zip(images, names, strict=True):
            image.save(folder / name, optimize=True)
        if len(images) == 1 and not example.window:
            lines += _asked(names[0], images[0], made[0])
        entries.append(
            {
                "name": example.name,
                "label": example.label,
                "images": names,
                "kind": question.kind,
                "prompt": question.text,
                "answer": question.answer,
                "vision": example.vision,
            }
        )
    name, label, size, prompt = PHOTOGRAPH
    paint_landscape(*size, seed=3).save(folder / f"{name}.jpg", quality=85)
    # No answer is right: the model has no words for what is here.
    entries.append(
        {
            "name": name,
            "label": label,
            "images": [f"{name}.jpg"],
            "kind": "describe",
            "prompt": prompt,
            "answer": None,
            "vision": False,
        }
    )
    (folder / "examples.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    (folder / SET).write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return entries


def _asked(name: str, image: Image.Image, scene: Scene) -> list[dict]:
    """Return two lines of the set: colours of shapes, or shapes of colours, that occur once, with their boxes."""
    questions = make_questions((scene,), np.random.default_rng(0), plain=True)
    asked = sorted((each.kind, each.text, each.looks) for each in questions if each.kind in ("colour", "shape"))
    return [
        {"image": name, "prompt": text, "box": box_of(scene, image, looks[0].thing)} for _, text, looks in asked[:2]
    ]


def make_run(entry: dict, folder: Path) -> str:
    """Make an entry's finished run in place of the one that is there; return its answer."""
    shutil.rmtree(folder / entry["name"], ignore_errors=True)
    request = Request(
        tuple(folder / name for name in entry["images"]),
        entry["prompt"],
        model="pocket",
        mode="generate",
        max_new_tokens=64,
        device="cpu",
        dtype="float32",
        vision=entry["vision"],
    )
    run = extract(request, folder / entry["name"])
    answer = run.info["answer"]
    run.close()
    return answer


def main() -> None:
    """Read the command line, paint, and let the model read."""
    parser = argparse.ArgumentParser(prog="python -m attention.pocket.examples", description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=FOLDER)
    folder = parser.parse_args().output_dir
    for entry in write_pictures(folder):
        answer = make_run(entry, folder)
        remark = "" if answer == entry["answer"] or entry["answer"] is None else f"  WRONG, right is {entry['answer']}"
        print(f"{entry['name']}: {entry['prompt']} {answer}{remark}")


if __name__ == "__main__":
    main()
