"""Opened pictures and frames on their way into another process: the same pixels and notes, and nothing left of them."""

from hostile_pictures import frames, noise

from attention.capture.handed_over import handed_over, taken, taken_over, taken_videos
from attention.capture.images import open_pictures
from attention.capture.videos import Sampled, check_videos
from attention.families.videos import Video
from attention.limits import Limits
from attention.request import Request


def test_pictures_are_taken_from_where_they_were_laid(tmp_path):
    picture, folder = noise((40, 30)), tmp_path / "run.opened"
    asked = Request(images=("a.png", "data:image/png;base64,AAAA"), prompt="what?")  # neither is a picture any more
    with handed_over([(picture, ["a note"]), (picture.crop((0, 0, 7, 9)), [])], [], folder) as records:
        with taken_over(asked.to_dict()["images"], records):
            for _ in range(2):  # every member of a comparison asks
                (first, notes), (second, none) = open_pictures(asked, Limits())
                assert first.tobytes() == picture.tobytes() and notes == ["a note"]
                assert second.size == (7, 9) and none == []
            assert taken(["other.png"]) is None and taken_videos() is None
        assert taken(["a.png"]) is None
    assert not folder.exists()


def test_frames_are_taken_in_their_order(tmp_path):
    video = Video(frames(3), [0, 4, 9], 10, 2.5)
    sampled, folder = Sampled(video, {"decoder": "a"}, ["a note"]), tmp_path / "run.opened"
    with handed_over([], [sampled], folder) as records, taken_over([], records):
        (found,) = taken_videos()
        for file in folder.iterdir():
            file.unlink()
        check_videos(Request(videos="nowhere.mp4", prompt="what?"), Limits())  # reads no frame
    assert [frame.tobytes() for frame in found.pop("frames")] == [frame.tobytes() for frame in video.frames]
    assert found == {"indices": [0, 4, 9], "total": 10, "fps": 2.5, "record": {"decoder": "a"}, "notes": ["a note"]}
