"""Requests are checked before any model is needed."""

import base64
import json
from pathlib import Path

import pytest
from PIL import Image

from attention import Request
from attention.capture.extraction import read_messages
from attention.capture.images import open_image, open_pictures
from attention.errors import InvalidRequest, LimitExceeded
from attention.limits import Limits
from attention.request import gather_images
from attention.video_entries import one_video

PICTURE = Image.new("RGB", (64, 64))


def text(words):
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": "  \n "}, "prompt is empty"),
        ({"prompt": "x", "mode": "both"}, "'both'"),
        ({"prompt": "x", "max_new_tokens": -1}, "-1"),
        ({"prompt": "x", "max_new_tokens": 10**9}, "1000000000"),
        ({"prompt": "x", "max_new_tokens": 2.5}, "whole number"),
        ({"prompt": "x", "max_new_tokens": True}, "whole number"),
        ({"prompt": "x", "max_visual_tokens": 0}, "max_visual_tokens"),
        ({"prompt": "x", "vision": "yes"}, "vision"),
        ({"prompt": "x", "answer": ""}, "forced answer is empty"),
        ({"prompt": 3}, "prompt is a text"),
        ({"prompt": "x" * 100_001}, "100,001"),
        ({"prompt": "x", "images": (PICTURE,) * 17}, "17 images"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_value(fields, words):
    with pytest.raises(InvalidRequest, match=words):
        Request(**fields).validate()


def test_limits_can_be_set():
    with pytest.raises(LimitExceeded, match="limit is 5"):
        Request(prompt="longer").validate(Limits(prompt_characters=5))
    Request(prompt="x", max_new_tokens=5000).validate(Limits(new_tokens=6000))


def test_a_forced_answer_implies_generate():
    assert Request(prompt="x", answer="red").mode == "generate"


def test_a_request_survives_the_process_border():
    request = Request(images=("a.png",), prompt="x", answer="red", max_visual_tokens=64, vision=False)
    assert Request.from_dict(request.to_dict()) == request
    chat = Request(
        messages=[{"role": "user", "content": [{"type": "image", "image": "a.png"}, {"type": "text", "text": "x"}]}]
    )
    assert Request.from_dict(chat.to_dict()) == chat
    with pytest.raises(InvalidRequest, match="colour"):
        Request.from_dict({"colour": "red"})


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "not empty"),
        ("hello", "list"),
        ([{"role": "robot", "content": "x"}], "role"),
        ([{"role": "user"}], "content"),
        ([{"role": "user", "content": [{"type": "video"}]}], "video"),
        ([{"role": "tool", "content": "x"}], "role 'tool'"),
        ([{"from": "human", "value": "x"}], "role None"),
        (["hello"], "Message 1 is 'hello'"),
        ([{"role": "user", "content": ["hello"]}], "without a type, 'hello'"),
        ([{"role": "user", "content": [{"type": "text", "content": "x"}]}], "a text entry is"),
        ({"messages": [], "id": 3}, "object with 'messages, id'; give the list"),
        ([{"role": "user", "content": [{"type": "image"}]}], "no image was given"),
        ([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}], "last message is the assistant's"),
        ([{"role": "user", "content": [{"type": "image", "image": 3}]}], "neither a path"),
    ],
)
def test_a_chat_that_is_none_is_refused(messages, words):
    with pytest.raises(InvalidRequest, match=words):
        Request(messages=messages).validate()


def test_images_that_no_entry_takes_are_refused():
    with pytest.raises(InvalidRequest, match="1 of the images"):
        Request(messages=[{"role": "user", "content": "x"}], images=(PICTURE,))


def test_messages_name_images_relative_to_their_file_or_take_the_next(tmp_path):
    file = tmp_path / "chat.json"
    file.write_text(
        '[{"role": "user", "content": [{"type": "image"}, {"type": "image", "path": "sub/b.png"}, '
        '{"type": "text", "text": "x"}]}]'
    )
    messages, images = read_messages(file, ["a.png"])
    assert images == ["a.png", tmp_path / "sub/b.png"]
    assert Request(messages=messages, images=tuple(images)).images == tuple(images)
    file.write_text("not json")
    with pytest.raises(InvalidRequest, match="not JSON"):
        read_messages(file, [])
    with pytest.raises(InvalidRequest, match="nowhere"):
        read_messages(tmp_path / "nowhere.json", [])


ENTRY_FORMS = ["path", "image", "url", "file", "absolute", "data", "base64", "written", "image_url", "null beside"]


def entry(form, folder):
    """An image entry of one form that names a.png of a folder."""
    written = base64.b64encode((folder / "a.png").read_bytes()).decode()
    return {
        "type": "image",
        **{
            "file": {"url": (folder / "a.png").as_uri()},
            "absolute": {"image": str(folder / "a.png")},
            "data": {"url": f"data:image/png;base64,{written}"},
            "base64": {"base64": written},
            "written": {"image": written},
            "image_url": {"type": "image_url", "image_url": {"url": "a.png"}},
            "null beside": {"image": "a.png", "url": None},
        }.get(form, {form: "a.png"}),
    }


@pytest.mark.parametrize("form", ENTRY_FORMS)
def test_an_entry_reads_the_picture_that_it_names_in_every_form(tmp_path, form):
    picture = Image.effect_noise((30, 20), 90).convert("RGB")
    picture.save(tmp_path / "a.png")
    file = tmp_path / "chat.json"
    chat = [{"role": "user", "content": [entry(form, tmp_path), {"type": "text", "text": "x"}]}]
    file.write_text("\ufeff" + json.dumps(chat), encoding="utf-8")
    _, (found,) = read_messages(file, [])
    assert open_image(found)[0].tobytes() == picture.tobytes()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"image": "a.png", "url": "b.png"}, "by image and url. Leave one"),
        ({"image": "a.png", "detail": "high"}, "'detail', which is not known"),
        ({"image": "a.png", "max_pixels": 0}, "max_pixels is 0; it must be a whole number from 1"),
        ({"image": "a.png", "min_pixels": "64"}, "min_pixels is '64'"),
        ({"image": "a.png", "min_pixels": 10**12}, "min_pixels is 1000000000000"),
        ({"image": "a.png", "min_pixels": 9000, "max_pixels": 4096}, "9,000, are more than its max_pixels, 4,096"),
        ({"image": "a.png", "resized_height": 64}, "resized_height, which is not read here.*--max-visual-tokens"),
        ({"type": "image_url", "image_url": {"url": "a.png", "detail": "low"}}, "detail 'low'"),
        ({"type": "image_url", "image_url": {"url": "a.png", "size": 3}}, "neither a path nor a picture"),
        ({"file": "a.png"}, "'file'"),
        ({"url": "https://example.org/a.png"}, "https://example.org/a.png; addresses are not read"),
        ({"url": "file://server/a.png"}, "another computer"),
        ({"url": "FILE://server/a.png"}, "another computer"),
        ({"image": b"abc"}, "neither a path nor a picture"),
        ({"image": " "}, "neither a path nor a picture"),
        ({"image": ""}, "neither a path nor a picture"),
        ({"image": 3}, "image is 3"),
    ],
)
def test_an_entry_that_is_not_wholly_understood_is_refused(said, words):
    with pytest.raises(InvalidRequest, match=words) as refused:
        Request(messages=[{"role": "user", "content": [{"type": "image", **said}]}], images=(PICTURE,))
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("data:image/png,abc", "must be data:image/"),
        ("data:image/png;base64,%%%", "is not whole base64: '%%%'"),
        ("data:;base64,aGVsbG8=", "is not a picture this app reads"),
        ("data:image/png;base64", "must be data:image/"),
        ("data:;base64,", "is not a picture"),
    ],
)
def test_a_written_picture_that_is_none_is_refused_by_its_number(url, words):
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "image", "url": url}, text("x")]}]
    request = Request(messages=chat, images=(PICTURE,))
    with pytest.raises(InvalidRequest, match=rf"(?i)^image 2 .*{words}"):
        open_pictures(request, Limits())


def test_a_cut_picture_that_is_written_into_a_chat_is_refused_in_one_line(tmp_path):
    Image.effect_noise((300, 200), 90).save(tmp_path / "a.png")
    written = base64.b64encode((tmp_path / "a.png").read_bytes()[:20_000]).decode()
    request = Request(messages=[{"role": "user", "content": [{"type": "image", "base64": written}, text("x")]}])
    assert Request.from_dict(request.to_dict()) == request, "it crosses the border of a process"
    with pytest.raises(InvalidRequest, match="the image cannot be read") as refused:
        open_pictures(request, Limits())
    assert len(str(refused.value)) < 300


def test_a_file_url_is_the_path_that_it_says(tmp_path):
    for name in ("a b.png", "a#1.png", "a?b.png", "a%.png"):
        chat = [{"role": "user", "content": [{"type": "image", "url": (tmp_path / name).as_uri()}, text("x")]}]
        assert Request(messages=chat).images == (tmp_path / name,)
        chat[0]["content"][0]["url"] = f"file://localhost{tmp_path}/{name.replace('%', '%25')}"
        assert Request(messages=chat).images == (tmp_path / name,)
    chat[0]["content"][0]["url"] = "file:b.png"
    assert gather_images(chat, [], tmp_path)[1] == [tmp_path / "b.png"]


def test_sizes_stay_in_the_chat_and_what_is_not_read_does_not(tmp_path):
    entry = {"type": "image", "image": "a.png", "max_pixels": 4096, "min_pixels": None}
    more = {"cache_control": {"type": "ephemeral"}, "min_pixels": 3}
    chat = [{"role": "user", "name": "me", "content": [entry, {**text("x"), **more}]}]
    request = Request(messages=chat)
    assert request.conversation() == [
        {"role": "user", "content": [{"type": "image", "max_pixels": 4096}, {"type": "text", "text": "x"}]}
    ]
    assert Request.from_dict(request.to_dict()) == request


@pytest.mark.parametrize("fields", [{"prompt": "x\ud83d"}, {"prompt": "x", "answer": "\udc00"}, {"system": "\ud83d "}])
def test_half_a_character_is_refused_before_anything_is_loaded(fields):
    with pytest.raises(InvalidRequest, match=r"half a character, '\\ud"):
        Request(**{"prompt": "x", **fields}).validate()


def test_several_files_are_frames_of_one_video_unless_one_of_them_is_a_video():
    assert one_video(None) == one_video([]) == ()
    assert one_video("a.gif") == one_video(["a.gif"]) == ("a.gif",)
    assert one_video(["1.png", "2.png"]) == (("1.png", "2.png"),)
    assert one_video(["a.MP4", "b.gif"]) == ("a.MP4", "b.gif")


def test_videos_cross_a_process_border_as_plain_data():
    request = Request(videos=("a.mp4", [Path("1.png"), "2.png"]), prompt="?", fps=2, max_frames=8)
    record = request.to_dict()
    assert record["videos"] == ["a.mp4", ["1.png", "2.png"]] and json.loads(json.dumps(record)) == record
    assert Request.from_dict(record).videos == ("a.mp4", ("1.png", "2.png"))
    with pytest.raises(InvalidRequest, match="Only images that are files"):
        Request(videos=[[Image.new("RGB", (9, 9))] * 2], prompt="?").to_dict()
