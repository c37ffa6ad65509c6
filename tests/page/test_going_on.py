"""Chats that go on: what is asked next is read after the pictures, the frames, the question and the answer before."""

import pytest
from PIL import Image

from attention import Request, extract
from attention.environment import POCKET_ID
from attention.errors import InvalidRequest
from attention.page.explore import going_on

NEXT = {"images": [], "prompt": "and then?", "model": POCKET_ID, "answer": "no", "max_frames": 3}


def frames(count):
    return [Image.new("RGB", (64, 48), (20 * number, 90, 200)) for number in range(count)]


def test_the_chat_of_a_video_goes_on_with_the_frames_that_were_read(tmp_path):
    first, *rest = frames(12)
    first.save(tmp_path / "clip.gif", save_all=True, append_images=rest, duration=130)
    picture = Image.new("RGB", (50, 60), "red")
    content = [
        {"type": "video", "video": tmp_path / "clip.gif", "fps": 5},
        {"type": "image", "image": picture},
        {"type": "text", "text": "what happens?"},
    ]
    asked = Request(messages=[{"role": "user", "content": content}], model=POCKET_ID, answer="a wave")
    before = extract(asked, tmp_path / "before")
    fields = going_on(NEXT, before)
    after = extract(Request(**fields), tmp_path / "after")
    ids, went_on = ([token["id"] for token in run.info["tokens"]] for run in (before, after))
    assert went_on[: len(ids)] == ids, "times of frames, places and all"
    assert [*map(str, fields["images"])] == [str(before.folder / "image_0.png")]
    assert after.info["videos"] == before.info["videos"]
    for name in ("file", "video", "time_s", "width", "read_width"):
        assert [image.get(name) for image in after.info["images"]] == [
            image.get(name) for image in before.info["images"]
        ]
    assert any("whatever fps and max_frames say" in note for note in after.info["notes"])
    thrice = extract(Request(**going_on(NEXT, after)), tmp_path / "thrice")
    assert [token["id"] for token in thrice.info["tokens"]][: len(went_on)] == went_on


def test_what_cannot_go_on_says_why(tmp_path):
    run = extract(Request(videos=[frames(4), frames(4)], prompt="?", model=POCKET_ID, answer="no"), tmp_path / "two")
    with pytest.raises(InvalidRequest, match="several videos"):
        going_on(NEXT, run)
    with pytest.raises(InvalidRequest, match="is not of one video: it has 2"):
        extract(Request(videos=run.folder, prompt="?", model=POCKET_ID, answer="no"), tmp_path / "again")
    run.info |= {"videos": run.info["videos"][:1], "answer": ""}
    with pytest.raises(InvalidRequest, match="no answer to go on from"):
        going_on(NEXT, run)
