"""Items of a set: what a line says, and why another is none."""

import json
import math

import pytest

from attention.errors import InvalidRequest
from attention.scoring.items import BadItem, Item, item_of
from attention.scoring.reading import read_items, sampled

GOOD = {"image": "a.png", "prompt": "where is it?", "box": [1, 2, 3, 4]}


def test_a_line_is_an_item_with_its_picture_beside_the_file(tmp_path):
    lines = [GOOD, {"image": "b.png", "prompt": "click it", "click": [5, 6], "answer": "done", "id": 7, "split": "val"}]
    path = tmp_path / "set.jsonl"
    path.write_text("\ufeff" + "\n\n".join(map(json.dumps, lines)), encoding="utf-8")
    first, second = read_items(path)
    assert first == Item(str(tmp_path / "a.png"), "where is it?", (1, 2, 3, 4), None, "line 1") and first.kind == "box"
    assert second == Item(str(tmp_path / "b.png"), "click it", (5, 6), "done", "7") and second.kind == "click"
    assert read_items(path, tmp_path / "pictures")[0].image == str(tmp_path / "pictures" / "a.png")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": None}, "no image"),
        ({"image": "https://example.org/a.png"}, "addresses are not read"),
        ({"image": 3}, "image is 3"),
        ({"prompt": " "}, "prompt is ' '"),
        ({"prompt": ["a"]}, r"prompt is \['a'\]"),
        ({"answer": ""}, "answer is ''"),
        ({"box": None}, "neither a box nor a click"),
        ({"click": [1, 2]}, "both a box and a click"),
        ({"box": [1, 2]}, r"box is \[1, 2\]; it must be \[x0, y0, x1, y1\]"),
        ({"box": "1234"}, "box is '1234'"),
        ({"box": [1, 2, 1, 4]}, "no area: x0 and x1 are 1"),
        ({"box": [1, 5, 3, 4]}, "another order: y0 must be less than y1"),
        ({"box": [1, 2, math.nan, 4]}, "x1 of the box is nan"),
        ({"box": [1, 2, True, 4]}, "x1 of the box is True"),
        ({"system": "You are a pirate."}, "system is not read of a line"),
    ],
)
def test_what_is_no_item_is_refused_by_name(change, said):
    with pytest.raises(InvalidRequest, match=said):
        item_of(GOOD | change)


def test_a_bad_line_is_a_row_with_its_reason_and_nothing_is_lost(tmp_path):
    path = tmp_path / "set.jsonl"
    bad = [b"{", b"[1]", b'{"image": "\xff"}', b'{"box": [1, 2, NaN, 4]}', b"[" * 100_000]
    path.write_bytes(b"\n".join([json.dumps(GOOD).encode(), *bad, json.dumps(GOOD).encode()]))
    found = read_items(path)
    assert [type(each) for each in found] == [Item, *[BadItem] * 5, Item]
    assert [each.name for each in found] == [f"line {n}" for n in range(1, 8)]
    reasons = [each.reason for each in found[1:-1]]
    for reason, said in zip(
        reasons, ("not JSON", "[1]; it must be", "UTF-8", "NaN is no number", "deeply"), strict=True
    ):
        assert said in reason


def test_a_sample_is_drawn_by_its_seed_and_keeps_the_order():
    items = [Item("a", str(number), (1, 2)) for number in range(50)]
    some = sampled(items, 10, seed=1)
    assert some == sampled(items, 10, seed=1) != sampled(items, 10, seed=2)
    assert [int(item.prompt) for item in some] == sorted({int(item.prompt) for item in some}) and len(some) == 10
    assert sampled(items, 99) == items
    for n, seed, said in ((0, 0, "sample is 0"), (3, -1, "seed is -1")):
        with pytest.raises(InvalidRequest, match=said):
            sampled(items, n, seed)


def test_a_file_without_a_line_is_refused(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n \n")
    with pytest.raises(InvalidRequest, match="has no line"):
        read_items(tmp_path / "empty.jsonl")
    with pytest.raises(InvalidRequest, match="cannot be read: No such file"):
        read_items(tmp_path / "missing.jsonl")


def test_a_place_is_given_in_pixels_of_its_picture_and_must_lie_on_it():
    assert Item("a", "b", (1, 2, 3, 4)).place_on(3, 4) == (1, 2, 3, 4)
    assert Item("a", "b", (0.25, 0.5, 1, 1), in_shares=True).place_on(200, 100) == (50, 50, 200, 100)
    with pytest.raises(InvalidRequest, match=r"The box \[1, 2, 3, 4\] leaves its picture of 2x4 pixels"):
        Item("a", "b", (1, 2, 3, 4)).place_on(2, 4)
    with pytest.raises(InvalidRequest, match=r"The click .* leaves its picture"):
        Item("a", "b", (-1, 2)).place_on(2, 4)
