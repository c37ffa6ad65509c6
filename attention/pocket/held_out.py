"""Pictures and questions that training never saw, of mixed sizes, one question of a kind each.

Owns which pictures the card's figures are measured on. A seed and a kind are the same pictures for ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from .questions import Question, make_questions, translated
from .scenes import Scene, draw, make_scene
from .windows import Window, draw_window, make_window
from .words import KINDS

SHAPES_PX = (128, 512)  # a side of a picture of shapes
WINDOWS_PX = (256, 512)  # a side of a picture of a window: a label must stay legible
FEWEST_THINGS = 3  # besides the asked object, always two or more to mistake it for
SETS = (*KINDS, "colour of two", "shape of two", "click of two", "German")  # "of two": two pictures in the prompt


@dataclass(frozen=True)
class Case:
    """One prompt: the pictures as made and as painted, and the question."""

    pictures: tuple[Scene | Window, ...]
    images: tuple[Image.Image, ...]
    question: Question

    def boxes(self, picture: int, rows: int, cols: int) -> np.ndarray:
        """The boxes of all objects of a picture in cells of a grid, float64 [object, x0 y0 x1 y1]."""
        made = self.pictures[picture]
        things = made.controls if isinstance(made, Window) else made.things
        scale = np.array([cols / made.width, rows / made.height] * 2)
        return np.array([thing.box for thing in things]) * scale


def held_out(name: str, n: int, seed: int) -> Iterator[Case]:
    """Make `n` prompts of one of SETS, every one with pictures of its own.

    The largest is asked for only where the picture has one, and so on: pictures without a question of the kind are
    passed over.
    """
    rng = np.random.default_rng([seed, SETS.index(name)])
    kind = {"German": "colour"}.get(name, name.split(" ", maxsplit=1)[0])
    while n:
        pictures, images = zip(*(_make(rng, kind == "click") for _ in range(2 if "of two" in name else 1)), strict=True)
        questions = [question for question in make_questions(pictures, rng) if question.kind == kind]
        if kind == "exists":
            questions = questions[:1]  # as many yes as no
        if questions:
            question = questions[rng.integers(len(questions))]
            yield Case(pictures, images, translated(question, rng) if name == "German" else question)
            n -= 1


def _make(rng: np.random.Generator, is_window: bool) -> tuple[Scene | Window, Image.Image]:
    low, high = np.log(WINDOWS_PX if is_window else SHAPES_PX)
    width, height = (round(math.exp(rng.uniform(low, high))) for _ in range(2))
    if rng.random() < 0.3:
        height = width
    if is_window:
        window = make_window(rng, width / height)
        return window, draw_window(window, width, height)
    scene = make_scene(rng, width / height, int(rng.integers(FEWEST_THINGS, 6)))
    return scene, draw(scene, width, height)


def plainly(case: Case, text: str) -> Case:
    """The same case with another wording."""
    return replace(case, question=replace(case.question, text=text))
