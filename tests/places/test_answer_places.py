"""Places that answers name: every way of writing them, the picture that each means, and what is not drawn."""

import pytest

from attention import families
from attention.places.answer_places import (
    MAX_PLACES,
    SWAPPED,
    UNKNOWN_UNIT,
    Picture,
    answer_places,
    without_thoughts,
)
from attention.places.place_formats import A_PLACE, Y_FIRST
from attention.places.spaces import AS_SHARES, Habit

IMAGE, READ = (2000, 500), (1000, 250)  # as given, and as read
OTHER, OTHER_READ = (400, 800), (200, 400)
AS_READ, AS_GIVEN = "pixels of the 1000x250 that the model saw", "pixels of the picture as given, 2000x500"
REF = "<|object_ref_start|>the star<|object_ref_end|>"


def turn(pictures, text="where?", role="user"):
    return {"role": role, "content": [{"type": "image"}] * pictures + [{"type": "text", "text": text}]}


ONE, TWO_TOGETHER, TWO_TURNS = [turn(1)], [turn(2)], [turn(1), turn(0, "click(1, 1)", "assistant"), turn(1)]


def places(answer, model_type="qwen3_vl", messages=ONE, before="", coordinates="auto"):
    family = families.find(model_type)
    sizes = [(IMAGE, READ), (OTHER, OTHER_READ)] * 5
    n = sum(entry["type"] == "image" for message in messages for entry in message["content"])
    habit = Habit(family.coordinates, family.y_first_keys)
    return answer_places(answer, [Picture(*size) for size in sizes[:n]], messages, habit, before, coordinates)


def drawn(answer, model_type="qwen3_vl"):
    """The shares of the picture's sides that each place has, rounded, and its label; nothing may be a guess."""
    found = places(answer, model_type)
    assert not found.unplaced and not found.notes, found
    assert all(place["image"] == 0 for place in [*found.points, *found.boxes])
    boxes = [([b["x0"] / 2000, b["y0"] / 500, b["x1"] / 2000, b["y1"] / 500], b["label"]) for b in found.boxes]
    points = [([p["x"] / 2000, p["y"] / 500], p["label"]) for p in found.points]
    return [([round(share, 4) for share in shares], label) for shares, label in [*boxes, *points]]


BOX, POINT = [0.1, 0.05, 0.3, 0.2], [0.5, 0.3]
DIALECTS = {
    '[{"bbox_2d": [100, 50, 300, 200], "label": "a \\"red\\" star"}]': [(BOX, 'a "red" star')],
    '{"label": "star", "bbox_2d": [100, 50, 300, 200]}': [(BOX, "star")],
    "{'bbox_2d': [100, 50, 300, 200], 'label': 'it\\'s'}": [(BOX, "it\\'s")],
    '{"bbox_2d": [[100, 50, 300, 200], [0, 0, 500, 300]], "label": "two"}': [(BOX, "two"), ([0, 0, 0.5, 0.3], "two")],
    '{"bbox_2d": [[100, 50], [300, 200]]}': [(BOX, "")],
    '{"bbox": [100, 50, 300, 200]} {"box": [100, 50, 300, 200]}': [(BOX, ""), (BOX, "")],
    'bbox_2d: [100, 50, 300, 200]': [(BOX, "")],
    '{"x1": 100, "y1": 50, "x2": 300, "y2": 200, "label": "s"}': [(BOX, "s")],
    '{"x_min": 100, "y_min": 50, "x_max": 300, "y_max": 200}': [(BOX, "")],
    '```json\n[{"point_2d": [500, 300], "label": "s"}]\n```': [(POINT, "s")],
    '{"points": [[500, 300], [100, 50]]}': [(POINT, ""), (BOX[:2], "")],
    '{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [500, 300]}}': [(POINT, "")],
    '{"action": "swipe", "coordinate": [500, 300], "coordinate2": [100, 50]}': [(POINT, ""), (BOX[:2], "")],
    '{"action": "drag", "start_coordinate": [500, 300], "end_coordinate": [100, 50]}': [(POINT, ""), (BOX[:2], "")],
    '{"action": "CLICK", "value": "x", "position": [500, 300]}': [(POINT, "")],
    '{"click_point": [500, 300]}': [(POINT, "")],
    '<tool_call><function=computer_use><parameter=coordinate>\n[500, 300]\n</parameter>': [(POINT, "")],
    '{"x": 500, "y": 300}': [(POINT, "")],
    '```json\n{"x": 500, "y": 300}\n```<|im_end|>': [(POINT, "")],
    '{"action": "click", "x": 500, "y": 300}': [(POINT, "")],
    '{"name": "click", "arguments": {"x": 500, "y": 300}}': [(POINT, "")],
    "click(500, 300)": [(POINT, "")],
    "Click (500, 300)": [(POINT, "")],
    "agent.click([500, 300])": [(POINT, "")],
    "click(x=500, y=300)": [(POINT, "")],
    "pyautogui.doubleClick(500, 300, duration=0.5)": [(POINT, "")],
    "pyautogui.moveTo(x=500, y=300)\npyautogui.dragTo(100, 50)": [(POINT, ""), (BOX[:2], "")],
    "click(start_box='(500,300)')": [(POINT, "")],
    "left_double(start_box='(500,300)')": [(POINT, "")],
    "click(start_box='<|box_start|>(500,300)<|box_end|>')": [(POINT, "")],
    "click(start_box='[100, 50, 300, 200]')": [(BOX, "")],
    "click(point='<point>500 300</point>')": [(POINT, "")],
    "drag(start_box='(500,300)', end_box='(100,50)')": [(POINT, ""), (BOX[:2], "")],
    "drag(start_point='<point>500 300</point>', end_point='<point>100 50</point>')": [(POINT, ""), (BOX[:2], "")],
    "drag(500, 300, 100, 50)": [(POINT, ""), (BOX[:2], "")],
    "scroll(start_box='(500,300)', direction='down')": [(POINT, "")],
    "CLICK(box=[[100,050,300,200]], element_info='[button] OK')": [(BOX, "")],
    "CLICK <point>[[500, 300]]</point>": [(POINT, "")],
    "<point>500 300</point>": [(POINT, "")],
    "<point>500, 300</point>": [(POINT, "")],
    '<point x="500" y="300" alt="s">s</point>': [(POINT, "s")],
    '<points x1="500" y1="300" x2="100.0" y2="50" alt="stars">stars</points>': [(POINT, "stars"), (BOX[:2], "stars")],
    "<bbox>100 50 300 200</bbox>": [(BOX, "")],
    f"{REF}<|box_start|>(100,50),(300,200)<|box_end|>": [(BOX, "the star")],
    f"{REF}<|box_start|>(500, 300)<|box_end|>": [(POINT, "the star")],
    "<ref>dog</ref><box>(100,50),(300,200)</box>": [(BOX, "dog")],
    "<ref>dog</ref><box>[[100, 50, 300, 200]]</box>": [(BOX, "dog")],
    "<ref>dog</ref><box>[[100, 50, 300, 200], [0, 0, 500, 300]]</box>": [(BOX, "dog"), ([0, 0, 0.5, 0.3], "dog")],
    "The star is at <|begin_of_box|>[[100,50,300,200]]<|end_of_box|>.": [(BOX, "")],
    "<|begin_of_box|>[100, 50, 300, 200]<|end_of_box|>": [(BOX, "")],
    '<|begin_of_box|>{"bbox_2d": [100, 50, 300, 200], "label": "s"}<|end_of_box|>': [(BOX, "s")],
    "left_click(start_box='[500,300]', element_info='')": [(POINT, "")],
    "<|ref|>dog<|/ref|><|det|>[[99.9, 49.95, 299.7, 199.8]]<|/det|>": [(BOX, "dog")],
    "<loc0512><loc0256><loc1024><loc0768> cat ; <loc0000><loc0256><loc0512><loc0768> dog": [
        ([0.25, 0.5, 0.75, 1], "cat"), ([0.25, 0, 0.75, 0.5], "dog"),
    ],
    "car<loc_100><loc_50><loc_300><loc_200>": [(BOX, "car")],
    "car<loc_100><loc_50><loc_300><loc_200><loc_0><loc_0><loc_500><loc_300>": [(BOX, "car"), ([0, 0, 0.5, 0.3], "car")],
    "A dog [[100,050,300,200]] runs.": [(BOX, "")],
}  # fmt: skip


@pytest.mark.parametrize("answer", DIALECTS)
def test_every_way_to_write_a_place_is_read(answer):
    assert drawn(answer) == DIALECTS[answer]


@pytest.mark.parametrize(
    ("model_type", "answer", "expected"),
    [
        ("qwen2_vl", '{"bbox_2d": [100, 50, 300, 200]}', BOX),
        ("qwen3_vl_moe", "click(500, 300)", POINT),
        ("qwen3_5", '{"bbox_2d": [100, 50, 300, 200]}', BOX),
        ("qwen3_5_moe", "click(500, 300)", POINT),
        ("qwen2_5_vl", '{"bbox_2d": [100, 50, 300, 200]}', [0.1, 0.2, 0.3, 0.8]),  # pixels as read
        ("qwen2_5_vl", "click(500, 125)", [0.5, 0.5]),
        ("qwen2_5_vl", "car<loc_100><loc_50><loc_300><loc_200>", BOX),  # these tokens count by themselves
        ("internvl", "<ref>dog</ref><box>[[100, 50, 300, 200]]</box>", BOX),
        ("gemma3", '[{"box_2d": [50, 100, 200, 300], "label": "dog"}]', BOX),
        ("gemma3", '[{"point": [300, 500], "label": "dog"}]', POINT),
        ("gemma3", '{"bbox_2d": [100, 50, 300, 200]}', BOX),
        ("llava", '<point x="50.0" y="30.0" alt="s">s</point>', POINT),  # per cent, as no habit says otherwise
        ("idefics3", "<box>[[100, 50, 300, 200]]</box>", BOX),
        ("smolvlm", "<loc0256><loc0512>", [0.5, 0.25]),
    ],
)
def test_families_count_in_their_own_unit(model_type, answer, expected):
    assert [shares for shares, _ in drawn(answer, model_type)] == [expected]


def test_a_label_that_is_no_json_is_kept_as_written():
    answer = r'{"bbox_2d": [100, 50, 300, 200], "label": "\frac \q"}'
    assert drawn(answer) == [(BOX, r"\frac \q")]


def test_half_a_character_of_a_label_is_shown_as_such():
    cat = r"\ud83d\ude3a"
    answer = rf'{{"bbox_2d": [100, 50, 300, 200], "label": "cat {cat} \ud83d"}}'
    assert drawn(answer) == [(BOX, "cat 😺 ␚")]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "it is red",
        "(1,2),(3,4)",
        '"bbox_2d": [1, 2, 3]',
        "<points>none</points>",
        "from (3, 4) to 7, and at 10:30",
        "[0, 1]",
        "x lies in [0.25, 0.75], y in (0, 1)",
        "[1, 2, 3, 4]",
        "[[1, 2], [3, 4]]",
        "The matrix [[1, 2, 3, 4]] has one row.",
        "f(10, 20) = 30",
        "the points are 12, 15 and 20",
        '{"points": [12, 15], "score": [3, 4]}',
        '{"type": "Point", "coordinates": [2.35, 48.85]}',
        '{"piece": "rook", "position": [3, 4]}',
        'so {"x": 3, "y": 4} solves both equations',
        "scroll(0, -300)",
        "range(10, 20)",
        "click(button)",
        '{"bbox": [[1, 2], [3, 2], [3, 4], [1, 4]]}',
        "<think>click(500, 300)</think>none",
    ],
)
def test_numbers_that_name_no_place_are_none(answer):
    found = places(answer)
    assert (found.points, found.boxes, found.unplaced, found.notes) == ([], [], [], [])


# Guesses


@pytest.mark.parametrize(
    ("answer", "expected", "guess"),
    [
        ("click(1, 1)", (2000, 500), AS_SHARES),
        ("[0.5, 0.3]<|im_end|>", (1000, 150), A_PLACE),
        ("[[100, 50, 300, 200]]", (200, 25, 600, 100), A_PLACE),
        ('{"box_2d": [50, 100, 200, 300]}', (200, 25, 600, 100), Y_FIRST),
        ('{"bbox": [300, 200, 100, 50]}', (200, 25, 600, 100), SWAPPED),
    ],
)
def test_what_is_drawn_by_a_guess_says_so(answer, expected, guess):
    found = places(answer)
    (place,) = [*found.points, *found.boxes]
    assert tuple(place[side] for side in ("x", "y", "x0", "y0", "x1", "y1") if side in place) == pytest.approx(expected)
    assert place["ambiguous"] == guess
    assert found.notes == [f"The place that the answer names is drawn by a guess: {guess}."]


def test_the_first_corner_is_the_same_in_every_unit():
    assert drawn("click(0, 0)") == [([0, 0], "")]


@pytest.mark.parametrize("model_type", ["llava", "llava_next", "llava_onevision", "idefics3", "smolvlm", "mllama"])
def test_where_no_unit_is_known_nothing_is_drawn(model_type):
    found = places('{"bbox_2d": [100, 50, 300, 200], "label": "dog"}', model_type)
    assert not found.points and not found.boxes
    box = {"x0": 100, "y0": 50, "x1": 300, "y1": 200}
    assert found.unplaced == [box | {"label": "dog", "why": UNKNOWN_UNIT, "on": []}]
    assert drawn("click(0.5, 0.3)", model_type) == [(POINT, "")]


# What is left out


@pytest.mark.parametrize(
    "number", ["1200", "5000", "-300", "1" + "0" * 40, "9" * 900, "1e400", "inf", "-Infinity", "nan", "1e12"]
)
@pytest.mark.parametrize("model_type", ["qwen3_vl", "qwen2_5_vl", "llava"])
def test_a_place_far_outside_its_picture_is_left_out_with_a_note(number, model_type):
    if model_type == "llava" and abs(float(number)) < 1e6:
        return  # in a unit that is not known it may be anywhere
    found = places(f'{{"bbox_2d": [{number}, 50, 300, 200], "label": "dog"}}', model_type)
    assert not (found.points or found.boxes or found.unplaced) and found.named == 1
    as_what = {"qwen3_vl": " as thousandths of the sides", "llava": ""}.get(model_type, f" as {AS_READ}")
    named = f"({float(number):g}, 50, 300, 200)"
    (note,) = found.notes
    assert note.startswith(
        f"The place that the answer names lies outside the picture{as_what}, and is left out: {named}."
    )
    assert note.endswith(f" It would lie on it as {AS_GIVEN} (original): choose that with coordinates.") == (
        number == "1200"
    )


def test_a_place_that_oversteps_an_edge_a_little_is_kept():
    assert drawn("click(1050, -20)") == [([1.05, -0.02], "")]
    assert drawn("click(1000, 0)") == [([1, 0], "")]


def test_the_other_places_of_an_answer_stay():
    found = places('[{"point_2d": [500, 300]}, {"point_2d": [5000, 300]}, {"point_2d": [100, 50]}]')
    assert len(found.points) == 2
    assert found.notes == [
        "1 of the 3 places that the answer names lies outside the picture as thousandths of the sides, and is left "
        "out: (5000, 300)."
    ]


def test_an_answer_that_repeats_itself_is_cut():
    found = places('{"point_2d": [500, 300]},' * (MAX_PLACES + 5))
    assert len(found.points) == MAX_PLACES
    assert found.notes == ["The answer names 1,005 places; the first 1,000 are kept."]


@pytest.mark.parametrize(
    "part",
    ['"bbox_2d": [1,', "click((", "<point>1 ", '<points x1="1" ', "[[1", " ", "<think>", '{"x": 1, ', "image 1 "],
)
def test_an_answer_of_unfinished_places_is_read_to_its_end(part):
    found = places(part * (100_000 // len(part)), messages=TWO_TOGETHER)
    assert not found.points and not found.boxes


# Thoughts


@pytest.mark.parametrize(
    ("before", "answer"),
    [
        ("", '<think>at "coordinate": [1200, 300]</think>{"coordinate": [500, 300]}'),
        ("", "<think>click(1, 2)</think> <think>click(3, 4)</think> click(500, 300)"),
        ("<|im_start|>assistant\n<think>\n", "click(10, 20), no\n</think>\n\nclick(500, 300)"),
        ("<think>\n\n</think>\n\n", "click(500, 300)"),
        ("", "click(10, 20)</think>click(500, 300)"),
        ("", "[THINK]click(10, 20)[/THINK]click(500, 300)"),
        ("", "Thought: not click(10, 20).\nAction: click(start_box='(500,300)')"),
    ],
)
def test_a_thought_names_no_place(before, answer):
    found = places(answer, before=before)
    assert [(point["x"], point["y"]) for point in found.points] == [(1000, 150)] and not found.notes


def test_a_thought_that_does_not_end_hides_the_rest():
    assert without_thoughts("", "yes <think>click(10, 20)") == "yes"
    assert without_thoughts("<think>", "click(10, 20)") == ""


# Which picture


def on(answer, messages):
    """The picture of each point and box, in order."""
    found = places(answer, messages=messages)
    return [place["image"] for place in [*found.points, *found.boxes]]


BUTTON = '[{"bbox_2d": [500, 500, 600, 600], "label": "button"}]'


def test_a_place_on_no_picture_keeps_where_it_would_lie_on_each():
    found = places(BUTTON, messages=TWO_TOGETHER)
    assert not found.points and not found.boxes
    (place,) = found.unplaced
    why = "the answer does not say which of the 2 pictures it means"
    about = {"label": "button", "coordinates": "0-1000", "because": "family"}
    first = {"image": 0, "x0": 1000, "y0": 250, "x1": 1200, "y1": 300, **about}
    second = {"image": 1, "x0": 200, "y0": 400, "x1": 240, "y1": 480, **about}
    own = {"x0": 500, "y0": 500, "x1": 600, "y1": 600}
    assert place == own | about | {"why": why, "on": [first, second]}
    assert found.notes == [f"The place that the answer names is drawn on no picture: {why}."]


def test_pixels_as_read_are_those_of_the_picture_meant():
    found = places("Image 2: " + '{"point_2d": [100, 100]}', "qwen2_5_vl", TWO_TOGETHER)
    about = {"label": "", "coordinates": "read", "because": "family"}
    assert found.points == [{"image": 1, "x": 200, "y": 200, **about}]


@pytest.mark.parametrize(
    "answer",
    ["click(500, 300)", "click(start_box='(500,300)')", '{"coordinate": [500, 300]}', "pyautogui.click(500, 300)"],
)
@pytest.mark.parametrize("messages", [TWO_TOGETHER, TWO_TURNS, [*TWO_TURNS, turn(0, "yes?", "assistant"), turn(0)]])
def test_an_agent_acts_on_the_last_picture(answer, messages):
    assert on(answer, messages) == [1]


def test_a_chat_whose_turns_bring_pictures_means_the_last():
    assert on(BUTTON, TWO_TURNS) == [1]
    assert on(BUTTON, [turn(1), turn(0, "yes", "assistant"), turn(1), turn(0, "yes", "assistant"), turn(0)]) == [1]


def test_a_last_turn_of_several_pictures_leaves_it_open():
    assert places(BUTTON, messages=[turn(1), turn(0, "yes", "assistant"), turn(2)]).unplaced


def test_a_question_about_another_picture_leaves_it_open():
    asked = [*TWO_TURNS[:2], turn(1, "And in the first picture?")]
    assert places(BUTTON, messages=asked).unplaced
    assert on(BUTTON, [*TWO_TURNS[:2], turn(1, "And in the second picture?")]) == [1]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (f"In the first image: {BUTTON}", [0]),
        (f"Image 2: {BUTTON}", [1]),
        ("In the first image: click(500, 300)", [0]),
        ("**Image 1**: click(500, 300), click(0, 0)\nImage 2: click(500, 300)", [0, 0, 1]),
        ('Image 1:\n{"point_2d": [5, 5], "label": "as in image 2"}', [1]),
        (f"**Picture 1**: {BUTTON}\n**Picture 2**: {BUTTON}", [0, 1]),
        (f"It differs from image 1.\nImage 2: {BUTTON}", [1]),
        (f"In the 2nd screenshot, {BUTTON}{BUTTON}", [1, 1]),
        ('{"bbox_2d": [500, 500, 600, 600], "label": "button in image 2"}', [1]),
        ('{"image": "Picture 1", "bbox_2d": [500, 500, 600, 600]}', [0]),
        ('{"bbox_2d": [500, 500, 600, 600], "image_index": 0}', [0]),
        ('{"bbox_2d": [500, 500, 600, 600], "image_index": 2}', [1]),
        (f"在图2中:{BUTTON}", [1]),
        (f"第一张图:{BUTTON}", [0]),
    ],
)
def test_a_picture_that_the_answer_names_is_meant(answer, expected):
    assert on(answer, TWO_TOGETHER) == expected


@pytest.mark.parametrize(
    "answer",
    [
        f"Between image 1 and image 2 it moved: {BUTTON}",
        f"In image 5: {BUTTON}",
        '{"bbox_2d": [500, 500, 600, 600], "image_index": 1}',
        "I click the first image: click(500, 300)",
    ],
)
def test_a_picture_that_is_not_named_clearly_is_not_guessed(answer):
    found = places(answer, messages=TWO_TOGETHER)
    assert not found.points and not found.boxes and len(found.unplaced) == 1


def test_one_picture_is_meant_whatever_is_said():
    assert on(f"The third image: {BUTTON}", ONE) == [0]


def test_without_a_picture_there_is_no_place():
    assert places("click(500, 300)", messages=[turn(0)]).points == []
