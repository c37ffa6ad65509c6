"""Videos of every form as runs: frames as pictures, exact rows, painted cells found in one key of one frame."""

import re
import sys
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from types import SimpleNamespace

import av
import numpy as np
import pytest
import tiny_families
import torch
from golden import stock_videos
from PIL import Image

from attention import Request, extract
from attention.capture import animations, opened_video, videos
from attention.capture.extraction import fill
from attention.capture.forecast import download_reporter, forecast
from attention.capture.frame_times import frame_times_ms
from attention.capture.inputs import prepare
from attention.capture.knock_out_forecast import forecast_knock_outs
from attention.capture.tried import trials
from attention.capture.videos import open_video
from attention.environment import POCKET_ID
from attention.errors import Cancelled, InvalidRequest, LimitExceeded
from attention.limits import Limits
from attention.models import kept
from attention.models import loading as models
from attention.readings.agreement import picture_blocks
from attention.readings.trial import Hide
from attention.request import gather_images
from attention.runs.checks.run import check_run
from attention.runs.partial import PartialRun
from attention.runs.tokens import cell_box
from attention.verify import painting
from attention.verify.eager import Choices, compare_end_to_end

GREY = (128, 128, 128)
SIZE = (170, 120)


def frames(count, size=SIZE):
    return [Image.fromarray(stock_videos.drawn(*size, time / 3)) for time in range(count)]


@pytest.fixture(scope="module")
def gif(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "waves.gif"
    first, *rest = frames(20)
    first.save(path, save_all=True, append_images=rest, duration=200)
    return path


@pytest.fixture(scope="module", params=(*stock_videos.TYPES, "qwen3_5"))
def loaded(request, tmp_path_factory):
    folder = tiny_families.write(request.param, tmp_path_factory.mktemp(request.param))
    yield models.load(str(folder), "cpu")
    kept.free()


def inputs_of(loaded, **fields):
    request = Request(prompt="what happens?", **fields)
    pictures = [(image, []) for image in request.images]
    return prepare(request, pictures, loaded.family, loaded.processor, Limits())


def test_a_painted_cell_of_one_frame_changes_the_key_that_stands_for_it(loaded):
    plain = [Image.new("RGB", SIZE, GREY) for _ in range(5)]
    pictures = (Image.new("RGB", (90, 140), GREY),) * (loaded.family.frames_together(loaded.processor) == 2)
    before = inputs_of(loaded, images=pictures, videos=(plain,), fps=2).inputs
    keys = painting.first_keys(loaded.family, loaded.model, before)
    rng = np.random.default_rng(0)
    for frame in range(5):
        (own,) = [
            index
            for index, grid in enumerate(before.grids)
            if grid.tower == "language" and frame + len(pictures) in (grid.images or [grid.image])
        ]
        grid = before.grids[own]
        row, col = int(rng.integers(grid.rows)), int(rng.integers(grid.cols))
        painted = list(plain)
        painted[frame] = painting.painted(plain[frame], cell_box(grid.to_dict(), row, col))
        after = inputs_of(loaded, images=pictures, videos=(painted,), fps=2).inputs
        towers = painting.changed_cells(before, keys, painting.first_keys(loaded.family, loaded.model, after))
        changed = {index: cell for cells in towers.values() for index, cell in cells.items()}
        pairs = {index for index, each in enumerate(before.grids) if each.image == grid.image}
        assert set(changed) == pairs, "no other frame, and not the picture"
        assert changed[own] == (own, row, col)
        (patch,) = pairs - {own}
        assert (changed[patch][1] // 2, changed[patch][2] // 2) == (row, col)


def test_a_run_of_a_video_is_exact_and_has_its_frames(loaded, gif, tmp_path):
    request = Request(videos=gif, prompt="what happens?", model=loaded.path, answer="a wave", max_frames=6)
    with extract(request, tmp_path / "run", model=loaded) as run:
        check_run(run)
        info = run.info
        (video,) = info["videos"]
        assert (video["frames"], video["read"], video["fps"], video["duration_s"]) == (20, 6, 5.0, 4.0)
        assert video["decoder"].startswith("pillow ")
        assert [image["video"] for image in info["images"]] == 6 * [0]
        times = [image["time_s"] for image in info["images"]]
        grids = [grid for grid in info["grids"] if grid["tower"] == "language"]
        together = loaded.family.frames_together(loaded.processor)
        pairs = [list(range(first, first + together)) for first in range(0, 6, together)]
        assert [grid.get("images", [grid["image"]]) for grid in grids] == pairs
        assert [grid["time_s"] for grid in grids] == pytest.approx(
            [np.mean([times[i] for i in pair]) for pair in pairs]
        )
        with Image.open(gif) as stored, Image.open(run.folder / "image_3.png") as kept_frame:
            stored.seek(round(times[3] * 5))
            assert np.array_equal(np.asarray(stored.convert("RGB")), np.asarray(kept_frame))
        inputs = inputs_of(loaded, videos=gif, max_frames=6, answer="a wave").inputs
        inputs = loaded.family.extend(
            loaded.processor, inputs, [token["id"] for token in info["tokens"]][len(inputs.ids) :]
        )
        with torch.inference_mode():
            _, checks, _ = compare_end_to_end(loaded, run, inputs.tensors, Choices(loaded))
        assert len(checks) == 3 and all(check.passed for check in checks), "as the model's own eager attention"
        grid, query = info["grids"].index(grids[1]), len(info["tokens"]) - 2
        cells = [i for i, token in enumerate(info["tokens"]) if token["grid"] == grid]
        layer = run.layers()[0]
        assert np.allclose(run.map(layer, 0, query, grid=grid).ravel(), run.row(layer, query)[0, cells])
        times = "".join(token["text"] for token in info["tokens"] if token["role"] == "special")
        assert ("<0.4 seconds>" in times) == (loaded.family.label in ("Qwen3-VL", "Qwen3.5")), (
            "they are the processor's"
        )


def test_frames_and_a_folder_of_them_are_one_video_read_whole(loaded, tmp_path):
    each = frames(11)
    for number, frame in enumerate(each):
        frame.save(tmp_path / f"frame_{number}.png")  # frame_10 comes last
    (tmp_path / ".DS_Store").write_bytes(b"no frame")
    given = inputs_of(loaded, videos=[each], fps=5)
    found = inputs_of(loaded, videos=tmp_path, fps=5)
    assert given.videos[0].record | {"decoder": "frames"} == found.videos[0].record
    assert given.videos[0].record["read"] == 11 and given.notes == []
    for name, tensor in given.inputs.tensors.items():
        assert tensor.equal(found.inputs.tensors[name]), name
    thinned = inputs_of(loaded, videos=tmp_path, max_frames=4)
    assert thinned.videos[0].video.indices == [0, 3, 7, 10]
    assert any("read as 2" in note for note in thinned.notes) and any("4 of the 11" in note for note in thinned.notes)


@pytest.mark.sample(3)
def test_a_run_of_a_video_is_asked_again(loaded, gif, tmp_path):
    """The frames that it kept are its video: its tokens, queries and keys come again, and a frame can be hidden."""
    request = Request(
        videos=gif, prompt="what happens?", model=loaded.path, answer="a wave", max_frames=6, vision=False
    )
    run = extract(request, tmp_path / "run", model=loaded)
    found = forecast_knock_outs(run, model=loaded)
    assert found.info["difference"] <= 1e-5
    with trials(run, model=loaded) as ready:
        block = picture_blocks(run, 2)[0]
        assert ready.without([Hide(block.keys)]).changes[0] != 0
        with pytest.raises(InvalidRequest, match="not painted over"):
            ready.painted([block.region])


@pytest.mark.sample(4)
@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_an_animation_says_how_long_its_frames_are_shown(loaded, tmp_path, ending):
    first, *rest = frames(10)
    even, uneven = tmp_path / f"even.{ending}", tmp_path / f"uneven.{ending}"
    first.save(even, save_all=True, append_images=rest, duration=100)
    first.save(uneven, save_all=True, append_images=rest, duration=[1000] + 9 * [100])
    read = inputs_of(loaded, videos=even, fps=10)
    assert (read.videos[0].record["fps"], read.notes) == (10.0, [])
    assert [time for _, time in open_video(uneven, Limits()).read([0, 1, 9])] == [0.0, 1.0, 1.8]
    (note,) = inputs_of(loaded, videos=uneven, fps=10).notes
    assert "do not follow each other evenly" in note and "up to 0.81 seconds off" in note


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_times_that_bytes_say_are_those_that_a_decoder_says(tmp_path, ending):
    each, times = frames(6, (40, 30)), [40, 1000, 70, 20, 300, 90]
    for number, shown in enumerate((times, times[::-1])):
        path = tmp_path / f"{number}.{ending}"
        each[0].save(path, save_all=True, append_images=each[1:], duration=shown, loop=0)
        assert frame_times_ms(path) == decoded_times(path) == pytest.approx(shown)
    cut = tmp_path / f"cut.{ending}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert 1 < len(frame_times_ms(cut)) < 6


def test_a_picture_before_an_animation_is_shown_for_no_time_and_is_no_frame_of_the_video(tmp_path):
    first, *rest = frames(4, (40, 30))
    path = tmp_path / "still_first.png"
    first.save(path, save_all=True, append_images=rest, duration=80, default_image=True)
    assert frame_times_ms(path) == decoded_times(path) == [0, 80, 80, 80]
    opened = open_video(path, Limits())
    assert (opened.total, opened.fps) == (3, 12.5)
    assert [(frame.tobytes(), time) for frame, time in opened.read([0, 1, 2])] == [
        (frame.convert("RGB").tobytes(), 0.08 * i) for i, frame in enumerate(rest)
    ]
    first.save(tmp_path / "photo.jpg")
    assert frame_times_ms(tmp_path / "photo.jpg") is None


def decoded_times(path):
    """Milliseconds that Pillow says of each frame, once it has decoded it."""
    with Image.open(path) as image:
        times = []
        for frame in range(image.n_frames):
            image.seek(frame)
            image.load()
            times.append(image.info.get("duration", 0))
        return times


def test_a_file_whose_frames_come_at_any_time_says_how_far_the_times_given_are_off(loaded, tmp_path):
    times_ms = [100 * i for i in range(10)] + [5000 + 100 * i for i in range(10)]
    path = write_clip(tmp_path / "clip.mkv", times_ms)
    (found,) = videos.sampled_videos(Request(videos=path, prompt="?", fps=4), loaded.family, loaded.processor, Limits())
    due = max(abs(times_ms[i] / 1000 - found.video.time_s(place)) for place, i in enumerate(found.video.indices))
    assert due > 1 and any(f"up to {due:.2g} seconds off" in note for note in found.notes)


def test_a_note_on_frames_left_out_is_there_where_max_frames_leaves_them_out(loaded, gif):
    def noted(**fields):
        return [note for note in inputs_of(loaded, videos=gif, **fields).notes if "max_frames" in note]

    limited = inputs_of(loaded, videos=gif, fps=5, max_frames=7)
    read = limited.videos[0].record["read"]
    assert [note.split(" frames")[0] for note in noted(fps=5, max_frames=7)] == [f"{read} of the 20"]
    assert noted(fps=5, max_frames=20) == noted(fps=2, max_frames=9) == []


def test_a_video_too_short_for_two_frames_is_not_called_a_picture(loaded, tmp_path):
    first, *rest = frames(3)
    first.save(tmp_path / "short.gif", save_all=True, append_images=rest, duration=40)
    try:
        assert inputs_of(loaded, videos=tmp_path / "short.gif", fps=2).videos[0].record["read"] >= 2
    except InvalidRequest as error:
        assert "1 of the 3 frames of short.gif would be read: 0.12 seconds at 2 a second" in str(error)


def test_frames_over_the_limit_are_refused_before_one_is_read(loaded, monkeypatch):
    def read(_):
        raise AssertionError("nothing is decoded")

    opened = videos.Opened("clip.mp4", 1000, 10.0, "pyav", read)
    monkeypatch.setattr(videos, "open_video", lambda *_: opened)
    request = Request(videos="clip.mp4", prompt="?", fps=10, max_frames=500)
    with pytest.raises(LimitExceeded, match="500 frames of videos would be read; the limit is 64"):
        videos.sampled_videos(request, loaded.family, loaded.processor, Limits(frames=64))


def test_frames_may_be_arrays_or_one_array_of_them(loaded):
    each = frames(4)
    arrays = [np.asarray(frame) for frame in each]
    tensor = torch.from_numpy(np.stack(arrays)).movedim(3, 1)
    chat = [{"role": "user", "content": [{"type": "video", "video": tensor}, {"type": "text", "text": "?"}]}]
    for video in ([arrays], [np.stack(arrays)], np.stack(arrays), [tensor]):
        read = Request(videos=video, prompt="?").videos
        assert [list(map(np.array_equal, one, each)) for one in read] == [4 * [True]]
    assert list(map(np.array_equal, Request(messages=chat).videos[0], each)) == 4 * [True]
    with pytest.raises(InvalidRequest, match="Video 1 is an array of 3 axes"):
        Request(videos=arrays, prompt="?")


def test_frames_of_three_rows_keep_their_colours(loaded):
    thin, tall = ([Image.new("RGB", (40, rows), (250, 90, 10))] * 4 for rows in (3, 30))
    read = [inputs_of(loaded, videos=[each], fps=2, max_visual_tokens=64).inputs.tensors for each in (thin, tall)]
    pixels = [values for tensors in read for name, values in tensors.items() if name.startswith("pixel_values")]
    assert pixels[0].unique().tolist() == pytest.approx(pixels[1].unique().tolist())


def test_an_entry_of_a_chat_names_its_video_and_what_is_read_of_it(loaded, gif, tmp_path):
    content = [
        {"type": "video", "video": gif.name, "fps": 1, "max_frames": None},
        {"type": "image", "image": frames(1)[0]},
        {"type": "text", "text": "?"},
    ]
    messages, images = gather_images([{"role": "user", "content": content}], [], gif.parent)
    request = Request(messages=messages, images=images, fps=4)
    assert request.videos == (gif,)
    assert request.conversation()[0]["content"][0] == {"type": "video", "fps": 1}
    if loaded.family.frames_together(loaded.processor) == 2:
        prepared = prepare(request, [(images[0], [])], loaded.family, loaded.processor, Limits())
        assert prepared.videos[0].record["read"] == 4
        assert prepared.inputs.grids[0].kind == "whole" and prepared.inputs.grids[1].images == (1, 2)


def test_a_forecast_counts_frames(gif):
    short, long = (forecast(Request(videos=gif, prompt="?", model=POCKET_ID, max_frames=most)) for most in (4, 8))
    assert long.image_tokens == 2 * short.image_tokens > 0
    assert long.bytes_on_disk > short.bytes_on_disk
    asked = forecast(Request(videos=gif, prompt="?", model=POCKET_ID, fps=5))
    assert len(asked.prepared.images) == 16 and "16 of the 20 frames" in asked.notes[0], "the limit of a CPU"


@pytest.mark.parametrize(
    "videos, fields, words",
    [
        ("nowhere.mp4", {}, "There is no file nowhere.mp4"),
        ([[Image.new("RGB", (9, 9))]], {}, "The video has 1 frame"),
        ([[]], {}, "no frames"),
        ([5], {}, "The video is 5"),
        ([[Image.new("RGB", (40, 40)), Image.new("RGB", (40, 50))]], {}, "the first is 40x40, number 2 is 40x50"),
        ([[Image.new("RGB", (40, 40)), "nothing.png"]], {}, "There is no file nothing.png"),
        (5 * [[Image.new("RGB", (40, 40))] * 2], {}, "5 videos were given; the limit is 4"),
        ("GIF", {"fps": 0}, "fps 0"),
        ("GIF", {"fps": True}, "fps True"),
        ("GIF", {"max_frames": 1}, "max_frames 1"),
        ("GIF", {"model": "LLAVA"}, "LLaVA is asked about a video"),
    ],
)
def test_what_is_no_video_is_refused_by_name(gif, llava, videos, fields, words):
    named = {"GIF": gif, "LLAVA": llava}
    fields = {"model": POCKET_ID} | {name: named.get(value, value) for name, value in fields.items()}
    with pytest.raises((InvalidRequest, LimitExceeded), match=re.escape(words)):
        forecast(Request(videos=named.get(videos, videos) if isinstance(videos, str) else videos, prompt="?", **fields))


@pytest.fixture(scope="module")
def llava(tmp_path_factory):
    return str(tiny_families.write("llava", tmp_path_factory.mktemp("llava")))


@pytest.mark.parametrize(
    "limit, words",
    [
        ({"video_bytes": 1000}, "the limit of a video is 0 MB"),
        ({"video_frames": 19}, "waves.gif has 20 frames; the limit is 19"),
        ({"video_seconds": 3.0}, "waves.gif lasts 4 seconds; the limit is 3"),
        ({"image_pixels": 20_000}, "170x120"),
        ({"video_pixels": 400_000}, "20 frames of 170x120 pixels"),
        ({"frames": 7}, "8 frames of videos would be read; the limit is 7"),
        ({"frames_pixels": 150_000}, "8 frames of 170x120 pixels would be read of waves.gif"),
    ],
)
def test_limits_refuse_with_the_number(gif, limit, words):
    with pytest.raises(LimitExceeded, match=words):
        forecast(Request(videos=gif, prompt="?", model=POCKET_ID), Limits(**limit))


@pytest.mark.parametrize(
    "entry, words",
    [
        ({"video": "https://example.com/a.mp4"}, "addresses are not read"),
        ({"video": "a.mp4", "nframes": 4}, "'nframes'"),
        ({"video": "a.mp4", "path": "b.mp4"}, "video and path"),
        ({"video": []}, "no frames"),
        ({}, "no video was given"),
    ],
)
def test_entries_that_are_not_understood_are_refused(entry, words):
    content = [{"type": "video", **entry}, {"type": "text", "text": "?"}]
    with pytest.raises(InvalidRequest, match=re.escape(words)):
        Request(messages=[{"role": "user", "content": content}])


def test_without_a_decoder_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom" + bytes(100))
    for decoder in ("av", "torchcodec.decoders"):
        monkeypatch.setitem(sys.modules, decoder, None)
    with pytest.raises(InvalidRequest, match=r"clip.mp4 needs a decoder.*pip install av"):
        open_video(path, Limits())


def write_clip(path, times_ms, size=(160, 96), codec="mpeg4"):
    """A video with frames at these times, as FFmpeg writes it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        (stream.width, stream.height), stream.pix_fmt, stream.bit_rate = size, "yuv420p", 4_000_000
        stream.codec_context.time_base = Fraction(1, 1000)
        for time_ms in times_ms:
            frame = av.VideoFrame.from_ndarray(stock_videos.drawn(*size, time_ms / 1000), format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Forty frames at ten a second."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", range(0, 4000, 100))


def test_a_file_is_decoded_at_the_frames_that_are_read(clip):
    opened = open_video(clip, Limits())
    assert (opened.total, opened.fps) == (40, 10.0) and opened.decoder == f"pyav {av.__version__}"
    for place, (frame, shown_at) in zip((3, 39), opened.read([3, 39]), strict=True):
        assert shown_at == pytest.approx(place / 10)
        drawn = [stock_videos.drawn(160, 96, other / 10).astype(float) for other in range(40)]
        errors = [np.abs(np.asarray(frame) - other).mean() for other in drawn]
        assert int(np.argmin(errors)) == place
    with pytest.raises(LimitExceeded, match="lasts 4 seconds"):
        open_video(clip, Limits(video_seconds=1.0))
    with pytest.raises(LimitExceeded, match="160x96"):
        open_video(clip, Limits(image_pixels=9))


@pytest.mark.parametrize("form", ["frames", "gif", "webp", "mp4", "webm"])
def test_a_stop_ends_it_at_the_next_frame_that_is_counted_or_decoded(gif, clip, tmp_path, monkeypatch, form):
    monkeypatch.setattr(opened_video, "STOP_SECONDS", -1.0)
    each = frames(20, (40, 30))
    source = {"frames": tuple(each), "gif": gif, "mp4": clip}.get(form, tmp_path / f"clip.{form}")
    if form == "webp":
        each[0].save(source, save_all=True, append_images=each[1:], duration=100)
    elif form == "webm":
        write_clip(source, range(0, 2000, 100), codec="vp8")
    asked = []

    def stop():
        asked.append(True)
        if len(asked) == 12:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        open_video(source, Limits(), stop=stop).read(range(20))
    assert len(asked) == 12


def test_a_run_that_is_stopped_while_frames_are_decoded_leaves_nothing(gif, tmp_path, monkeypatch):
    monkeypatch.setattr(opened_video, "STOP_SECONDS", -1.0)
    partial, request = PartialRun.create(tmp_path / "run"), Request(videos=gif, prompt="?", model=POCKET_ID)
    decoded, white = [], animations._on_white

    def stopped(image):
        decoded.append(image)
        partial.cancel()
        return white(image)

    monkeypatch.setattr(animations, "_on_white", stopped)
    with pytest.raises(Cancelled):
        forecast(request, watch=download_reporter(partial))
    with pytest.raises(Cancelled):
        fill(request, partial)
    assert len(decoded) == 1 and not list(tmp_path.iterdir())


class Torchcodec:
    """Torchcodec's decoder, as far as it is asked here, by PyAV: of an environment that has none."""

    __version__ = "0.0"
    rotation = None

    def __init__(self, source, dimension_order, seek_mode):
        assert (dimension_order, seek_mode) == ("NHWC", "exact")
        try:
            with av.open(source) as container:
                self.frames = [(frame.to_ndarray(format="rgb24"), frame.time) for frame in container.decode(video=0)]
                rate = container.streams.video[0].average_rate
        except av.FFmpegError as error:
            raise RuntimeError(str(error)) from None
        height, width, _ = self.frames[0][0].shape
        seen = {"num_frames": len(self.frames), "average_fps": float(rate), "width": width, "height": height}
        self.metadata = SimpleNamespace(**seen, rotation=self.rotation, begin_stream_seconds=self.frames[0][1])

    def get_frame_at(self, index):
        data, shown_at = self.frames[index]
        return SimpleNamespace(data=torch.from_numpy(data), pts_seconds=shown_at)


@pytest.fixture
def without_pyav(monkeypatch):
    """Torchcodec alone: its own where it is installed."""
    monkeypatch.setitem(sys.modules, "av", None)
    try:
        return import_module("torchcodec.decoders").VideoDecoder
    except (ImportError, OSError, RuntimeError):
        monkeypatch.setitem(sys.modules, "torchcodec", Torchcodec)
        monkeypatch.setitem(sys.modules, "torchcodec.decoders", SimpleNamespace(VideoDecoder=Torchcodec))
        return Torchcodec


def test_torchcodec_reads_the_same_frames_where_there_is_no_pyav(clip, tmp_path, request):
    webm = write_clip(tmp_path / "clip.webm", range(500, 2500, 100), codec="vp8")
    by_pyav = [open_video(path, Limits()) for path in (clip, webm)]
    read = [opened.read([2, 7, 19]) for opened in by_pyav]
    request.getfixturevalue("without_pyav")
    for path, other, frames_read in zip((clip, webm), by_pyav, read, strict=True):
        opened = open_video(path, Limits())
        assert opened.decoder.startswith("torchcodec ")
        assert (opened.total, opened.fps) == (other.total, pytest.approx(other.fps))
        for (frame, shown_at), (wanted, wanted_at) in zip(opened.read([2, 7, 19]), frames_read, strict=True):
            assert np.array_equal(frame, wanted) and shown_at == pytest.approx(wanted_at)
        with pytest.raises(LimitExceeded, match="160x96"):
            open_video(path, Limits(image_pixels=9))
        with pytest.raises(LimitExceeded, match="3 frames of 160x96 pixels would be read"):
            open_video(path, Limits(frames_pixels=40_000)).read([2, 7, 19])


def test_torchcodec_is_given_no_list_of_files_and_nothing_that_it_would_turn(clip, tmp_path, without_pyav, monkeypatch):
    path = tmp_path / "clip.mp4"
    for content, words in (
        (b"#EXTM3U\n#EXTINF:1,\n" + bytes(str(clip), "utf-8"), "neither an MP4 nor a WebM"),
        (b"\0\0\0\x20ftypisom" + bytes(300), "is not a video that is read here"),
    ):
        path.write_bytes(content)
        with pytest.raises(InvalidRequest, match=words):
            open_video(path, Limits())
    monkeypatch.setattr(Torchcodec, "rotation", 90)
    if without_pyav is Torchcodec:
        with pytest.raises(InvalidRequest, match="is to be turned by 90 degrees"):
            open_video(clip, Limits())


def test_a_file_that_ends_before_it_says_is_read_as_far_as_it_goes(loaded, clip, monkeypatch):
    opened = replace(open_video(clip, Limits()), total=60)
    monkeypatch.setattr(videos, "open_video", lambda *_: opened)
    (found,) = videos.sampled_videos(Request(videos=clip, prompt="?"), loaded.family, loaded.processor, Limits())
    assert found.record["frames"] == 40 and max(found.video.indices) <= 39
    assert any("says that it has 60 frames, and has 40" in note for note in found.notes)


def test_frames_that_grow_within_a_file_are_held_to_the_limits(tmp_path):
    small, large = (write_clip(tmp_path / f"{n}.ts", range(0, 1000, 100), (16 * n, 16 * n)) for n in (4, 40))
    path = tmp_path / "all.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes() + small.read_bytes())
    assert [frame.size for frame, _ in open_video(path, Limits()).read([0, 29])] == 2 * [(64, 64)]
    with pytest.raises(LimitExceeded, match="frames of 640x640"):
        open_video(path, Limits(image_pixels=100_000)).read([0, 29])


def test_a_file_and_a_folder_without_anything_are_named_as_they_are(tmp_path):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(InvalidRequest, match=r"^empty.mp4 is empty \(0 bytes\)"):
        open_video(tmp_path / "empty.mp4", Limits())
    (tmp_path / "frames").mkdir()
    with pytest.raises(InvalidRequest, match=r"^The folder frames has no frames"):
        open_video(tmp_path / "frames", Limits())


def test_a_still_picture_is_called_one(tmp_path):
    for name in ("photo.jpg", "photo.bmp", "photo.png"):
        frames(1)[0].save(tmp_path / name)
        with pytest.raises(InvalidRequest, match=f"{name} has 1 frame: that is a picture"):
            open_video(tmp_path / name, Limits())


@pytest.mark.parametrize(
    "content",
    [b"#EXTM3U\n#EXTINF:1,\n{clip}\n", b"ffconcat version 1.0\nfile {clip}\n", b"\0\0\0\x20ftypisom" + bytes(300)],
)
def test_a_list_of_other_files_and_a_broken_file_are_no_videos(clip, tmp_path, content):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content.replace(b"{clip}", str(clip).encode()))
    with pytest.raises(InvalidRequest, match=r"clip\.mp4 is not a video that is read here"):
        open_video(path, Limits())


def test_a_video_that_is_given_as_a_picture_is_told_where_it_belongs(clip):
    with pytest.raises(InvalidRequest, match=r"clip\.mp4 is a video, not a picture"):
        forecast(Request(images=clip, prompt="?", model=POCKET_ID))
