"""Rows of words that differ: fields of places stand for each other, equal words do, and the numbers are those of a
plain mean of the rows."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from pictures import noise

from adapters import choose, compare
from attention import Request, compare_runs, extract
from attention.comparisons.aligning import aligned, aligned_rows
from attention.comparisons.check import check_comparison
from attention.comparisons.maps import compared_maps
from attention.errors import DamagedRun, NotInRun
from attention.measures import differences
from attention.runs.schema import COMPARISON

PICTURE = noise((128, 96))
CLICKS = '{"point_2d": [510, 300], "label": "Save"}', '{"point_2d": [61, 920], "label": "Save as"}'


def tokens(text, role="answer", first=0):
    """Words, digits and signs as tokens of their own, as a tokenizer would write them."""
    pieces = re.findall(r"[A-Za-z_]+|\d|\s+|.", text)
    ids = {piece: sum(map(ord, piece)) * 31 + len(piece) for piece in pieces}
    return [
        {"index": first + i, "id": ids[piece], "text": piece, "role": role, "grid": None, "row": None, "col": None}
        for i, piece in enumerate(pieces)
    ]


def spelled(of, span):
    return "".join(token["text"] for token in of[span[0] : span[1] + 1])


@pytest.mark.parametrize(
    "one, other, fields",
    [
        (*CLICKS, {"x": ("510", "61"), "y": ("300", "920")}),
        (
            "click(x=12, y=0.5)", "tap(x=7, y=1.25)",
            {"action": ("click", "tap"), "x": ("12", "7"), "y": ("0.5", "1.25")},
        ),
        (
            '{"action": "left_click", "coordinate": [10, 20]}', '{"action": "hover", "coordinate": [300, 4]}',
            {"action": ("left_click", "hover"), "x": ("10", "300"), "y": ("20", "4")},
        ),
        (
            '{"bbox_2d": [1, 2, 33, 44]}', '{"bbox_2d": [11, 22, 3333, 4]}',
            {"x0": ("1", "11"), "y0": ("2", "22"), "x1": ("33", "3333"), "y1": ("44", "4")},
        ),
        ("<point>12 34</point>", "<point>567 8</point>", {"x": ("12", "567"), "y": ("34", "8")}),
        ('{"box_2d": [1, 2, 33, 44]}', '{"box_2d": [5, 6, 7, 8]}', {"y0": ("1", "5"), "x0": ("2", "6")}),
        ("the cell at 12, 34", "the cell at 56, 78", {}),
    ],
)  # fmt: skip
def test_fields_of_places_stand_for_each_other_whatever_they_are(one, other, fields):
    base, member = tokens(one), tokens(other)
    found = {each.name: each for each in aligned(base, member, 0, 0) if each.how == "field"}
    for name, (before, after) in fields.items():
        assert (spelled(base, found[name].base), spelled(member, found[name].other)) == (before, after), name
    assert bool(found) == bool(fields)


def test_a_family_that_writes_y_first_has_its_fields_named_so():
    base, member = tokens('{"point": [10, 20]}'), tokens('{"point": [3, 4]}')
    for y_first, wanted in ((frozenset(), "10"), (frozenset({"point"}), "20")):
        found = {each.name: spelled(base, each.base) for each in aligned(base, member, 0, 0, y_first)}
        assert found["x"] == wanted


def test_each_of_two_families_has_its_own_order_of_x_and_y():
    infos = [
        {"tokens": tokens(f"? {answer}"), "prompt_tokens": 2, "place_habit": {"y_first": keys}}
        for answer, keys in (('{"point": [10, 20]}', []), ('{"point": [33, 44]}', ["point"]))
    ]
    base, other = infos
    found = {each["name"]: each for each in aligned_rows(base, other, 8) if each["how"] == "field"}
    for name, wanted in (("x", ("10", "44")), ("y", ("20", "33"))):
        rows = [[row + 1 for row in found[name][which]] for which in ("base", "other")]  # which predict it
        assert tuple(spelled(info["tokens"], span) for info, span in zip(infos, rows, strict=True)) == wanted


def test_elsewhere_only_equal_words_do_and_no_token_stands_for_two():
    base, member = tokens(CLICKS[0]), tokens(CLICKS[1])
    found = aligned(base, member, 0, 0)
    words = [each for each in found if each.how == "text"]
    assert all(spelled(base, each.base) == spelled(member, each.other) for each in words)
    assert "Save" in [spelled(base, each.base) for each in words]
    for side in ("base", "other"):
        covered = [place for each in found for place in range(getattr(each, side)[0], getattr(each, side)[1] + 1)]
        assert len(covered) == len(set(covered))


def test_second_places_have_fields_of_their_own():
    two = tokens('[{"point_2d": [1, 2]}, {"point_2d": [3, 4]}]')
    found = {each.name: spelled(two, each.base) for each in aligned(two, two, 0, 0) if each.how == "field"}
    assert found == {"x": "1", "y": "2", "x 2": "3", "y 2": "4"}


def test_where_prompts_differ_the_rows_that_predict_the_answers_stand_for_each_other():
    def run(prompt, answer):
        asked = tokens(f"see {prompt}? go", "prompt")
        return {"prompt_tokens": len(asked), "tokens": asked + tokens(answer, first=len(asked))}

    base, other = run("red", "star"), run("a blue shape", "circle star")
    shared = 2
    found = aligned_rows(base, other, shared)
    (start,) = [each for each in found if each["how"] == "start"]
    assert start["base"] == [base["prompt_tokens"] - 1] * 2 and start["other"] == [other["prompt_tokens"] - 1] * 2
    for each in found:
        assert each["base"][0] >= shared
        if each["how"] == "text" and each["base"][0] < base["prompt_tokens"] - 1:
            assert spelled(base["tokens"], each["base"]) == spelled(other["tokens"], each["other"])


@pytest.fixture(scope="module")
def clicks(tiny_folder, tmp_path_factory):
    """Two runs of one question whose answers name different places, and their comparison."""
    folder = tmp_path_factory.mktemp("clicks")
    runs = [
        extract(Request(PICTURE, "click Save", tiny_folder, answer=answer, device="cpu", vision=False), folder / str(n))
        for n, answer in enumerate(CLICKS)
    ]
    with compare_runs(runs, folder / "both", names=["then", "now"]) as both:
        yield both


def test_measures_of_aligned_rows_are_those_of_the_mean_rows(clicks):
    check_comparison(clicks)
    COMPARISON.validate_python(clicks.info)
    base, other = clicks.base, clicks.run("run_1")
    shared = clicks.shared()
    where, sizes = base.pictures("language")
    cells = np.arange(base.keys())[where]
    groups = clicks.aligned("run_1")
    assert {each["name"] for each in groups if each["how"] == "field"} == {"x", "y"}
    group = next(each for each in groups if each["name"] == "y")
    query = group["base"][1]
    assert (
        query >= shared
        and "".join(base.info["tokens"][row + 1]["text"] for row in range(group["base"][0], query + 1)).strip() == "300"
    )
    for layer in base.layers():
        means = []
        for run, which in ((base, "base"), (other, "other")):
            first, last = group[which]
            mean = np.mean([run.row(layer, row, source="factors") for row in range(first, last + 1)], axis=0)
            means.append(np.concatenate([mean[:, :shared], mean[:, shared:].sum(1, keepdims=True)], axis=1))
        sinks = [key for key in base.sinks(layer) if key < shared]
        wanted = differences.of_rows(*means, cells, sizes, sinks)
        for name in ("js_row", "js_image", "d_image_mass", "tv_row"):
            found = clicks.change(name, 0, query)[base.layers().index(layer)]
            assert np.allclose(found, wanted[name], atol=1e-6, equal_nan=True), name


def test_the_mean_over_the_answer_is_over_what_stands_for_something(clicks):
    first, last = clicks.info["answer_rows"]
    queries = [row for row in clicks.queries() if first <= row <= last]
    assert last >= clicks.shared()
    table = clicks.table("js_row")[0][:, :, [clicks.queries().index(row) for row in queries]]
    assert np.allclose(clicks.change("js_row", 0), np.nanmean(table, axis=-1), atol=1e-6)


def test_maps_of_aligned_rows_are_each_members_own(clicks):
    group = next(each for each in clicks.aligned("run_1") if each["name"] == "y")
    maps = compared_maps(clicks, layer=1, head=2, query=group["base"][1])
    for selection, which, run in ((maps.before, "base", clicks.base), (maps.after, "other", clicks.run("run_1"))):
        assert [selection.query, selection.until or selection.query] == group[which]
        mean = np.mean([run.row(1, row, source="factors")[2] for row in range(group[which][0], group[which][1] + 1)], 0)
        side = maps.values[0] if which == "base" else maps.values[1]
        assert np.allclose(side, mean[: clicks.shared()], atol=1e-6)
    alone = next(
        row for row in range(clicks.shared(), clicks.base.queries())
        if not any(each["base"][0] <= row <= each["base"][1] for each in clicks.aligned("run_1"))
    )  # fmt: skip
    for ask in (lambda: compared_maps(clicks, query=alone), lambda: clicks.change("js_row", 0, alone)):
        with pytest.raises(NotInRun, match="stand for none of run_1"):
            ask()


def test_aligned_rows_that_no_run_has_are_refused(clicks, tmp_path):
    for change, said in (
        (lambda info: info["aligned"]["run_1"][0].update(base=[5]), "the first row and the last"),
        (lambda info: info["aligned"]["run_1"][0].update(other=[0, 10**6]), "aligned with run_1"),
        (lambda info: info["aligned"].update(base=[]), "a member of aligned"),
        (lambda info: info["aligned"]["run_1"][0].update(how=3), "how"),
    ):
        shutil.rmtree(tmp_path / "bad", ignore_errors=True)
        shutil.copytree(clicks.folder, tmp_path / "bad")
        info = json.loads((tmp_path / "bad" / "comparison.json").read_text(encoding="utf-8"))
        change(info)
        (tmp_path / "bad" / "comparison.json").write_text(json.dumps(info), encoding="utf-8")
        with pytest.raises(DamagedRun, match=said):
            check_comparison(tmp_path / "bad")


def test_two_questions_about_one_picture_are_compared_where_they_answer(tiny_folder, tmp_path):
    runs = [
        extract(Request(PICTURE, prompt, tiny_folder, device="cpu", vision=False), tmp_path / str(n))
        for n, prompt in enumerate(("click Save", "what color is the star?"))
    ]
    with compare_runs(runs, tmp_path / "both") as both:
        check_comparison(both)
        first, last = both.info["answer_rows"]
        assert (first, last) == (both.base.queries() - 1,) * 2 and both.rows_of("run_1", first) == (
            both.run("run_1").queries() - 1,
        ) * 2
        p, q = (run.row(0, run.queries() - 1, source="factors") for run in both.runs.values())
        where, _ = both.base.pictures("language")
        moved = np.abs(p[:, where].sum(1) - q[:, where].sum(1))
        assert np.allclose(np.abs(both.change("d_image_mass", 0)[0]), moved, atol=1e-6)
        assert list(both.info["members"][1]) and both.change("js_image", 0).shape == (3, 4)


def test_a_member_that_reads_anothers_answer_keeps_the_place_of_its_own(tmp_path):
    window = Path(__file__).parents[2] / "assets" / "examples" / "window.png"
    request = Request(window, "click Save", "pocket", mode="generate", device="cpu", vision=False)
    found = {}
    for words in ("base", "own"):
        with compare(request, choose(["german"], "pocket"), tmp_path / words, words) as comparison:
            check_comparison(comparison)
            found[words] = [comparison.info_of(name)["points"] for name in comparison.runs]
            read = [run.info["points"] for run in comparison.runs.values()]
            assert (read[0] == read[1]) == (words == "base")
    assert found["base"] == found["own"] and found["own"][0] != found["own"][1]
