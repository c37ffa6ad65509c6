"""Measures of the bundled model: whether it answers right, where its heads look, and what it is without them.

Owns the measurements of one set of held-out prompts. Knows nothing about tables and files. The model is used as anyone
would (see `reading.py`), so that the figures depend on nothing else of this project.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from .held_out import Case
from .looks import ASKED, chance, judge, most_salient
from .reading import Pocket, Reading
from .words import COLORS, LABELS, SHAPES

POINT = re.compile(r'"point_2d": \[(\d+), (\d+)\]')
POINT_TOKENS = 18  # of an answer to "click ...": the point is among them
NAMES = {*COLORS, *SHAPES, *(f"{shape}s" for shape in SHAPES)}
NAMES |= {form for labels in LABELS.values() for label in labels for form in (label, label.lower())}
TEMPLATE = {"<|im_end|>": "`<|im_end|>`", "<|im_start|>": "`<|im_start|>`", "assistant": "`assistant`", "\n": "newline"}


@dataclass(frozen=True)
class Look:
    """Looks of all heads of one row. `on` int [layer, head] is ASKED, OTHER or NOTHING.

    `is_right` is of the answer; `chance` is what a uniform map's peak would hit; `is_salient` whether the most salient
    object is the asked one; `before` is what the rows before this one looked at, by what their token is: int
    [row, layer, head].
    """

    on: np.ndarray
    is_right: bool
    chance: float
    is_salient: bool
    before: dict[str, np.ndarray]


def is_clicked(answer: str, case: Case) -> bool:
    """True if an answer to "click ..." names a point inside the control's box."""
    match = POINT.search(answer)
    if match is None:
        return False
    look = case.question.looks[0]
    made = case.pictures[look.picture]
    x0, y0, x1, y1 = made.controls[look.thing].box
    x, y = int(match[1]) / 1000 * made.width, int(match[2]) / 1000 * made.height
    return x0 <= x <= x1 and y0 <= y <= y1


def answers_right(pocket: Pocket, case: Case, reading: Reading) -> bool:
    """True if the model's own answer is right: word for word, and for "click" a point inside the box."""
    if case.question.kind != "click" or reading.is_right:
        return reading.is_right
    return is_clicked(pocket.answer(case.images, case.question.text, longest=POINT_TOKENS), case)


def measure(pocket: Pocket, cases: Iterable[Case], looks_only: bool = False) -> tuple[list[bool], list[Look]]:
    """Return whether each answer is right, and every look of the questions that are about an object.

    With `looks_only` nothing is generated, and rows before the one that answers are not judged.
    """
    right, looks = [], []
    for case in cases:
        question = case.question
        reading = pocket.read(case.images, question.text, question.answer)
        is_right = reading.is_right if looks_only else answers_right(pocket, case, reading)
        right.append(is_right)
        for look in question.looks:
            rows, cols = reading.grids[look.picture]
            boxes = case.boxes(look.picture, rows, cols)
            row = pocket.row_of(reading, question.answer, look.character)
            before = {}
            if len(question.looks) == 1 and not looks_only:
                before = _rows_before(pocket, reading, row, look.picture, boxes, look.thing)
            looks.append(
                Look(
                    judge(reading.map(row, look.picture), boxes, look.thing),
                    is_right,
                    chance(boxes[look.thing], rows, cols),
                    most_salient(case.images[look.picture], boxes / [cols, rows, cols, rows]) == look.thing,
                    before,
                )
            )
    return right, looks


def right_without(pocket: Pocket, cases: list[Case], heads: list[tuple[int, int]]) -> float:
    """Return the rate of right answers while some heads, (layer, head), put out nothing."""
    with without_heads(pocket, heads):
        readings = (pocket.read(case.images, case.question.text, case.question.answer) for case in cases)
        return float(np.mean([answers_right(pocket, *pair) for pair in zip(cases, readings, strict=True)]))


@contextmanager
def without_heads(pocket: Pocket, heads: list[tuple[int, int]]) -> Iterator[None]:
    """Set the outputs of some heads, (layer, head), to zero before they are mixed, in every row."""
    text = pocket.model.config.text_config
    hooks = []
    for layer in {layer for layer, _ in heads}:
        gone = [head for at, head in heads if at == layer]

        def zero(module, args, gone=gone):
            parts = args[0].clone().unflatten(-1, (text.num_attention_heads, text.head_dim))
            parts[..., gone, :] = 0
            return (parts.flatten(-2),)

        attention = pocket.model.model.language_model.layers[layer].self_attn
        hooks.append(attention.o_proj.register_forward_pre_hook(zero))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def choose_head(looks: list[Look]) -> tuple[int, int]:
    """Return layer and head whose peak lies on the asked object most often."""
    rates = np.mean([look.on == ASKED for look in looks], axis=0)
    layer, head = np.unravel_index(rates.argmax(), rates.shape)
    return int(layer), int(head)


def who_looked(looks: list[Look]) -> tuple[str, float]:
    """Return which kind of earlier token had looked at the asked object most often, by one head, and how often."""
    best = ("", 0.0)
    for name in sorted({name for look in looks for name in look.before}):
        having = [(look.before[name] == ASKED).any(axis=0) for look in looks if name in look.before]
        rates = np.sum(having, axis=0) / len(looks)
        if rates.max() > best[1]:
            layer, head = np.unravel_index(rates.argmax(), rates.shape)
            best = (f"{name}, layer {layer}, head {head}", float(rates.max()))
    return best


def _rows_before(pocket, reading, row, picture, boxes, asked) -> dict[str, np.ndarray]:
    found = defaultdict(list)
    for index in range(reading.spans[-1].stop + 1, row):
        word = pocket.tokenizer.decode([reading.tokens[index]])
        found[_token_kind(word)].append(judge(reading.map(index, picture), boxes, asked))
    return {name: np.stack(rows) for name, rows in found.items()}


def _token_kind(word: str) -> str:
    """Kind of a token after the picture: the question's word for the thing, another word, or one of the template."""
    name = word.strip(" ")
    if name in NAMES or name.lower() in NAMES:
        return "the question's word for it"
    return TEMPLATE.get(name, "another word of the question")
