"""Noise floors: how far the base moves by itself, against the same numbers measured of runs that are kept."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_families
from made_adapters import saved_adapter
from pictures import noise

from adapters.choosing import choose
from adapters.comparing import compare
from attention import extract
from attention.answers.of_comparison import COMPARISON_ANSWERS
from attention.capture.extraction import Extraction
from attention.commands.main import main
from attention.comparisons.asked_beside import PHRASINGS, asked_beside, rephrased
from attention.comparisons.check import check_comparison
from attention.comparisons.comparison import Comparison
from attention.comparisons.finished import compare_runs
from attention.comparisons.region_floors import known_measures, region_floor, region_times_floor
from attention.comparisons.regions import region_change
from attention.comparisons.tables_beside import towers_with_rows
from attention.errors import DamagedRun, InvalidRequest, LimitExceeded, NotInRun
from attention.exports.regions import known_floors, member_scores, region_record
from attention.measures import regions
from attention.request import Request
from attention.runs.regions import read_region, region_cells
from attention.runs.schema import COMPARISON
from attention.words import ONE_INPUT, ONE_INPUT_MEANS, OVER_A_SET

PROMPT, ANSWER = "what color is the star?", "red star"
PICTURE = (128, 96)
OTHER_WORDS = ("what color has the star?", "the star is of what color?")


@pytest.fixture(scope="module")
def picture():
    return noise(PICTURE)


@pytest.fixture(scope="module")
def asked(tiny_folder, picture):
    return Request(picture, PROMPT, tiny_folder, device="cpu", answer=ANSWER)


@pytest.fixture(scope="module")
def compared(tiny_folder, asked, tmp_path_factory):
    """A comparison with every floor and the parts of the change. Not to be changed."""
    place = tmp_path_factory.mktemp("floors")
    adapter = saved_adapter(tiny_folder, place / "adapter", size=0.1)
    floors = {"floors": "dtype, zero", "paraphrases": OTHER_WORDS, "parts": True}
    with compare(asked, choose([str(adapter)], tiny_folder), place / "compared", **floors) as found:
        yield found


def test_each_floor_is_what_a_kept_run_of_it_differs_by(compared, asked, tiny_folder, tmp_path):
    """The base in another number format, and asked in other words, as comparisons of finished runs measure them."""
    assert [each["kind"] for each in compared.info["floors"]] == ["zero", "paraphrase", "paraphrase", "dtype"]
    assert sorted(each.name for each in compared.folder.iterdir()) == [
        "adapter_1", "base", "comparison.json", "comparison.safetensors"
    ]  # fmt: skip
    assert not compared.floor("zero", "tv_row").any()
    others = {
        "dtype": [Request(asked.images, PROMPT, tiny_folder, device="cpu", dtype="bfloat16", answer=ANSWER)],
        "paraphrase": [rephrased(asked, text) for text in OTHER_WORDS],
    }
    box = read_region(compared.base, (10, 10, 70, 60))
    for kind, requests in others.items():
        found = {}
        for number, request in enumerate(requests):
            place = tmp_path / f"{kind}_{number}"
            with (
                extract(request, place) as run,
                compare_runs([compared.base, run], place.with_name(f"{place.name}_compared")) as apart,
            ):
                for measure in ("tv_row", "d_image_mass", "js_image"):
                    found.setdefault(measure, []).append(np.abs(apart.change(measure, 0)))
                for measure in regions.NAMES:
                    found.setdefault(measure, []).append(np.abs(region_change(apart, box, measure, 0)))
                row = compared.answer_rows()[-1]
                found.setdefault("in one row", []).append(np.abs(region_change(apart, box, "region_rank", 0, row)))
        one = region_floor(compared, kind, box, "region_rank", row)
        assert np.allclose(one, np.mean(found.pop("in one row"), axis=0)) and one.any(), kind
        for measure, tables in found.items():
            ours = (
                region_floor(compared, kind, box, measure)
                if measure in regions.NAMES
                else compared.floor(kind, measure)
            )
            assert np.allclose(ours, np.mean(tables, axis=0), rtol=1e-4, atol=1e-6), (kind, measure)
            assert ours.max() > 0 or measure == "region_peak"


def test_a_change_is_a_multiple_of_it(compared):
    """By head, over the answer and in one row, and in the vision tower, which other words leave alone."""
    change = np.abs(compared.change("d_entropy", 0))
    assert np.allclose(compared.times_floor("dtype", "d_entropy", 0) * compared.floor("dtype", "d_entropy"), change)
    moved = compared.moved(0, "tv_row")
    layer, head = moved[0]["layer"], moved[0]["head"]
    assert moved[0]["times"]["zero"] is None  # a floor of exactly 0 has no multiple
    assert moved[0]["times"]["dtype"] == pytest.approx(compared.times_floor("dtype", "tv_row", 0)[layer, head])
    row = compared.answer_rows()[0]
    one = compared.floor("paraphrase", "tv_row", row)
    assert one.shape == compared.change("tv_row", 0, row).shape and not np.isnan(one).any()
    assert not compared.floor("paraphrase", "tv_row", tower="vision").any()
    assert compared.floor("dtype", "tv_row", tower="vision").max() > 0
    assert (compared.floor("dtype", "tv_row") >= 0).all()


def test_it_is_checked_and_older_readers_pass_over_it(compared, tmp_path):
    """Its index is of the schema; a table less is damage; the tables that older readers know are as without."""
    COMPARISON.validate_python(compared.info)
    check_comparison(compared)
    with Comparison(compared.folder) as again:
        again.info["floors"] = [{"kind": "dtype"}] * 5
        with pytest.raises(DamagedRun, match="floor"):
            check_comparison(again)
        again.info |= {"floors": [], "parts": ["adapter_7"]}
        with pytest.raises(DamagedRun, match="a member of parts"):
            check_comparison(again)
    assert compared.info["format"] == 1


def test_the_table_and_the_route_have_them(compared):
    """Columns by name, the same numbers."""
    names, *lines = [line.split(",") for line in compared.csv().splitlines()]
    first = dict(zip(names, lines[0], strict=True))
    for name, expected in (
        ("floor_dtype_tv_row", compared.floor("dtype", "tv_row")),
        ("direct_js_row", compared.change("js_row", 0, part="direct")),
    ):
        assert float(first[name]) == pytest.approx(float(expected[0, 0]), rel=1e-4)
    ask = COMPARISON_ANSWERS["change"]
    found = ask(compared, {"measure": "tv_row", "floor": "dtype"})
    assert np.array_equal(np.frombuffer(found.content, np.float32), compared.floor("dtype", "tv_row").ravel())
    found = ask(compared, {"measure": "tv_row", "part": "inherited"})
    assert np.array_equal(
        np.frombuffer(found.content, np.float32), compared.change("tv_row", 0, part="inherited").ravel()
    )
    found = ask(compared, {"measure": "region_share", "floor": "paraphrase", "box": "10,10,70,60"})
    box = read_region(compared.base, (10, 10, 70, 60))
    expected = region_floor(compared, "paraphrase", box, "region_share")
    assert np.array_equal(np.frombuffer(found.content, np.float32), expected.ravel())


def test_a_change_in_a_region_is_a_multiple_of_it_too(compared, capsys, tmp_path):
    """In the record of a region, in its table and on the command line; of the rows that the floors have."""
    box = read_region(compared.base, (10, 10, 70, 60))
    row = compared.answer_rows()[0]
    floors = known_floors(compared, box, row)
    assert set(floors) == {"zero", "dtype", "paraphrase"} and not floors["zero"]["region_rank"].any()
    assert known_floors(compared, box, row, until=row + 1) == known_floors(compared, box, 3) == {}
    record = region_record(compared, member_scores(compared, box, row), "language", 4, floors=floors)
    for head in record["members"][1]["changes"]:
        at = compared.base.layers().index(head["layer"]), head["head"]
        for name in regions.NAMES:
            expected = region_times_floor(compared, "paraphrase", box, name, 0, row)[at]
            found = head["times"]["paraphrase"][name]
            assert found == pytest.approx(float(expected), rel=1e-4) if np.isfinite(expected) else found is None
        assert head["times"]["zero"]["region_share"] is None
    table = tmp_path / "region.csv"
    assert main(["region", str(compared.folder), "--box", "10", "10", "70", "60", "--csv", str(table)]) == 0
    said = capsys.readouterr()
    assert "x paraphrase floor" in said.out and ONE_INPUT in said.err
    names, *lines = [line.split(",") for line in table.read_text().splitlines() if not line.startswith("#")]
    first = dict(zip(names, lines[0], strict=True))
    for name in regions.NAMES:
        assert float(first[f"floor_dtype_{name}"]) == pytest.approx(float(floors["dtype"][name][0, 0]), rel=1e-5)


def test_floors_whose_rows_are_not_kept_are_known_as_means(compared, monkeypatch):
    """As those of earlier versions, and of towers with too many rows and cells; the rest is refused with numbers."""
    box = read_region(compared.base, (10, 10, 70, 60))
    n_values = np.prod(compared.read_table("floor.language.cells").shape)
    monkeypatch.setattr("attention.comparisons.tables_beside.MAX_TABLE_VALUES", n_values)
    answering = {tower: compared.rows_of_change("mean", tower) for tower in ("language", "vision")}
    assert towers_with_rows(compared.base, answering, 4) == ["language"]
    monkeypatch.setattr("attention.comparisons.tables_beside.MAX_TABLE_VALUES", n_values - 1)
    assert towers_with_rows(compared.base, answering, 4) == []
    exact = {name: region_floor(compared, "paraphrase", box, name) for name in regions.NAMES[:3]}
    with Comparison(compared.folder) as earlier:
        del earlier.info["floor_regions"]
        check_comparison(earlier)
        assert known_measures(earlier) == regions.NAMES[:3] and known_measures(earlier, earlier.answer_rows()[0]) == ()
        for name, expected in exact.items():
            assert np.allclose(region_floor(earlier, "paraphrase", box, name), expected, rtol=1e-4, atol=1e-6), name
        with pytest.raises(NotInRun, match=r"and not of 'region_rank': .* up to 67,108,864 numbers are kept"):
            region_floor(earlier, "dtype", box, "region_rank")


def test_rows_of_a_number_are_taken_as_one(compared):
    """The base's own as well: of digits that stand for a field the mean is measured, not each."""
    box, rows = read_region(compared.base, (10, 10, 70, 60)), compared.answer_rows()
    with Comparison(compared.folder) as found:
        for floor in found.info["floors"]:
            floor["together"] = [[rows[0], rows[1]]]
        check_comparison(found)
        cells = found.read_table("floor.language.cells")[0][:, :, 0]
        own = region_cells(found.base, box)
        mean = np.stack([found.base.exact_rows(row)[..., own.keys] for row in rows[:2]]).mean(axis=0)
        weights = own.shared / own.areas
        expected = np.abs(cells @ weights - mean @ weights)
        assert np.allclose(region_floor(found, "zero", box, "region_mass", rows[0]), expected, atol=1e-6)
        found.info["floors"][0]["together"] = [[3]]
        with pytest.raises(DamagedRun, match="the first row and the last"):
            check_comparison(found)


def test_what_is_not_known_is_refused_by_name(compared, asked, tiny_folder, tmp_path):
    """Floors, kinds and measures that are not there; paraphrases that are none."""
    with pytest.raises(NotInRun, match="no noise floor 'weight'"):
        compared.floor("weight", "tv_row")
    with pytest.raises(NotInRun, match="no measure 'size'"):
        compared.floor("dtype", "size")
    with pytest.raises(NotInRun, match="row 3 was not"):
        compared.floor("dtype", "tv_row", 3)
    box = read_region(compared.base, (0, 0, 9, 9))
    with pytest.raises(NotInRun, match="of the answer's rows, and 3 is none of them"):
        region_floor(compared, "dtype", box, "region_rank", 3)
    with pytest.raises(NotInRun, match="no measure 'region_love'"):
        region_floor(compared, "dtype", box, "region_love")
    for given, words in (
        ({"floors": "dtype,size"}, "no noise floor 'size'"),
        ({"floors": 3}, "must be a list of zero, dtype, paraphrase"),
        ({"paraphrases": [""]}, "a text that asks the same"),
        ({"paraphrases": ["a"] * 2}, "the same text"),
        ({"paraphrases": list("abcde")}, "4 are the most"),
        ({"parts": "yes"}, "true or false"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            asked_beside(**given)
    with pytest.raises(InvalidRequest, match="is the prompt itself"):
        rephrased(asked, PROMPT)


def test_a_chat_is_said_otherwise_in_its_last_words(picture):
    """Earlier turns and pictures stay; the table's phrasings hold the words of the last one."""
    chat = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what is it?"}]},
        {"role": "assistant", "content": "a star"},
        {"role": "user", "content": "of what color?"},
    ]
    request = Request(picture, messages=chat)
    other = rephrased(request, "which color has it?")
    assert [len(each) for each in (other.images, other.messages)] == [1, 3]
    assert other.messages[:2] == request.messages[:2]
    assert other.messages[2]["content"] == [{"type": "text", "text": "which color has it?"}]
    assert asked_beside("paraphrase").phrasings("x") == tuple(each.format(prompt="x") for each in PHRASINGS)


def test_a_floor_that_cannot_be_measured_says_why(asked, tiny_folder, tmp_path, monkeypatch):
    """For want of memory the number format is left out, and all the rest is there."""
    adapter = saved_adapter(tiny_folder, tmp_path / "adapter")
    enter = Extraction.__enter__

    def full(self):
        if self.request.dtype == "bfloat16":
            raise LimitExceeded("This needs about 80.0 GB of memory.")
        return enter(self)

    monkeypatch.setattr(Extraction, "__enter__", full)
    choices = choose([str(adapter)], tiny_folder)
    with compare(asked, choices, tmp_path / "compared", floors=["dtype", "zero"]) as found:
        assert found.floor_kinds() == ["zero"]
        assert found.info["floors"][-1]["why"] == "This needs about 80.0 GB of memory."
        with pytest.raises(NotInRun, match="dtype could not be measured: This needs"):
            found.floor("dtype", "tv_row")
        check_comparison(found)


@pytest.mark.full
def test_an_encoder_reads_other_words_before_its_picture_is_read(tmp_path):
    """Of a model whose encoder reads question and picture together a paraphrase stands for nothing: refused by name."""
    folder = tiny_families.write("florence2", tmp_path / "model")
    adapter = saved_adapter(folder, tmp_path / "adapter", target_modules=r".*language_model.*q_proj")
    request = Request(noise((96, 64)), PROMPT, str(folder), device="cpu", answer=ANSWER)
    with compare(request, choose([str(adapter)], str(folder)), tmp_path / "compared", floors="paraphrase") as found:
        assert found.floor_kinds() == []
        assert all("other words" in each["why"] for each in found.info["floors"])


def test_the_page_says_the_same_of_one_input():
    """Word for word."""
    page = (Path(__file__).parents[2] / "assets/viewer/text/noise.js").read_text(encoding="utf-8")
    assert all(f"'{words}'" in page for words in (ONE_INPUT, ONE_INPUT_MEANS, OVER_A_SET))


def test_the_command_line_says_multiples_and_that_one_input_is_one(tiny_folder, picture, tmp_path, capsys):
    """`--floors`, `--paraphrase` and `--parts`, their cost beforehand, and what a change is worth."""
    file = tmp_path / "picture.png"
    picture.save(file)
    adapter = saved_adapter(tiny_folder, tmp_path / "adapter")
    ask = ["compare", "--image", str(file), "--prompt", PROMPT, "--answer", ANSWER, "--model", tiny_folder]
    ask += ["--device", "cpu", "--adapter", str(adapter), "--output-dir", str(tmp_path / "compared")]
    assert main([*ask, "--floors", "dtype", "--paraphrase", OTHER_WORDS[0], "--parts"]) == 0
    said = capsys.readouterr().err
    assert "4 passes more for floors and parts" in said
    assert "x the dtype floor" in said and "x the paraphrase floor" in said
    assert "n = 1, descriptive" in said and "python -m attention score" in said
    info = json.loads((tmp_path / "compared" / "comparison.json").read_text())
    assert info["floors"][0] == {"kind": "paraphrase", "prompt": OTHER_WORDS[0]} and info["parts"] == ["adapter_1"]
