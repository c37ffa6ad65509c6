"""Videos as model inputs: ids, kinds of tokens, positions and pixels are those of transformers' own processors."""

import itertools
import json

import numpy as np
import pytest
import tiny_families
from golden import stock_videos
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText, Qwen2VLProcessor

from attention.errors import InvalidRequest, LimitExceeded
from attention.families.qwen3_vl import Qwen3VL
from attention.families.smolvlm import in_words
from attention.families.videos import Video
from attention.models.config import processor_of, read_config

GOLDEN = json.loads(stock_videos.FILE.read_text(encoding="utf-8"))
GREY_LEVEL = 0.016  # in normalised pixels of these processors, the most that one of 255 is


@pytest.fixture(scope="module", params=stock_videos.TYPES)
def tiny(request, tmp_path_factory):
    folder = str(tiny_families.write(request.param, tmp_path_factory.mktemp(request.param)))
    _, family = read_config(folder)
    return request.param, family, processor_of(folder, family), folder


def prepared(family, processor, case):
    """The inputs of a case of stock_videos.json, sampled by the family."""
    width, height, total, fps, asked, has_picture = case
    chosen = list(range(total))
    if asked is not None:
        chosen = family.sample(processor, total, fps, asked, family.sampling(processor)[1] or total)
    frames = [Image.fromarray(stock_videos.drawn(width, height, index / fps)) for index in chosen]
    pictures = [Image.fromarray(stock_videos.drawn(*stock_videos.PICTURE, 0.0))] if has_picture else []
    content = [{"type": "image"} for _ in pictures] + [{"type": "video"}, {"type": "text", "text": stock_videos.WORDS}]
    messages = [{"role": "user", "content": content}]
    return family.prepare(processor, messages, pictures, None, [Video(frames, chosen, total, fps)])


@pytest.mark.parametrize("name", stock_videos.CASES)
def test_inputs_are_those_of_the_stock_processor(tiny, name):
    model_type, family, processor, _ = tiny
    if name not in GOLDEN[model_type]:
        with pytest.raises(InvalidRequest, match="one video here, and no picture beside it"):
            prepared(family, processor, stock_videos.CASES[name])
        return
    inputs, stock = prepared(family, processor, stock_videos.CASES[name]), GOLDEN[model_type][name]
    assert stock_videos.runs(inputs.ids) == stock["ids"]
    types = inputs.tensors.get("mm_token_type_ids")
    assert ([] if types is None else stock_videos.runs(types[0].tolist())) == stock["types"]
    for grid, values in stock["grids"].items():
        assert inputs.tensors[grid].tolist() == pytest.approx(np.array(values)), grid
    pixels = inputs.tensors.get("pixel_values_videos", inputs.tensors.get("pixel_values"))
    pixels = np.array(stock_videos.some(pixels.numpy()))
    assert np.abs(pixels - stock["pixels"]).max() < GREY_LEVEL
    assert np.mean(np.abs(pixels - stock["pixels"]) < 1e-4) > 0.97


def test_counts_of_frames_are_written_as_num2words_writes_them():
    assert {count: in_words(int(count)) for count in GOLDEN["words"]} == GOLDEN["words"]


@pytest.mark.parametrize("name", list(stock_videos.CASES)[:2])
def test_positions_are_those_of_the_stock_inputs(tiny, name):
    model_type, family, processor, folder = tiny
    tensors = prepared(family, processor, stock_videos.CASES[name]).tensors
    model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(folder)).model
    if not hasattr(model, "get_rope_index"):
        assert GOLDEN[model_type][name]["positions"] == [], "counted by the model, one by one"
        return
    grids = {
        name: tensors[name] for name in ("image_grid_thw", "video_grid_thw", "second_per_grid_ts") if name in tensors
    }
    positions, _ = model.get_rope_index(tensors["input_ids"], mm_token_type_ids=tensors["mm_token_type_ids"], **grids)
    assert [stock_videos.steps([int(each) for each in axis]) for axis in positions[:, 0].tolist()] == (
        GOLDEN[model_type][name]["positions"]
    )


@pytest.mark.parametrize("name", list(stock_videos.CASES)[:2])
def test_two_frames_share_a_grid_which_has_the_time_between_them(tiny, name):
    _, family, processor, _ = tiny
    case = stock_videos.CASES[name]
    inputs = prepared(family, processor, case)
    frames = [grid for grid in inputs.grids if grid.kind == "frame" and grid.tower == "language"]
    together = family.frames_together(processor)
    read = [image for grid in frames for image in grid.images or [grid.image]]
    assert read == list(range(len(inputs.read_sizes))) and len(frames) == -(-len(read) // together)
    if together == 2:
        n_frames, rows, cols = inputs.tensors["video_grid_thw"][0].tolist()
        assert [(grid.rows, grid.cols) for grid in frames] == n_frames * [(rows // 2, cols // 2)]
        assert all(grid.image == grid.images[0] for grid in frames)
    fps, asked = case[3], case[4]
    if asked is None:
        alone = [0.0, 0.5, 1.0, 1.5, 2.0]
        assert [grid.time_s for grid in frames] == ([0.25, 1.25, 2.0] if together == 2 else alone)
    assert all(one.time_s < other.time_s for one, other in itertools.pairwise(frames))
    assert frames[-1].time_s <= (case[2] - 1) / fps
    assert not set(inputs.roles) - {"image", "prompt", "special", "system"}
    assert inputs.roles.count("image") == sum(cell is not None for cell in inputs.cells)


def test_fewer_tokens_a_picture_hold_for_each_pair_of_frames(tiny):
    model_type, family, processor, _ = tiny
    frames = [Image.fromarray(stock_videos.drawn(320, 200, time)) for time in range(6)]
    short, long = Video(frames[:4], [0, 1, 2, 3], 4, 2.0), Video(frames, list(range(6)), 6, 2.0)
    messages = [{"role": "user", "content": [{"type": "video"}, {"type": "video"}, {"type": "text", "text": "?"}]}]
    if model_type in stock_videos.ALONE:
        with pytest.raises(LimitExceeded, match=r"in \d+ tokens here"):
            family.prepare(processor, [{"role": "user", "content": messages[0]["content"][1:]}], [], 3, [short])
        return
    inputs = family.prepare(processor, messages, [], 12, [short, long])
    counts = [grid.rows * grid.cols for grid in inputs.grids if grid.tower == "language"]
    assert len(counts) == 5 and all(4 <= count <= 12 for count in counts)


def test_a_cap_of_pixels_of_each_frame_is_kept_where_the_files_have_it(tmp_path):
    folder = tiny_families.write("qwen3_vl", tmp_path)
    _, family = read_config(str(folder))
    plain = processor_of(str(folder), family)
    assert plain.video_processor.cap_pixels_per_frame is False, "whatever later versions of transformers do"
    file = folder / "video_preprocessor_config.json"
    said = json.loads(file.read_text()) | {"cap_pixels_per_frame": True, "max_video_tokens": 6}
    file.write_text(json.dumps(said | {"size": {"shortest_edge": 1024, "longest_edge": said["size"]["longest_edge"]}}))
    capped = family.load_processor(str(folder))
    whole, few = (prepared(family, each, stock_videos.CASES["odd"]) for each in (plain, capped))
    most = [max(grid.rows * grid.cols for grid in each.grids if grid.tower == "language") for each in (whole, few)]
    assert most[1] <= 6 < most[0]
    video = Video([Image.new("RGB", (96, 160))] * 5, list(range(5)), 5, 2.0)
    assert family.own_visual_tokens(capped, [], [], [video])[0] == most[1]


def test_a_family_with_a_processor_of_its_own_inherits_no_video_processor():
    class Same(Qwen3VL):
        label = "same"

    class Other(Qwen3VL):
        processor_class = Qwen2VLProcessor

    assert Same.takes_videos and not Other.takes_videos
