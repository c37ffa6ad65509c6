"""Records as questions, and the ids of items: what enters them, and what does not."""

import base64
import http.server
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest
from pictures import noise

from attention.batches.items import Reading, items_in
from attention.batches.pictures import Picture
from attention.batches.questions import Question, questions_of
from attention.errors import InvalidRequest
from attention.limits import Limits
from attention.scoring.items import BadItem
from attention.sets.record import Record

GOOD = {"image": "a.png", "prompt": "what is it?"}
TEXT = [{"role": "user", "content": "hi"}]
CHAT = [{"role": "user", "content": [{"type": "image", "image": "b.png"}, {"type": "text", "text": "and this?"}]}]


def of(fields, **settings):
    return questions_of(Record("line 1", fields, None, Path("set")), **settings)


def reason(fields, **settings):
    (found,) = of(fields, **settings)
    assert isinstance(found, BadItem)
    return found.reason


def test_a_record_is_its_pictures_its_words_and_its_places():
    assert of(GOOD) == [Question("line 1", ("set/a.png",), "what is it?")]
    (one,) = of(GOOD | {"answer": "red", "boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "id": 3, "colour": "ignored"})
    assert (one.name, one.answer, one.places) == ("3", "red", ((1, 2, 3, 4), (5, 6, 7, 8)))
    (several,) = of({"images": ["a.png", "b.png"], "prompt": "same?"}, wording="{} Say it.")
    assert several.images == ("set/a.png", "set/b.png") and several.prompt == "same? Say it."
    for messages in (CHAT, json.dumps(CHAT)):
        (chat,) = of({"messages": messages})
        assert list(map(str, chat.images)) == ["set/b.png"] and chat.messages[0]["content"][1]["text"] == "and this?"
    refer = {"file_name": "a.png", "sentences": ["left one", "red one"], "bbox": [1, 2, 3, 4], "ann_id": 1, "ref_id": 2}
    assert [each.places for each in of(refer)] == [((1, 2, 4, 6),)] * 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": None}, "no image"),
        ({"images": ["b.png"]}, "image and images: leave one"),
        ({"image": "https://example.org/a.png"}, "addresses are not read"),
        ({"prompt": ""}, "prompt is ''"),
        ({"messages": CHAT}, "both a prompt and messages"),
        ({"prompt": None, "messages": "[{"}, "messages is not JSON"),
        ({"prompt": None, "image": None, "messages": [{"role": "cat"}]}, "has the role 'cat'"),
        ({"answer": 7}, "answer is 7"),
        ({"box": [1, 2, 1, 4]}, "no area"),
        ({"boxes": []}, "boxes is []"),
        ({"boxes": [[1, 2]]}, "each must be"),
        ({"box": [1, 2, 3, 4], "click": [1, 2]}, "box and click: give one"),
        ({"model": "other"}, "model is not read of a line"),
        ({"prompt": None, "image": None, "box": [1, 2, 3, 4], "messages": TEXT}, "no picture to find it on"),
    ],
)
def test_a_line_that_is_no_question_is_one_with_its_reason(change, said):
    found = reason({name: value for name, value in (GOOD | change).items() if value is not None})
    assert said in found


def items(records, settings="same", shard=(1, 1), folder=Path()):
    given = [Record(f"line {number}", fields, None, folder) for number, fields in enumerate(records, 1)]
    with ThreadPoolExecutor(2) as pool:
        return list(items_in(given, Reading(shard=shard), settings, Limits(), pool))


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("a.png", "b.png")):
        noise((64 + number, 48)).save(tmp_path / name)
    (tmp_path / "copy.png").write_bytes((tmp_path / "a.png").read_bytes())
    return tmp_path


def test_an_id_is_of_content_and_not_of_where_it_lies_or_what_it_is_called(folder):
    content = base64.b64encode((folder / "a.png").read_bytes()).decode()
    same = [GOOD, GOOD | {"id": "other"}, GOOD | {"image": "copy.png"}, GOOD | {"image": f"data:;base64,{content}"}]
    first, *others = items(same, folder=folder)
    assert {each.id for each in others} == {first.id} and len(first.id) == 32
    changes = ({"image": "b.png"}, {"prompt": "what?"}, {"answer": "red"}, {"box": [1, 2, 3, 4]}, {"click": [1, 2]})
    found = items([GOOD | change for change in changes], folder=folder)
    found += items([GOOD], "other settings", folder=folder)
    assert len({first.id, *(each.id for each in found)}) == 7
    assert items([GOOD], folder=folder) == items([GOOD], folder=folder)


def test_a_bad_picture_or_place_is_its_items_reason_and_others_go_on(folder):
    records = [GOOD | {"image": "none.png"}, GOOD | {"box": [1, 2, 300, 4]}, {"prompt": "?"}, GOOD]
    reasons = [each.reason for each in items(records, folder=folder)]
    assert "no file" in reasons[0] and "leaves its picture of 64x48" in reasons[1] and "no image" in reasons[2]
    assert reasons[3] is None


def test_shards_have_every_item_once_and_compare_with_the_same_places(folder):
    records = [GOOD | {"image": "ab"[n % 2] + ".png", "box": [n, 2, 20 + n, 30], "id": n} for n in range(7)]
    records.insert(3, GOOD | {"image": "none.png", "box": [1, 2, 3, 4]})
    whole = items(records, folder=folder)
    parts = [items(records, shard=(which, 3), folder=folder) for which in (1, 2, 3)]
    assert sorted(chain(*parts), key=lambda item: item.number) == whole and [*map(len, parts)] == [3, 3, 2]
    assert whole[0].elsewhere == (None,) and whole[4].elsewhere[0] == pytest.approx((2 * 65 / 64, 2, 22 * 65 / 64, 30))


def test_a_picture_behind_an_address_is_fetched_once_where_that_is_allowed(folder):
    served = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            served.append(self.path)
            is_there = self.path == "/a.png"
            self.send_response(200 if is_there else 302 if self.path == "/to-a-file" else 404)
            self.send_header("Location", (folder / "a.png").as_uri())
            self.end_headers()
            self.wfile.write((folder / "a.png").read_bytes() if is_there else b"")

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        base = f"http://127.0.0.1:{server.server_port}"
        (question,) = of(GOOD | {"image": f"{base}/a.png"}, addresses=True)
        picture = Picture(question.images[0], Limits())
        assert picture.digest() == Picture(folder / "a.png", Limits()).digest() and picture.size() == (64, 48)
        assert served == ["/a.png"] and picture.source().startswith("data:")
        for path in ("none.png", "to-a-file"):
            with pytest.raises(InvalidRequest, match="cannot be fetched"):
                Picture(f"{base}/{path}", Limits()).digest()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
