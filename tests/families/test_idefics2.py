"""Idefics2: tokens of a picture have no place, and what each reads of the patches has one, in a tower of its own."""

import numpy as np
import pytest
import tiny_families
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

from attention import Request, extract
from attention.comparisons.finished import compare_runs
from attention.errors import InvalidRequest, NotInRun
from attention.models.config import processor_of, read_config
from attention.models.kept import free
from attention.runs.checks.run import check_run
from attention.runs.selection import select

PICTURES = tuple(
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8))
    for seed, size in enumerate([(96, 161), (200, 90)])
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    yield tiny_families.write("idefics2", tmp_path_factory.mktemp("idefics2") / "model")
    free()


@pytest.fixture(scope="module")
def run(model):
    with extract(Request(PICTURES, "what is it?", str(model), answer="red", device="cpu"), model.parent / "run") as run:
        yield run


def test_each_token_of_a_picture_reads_its_own_view_and_has_a_map_there(run):
    check_run(run)
    own = run.queries_with_rows("resampler")
    roles = [token["role"] for token in run.info["tokens"]]
    assert own.tolist() == [index for index, role in enumerate(roles) if role == "image"] and len(own) == 2 * 5 * 6
    for at in range(0, len(own), 4):
        maps = [run.map("mean", "mean", own[at], grid, "resampler").sum() for grid in run.grids("resampler")]
        assert np.flatnonzero(maps).tolist() == [at // 6] and maps[at // 6] <= 1 + 1e-6
    kinds = [run.info["grids"][grid]["kind"] for grid in run.grids("resampler")]
    assert kinds == ["tile", "tile", "tile", "tile", "thumbnail"] * 2


def test_the_language_tower_has_masses_of_pictures_and_no_places(run):
    assert run.grids() == [] and not any(token["grid"] is not None for token in run.info["tokens"])
    query = run.info["prompt_tokens"] - 1
    names = [group["name"] for group in run.info["groups"]["language"]]
    masses = run.masses(query)
    own = run.queries_with_rows("resampler")
    for number, tokens in (("image 1", own[:30]), ("image 2", own[30:])):
        expected = run.exact_rows(query)[:, :, tokens].sum(axis=-1)
        np.testing.assert_allclose(masses[:, :, names.index(number)], expected, atol=1e-6)
    at = run.stored_positions().tolist().index(query)
    for score in (run.score("image_mass")[:, :, at], run.row_scores("image_mass", query)):
        np.testing.assert_allclose(score, run.exact_rows(query)[:, :, own].sum(axis=-1), atol=1e-6)
    assert np.isnan(run.row_scores("spatial_entropy", query - 1, until=query)).all()
    with pytest.raises(NotInRun, match="the language tower has grids none"):
        run.map(0, 0, query)
    with pytest.raises(NotInRun, match=rf"Token {query} has no row in .* resampler tower: its tokens are 7 to 12,"):
        run.map(0, 0, query, tower="resampler")
    with pytest.raises(InvalidRequest, match="no picture to draw on"):
        select(run).cells()
    with pytest.raises(InvalidRequest, match="Say which query or key of the resampler tower"):
        select(run, "resampler")


def test_a_comparison_has_measures_of_every_tower_and_no_shift_of_a_peak_where_there_is_no_place(run, tmp_path):
    with compare_runs([run.folder, run.folder], tmp_path / "both", ["a", "b"]) as both:
        for tower in run.towers():
            assert (both.change("d_image_mass", 0, tower=tower) == 0).all()
        assert np.isnan(both.change("peak_shift", 0)).all()


@pytest.mark.parametrize("words", ["what?", " what?", "", "<b>"])
def test_its_tokens_are_those_of_the_stock_processor(model, words):
    _, family = read_config(str(model))
    stock = AutoProcessor.from_pretrained(model, backend="pil")
    entries = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": words}, {"type": "image"}]
    messages = [
        {"role": "user", "content": entries},
        {"role": "assistant", "content": [{"type": "text", "text": "so"}]},
    ]
    pictures = [*PICTURES, PICTURES[0]]
    ours = family.prepare(processor_of(str(model), family), messages, pictures, None)
    text = stock.apply_chat_template(messages, add_generation_prompt=True)
    theirs = stock(text=[text], images=pictures, return_tensors="pt")
    assert ours.ids == theirs["input_ids"][0].tolist()
    for name in ("pixel_values", "pixel_attention_mask"):
        np.testing.assert_array_equal(ours.tensors[name], theirs[name])
    said = [token for token, role in zip(ours.ids, ours.roles, strict=True) if role == "prompt"]
    assert AutoTokenizer.from_pretrained(model).decode(said).strip() == words.strip() + "so"


def test_prepared_inputs_have_their_tokens_of_pictures_where_they_stand(model, run, tmp_path):
    entries = [{"type": "text", "text": "look: "}, {"type": "image"}, {"type": "image"}]
    stock = AutoProcessor.from_pretrained(model, backend="pil")
    text = stock.apply_chat_template([{"role": "user", "content": entries}], add_generation_prompt=True)
    inputs = stock(text=[text], images=list(PICTURES), return_tensors="pt")
    own = (AutoModelForImageTextToText.from_pretrained(model), stock)
    with extract(inputs, tmp_path / "run", model=own, images=PICTURES, answer="red") as given:
        check_run(given)
        now, before = (each.queries_with_rows("resampler") for each in (given, run))
        image = given.info["tokens"][now[0]]["id"]
        places = [index for index, token in enumerate(given.info["tokens"]) if token["id"] == image]
        assert now.tolist() == places != before.tolist()
        for new, old in zip(now[::7], before[::7], strict=True):
            np.testing.assert_array_equal(given.row(0, new, "resampler"), run.row(0, old, "resampler"))
