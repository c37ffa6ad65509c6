"""A question has one right answer, and says which objects it is about."""

import re

import numpy as np
import pytest

from attention.pocket.questions import make_questions, translated
from attention.pocket.scenes import make_scene
from attention.pocket.windows import Window, make_window
from attention.pocket.words import COLORS, GERMAN, KINDS, PLACES, SHAPES

CENTER = {name: (col, row) for row, names in enumerate(PLACES) for col, name in enumerate(names)}


def asked(n, seed=3, two=False):
    rng = np.random.default_rng(seed)
    for number in range(n):
        aspect = float(np.exp(rng.uniform(-0.9, 0.9)))
        pictures = [make_window(rng, aspect) if number % 4 == 0 else make_scene(rng, aspect)]
        if two:
            pictures.append(make_window(rng) if number % 3 == 0 else make_scene(rng))
        for question in make_questions(tuple(pictures), rng):
            yield pictures, question


def named(text):
    """The colour and the shape that a text names."""
    words = re.findall(r"[a-z]+", text.lower())
    color = next((word for word in words if word in COLORS), None)
    shape = next((word.removesuffix("s") for word in words if word.removesuffix("s") in SHAPES), None)
    return color, shape


def fitting(scene, text):
    color, shape = named(text)
    return [
        index
        for index, thing in enumerate(scene.things)
        if color in (None, thing.color) and shape in (None, thing.shape)
    ]


def test_every_kind_is_asked_and_is_answered_from_the_picture_alone():
    seen = dict.fromkeys(KINDS, 0)
    for (picture,), question in asked(400):
        seen[question.kind] += 1
        if isinstance(picture, Window):
            assert question.kind in ("click", "where")
            (look,) = question.looks
            control = picture.controls[look.thing]
            assert control.label.lower() in question.text.lower()
            if question.kind == "where":
                x, y = control.center[0] / picture.width, control.center[1] / picture.height
                assert CENTER[question.answer] == (int(x * 3), int(y * 3))
            continue
        things, text = picture.things, question.text
        if question.kind == "click":
            (index,) = fitting(picture, text)
            x, y = (int(part) / 1000 for part in re.search(r"\[(\d+), (\d+)\]", question.answer).groups())
            x0, y0, x1, y1 = things[index].box
            assert x0 < x * picture.width < x1 and y0 < y * picture.height < y1
            continue
        if question.kind in ("colour", "shape", "where"):
            (index,) = fitting(picture, text)
            assert [look.thing for look in question.looks] == [index]
            thing = things[index]
            if question.kind == "where":
                x, y = thing.center[0] / picture.width, thing.center[1] / picture.height
                assert CENTER[question.answer] == (int(x * 3), int(y * 3))
            else:
                assert question.answer == (thing.color if question.kind == "colour" else thing.shape)
        elif question.kind == "exists":
            found = fitting(picture, text)
            assert question.answer == ("yes" if found else "no")
            assert [look.thing for look in question.looks] == found
        elif question.kind == "count":
            assert question.answer == str(len(fitting(picture, text))) and not question.looks
        elif question.kind == "largest":
            (look,) = question.looks
            areas = [thing.area for thing in things]
            assert look.thing == int(np.argmax(areas))
            assert question.answer == f"{things[look.thing].color} {things[look.thing].shape}"
        elif question.kind == "relation":
            (here,) = fitting(picture, text)
            axis, sign = {"left": (0, -1), "right": (0, 1), "above": (1, -1), "below": (1, 1)}[
                next(side for side in ("left", "right", "above", "below") if side in text)
            ]
            beyond = [i for i, t in enumerate(things) if sign * (t.center[axis] - things[here].center[axis]) > 0]
            assert [look.thing for look in question.looks] == beyond
            assert question.answer == f"{things[beyond[0]].color} {things[beyond[0]].shape}"
        else:
            assert question.kind == "describe"
            order = sorted(range(len(things)), key=lambda index: things[index].center[0])
            assert question.answer == ", ".join(f"{things[i].color} {things[i].shape}" for i in order)
            for look, index in zip(question.looks, order, strict=True):
                assert look.thing == index
                assert question.answer[look.character :].startswith(things[index].color)
    assert all(n >= 50 for n in seen.values()), seen


def test_a_click_is_answered_as_the_qwen_family_does_with_a_point_in_the_box():
    from attention.families.qwen3_vl import FAMILY
    from attention.places.answer_places import Picture, answer_places
    from attention.places.spaces import Habit

    asked_once = [{"role": "user", "content": [{"type": "image"}]}]
    for (window,), question in asked(40):
        if question.kind != "click" or not isinstance(window, Window):
            continue
        (look,) = question.looks
        control = window.controls[look.thing]
        assert control.label.lower() in question.text.lower()
        assert question.answer[look.character].isdigit()
        size = (window.width, window.height)
        habit = Habit(FAMILY.coordinates, FAMILY.y_first_keys)
        found = answer_places(question.answer, [Picture(size, (288, 288))], asked_once, habit)
        (point,) = found.points
        assert not found.boxes and not found.notes and point["label"] == control.label
        x0, y0, x1, y1 = control.box
        assert x0 < point["x"] < x1 and y0 < point["y"] < y1


def test_yes_and_no_are_even_and_no_mostly_names_what_is_there_apart():
    answers, near = [], []
    for (picture,), question in asked(300):
        if question.kind == "exists":
            answers.append(question.answer == "yes")
            if question.answer == "no":
                color, shape = named(question.text)
                near.append(color in {t.color for t in picture.things} and shape in {t.shape for t in picture.things})
    assert 0.45 < np.mean(answers) < 0.55
    assert np.mean(near) > 0.6


def test_of_two_pictures_a_question_means_one():
    ordinals = {"first": 0, "second": 1}
    untold = 0
    for pictures, question in asked(200, two=True):
        said = [index for word, index in ordinals.items() if f"the {word} " in question.text.lower()]
        meant = {look.picture for look in question.looks}
        if said:
            assert meant <= set(said)
            continue
        untold += 1
        if question.kind == "click":
            labels = [c.label for p in pictures if isinstance(p, Window) for c in p.controls]
            assert sum(label.lower() in question.text.lower().split() for label in labels) == 1
        else:
            assert question.kind in ("colour", "shape")
            assert sum(len(fitting(p, question.text)) for p in pictures if not isinstance(p, Window)) == 1
    assert untold > 20


def test_plain_questions_are_the_wordings_that_the_card_promises():
    rng = np.random.default_rng(0)
    texts = set()
    for seed in range(300):
        rng = np.random.default_rng(seed)
        texts |= {q.text for q in make_questions((make_scene(rng),), rng, plain=True)}
        texts |= {q.text for q in make_questions((make_window(rng),), rng, plain=True)}
    assert {
        "what color is the star?",
        "what shape is red?",
        "where is the red star?",
        "is there a red star?",
        "how many stars are there?",
        "which object is the largest?",
        "what is left of the star?",
        "describe the image.",
        "click Save",
    } <= texts


@pytest.mark.parametrize("kind", ["colour", "where", "exists", "relation"])
def test_a_german_answer_is_the_same_in_german(kind):
    rng = np.random.default_rng(1)
    question = next(question for _, question in asked(40) if question.kind == kind)
    german = translated(question, rng)
    assert german.text.startswith(question.text) and ("German" in german.text or "Deutsch" in german.text)
    assert german.answer.split() == [GERMAN[word] for word in question.answer.split()]
    assert german.looks == question.looks
