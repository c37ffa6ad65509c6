"""Questions about drawn pictures, each with its one right answer and the objects it is about.

Owns when a question may be asked: only where nobody could answer it otherwise. Knows nothing about tokens or models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .scenes import Scene
from .windows import Window
from .words import (
    COLORS,
    GERMAN_REQUESTS,
    IMAGE_WORDS,
    ORDINALS,
    PLACES,
    POINT_WORDINGS,
    SHAPES,
    SIDE_WORDINGS,
    SIDES,
    WORDINGS,
    click_answer,
    in_german,
)

# All in shares of the picture's side, so that nothing asked is near the line between two answers.
PLACE_MARGIN = 0.035  # of a centre from the lines between the nine places
SIDE_GAP = 0.06  # between two centres of which one is left of the other
ORDER_GAP = 0.05  # between neighbours of a description, from left to right
LARGER = 1.35  # times the area of the second largest, by box and by paint
LOCATED = 0.6  # share of what is asked for by its place, where that is sure
POINTED_AT = 0.3  # share of the shapes that are asked to be clicked
CLICK_STEP = 10  # thousandths of a side: a control's middle is told in hundredths


@dataclass(frozen=True)
class Look:
    """An object that a word of the answer is about: where the word begins, and which object of which picture it is."""

    character: int
    picture: int
    thing: int


@dataclass(frozen=True)
class Question:
    """A question about one or two pictures. `looks` is empty where the answer is about no single object."""

    kind: str
    text: str
    answer: str
    looks: tuple[Look, ...]


def make_questions(
    pictures: tuple[Scene | Window, ...], rng: np.random.Generator, plain: bool = False, n_exists: int = 2
) -> list[Question]:
    """Return every question these pictures answer without doubt (`n_exists` about what is there), in random order.

    With two pictures a question says which it means, unless only one of them can be meant. "Is there" has as many yes
    as no over many scenes; a no mostly names a colour and a shape that are both in the picture, but not together. With
    `plain` only the first wording of each kind is used.
    """
    asker = _Asker(rng, plain)
    questions = []
    for index, picture in enumerate(pictures):
        if isinstance(picture, Window):
            found = list(_about_window(picture, asker))
        else:
            found = list(_about_scene(picture, asker, n_exists))
        if len(pictures) > 1:
            found = [asker.of_picture(question, index, pictures) for question in found]
        questions += found
    return [questions[i] for i in rng.permutation(len(questions))]


def translated(question: Question, rng: np.random.Generator) -> Question:
    """The same question with the request for a German answer."""
    answer = in_german(question.answer)
    looks = question.looks if len(question.looks) < 2 else ()
    request = GERMAN_REQUESTS[rng.integers(len(GERMAN_REQUESTS))]
    return replace(question, text=question.text + request, answer=answer, looks=looks)


@dataclass
class _Asker:
    """Puts questions into words, in the wordings of people."""

    rng: np.random.Generator
    plain: bool

    def word(self, kind: str, **words: str) -> str:
        text = self.choose(WORDINGS[kind]).format(**words)
        if self.plain:
            return text
        # People write a capital letter and forget the last sign.
        text = text[0].upper() + text[1:] if self.rng.random() < 0.2 else text
        return text.rstrip("?.") if self.rng.random() < 0.1 else text

    def choose(self, options):
        return options[0] if self.plain else options[int(self.rng.integers(len(options)))]

    def of_picture(self, question: Question, index: int, pictures) -> Question:
        looks = tuple(replace(look, picture=index) for look in question.looks)
        other = pictures[1 - index]
        if not self.plain and self.rng.random() < 0.3 and _means_one_picture(question, pictures[index], other):
            return replace(question, looks=looks)
        said = f"{ORDINALS[index]} {self.choose(IMAGE_WORDS)}"
        text, end = (question.text[:-1], question.text[-1]) if question.text[-1] in "?." else (question.text, "")
        if question.kind == "describe" and any(word in text for word in IMAGE_WORDS):
            for word in IMAGE_WORDS:
                text = text.replace(f"the {word}", f"the {said}")
        else:
            text = f"{text} in the {said}"
        return replace(question, text=text + end, looks=looks)


def _means_one_picture(question: Question, picture, other) -> bool:
    """True if a question about a colour, a shape or a control can only mean this one of two pictures."""
    if question.kind == "click" and isinstance(picture, Window):
        return isinstance(other, Scene) or picture.controls[question.looks[0].thing].label not in {
            control.label for control in other.controls
        }
    if question.kind not in ("colour", "shape"):
        return False
    thing = picture.things[question.looks[0].thing]
    if isinstance(other, Window):
        return True
    named = {getattr(one, "shape" if question.kind == "colour" else "color") for one in other.things}
    return (thing.shape if question.kind == "colour" else thing.color) not in named


def _about_window(window: Window, asker: _Asker):
    for index, control in enumerate(window.controls):
        x, y = _in_thousandths(window, control.center)
        kind = {"checkbox": "check box"}.get(control.kind, control.kind)
        label = control.label
        if not asker.plain and asker.rng.random() < 0.15:
            label = label.lower()
        answer = click_answer(x, y, control.label)
        text = asker.word("click", label=label, control=kind)
        yield Question("click", text, answer, (Look(answer.index("[") + 1, 0, index),))
        place = place_of(window, control)
        if place is not None and asker.rng.random() < LOCATED and not asker.plain:
            yield Question("where", asker.word("where", thing=f"{label} {kind}"), place, (Look(0, 0, index),))


def _in_thousandths(picture: Scene | Window, point: tuple[float, float]) -> tuple[int, int]:
    shares = point[0] / picture.width, point[1] / picture.height
    return tuple(CLICK_STEP * round(value * 1000 / CLICK_STEP) for value in shares)


def _about_scene(scene: Scene, asker: _Asker, n_exists: int):
    things = scene.things
    shapes, colors = [thing.shape for thing in things], [thing.color for thing in things]
    pairs = list(zip(colors, shapes, strict=True))
    for index, thing in enumerate(things):
        look = (Look(0, 0, index),)
        if shapes.count(thing.shape) == 1:
            yield Question("colour", asker.word("colour", thing=thing.shape), thing.color, look)
        if colors.count(thing.color) == 1:
            yield Question("shape", asker.word("shape", color=thing.color), thing.shape, look)
        name = _name(index, pairs, asker)
        if name is None:
            continue
        place = place_of(scene, thing)
        if place is not None and (asker.plain or asker.rng.random() < LOCATED):
            yield Question("where", asker.word("where", thing=name), place, look)
        if asker.rng.random() < POINTED_AT and not asker.plain:
            answer = click_answer(*_in_thousandths(scene, thing.center), name)
            text = asker.choose(POINT_WORDINGS).format(thing=name)
            yield Question("click", text, answer, (Look(answer.index("[") + 1, 0, index),))
        for side in SIDES:
            beside = _only_one_beside(scene, index, side)
            if beside is not None:
                text = asker.word("relation", thing=name, side=asker.choose(SIDE_WORDINGS.get(side, (side,))))
                answer = f"{colors[beside]} {shapes[beside]}"
                yield Question("relation", text, answer, (Look(0, 0, beside),))
    for _ in range(n_exists):
        yield _make_exists(asker, pairs)
    for _ in range(1 if asker.plain else 2):
        yield _make_count(asker, colors, shapes)
    largest = largest_of(scene)
    if largest is not None:
        answer = f"{colors[largest]} {shapes[largest]}"
        yield Question("largest", asker.word("largest"), answer, (Look(0, 0, largest),))
    order = _left_to_right(scene)
    if order is not None:
        yield _make_description(asker, [pairs[index] for index in order], order)


def _name(index: int, pairs, asker: _Asker) -> str | None:
    """A noun phrase that means this object alone, or None."""
    color, shape = pairs[index]
    if pairs.count(pairs[index]) > 1:
        return None
    alone = sum(other == shape for _, other in pairs) == 1
    return shape if alone and asker.rng.random() < 0.5 else f"{color} {shape}"


def place_of(picture: Scene | Window, thing) -> str | None:
    """The word for where an object is, of nine, or None where it is near the line between two."""
    across, down = thing.center[0] / picture.width, thing.center[1] / picture.height
    if any(abs(value - line) < PLACE_MARGIN for value in (across, down) for line in (1 / 3, 2 / 3)):
        return None
    return PLACES[int(down * 3)][int(across * 3)]


def _only_one_beside(scene: Scene, index: int, side: str) -> int | None:
    """The one object on this side of another, where exactly one is there and no third is near the line."""
    axis = 0 if side in ("left of", "right of") else 1
    sign = -1 if side in ("left of", "above") else 1
    size = (scene.width, scene.height)[axis]
    here = scene.things[index].center[axis]
    ahead = {
        other: sign * (thing.center[axis] - here) / size for other, thing in enumerate(scene.things) if other != index
    }
    if any(abs(distance) < SIDE_GAP for distance in ahead.values()):
        return None
    beyond = [other for other, distance in ahead.items() if distance > 0]
    return beyond[0] if len(beyond) == 1 else None


def largest_of(scene: Scene) -> int | None:
    """The largest object, or None where the second is not clearly smaller."""
    boxes = np.array([thing.box for thing in scene.things])
    by_box = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    by_paint = np.array([thing.area for thing in scene.things])
    largest = int(by_paint.argmax())
    for areas in (by_box, by_paint):
        if areas[largest] < LARGER * np.delete(areas, largest).max():
            return None
    return largest


def _left_to_right(scene: Scene) -> list[int] | None:
    centers = np.array([thing.center[0] for thing in scene.things])
    order = centers.argsort(kind="stable")
    return None if (np.diff(centers[order]) < ORDER_GAP * scene.width).any() else [int(index) for index in order]


def _make_description(asker: _Asker, pairs, order) -> Question:
    answer, looks = "", []
    for (color, shape), index in zip(pairs, order, strict=True):
        answer += ", " if answer else ""
        looks.append(Look(len(answer), 0, index))
        answer += f"{color} {shape}"
    return Question("describe", asker.word("describe"), answer, tuple(looks))


def _make_count(asker: _Asker, colors, shapes) -> Question:
    rng = asker.rng
    what = rng.random()
    if what < 0.5 or asker.plain:
        # Mostly a shape that is there; a shape that is not there is counted too.
        shape = shapes[rng.integers(len(shapes))] if rng.random() < 0.8 else SHAPES[rng.integers(len(SHAPES))]
        return Question("count", asker.word("count", things=f"{shape}s"), str(shapes.count(shape)), ())
    if what < 0.8:
        color = colors[rng.integers(len(colors))] if rng.random() < 0.8 else COLORS[rng.integers(len(COLORS))]
        return Question("count", asker.word("count", things=f"{color} objects"), str(colors.count(color)), ())
    return Question("count", asker.word("count", things="objects"), str(len(shapes)), ())


def _make_exists(asker: _Asker, pairs) -> Question:
    rng = asker.rng
    once = [index for index, pair in enumerate(pairs) if pairs.count(pair) == 1]

    def word(color, shape):
        return asker.word("exists", thing=f"{color} {shape}", article="an" if color == "orange" else "a")

    if once and rng.random() < 0.5:
        index = once[rng.integers(len(once))]
        return Question("exists", word(*pairs[index]), "yes", (Look(0, 0, index),))
    colors, shapes = sorted({color for color, _ in pairs}), sorted({shape for _, shape in pairs})
    near = [(color, shape) for color in colors for shape in shapes if (color, shape) not in pairs]
    far = [(color, shape) for color in COLORS for shape in SHAPES if (color, shape) not in pairs]
    pool = near if near and rng.random() < 0.8 else far
    return Question("exists", word(*pool[rng.integers(len(pool))]), "no", ())
