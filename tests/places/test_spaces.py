"""The space in which an answer's numbers count: where a place lies in each, what says so, and what is only a guess."""

import json
from pathlib import Path

import pytest

from attention.coordinates import SETTINGS, SPACES, because_words, is_space, named_space, sides_in, space_words
from attention.errors import InvalidRequest, NotInRun
from attention.places.answer_places import Picture, answer_places
from attention.places.of_run import places_of
from attention.places.spaces import AS_SHARES, Habit, stated_space
from attention.words import read_with_less

GIVEN, READ = (1920, 1080), (1366, 768)
HABITS = {"0-1000": Habit("0-1000"), "read": Habit("read"), "none": Habit()}
FORMS = {
    "point": ("click({0}, {1})", 2),
    "point_2d": ('{{"point_2d": [{0}, {1}]}}', 2),
    "box": ('{{"bbox_2d": [{0}, {1}, {2}, {3}]}}', 4),
    "tag": ("<box>({0},{1}),({2},{3})</box>", 4),
}


def read(answer, habit=HABITS["0-1000"], coordinates="auto", asked="where?"):
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": asked}]}]
    return answer_places(answer, [Picture(GIVEN, READ)], messages, habit, coordinates=coordinates)


def one(*args, **settings):
    found = read(*args, **settings)
    (place,) = [*found.points, *found.boxes]
    return place


# Where a place lies: each side by itself, by the definition of the space

TO_PIXELS = {  # of a number of the answer, along a side of so many pixels as given and as read
    "0-1": lambda number, given, read: number * given,
    "0-1000": lambda number, given, read: number / 1000 * given,
    "read": lambda number, given, read: number / read * given,
    "original": lambda number, given, read: number,
}
NUMBERS = {
    "0-1": (0.25, 0.5, 0.75, 1),
    "0-1000": (250, 10, 999, 700),
    "read": (12, 5, 1366, 700),
    "original": (3, 4, 1900, 1000),
}


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("space", SPACES)
def test_a_place_lies_where_the_space_that_was_set_puts_it(space, form, habit):
    template, count = FORMS[form]
    numbers = NUMBERS[space][:count]
    place = one(template.format(*numbers), HABITS[habit], space)
    lies = [place[side] for side in (("x", "y") if count == 2 else ("x0", "y0", "x1", "y1"))]
    sides = [(GIVEN[i % 2], READ[i % 2]) for i in range(count)]
    assert lies == pytest.approx([TO_PIXELS[space](n, *side) for n, side in zip(numbers, sides, strict=True)])
    assert (place["coordinates"], place["because"]) == (space, "setting")
    assert "ambiguous" not in place


@pytest.mark.parametrize("answer", ["<loc0512><loc0256>", '{"box_2d": [10, 20, 30, 40]}'])
def test_a_setting_comes_before_what_the_form_says(answer):
    assert one(answer)["because"] == "form"
    place = one(answer, coordinates="original")
    assert (place["coordinates"], place["because"]) == ("original", "setting")
    lies = (256, 512) if "x" in place else (20, 10, 40, 30)  # y is written first in both
    assert tuple(place[side] for side in ("x", "y", "x0", "y0", "x1", "y1") if side in place) == lies


@pytest.mark.parametrize(
    ("answer", "habit", "space", "because"),
    [
        ("click(500, 300)", "0-1000", "0-1000", "family"),
        ("click(500, 300)", "read", "read", "family"),
        ("<point>500 300</point>", "none", "0-1000", "form"),
        ('<point x="50" y="30">', "none", "0-100", "form"),
        ("<|ref|>a<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|>", "read", "0-999", "form"),
        ("a<loc_1><loc_2><loc_30><loc_40>", "read", "0-1000", "form"),
        ("click(0.5, 0.3)", "0-1000", "0-1", "numbers"),
        ("click(0.5, 0.3)", "read", "0-1", "numbers"),
        ("click(0.5, 0.3)", "none", "0-1", "numbers"),
        ('{"box_2d": [0.1, 0.2, 0.3, 0.4]}', "0-1000", "0-1", "numbers"),
    ],
)
def test_each_place_says_in_which_space_it_was_read_and_why(answer, habit, space, because):
    place = one(answer, HABITS[habit])
    assert (place["coordinates"], place["because"]) == (space, because)


# 0 to 1


def test_decimals_between_0_and_1_are_no_corner_of_thousands():
    place = one("click(0.42, 0.31)")
    assert (place["x"], place["y"]) == pytest.approx((0.42 * 1920, 0.31 * 1080))
    assert "ambiguous" not in place


@pytest.mark.parametrize("answer", ["click(1, 1)", "click(0, 1)", '{"bbox_2d": [0, 0, 1, 1]}'])
def test_whole_numbers_of_0_and_1_are_a_guess(answer):
    assert one(answer)["ambiguous"] == AS_SHARES
    assert "ambiguous" not in one(answer, coordinates="0-1000")


def test_the_answers_other_places_say_what_0_and_1_are():
    among_decimals = read('{"bbox_2d": [0, 0, 1, 1]} {"bbox_2d": [0.5, 0.25, 0.75, 1]}').boxes
    assert [box["x1"] for box in among_decimals] == [1920, 1440] and not any("ambiguous" in b for b in among_decimals)
    among_thousands = read('{"bbox_2d": [0, 0, 1, 1]} {"bbox_2d": [500, 250, 750, 1000]}').boxes
    assert [box["x1"] for box in among_thousands] == [1.92, 1440] and not any("ambiguous" in b for b in among_thousands)
    mixed = read('{"bbox_2d": [0.1, 0.1, 0.2, 0.2]} {"bbox_2d": [500, 250, 750, 1000]}').boxes
    assert [box.get("ambiguous") for box in mixed] == [AS_SHARES, None]


def test_less_than_a_hundredth_may_be_meant_where_hundredths_are_usual():
    assert one('<point x="0.5" y="0.3">', HABITS["none"])["ambiguous"] == AS_SHARES


# What prompts say


@pytest.mark.parametrize(
    ("prompt", "space"),
    [
        ("Give bounding boxes with coordinates from 0 to 1000.", "0-1000"),
        ("coordinates are normalized to [0, 1000]", "0-1000"),
        ("All coordinates lie within [0.0, 1.0].", "0-1"),
        ("normalised coordinates between 0 and 1", "0-1"),
        ("Use 0-1000 normalized coordinates.", "0-1000"),
        ("* The screen's resolution is 1280x720.", "1280x720"),
        ("* The screen's resolution is 1000x1000.", "0-1000"),
        ('"display_width_px": 1280, "display_height_px": 720', "1280x720"),
        ("what is at the coordinates (0, 1)?", None),
        ("What is at bbox [0, 100, 200, 300]?", None),
        ("rate it from 0 to 100", None),
        ("coordinates from 0 to 1000, or coordinates from 0 to 1", None),
        ("It is 0-1000 metres away", None),
        ("coordinates from 0 to 10000", None),
    ],
)
def test_a_prompt_that_names_the_numbers_is_followed(prompt, space):
    assert stated_space([prompt]) == space


def test_what_prompt_and_family_say_alike_is_sure():
    place = one("click(500, 300)", asked="coordinates from 0 to 1000")
    assert (place["coordinates"], place["because"], place.get("ambiguous")) == ("0-1000", "prompt", None)


def test_where_prompt_and_family_disagree_it_is_a_guess_unless_only_one_can_be():
    asked = "The screen's resolution is 1366x768."
    place = one("click(683, 384)", asked=asked)
    assert (place["x"], place["y"]) == pytest.approx((960, 540))
    assert (place["coordinates"], place["because"]) == ("read", "prompt")
    assert place["ambiguous"] == f"{space_words('read', GIVEN, READ)}, or thousandths of the sides"
    assert "ambiguous" not in one("click(1300, 384)", asked=asked)  # no thousandth
    tiny = one("click(900, 384)", asked="The screen's resolution is 400x300.")
    assert (tiny["coordinates"], tiny["because"], tiny.get("ambiguous")) == ("0-1000", "family", None)


def test_a_size_that_is_no_pictures_is_a_space_of_its_own():
    place = one("click(640, 360)", HABITS["none"], asked="The screen's resolution is 1280x720.")
    assert (place["x"], place["y"]) == pytest.approx((960, 540))
    assert (place["coordinates"], place["because"]) == ("1280x720", "prompt")


# What lies outside


def test_what_lies_outside_is_named_as_what_it_was_read_and_never_moved():
    found = read("click(1500, 900)")
    assert not (found.points or found.boxes or found.unplaced) and found.named == 1
    assert found.notes == [
        "The place that the answer names lies outside the picture as thousandths of the sides, and is left out: "
        "(1500, 900). It would lie on it as pixels of the picture as given, 1920x1080 (original): choose that with "
        "coordinates."
    ]
    assert (one("click(1500, 900)", coordinates="original")["x"], found.points) == (1500, [])


def test_a_space_that_was_set_refuses_what_it_cannot_hold():
    found = read("click(500, 300)", coordinates="0-1")
    assert not found.points and found.notes == [
        "The place that the answer names lies outside the picture as shares of the sides, and is left out: (500, 300)."
    ]


# Names and words


def test_names_of_spaces_give_the_sides_of_a_picture():
    assert [sides_in(space, GIVEN, READ) for space in SPACES] == [(1, 1), (1000, 1000), READ, GIVEN]
    assert sides_in("0-1024", GIVEN, READ) == (1024, 1024) and sides_in("640x480", GIVEN, READ) == (640, 480)
    assert sides_in("read", GIVEN, None) is None
    assert [named_space(*size, GIVEN, READ) for size in (READ, GIVEN, (640, 480))] == ["read", "original", "640x480"]


# A finished run


@pytest.fixture(scope="module")
def info(tiny_run):
    return json.loads((tiny_run / "run.json").read_text())


def with_answer(info, answer, **more):
    """A run that answered something else: one token of text after its prompt."""
    tokens = info["tokens"][: info["prompt_tokens"]]
    said = {"index": len(tokens), "id": 1, "text": answer, "role": "answer", "grid": None, "row": None, "col": None}
    return info | {"tokens": [*tokens, said]} | more


def test_a_finished_run_is_read_anew_as_it_was_read_first(info):
    assert places_of(info, info["coordinates"]).fields() == {
        name: info[name] for name in ("points", "boxes", "unplaced", "named_places")
    }


@pytest.mark.parametrize("space", SPACES)
def test_a_finished_run_is_read_anew_in_any_space(info, space):
    image = info["images"][0]
    given, read_as = ((image[f"{of}width"], image[f"{of}height"]) for of in ("", "read_"))
    found = places_of(with_answer(info, "click(0.5, 1)"), space).points[0]
    expected = [TO_PIXELS[space](n, given[i], read_as[i]) for i, n in enumerate((0.5, 1))]
    assert [found["x"], found["y"]] == pytest.approx(expected)


def test_what_was_thought_names_no_place_of_a_finished_run(info):
    thought = with_answer(info, "click(500, 300)")
    thought["tokens"][-1]["role"] = "thinking"
    assert places_of(thought, "auto").named == 0


def test_a_run_that_does_not_say_how_its_family_writes_is_refused(info):
    old = {name: value for name, value in info.items() if name != "place_habit"}
    with pytest.raises(NotInRun, match="older version"):
        places_of(old, "0-1000")


@pytest.mark.parametrize("message", [{"role": "user", "content": 3}, {"content": []}, {"content": [{"type": "text"}]}])
def test_messages_that_are_no_chat_are_refused(info, message):
    with pytest.raises(NotInRun, match="no chat"):
        places_of(info | {"messages": [message]}, "read")


@pytest.mark.parametrize("setting", ["pixels", "", None, 3, ["0-1"], "0-100"])
def test_another_space_is_refused_by_name(info, setting):
    with pytest.raises(InvalidRequest, match="it must be one of auto, 0-1, 0-1000, read, original"):
        places_of(info, setting)
    assert setting not in SETTINGS


def test_the_words_are_those_of_the_page():
    golden = json.loads((Path(__file__).parents[1] / "golden" / "place_words.json").read_text())
    assert [space_words(space, GIVEN, READ) for space, _ in golden["spaces"]] == [
        words for _, words in golden["spaces"]
    ]
    assert {name: because_words(name, "Qwen3-VL") for name in golden["because"]} == golden["because"]
    for counts, sentences in golden["tokens"]:
        names = ("visual_tokens", "own_visual_tokens", "video")
        images = [dict(zip(names, numbers, strict=False)) for numbers in counts]
        assert read_with_less({"images": images}) == sentences
    assert is_space("0-999") and is_space("1280x720") and is_space("read")
    assert not any(map(is_space, ["", "0-", "0-0", "0x5", "px", None, 3, "0-1\n", "9" * 500]))
