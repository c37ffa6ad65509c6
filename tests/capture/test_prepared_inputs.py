"""Model inputs that a caller has prepared: the same run as from the words and pictures that they were made of."""

import numpy as np
import pytest
import tiny_families
import torch
from PIL import Image
from shared import once
from transformers import AutoModelForImageTextToText, AutoProcessor

from attention import extract
from attention.errors import InvalidRequest, UnsupportedModel
from attention.models import loading
from attention.models.config import read_config

QUESTION = "what color is the star?"


def picture(seed=0, size=(110, 70)):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))


class Own:
    """A model that says nothing of where it came from, and the processor that its folder has."""

    def __init__(self, model_type):
        folder = once(model_type, lambda folder: tiny_families.write(model_type, folder / "model")) / "model"
        self.model = AutoModelForImageTextToText.from_pretrained(folder)
        try:
            self.processor = AutoProcessor.from_pretrained(folder)
        # it would need torchvision, or files for films and sound, which of one type it looks for without end
        except (ImportError, OSError, ValueError, RecursionError):
            self.processor = None
        if not hasattr(self.processor, "image_processor"):  # the tokenizer alone, where the rest needs torchvision
            self.processor = read_config(str(folder))[1].load_processor(str(folder))
        self.model.config._name_or_path = ""

    def prepared(self, messages, **options):
        header = options.pop("add_generation_prompt", True)
        given = self.processor.apply_chat_template(
            messages, tokenize=True, return_dict=True, add_generation_prompt=header,
            processor_kwargs={"return_tensors": "pt", **options},
        )  # fmt: skip
        # what our own readers of Idefics3's and LFM2-VL's files return besides
        for name in ("tiles", "image_rows", "image_cols", *(["image_sizes"] if "image_rows" in given else [])):
            given.pop(name, None)
        return given

    def extract(self, given, **options):
        return extract(given, model=self.model, processor=self.processor, **options)


WITHOUT_TEMPLATE = ("florence2", "got_ocr2", "paligemma")
WITH_TEMPLATE = [each for each in tiny_families.of_each_kind() if each.values[0] not in WITHOUT_TEMPLATE]


@pytest.fixture(scope="module", params=WITH_TEMPLATE)
def own(request):
    return Own(request.param)


@pytest.fixture(scope="module")
def qwen():
    return Own("qwen3_vl")


def chat(*pictures, text=QUESTION):
    return [
        {
            "role": "user",
            "content": [*({"type": "image", "image": each} for each in pictures), {"type": "text", "text": text}],
        }
    ]


def assert_same_run(run, other):
    """The same tokens, places and numbers."""
    assert run.info["tokens"] == other.info["tokens"]
    assert run.info["grids"] == other.info["grids"] and run.towers() == other.towers()
    for tower in run.towers():
        assert run.info["towers"][tower]["keys"] == other.info["towers"][tower]["keys"]
        for layer in run.layers(tower):
            np.testing.assert_array_equal(run.dense(layer, tower), other.dense(layer, tower))


def test_prepared_inputs_with_their_messages_make_the_run_of_those_messages(own):
    messages = chat(picture())
    given = own.prepared(messages)
    before = {name: tensor.clone() for name, tensor in given.items()}
    with own.extract(messages, answer="red") as due, own.extract(given, messages=messages, answer="red") as run:
        assert_same_run(run, due)
        assert run.info["messages"] == due.info["messages"] and run.info["answer"] == "red"
        assert run.info["images"] == due.info["images"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in given.items())


def test_pictures_are_enough_to_place_them_and_roles_are_of_kinds_then(own):
    messages = chat(picture(), picture(1, (60, 90)))
    given = own.prepared(messages)
    with own.extract(messages) as due, own.extract(given, images=[picture(), picture(1, (60, 90))]) as run:
        assert run.info["grids"] == due.info["grids"]
        for token, other in zip(run.tokens, due.tokens, strict=True):
            assert token._replace(role="") == other._replace(role="")
            assert token.role == other.role or (token.role, other.role) == ("prompt", "special")
        assert {token.role for token in run.tokens} <= {"image", "special", "prompt"}
        assert QUESTION in run.tokens.text and "are not told apart" in " ".join(run.info["notes"])
        for layer in run.layers():
            np.testing.assert_array_equal(run.dense(layer), due.dense(layer))


@pytest.mark.parametrize("model_type", ["qwen3_vl", "gemma3", "llava"])
def test_pictures_are_rebuilt_from_pixel_values(model_type):
    own = Own(model_type)
    messages = chat(picture(), picture(1, (96, 160)))
    given = own.prepared(messages)
    bare = chat()
    bare[0]["content"][:0] = [{"type": "image"}, {"type": "image"}]
    with own.extract(messages) as due, own.extract(given) as run, own.extract(given, messages=bare) as told:
        assert [token.role for token in told.tokens] == [token.role for token in due.tokens]
        for each in (run, told):
            assert "rebuilt from pixel values" in " ".join(each.info["notes"])
            assert [(t.grid, t.row, t.col) for t in each.tokens] == [(t.grid, t.row, t.col) for t in due.tokens]
            for layer in each.layers():
                np.testing.assert_array_equal(each.dense(layer), due.dense(layer))
        for image, other in zip(run.info["images"], due.info["images"], strict=True):
            assert (image["width"], image["height"]) == (other["read_width"], other["read_height"])
        if model_type != "llava":  # which cuts the middle out
            for image, original in zip(run.info["images"], (picture(), picture(1, (96, 160))), strict=True):
                shown, size = Image.open(run.folder / image["file"]), (image["width"], image["height"])
                read = original.resize(size, own.processor.image_processor.resample)
                assert np.abs(np.asarray(shown, int) - np.asarray(read, int)).max() <= 1


def test_a_picture_that_was_read_smaller_is_rebuilt_in_that_size(qwen):
    given = qwen.prepared(chat(picture(0, (320, 256))), size={"shortest_edge": 4096, "longest_edge": 128 * 128})
    with qwen.extract(given) as run:
        (image,) = run.info["images"]
        assert image["width"] * image["height"] <= 128 * 128
        assert run.map(0, 0, -1 + len(run.tokens)).shape == (image["height"] // 32, image["width"] // 32)
    with pytest.raises(InvalidRequest, match=r"pixel_values of the inputs has the shape .* without images= they"):
        qwen.extract(given, images=[picture(0, (320, 256))])


@pytest.mark.parametrize("own", ["qwen3_vl", "gemma4"], indirect=True)
def test_another_picture_is_found_out_however_pixels_are_normalised(own):
    """Other ways to resize move a pixel by a step or two of 255; ten of them are another picture."""
    given = dict(own.prepared(chat(picture())))
    name = next(name for name in given if "pixel_values" in name)
    scale = 1 if own.model.config.model_type == "gemma4" else 0.5  # of what the values are divided by
    other = given | {name: given[name] + 10 / 255 / scale}
    with pytest.raises(InvalidRequest, match=f"{name} of the inputs holds other numbers"):
        own.extract(other, images=[picture()])
    with own.extract(given | {name: given[name] + 2 / 255 / scale}, images=[picture()]) as run:
        assert run.info["images"]


@pytest.mark.parametrize("own", ["idefics3", "mllama"], indirect=True)
def test_pictures_in_parts_are_not_rebuilt(own):
    with pytest.raises(UnsupportedModel, match=r"reads pictures in parts, .* images="):
        own.extract(own.prepared(chat(picture())))


def test_lists_arrays_and_text_alone_are_taken(qwen):
    with qwen.extract(QUESTION) as due:
        for options in ({"return_tensors": None}, {"return_tensors": "np"}, {}):
            with qwen.extract(qwen.prepared(chat(), **options), messages=chat()) as run:
                assert_same_run(run, due)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_left_out_and_said(qwen, side):
    messages = chat(picture())
    given = dict(qwen.prepared(messages))
    per_token = [name for name, each in given.items() if each.shape == given["input_ids"].shape]
    for name in per_token:
        more = torch.full((1, 3), 0 if name != "input_ids" else 1, dtype=given[name].dtype)
        given[name] = torch.cat([more, given[name]] if side == "left" else [given[name], more], dim=1)
    with qwen.extract(messages) as due, qwen.extract(given, messages=messages) as run:
        assert_same_run(run, due)
        assert "3 tokens of padding, hidden by attention_mask, are left out." in run.info["notes"]


def test_inputs_may_end_before_the_answers_header(qwen):
    messages = chat(picture())
    given = qwen.prepared(messages, add_generation_prompt=False)
    with qwen.extract(messages) as due, qwen.extract(given, messages=messages) as run:
        n = len(run.tokens)
        assert n < len(due.tokens) and run.info["tokens"] == due.info["tokens"][:n]


@pytest.mark.parametrize("left", [-8, 10], ids=["in the question", "in the picture"])
def test_inputs_that_end_before_their_messages_do_are_refused(qwen, left):
    messages = chat(picture())
    given = qwen.prepared(messages)
    cut = {
        name: each[:, :left] if len(each) == 1 and name != "image_grid_thw" else each for name, each in given.items()
    }
    with pytest.raises(InvalidRequest, match=r"The inputs are not of these messages: .* go on with the end, and the"):
        qwen.extract(cut, messages=messages)


def test_whole_numbers_of_32_bits_and_masks_of_any_kind_are_taken(qwen):
    messages = chat(picture())
    given = qwen.prepared(messages)
    given["input_ids"], given["attention_mask"] = given["input_ids"].int(), given["attention_mask"].bool()
    with qwen.extract(messages) as due, qwen.extract(given, messages=messages) as run:
        assert_same_run(run, due)


def test_an_answer_is_written_after_prepared_inputs(qwen):
    messages = chat(picture())
    given = qwen.prepared(messages)
    with torch.no_grad():
        said = qwen.model.generate(**given, max_new_tokens=3, do_sample=False)[
            0, given["input_ids"].shape[1] :
        ].tolist()
    with qwen.extract(given, messages=messages, mode="generate", max_new_tokens=3) as run:
        assert [token.id for token in run.tokens[run.info["prompt_tokens"] :]] == said


def changed(given, name, value):
    return {**given, name: value(given.get(name)) if callable(value) else value}


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("input_ids", lambda ids: torch.cat([ids, ids]), "The inputs hold 2 sequences; a run is of one"),
        ("input_ids", lambda ids: ids.float(), r"input_ids .* is torch.float32; it must be \[1, tokens\]"),
        ("input_ids", "what?", "input_ids of the inputs is of type str, no array of numbers"),
        ("input_ids", lambda ids: ids.flip(1), "The inputs are not of these messages: from token 0 on"),
        ("labels", lambda _: torch.zeros(1, 4), "The inputs have labels, which this model's processor does not make"),
        ("attention_mask", lambda mask: mask[:, 1:], "attention_mask of the inputs has the shape"),
        ("attention_mask", lambda mask: mask.index_fill(1, torch.tensor([4]), 0), "hides tokens between others"),
        ("pixel_values", lambda values: values.flip(0), "pixel_values of the inputs holds other numbers"),
        ("pixel_values", lambda values: values.to("meta"), "it is on the device meta"),
        ("pixel_values", None, "The inputs lack pixel_values"),
        ("input_ids", lambda ids: ids.index_fill(1, torch.tensor([4]), -5), "input_ids of the inputs has token -5"),
        ("input_ids", lambda ids: ids.index_fill(1, torch.tensor([4]), 10**6), "has token 1000000; this model knows"),
        ("mm_token_type_ids", None, "The inputs lack mm_token_type_ids"),
        ("mm_token_type_ids", torch.zeros_like, "mm_token_type_ids of the inputs holds other numbers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(qwen, tmp_path, name, value, words):
    messages = chat(picture())
    given = changed(qwen.prepared(messages), name, value)
    with pytest.raises(InvalidRequest, match=words):
        qwen.extract(given, messages=messages, folder=tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_what_changes_nothing_in_prepared_inputs_is_refused(qwen):
    given = qwen.prepared(chat(picture()))
    with pytest.raises(InvalidRequest, match="max_visual_tokens is not read with prepared inputs"):
        qwen.extract(given, max_visual_tokens=64)
    with pytest.raises(InvalidRequest, match="Prepared inputs are of a model's own processor"):
        extract(given)


def test_another_familys_processor_is_refused_by_its_type(qwen):
    llava = Own("llava")
    with pytest.raises(InvalidRequest, match="a LlavaProcessor, does not go with this Qwen3-VL model"):
        extract(chat(picture()), model=qwen.model, processor=llava.processor)
    with pytest.raises(InvalidRequest, match=r"a \w*Processor, does not go with this LLaVA model"):
        extract(chat(picture()), model=llava.model, processor=qwen.processor)
    assert not hasattr(llava.processor, "image_size"), "a processor is not changed"
    loading.wrap(llava.model, processor=llava.processor)
    assert not hasattr(llava.processor, "image_size")
