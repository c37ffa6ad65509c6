"""Opened pictures on their way into another process: the same pixels and notes, and nothing left of them."""

from hostile_pictures import noise

from attention.capture.handed_over import handed_over, taken, taken_over
from attention.capture.images import open_pictures
from attention.limits import Limits
from attention.request import Request


def test_pictures_are_taken_from_where_they_were_laid(tmp_path):
    picture, folder = noise((40, 30)), tmp_path / "run.pictures"
    asked = Request(images=("a.png", "data:image/png;base64,AAAA"), prompt="what?")  # neither is a picture any more
    with handed_over([(picture, ["a note"]), (picture.crop((0, 0, 7, 9)), [])], folder) as records:
        with taken_over(asked.to_dict()["images"], records):
            for _ in range(2):  # every member of a comparison asks
                (first, notes), (second, none) = open_pictures(asked, Limits())
                assert first.tobytes() == picture.tobytes() and notes == ["a note"]
                assert second.size == (7, 9) and none == []
            assert taken(["other.png"]) is None
        assert taken(["a.png"]) is None
    assert not folder.exists()
