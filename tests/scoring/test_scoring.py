"""A set scored: what the bundled model's card says, what is never lost, and what stops the work."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import tiny_families
from pictures import noise
from PIL import Image
from shared import once

from adapters import choose, members_of
from adapters.choosing import choose_members
from attention import Item, Request, open_run, open_scores, read_items, score_items
from attention.environment import POCKET
from attention.errors import DamagedRun, InvalidRequest, ModelUnavailable, NotInRun
from attention.measures.over_items import rate_interval
from attention.models.kept import free
from attention.pocket.items import write_set
from attention.runs.partial import PartialRun
from attention.runs.regions import Region, region_scores
from attention.scoring.item_rows import NAME, ItemRows
from attention.scoring.items import BadItem

REQUEST = Request(model="pocket", device="cpu")
CARD = json.loads((POCKET / "grounding.json").read_text(encoding="utf-8"))["heads"]


def made_set(question, n):
    return once(f"set {question} {n}", lambda folder: write_set(folder, question, n)) / "items.jsonl"


@pytest.fixture(scope="module")
def colours():
    """The scores of 24 questions about colours, as the command line takes them."""
    return open_scores(once("scores", lambda folder: score_items(made_set("colour", 24), folder, REQUEST)))


def reproduces(scores, question):
    """That the head that is found touches the asked object as often as the card's, and so does the card's own head."""
    card = CARD[question]
    (model,) = scores.info["models"]
    found = model["found"]["measures"]["region_touch"]
    assert found["low"] <= card["hit"] <= found["high"]
    own = scores.table("region_touch")[:, card["layer"], card["head"]]
    by_card = rate_interval(own, scores.groups)
    assert by_card.low <= card["hit"] <= round(float(by_card.high), 4) and model["bad"] == 0


def test_pocket_reproduces_its_card(colours):
    reproduces(colours, "colour")
    (model,) = colours.info["models"]
    assert model["found"]["heads"][0]["layer"] in (2, 3) and model["heads"][0]["above_chance"] is True
    shares = model["found"]["measures"]["region_share"]
    assert shares["low"] > 3 * model["found"]["elsewhere"]["region_share"]["mean"] > 0
    assert shares["low"] > model["found"]["random"] > model["chance"]["central"]


@pytest.mark.full
@pytest.mark.parametrize("question", ["colour", "shape", "where", "relation", "largest"])
def test_pocket_reproduces_its_card_on_300_prompts(question, tmp_path):
    reproduces(score_items(made_set(question, 300), tmp_path / "scores", REQUEST, by="region_touch"), question)


@pytest.mark.full
def test_pocket_reproduces_its_card_of_clicks_on_300_prompts(tmp_path):
    request = replace(REQUEST, mode="generate", max_new_tokens=24)
    scores = score_items(made_set("click", 300), tmp_path / "scores", request, rows="place", by="region_touch")
    reproduces(scores, "click")
    answers = scores.info["models"][0]["answers"]
    assert answers["rate"]["low"] <= 0.988 <= answers["rate"]["high"]


def test_a_row_has_what_the_run_itself_gives_and_a_run_that_is_kept_opens(tmp_path):
    (item, *_) = read_items(made_set("colour", 24))
    scores = score_items([item], tmp_path / "scores", REQUEST, keeps_runs=True)
    (row,) = scores.rows()
    with open_run(scores.folder / row["run"]) as run:
        query = run.info["prompt_tokens"] - 1
        found = region_scores(run, Region(item.place), query)
        assert row["row"] == query and run.towers() == ["language"]
    (scores.folder / row["run"]).rename(
        scores.folder / f"{row['run']}.partial"
    )  # as a process leaves it that is killed
    again = score_items([item], scores.folder, REQUEST, keeps_runs=True).rows()
    assert [each["measures"] for each in again] == [row["measures"]] and (scores.folder / row["run"]).is_dir()
    for name, table in found.tables.items():
        assert np.allclose(row["measures"][name], table, rtol=1e-5), name
    assert (row["uniform"], row["central"]) == (found.uniform, found.central)


class Interrupting(PartialRun):
    """A run during which somebody presses Ctrl-C, once so many were made."""

    made = 0
    last = math.inf

    @classmethod
    def create(cls, final):
        if cls.made >= cls.last:
            raise KeyboardInterrupt
        cls.made += 1
        return super().create(final)


def counting(last=math.inf):
    return type("Counting", (Interrupting,), {"made": 0, "last": last})


def test_what_was_done_is_not_done_again_and_nothing_is_lost(colours, tmp_path):
    items, folder = read_items(made_set("colour", 24))[:4], tmp_path / "scores"
    stopped = counting(2)
    with pytest.raises(KeyboardInterrupt):
        score_items(items, folder, REQUEST, make_partial=stopped.create)
    lines = (folder / NAME).read_bytes()
    assert lines.count(b"\n") == 2
    (folder / NAME).write_bytes(lines + lines[: len(lines) // 3])  # the line at which it was stopped
    with pytest.raises(DamagedRun, match="no finished scores"):
        open_scores(folder)
    going_on = counting()
    scores = score_items(items, folder, REQUEST, make_partial=going_on.create)
    assert going_on.made == 2 and (folder / NAME).read_bytes().startswith(lines)
    rows, whole = scores.rows(), colours.rows()[:4]
    assert [row["measures"] for row in rows] == [row["measures"] for row in whole]
    again = counting()
    assert score_items(items, folder, REQUEST, make_partial=again.create).rows() == rows and again.made == 0
    largest = members_of(choose(["largest"], "pocket"), REQUEST)
    score_items(items[:2], folder, REQUEST, largest, make_partial=again.create)
    assert again.made == 2
    for change in ({"system": "Be kind."}, {"max_visual_tokens": 64}):
        changed = counting(0)
        with pytest.raises(KeyboardInterrupt):
            score_items(items, folder, replace(REQUEST, **change), make_partial=changed.create)


def test_whole_models_are_scored_beside_the_first_also_with_other_heads(tmp_path, tiny_folder):
    items = read_items(made_set("colour", 24))[:3]
    others = members_of(choose_members(["pocket=bfloat16", {"model": tiny_folder, "dtype": None}], "pocket"), REQUEST)
    runs = counting()
    scores = score_items(items, tmp_path / "scores", REQUEST, others, make_partial=runs.create)
    base, half, other = scores.info["models"]
    assert runs.made == 9 and [each["scored"] for each in scores.info["models"]] == [3] * 3
    assert (base["name"], half["name"], other["member"]) == ("base", "pocket bfloat16", "model_2")
    assert 0 < np.abs(scores.table(model="model_1") - scores.table()).max() < 0.1
    first, second = scores.info["pairs"]
    assert first["n"] == 3 and "3 pictures are too few" in first["too_few"]
    assert "other layers or heads" in second["why_not"]
    assert score_items(items, tmp_path / "scores", REQUEST, others, make_partial=runs.create).info["models"][2] == other
    assert runs.made == 9


def test_a_row_that_is_damaged_elsewhere_is_said_by_its_number(tmp_path):
    (tmp_path / NAME).write_bytes(b'{"key": "a"}\n[]\n{"key": "b"}\n')
    with pytest.raises(DamagedRun, match=r"Line 2 of .*items\.jsonl is no row of scores"):
        ItemRows(tmp_path)


def test_what_cannot_be_used_is_a_row_with_its_reason(tmp_path):
    (good, *_) = read_items(made_set("colour", 24))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    width, height = Image.open(good.image).size
    bad = [
        BadItem("line 1", "It is not JSON."),
        replace(good, place=(0, 0, width + 1, height)),
        replace(good, image=str(tmp_path / "missing.png")),
        replace(good, image=str(tmp_path / "broken.png")),
        replace(good, image=str(tmp_path)),
        replace(good, prompt=" "),
        replace(good, prompt="\ud800"),
    ]
    scores = score_items([*bad, good], tmp_path / "scores", REQUEST)
    said = ["not JSON", "leaves its picture", "missing.png", "broken.png", "directory", "prompt is ' '", "half a char"]
    assert [word in row["error"] for word, row in zip(said, scores.rows(), strict=False)] == [True] * len(said)
    (model,) = scores.info["models"]
    assert (model["scored"], model["bad"], model["found"]) == (1, 7, None) and "1 picture was" in model["why_not"]
    assert len(scores.info["bad"]) == 7 and scores.info["bad"][1]["models"] == ["base"]
    nothing = score_items(bad, tmp_path / "nothing", REQUEST)
    assert nothing.info["models"][0]["why_not"] == "No item was scored." and len(nothing.info["bad"]) == 7
    assert nothing.table().shape[0] == 7


def test_what_is_wrong_with_the_whole_is_refused_before_any_item(tmp_path, tiny_folder):
    (item, *_) = read_items(made_set("colour", 24))
    for settings, request, said in [
        ({"rows": "last"}, REQUEST, "The rows are 'last'"),
        ({"rows": "answer"}, REQUEST, "no item has one: use mode generate"),
        ({"by": "region_iou"}, REQUEST, "found by 'region_iou'"),
        ({"seed": -1}, REQUEST, "seed is -1"),
        ({}, replace(REQUEST, prompt="what?"), "prompt is not set for a whole set"),
        ({}, replace(REQUEST, device="tpu"), "tpu"),
        ({}, replace(REQUEST, max_new_tokens=0), "max_new_tokens is 0"),
    ]:
        with pytest.raises(InvalidRequest, match=said):
            score_items([item], tmp_path / "scores", request, **settings)
    with pytest.raises(InvalidRequest, match="no item"):
        score_items([], tmp_path / "scores", REQUEST)
    with pytest.raises(ModelUnavailable):
        score_items([item], tmp_path / "scores", replace(REQUEST, model=str(tmp_path)))
    assert not (tmp_path / "scores").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("Dear all")
    with pytest.raises(InvalidRequest, match="is not empty, and holds no scores"):
        score_items([item], tmp_path / "other", REQUEST)


def test_answers_and_the_rows_of_places(tmp_path):
    items = read_items(made_set("click", 3))
    request = replace(REQUEST, mode="generate", max_new_tokens=24)
    forced = replace(items[0], answer='{"point_2d": [5, 5], "label": "x"}')
    other = replace(items[0], prompt="what color is the star?")  # whose answer names nothing
    scores = score_items([*items, forced, other], tmp_path / "scores", request, rows="place")
    *rows, named, nothing = scores.rows()
    assert [row["outcome"] for row in rows] == ["hit"] * 3 and named["outcome"] is None and named["forced"]
    assert "names no place" in nothing["error"]
    whole = score_items([*items, other], tmp_path / "answers", request, rows="answer")
    for row, first in zip(rows, whole.rows(), strict=False):
        assert first["row"] < row["row"] <= first["until"] and row["answer"] == first["answer"]
    answers = whole.info["models"][0]["answers"]
    assert (answers["hit"], answers["nothing"], answers["rate"]["mean"]) == (3, 1, 0.75)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model_type",
    [
        name if name in ("mllama", "llava_next") else pytest.param(name, marks=pytest.mark.full)
        for name in tiny_families.all_types()
        if name != "idefics2"  # no token of its text has a place
    ],
)
def test_every_family_is_scored(tmp_path, model_type):
    folder = tiny_families.write(model_type, tmp_path / "model")
    picture = noise((170, 130))
    items = [Item(picture, "what is it?", (20, 10, 90, 100)), Item(picture.rotate(180), "what is it?", (100, 60))]
    scores = score_items(items, tmp_path / "scores", Request(model=str(folder), device="cpu"))
    free()
    assert scores.info["bad"] == [] and scores.rows()[0]["tower"] == (
        "cross" if model_type in ("mllama", "florence2") else "language"
    )
    share = scores.table()
    assert not ((share < 0) | (share > 1.000001)).any() and np.nanmax(share[0]) > 0
    config = json.loads((folder / "config.json").read_text())
    has_windows = "layer_types" in config["text_config"] or "attention_chunk_size" in config["text_config"]
    assert has_windows or not np.isnan(share).any(), "a layer whose window ends before the picture reads nothing of it"
    assert scores.rows()[1]["elsewhere"] is not None


def test_a_click_is_the_cell_that_it_lies_in_and_items_of_one_picture_count_as_one(tmp_path):
    (item, other, *_) = read_items(made_set("colour", 24))
    x0, y0, x1, y1 = item.place
    click = Item(item.image, item.prompt, ((x0 + x1) / 2, (y0 + y1) / 2))
    scores = score_items([item, click, other], tmp_path / "scores", REQUEST)
    assert scores.groups[0] == scores.groups[1] != scores.groups[2]
    boxed, clicked, _ = scores.rows()
    assert 0 < clicked["uniform"] < boxed["uniform"] and boxed["elsewhere"] is None
    half = [head["found_on"] for head in scores.info["models"][0]["found"]["heads"]]
    assert half == [1, 1] and scores.info["models"][0]["heads"][0]["above_chance"] is None


def test_tables_have_every_head_and_names_are_checked(colours):
    with open(colours.folder / "scores.csv", encoding="utf-8", newline="") as file:
        first, *lines = list(csv.DictReader(file))
    assert len(lines) == 19 and (first["model"], first["layer"], first["head"], first["n"]) == ("base", "0", "0", "24")
    share = colours.table("region_share")
    assert math.isclose(float(first["region_share"]), share[:, 0, 0].mean(), rel_tol=1e-5)
    assert float(first["region_share_low"]) < float(first["region_share"]) < float(first["region_share_high"])
    with pytest.raises(NotInRun, match="no model 'adapter_1'"):
        colours.rows("adapter_1")
    with pytest.raises(NotInRun, match="no measure 'share'"):
        colours.table("share")
