"""Published forms: made lines of each, as their own code reads them; what cannot be told apart is refused."""

import json

import pytest

from attention.errors import InvalidRequest
from attention.scoring.items import BadItem
from attention.scoring.published import FORMS, form_of, items_of
from attention.scoring.reading import read_items

SENTENCES = [{"sent_id": 1, "sent": "left man", "raw": "Left man", "tokens": []}, {"sent_id": 2, "sent": "man in red"}]
LINES = {
    "refer": {"ref_id": 4, "ann_id": 9, "image_id": 1, "split": "val", "category_id": 1, "bbox": [10, 20, 30, 40],
              "file_name": "COCO_train2014_000000000001_9.jpg", "sentences": SENTENCES},
    "refcoco-lmms": {"question_id": "7", "image": {"bytes": None, "path": "a.jpg"}, "question": "?", "iscrowd": 0,
                     "answer": ["left man", "man in red"], "segmentation": [1.0], "bbox": [10, 20, 30, 40]},
    "refcoco-jxu124": {"ref_id": 4, "ann_id": 9, "sentences": SENTENCES, "captions": ["left man", "man in red"],
                       "raw_anns": "{}", "image_path": "coco/train2014/a.jpg", "bbox": [10, 20, 40, 60]},
    "shikra": {"img_path": "a.jpg", "expression": "left man", "bbox": [10, 20, 40, 60], "height": 99, "width": 99},
    "screenspot": {"img_filename": "a.png", "instruction": "close", "bbox": [10, 20, 30, 40], "data_type": "icon",
                   "data_source": "windows"},
    "screenspot-pro": {"img_filename": "vscode/a.png", "instruction": "close", "bbox": [10, 20, 40, 60], "id": "v_1",
                       "application": "vscode", "platform": "linux", "img_size": [3840, 2160], "ui_type": "icon"},
    "screenspot-hub": {"file_name": "a.png", "instruction": "close", "bbox": [0.1, 0.2, 0.4, 0.6],
                       "data_type": "icon", "data_source": "windows"},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_published_line_is_known_by_its_fields_and_gives_corners(form):
    record = LINES[form.name]
    assert form_of(record) is form
    items = items_of(record, "/set", "line 3")
    assert items == items_of(record, "/set", "line 3", form.name)
    assert [item.place_on(100, 100) for item in items] == [(10, 20, 40, 60)] * len(items)
    several = form.name.startswith("ref")
    assert [item.prompt for item in items] == (["left man", "man in red"] if several else [items[0].prompt])
    assert len({item.name for item in items}) == len(items) and all(item.image.startswith("/set/") for item in items)
    (asked, *_) = items_of(record, "/set", wording="Point at: {}")
    assert asked.prompt == f"Point at: {items[0].prompt}"


def test_the_names_that_refer_gives_to_pictures_lose_the_annotation():
    assert items_of(LINES["refer"], "/set")[0].image == "/set/COCO_train2014_000000000001.jpg"
    assert items_of(LINES["refcoco-jxu124"], "/set")[0].image == "/set/coco/train2014/a.jpg"


def test_a_box_that_could_be_two_things_is_refused_until_its_form_is_named():
    record = {"file_name": "a.jpg", "captions": ["left man"], "bbox": [10, 20, 30, 40]}
    with pytest.raises(InvalidRequest, match=r"could be \[x, y, width, height\] or \[x0, y0, x1, y1\].*--form"):
        items_of(record)
    assert items_of(record, form="refcoco-jxu124")[0].place == (10, 20, 30, 40)
    xywh = {"file_name": "a.jpg", "sentences": ["left man"], "bbox": [10, 20, 30, 40]}
    assert items_of(xywh, form="refer")[0].place == (10, 20, 40, 60)


@pytest.mark.parametrize(
    ("form", "bbox", "said"),
    [
        ("screenspot", [0.1, 0.2, 0.3, 0.4], "in the form screenspot it is .* in pixels"),
        ("screenspot-hub", [10, 20, 40, 60], "as shares of the sides"),
        ("screenspot-pro", [40, 20, 10, 60], "another order"),
        ("screenspot", [10, 20, 0, 40], "The width of bbox is 0"),
        ("screenspot", [10, 20, 30, -1], "The height of bbox is -1"),
        ("screenspot", [10, 20, 30], r"bbox is \[10, 20, 30\]"),
        ("shikra", None, "bbox is None"),
    ],
)
def test_a_box_that_is_not_what_its_form_says_is_refused(form, bbox, said):
    with pytest.raises(InvalidRequest, match=said):
        items_of(LINES[form] | {"bbox": bbox}, form=form)


def test_a_list_as_screenspot_has_it_is_read_like_lines(tmp_path):
    good = LINES["screenspot"]
    path = tmp_path / "screenspot_web.json"
    path.write_text(json.dumps([good, {**good, "bbox": None}, 5, {**LINES["refer"], "sentences": [{}, SENTENCES[0]]}]))
    found = read_items(path, wording="Click: {}")
    assert [each.name for each in found] == ["entry 1", "entry 2", "entry 3", "4.1", "4.2"]
    assert [type(each) is BadItem for each in found] == [False, True, True, True, False]
    assert found[0].image == str(tmp_path / "a.png") and found[0].prompt == "Click: close"
    for wrong in ({"form": "coco"}, {"wording": "Click"}):
        with pytest.raises(InvalidRequest, match=r"coco|Click"):
            read_items(path, **wrong)
