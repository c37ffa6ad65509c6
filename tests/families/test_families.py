"""Promises of every family, on a tiny random model of it: geometry proven by painting, tokens accounted for."""

import json
import re

import numpy as np
import pytest
import tiny_families
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_families import write_json
from transformers import AutoConfig, AutoModelForImageTextToText, LlavaConfig, LlavaForConditionalGeneration

from attention import Request, extract, families
from attention.capture.given import Said, taken
from attention.capture.images import open_pictures
from attention.capture.inputs import prepare as prepare_request
from attention.environment import POCKET_ID
from attention.errors import InvalidRequest, LimitExceeded, UnsupportedModel
from attention.families import family
from attention.families.lfm2_vl import Views
from attention.limits import Limits
from attention.models import kept
from attention.models import loading as models
from attention.models.config import processor_of, read_config
from attention.models.download import locate
from attention.runs.tokens import cell_box, cell_edges
from attention.verify import painting

GREY = (128, 128, 128)
MANY_GRIDS = 12  # of a few pictures: views, of which one or two cells each are enough
SIZES = [(400, 150), (170, 330), (97, 240), (640, 610)]


@pytest.fixture(scope="module", params=tiny_families.of_own_code())
def loaded(request, tmp_path_factory):
    folder = tiny_families.write(request.param, tmp_path_factory.mktemp(request.param))
    yield models.load(str(folder), "cpu")
    kept.free()


def prepare(loaded, images, prompt="what is it?", **fields):
    """A request of any limit as a family's inputs: also of one that a person may not give."""
    request = Request(images=tuple(images), prompt=prompt, **fields)
    pictures = [(image, []) for image in images]
    return prepare_request(request, pictures, loaded.family, loaded.processor, Limits()).inputs


def as_many(loaded, sizes):
    """As many of these as the family reads with one prompt."""
    return sizes[: loaded.family.most_images]


def some_cells(grid, rng, count):
    """Corners, and some others."""
    corners = [(0, 0), (0, grid.cols - 1), (grid.rows - 1, 0), (grid.rows - 1, grid.cols - 1)]
    others = [(int(rng.integers(grid.rows)), int(rng.integers(grid.cols))) for _ in range(count)]
    return list(dict.fromkeys([*corners, *others]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "images",
    [
        [SIZES[0], SIZES[1]],
        *(pytest.param([size], marks=pytest.mark.full) for size in SIZES),
    ],
    ids=str,
)
def test_a_painted_cell_changes_the_key_that_stands_for_it(loaded, images):
    check_painted_cells(loaded, images)


def check_painted_cells(loaded, images, **fields):
    """In its own grid exactly that cell; in every other grid that shows the place, the cell that covers it.

    A first cell of each picture is painted alone: no grid of another picture may change. Then one of each at once.
    """
    rng = np.random.default_rng(0)
    pictures = [Image.new("RGB", size, GREY) for size in as_many(loaded, images)]
    inputs = prepare(loaded, pictures, **fields)
    before = painting.first_keys(loaded.family, loaded.model, inputs)
    cells = [[] for _ in pictures]
    for index, grid in enumerate(inputs.grids):
        chosen = some_cells(grid, rng, 2)
        for row, col in chosen if len(inputs.grids) <= MANY_GRIDS else chosen[index % 3 :: 3]:
            box = cell_box(grid.to_dict(), row, col)
            shown = shown_of(box, pictures[grid.image].size)
            if area(shown) >= 0.5 * area(box):  # or most of this cell is padding
                cells[grid.image].append((index, row, col))
    alone = [{image: its[0]} for image, its in enumerate(cells) if its] if len(pictures) > 1 else []
    rest = [its[bool(alone) :] for its in cells]
    together = [
        {image: its[turn] for image, its in enumerate(rest) if turn < len(its)} for turn in range(max(map(len, rest)))
    ]
    for cell_of in [*alone, *together]:
        changed, middles = list(pictures), {}
        for image, (index, row, col) in cell_of.items():
            box = cell_box(inputs.grids[index].to_dict(), row, col)
            # The middle of the cell, not of what is shown of it: that may lie as near to the next cell's.
            changed[image] = painting.painted(pictures[image], box)
            x0, y0, x1, y1 = shown_of(box, pictures[image].size)
            middles[image] = ((x0 + x1) / 2, (y0 + y1) / 2), (box[2] - box[0], box[3] - box[1])
        after = painting.first_keys(loaded.family, loaded.model, prepare(loaded, changed, **fields))
        towers = painting.changed_cells(inputs, before, after)
        for cell in cell_of.values():
            for tower in towers:
                if any(number == cell[0] for number, _ in inputs.grids_of(tower)):
                    assert towers[tower].get(cell[0]) == cell, (tower, inputs.grids[cell[0]], cell_of)
        found = {number: cell for cells_of in towers.values() for number, cell in cells_of.items()}
        assert all(cell[0] in found for cell in cell_of.values())
        assert {inputs.grids[other].image for other in found} == set(cell_of)
        for other, (_, row, col) in found.items():
            (x, y), (width, height) = middles[inputs.grids[other].image]
            x0, y0, x1, y1 = cell_box(inputs.grids[other].to_dict(), row, col)
            slack_x, slack_y = (x1 - x0 + width) / 2, (y1 - y0 + height) / 2
            assert x0 - slack_x <= x <= x1 + slack_x, (cell_of, inputs.grids[other], row, col)
            assert y0 - slack_y <= y <= y1 + slack_y, (cell_of, inputs.grids[other], row, col)


def shown_of(box, size):
    """The part of a cell's box that lies on its picture."""
    return max(box[0], 0), max(box[1], 0), min(box[2], size[0]), min(box[3], size[1])


def area(box):
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


@pytest.mark.parametrize("images", [[SIZES[0]], [SIZES[1], SIZES[3]]], ids=str)
def test_every_cell_of_every_grid_has_exactly_one_key(loaded, images):
    inputs = prepare(loaded, [Image.new("RGB", size, GREY) for size in as_many(loaded, images)])
    assert len(inputs.roles) == len(inputs.cells) == len(inputs.ids)
    named = [*inputs.cells, *(cell for keys in inputs.keys.values() for cell in keys)]
    named = [cell for cell in named if cell is not None]
    expected = {(i, r, c) for i, grid in enumerate(inputs.grids) for r in range(grid.rows) for c in range(grid.cols)}
    assert len(named) == len(set(named)) and set(named) == expected
    for index, (role, cell) in enumerate(zip(inputs.roles, inputs.cells, strict=True)):
        assert (role == "image") == (cell is not None or index in inputs.token_images), index
    towers = loaded.family.towers(loaded.model.config)
    assert {grid.tower for grid in inputs.grids} <= set(towers) and set(inputs.keys) <= set(towers)
    for tower in towers:
        queries, keys = (
            inputs.query_count(tower) if tower != "vision" else len(inputs.keys.get("vision", ())),
            inputs.key_count(tower),
        )
        assert queries and keys and len(inputs.cells_of(tower)) == keys, tower


@pytest.mark.parametrize("images", [[SIZES[3]], [SIZES[0], SIZES[1]]], ids=str)
@pytest.mark.parametrize("crops", [False, True])
def test_the_processors_own_number_of_tokens_is_that_without_a_limit(loaded, images, crops):
    if crops and not loaded.family.takes_pan_and_scan:
        return
    pictures = [Image.new("RGB", size, GREY) for size in as_many(loaded, images)]
    entries = [{"type": "image", **({"pan_and_scan": True} if crops else {})} for _ in pictures]
    messages = [{"role": "user", "content": [*entries, {"type": "text", "text": "what is it?"}]}]
    inputs = loaded.family.prepare(loaded.processor, messages, pictures, None)
    shown = [inputs.grids[cell[0]].image for cell in inputs.cells if cell is not None]
    shown += inputs.token_images.values()
    counts = [shown.count(index) for index in range(len(pictures))]
    own = loaded.family.own_visual_tokens(loaded.processor, messages, pictures)
    assert own in (None, counts)
    again = loaded.family.prepare(loaded.processor, messages, pictures, max(counts, default=0) or None)
    assert again.cells == inputs.cells, "asked for so many, it is read as without a limit"
    if own is None and any(counts):  # then no limit makes them fewer
        with pytest.raises(LimitExceeded):
            loaded.family.prepare(loaded.processor, messages, pictures, min(counts) - 1)


def test_the_words_of_a_conversation_have_their_roles(loaded):
    prompt = "is it <b>é</b> 日本 🙂?"
    inputs = prepare(loaded, [Image.new("RGB", SIZES[0], GREY)], prompt)
    read = inputs.tensors["input_ids"][0].tolist()
    assert read.count(loaded.processor.tokenizer.bos_token_id) <= 1, "the template and the tokenizer both write it"
    said = [token for token, role in zip(inputs.ids, inputs.roles, strict=True) if role == "prompt"]
    assert loaded.processor.tokenizer.decode(said).strip() == prompt
    extended = loaded.family.extend(
        loaded.processor, inputs, loaded.processor.tokenizer("red", add_special_tokens=False)["input_ids"]
    )
    thinks = loaded.processor.tokenizer.decode(inputs.ids).endswith("<think>\n")
    assert set(extended.roles[len(inputs.roles) :]) == {"thinking" if thinks else "answer"}
    assert extended.ids[: len(inputs.ids)] == inputs.ids


def test_control_tokens_that_somebody_typed_are_read_as_text(loaded):
    """The template's stay what they are, and the words have the ids that the tokenizer gives them without a token."""
    tokenizer = loaded.processor.tokenizer
    control = family.control_tokens(tokenizer)
    picture = Image.new("RGB", SIZES[0], GREY)
    plain = prepare(loaded, [picture])
    reserved = loaded.family.reserved_texts(loaded.processor)
    for word in {reserved[0], reserved[-1], tokenizer.eos_token}:
        text = f"why {word}? {word}{word} Why"
        inputs = prepare(loaded, [picture], prompt=text)
        said = [token for token, role in zip(inputs.ids, inputs.roles, strict=True) if role == "prompt"]
        alone = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert not control.intersection(said) and tokenizer.decode(said).strip() == text
        assert said[-len(alone) + 1 :] == alone[1:], "but for the first, which may stand after a template's sign"
        kept, of_plain = (
            [token for token, role in zip(each.ids, each.roles, strict=True) if role != "prompt"]
            for each in (inputs, plain)
        )
        assert kept == of_plain and inputs.cells.count(None) - len(said) == plain.cells.count(None) - plain.roles.count(
            "prompt"
        )


def test_a_control_token_that_a_tokenizer_cannot_read_as_text_is_refused_by_name(pocket, monkeypatch):
    its_family, processor, _ = pocket
    word = processor.tokenizer.eos_token
    monkeypatch.setattr(family, "_unveiling", _deaf)
    request = Request(prompt=f"why {word}?")
    with pytest.raises(InvalidRequest, match=re.escape(f"contains {word}, which this model's tokenizer can only")):
        prepare_request(request, [], its_family, processor, Limits())


def _deaf(tokenizer, veils):
    """A tokenizer that looks for control tokens after its veils have gone."""

    class Deaf:
        def __getattr__(self, name):
            return getattr(tokenizer, name)

        def __call__(self, text, **options):
            for veil, sign in veils.items():
                text = [each.replace(veil, sign) for each in text]
            return tokenizer(text, **options)

    return Deaf()


def test_what_a_template_refuses_is_said_in_its_own_words(loaded, monkeypatch):
    monkeypatch.setattr(loaded.processor, "chat_template", "{{ raise_exception('roles must alternate') }}")
    with pytest.raises(InvalidRequest, match=r"chat template refuses .* roles must alternate"):
        prepare(loaded, [])


def test_text_alone_is_a_run_too(loaded):
    if not loaded.family.reads_text_alone:
        with pytest.raises(InvalidRequest, match="Give one"):
            prepare(loaded, [])
        return
    inputs = prepare(loaded, [])
    assert not inputs.grids and not any(inputs.cells) and not any(inputs.keys.values())


def test_a_limit_of_visual_tokens_is_kept_or_refused_with_numbers(loaded):
    picture = Image.new("RGB", (900, 700), GREY)
    free = prepare(loaded, [picture]).roles.count("image")
    assert free <= loaded.family.visual_token_limit(loaded.processor)
    for limit in {1, free // 2, free}:
        if limit < 1:
            continue
        try:
            inputs = prepare(loaded, [picture], max_visual_tokens=limit)
        except LimitExceeded as error:
            assert any(sign.isdigit() for sign in str(error)), error
            assert limit < free
            inputs = prepare(loaded, [picture], max_visual_tokens=error.least)
            assert inputs.roles.count("image") == error.least
        else:
            assert inputs.roles.count("image") <= limit


def test_a_page_that_is_cut_finer_than_others_keeps_a_limit_too(tmp_path):
    """Granite Docling's own number of tiles is another one for wide pages, beside that which a limit makes smaller."""
    folder = tiny_families.write("granite_docling", tmp_path / "model")
    path = folder / "preprocessor_config.json"
    write_json(path, json.loads(path.read_text()) | {"dense_max_patches": 12, "dense_min_aspect": 1.2})
    try:
        loaded = models.load(str(folder), "cpu")
        wide, tall = Image.new("RGB", (400, 300), GREY), Image.new("RGB", (300, 400), GREY)
        counts = [prepare(loaded, [page]).roles.count("image") for page in (wide, tall)]
        assert counts == [(12 + 1) * 16, (6 + 1) * 16]
        assert loaded.family.visual_token_limit(loaded.processor) == counts[0]
        assert loaded.family.own_visual_tokens(loaded.processor, [], [wide, tall]) == counts
        assert prepare(loaded, [wide], max_visual_tokens=counts[0] - 1).roles.count("image") <= (6 + 1) * 16
        check_painted_cells(loaded, [wide.size])
    finally:
        kept.free()


def test_pictures_that_are_rebuilt_from_pixel_values_are_read_as_before(loaded):
    rng = np.random.default_rng(0)
    blocks = rng.integers(256, size=(7, 14, 3)).astype(np.uint8)
    picture = Image.fromarray(blocks.repeat(16, axis=0).repeat(16, axis=1))
    inputs = prepare(loaded, as_many(loaded, [picture, picture.transpose(Image.Transpose.ROTATE_90)]))
    try:
        asked, again = taken(inputs.tensors, Said(None, (), {}), loaded, Limits())
    except UnsupportedModel as error:
        assert f"{loaded.family.label} reads pictures in parts" in str(error)
        return
    assert len(asked.images) == len(as_many(loaded, [1, 2])) and again.inputs.cells == inputs.cells


def test_several_pictures_lie_on_squares_whatever_a_processor_says_of_padding(tmp_path):
    """LLaVA-OneVision's do_pad is for batches of tiles."""
    folder = tiny_families.write("llava_onevision", tmp_path / "model")
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    write_json(folder / "preprocessor_config.json", settings | {"do_pad": False})
    try:
        check_painted_cells(models.load(str(folder), "cpu"), [SIZES[0], SIZES[1]])
    finally:
        kept.free()


ONE_TILE, TWO_TILES = [0, 7, 14, 21, 28], [0, 7, 14, 21, 30, 37, 44, 51, 58]
THREE_TILES = [*TWO_TILES[:-1], 60, 67, 74, 81, 88]
THREE_TILES_IN_8 = [0, 10.5, 21, 33.5, 44, 55.5, 67, 77.5, 88]  # one and a half patches each


@pytest.mark.parametrize(
    "size, rows, cols",
    [
        ((60, 60), TWO_TILES, TWO_TILES),
        ((90, 30), ONE_TILE, THREE_TILES),
        ((30, 60), TWO_TILES, ONE_TILE),
        ((90, 90), THREE_TILES_IN_8, THREE_TILES_IN_8),
    ],
)
def test_every_cell_of_a_map_of_several_tiles_covers_what_it_was_made_from(tmp_path, size, rows, cols):
    """Of tiles of 30 pixels in patches of 7 the vision tower leaves the last two unread: these cells are not equal."""
    try:
        loaded = models.load(str(tiny_families.write("llava_onevision", tmp_path / "model")), "cpu")
        picture = Image.new("RGB", size, GREY)  # as large as its tiles: nothing is resized on the way
        inputs = prepare(loaded, [picture])
        before = painting.first_keys(loaded.family, loaded.model, inputs)
        grid = inputs.grids[1].to_dict()
        assert cell_edges(grid) == (rows, cols) and grid["box_px"] == [cols[0], rows[0], cols[-1], rows[-1]]
        is_interpolated = rows is THREE_TILES_IN_8
        for row, col in np.ndindex(grid["rows"], grid["cols"]):
            box = cell_box(grid, row, col)
            changed = picture.copy()
            if is_interpolated:  # the patch between two cells has a part in both: only the middle is a cell's own
                changed = painting.painted(picture, box)
            else:
                changed.paste((255, 255, 255), tuple(map(int, box)))
            after = painting.first_keys(loaded.family, loaded.model, prepare(loaded, [changed]))
            assert painting.changed_cells(inputs, before, after)["language"][1] == (1, row, col)
            if not is_interpolated:
                differ = (after["language"] != before["language"]).any(dim=-1).tolist()
                others = [cell for cell, is_other in zip(inputs.cells, differ, strict=True) if is_other and cell]
                assert [cell for cell in others if cell[0] == 1] == [(1, row, col)]
    finally:
        kept.free()


MADE_UP = '''
"""A made-up family, which is LLaVA under another name."""

from attention.families.llava import Llava


class MadeUp(Llava):
    label = "Made up"


FAMILY = MadeUp()
'''


def test_a_new_family_is_one_new_file(tmp_path, monkeypatch):
    """Nothing is changed anywhere else: its file lies in the folder, and its model type finds it."""

    class MadeUpConfig(LlavaConfig):
        model_type = "made_up"

    class MadeUpModel(LlavaForConditionalGeneration):
        config_class = MadeUpConfig

    AutoConfig.register("made_up", MadeUpConfig)
    AutoModelForImageTextToText.register(MadeUpConfig, MadeUpModel)
    folder = tiny_families.write("llava", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", {**config, "model_type": "made_up", "architectures": ["MadeUpModel"]})
    weights = load_file(folder / "model.safetensors")  # whose older names transformers knows for LLaVA alone
    weights["lm_head.weight"] = weights.pop("language_model.lm_head.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    picture = Image.new("RGB", SIZES[0], GREY)
    request = Request(images=(picture,), prompt="what is it?", model=str(folder), device="cpu")
    with pytest.raises(UnsupportedModel, match="made_up"):
        extract(request, tmp_path / "run")
    (tmp_path / "made_up.py").write_text(MADE_UP)
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    try:
        with extract(request, tmp_path / "run") as run:
            assert run.info["model"]["family"] == "Made up"
            assert run.map(0, "mean", run.keys() - 1).shape == (
                run.info["grids"][0]["rows"],
                run.info["grids"][0]["cols"],
            )
    finally:
        kept.free()


@pytest.fixture(scope="module")
def gemma_3(tmp_path_factory):
    folder = tiny_families.write("gemma3", tmp_path_factory.mktemp("gemma") / "model")
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | {"do_pan_and_scan": True}))
    yield models.load(str(folder), "cpu")
    kept.free()


@pytest.mark.parametrize("asked", [{}, {"do_pan_and_scan": True}])
def test_gemma_3_crops_as_its_stock_processor_does_where_it_is_asked_to(gemma_3, asked):
    processor = gemma_3.processor
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what is it?"}]}]
    picture = Image.effect_noise((3000, 800), 90).convert("RGB")
    inputs = prepare(gemma_3, [picture], "what is it?", pan_and_scan=bool(asked))
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    options = {"text_kwargs": {"add_special_tokens": False}, "images_kwargs": asked} if asked else {}
    stock = processor(
        text=[text], images=[picture], return_tensors="pt", **{"text_kwargs": {"add_special_tokens": False}, **options}
    )
    assert inputs.ids == stock["input_ids"][0].tolist()
    assert torch.equal(inputs.tensors["pixel_values"], stock["pixel_values"])
    assert [grid.kind for grid in inputs.grids if grid.tower == "language"] == (
        ["thumbnail", "tile", "tile", "tile", "tile"] if asked else ["whole"]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "images", [pytest.param([(3000, 800)], marks=pytest.mark.full), [(301, 900), (400, 400)]], ids=str
)
def test_every_cell_of_a_crop_lies_where_its_pixels_are(gemma_3, images):
    check_painted_cells(gemma_3, images, pan_and_scan=True)


@pytest.mark.sample(8)
def test_crops_stay_within_the_tokens_of_a_picture_and_are_refused_elsewhere(gemma_3, loaded):
    picture = Image.new("RGB", (3000, 800), GREY)
    for limit, tokens in ((16, 16), (47, 16), (48, 48), (79, 64), (None, 80)):
        inputs = prepare(gemma_3, [picture], pan_and_scan=True, max_visual_tokens=limit)
        assert sum(cell is not None for cell in inputs.cells) == tokens
    if loaded.family.label != "Gemma 3":
        with pytest.raises(InvalidRequest, match=r"pan & scan.*--pan-and-scan"):
            prepare(loaded, [picture], pan_and_scan=True)


@pytest.fixture(scope="module")
def pocket():
    """The bundled model's family, processor and config, without its weights."""
    path, _ = locate(POCKET_ID)
    config, family = read_config(path, None)
    return family, processor_of(path, family), config


def chat_of(sizes, **more):
    content = [*({"type": "image", **size} for size in sizes), {"type": "text", "text": "what is it?"}]
    return [{"role": "user", "content": content, **more}]


def limits_of(processor, asked):
    own = processor.image_processor.size
    return {
        "shortest_edge": asked.get("min_pixels", own["shortest_edge"]),
        "longest_edge": asked.get("max_pixels", own["longest_edge"]),
    }


@pytest.mark.parametrize("size", [(512, 384), (70, 90)])
@pytest.mark.parametrize(
    "asked",
    [{"max_pixels": 50176}, {"max_pixels": 50176, "min_pixels": 50176}, {"min_pixels": 200_000}, {"max_pixels": 4096}],
)
def test_an_entrys_size_is_what_the_processor_makes_of_it(pocket, size, asked):
    family, processor, _ = pocket
    picture = Image.effect_noise(size, 90).convert("RGB")
    inputs = family.prepare(processor, chat_of([asked]), [picture], 64)
    text = processor.apply_chat_template(chat_of([{}]), add_generation_prompt=True, tokenize=False)
    limits = limits_of(processor, asked)
    stock = processor(text=[text], images=[picture], return_tensors="pt", images_kwargs={"size": limits})
    for name in ("input_ids", "pixel_values", "image_grid_thw"):
        assert torch.equal(inputs.tensors[name], stock[name]), name
    assert inputs.grids[0].box_px == (0, 0, *size), "cells lie on the picture as given"


def test_each_picture_has_the_size_that_its_own_entry_asks_for(pocket):
    family, processor, _ = pocket
    pictures = [Image.effect_noise(size, 90).convert("RGB") for size in ((512, 384), (300, 200), (70, 90))]
    sizes = [{"max_pixels": 50176}, {}, {"min_pixels": 4096, "max_pixels": 9000}]
    inputs = family.prepare(processor, chat_of(sizes), pictures, None)
    alone = [
        processor.image_processor(picture, return_tensors="pt", size=limits_of(processor, size))["pixel_values"]
        for picture, size in zip(pictures, sizes, strict=True)
    ]
    assert torch.equal(inputs.tensors["pixel_values"], torch.cat(alone))


def test_a_size_that_the_processor_cannot_keep_is_said_and_two_limits_are_refused(pocket):
    family, processor, _ = pocket

    def prepared(size, **fields):
        request = Request(messages=chat_of([size]), images=(Image.new("RGB", (100, 100)),), **fields)
        return prepare_request(request, open_pictures(request, Limits()), family, processor, Limits.local())

    assert not [note for note in prepared({"max_pixels": 9000}).notes if "processor" in note]
    least = processor.image_processor.size["shortest_edge"]
    (note,) = [note for note in prepared({"max_pixels": 16 * 1024}).notes if "limit of its own" in note]
    assert "although its max_pixels are 16,384" in note and "Give min_pixels too" in note and least > 16 * 1024
    both = {"min_pixels": 9000, "max_pixels": 9000}  # what is rounded to whole cells is not said
    assert not [note for note in prepared(both).notes if "processor" in note]
    with pytest.raises(InvalidRequest, match="max_pixels, and max_visual_tokens is given too"):
        prepared({"max_pixels": 9000}, max_visual_tokens=16)


def test_a_size_that_a_family_does_not_take_is_refused_by_name(pocket):
    family, processor, _ = pocket

    class Other(type(family)):
        label, takes_entry_sizes = "Another", False

    request = Request(messages=chat_of([{"max_pixels": 9000}]), images=(Image.new("RGB", (100, 100)),))
    with pytest.raises(InvalidRequest, match="max_pixels of an image entry is not read by Another"):
        prepare_request(request, open_pictures(request, Limits()), Other(), processor, Limits())


def test_fields_of_a_chat_that_the_template_writes_are_refused_and_others_are_no_matter(pocket, monkeypatch):
    family, processor, _ = pocket

    def prepared(**more):
        request = Request(messages=chat_of([], **more))
        return prepare_request(request, [], family, processor, Limits())

    assert prepared(name="me", tool_calls=None, weight=1).inputs.ids == prepared().inputs.ids
    template = processor.chat_template or processor.tokenizer.chat_template
    writes = template + "{% for message in messages %}{{ message.thought }}{% endfor %}"
    monkeypatch.setattr(processor, "chat_template", writes)
    with pytest.raises(InvalidRequest, match="The messages have thought, which the model's chat template would write"):
        prepared(thought="hm")


# Made once by transformers' own processor of LFM2-VL with torchvision 0.28, of the picture below: its cut (rows, cols),
# the patches of each view, the mean of each, and number 7 of its patch 5.
TINY = {"max_tiles": 4, "min_image_tokens": 4, "max_image_tokens": 20, "encoder_patch_size": 8, "tile_size": 64}
BY_TORCHVISION = [
    (
        400, 150, TINY, (1, 3), [*[[8, 8]] * 3, [4, 14]],
        [0.0022, -0.027, 0.0184, -0.0016],
        [-0.2784, 0.7647, -0.1922, 0.2706],
    ),
    (100, 90, TINY, (1, 1), [[8, 8]], [-0.0293], [-0.4667]),
    (
        1500, 900, {}, (2, 3), [*[[32, 32]] * 6, [24, 40]],
        [-0.0051, -0.0052, -0.0055, -0.0053, -0.0056, -0.0059, -0.0053],
        [-0.3725, -0.4667, -0.5608, -0.7961, -0.8902, -0.8667, 0.5451],
    ),
]  # fmt: skip


@pytest.mark.parametrize("width, height, settings, cut, patches, means, numbers", BY_TORCHVISION)
def test_views_of_lfm2_vl_are_those_that_torchvision_makes(width, height, settings, cut, patches, means, numbers):
    y, x = np.mgrid[:height, :width]
    picture = Image.fromarray(np.stack([3 * x + y, x + 5 * y, x * y], axis=-1).astype(np.uint8))
    made = Views(**settings)([picture], return_row_col_info=True, return_tensors="pt")
    assert (made["image_rows"].item(), made["image_cols"].item()) == cut
    assert made["spatial_shapes"].tolist() == patches
    masks = made["pixel_attention_mask"]
    assert masks.sum(dim=1).tolist() == [rows * cols for rows, cols in patches]
    values = [view[: mask.sum()] for view, mask in zip(made["pixel_values"], masks, strict=True)]
    step = 2 / 127.5  # two of 255 steps: Pillow and torchvision round between them
    assert np.abs(np.array([view.mean() for view in values]) - means).max() < 2e-3
    assert np.abs(np.array([view[5, 7] for view in values]) - numbers).max() < step


def test_a_picture_too_thin_for_its_processor_is_refused(tmp_path):
    loaded = models.load(str(tiny_families.write("lfm2_vl", tmp_path / "model")), "cpu")
    try:
        with pytest.raises(InvalidRequest, match="so long and thin that its view takes more than 80 patches"):
            prepare(loaded, [Image.new("RGB", (1575, 24), GREY)])
    finally:
        kept.free()
